"""Effect of having taken part on schools that have left, against schools that never join: what is left of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from plneval import did
from plneval.config.models import GroupTime
from plneval.config.network_models import AfterLeaving
from plneval.did.few_clusters import combine, of_group_times
from plneval.estimate.cell_members import Members
from plneval.estimate.counts import PupilCounts
from plneval.estimate.fit import Estimate, Fit, unestimable
from plneval.estimate.group_time import COMPARISONS, Statistic, estimate_effects, fit_of, without_references
from plneval.estimate.inference import long_covariance
from plneval.estimate.sample import Exclusions, SchoolSample, modelled_column, read_school_sample
from plneval.estimate.school_panel import in_words, note_dropped
from plneval.networks.leaving import membership_states
from plneval.networks.study import NetworkStudy

CHOSEN: Final = (
    "schools chose to leave: it is taken that without the network they would have moved like schools that never joined"
)


TOLD: Final = ("group-times", "units × group-times", "standard errors")
"""What :mod:`plneval.did` lists as dropped and is no loss here: leavers are seen in few of the years."""


@dataclass(frozen=True)
class Outside:
    """The school-years of the model.

    Attributes
    ----------
    sample : comparison schools in all years, and schools that left: before joining, and in the years in which they were
        out. Other member schools are not in it.
    years_out : (rows of the sample) study years since the last membership, 0 before joining and for comparison schools.
    """

    sample: SchoolSample
    years_out: pd.Series


def after_leaving(study: NetworkStudy, spec: AfterLeaving) -> Fit:
    """Estimate the effect on pupils of schools that have left and are not back, by group-time cells after the exit.

    A cell compares an entry group's leavers in a year in which they are out with schools that never join, both with
    the group's last outcome year before joining: the effect of having joined at all, which is smaller than the effect
    on members if it fades. Averages weigh a cell by the leavers' pupils (or schools).

    # ASSUME: leavers would have moved like schools that never join, had they never joined.

    Returns
    -------
    Fit
        ``att_after_leaving``; ``att_after_leaving_event_time`` by study years out (``e0``: the first one; years without
        outcomes count, a return ends the count); ``pretrend``: that leavers moved alike before joining. Without any
        leaver the diagnostics say so.
    """
    column = modelled_column(study.cohort, spec.outcome)
    sample = read_school_sample(study.panel, study.cohort, spec.outcome, spec.subgroup, column, tuple(spec.covariates))
    pupils = PupilCounts.read(study.panel, spec.outcome, spec.subgroup)
    return fit_outside(outside(sample, membership_states(study.tables)), spec, pupils)


def fit_outside(found: Outside, spec: AfterLeaving, pupils: PupilCounts) -> Fit:
    """The model of :func:`after_leaving` on its school-years."""
    sample = found.sample
    comparison = COMPARISONS["never"]
    description = f"schools that left, with {sample.column} before joining and in a year out; schools that never join"
    diagnostics: dict[str, Any] = {
        "library": "plneval.did",
        "covariates": spec.covariates,
        "anticipation": spec.anticipation,
        "weights": "mean number of scored pupils" if sample.weight == "pupils" else "equal for all schools",
        "exclusions": sample.exclusions.rows,
        "intervals": "pointwise",
    }
    if not (found.years_out > 0).any():
        diagnostics["not_estimated"] = ["no member school was out of its networks in a year with outcomes"]
        return unestimable(spec.kind, sample.column, comparison, description, diagnostics)
    try:
        main = _average(sample, spec, pupils, "att_after_leaving", None, diagnostics)
    except did.DidError as reason:
        diagnostics["not_estimated"] = [in_words(str(reason))]
        return unestimable(spec.kind, sample.column, comparison, description, diagnostics)
    parts = [main, *_by_years_out(found, spec, pupils)]
    influence = pd.concat([part.influence for part in parts], ignore_index=True)
    estimates = tuple(one for part in parts for one in part.estimates)
    return replace(
        main,
        estimator=spec.kind,
        sample=description,
        estimates=estimates,
        covariance=_joint(influence, estimates),
        influence=influence,
        diagnostics=diagnostics,
        warnings=(CHOSEN, *main.warnings, *sample.exclusions.sentences()),
    )


def outside(sample: SchoolSample, states: pd.DataFrame) -> Outside:
    """Keep comparison schools, and of schools that left the years before joining and those out of their networks.

    Parameters
    ----------
    states : of :func:`plneval.networks.leaving.membership_states`.
    """
    rows = sample.rows.merge(
        states[["school", "year", "state", "years_out"]], on=["school", "year"], how="left", validate="one_to_one"
    )
    rows.index = sample.rows.index
    comparison = rows["entry_year"].isna()
    before = (rows["year"] < rows["entry_year"]).fillna(False).astype(bool)
    left = (rows["state"] == "left") & ~comparison
    leaver = rows["school"].isin(rows.loc[left, "school"])
    exclusions = Exclusions(list(sample.exclusions.rows))
    never_left = ~comparison & ~leaver
    exclusions.add("schools", rows.loc[never_left, "school"].nunique(), "never seen out of their networks")
    exclusions.add("school-years", int((leaver & ~before & ~left).sum()), "of leavers while they were members")
    kept = comparison | (leaver & (before | left))
    return Outside(
        replace(sample, rows=sample.rows.loc[kept].reset_index(drop=True), exclusions=exclusions),
        rows["years_out"].where(left, 0).loc[kept].astype("int64").reset_index(drop=True),
    )


def _average(
    sample: SchoolSample,
    spec: AfterLeaving,
    pupils: PupilCounts,
    estimand: str,
    event_time: int | None,
    diagnostics: dict[str, Any],
) -> Fit:
    """The average over the cells from joining on (all of them after the exit), and the test before joining.

    Raises
    ------
    DidError
        If no cell after the exit can be estimated.
    """
    cells = GroupTime.of(spec)
    effects, lone_cluster = estimate_effects(sample, cells)
    note_dropped(sample.exclusions, effects.dropped, told=TOLD)
    members = Members(effects)
    effects = without_references(effects)
    adjusted, df = of_group_times(effects.adjusted)
    by_cluster, event = effects.by_cluster(), effects.times - effects.groups
    statistics = [
        Statistic(
            "att_group_time",
            f"g{int(effects.groups[k])}:t{int(effects.times[k])}",
            int(event[k]),
            float(effects.att[k]),
            by_cluster[:, k],
            adjusted[:, k],
            float(df[k]),
            (cell,),
        )
        for k, cell in enumerate(effects.estimated)
        if event[k] < 0
    ]
    mean = effects.aggregate("simple").overall_mean
    rows, of = combine(effects, effects.adjusted, [mean])
    after = tuple(cell for cell, late in zip(effects.estimated, event >= 0, strict=True) if late)
    term = "" if event_time is None else f"e{event_time}"
    own = (mean.by_cluster, rows[:, 0], float(of[0]))
    statistics.append(Statistic(estimand, term, event_time, mean.value(effects.att), *own, after))
    if event_time is None:
        diagnostics["cells"] = len(after)
    fit = fit_of(sample, cells, members, pupils, statistics, diagnostics, lone_cluster)
    small = any(one.estimand == estimand and one.df is not None for one in fit.estimates)
    wanted = {estimand} | ({"pretrend"} if event_time is None else set())
    return replace(
        fit,
        estimates=tuple(one for one in fit.estimates if one.estimand in wanted),
        influence=fit.influence.loc[fit.influence["term"] == f"{estimand}|{term}"],
        warnings=tuple(note for note in effects.adjusted.notes if small),
    )


def _by_years_out(found: Outside, spec: AfterLeaving, pupils: PupilCounts) -> list[Fit]:
    """The same for each number of study years since the last membership; leavers differ between them."""
    parts = []
    for out in sorted(found.years_out.loc[found.years_out > 0].unique().tolist()):
        of_year = found.years_out == out
        leavers = found.sample.rows.loc[of_year, "school"]
        chosen = of_year | ((found.years_out == 0) & _comparison_or(found.sample.rows, leavers))
        part = replace(found.sample, rows=found.sample.rows.loc[chosen].reset_index(drop=True), exclusions=Exclusions())
        try:
            parts.append(_average(part, spec, pupils, "att_after_leaving_event_time", int(out) - 1, {}))
        except did.DidError as reason:
            told = in_words(str(reason)).split(";")[0]
            found.sample.exclusions.add("estimates", 1, told, years_out=int(out))
    return parts


def _comparison_or(rows: pd.DataFrame, schools: pd.Series) -> pd.Series:
    return rows["entry_year"].isna() | rows["school"].isin(schools)


def _joint(influence: pd.DataFrame, estimates: tuple[Estimate, ...]) -> pd.DataFrame:
    """Covariance of all estimates by cluster; what a lone group borrows from its comparison is shared with no other."""
    keys = [one.key for one in estimates if one.se is not None]
    if not keys:
        return long_covariance([], np.zeros((0, 0)))
    borrowed = influence["cluster"].isna()
    own = influence.loc[~borrowed].pivot(index="cluster", columns="term", values="influence")
    matrix = own.reindex(columns=keys).fillna(0.0).to_numpy(dtype=np.float64)
    covariance = matrix.T @ matrix
    extra = influence.loc[borrowed].groupby("term")["influence"].agg(lambda values: math.fsum(values**2))
    covariance[np.diag_indices(len(keys))] += extra.reindex(keys).fillna(0.0).to_numpy(dtype=np.float64)
    return long_covariance(keys, covariance)
