"""How raw files are named, read and mapped to the canonical tables."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, StrictFloat, StrictInt, StrictStr, field_validator, model_validator

from plneval.config.base import Section

Scalar = StrictStr | StrictInt | StrictFloat
Columns = str | list[str]
"""A raw column, or several names of which exactly one stands in each file."""

TABLES = (
    "schools",
    "school_years",
    "networks",
    "memberships",
    "activity",
    "teachers",
    "pupils",
    "outcomes",
    "teaching",
    "surveys",
    "ties",
    "products",
    "other_memberships",
)
"""The canonical tables, in the order in which they are read (a table refers only to tables before it).

Append only: the planted errors of a made-up study draw from a stream by a table's place.
"""


class YearRule(Section):
    """Where a row's study year comes from: exactly one of file_name, column, value or by_file.

    Study years are the calendar years in which the school year ends: 2018-19 is 2019.
    """

    file_name: str | None = None
    """A regular expression with one group of 2 or 4 digits that is searched in the file's name."""
    column: Columns | None = None
    """A column that holds the year: 2019, 2018-19, 2018/19 and 2018/2019 are read as 2019."""
    value: int | None = None
    """One year for all rows."""
    by_file: dict[str, int] | None = None
    """A year for each file name."""
    offset: int = Field(default=0, ge=-10, le=10)
    """Added to the year found, where files are labelled later or earlier than the year that they describe."""

    @field_validator("file_name")
    @classmethod
    def _one_group(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                groups = re.compile(pattern).groups
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}.") from None
            if groups != 1:
                raise ValueError(f"the pattern needs exactly one group in brackets for the year; it has {groups}.")
        return pattern

    @model_validator(mode="after")
    def _exactly_one(self) -> YearRule:
        given = [name for name in ("file_name", "column", "value", "by_file") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"give exactly one of file_name, column, value, by_file; found {', '.join(given) or 'none'}."
            )
        return self


class WideOutcome(Section):
    """One outcome that stands in columns of its own."""

    score: Columns
    """Column of the score."""
    n: Columns | None = None
    """School-level data: column of the number of pupils behind the score."""
    sd: Columns | None = None
    """School-level data: column of the pupils' standard deviation."""
    recode: dict[str, float] = {}
    """Words to numbers, such as ratings in order."""
    years: list[int] | None = None
    """Study years in which the column is read; all when left out."""


class StatusColumn(Section):
    """Membership as a status column per year, turned into dated spells.

    A school that carries a member value in consecutive observed years forms one spell. Years between two observed
    member years that no file covers count as membership.
    """

    column: Columns
    """Column that holds the status."""
    members: dict[str, str]
    """Status value to network_id."""
    first_year_entry: int | None = None
    """Study year in which schools that are members in the first file are taken to have entered; without it their entry
    is unknown and they count as left-censored."""


class Source(Section):
    """Files of one shape, and how their columns become a canonical table's columns."""

    files: str | list[str] | None = None
    """File names or glob patterns within the cohort's data folder."""
    rows: list[dict[str, Scalar]] | None = None
    """Rows written here instead of files, each canonical column to value: for short registers such as the networks."""
    format: Literal["auto", "csv", "tsv", "parquet", "excel"] = "auto"
    """Format; auto goes by the ending (.csv, .tsv, .txt, with .gz; .parquet; .xls, .xlsx)."""
    encoding: str | None = None
    """Text encoding such as utf-8 or cp1252; detected when left out."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """Column separator of text files; detected when left out."""
    sheet: str | int | None = None
    """Excel sheet, by name or position from 1; the first when left out."""
    header_row: int = Field(default=1, ge=1)
    """Row that holds the column names, from 1."""
    dates: Literal["iso", "day_first", "month_first"] = "iso"
    """Order of the parts of dates: 2019-09-01 and 01.09.2019 are always read, 01/09/2019 when its order is said."""
    decimal: Literal[".", ","] = "."
    """Sign between whole and decimal part of numbers in text."""
    keep: Literal["first", "last"] | None = None
    """Where a key stands more than once with different content: the record that is kept, in the order of sources, files
    (by name) and rows; the others are merged into it and counted. Without it all of them are rejected."""
    year: YearRule | None = None
    """Where the study year comes from; only tables with a year take it."""
    columns: dict[str, Columns] = {}
    """Canonical column to raw column."""
    constants: dict[str, Scalar] = {}
    """Canonical column to one value for every row."""
    missing: list[Scalar] = []
    """Texts that mean missing in these files, in addition to the cohort's."""
    recode: dict[str, dict[str, Scalar]] = {}
    """Canonical column to its recoding, raw text to value; a text that is not listed stays."""
    outcomes: dict[str, WideOutcome | Columns] = {}
    """Outcomes tables only: outcomes that stand in columns of their own (wide to long)."""
    items: dict[str, Columns] = {}
    """Surveys tables only: items that stand in columns of their own (wide to long)."""
    status: StatusColumn | None = None
    """Memberships tables only: status column per year."""

    @model_validator(mode="before")
    @classmethod
    def _columns_are_given(cls, value: Any) -> Any:
        if isinstance(value, dict) and not (value.get("columns") or value.get("constants") or value.get("rows")):
            raise ValueError("give columns: canonical column to raw column.")
        return value

    @model_validator(mode="after")
    def _files_or_rows(self) -> Source:
        if (self.files is None) == (self.rows is None):
            raise ValueError("give exactly one of files and rows.")
        if self.rows is not None:
            stray = sorted(self.model_fields_set - {"rows", "constants"})
            if stray:
                raise ValueError(f"{stray[0]} says how files are read; rows written here do not take it.")
        elif not self.patterns:
            raise ValueError("files: give at least one file name or pattern.")
        return self

    @model_validator(mode="after")
    def _each_column_once(self) -> Source:
        both = sorted(set(self.columns) & set(self.constants))
        if both:
            raise ValueError(f"{', '.join(both)} stands under columns and under constants; keep one.")
        return self

    @property
    def patterns(self) -> list[str]:
        """The file patterns as a list; empty where rows are written in place of files."""
        if self.files is None:
            return []
        return [self.files] if isinstance(self.files, str) else list(self.files)

    def wide_outcomes(self) -> dict[str, WideOutcome]:
        """The wide outcomes, the short form ``maths: COLUMN`` written out."""
        return {
            name: spec if isinstance(spec, WideOutcome) else WideOutcome(score=spec)
            for name, spec in self.outcomes.items()
        }


def column_names(columns: Columns) -> list[str]:
    """The raw names that a mapping allows, as a list."""
    return [columns] if isinstance(columns, str) else list(columns)
