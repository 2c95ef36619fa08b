"""From a raw file's cells to records of a canonical table: columns, constants, missing codes, recodes, wide to long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval.config.cohort import Cohort
from plneval.config.sources import Columns, Scalar, Source, WideOutcome, column_names
from plneval.config.yaml_source import Location
from plneval.errors import UserError, UserErrors, did_you_mean
from plneval.ingest.excel import cell_text
from plneval.ingest.places import CohortFile
from plneval.ingest.raw import RawTable, tidy_name
from plneval.ingest.records import Records, together
from plneval.ingest.tables import Column, Table
from plneval.ingest.values import parse
from plneval.ingest.years import file_year


@dataclass(frozen=True)
class SourcePlace:
    """One source of a table, and where it is declared.

    Attributes
    ----------
    contract : the table that its rows become.
    location : key path of the source in the cohort's file.
    """

    source: Source
    contract: Table
    cohort: Cohort
    file: CohortFile
    location: Location

    def error(self, key: Location, message: str) -> UserError:
        """An error at a key of this source."""
        return self.file.error((*self.location, *key), message)

    @property
    def missing(self) -> frozenset[str]:
        """Texts that mean missing in this source's files."""
        codes: list[Scalar] = [*self.cohort.data.missing, *self.source.missing]
        # A number that means missing is also recognised as it looks with decimals (-9, -9.0, -9.00).
        decimals = [f"{code}{zeros}" for code in codes if isinstance(code, int) for zeros in (".0", ".00")]
        return frozenset([*(cell_text(code).strip() for code in codes), *decimals])


def wanted_columns(source: Source) -> frozenset[str]:
    """Every raw column name that a source may need."""
    names: list[Columns | None] = [*source.columns.values(), *source.items.values()]
    for wide in source.wide_outcomes().values():
        names += [wide.score, wide.n, wide.sd]
    names += [source.year.column if source.year else None, source.status.column if source.status else None]
    return frozenset(tidy_name(name) for columns in names if columns is not None for name in column_names(columns))


def map_file(raw: RawTable, name: str, place: SourcePlace) -> Records:
    """Map one raw file to records of its canonical table.

    Cells that hold a code for missing become missing, then recodes apply, then texts are read as the columns' types.
    Where the source is wide, a row becomes one record for each outcome or item that is read in the row's year.
    Records without a key column are rejected by ``missing_key``, unreadable values by ``bad_type``.

    Raises
    ------
    UserErrors
        With one line for each mapped column that the file does not have, and for a year that cannot be found.
    """
    return _FileMapping(raw, name, place).records()


class _FileMapping:
    """The mapping of one file: finds its columns, and notes every problem before it gives up."""

    def __init__(self, raw: RawTable, name: str, place: SourcePlace) -> None:
        self.raw, self.name, self.place = raw, name, place
        self.source, self.contract = place.source, place.contract
        self.length = len(raw.rows)
        self.problems: list[UserError] = []

    def records(self) -> Records:
        base = {column: self.cells(raw, ("columns", column)) for column, raw in self.source.columns.items()}
        base |= {column: self.constant(value) for column, value in self.source.constants.items()}
        if self.source.status is not None:
            base["status"] = self.cells(self.source.status.column, ("status", "column"))
        years = self.years()
        blocks = self.blocks(years)
        if self.problems:
            raise UserErrors(self.problems)
        parts = [self.typed(base | block, years, rows) for block, rows in blocks]
        records = together(parts) if parts else self.typed(base, years, np.zeros(0, dtype=np.int64))
        records.bad_rows = [(0, number) for number in self.raw.bad_rows]
        return records

    def blocks(self, years: tuple[pd.Series, npt.NDArray[np.bool_]] | None) -> list[tuple[dict[str, pd.Series], Rows]]:
        """The wide columns as blocks of records: their own texts, and the rows that they are read in."""
        every = np.arange(self.length)
        if self.source.items:
            return [
                ({"item": self.constant(item), "response": self.cells(raw, ("items", item))}, every)
                for item, raw in self.source.items.items()
            ]
        if not self.source.outcomes:
            return [({}, every)]
        blocks = []
        for outcome, wide in self.source.wide_outcomes().items():
            rows = every
            if wide.years is not None and years is not None:
                values, _ = years
                rows = every[values.isin(wide.years).to_numpy(dtype=bool) | values.isna().to_numpy(dtype=bool)]
            # A file without a row of these years need not have the column.
            if len(rows):
                blocks.append((self.outcome_block(outcome, wide), rows))
        return blocks

    def outcome_block(self, outcome: str, wide: WideOutcome) -> dict[str, pd.Series]:
        short = not isinstance(self.source.outcomes[outcome], WideOutcome)
        block = {"outcome": self.constant(outcome)}
        for column, raw in (("score", wide.score), ("n", wide.n), ("sd", wide.sd)):
            if raw is not None:
                cells = self.cells(raw, ("outcomes", outcome) if short else ("outcomes", outcome, column))
                block[column] = recoded(cells, wide.recode) if column == "score" else cells
        return block

    def cells(self, columns: Columns, key: Location) -> pd.Series:
        """The texts of a mapped column, missing codes made missing; notes a problem where there is not exactly one."""
        names = [tidy_name(name) for name in column_names(columns)]
        header = self.raw.header
        found = [name for name in names if name in header]
        if len(found) == 1 and header.count(found[0]) == 1:
            text = self.raw.cells[found[0]]
            return text.where((text != "") & ~text.isin(self.place.missing))
        if not found:
            message = self.not_found(names)
        elif len(found) > 1:
            message = f"{self.name} has {' and '.join(repr(name) for name in found)}; one of them must be chosen."
        else:
            message = (
                f"the column '{found[0]}' stands {header.count(found[0])} times in {self.name}; "
                f"give the columns names of their own there."
            )
        self.problems.append(self.place.error(key, message))
        return self.constant(None)

    def not_found(self, names: list[str]) -> str:
        """What to say about a mapped column that the file does not have."""
        had = [name for name in dict.fromkeys(self.raw.header) if name]
        asked = " or ".join(f"'{name}'" for name in names)
        if not set(had) & wanted_columns(self.source):
            # A number among the names makes the row one of data, of which nothing is shown; and what looks like an
            # identifier is shown in no case.
            if any(name.replace(".", "", 1).isdigit() for name in had):
                return (
                    f"no column {asked} in {self.name}, nor any other that is mapped; row {self.source.header_row} "
                    "looks like data, not like column names. Are header_row and delimiter right?"
                )
            had = [name for name in had if not any(sign.isdigit() for sign in name)]
            return (
                f"no column {asked} in {self.name}, nor any other that is mapped; row {self.source.header_row} has "
                f"{_listed(had)}.{did_you_mean(names[0], had)} Are header_row and delimiter right?"
            )
        return f"no column {asked} in {self.name}; it has {_listed(had)}.{did_you_mean(names[0], had)}"

    def constant(self, value: Scalar | None) -> pd.Series:
        one = pd.Series([None if value is None else cell_text(value)], dtype="str")
        return pd.Series(one.array.take(np.zeros(self.length, dtype=np.int64)))

    def years(self) -> tuple[pd.Series, npt.NDArray[np.bool_]] | None:
        """Study year of every row, and which of them cannot be read; None for tables without a year."""
        rule = self.source.year
        if rule is None:
            return None
        if rule.column is not None:
            text = self.cells(rule.column, ("year", "column"))
            values, unreadable = parse(recoded(text, self.source.recode.get("year", {})), "year")
            return values + rule.offset, unreadable
        try:
            year = file_year(rule, self.name)
        except UserError as error:
            key = "by_file" if rule.by_file is not None else "file_name"
            self.problems.append(self.place.error(("year", key), str(error)))
            year = None
        return pd.Series([year] * self.length, dtype="Int64"), np.zeros(self.length, dtype=bool)

    def typed(
        self, texts: dict[str, pd.Series], years: tuple[pd.Series, npt.NDArray[np.bool_]] | None, rows: Rows
    ) -> Records:
        """Records of some rows, every column of the contract typed; unreadable and missing ones rejected."""
        names = [column.name for column in self.contract.columns]
        columns = [*self.contract.columns, *(_extra(self.contract, name) for name in texts if name not in names)]
        # A column of every row and a choice of rows are the same object where all rows are meant: no copy then.
        whole = len(rows) == self.length
        frame: dict[str, pd.Series] = {}
        unreadable: dict[str, npt.NDArray[np.bool_]] = {}
        for column in columns:
            if column.name == "year" and years is not None:
                values, bad = years
                frame["year"] = values if whole else values.iloc[rows].reset_index(drop=True)
                unreadable["year"] = bad if whole else bad[rows]
            elif column.name in texts:
                text = texts[column.name] if whole else texts[column.name].iloc[rows].reset_index(drop=True)
                text = recoded(text, self.source.recode.get(column.name, {}))
                frame[column.name], unreadable[column.name] = parse(
                    text, column.kind, self.source.dates, self.source.decimal
                )
            else:
                frame[column.name] = absent_column(column, len(rows))
        records = Records.of_file(pd.DataFrame(frame), self.name, self.raw.rows if whole else self.raw.rows[rows])
        return reject_untyped(records, columns, unreadable)


Rows = npt.NDArray[np.int64]


def _extra(contract: Table, name: str) -> Column:
    column = contract.column(name)
    if column is None:
        raise KeyError(name)
    return column


def absent_column(column: Column, length: int) -> pd.Series:
    """A column that a source does not give: missing in every row (False where it is yes or no)."""
    if column.kind == "bool":
        return pd.Series(np.zeros(length, dtype=bool))
    return pd.Series(index=range(length), dtype=column.dtype)


def reject_untyped(
    records: Records, columns: Sequence[Column], unreadable: dict[str, npt.NDArray[np.bool_]]
) -> Records:
    """Reject records that lack a required value (``missing_key``) or hold an unreadable one (``bad_type``)."""
    for column in columns:
        if column.required:
            absent = records.frame[column.name].isna().to_numpy(dtype=bool)
            bad = unreadable.get(column.name)
            records.reject(absent & ~bad if bad is not None else absent, column.name, "missing_key")
    for column in columns:
        if column.name in unreadable:
            records.reject(unreadable[column.name], column.name, "bad_type")
    return records


def recoded(text: pd.Series, recode: dict[str, Scalar] | dict[str, float]) -> pd.Series:
    """Texts with those that the recode lists replaced; the others stay."""
    if not recode:
        return text
    codes, distinct = pd.factorize(text)
    table = {old.strip(): cell_text(new) for old, new in recode.items()}
    renamed = pd.Series([*(table.get(one, one) for one in distinct), None], dtype="str")
    return pd.Series(renamed.array.take(codes), index=text.index)


def _listed(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown or "no column names"
