"""Missing outcomes: how many scores were to be expected, and how many are there."""

from __future__ import annotations

import pandas as pd

from plneval.describe.sample import ARMS, Sample

COLUMNS = {
    "outcome": "str",
    "year": "Int64",
    "arm": "str",
    "expected": "Int64",
    "observed": "Int64",
    "missing_share": "float64",
}


def missingness(sample: Sample) -> pd.DataFrame:
    """Scores expected and observed by outcome, year and arm.

    Pupil-level studies expect a score of every pupil who is in the register of an analysed school that year, in a grade
    in which the outcome was tested that year. School-level studies expect a score of every analysed school that has the
    outcome in some year.
    """
    register = sample.register.assign(arm=sample.arm_of(sample.register["school"])).dropna(subset=["arm"])
    rows = []
    for name in sample.cohort.outcomes:
        for year in sample.cohort.years_of(name):
            cells = sample.cells(name)
            if sample.pupil_level:
                scores = sample.scores(name)
                found = scores.loc[scores["year"] == year, ["arm", "grade"]]
                pupils = register.loc[register["year"] == year]
                expected = pupils.loc[pupils["grade"].isin(found["grade"].unique()) | bool(found["grade"].isna().all())]
            else:
                found = cells.loc[cells["year"] == year]
                expected = cells.drop_duplicates("school")
            for arm in ARMS:
                due, there = int((expected["arm"] == arm).sum()), int((found["arm"] == arm).sum())
                rows.append((name, year, arm, due, there, 1 - there / due if due else float("nan")))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
