"""The ledger: what happened to every row, in total, by file and by rejected record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from plneval.config.sources import TABLES
from plneval.ingest.records import Records
from plneval.ingest.rules import RULES


@dataclass(frozen=True)
class Note:
    """Something that was recognised or assumed, with its count; no record is rejected by it."""

    rule: str
    table: str
    count: int
    text: str


@dataclass
class Ledger:
    """Counts of every table and file, rejected records and notes."""

    counts: dict[str, pd.DataFrame] = field(default_factory=dict)
    rejections: dict[str, pd.DataFrame] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    def add(self, table: str, records: Records) -> None:
        """Enter the records of a table (or of one way in which a table is given), every rule applied.

        Raises
        ------
        RuntimeError
            If a record is neither kept nor rejected nor merged: a mistake of the program, not of the data.
        """
        counts = records.counts()
        lost = counts["read"] != counts["kept"] + counts["rejected"] + counts["merged"]
        if lost.any():
            raise RuntimeError(f"the ledger of '{table}' does not add up in {counts.loc[lost, 'file'].tolist()}")
        rejections = records.rejections()
        if table in self.counts:
            counts = pd.concat([self.counts[table], counts]).groupby("file", sort=False, as_index=False).sum()
            rejections = pd.concat([self.rejections[table], rejections], ignore_index=True)
        self.counts[table] = counts
        self.rejections[table] = rejections

    def note(self, rule: str, table: str, count: int, text: str) -> None:
        """Enter a note, unless there is nothing to count."""
        if count:
            self.notes.append(Note(rule, table, int(count), text))

    def rejected_by_rule(self, table: str) -> dict[str, int]:
        """Rejected records of a table by rule, in the order of the rules."""
        if table not in self.rejections:
            return {}
        found = self.rejections[table]["rule"].value_counts()
        return {rule: int(found[rule]) for rule in RULES if rule in found}

    def total(self, table: str, column: str) -> int:
        """Sum of a count ('read', 'kept', 'rejected', 'merged') over a table's files."""
        return int(self.counts[table][column].sum()) if table in self.counts else 0

    def frame(self) -> pd.DataFrame:
        """One row for each rejected record: table, file, row, column, rule."""
        parts = [self.rejections[table].assign(table=table) for table in TABLES if table in self.rejections]
        columns = {"table": "str", "file": "str", "row": "int64", "column": "str", "rule": "str"}
        if not parts:
            return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in columns.items()})
        return pd.concat(parts, ignore_index=True)[list(columns)].astype(columns)

    def summary(self) -> dict[str, Any]:
        """The ledger's totals as plain data, for ``ledger.json``."""
        present = [table for table in TABLES if table in self.counts]
        return {
            "tables": {
                table: {
                    "read": self.total(table, "read"),
                    "kept": self.total(table, "kept"),
                    "rejected": self.rejected_by_rule(table),
                    "merged": self.total(table, "merged"),
                }
                for table in present
            },
            "sources": [
                {"table": table, **{key: int(row[key]) if key != "file" else row[key] for key in row}}
                for table in present
                for row in self.counts[table].to_dict("records")
            ],
            "notes": [
                {"rule": note.rule, "table": note.table, "count": note.count, "text": note.text} for note in self.notes
            ],
        }
