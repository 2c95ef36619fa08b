"""Linear difference-in-differences again: two-way regressions by linearmodels, the others by statsmodels.

What the estimators of :mod:`plneval.did` work out from sums over cells is here a regression with a dummy variable for
every school, year, and entry group in a year; imputation is a regression of the years before joining and a prediction.
"""

from __future__ import annotations

import math
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval.challenge.recompute import Recomputed
from plneval.config.cohort import Cohort
from plneval.config.models import EventStudy, ExtendedTwoWay, Imputation, SunAbraham, TwoWay
from plneval.standards import load

Array = npt.NDArray[np.float64]
Spec = EventStudy | TwoWay | Imputation | SunAbraham | ExtendedTwoWay


def linear_again(cohort: Cohort, spec: Spec, panel: Path, vcov: str) -> list[Recomputed]:
    """The effect from the third year on and the event times (of two-way fixed effects, the coefficient).

    Nothing with covariates or anticipation. Standard errors only of two-way regressions whose records are CR1.

    Parameters
    ----------
    vcov : how the records' standard errors were made.
    """
    if getattr(spec, "covariates", None) or getattr(spec, "anticipation", 0):
        return []
    rows = school_years(cohort, spec, panel)
    if isinstance(spec, EventStudy | TwoWay):
        return _two_way(rows, spec, with_se=vcov.startswith("CR1"))
    effect = _imputed(rows) if isinstance(spec, Imputation) else _saturated(rows, spec)
    by = f"statsmodels {version('statsmodels')}, dummy variables"
    event = rows["year"] - rows["entry"]
    weight = rows["weight"].where(effect.notna(), 0.0)

    def mean(which: pd.Series) -> float:
        return float((effect * weight)[which].sum() / weight[which].sum())

    found = [
        Recomputed("att_event_time", f"e{int(value)}", mean(event == value), None, by)
        for value in np.unique(event[effect.notna()])
    ]
    late = effect.notna() & (event >= load("follow_up").headline_from_event_time)
    if late.any():
        found.append(Recomputed("att_third_year_on", "", mean(late), None, by))
    return found


def school_years(cohort: Cohort, spec: Spec, panel: Path) -> pd.DataFrame:
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
    rows = rows[rows.groupby("school")["year"].transform("size") > 1]
    never_only = isinstance(spec, SunAbraham) or (isinstance(spec, ExtendedTwoWay) and spec.comparison == "never")
    if never_only:
        rows = rows[~(rows["entry"] > rows["year"].max())]
    return rows.reset_index(drop=True).astype({"school": "int64", "weight": "float64"})


def _two_way(rows: pd.DataFrame, spec: EventStudy | TwoWay, *, with_se: bool) -> list[Recomputed]:
    from linearmodels.panel import PanelOLS

    if isinstance(spec, TwoWay):
        values: list[int] = []
        pooled = pd.Series(math.nan, index=rows.index)
        effects = (rows["year"] >= rows["entry"]).to_numpy(dtype=np.float64)[:, None]
    else:
        years = np.sort(rows["year"].unique())
        base = rows["entry"].map(lambda entry: years[years < entry][-1] if np.isfinite(entry) else math.nan)
        event = (rows["year"] - rows["entry"]).clip(spec.minimum_event_time, spec.maximum_event_time)
        pooled = event.mask(rows["year"] == base)
        values = sorted(pooled.dropna().unique().astype(int))
        effects = np.column_stack([(pooled == value).to_numpy(dtype=np.float64) for value in values])
    index = pd.MultiIndex.from_arrays([rows["school"], rows["year"]])
    fit = PanelOLS(
        pd.Series(rows["y"].to_numpy(), index=index, name="y"),
        pd.DataFrame(effects, index=index, columns=[f"x{j}" for j in range(effects.shape[1])]),
        entity_effects=True,
        time_effects=True,
        weights=pd.Series(rows["weight"].to_numpy(), index=index, name="weight"),
    ).fit(
        cov_type="clustered",
        clusters=pd.DataFrame({"cluster": rows["cluster"].to_numpy()}, index=index),
        group_debias=False,
        count_effects=False,
        auto_df=False,
        debiased=False,
    )
    n, k, g = len(rows), effects.shape[1], rows["cluster"].nunique()
    factor = g / (g - 1) * (n - 1) / (n - k - rows["year"].nunique())
    params, covariance = fit.params.to_numpy(), fit.cov.to_numpy() * factor
    by = f"linearmodels {version('linearmodels')}"

    def of(share: Array, estimand: str, term: str) -> Recomputed:
        se = math.sqrt(float(share @ covariance @ share)) if with_se else None
        return Recomputed(estimand, term, float(share @ params), se, by)

    if isinstance(spec, TwoWay):
        return [of(np.ones(1), "att_overall", "")]
    found = [of(np.eye(k)[j], "att_event_time", f"e{value}") for j, value in enumerate(values)]
    late = np.array([float(value >= load("follow_up").headline_from_event_time) for value in values])
    mass = late * np.array([rows.loc[pooled == value, "weight"].sum() for value in values])
    if mass.any():
        found.append(of(mass / mass.sum(), "att_third_year_on", ""))
    return found


def _imputed(rows: pd.DataFrame) -> pd.Series:
    """Outcome less its prediction from school and year effects of the school-years before joining; else missing."""
    import statsmodels.api as sm

    untreated = ~(rows["year"] >= rows["entry"])
    known = rows["year"].isin(rows.loc[untreated, "year"]) & rows["school"].isin(rows.loc[untreated, "school"])
    design = pd.concat(
        [pd.get_dummies(rows["school"], dtype="float64"), pd.get_dummies(rows["year"], dtype="float64").iloc[:, 1:]],
        axis=1,
    ).to_numpy()
    fit = sm.WLS(rows.loc[untreated, "y"], design[untreated], weights=rows.loc[untreated, "weight"]).fit()
    gap = rows["y"] - design @ np.asarray(fit.params)
    effect: pd.Series = gap.where(known & ~untreated)
    return effect


def _saturated(rows: pd.DataFrame, spec: SunAbraham | ExtendedTwoWay) -> pd.Series:
    """The coefficient of each school-year's entry group and year; missing where it has none."""
    import statsmodels.api as sm

    own = rows["entry"].notna()
    if isinstance(spec, SunAbraham) or spec.comparison == "never":
        before = rows["year"].where(rows["year"] < rows["entry"])
        own &= rows["year"] != before.groupby(rows["entry"]).transform("max")
    else:
        own &= rows["year"] >= rows["entry"]
    group_time = (rows["entry"].fillna(0).astype("int64") * 10_000 + rows["year"]).where(own, 0)
    effects = pd.get_dummies(group_time, dtype="float64").drop(columns=0)
    schools = pd.get_dummies(rows["school"], dtype="float64")
    years = pd.get_dummies(rows["year"], dtype="float64").iloc[:, 1:]
    design = np.hstack([effects.to_numpy(), years.to_numpy(), schools.to_numpy()])
    fit = sm.WLS(rows["y"].to_numpy(), design, weights=rows["weight"].to_numpy()).fit()
    coefficients = dict(zip(effects.columns, np.asarray(fit.params), strict=False))
    return group_time.map(coefficients)
