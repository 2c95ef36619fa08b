"""The last look at a finished release before it is shown: typed cells are read again from the files and checked.

It knows what each column holds (:mod:`plneval.release.door`) and the rule, and shares nothing with the code that
applied it. Prose is not searched for numbers ("3 years" is no count); it is searched for identifiers.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from plneval.artifacts import read_table
from plneval.config.cohort import Cohort
from plneval.config.report import Disclosure
from plneval.errors import UserErrors
from plneval.release.control import people_rows
from plneval.release.door import TABLES
from plneval.release.words import PSEUDONYM

EXTRA = {"records": ("withheld",)}
"""Columns that disclosure control itself adds, beside the ``_suppressed`` marks."""


def scan(folder: Path, cohort: Cohort, rule: Disclosure) -> None:
    """Check every file of a release folder.

    Raises
    ------
    UserErrors
        One line for each violation; the value is not repeated.
    """
    problems = [
        problem
        for table in TABLES
        for problem in _table_problems(table, read_table(folder / f"{table}.parquet"), cohort, rule)
    ]
    for path in sorted(folder.iterdir()):
        problems += list(_text_problems(path))
    problems += list(_headline_problems(folder, rule))
    if problems:
        raise UserErrors(f"release: {problem}; nothing was released." for problem in problems)


def _table_problems(table: str, frame: pd.DataFrame, cohort: Cohort, rule: Disclosure) -> Iterator[str]:
    columns = TABLES[table].columns
    marks = {f"{column}_suppressed" for column in columns}
    for column in frame.columns:
        if column not in columns and column not in marks and column not in EXTRA.get(table, ()):
            yield f"{table}.{column} is not on the list of what may leave"
    for column, kind in columns.items():
        if kind == "people":
            rows = people_rows(table, column, frame, cohort)
            counts = frame.loc[rows & frame[column].notna(), column]
            for row, count in counts.items():
                problem = _count_problem(int(count), rule)
                if problem:
                    yield f"{table}.{column}, row {row}: {problem}"
        mark = f"{column}_suppressed"
        if mark in frame and (frame[mark].astype(bool) & frame[column].notna()).any():
            yield f"{table}.{column} holds a value that is marked as suppressed"
    for statistics in TABLES[table].statistics:
        fewest = max(rule.minimum_schools, statistics.fewest)
        for schools in statistics.schools:
            few = frame[schools].lt(fewest).fillna(False).astype(bool)
            shown = frame[list(statistics.columns)].notna().any(axis=1)
            if (few & shown).any():
                yield f"{table}: a result rests on fewer than {fewest} schools"


def _count_problem(count: int, rule: Disclosure) -> str:
    if count < 0 or count % rule.round_to:
        return f"a count of people that is no multiple of {rule.round_to}"
    # Rounding carries the minimum itself to this multiple; nothing smaller can be the rounded value of a shown count.
    smallest = max(rule.round_to, rule.round_to * ((2 * rule.minimum_count + rule.round_to) // (2 * rule.round_to)))
    if 0 < count < smallest:
        return f"a count of people from 1 to {rule.minimum_count - 1}"
    return ""


def _headline_problems(folder: Path, rule: Disclosure) -> Iterator[str]:
    headline: dict[str, Any] | None = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))["headline"]
    if headline is None:
        return
    records = read_table(folder / "records.parquet")
    shown = records[records["headline"].fillna(False).astype(bool)]
    for column, kind in TABLES["records"].columns.items():
        value = headline.get(column)
        if kind in ("people", "estimate") and value is not None and value not in shown[column].dropna().tolist():
            yield f"verdict.json: headline.{column} is not the released one"
    if headline.get("estimate") is not None and (headline.get("n_schools") or 0) < rule.minimum_schools:
        yield f"verdict.json: the headline rests on fewer than {rule.minimum_schools} schools"


def _text_problems(path: Path) -> Iterator[str]:
    """Identifiers in any text of a file."""
    if path.suffix == ".parquet":
        frame = read_table(path)
        texts: Iterator[str] = (
            str(value)
            for column in frame.columns
            if not pd.api.types.is_numeric_dtype(frame[column].dtype)
            for value in frame[column].dropna()
        )
    elif path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as stream:
            texts = iter([cell for row in csv.reader(stream) for cell in row])
    else:
        texts = _strings(json.loads(path.read_text(encoding="utf-8")))
    if any(PSEUDONYM.search(text) for text in texts):
        yield f"{path.name} holds an identifier"


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
