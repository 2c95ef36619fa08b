"""The school-years that a model is fitted to, and an account of every one that it is not."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from plneval.artifacts import read_table
from plneval.config.cohort import Cohort
from plneval.errors import UserError


@dataclass
class Exclusions:
    """What was left out, with reason and count; it goes into ``<model>.json``."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, unit: str, count: int, reason: str, **where: Any) -> None:
        """Note that ``count`` units were left out; zero is not noted.

        Units: schools, school-years, pupil-years, cells, groups, or ``school × cell`` (a school in one cell).
        """
        if count:
            self.rows.append({"unit": unit, "count": int(count), "reason": reason, **where})

    def sentences(self) -> tuple[str, ...]:
        """One short sentence for each reason, counts added up."""
        totals: dict[tuple[str, str], int] = {}
        for row in self.rows:
            totals[row["unit"], row["reason"]] = totals.get((row["unit"], row["reason"]), 0) + row["count"]
        return tuple(f"{count} {unit} left out: {reason}" for (unit, reason), count in totals.items())


@dataclass(frozen=True)
class SchoolSample:
    """School-years of one outcome and subgroup.

    Attributes
    ----------
    rows : school, year, cluster, network, entry_year (missing for comparison schools), y, n (scored pupils; may be
        missing), weight (the school's, the same in all years), and the covariates; sorted by school and year.
    column : the modelled column, ``z`` or ``score``.
    """

    rows: pd.DataFrame
    column: str
    weight: Literal["pupils", "schools"]
    exclusions: Exclusions


def modelled_column(cohort: Cohort, outcome: str) -> str:
    """``z``, or ``score`` for outcomes that are not standardised.

    Raises
    ------
    UserError
        If the cohort does not declare the outcome.
    """
    if outcome not in cohort.outcomes:
        raise UserError(
            f"a model of this cohort names the outcome '{outcome}', which the cohort's configuration does not declare; "
            f"it has {', '.join(cohort.outcomes)}. Add the outcome or take the model off the cohort's list."
        )
    return "score" if cohort.outcomes[outcome].standardise == "none" else "z"


def read_school_sample(
    panel: Path, cohort: Cohort, outcome: str, subgroup: str, column: str, covariates: tuple[str, ...] = ()
) -> SchoolSample:
    """Read the school-years of an outcome and a subgroup, and weigh the schools.

    # ASSUME: a school weighs as much as its mean number of scored pupils over its outcome years (``design.weight:
    # pupils``); the number is taken as not affected by participation and as fixed, not sampled.

    Raises
    ------
    UserError
        If pupils are to be the weight and no school has a count of pupils.
    ValueError
        If the panel is not as ``docs/architecture.md`` says (a school twice in a year; a cluster or an entry year that
        changes within a school).
    """
    table = read_table(panel / "panel_school.parquet")
    rows = table.loc[(table["outcome"] == outcome) & (table["subgroup"] == subgroup)].copy()
    exclusions = Exclusions()
    return SchoolSample(
        weigh(_checked(rows, column, covariates, exclusions), cohort.design.weight, exclusions),
        column,
        cohort.design.weight,
        exclusions,
    )


def _checked(rows: pd.DataFrame, column: str, covariates: tuple[str, ...], exclusions: Exclusions) -> pd.DataFrame:
    rows["y"] = rows[column].astype("float64")
    kept = ["school", "year", "cluster", "network", "entry_year", "y", "n", *covariates]
    rows = rows[kept].sort_values(["school", "year"], kind="stable")
    if rows.duplicated(["school", "year"]).any():
        raise ValueError("panel_school.parquet holds a school twice in one year and outcome")
    constant = rows.groupby("school")[["cluster", "entry_year"]].nunique(dropna=False)
    changing = [name for name in constant if (constant[name] > 1).any()]
    if changing:
        raise ValueError(f"panel_school.parquet: {changing[0]} changes within a school")
    if rows["cluster"].isna().any():
        raise ValueError("panel_school.parquet: a school has no cluster")
    missing = rows["y"].isna()
    exclusions.add("school-years", int(missing.sum()), f"no {column}")
    return rows.loc[~missing].reset_index(drop=True)


def weigh(rows: pd.DataFrame, weight: Literal["pupils", "schools"], exclusions: Exclusions) -> pd.DataFrame:
    """Add the column ``weight``; schools without a count of pupils are left out where pupils are the weight."""
    if weight == "schools" or rows.empty:
        return rows.assign(weight=1.0)
    mean = rows["n"].astype("float64").groupby(rows["school"]).transform("mean")
    unweighted = ~(mean > 0)
    if unweighted.all():
        raise UserError(
            "design.weight is 'pupils', but no school of this outcome has a number of pupils (column n). "
            "Map the column or set design.weight to 'schools'."
        )
    exclusions.add("schools", rows.loc[unweighted, "school"].nunique(), "no number of pupils to weigh the school by")
    return rows.assign(weight=mean).loc[~unweighted].reset_index(drop=True)
