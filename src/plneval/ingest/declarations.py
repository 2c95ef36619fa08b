"""Checks what a cohort declares about its sources against the canonical tables, before any file is opened."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

import pandas as pd

from plneval.config.cohort import Cohort
from plneval.config.sources import Scalar, Source
from plneval.config.yaml_source import Location
from plneval.errors import UserError, did_you_mean
from plneval.ingest.excel import cell_text
from plneval.ingest.places import CohortFile
from plneval.ingest.spells import OBSERVATIONS
from plneval.ingest.tables import CONTRACTS, Table, contract_for
from plneval.ingest.values import parse

Problem = tuple[Location, str]


def contract_of(cohort: Cohort, table: str, source: Source) -> Table:
    """The contract that a source's rows follow: the table's, or that of a status column's observations."""
    return OBSERVATIONS if source.status is not None else contract_for(table, cohort.study.level)


def check_declarations(cohort: Cohort, place: CohortFile) -> dict[tuple[str, int] | None, list[UserError]]:
    """Every mistake in a cohort's sources that shows without their files.

    Returns
    -------
    The errors of each source with mistakes, by table and position; those that belong to no single source under None.
    """
    found: dict[tuple[str, int] | None, list[UserError]] = {}
    for table, sources in cohort.sources.items():
        for position, source in enumerate(sources):
            location = ("sources", table, position)
            errors = [place.error((*location, *key), text) for key, text in _source_problems(cohort, table, source)]
            if errors:
                found[table, position] = errors
    general = [place.error(key, text) for key, text in _cohort_problems(cohort)]
    if general:
        found[None] = general
    return found


def _source_problems(cohort: Cohort, table: str, source: Source) -> Iterator[Problem]:
    contract = contract_of(cohort, table, source)
    yield from _kind_problems(table, source)
    yield from _year_problems(contract, source)
    yield from _column_problems(contract, source)
    yield from _value_problems(contract, source)
    given = _given_columns(source)
    for column in contract.columns:
        if column.required and column.name not in given and column.name != "year":
            # Whom an outcome belongs to depends on the level of the study.
            why = (
                f" (study.level is '{cohort.study.level}')" if table == "outcomes" and column.name != "outcome" else ""
            )
            yield (), f"the table '{table}' needs '{column.name}'{why}; map it under columns."
    if table == "outcomes":
        yield from _outcome_problems(cohort, source, given)


def _kind_problems(table: str, source: Source) -> Iterator[Problem]:
    """Ways of mapping that only one table takes."""
    for key, only in (("outcomes", "outcomes"), ("items", "surveys"), ("status", "memberships")):
        if getattr(source, key) and table != only:
            yield (key,), f"only sources of the table '{only}' take this."
    if source.status is not None and source.keep is not None:
        yield ("keep",), "a school's status of a year must be one; conflicting rows of a status source are rejected."
    if source.outcomes and {"outcome", "score"} & set(source.columns):
        yield ("outcomes",), "outcomes stand either in columns of their own or in the columns outcome and score."
    if source.items and {"item", "response"} & set(source.columns):
        yield ("items",), "items stand either in columns of their own or in the columns item and response."


def _year_problems(contract: Table, source: Source) -> Iterator[Problem]:
    if source.rows is not None:
        return
    for key in ("columns", "constants"):
        if "year" in getattr(source, key):
            yield (key, "year"), "say where the year comes from under 'year:', such as year: {column: NAME}."
    if contract.has_year and source.year is None:
        yield (), f"the table '{contract.name}' has a year for every row; say where it comes from under 'year:'."
    if not contract.has_year and source.year is not None:
        yield ("year",), f"the table '{contract.name}' has no year."


def _column_problems(contract: Table, source: Source) -> Iterator[Problem]:
    """Canonical columns that the table does not have."""
    known = [column.name for column in contract.columns if not column.derived and column.name not in ("year", "status")]
    named: list[Location] = [("columns", name) for name in source.columns]
    named += [("constants", name) for name in source.constants]
    named += [("recode", name) for name in source.recode if name != "year"]
    named += [("rows", i, name) for i, row in enumerate(source.rows or []) for name in row if name != "year"]
    for location in named:
        name = str(location[-1])
        if name in known or name == "year":
            continue
        message = f"the table '{contract.name}' has no column '{name}'.{did_you_mean(name, known)}"
        if not contract.extra_numbers:
            yield location, f"{message} Its columns: {', '.join(known)}."
        elif difflib.get_close_matches(name, known, n=1, cutoff=0.8):
            yield location, f"{message} A column of your own needs a name that is less alike."
        elif not re.fullmatch(r"[a-z][a-z0-9_]{0,59}", name):
            yield location, "a column of your own needs a name of small letters, digits and '_'."
    given = _given_columns(source) | {"year"}
    for name in source.recode:
        if name not in given:
            yield ("recode", name), f"the column '{name}' is recoded and not mapped.{did_you_mean(name, given)}"


def _value_problems(contract: Table, source: Source) -> Iterator[Problem]:
    """Constants, recodes and rows whose values are not of their column's type."""
    values: list[tuple[Location, Scalar]] = [(("constants", name), value) for name, value in source.constants.items()]
    values += [(("recode", name, old), new) for name, table in source.recode.items() for old, new in table.items()]
    values += [(("rows", i, name), value) for i, row in enumerate(source.rows or []) for name, value in row.items()]
    for location, value in values:
        name = str(location[1] if location[0] == "recode" else location[-1])
        column = contract.column(name)
        if column is None or column.derived:
            continue
        # Values of the configuration are written in one way, whatever the files' own way is.
        _, unreadable = parse(pd.Series([cell_text(value)], dtype="str"), column.kind)
        if unreadable.any():
            yield location, f"'{value}' is not a {column.kind}, which the column '{name}' holds."


def _outcome_problems(cohort: Cohort, source: Source, given: set[str]) -> Iterator[Problem]:
    if cohort.study.level == "school" and "pupil_id" in given:
        yield ("columns", "pupil_id"), "study.level is 'school', and these outcomes are of pupils."
    if "score" not in given:
        yield (), "the table 'outcomes' needs 'score'; map it under columns, or name the outcomes under 'outcomes:'."
    name = source.constants.get("outcome")
    if name is not None and name not in cohort.outcomes:
        yield (
            ("constants", "outcome"),
            f"the outcome '{name}' is not declared under outcomes.{did_you_mean(str(name), cohort.outcomes)}",
        )
    for outcome, wide in source.wide_outcomes().items():
        stray = [year for year in wide.years or [] if not cohort.study.first_year <= year <= cohort.study.last_year]
        if stray:
            yield ("outcomes", outcome, "years"), f"{stray[0]} is outside the study years."


def _cohort_problems(cohort: Cohort) -> Iterator[Problem]:
    """Mistakes that lie between sources."""
    for table, sources in cohort.sources.items():
        kept = {source.keep for source in sources if source.status is None}
        if len(kept) > 1:
            yield ("sources", table), "all sources of a table must say the same under 'keep'."
    statuses = [source.status for source in cohort.sources.get("memberships", []) if source.status is not None]
    entries = sorted({status.first_year_entry for status in statuses if status.first_year_entry is not None})
    if len(entries) > 1:
        yield ("sources", "memberships"), f"first_year_entry is given as {entries[0]} and as {entries[1]}; keep one."
    pupils = CONTRACTS["pupils"]
    free = [column.name for column in pupils.columns if not column.key]
    for position, name in enumerate(cohort.design.pupil_identity):
        location: Location = ("design", "pupil_identity", position)
        if name not in free:
            yield location, f"the table 'pupils' has no column '{name}' beside its key.{did_you_mean(name, free)}"
        for source in cohort.sources.get("pupils", []):
            if name in free and name not in _given_columns(source):
                yield location, f"a source of the table 'pupils' does not map '{name}'."


def _given_columns(source: Source) -> set[str]:
    """Canonical columns that a source gives to every record."""
    given = set(source.columns) | set(source.constants)
    if source.rows is not None:
        given |= set.intersection(*(set(row) for row in source.rows)) if source.rows else set()
    if source.outcomes:
        given |= {"outcome", "score"}
    if source.items:
        given |= {"item", "response"}
    return given
