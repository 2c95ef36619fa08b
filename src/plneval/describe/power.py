"""Minimum detectable effect size of the headline's design, with the variances that the data show."""

from __future__ import annotations

import numpy as np
import pandas as pd

from plneval.describe.intraclass import OneWay, first_year_analysis
from plneval.describe.sample import Sample
from plneval.standards import load
from plneval.standards.mdes import did_repeated_cross_sections, multiplier

COLUMNS = {
    "outcome": "str",
    "design": "str",
    "mdes": "float64",
    "assumptions": "str",
    "power": "float64",
    "alpha": "float64",
    "formula": "str",
}
DESIGN = "difference-in-differences on repeated cross-sections, third year on against the years before joining"
FORMULA = "MDES = M(J - 2) sqrt([rho (1 - CAC) + (1 - rho)/n] (1/A + 1/B) / (J p (1 - p)))"


def cluster_autocorrelation(cells: pd.DataFrame, column: str, within: float) -> float:
    """Correlation of a school's deviations in two different years (CAC), from school-year means.

    Means are centred within arm and year; the mean covariance of two years over all pairs is divided by the mean
    variance of one year less its sampling variance (``within`` / n).

    # ASSUME: pupils of different years are other pupils. Where the same pupils are tested again their own level makes
    years more alike, so CAC is on the high side and the MDES on the low side; limited to 0 to 1.

    Parameters
    ----------
    cells
        school, arm, year, n and ``column`` (school-year means).
    within
        Variance of pupils within schools, in squared units of ``column``.

    Returns
    -------
    float
        NaN with fewer than two years or 3 schools, or where no variance between schools is left.
    """
    centred = cells[column] - cells.groupby(["arm", "year"])[column].transform("mean")
    wide = centred.set_axis(pd.MultiIndex.from_frame(cells[["school", "year"]].astype("int64"))).unstack()
    if wide.shape[1] < 2 or len(wide) < 3:
        return float("nan")
    covariance = wide.cov().to_numpy()
    noise = (within / cells["n"].astype(float)).groupby(cells["year"]).mean().to_numpy()
    between = float(np.nanmean(np.diag(covariance) - noise))
    across = float(np.nanmean(covariance[~np.eye(len(covariance), dtype=bool)]))
    return float(np.clip(across / between, 0, 1)) if between > 0 else float("nan")


def mdes(sample: Sample) -> pd.DataFrame:
    """Minimum detectable effect size for every outcome, in pupils' SDs; missing, with the reason, where unknown."""
    rows = []
    for name in sample.cohort.outcomes:
        standard = load("minimum_detectable_effect")
        row = {"outcome": name, "design": DESIGN, "power": standard.power, "alpha": standard.alpha, "formula": FORMULA}
        found = first_year_analysis(sample, name)
        if found is None:
            rows.append(row | {"mdes": np.nan, "assumptions": "not computed: the spread of pupils is not known"})
        else:
            rows.append(row | _for_outcome(sample, name, found))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _for_outcome(sample: Sample, name: str, analysis: OneWay) -> dict[str, object]:
    column = "score" if not sample.pupil_level else sample.modelled(name)
    cells = sample.cells(name).dropna(subset=["n", column])
    icc = min(max(analysis.intraclass_correlation, 0.0), 1.0)
    cac = cluster_autocorrelation(cells, column, analysis.within)
    start = load("follow_up").headline_from_event_time
    members = cells.loc[cells["arm"] == "member"]
    by_school = members.groupby("school")["event_time"]
    years = pd.DataFrame(
        {"before": by_school.agg(lambda t: (t < 0).sum()), "after": by_school.agg(lambda t: (t >= start).sum())}
    )
    years = years.loc[(years["before"] > 0) & (years["after"] > 0)]
    others = cells.loc[cells["arm"] == "comparison", "school"].nunique()
    if np.isnan(cac) or not len(years) or not others or len(years) + others <= 2:
        return {
            "mdes": np.nan,
            "assumptions": "not computed: too few schools, or no school is followed to its third year",
        }
    # ASSUME: years before and after are averaged over the member schools that reach their third year.
    before, after = (float(years[side].mean()) for side in ("before", "after"))
    pupils = float(1 / (1 / cells["n"].astype(float)).mean())
    schools = len(years) + others
    result = did_repeated_cross_sections(
        icc=icc,
        cluster_autocorrelation=cac,
        n_schools=schools,
        pupils_per_school=max(pupils, 1.0),
        years_before=before,
        years_after=after,
        treated_share=len(years) / schools,
    )
    assumptions = (
        f"rho = {icc:.3f} (intraclass correlation of schools), CAC = {cac:.2f} (correlation of a school's years, from "
        f"school-year means), n = {pupils:.0f} pupils a school and year (harmonic mean), J = {schools} schools, "
        f"p = {len(years) / schools:.2f} members that reach their third year, A = {before:.1f} years before joining, "
        f"B = {after:.1f} from the third year on, M = {multiplier(schools - 2):.2f}; schools are independent of each "
        f"other, although those of one network may not be"
    )
    return {"mdes": result.mdes, "assumptions": assumptions}
