"""The canonical tables: columns, types, keys, ranges and references, and the pandera contracts made from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import pandas as pd

from plneval.config.sources import TABLES

Kind = Literal["school", "network", "pupil", "teacher", "respondent", "word", "number", "year", "date", "flag", "bool"]
"""What a column holds: an identifier of some kind, a word, a number, a study year, a date, a 0/1 indicator."""

IDENTIFIERS: tuple[Kind, ...] = ("school", "network", "pupil", "teacher", "respondent")
DTYPES: dict[Kind, str] = {
    **dict.fromkeys(IDENTIFIERS, "str"),
    "word": "str",
    "number": "float64",
    "year": "Int64",
    "date": "datetime64[us]",
    "flag": "float64",
    "bool": "bool",
}


@dataclass(frozen=True)
class Column:
    """One column of a canonical table.

    Attributes
    ----------
    name, kind : the canonical name and what the column holds.
    required : whether a record without it is rejected (``missing_key``) and a source must give it.
    key : whether it belongs to the table's key.
    minimum, maximum : the range outside which a record is rejected (``out_of_range``).
    derived : made by ingest itself; no source maps it.
    """

    name: str
    kind: Kind
    required: bool = False
    key: bool = False
    minimum: float | None = None
    maximum: float | None = None
    derived: bool = False

    @property
    def dtype(self) -> str:
        return DTYPES[self.kind]


@dataclass(frozen=True)
class Table:
    """A canonical table's contract.

    Attributes
    ----------
    columns : in the order in which they are written.
    registers : columns whose identifier must stand in a register (the table of that kind), where it is not missing.
    extra_numbers : whether a cohort may add further numeric columns of its own.
    """

    name: str
    columns: tuple[Column, ...]
    registers: tuple[str, ...] = ()
    extra_numbers: bool = False

    @property
    def key(self) -> list[str]:
        return [column.name for column in self.columns if column.key]

    @property
    def has_year(self) -> bool:
        return any(column.name == "year" for column in self.columns)

    def column(self, name: str) -> Column | None:
        """A column by name; a further numeric one where the table takes them; None where there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        return Column(name, "number") if self.extra_numbers else None


def _key(name: str, kind: Kind, required: bool = True) -> Column:
    return Column(name, kind, required=required, key=True)


YEAR = _key("year", "year")
SCHOOL = _key("school_id", "school")

CONTRACTS: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "schools",
            (
                SCHOOL,
                Column("name", "word"),
                Column("area", "word"),
                Column("phase", "word"),
                Column("latitude", "number", minimum=-90, maximum=90),
                Column("longitude", "number", minimum=-180, maximum=180),
            ),
        ),
        Table(
            "school_years",
            (
                SCHOOL,
                YEAR,
                Column("enrolment", "number", minimum=0),
                Column("n_teachers", "number", minimum=0),
                Column("deprivation", "number"),
            ),
            registers=("school_id",),
            extra_numbers=True,
        ),
        Table(
            "networks",
            (
                _key("network_id", "network"),
                *(Column(name, "word") for name in ("name", "type", "focus", "composition", "lead", "partner")),
                Column("started", "year"),
                Column("ended", "year"),
            ),
        ),
        Table(
            "memberships",
            (
                _key("network_id", "network"),
                SCHOOL,
                _key("teacher_id", "teacher", required=False),
                _key("joined", "date"),
                Column("left", "date"),
                Column("role", "word"),
                Column("entry_unknown", "bool", derived=True),
            ),
            registers=("network_id", "school_id", "teacher_id"),
        ),
        Table(
            "activity",
            (
                _key("network_id", "network"),
                _key("event_id", "word"),
                _key("school_id", "school", required=False),
                _key("teacher_id", "teacher", required=False),
                Column("date", "date"),
                Column("hours", "number", minimum=0),
            ),
            registers=("network_id", "school_id", "teacher_id"),
        ),
        Table(
            "teachers",
            (_key("teacher_id", "teacher"), YEAR, Column("school_id", "school", required=True), Column("role", "word")),
            registers=("school_id",),
        ),
        Table(
            "pupils",
            (
                _key("pupil_id", "pupil"),
                YEAR,
                Column("school_id", "school", required=True),
                Column("grade", "word"),
                Column("disadvantaged", "flag"),
                Column("gender", "word"),
                Column("birth", "word"),
            ),
            registers=("school_id",),
        ),
        Table(
            "outcomes",
            (
                _key("pupil_id", "pupil", required=False),
                _key("school_id", "school", required=False),
                YEAR,
                _key("outcome", "word"),
                _key("grade", "word", required=False),
                _key("subgroup", "word", required=False),
                Column("score", "number"),
                Column("n", "number", minimum=0),
                Column("sd", "number", minimum=0),
            ),
            registers=("pupil_id", "school_id"),
        ),
        Table(
            "teaching",
            (
                _key("pupil_id", "pupil"),
                YEAR,
                _key("subject", "word"),
                _key("teacher_id", "teacher"),
                Column("share", "number", minimum=0, maximum=1),
            ),
            registers=("pupil_id", "teacher_id"),
        ),
        Table(
            "surveys",
            (
                _key("respondent_id", "respondent"),
                _key("instrument", "word"),
                _key("wave", "word"),
                _key("item", "word"),
                Column("date", "date"),
                Column("school_id", "school"),
                Column("network_id", "network"),
                Column("teacher_id", "teacher"),
                Column("role", "word"),
                Column("response", "number"),
            ),
            registers=("school_id", "network_id", "teacher_id"),
        ),
        Table(
            "ties",
            (
                _key("wave", "word"),
                _key("source", "teacher"),
                _key("target", "teacher"),
                Column("type", "word"),
                Column("strength", "number"),
            ),
        ),
        Table(
            "products",
            (
                _key("network_id", "network"),
                _key("product_id", "word"),
                YEAR,
                Column("kind", "word"),
                Column("used", "flag"),
                Column("improved", "flag"),
            ),
            registers=("network_id",),
        ),
        Table(
            "other_memberships",
            (SCHOOL, _key("programme", "word"), _key("joined", "date"), Column("left", "date")),
            registers=("school_id",),
        ),
    )
}
"""The contract of every canonical table.

A tie joins two teachers and may lead to one outside the register, so ``ties`` refers to no register; its ``source`` and
``target`` share the teachers' identifiers. ``other_memberships`` are spells in networks or programmes that are not the
evaluated one; these stand in no register.
"""


def contract_for(table: str, level: Literal["pupil", "school"]) -> Table:
    """A table's contract in a study: an outcome needs its pupil, or in a school-level study its school."""
    contract = CONTRACTS[table]
    if table != "outcomes":
        return contract
    needed = "pupil_id" if level == "pupil" else "school_id"
    columns = tuple(replace(column, required=True) if column.name == needed else column for column in contract.columns)
    return replace(contract, columns=columns)


READING_ORDER = (
    "schools",
    "networks",
    "teachers",
    *(t for t in TABLES if t not in ("schools", "networks", "teachers")),
)
"""The order in which tables are checked: a table refers only to tables before it."""


def empty_table(contract: Table) -> pd.DataFrame:
    """A table without rows, typed as the contract says."""
    return pd.DataFrame({column.name: pd.Series(dtype=column.dtype) for column in contract.columns})


def schema(contract: Table, extra: tuple[str, ...] = ()) -> Any:
    """The pandera schema of a canonical table as it is written.

    Parameters
    ----------
    contract : the table's contract.
    extra : further numeric columns of the cohort's own.

    Returns
    -------
    A ``pandera.pandas.DataFrameSchema``: exactly these columns in this order, their types, no missing value where the
    column is required, values within ranges, and a unique key.
    """
    import pandera.pandas as pa

    columns = {}
    for column in (*contract.columns, *(Column(name, "number") for name in extra)):
        checks = []
        if column.minimum is not None:
            checks.append(pa.Check.ge(column.minimum))
        if column.maximum is not None:
            checks.append(pa.Check.le(column.maximum))
        if column.kind == "flag":
            checks.append(pa.Check.isin([0, 1]))
        columns[column.name] = pa.Column(column.dtype, checks, nullable=not column.required, coerce=False)
    return pa.DataFrameSchema(columns, strict=True, ordered=True, unique=contract.key, name=contract.name)


def fulfil(frame: pd.DataFrame, contract: Table) -> None:
    """Check that a table fulfils its contract before it is written.

    Raises
    ------
    RuntimeError
        Naming the table's columns and what they break, without their values, which may be identifiers. It means a
        mistake of the program: wrong data have been rejected by then.
    """
    import pandera.errors

    own = {column.name for column in contract.columns}
    extra = tuple(str(name) for name in frame.columns if name not in own) if contract.extra_numbers else ()
    try:
        schema(contract, extra).validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        cases = error.failure_cases[["column", "check"]].astype(str).drop_duplicates()
        broken = "; ".join(f"{column}: {check}" for column, check in cases.itertuples(index=False))
        raise RuntimeError(f"the table '{contract.name}' breaks its contract: {broken}") from None
