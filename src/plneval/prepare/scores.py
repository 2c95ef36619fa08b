"""Outcome records matched to the school that they belong to, with the reason why a record cannot be used."""

from __future__ import annotations

import pandas as pd

from plneval.config.cohort import Cohort

SCORE_COLUMNS = [
    "outcome",
    "school",
    "pupil",
    "year",
    "subgroup",
    "grade",
    "disadvantaged",
    "gender",
    "mover",
    "score",
    "n",
    "sd",
]
"""Columns of a table of scores; ``n`` is 1 and ``sd`` missing for a pupil's score."""


def school_of_pupils(pupils: pd.DataFrame, movers: str) -> pd.DataFrame:
    """Give every pupil and year the school that the pupil belongs to.

    Parameters
    ----------
    pupils
        Numbered pupils table: pupil, year, school and covariates.
    movers
        ``school_at_outcome``: the school of that year; ``school_at_entry``: the first school that the pupil is seen in.

    Returns
    -------
    pandas.DataFrame
        The table with ``mover`` (1 for pupils seen in more than one school) and ``first_school``; with
        ``school_at_entry`` the school is the first school in every year.
    """
    ordered = pupils.sort_values(["pupil", "year"], kind="stable", ignore_index=True)
    by_pupil = ordered.groupby("pupil")["school"]
    ordered["mover"] = (by_pupil.transform("nunique") > 1).astype("int64")
    ordered["first_school"] = by_pupil.transform("first")
    if movers == "school_at_entry":
        ordered["school"] = ordered["first_school"]
    return ordered


def pupil_scores(outcomes: pd.DataFrame, pupils: pd.DataFrame, cohort: Cohort) -> pd.DataFrame:
    """Match pupils' outcome records to the pupil's school, grade and group in the record's year.

    Parameters
    ----------
    outcomes
        Numbered outcomes table: pupil, year, outcome, grade, score.
    pupils
        Result of :func:`school_of_pupils`.

    Returns
    -------
    pandas.DataFrame
        ``SCORE_COLUMNS`` and the indicators ``matched``, ``declared``, ``scored``, ``graded`` and ``unique``; a record
        can be used when all of them hold. One row for each record of the outcomes table.
    """
    known = pupils[["pupil", "year", "school", "grade", "disadvantaged", "gender", "mover"]]
    records = outcomes[["pupil", "year", "outcome", "grade", "score"]].rename(columns={"grade": "record_grade"})
    merged = records.merge(known, on=["pupil", "year"], how="left", validate="many_to_one")
    # The register's grade goes first: a test may be taken a year late, the year group is that of the register.
    merged["grade"] = grade_words(merged["grade"]).fillna(grade_words(merged.pop("record_grade")))
    merged["subgroup"] = pd.Series("all", index=merged.index, dtype="str")
    merged["n"] = 1.0
    merged["sd"] = float("nan")
    return _with_indicators(merged, cohort, ["outcome", "pupil", "year"])


def school_scores(outcomes: pd.DataFrame, cohort: Cohort) -> pd.DataFrame:
    """Bring school-level outcome records into the form of :func:`pupil_scores` (pupil columns are missing)."""
    merged = outcomes[["school", "year", "outcome", "grade", "subgroup", "score", "n", "sd"]].copy()
    merged["subgroup"] = merged["subgroup"].fillna("all").astype("str")
    merged["grade"] = grade_words(merged["grade"])
    for column, kind in (("pupil", "Int64"), ("disadvantaged", "Int64"), ("mover", "Int64"), ("gender", "str")):
        merged[column] = pd.Series(pd.NA, index=merged.index, dtype=kind)
    return _with_indicators(merged, cohort, ["outcome", "school", "year", "subgroup", "grade"])


def usable(scores: pd.DataFrame) -> pd.Series:
    """Whether each record has all that the panel needs (boolean)."""
    return scores[["matched", "declared", "scored", "graded", "unique"]].all(axis=1)


def _with_indicators(merged: pd.DataFrame, cohort: Cohort, key: list[str]) -> pd.DataFrame:
    merged["matched"] = merged["school"].notna()
    years = {(name, year) for name in cohort.outcomes for year in cohort.years_of(name)}
    declared = pd.MultiIndex.from_frame(merged[["outcome", "year"]]).isin(sorted(years))
    merged["declared"] = declared
    merged["scored"] = merged["score"].notna()
    # Where an outcome is graded at all, a score without a grade has no cell in which it could be standardised.
    graded = merged["grade"].notna()
    merged["graded"] = graded | ~graded.groupby(merged["outcome"]).transform("any")
    candidates = merged[["matched", "declared", "scored", "graded"]].all(axis=1)
    repeated = merged.loc[candidates].duplicated(key, keep=False)
    merged["unique"] = ~repeated.reindex(merged.index, fill_value=False)
    order = ["outcome", "school", "pupil", "year", "subgroup", "grade", "score"]
    flags = ["matched", "declared", "scored", "graded", "unique"]
    return merged[[*SCORE_COLUMNS, *flags]].sort_values(order, kind="stable", ignore_index=True)


def grade_words(values: pd.Series) -> pd.Series:
    """Grades as words: 4.0 and '4' are one grade."""
    if pd.api.types.is_numeric_dtype(values):
        whole = values.astype("Float64")
        text = whole.astype("str").str.removesuffix(".0")
        return text.where(values.notna()).astype("str")
    return values.astype("str")
