"""What may stand in a column of words: known words, labels from the configuration, sentences of the program.

A value of the raw data, such as the name of a school, must not reach a released table through a column of words.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

import pandas as pd

from plneval.config.cohort import Cohort
from plneval.config.models import ModelSpec
from plneval.config.sources import TABLES as CANONICAL
from plneval.errors import UserError
from plneval.release.door_types import Kind

PSEUDONYM: Final = re.compile(r"(?<![0-9A-Za-z])[a-z]?_?[0-9a-f]{16}(?![0-9A-Za-z])")
"""An identifier as ingest writes it: the kind's letter and 16 hexadecimal digits."""
NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]*")
TERM: Final = re.compile(r"[A-Za-z0-9_.,:()\[\]|*\- ]*")
DIGEST: Final = re.compile(r"(?:[0-9a-f]{64})?")
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
LONGEST: Final = 2000


def vocabularies(cohort: Cohort, name: str, specs: Mapping[str, ModelSpec]) -> dict[str, frozenset[str]]:
    """Allowed words by column, for columns of kind ``word``."""
    years = {str(year) for year in range(cohort.study.first_year - 50, cohort.study.last_year + 51)}
    subgroups = {"all", "disadvantaged", "not_disadvantaged", "gap"}
    return {
        "unit": frozenset({"schools", "pupils", "scores"}),
        "arm": frozenset({"member", "comparison", "all"}),
        "outcome": frozenset({"", *cohort.outcomes}),
        "table": frozenset({"", *CANONICAL}),
        "subgroup": frozenset(subgroups),
        "group": frozenset({"member", "comparison", *years}),
        "cohort": frozenset({name}),
        "model": frozenset(specs),
        "role": frozenset({"confirmatory", "secondary", "exploratory"}),
        "result": frozenset({"pass", "caution", "fail"}),
        "status": frozenset({"verified", "recall", "declared", "own", "chosen"}),
    }


def check_words(
    table: str,
    column: str,
    kind: Kind,
    values: pd.Series,
    allowed: Mapping[str, frozenset[str]],
    names: Collection[str],
) -> None:
    """Refuse a column of words that holds what must not leave.

    Parameters
    ----------
    allowed : vocabularies by column (:func:`vocabularies`).
    names : names of schools in the raw data, which no released text may hold.

    Raises
    ------
    UserError
        Naming the table, the column and the row. The value is not repeated: it may be what must not leave.
    """
    for row, value in enumerate(values):
        if pd.isna(value):
            continue
        problem = _problem(column, kind, str(value), allowed, names)
        if problem:
            raise UserError(
                f"release: {table}.{column}, row {row + 1}: {problem}; nothing was released. "
                "The stage that wrote this table lets a value of the raw data through."
            )


def _problem(column: str, kind: Kind, value: str, allowed: Mapping[str, frozenset[str]], names: Collection[str]) -> str:
    pattern = {"name": NAME, "term": TERM, "digest": DIGEST}.get(kind)
    if kind == "word" and value not in allowed[column]:
        return "a word that is not in the column's vocabulary"
    if pattern is not None and value and not pattern.fullmatch(value):
        return f"not a {kind} as the program writes it"
    if PSEUDONYM.search(value):
        return "an identifier"
    if kind in ("text", "term", "category", "name") and any(name in value for name in names):
        return "the name of a school"
    if len(value) > LONGEST or CONTROL.search(value):
        return f"text with control characters or of more than {LONGEST} characters"
    return ""
