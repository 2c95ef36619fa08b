"""Baseline equivalence: how alike members and comparison schools were before joining."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from plneval.describe.sample import Sample
from plneval.prepare.standardise import pooled_within
from plneval.standards.baseline import category
from plneval.standards.effect_size import cox_index, hedges_g_from_summary

COLUMNS = {
    "covariate": "str",
    "label": "str",
    "year": "Int64",
    "mean_member": "float64",
    "mean_comparison": "float64",
    "sd": "float64",
    "hedges_g": "float64",
    "standardiser": "str",
    "category": "str",
    "n_pupils_member": "Int64",
    "n_pupils_comparison": "Int64",
    "n_schools_member": "Int64",
    "n_schools_comparison": "Int64",
    "pre_post_correlation": "float64",
}
SCHOOL_COVARIATES = {"deprivation": "Deprivation", "enrolment": "Enrolment"}


def baseline(sample: Sample) -> pd.DataFrame:
    """Standardised differences before joining, one row for each outcome and covariate.

    Outcomes are compared on the modelled scale (z, or the raw score of outcomes that are not standardised); the share
    of disadvantaged pupils by the Cox index; deprivation and enrolment between schools. Positive: members stood
    higher. ``standardiser`` is 'pupil', 'pupil (Cox index)' or 'school' (the spread of schools, smaller than that of
    pupils); ``category`` is that of :func:`plneval.standards.baseline.category`, or 'unknown' where no difference can
    be standardised. ``year`` is missing where several baseline years are pooled.
    """
    rows = [_outcome_row(sample, name) for name in sample.cohort.outcomes]
    if sample.pupil_level:
        rows.append(_disadvantaged_row(sample))
    rows += [_school_covariate_row(sample, name, label) for name, label in SCHOOL_COVARIATES.items()]
    found = [row for row in rows if row is not None]
    return pd.DataFrame(found, columns=list(COLUMNS)).astype(COLUMNS)


def baseline_years(entry_years: list[int], outcome_years: list[int]) -> dict[int, int]:
    """The last outcome year before each entry year; entry years without one are left out."""
    return {
        entry: max(year for year in outcome_years if year < entry)
        for entry in sorted(entry_years)
        if any(year < entry for year in outcome_years)
    }


def matched_rows(rows: pd.DataFrame, years: dict[int, int], keys: list[str]) -> pd.DataFrame:
    """Baseline rows of members, each with the never-joiners of the same year beside it.

    # ASSUME: each entry group is compared with the schools that never join, in the group's own baseline year (the last
    outcome year before it joined); groups are pooled by their member pupils (schools), within the cells of ``keys``.

    Parameters
    ----------
    rows
        arm, entry_year, year, weight, value and ``keys``.
    years
        Baseline year by entry year.

    Returns
    -------
    pandas.DataFrame
        The rows with ``group`` (entry year) and ``share``: weights with which both arms have the members' distribution
        over groups and cells. Cells that only one arm has are left out.
    """
    parts = []
    for entry, year in years.items():
        of_group = (rows["arm"] == "comparison") | (rows["entry_year"] == entry).fillna(False).astype(bool)
        parts.append(rows.loc[of_group & (rows["year"] == year)].assign(group=entry))
    if not parts:
        return rows.iloc[:0].assign(group=0, share=0.0)
    stacked = pd.concat(parts, ignore_index=True)
    cell = ["group", *keys]
    member = stacked["arm"] == "member"
    by_cell = [stacked[name] for name in cell]
    members = stacked["weight"].where(member, 0.0).groupby(by_cell, dropna=False).transform("sum")
    others = stacked["weight"].where(~member, 0.0).groupby(by_cell, dropna=False).transform("sum")
    of_arm = members.where(member, others)
    share = (stacked["weight"] * members / of_arm).where((members > 0) & (others > 0), 0.0)
    return stacked.assign(share=share).loc[share > 0]


def pre_post_correlation(cells: pd.DataFrame, column: str) -> float:
    """Correlation over schools of an outcome's mean in its first and its last year, within arms.

    # ASSUME: the first outcome year lies before every entry and the last one stands for the time after, so that one
    correlation serves all entry groups; schools count alike. NaN with fewer than 3 schools.
    """
    ends = {"pre": cells["year"].min(), "post": cells["year"].max()}
    if ends["pre"] == ends["post"]:
        return float("nan")
    wide = pd.DataFrame(
        {name: cells.loc[cells["year"] == year].set_index("school")[column] for name, year in ends.items()}
    ).dropna()
    arm = cells.drop_duplicates("school").set_index("school")["arm"].reindex(wide.index)
    centred = wide - wide.groupby(arm).transform("mean")
    spread = centred.std()
    if len(wide) < 3 or not (spread > 0).all():
        return float("nan")
    return float(
        (centred["pre"] * centred["post"]).sum()
        / math.sqrt(float((centred["pre"] ** 2).sum()) * float((centred["post"] ** 2).sum()))
    )


def _outcome_row(sample: Sample, name: str) -> dict[str, Any] | None:
    column = sample.modelled(name)
    cells = sample.cells(name)
    if sample.pupil_level:
        rows = sample.scores(name).assign(weight=1.0, within=0.0, n=1.0)
        keys = ["grade"]
    else:
        rows = cells.assign(weight=cells["n"] if sample.has_pupil_sd(name) else 1.0, within=0.0)
        keys = []
    rows = rows.assign(value=rows[column])
    years = baseline_years(_entry_years(rows), sorted({int(year) for year in rows["year"]}))
    matched = matched_rows(rows, years, keys)
    if matched.empty:
        return None
    on_pupils = sample.has_pupil_sd(name)
    if on_pupils and not sample.pupil_level:
        found = sample.standardisers
        own = (found["outcome"] == name) & (found["subgroup"] == "all") & (found["column"] == column)
        sd = float(found.loc[own, "sd"].iloc[0])
    else:
        sd = _pooled_sd(matched, ["arm", "year", *keys])
    row = _row(name, sample.cohort.outcomes[name].label, matched, sd, "pupil" if on_pupils else "school")
    return row | {"pre_post_correlation": pre_post_correlation(cells, column)}


def _disadvantaged_row(sample: Sample) -> dict[str, Any] | None:
    rows = sample.pupil.drop_duplicates(["pupil", "year", "school"]).dropna(subset=["disadvantaged"])
    rows = rows.assign(value=rows["disadvantaged"].astype(float), weight=1.0, within=0.0, n=1.0)
    matched = matched_rows(rows, baseline_years(_entry_years(rows), sample.cohort.study.outcome_years), [])
    if matched.empty or matched["value"].nunique() == 1:
        return None
    row = _row("disadvantaged", "Share of disadvantaged pupils", matched, float("nan"), "pupil (Cox index)")
    shares = (row["mean_member"], row["mean_comparison"])
    if all(0 < share < 1 for share in shares):
        index = cox_index(*shares)
        row |= {"hedges_g": index, "category": str(category(index))}
    return row


def _school_covariate_row(sample: Sample, name: str, label: str) -> dict[str, Any] | None:
    columns = ["school", "year", "arm", "entry_year", name]
    rows = sample.school[columns].drop_duplicates(["school", "year"]).dropna(subset=[name])
    rows = rows.assign(value=rows[name].astype(float), weight=1.0, within=0.0, n=float("nan"))
    matched = matched_rows(rows, baseline_years(_entry_years(rows), sample.cohort.study.outcome_years), [])
    if matched.empty or matched["value"].nunique() == 1:
        return None
    return _row(name, label, matched, _pooled_sd(matched, ["arm", "year"]), "school")


def _row(name: str, label: str, matched: pd.DataFrame, sd: float, standardiser: str) -> dict[str, Any]:
    """Means, numbers and, where the SD is given, Hedges' g."""
    row: dict[str, Any] = {"covariate": name, "label": label, "sd": sd, "standardiser": standardiser}
    for arm in ("member", "comparison"):
        of_arm = matched.loc[matched["arm"] == arm]
        once = of_arm.drop_duplicates(["school", "year", *(["pupil"] if "pupil" in of_arm else [])])
        row[f"mean_{arm}"] = float(np.average(of_arm["value"], weights=of_arm["share"]))
        row[f"n_pupils_{arm}"] = _pupils(once)
        row[f"n_schools_{arm}"] = once["school"].nunique()
    years = matched["year"].unique()
    row["year"] = int(years[0]) if len(years) == 1 else None
    units = "n_schools" if standardiser == "school" else "n_pupils"
    n_member, n_comparison = row[f"{units}_member"], row[f"{units}_comparison"]
    row |= {"hedges_g": float("nan"), "category": "unknown", "pre_post_correlation": float("nan")}
    if not math.isnan(sd) and sd > 0 and n_member and n_comparison and min(n_member, n_comparison) >= 2:
        effect = hedges_g_from_summary(row["mean_member"], row["mean_comparison"], sd, sd, n_member, n_comparison)
        row |= {"hedges_g": effect.estimate, "category": str(category(effect.estimate))}
    return row


def _pupils(rows: pd.DataFrame) -> int | None:
    """Distinct pupils behind rows; for school-level rows their counts, missing where one is missing."""
    if "pupil" in rows:
        return int(rows["pupil"].nunique())
    return None if rows["n"].isna().any() else round(float(rows["n"].sum()))


def _pooled_sd(matched: pd.DataFrame, groups: list[str]) -> float:
    """SD within arm, year and cell; never-joiners that stand beside several entry groups count once."""
    keys = ["school", "year", *(["pupil"] if "pupil" in matched else [])]
    once = matched.drop_duplicates(keys).assign(weight=1.0)
    return pooled_within(once, "value", groups)[0]


def _entry_years(rows: pd.DataFrame) -> list[int]:
    return sorted({int(entry) for entry in rows["entry_year"].dropna()})
