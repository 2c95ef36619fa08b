"""Opens every file of a cohort and maps it, and gathers all mistakes of the configuration before it gives up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from plneval.artifacts import digest_file, digest_json
from plneval.config.cohort import Cohort
from plneval.config.sources import Source
from plneval.errors import UserError, UserErrors, did_you_mean
from plneval.ingest.declarations import check_declarations, contract_of
from plneval.ingest.excel import cell_text
from plneval.ingest.files import find, shown
from plneval.ingest.mapping import SourcePlace, absent_column, map_file, reject_untyped, wanted_columns
from plneval.ingest.places import CohortFile
from plneval.ingest.readers import read
from plneval.ingest.records import Records, together
from plneval.ingest.tables import Column
from plneval.ingest.values import parse


@dataclass
class Reading:
    """Reads a cohort's sources, table by table.

    Attributes
    ----------
    files : what was read: table, source, file, digest, bytes, rows, format and details.
    detected : files of each table whose encoding was detected, by table and encoding.
    """

    cohort: Cohort
    folder: Path
    place: CohortFile
    files: list[dict[str, Any]] = field(default_factory=list)
    detected: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    _first: dict[str, str] = field(default_factory=dict)
    _files: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.found, missing = find(self.cohort, self.folder, self.place)
        declared = check_declarations(self.cohort, self.place)
        self.problems: list[UserError] = [*(error for errors in declared.values() for error in errors), *missing]
        self._faulty = set(declared)

    def give_up_on_problems(self) -> None:
        """Raise all mistakes found so far as one error."""
        if self.problems:
            raise UserErrors(dict.fromkeys(self._with_other_files(str(problem)) for problem in self.problems))

    def _note(self, problems: list[str], name: str) -> None:
        """Note mistakes that a file showed. One that files of other years show too is told once, of the first."""
        for text in problems:
            without_name = text.replace(name, "*")
            if without_name not in self._first:
                self._first[without_name] = text
                self.problems.append(UserError(text))
            self._files.setdefault(self._first[without_name], []).append(name)

    def _with_other_files(self, text: str) -> str:
        others = self._files.get(text, [])[1:]
        if not others:
            return text
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        return f"{text} The same in {', '.join(others[:3])}{more}."

    def records(self, table: str) -> list[tuple[Source, int, Records]]:
        """Records of every source of a table, in order; sources with mistakes are left out and their mistakes noted."""
        result = []
        for position, source in enumerate(self.cohort.sources.get(table, [])):
            if (table, position) in self._faulty:
                continue
            location = ("sources", table, position)
            place = SourcePlace(source, contract_of(self.cohort, table, source), self.cohort, self.place, location)
            parts = list(self._parts(table, position, place))
            if parts:
                result.append((source, position, together(parts)))
        return result

    def _parts(self, table: str, position: int, place: SourcePlace) -> Iterator[Records]:
        if place.source.rows is not None:
            yield self._written_rows(table, position, place)
            return
        paths = dict(self.found.get(table, [])).get(position, [])
        self._check_named_files(paths, place)
        wanted = wanted_columns(place.source)
        for path in paths:
            name = shown(path, self.folder)
            try:
                raw = read(path, name, place.source, wanted)
                records = map_file(raw, name, place)
            except UserErrors as errors:
                self._note(errors.problems, name)
                continue
            except UserError as error:
                self._note([str(place.error(("files",), str(error)))], name)
                continue
            if raw.detected:
                self.detected.setdefault((table, raw.detected), []).append(name)
            entry = {"table": table, "source": position, "file": name, "format": raw.format, **dict(raw.detail)}
            entry |= {"rows": len(raw.rows) + len(raw.bad_rows), "bytes": path.stat().st_size}
            self.files.append(entry | {"digest": digest_file(path)})
            yield records

    def _check_named_files(self, paths: list[Path], place: SourcePlace) -> None:
        """A year that is given for a file that is not there is a mistyped name."""
        rule = place.source.year
        names = {name for path in paths for name in (path.name, shown(path, self.folder))}
        for name in (rule.by_file or {}) if rule else {}:
            if paths and name not in names:
                message = f"no file of this source is called '{name}'.{did_you_mean(name, names)}"
                self.problems.append(place.error(("year", "by_file", name), message))

    def _written_rows(self, table: str, position: int, place: SourcePlace) -> Records:
        """Records of rows that are written in the configuration."""
        rows = place.source.rows or []
        contract = place.contract
        columns: list[Column] = list(contract.columns)
        known = {column.name for column in columns}
        for name in sorted({name for row in rows for name in row} - known):
            column = contract.column(name)
            if column is not None:
                columns.append(column)
        frame: dict[str, pd.Series] = {}
        for column in columns:
            if column.derived:
                frame[column.name] = absent_column(column, len(rows))
                continue
            values = [row.get(column.name, place.source.constants.get(column.name)) for row in rows]
            text = pd.Series([np.nan if value is None else cell_text(value) for value in values], dtype="str")
            frame[column.name] = parse(text, column.kind)[0]
        name = self.place.path.as_posix()
        self.files.append(
            {
                "table": table,
                "source": position,
                "file": name,
                "format": "rows",
                "rows": len(rows),
                "digest": digest_json(rows),
            }
        )
        numbers = np.arange(1, len(rows) + 1, dtype=np.int64)
        return reject_untyped(Records.of_file(pd.DataFrame(frame), name, numbers), columns, {})
