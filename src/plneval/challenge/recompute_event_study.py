"""The two-way event study again: least squares with a dummy variable for every school and year, by statsmodels."""

from __future__ import annotations

import math
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from plneval.challenge.recompute import Recomputed
from plneval.config.cohort import Cohort
from plneval.config.models import EventStudy
from plneval.standards import load


def event_study_again(cohort: Cohort, spec: EventStudy, panel: Path) -> list[Recomputed]:
    """Every event time, and their mean from the third year on weighted by the treated school-years' weight."""
    import statsmodels.api as sm

    rows = _rows(cohort, spec, panel)
    event_time = rows["year"] - rows["entry"]
    pooled = event_time.clip(spec.minimum_event_time, spec.maximum_event_time)
    years = np.sort(rows["year"].unique())
    base = rows["entry"].map(lambda entry: years[years < entry][-1] if np.isfinite(entry) else math.nan)
    pooled = pooled.mask(rows["year"] == base)
    values = sorted(pooled.dropna().unique().astype(int))
    effects = np.column_stack([(pooled == value).to_numpy(dtype=np.float64) for value in values])
    schools = pd.get_dummies(rows["school"], dtype="float64").to_numpy()
    calendar = pd.get_dummies(rows["year"], dtype="float64").to_numpy()[:, 1:]
    weight = rows["weight"].to_numpy(dtype=np.float64)
    fit = sm.WLS(rows["y"].to_numpy(), np.column_stack([effects, calendar, schools]), weights=weight).fit(
        cov_type="cluster",
        cov_kwds={"groups": rows["cluster"].to_numpy(), "use_correction": False, "df_correction": False},
    )
    n, k, g = len(rows), len(values), rows["cluster"].nunique()
    factor = g / (g - 1) * (n - 1) / (n - k - calendar.shape[1] - 1)
    covariance = np.asarray(fit.cov_params())[:k, :k] * factor
    by = f"statsmodels {version('statsmodels')}, dummy variables"
    found = [
        Recomputed("att_event_time", f"e{value}", float(fit.params[j]), math.sqrt(covariance[j, j]), by)
        for j, value in enumerate(values)
    ]
    late = [j for j, value in enumerate(values) if value >= load("follow_up").headline_from_event_time]
    if late:
        share = np.array([weight[(pooled == values[j]).to_numpy()].sum() for j in late])
        share /= share.sum()
        se = math.sqrt(float(share @ covariance[np.ix_(late, late)] @ share))
        found.append(Recomputed("att_third_year_on", "", float(share @ fit.params[late]), se, by))
    return found


def _rows(cohort: Cohort, spec: EventStudy, panel: Path) -> pd.DataFrame:
    """Usable school-years with entry (NaN for comparison schools), y and weight."""
    table = pd.read_parquet(panel / "panel_school.parquet")
    column = "score" if cohort.outcomes[spec.outcome].standardise == "none" else "z"
    rows = table[(table["outcome"] == spec.outcome) & (table["subgroup"] == spec.subgroup) & table[column].notna()]
    rows = rows.assign(
        y=rows[column].astype("float64"),
        entry=rows["entry_year"].astype("float64"),
        year=rows["year"].astype("int64"),
        cluster=rows["cluster"].astype("int64"),
        weight=1.0 if cohort.design.weight == "schools" else rows.groupby("school")["n"].transform("mean"),
    )
    rows = rows[rows["weight"] > 0]
    first = rows.groupby("school")["year"].transform("min")
    rows = rows[rows["entry"].isna() | (first < rows["entry"])]
    return rows[rows.groupby("school")["year"].transform("size") > 1]
