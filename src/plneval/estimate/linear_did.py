"""Difference-in-differences by one regression or imputation on all school-years (:mod:`plneval.did`)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval import did
from plneval.config.models import EventStudy, ExtendedTwoWay, Imputation, LinearDid, SunAbraham, TwoWay
from plneval.did.linear_effects import LinearEffects
from plneval.estimate.counts import PupilCounts, basis_of
from plneval.estimate.fit import Estimate, Fit, unestimable
from plneval.estimate.inference import influence_table, long_covariance
from plneval.estimate.sample import SchoolSample
from plneval.estimate.school_panel import COLUMNS, in_words, note_dropped, school_panel
from plneval.standards import load

Array = npt.NDArray[np.float64]
Spec = LinearDid | EventStudy | TwoWay
NOT_YET: Final = "schools that never join or have not yet joined"
NEVER: Final = "schools that never join"
ALREADY: Final = "schools that never join and, implicitly, schools that have already joined"
CAUTION: Final = "biased where effects differ between entry groups; for comparison only"


@dataclass(frozen=True)
class _Statistic:
    """A number to be reported, and the school-years whose outcome it is about."""

    estimand: str
    term: str
    event_time: int | None
    estimate: float
    se: float
    df: float
    by_cluster: Array
    treated: pd.Series


def linear_did(sample: SchoolSample, spec: Spec, pupils: PupilCounts) -> Fit:
    """Effects by entry group and year, by event time, overall and from the third year on.

    Averages weigh school-years by their school's weight: treated pupils or schools. Standard errors follow the rule of
    :mod:`plneval.did`: CR2 with fewer than 40 clusters in either arm, CR1 otherwise.

    Returns
    -------
    Fit
        ``att_group_time`` (where the estimator has them), ``att_event_time``, ``att_overall``, ``att_third_year_on``.
        The two-way event study has its event times with pooled ends, ``did.twfe`` the single coefficient only.
    """
    frame, covariates = school_panel(sample, getattr(spec, "covariates", ()))
    rows = _usable(sample, frame, spec)
    description = f"school-years with {sample.column}"
    diagnostics: dict[str, Any] = {
        "library": "plneval.did",
        "covariates": list(getattr(spec, "covariates", ())),
        "weights": "mean number of scored pupils" if sample.weight == "pupils" else "equal for all schools",
        "exclusions": sample.exclusions.rows,
        "intervals": "pointwise",
    }
    if isinstance(spec, EventStudy | TwoWay) and rows["entry_year"].notna().all():
        diagnostics["not_estimated"] = ["members with an outcome before joining and comparison schools are both needed"]
        return unestimable(spec.kind, sample.column, _comparison(spec), description, diagnostics)
    try:
        result = estimator(spec, _vcov(rows, spec))(rows, covariates)
    except did.DidError as reason:
        diagnostics["not_estimated"] = [in_words(str(reason))]
        return unestimable(spec.kind, sample.column, _comparison(spec), description, diagnostics)
    note_dropped(sample.exclusions, result.dropped)
    if isinstance(spec, EventStudy):
        diagnostics["reference_years"] = _reference_years(rows)
    diagnostics["standard_errors"] = f"{result.vcov_type}: {result.vcov_reason}"
    statistics = _statistics(result, rows, spec, diagnostics)
    return _fit(sample, spec, pupils, result, rows, statistics, diagnostics, description)


def estimator(spec: Spec, vcov: str | None) -> Callable[[pd.DataFrame, list[str]], LinearEffects]:
    """The function of :mod:`plneval.did` that a model names, with its options; takes school-years and covariates."""
    options: dict[str, Any] = {**COLUMNS, "panel": True, "missing_entry": "never", "level": spec.confidence}
    options["vcov"] = vcov
    if isinstance(spec, EventStudy):
        options |= {"reference": "last", "min_event": spec.minimum_event_time, "max_event": spec.maximum_event_time}
        options["late_entry"] = "group"
        return lambda frame, _: did.event_study(frame, **options)
    if isinstance(spec, TwoWay):
        return lambda frame, _: did.twfe(frame, **options)
    options["anticipation"] = spec.anticipation
    if isinstance(spec, Imputation):
        function = did.imputation if spec.kind == "did.imputation" else did.two_stage
        return lambda frame, covariates: function(frame, **options, covariates=covariates or None)
    if isinstance(spec, SunAbraham):
        return lambda frame, covariates: did.sun_abraham(frame, **options, covariates=covariates or None)
    assert isinstance(spec, ExtendedTwoWay)
    options["comparison"] = spec.comparison
    return lambda frame, covariates: did.extended_twfe(frame, **options, covariates=covariates or None)


def _comparison(spec: Spec) -> str:
    if isinstance(spec, EventStudy | TwoWay):
        return ALREADY
    never = isinstance(spec, SunAbraham) or (isinstance(spec, ExtendedTwoWay) and spec.comparison == "never")
    return NEVER if never else NOT_YET


def _vcov(rows: pd.DataFrame, spec: Spec) -> str | None:
    """Small-sample standard errors where few clusters stand behind the headline, if not behind the whole fit.

    :mod:`plneval.did` counts all treated clusters; those that are seen from the third year on may be fewer.
    """
    rules = load("cluster_rules")
    late = rows["event"] >= load("follow_up").headline_from_event_time
    about = late if late.any() and not isinstance(spec, TwoWay) else rows["event"] >= 0
    smaller = min(rows.loc[about, "cluster"].nunique(), _comparison_clusters(rows))
    if smaller >= rules.small_sample_below:
        return None
    return "cr2"


def _comparison_clusters(rows: pd.DataFrame) -> int:
    """Clusters without a member school."""
    of_members = rows["entry_year"].notna().groupby(rows["cluster"]).transform("any")
    return int(rows.loc[~of_members, "cluster"].nunique())


def _usable(sample: SchoolSample, frame: pd.DataFrame, spec: Spec) -> pd.DataFrame:
    """School-years that a regression can use, with ``event``: their event time, missing where they are a reference.

    Left out: schools that joined before their first outcome, those seen only once, and, where members are compared with
    schools that never join, those that join after the last outcome year.
    """
    before = ~(frame["year"] >= frame["entry_year"]).groupby(frame["school"]).transform("all")
    sample.exclusions.add("schools", frame.loc[~before, "school"].nunique(), "no outcome before joining")
    frame = frame.loc[before]
    once = frame.groupby("school")["year"].transform("size") == 1
    sample.exclusions.add("schools", frame.loc[once, "school"].nunique(), "outcome in a single year")
    frame = frame.loc[~once]
    if _comparison(spec) == NEVER and len(frame):
        late = frame["entry_year"] > frame["year"].max() + getattr(spec, "anticipation", 0)
        reason = "joined after the last outcome year: neither treated nor a school that never joins"
        sample.exclusions.add("schools", frame.loc[late, "school"].nunique(), reason)
        frame = frame.loc[~late]
    event = frame["year"] - frame["entry_year"]
    if isinstance(spec, EventStudy):
        last_before = frame["year"].where(event < 0).groupby(frame["entry_year"]).transform("max")
        pooled = event.clip(spec.minimum_event_time, spec.maximum_event_time)
        event = pooled.mask(frame["year"] == last_before)
    return frame.assign(event=event)


def _reference_years(rows: pd.DataFrame) -> dict[str, int]:
    """The last observed year before joining, by entry group."""
    before = rows[rows["year"] < rows["entry_year"]]
    return {str(int(group)): int(year) for group, year in before.groupby("entry_year")["year"].max().items()}  # type: ignore[call-overload]


def _statistics(result: LinearEffects, rows: pd.DataFrame, spec: Spec, diagnostics: dict[str, Any]) -> list[_Statistic]:
    member = rows["entry_year"].notna()
    after = member & (rows["year"] >= rows["entry_year"])
    if isinstance(spec, TwoWay):
        return [_overall("att_overall", result, after)]
    statistics: list[_Statistic] = []
    if not isinstance(spec, EventStudy):
        cells = result.aggregate("group_time")
        keys = cells.table[["group", "time"]].astype(int).itertuples(index=False, name=None)
        for row, (group, year) in enumerate(keys):
            about = (rows["entry_year"] == group) & (rows["year"] == year)
            statistics += _row(cells, row, "att_group_time", f"g{group}:t{year}", year - group, about)
    dynamic = result.aggregate("dynamic")
    for row, e in enumerate(int(e) for e in dynamic.table["event_time"]):
        statistics += _row(dynamic, row, "att_event_time", f"e{e}", e, rows["event"] == e)
    statistics.append(_overall("att_overall", result.aggregate("simple"), after))
    third = load("follow_up").headline_from_event_time
    late = member & (rows["event"] >= third)
    if late.any():
        statistics.append(_overall("att_third_year_on", result.aggregate("simple", min_event=third), late))
    else:
        diagnostics["no_headline"] = f"follow-up too short: no event time of {third} or more"
    return statistics


def _row(
    result: LinearEffects, row: int, estimand: str, term: str, event_time: int, about: pd.Series
) -> list[_Statistic]:
    """A row of a result as a statistic; nothing for a reference, which is zero by definition."""
    found = result.table.iloc[row]
    by_cluster = result.by_cluster[:, 1 + row]
    if found["estimate"] == 0 and math.isnan(found["se"]) and not by_cluster.any():
        return []
    numbers = [float(found[name]) for name in ("estimate", "se", "df")]
    return [_Statistic(estimand, term, event_time, numbers[0], numbers[1], numbers[2], by_cluster, about)]


def _overall(estimand: str, result: LinearEffects, about: pd.Series) -> _Statistic:
    return _Statistic(estimand, "", None, result.estimate, result.se, result.df, result.by_cluster[:, 0], about)


def _fit(
    sample: SchoolSample,
    spec: Spec,
    pupils: PupilCounts,
    result: LinearEffects,
    rows: pd.DataFrame,
    statistics: list[_Statistic],
    diagnostics: dict[str, Any],
    description: str,
) -> Fit:
    used = pd.Series(sample.rows.index.isin(rows.index), index=sample.rows.index)
    # Without schools that never join all clusters compare before their members join.
    n_comparison = _comparison_clusters(rows) or result.n_comparison_clusters
    estimates, columns = [], []
    for one in statistics:
        about = one.treated.reindex(sample.rows.index, fill_value=False)
        n_treated = int(rows.loc[one.treated, "cluster"].nunique())
        basis = basis_of(sample, pupils, used, about, (n_treated, n_comparison))
        estimate = _estimate(one, result, basis)
        estimates.append(estimate)
        if estimate.se is not None:
            columns.append((estimate.key, one.by_cluster))
    keys = [key for key, _ in columns]
    influence = np.column_stack([column for _, column in columns]) if columns else np.empty((len(result.clusters), 0))
    cautions = (CAUTION,) if isinstance(spec, EventStudy | TwoWay) else ()
    return Fit(
        spec.kind,
        sample.column,
        _comparison(spec),
        description,
        tuple(estimates),
        long_covariance(keys, influence.T @ influence),
        influence_table(np.asarray(result.clusters, dtype=np.int64), keys, influence),
        diagnostics,
        warnings=(*cautions, *sample.exclusions.sentences()),
    )


def _estimate(one: _Statistic, result: LinearEffects, basis: Any) -> Estimate:
    """Attach the standard error; none below two clusters in an arm, where it would mean nothing."""
    rules = load("cluster_rules")
    arms = {"treated": basis.clusters_treated, "comparison": basis.clusters_comparison}
    warnings: list[str] = []
    short = [arm for arm, count in arms.items() if count < 2]
    known = not short and math.isfinite(one.se) and math.isfinite(one.df)
    if short:
        warnings.append(f"no standard error: fewer than two {short[0]} clusters")
    elif not known:
        warnings.append("no standard error: the data cannot give one")
    elif basis.clusters_treated < rules.wild_bootstrap_minimum_treated:
        warnings.append(f"only {basis.clusters_treated} treated clusters: the interval is unreliable")
    vcov = f"{result.vcov_type.upper()}, t({one.df:.1f})" if known else "none"
    return Estimate(
        one.estimand,
        one.term,
        one.event_time,
        one.estimate,
        one.se if known else None,
        one.df if known else None,
        vcov,
        basis,
        warnings=tuple(warnings),
    )
