"""Two-way fixed effects event study on school-years (linearmodels), shown for comparison with group-time effects."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval.config.models import EventStudy
from plneval.estimate.cells import base_year
from plneval.estimate.counts import PupilCounts, basis_of
from plneval.estimate.fit import Estimate, Fit, unestimable
from plneval.estimate.independence import independent_columns
from plneval.estimate.inference import NO_STANDARD_ERROR, influence_table, long_covariance
from plneval.estimate.sample import SchoolSample
from plneval.standards import load

ESTIMATOR = "twfe_event_study"
COMPARISON = "schools that never join and, implicitly, schools that have already joined"
CAUTION = "biased where effects differ between entry groups; for comparison only"
Array = npt.NDArray[np.float64]


class NotIdentified(Exception):
    """The regressors cannot be told apart from each other or from the effects; the message names them."""


@dataclass(frozen=True)
class TwoWay:
    """Coefficients of a two-way fixed effects regression.

    Attributes
    ----------
    names, params : the regressors (without year indicators) and their coefficients.
    influence : by cluster, shape (G, K): score times inverse information, times the root of the small-sample factor,
        so that the covariance matrix is influence' influence.
    factor : that small-sample factor.
    """

    names: tuple[str, ...]
    params: Array
    influence: Array
    clusters: npt.NDArray[np.int64]
    factor: float


def two_way_fit(rows: pd.DataFrame, regressors: pd.DataFrame) -> TwoWay:
    r"""Regress y on the regressors, school effects and year effects, weighted, clustered by ``cluster``.

    The covariance is :math:`\frac{G}{G-1}\frac{n-1}{n-K}` times the sandwich, with K the regressors and the year
    effects; school effects are not counted, as they are nested in the clusters (the convention of fixest; linearmodels'
    own ``group_debias`` and ``count_effects`` count either all effects or none).

    Parameters
    ----------
    rows : school, year, y, weight, cluster; at most one row for each school and year.
    regressors : indicators on the index of ``rows``.

    Raises
    ------
    NotIdentified
        If the regressors are linearly dependent given the effects.
    """
    from linearmodels.panel import PanelOLS

    years = pd.get_dummies(rows["year"], prefix="year", dtype="float64").iloc[:, 1:]
    design = pd.concat([years, regressors.astype("float64")], axis=1)
    within = _within_schools(rows, design.to_numpy())
    dependent = [str(name) for name, kept in zip(design, independent_columns(within), strict=True) if not kept]
    if dependent:
        raise NotIdentified(f"not told apart from school and year effects: {', '.join(dependent)}")
    index = pd.MultiIndex.from_arrays([rows["school"].to_numpy(np.int64), rows["year"].to_numpy(np.int64)])
    result = PanelOLS(
        pd.Series(rows["y"].to_numpy(), index=index, name="y"),
        design.set_axis(index),
        entity_effects=True,
        weights=pd.Series(rows["weight"].to_numpy(), index=index, name="weight"),
    ).fit(
        cov_type="clustered",
        clusters=pd.DataFrame({"cluster": rows["cluster"].to_numpy(np.int64)}, index=index),
        group_debias=False,
        count_effects=False,
        auto_df=False,
        debiased=False,
    )
    clusters, cluster = np.unique(rows["cluster"].to_numpy(np.int64), return_inverse=True)
    n, k = len(rows), regressors.shape[1]
    groups = len(clusters)
    factor = groups / (groups - 1) * (n - 1) / (n - k - years.shape[1] - 1) if groups > 1 else math.nan
    influence = _influence(rows, within, result.params.to_numpy(), cluster, groups)
    if not np.allclose(influence.T @ influence, result.cov.to_numpy(), rtol=1e-6, atol=1e-12):
        raise RuntimeError("the cluster influence does not give the covariance matrix of linearmodels")
    return TwoWay(
        tuple(str(name) for name in regressors.columns),
        result.params.to_numpy()[-k:],
        influence[:, -k:] * math.sqrt(factor),
        clusters,
        factor,
    )


def _influence(rows: pd.DataFrame, within: Array, params: Array, cluster: npt.NDArray[np.int64], groups: int) -> Array:
    """Scores of the school-demeaned regression by cluster, times the inverse information; shape (G, years + K)."""
    weight = rows["weight"].to_numpy(np.float64)
    residual = _within_schools(rows, rows[["y"]].to_numpy(np.float64))[:, 0] - within @ params
    by_cluster = np.zeros((groups, within.shape[1]))
    np.add.at(by_cluster, cluster, within * (weight * residual)[:, None])
    return np.asarray(np.linalg.solve(within.T @ (weight[:, None] * within), by_cluster.T).T)


def _within_schools(rows: pd.DataFrame, columns: Array) -> Array:
    """Columns less their weighted means within schools, shape (n, K)."""
    weight = rows["weight"].to_numpy(np.float64)[:, None]
    school = np.unique(rows["school"].to_numpy(np.int64), return_inverse=True)[1]
    totals = np.zeros((school.max() + 1, columns.shape[1] + 1))
    np.add.at(totals, school, weight * np.column_stack([np.ones(len(rows)), columns]))
    return np.asarray(columns - (totals[:, 1:] / totals[:, :1])[school])


def event_study(sample: SchoolSample, spec: EventStudy, pupils: PupilCounts) -> Fit:
    """Event-time coefficients with binned ends, their average from the third year on, and the one-coefficient version.

    The reference is, for each entry group, its last observed year before joining: event time -1, or an earlier one
    where that year has no outcomes. Event times beyond ``minimum_event_time`` and ``maximum_event_time`` are pooled
    into them.

    Returns
    -------
    Fit
        ``att_event_time``; ``att_third_year_on`` (mean of the event times from the third year on, weighted by treated
        pupils or schools, weights taken as fixed); ``att_overall`` (the single coefficient of ``treated``).
    """
    from importlib.metadata import version

    rows = _usable(sample)
    diagnostics: dict[str, Any] = {
        "library": f"linearmodels {version('linearmodels')}",
        "formula": "y ~ event time + school effects + year effects",
        "weights": "mean number of scored pupils" if sample.weight == "pupils" else "equal for all schools",
        "reference_years": {},
        "exclusions": sample.exclusions.rows,
    }
    description = f"school-years with {sample.column}"
    observed = tuple(sorted({int(year) for year in rows["year"]}))
    member = rows["entry_year"].notna()
    if rows.empty or not member.any() or member.all():
        diagnostics["not_estimated"] = ["members with an outcome before joining and comparison schools are both needed"]
        return unestimable(ESTIMATOR, sample.column, COMPARISON, description, diagnostics)
    bases = {
        int(group): base_year(int(group), observed, 0) for group in sorted(rows.loc[member, "entry_year"].unique())
    }
    diagnostics["reference_years"] = {str(group): year for group, year in bases.items()}
    bins = _bins(rows, bases, spec)
    try:
        dynamic = two_way_fit(rows, _indicators(bins))
        static = two_way_fit(rows, (rows["year"] >= rows["entry_year"]).fillna(False).to_frame("treated"))
    except NotIdentified as reason:
        diagnostics["not_estimated"] = [str(reason)]
        return unestimable(ESTIMATOR, sample.column, COMPARISON, description, diagnostics)
    diagnostics["small_sample_factor"] = {"event_study": dynamic.factor, "single_coefficient": static.factor}
    return _fit(sample, rows, bins, dynamic, static, pupils, diagnostics, description)


def _usable(sample: SchoolSample) -> pd.DataFrame:
    """Rows without members that have no outcome before joining, and without schools that are seen only once."""
    rows = sample.rows
    entry = rows["entry_year"].astype("Float64")
    before = (rows["year"] < entry).fillna(True).astype(bool).groupby(rows["school"]).transform("any")
    sample.exclusions.add("schools", rows.loc[~before, "school"].nunique(), "no outcome before joining")
    rows = rows.loc[before]
    once = rows.groupby("school")["year"].transform("size") == 1
    sample.exclusions.add("schools", rows.loc[once, "school"].nunique(), "outcome in a single year")
    return rows.loc[~once].reset_index(drop=True)


def _bins(rows: pd.DataFrame, bases: dict[int, int | None], spec: EventStudy) -> pd.Series:
    """Event time with pooled ends; missing for comparison schools and in each group's reference year."""
    event_time = (rows["year"] - rows["entry_year"]).astype("Int64")
    reference = rows["year"] == rows["entry_year"].map(bases).astype("Int64")
    pooled = event_time.clip(spec.minimum_event_time, spec.maximum_event_time)
    return pooled.mask(reference.fillna(False).astype(bool))


def _indicators(bins: pd.Series) -> pd.DataFrame:
    values = sorted(int(value) for value in bins.dropna().unique())
    return pd.DataFrame({f"e{value}": (bins == value).fillna(False).astype("float64") for value in values})


def _fit(
    sample: SchoolSample,
    rows: pd.DataFrame,
    bins: pd.Series,
    dynamic: TwoWay,
    static: TwoWay,
    pupils: PupilCounts,
    diagnostics: dict[str, Any],
    description: str,
) -> Fit:
    used_sample = SchoolSample(rows, sample.column, sample.weight, sample.exclusions)
    everything = pd.Series(True, index=rows.index)
    values = [int(name[1:]) for name in dynamic.names]
    third = load("follow_up").headline_from_event_time
    combinations: list[tuple[str, str, int | None, float, Array, pd.Series]] = []
    for k, value in enumerate(values):
        treated = (bins == value).fillna(False).astype(bool)
        estimate = float(dynamic.params[k])
        combinations.append(("att_event_time", f"e{value}", value, estimate, dynamic.influence[:, k], treated))
    late = [k for k, value in enumerate(values) if value >= third]
    if late:
        # School-years weigh by their school's pupils, so an event time weighs as many treated pupils as it holds.
        mass = np.array([rows.loc[bins == values[k], "weight"].sum() for k in late])
        share = mass / mass.sum()
        treated = (bins >= third).fillna(False).astype(bool)
        estimate = float(share @ dynamic.params[late])
        combinations.append(("att_third_year_on", "", None, estimate, dynamic.influence[:, late] @ share, treated))
    else:
        diagnostics["no_headline"] = f"follow-up too short: no event time of {third} or more"
    ever = (rows["year"] >= rows["entry_year"]).fillna(False).astype(bool)
    combinations.append(("att_overall", "", None, float(static.params[0]), static.influence[:, 0], ever))
    estimates: list[Estimate] = []
    keys: list[str] = []
    columns: list[Array] = []
    for estimand, term, event_time, estimate, influence, treated in combinations:
        one = _estimate(used_sample, pupils, (estimand, term, event_time), estimate, influence, treated, everything)
        estimates.append(one)
        if one.se is not None:
            keys.append(one.key)
            columns.append(influence)
    stacked = np.column_stack(columns) if columns else np.empty((len(dynamic.clusters), 0))
    return Fit(
        ESTIMATOR,
        sample.column,
        COMPARISON,
        description,
        tuple(estimates),
        long_covariance(keys, stacked.T @ stacked),
        influence_table(dynamic.clusters, keys, stacked),
        diagnostics,
        warnings=(CAUTION, *sample.exclusions.sentences()),
    )


def _estimate(
    sample: SchoolSample,
    pupils: PupilCounts,
    name: tuple[str, str, int | None],
    estimate: float,
    influence: Array,
    treated: pd.Series,
    used: pd.Series,
) -> Estimate:
    """Attach a standard error: none below two clusters in an arm, t with min(arms) - 1 df below the limit of 40."""
    rules = load("cluster_rules")
    rows = sample.rows
    of_members = rows.groupby("cluster")["entry_year"].transform("count") > 0
    n_treated = int(rows.loc[treated, "cluster"].nunique())
    n_comparison = int(rows.loc[~of_members, "cluster"].nunique())
    smaller = min(n_treated, n_comparison)
    warnings: list[str] = []
    se: float | None = math.sqrt(float(influence @ influence))
    df: float | None = None
    if smaller < 2:
        # The score of a single treated cluster is zero by construction: its sandwich standard error means nothing.
        arm = "treated" if n_treated < 2 else "comparison"
        warnings.append(NO_STANDARD_ERROR.format(reason=f"fewer than two {arm} clusters"))
        se, vcov = None, "none"
    elif smaller < rules.small_sample_below:
        df, vcov = float(smaller - 1), f"CR1, t({smaller - 1})"
        if n_treated < rules.wild_bootstrap_minimum_treated:
            warnings.append(f"only {n_treated} treated clusters: the interval is unreliable")
    else:
        vcov = "CR1, normal"
    basis = basis_of(sample, pupils, used, treated, (n_treated, n_comparison))
    return Estimate(*name, estimate, se, df, vcov, basis, warnings=tuple(warnings))
