"""Synthetic difference-in-differences for few member schools (:func:`plneval.did.synthetic`), on school-years."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval import did
from plneval.config.models import Synthetic
from plneval.did.synthetic import SyntheticEffects
from plneval.estimate.counts import PupilCounts, basis_of
from plneval.estimate.fit import Estimate, Fit, no_covariance, unestimable
from plneval.estimate.inference import influence_table, long_covariance
from plneval.estimate.linear_did import NEVER
from plneval.estimate.sample import SchoolSample
from plneval.estimate.school_panel import COLUMNS, in_words, note_dropped, school_panel
from plneval.standards import load

Array = npt.NDArray[np.float64]
REPLICATIONS: Final = 200
"""Of placebo standard errors."""
NOT_GIVEN: Final = (
    "effects by entry group and year, and a test before joining: weights are chosen so that members and comparison "
    "schools moved alike before joining, so a test of that would be circular"
)
ERRORS: Final = {"jackknife": "jackknife by cluster, normal", "placebo": "placebo schools, normal"}


@dataclass(frozen=True)
class _Averages:
    """Effects averaged over the event times from one on, with the standard errors that the rule chose.

    ``refused`` says why there are none.
    """

    effects: SyntheticEffects
    errors: str
    reason: str
    refused: str


@dataclass(frozen=True)
class _Statistic:
    """A number to be reported; ``draws`` are its replications, ``about`` the school-years that it is about."""

    estimand: str
    term: str
    event_time: int | None
    estimate: float
    se: float
    draws: Array
    of: _Averages
    about: pd.Series


def synthetic_did(sample: SchoolSample, spec: Synthetic, pupils: PupilCounts, seed: int = 1) -> Fit:
    """Compare member schools with a weighted average of schools that never join and moved alike before joining.

    Every entry group has weights of its own, for schools and for years before joining; groups are averaged by treated
    school-years. The effect from the third year on has years of its own to average, and so weights of its own. Schools
    count equally; those not seen in every outcome year cannot be used.

    # ASSUME: outcomes follow few common factors, and comparison schools can be weighted to move as members would have.

    Parameters
    ----------
    seed : of placebo standard errors.

    Returns
    -------
    Fit
        ``att_event_time`` from joining on, ``att_overall``, ``att_third_year_on``. Standard errors by the rule of
        :func:`_averages`; the covariance of jackknife ones is that of the clusters' influence, placebo ones have none.
    """
    frame = _usable(sample)
    description = f"schools with {sample.column} in every outcome year"
    diagnostics: dict[str, Any] = {
        "library": "plneval.did",
        "weights": "equal for all schools",
        "not_given": NOT_GIVEN,
        "exclusions": sample.exclusions.rows,
        "intervals": "pointwise",
    }
    third = load("follow_up").headline_from_event_time
    try:
        whole = _averages(frame, spec, 0, seed)
    except did.DidError as reason:
        diagnostics["not_estimated"] = [in_words(str(reason))]
        return unestimable(spec.kind, sample.column, NEVER, description, diagnostics)
    note_dropped(sample.exclusions, whole.effects.dropped)
    statistics = [*_event_times(frame, whole), _average("att_overall", frame, whole, 0)]
    diagnostics["fit"] = _fit_of(whole.effects)
    diagnostics["standard_errors"] = whole.reason
    try:
        late = _averages(frame, spec, third, seed)
    except did.DidError:
        diagnostics["no_headline"] = f"follow-up too short: no event time of {third} or more"
    else:
        statistics.append(_average("att_third_year_on", frame, late, third))
        diagnostics["fit_third_year_on"] = _fit_of(late.effects)
        diagnostics["standard_errors_third_year_on"] = late.reason
        early = set(whole.effects.table["group"]) - set(late.effects.table["group"])
        sample.exclusions.add("groups", len(early), f"no event time of {third} or more: not in the third-year effect")
    return _fit(sample, frame, spec, pupils, statistics, diagnostics, description)


def _usable(sample: SchoolSample) -> pd.DataFrame:
    """School-years of schools seen in every outcome year; those that join after the last one are listed.

    The index is that of ``sample.rows``.
    """
    frame, _ = school_panel(sample, ())
    frame.index = sample.rows.index
    if frame.empty:
        return frame
    late = frame["entry_year"] > frame["year"].max()
    reason = "joined after the last outcome year: neither treated nor a school that never joins"
    sample.exclusions.add("schools", frame.loc[late, "school"].nunique(), reason)
    frame = frame.loc[~late]
    gaps = frame.groupby("school")["year"].transform("size") < frame["year"].nunique()
    sample.exclusions.add("schools", frame.loc[gaps, "school"].nunique(), "not seen in every outcome year")
    whole: pd.DataFrame = frame.loc[~gaps]
    return whole


def _averages(frame: pd.DataFrame, spec: Synthetic, min_event: int, seed: int) -> _Averages:
    """Estimates, with standard errors by rule.

    The jackknife leaves clusters out, networks whole, but rests on the variation between treated clusters; placebo
    errors need one treated school only, but take comparison schools to vary as members do, and schools to be
    independent. So placebo errors come first below the number of treated clusters under which others are unreliable.
    What cannot be had from the data gives way to the other.

    Raises
    ------
    DidError
        If there is nothing to estimate.
    """
    options: dict[str, Any] = {name: column for name, column in COLUMNS.items() if name != "weights"}
    options |= {"panel": True, "missing_entry": "never", "level": spec.confidence, "min_event": min_event, "seed": seed}
    options["replications"] = REPLICATIONS
    limit = load("cluster_rules").wild_bootstrap_minimum_treated
    if frame.empty:
        raise did.DidError("no school has outcomes in every outcome year")
    found: dict[str, SyntheticEffects] = {}
    refused = []
    for errors in ("jackknife", "placebo"):
        if "jackknife" in found and _treated_clusters(frame, found["jackknife"]) >= limit:
            continue
        try:
            found[errors] = did.synthetic(frame, **options, vcov=errors)
        except did.DidError as said:
            refused.append(f"{errors}: {in_words(str(said))}")
    for errors in ("placebo", "jackknife"):
        if errors in found:
            count = _treated_clusters(frame, found[errors])
            less = f"{count} treated clusters, {'fewer than' if count < limit else 'not fewer than'} {limit}"
            return _Averages(found[errors], errors, "; ".join((f"{errors}: {less}", *refused)), "")
    return _Averages(did.synthetic(frame, **options, vcov="none"), "none", "none", "; ".join(refused))


def _treated_clusters(frame: pd.DataFrame, found: SyntheticEffects) -> int:
    return int(frame.loc[frame["entry_year"].isin(found.table["group"]), "cluster"].nunique())


def _fit_of(effects: SyntheticEffects) -> list[dict[str, Any]]:
    """How each entry group was compared: distance before joining, and schools and years that carry weight.

    ``effective_schools`` is 1 / Σ weight².
    """
    rows = []
    for group, rmse in zip(effects.fit["group"], effects.fit["rmse_before"], strict=True):
        unit = effects.unit_weights.loc[effects.unit_weights["group"] == group, "weight"]
        years = effects.time_weights.loc[effects.time_weights["group"] == group, "weight"]
        rows.append(
            {
                "group": int(group),
                "rmse_before": float(rmse),
                "schools_with_weight": int((unit > 0).sum()),
                "effective_schools": float(1 / np.sum(unit**2)),
                "years_before": len(years),
                "years_with_weight": int((years > 0).sum()),
            }
        )
    return rows


def _event_times(frame: pd.DataFrame, of: _Averages) -> list[_Statistic]:
    event, treated = frame["year"] - frame["entry_year"], frame["entry_year"].isin(of.effects.table["group"])
    statistics = []
    for row, (key, value, se) in enumerate(
        of.effects.event_times[["event_time", "estimate", "se"]].itertuples(index=False, name=None)
    ):
        draws = of.effects.event_replications[:, row]
        about = treated & (event == key)
        statistics.append(_Statistic("att_event_time", f"e{int(key)}", int(key), value, se, draws, of, about))
    return statistics


def _average(estimand: str, frame: pd.DataFrame, of: _Averages, min_event: int) -> _Statistic:
    treated = frame["entry_year"].isin(of.effects.table["group"])
    about = treated & (frame["year"] - frame["entry_year"] >= min_event)
    effects = of.effects
    return _Statistic(estimand, "", None, effects.estimate, effects.se, effects.replications, of, about)


def _fit(
    sample: SchoolSample,
    frame: pd.DataFrame,
    spec: Synthetic,
    pupils: PupilCounts,
    statistics: list[_Statistic],
    diagnostics: dict[str, Any],
    description: str,
) -> Fit:
    index = sample.rows.index
    comparison = frame["entry_year"].isna()
    estimates, columns = [], {}
    for one in statistics:
        treated = frame["entry_year"].isin(one.of.effects.table["group"])
        used = pd.Series(index.isin(frame.index[treated | comparison]), index=index)
        of_treated = set(frame.loc[treated & one.about, "cluster"])
        counts = (len(of_treated), len(set(frame.loc[comparison, "cluster"]) - of_treated))
        about = one.about.reindex(index, fill_value=False)
        estimate = _estimate(one, basis_of(sample, pupils, used, about, counts))
        estimates.append(estimate)
        if estimate.se is not None and one.of.errors == "jackknife":
            columns[estimate.key] = _influence(one)
    influence = pd.DataFrame(columns).sort_index().fillna(0.0)
    matrix = influence.to_numpy(dtype=np.float64)
    return Fit(
        spec.kind,
        sample.column,
        NEVER,
        description,
        tuple(estimates),
        long_covariance(list(columns), matrix.T @ matrix) if columns else no_covariance(),
        influence_table(influence.index.to_numpy(dtype=np.int64), list(columns), matrix),
        diagnostics,
        warnings=("all schools count equally", *sample.exclusions.sentences()),
    )


def _influence(one: _Statistic) -> pd.Series:
    """What each cluster adds: sqrt((G - 1)/G) times the change when it is left out, from the mean of these."""
    n = len(one.draws)
    return pd.Series(
        (one.draws.mean() - one.draws) * math.sqrt((n - 1) / n),
        index=np.asarray(one.of.effects.clusters, dtype=np.int64),
    )


def _estimate(one: _Statistic, basis: Any) -> Estimate:
    """Attach the standard error and what to make of it."""
    limit = load("cluster_rules").wild_bootstrap_minimum_treated
    known = math.isfinite(one.se) and one.se > 0
    warnings: list[str] = []
    if one.of.refused:
        warnings.append(f"no standard error: {one.of.refused}")
    elif not known:
        warnings.append("no standard error: the data cannot give one")
    elif one.of.errors == "placebo":
        warnings.append("takes comparison schools to vary as member schools do, school by school")
    elif basis.clusters_treated < limit:
        warnings.append(f"only {basis.clusters_treated} treated clusters: the interval is unreliable")
    return Estimate(
        one.estimand,
        one.term,
        one.event_time,
        one.estimate,
        one.se if known else None,
        None,
        ERRORS[one.of.errors] if known else "none",
        basis,
        warnings=tuple(warnings),
    )
