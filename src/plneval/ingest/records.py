"""The records of one table on their way through the rules: none is lost, each ends as kept, rejected or merged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval.ingest.values import Mask


@dataclass
class Records:
    """Records of one canonical table, from one or many files.

    Attributes
    ----------
    frame : typed canonical columns, one row a record, in reading order.
    files : names of the files, in reading order.
    file : position in ``files`` of every record.
    row : number of the row in its file, of every record.
    alive : which records are neither rejected nor merged so far.
    faults : positions of rejected records, with column and rule.
    merged : positions of merged records.
    bad_rows : file position and row number of rows that could not be split into cells; each counts as one record.
    """

    frame: pd.DataFrame
    files: list[str]
    file: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]
    alive: Mask
    faults: list[tuple[npt.NDArray[np.int64], str, str]] = field(default_factory=list)
    merged: list[npt.NDArray[np.int64]] = field(default_factory=list)
    bad_rows: list[tuple[int, int]] = field(default_factory=list)

    @classmethod
    def of_file(cls, frame: pd.DataFrame, name: str, row: npt.NDArray[np.int64], bad: Sequence[int] = ()) -> Records:
        """Records of one file."""
        count = len(frame)
        return cls(
            frame.reset_index(drop=True),
            [name],
            np.zeros(count, dtype=np.int64),
            row.astype(np.int64),
            np.ones(count, dtype=bool),
            bad_rows=[(0, number) for number in bad],
        )

    def reject(self, mask: Mask, column: str, rule: str) -> None:
        """Reject records by a rule; a record that an earlier rule took stays with it."""
        positions = np.flatnonzero(mask & self.alive)
        if len(positions):
            self.alive[positions] = False
            self.faults.append((positions, column, rule))

    def merge(self, mask: Mask) -> int:
        """Merge records into the one of the same key that stays; return their number."""
        positions = np.flatnonzero(mask & self.alive)
        self.alive[positions] = False
        self.merged.append(positions)
        return len(positions)

    def kept(self) -> pd.DataFrame:
        """The records that are alive, in reading order."""
        return self.frame if self.alive.all() else self.frame.loc[self.alive]

    def rejections(self) -> pd.DataFrame:
        """One row for each rejected record: file, row, column, rule, by file and row; no value and no identifier."""
        parts = [
            pd.DataFrame({"file": self.file[at], "row": self.row[at], "column": column, "rule": rule})
            for at, column, rule in self.faults
        ]
        if self.bad_rows:
            bad = pd.DataFrame(self.bad_rows, columns=["file", "row"])
            parts.append(bad.assign(column="", rule="bad_row"))
        if not parts:
            return pd.DataFrame({"file": [], "row": [], "column": [], "rule": []}).astype(
                {"file": "str", "row": "int64", "column": "str", "rule": "str"}
            )
        table = pd.concat(parts, ignore_index=True).sort_values(["file", "row", "column", "rule"], kind="stable")
        table["file"] = np.array(self.files, dtype=object)[table["file"].to_numpy(dtype=np.int64)]
        return table.astype({"file": "str", "row": "int64", "column": "str", "rule": "str"}).reset_index(drop=True)

    def counts(self) -> pd.DataFrame:
        """Records read, kept, rejected and merged of every file, each counted on its own."""
        places = len(self.files)

        def per_file(positions: npt.NDArray[np.int64] | Mask) -> npt.NDArray[np.int64]:
            return np.bincount(self.file[positions], minlength=places)

        bad = np.bincount(np.array([place for place, _ in self.bad_rows], dtype=np.int64), minlength=places)
        everything = np.ones(len(self.frame), dtype=bool)
        rejected = sum((per_file(at) for at, _, _ in self.faults), bad)
        merged = sum((per_file(at) for at in self.merged), np.zeros(places, dtype=np.int64))
        return pd.DataFrame(
            {
                "file": self.files,
                "read": per_file(everything) + bad,
                "kept": per_file(self.alive),
                "rejected": rejected,
                "merged": merged,
            }
        )


def together(parts: Sequence[Records]) -> Records:
    """Records of several files as one, in the order given."""
    files: list[str] = []
    faults: list[tuple[npt.NDArray[np.int64], str, str]] = []
    bad_rows: list[tuple[int, int]] = []
    file_numbers, offset = [], 0
    for part in parts:
        # A file that two sources read is one file in the ledger.
        places = []
        for name in part.files:
            if name not in files:
                files.append(name)
            places.append(files.index(name))
        lookup = np.array(places, dtype=np.int64)
        file_numbers.append(lookup[part.file])
        faults += [(at + offset, column, rule) for at, column, rule in part.faults]
        bad_rows += [(places[place], row) for place, row in part.bad_rows]
        offset += len(part.frame)
    return Records(
        pd.concat([part.frame for part in parts], ignore_index=True),
        files,
        np.concatenate(file_numbers),
        np.concatenate([part.row for part in parts]),
        np.concatenate([part.alive for part in parts]),
        faults,
        [],
        bad_rows,
    )
