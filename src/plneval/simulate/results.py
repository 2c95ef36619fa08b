"""Raw files of test results: one for each outcome year, each in another shape."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.simulate.calendar import year_label
from plneval.simulate.formats import TextFormat, write_text_table
from plneval.simulate.made import MadeStudy
from plneval.simulate.planted import PlantedErrors, Typist, shuffled, with_rows
from plneval.simulate.process import GRADES, SUBJECTS


@dataclass(frozen=True)
class ResultShape:
    """One office's way of writing results: form, column names, and the word for a missing score."""

    form: TextFormat
    names: tuple[str, ...]
    missing: str


SHAPES = (
    ResultShape(TextFormat(), ("UPN", "SchoolNo", "NCYear", "MATHS_SS", "READ_SS"), "-9"),
    ResultShape(
        TextFormat("cp1252", ";"), ("PupilNo", "School", "YearGroup", "MA_SCORE", "RD_SCORE", "SchoolName"), "X"
    ),
    ResultShape(TextFormat(gzipped=True), ("UPN", "SchoolNo", "NCYear", "MATHS_SS", "READ_SS"), "NA"),
    ResultShape(
        TextFormat("utf-8-sig", "\t"),
        ("pupil_number", "school_number", "year_group", "maths_scaled", "reading_scaled"),
        "absent",
    ),
    ResultShape(TextFormat(line_end="\r\n"), ("UPN", "SchoolNo", "NCYear", "MATHS_SS", "READ_SS"), ""),
)
"""Shapes of all years' files but the last one's, used in turn."""
LAST_SHAPE = ResultShape(
    TextFormat("utf-8-sig"),
    ("Academic year", "Pupil number", "School number", "Year group", "Mathematics (scaled)", "Reading (scaled)"),
    "-9",
)

# Rows in which an error is planted, by kind. Where a row's key is wrong both of its records are rejected.
UNKNOWN_PUPIL, NO_NUMBER, UNREADABLE, OUT_OF_RANGE, CONFLICTING, DUPLICATED, YEAR_OUTSIDE = 24, 6, 10, 14, 12, 30, 20


@dataclass(frozen=True)
class _Plan:
    """Positions among the scored pupil-years, no position twice."""

    unknown_pupil: NDArray[np.int64]
    no_number: NDArray[np.int64]
    unreadable: NDArray[np.int64]
    out_of_range: NDArray[np.int64]
    conflicting: NDArray[np.int64]
    duplicated: NDArray[np.int64]

    @property
    def all_rows(self) -> NDArray[np.int64]:
        return np.concatenate([getattr(self, part.name) for part in fields(self)])


def write_outcomes(made: MadeStudy, out: Path, errors: PlantedErrors) -> NDArray[np.bool_]:
    """Write all results; return which scores survive (same shape as the scores' points).

    A score survives when it is there and no error was planted in its record.
    """
    typist, scores, pupils = made.typist("outcomes"), made.scores, made.pupils
    plan = _plan(made, typist)
    kept = ~np.isnan(scores.points)
    kept[np.concatenate([plan.unknown_pupil, plan.no_number, plan.conflicting])] = False
    # One of the two scores is wrong: maths in the first half, reading in the second.
    for rows in (plan.unreadable, plan.out_of_range):
        kept[rows, np.arange(len(rows)) * len(SUBJECTS) // max(1, len(rows))] = False
    outcome_years = made.study.outcome_years
    for position, year in enumerate(outcome_years):
        last = year == outcome_years[-1]
        shape = LAST_SHAPE if last else SHAPES[position % len(SHAPES)]
        here = np.flatnonzero(pupils.row_year[scores.row] == year)
        table = _plain(made, here, shape.missing)
        table = _with_errors(made, typist, table, here, plan)
        if "SchoolName" in shape.names:
            table["name"] = table["school"].map(dict(zip(made.schools.code, made.schools.name, strict=True)))
        if last:
            table.insert(0, "year", year_label(year))
            clean = np.setdiff1d(here, plan.all_rows)
            early = typist.rng.choice(clean, size=min(YEAR_OUTSIDE, len(clean)), replace=False)
            ahead = _plain(made, early, shape.missing).assign(year=year_label(year + 1))
            errors.reject("outcomes", "year_outside_study", len(SUBJECTS) * len(ahead))
            table = with_rows(table, ahead[table.columns])
        table = shuffled(table, typist.rng)
        errors.read["outcomes"] += len(SUBJECTS) * len(table)
        table.columns = pd.Index(shape.names)
        stem = "assessment_extract" if last else "results"
        write_text_table(out / f"{stem}_{year}{shape.form.ending}", table, shape.form)
    errors.merge("outcomes", len(SUBJECTS) * len(plan.duplicated))
    errors.reject("outcomes", "unknown_pupil", len(SUBJECTS) * len(plan.unknown_pupil))
    errors.reject("outcomes", "missing_key", len(SUBJECTS) * len(plan.no_number))
    errors.reject("outcomes", "bad_type", len(plan.unreadable))
    errors.reject("outcomes", "out_of_range", len(plan.out_of_range))
    errors.reject("outcomes", "conflicting_duplicate", 2 * len(SUBJECTS) * len(plan.conflicting))
    return kept


def _plan(made: MadeStudy, typist: Typist) -> _Plan:
    """Choose rows with both scores of pupils whose number is their own."""
    scores = made.scores
    able = ~np.isnan(scores.points).any(axis=1) & ~made.pupils.recycled[made.pupils.row_person[scores.row]]
    counts = np.array([UNKNOWN_PUPIL, NO_NUMBER, UNREADABLE, OUT_OF_RANGE, CONFLICTING, DUPLICATED])
    # Small studies: at most one row in ten.
    counts = np.maximum(1, np.minimum(counts, counts * int(able.sum()) // (10 * int(counts.sum()))))
    chosen = typist.rng.choice(np.flatnonzero(able), size=int(counts.sum()), replace=False)
    return _Plan(*np.split(chosen, np.cumsum(counts)[:-1]))


def _plain(made: MadeStudy, here: NDArray[np.int64], missing: str) -> pd.DataFrame:
    """Results of some scored pupil-years as text, indexed by their position."""
    pupils, scores = made.pupils, made.scores
    rows = scores.row[here]
    codes, school_codes = np.array(pupils.code), np.array(made.schools.code)
    table = {
        "pupil": codes[pupils.row_person[rows]],
        "school": school_codes[pupils.row_school[rows]],
        "grade": np.array(GRADES)[pupils.row_grade[rows]].astype(str),
    }
    for column, subject in enumerate(SUBJECTS):
        points = scores.points[here, column]
        present = ~np.isnan(points)
        text = np.full(len(here), missing, dtype=object)
        text[present] = points[present].astype(np.int64).astype(str)
        table[subject] = text
    return pd.DataFrame(table, index=here).astype(object)


def _with_errors(
    made: MadeStudy, typist: Typist, table: pd.DataFrame, here: NDArray[np.int64], plan: _Plan
) -> pd.DataFrame:
    """The table with the errors that fall into it, the index dropped."""
    for row in np.intersect1d(plan.unknown_pupil, here).tolist():
        table.loc[row, "pupil"] = typist.typo(str(table.loc[row, "pupil"]), made.pupil_codes)
    table.loc[np.intersect1d(plan.no_number, here), "pupil"] = ""
    for rows, wrong in ((plan.unreadable, ("1o4", "97?")), (plan.out_of_range, ("999", "-40"))):
        for position, row in enumerate(rows.tolist()):
            if row in table.index:
                table.loc[row, SUBJECTS[position * len(SUBJECTS) // len(rows)]] = wrong[position % len(wrong)]
    again = table.loc[np.intersect1d(plan.duplicated, here)]
    other = table.loc[np.intersect1d(plan.conflicting, here)]
    other = other.assign(**{subject: [str(int(text) - 3) for text in other[subject]] for subject in SUBJECTS})
    return with_rows(table, again, other)
