"""Group-time effects of staggered joining (Callaway and Sant'Anna 2021) and their averages, on school-years."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval import did
from plneval.config.models import GroupTime, TripleDifference
from plneval.did.aggregate import Mean
from plneval.did.att_gt import GroupTimeEffects
from plneval.did.design import GroupTime as Cell
from plneval.did.few_clusters import combine, of_group_times
from plneval.estimate.cell_members import Members
from plneval.estimate.counts import PupilCounts, basis_of
from plneval.estimate.fit import Estimate, Fit, unestimable
from plneval.estimate.inference import ClusterError, cluster_error, covariance_table, influence_table
from plneval.estimate.pretrend import joint_test
from plneval.estimate.randomization import with_randomization
from plneval.estimate.sample import SchoolSample
from plneval.estimate.school_panel import COLUMNS, in_words, note_dropped, school_panel
from plneval.standards import load

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
COMPARISONS: Final = {
    "never": "schools that never join",
    "not_yet": "schools that never join or have not yet joined",
}


@dataclass(frozen=True)
class Statistic:
    """A number to be reported: a cell, or an average of cells.

    ``by_cluster`` (G,) holds what clusters add to its error by influence functions, ``adjusted`` (R,) the same by the
    method for few clusters, with rows after the clusters' for variation that is borrowed, and ``df`` its degrees of
    freedom.
    """

    estimand: str
    term: str
    event_time: int | None
    estimate: float
    by_cluster: Array
    adjusted: Array
    df: float
    cells: tuple[Cell, ...]
    warnings: tuple[str, ...] = ()


def group_time(
    sample: SchoolSample,
    spec: GroupTime,
    pupils: PupilCounts,
    minimum_entry_group: int = 1,
    seed: int = 1,
    strata: str | None = None,
) -> Fit:
    """Estimate every group-time cell and the averages over them by :func:`plneval.did.att_gt`.

    The base of a cell is its group's last observed year before joining; a cell rests on the schools seen in both years
    (``allow_unbalanced="pairwise"``), and averages weigh it by its treated schools. Schools that join after the last
    outcome year are no comparison for ``never``; their years before joining are tested.

    Parameters
    ----------
    sample : school-years; the treated group of a school is its entry year.
    minimum_entry_group : groups of fewer schools are reported with a warning.
    seed : of the randomisation test of the headline, where it rests on too few treated clusters for intervals.
    strata : column of the sample within whose values that test exchanges entry years; over all schools when left out.

    Returns
    -------
    Fit
        ``att_group_time`` for every cell; ``att_event_time`` before and after joining; ``att_overall`` (all cells from
        joining on); ``att_third_year_on`` (cells from the event time of the standard ``follow_up`` on) and its variant
        that weighs event times equally; ``pretrend``. Without any cell, or without one in the third year, the
        diagnostics say why.
    """
    comparison = COMPARISONS[spec.comparison]
    description = f"schools with {sample.column} in both years of a cell"
    diagnostics: dict[str, Any] = {
        "library": "plneval.did",
        "method": spec.method,
        "covariates": spec.covariates,
        "anticipation": spec.anticipation,
        "weights": f"mean number of scored {sample.weight}" if sample.weight == "pupils" else "equal for all schools",
        "exclusions": sample.exclusions.rows,
        "intervals": "pointwise",
    }
    try:
        effects, lone_cluster = estimate_effects(sample, spec)
    except did.DidError as reason:
        diagnostics["not_estimated"] = [in_words(str(reason))]
        return unestimable(spec.kind, sample.column, comparison, description, diagnostics)
    note_dropped(sample.exclusions, effects.dropped, told=("group-times", "units × group-times"))
    of_cells = Members(effects)
    _note_cells(sample, effects, of_cells)
    effects = without_references(effects)
    diagnostics["base_years"] = base_years(effects)
    diagnostics["cells"] = len(effects.estimated)
    if not (effects.times >= effects.groups).any():
        diagnostics["not_estimated"] = ["no cell from joining on can be estimated (see exclusions)"]
    statistics = statistics_of(effects, of_cells, diagnostics, minimum_entry_group)
    fit = fit_of(sample, spec, of_cells, pupils, statistics, diagnostics, lone_cluster, seed)
    return with_randomization(fit, sample, spec, seed, strata)


def estimate_effects(sample: SchoolSample, spec: GroupTime) -> tuple[GroupTimeEffects, bool]:
    """Group-time effects with a universal base, reference cells included; whether all treated are in one cluster.

    Effects of one treated cluster are clustered by school, so that there are any; their errors must not be used.

    Raises
    ------
    DidError
        If there is nothing to estimate.
    """
    frame, covariates = school_panel(sample, spec.covariates)
    frame = with_base_year(sample, frame, spec.anticipation)
    lone = frame.loc[frame["entry_year"].notna(), "cluster"].nunique() == 1
    columns = {name: column for name, column in COLUMNS.items() if not (lone and name == "cluster")}
    effects = did.att_gt(
        frame,
        **columns,
        covariates=covariates or None,
        comparison=spec.comparison,
        method=spec.method,
        panel=True,
        allow_unbalanced="pairwise",
        anticipation=spec.anticipation,
        base_period="universal",
        missing_entry="never",
        late_entry="group",
        level=spec.confidence,
    )
    return effects, bool(lone)


def with_base_year(sample: SchoolSample, frame: pd.DataFrame, anticipation: int) -> pd.DataFrame:
    """Without the schools of groups for which no year was observed before joining (and its anticipation)."""
    without = frame["entry_year"] - anticipation <= frame["year"].min()
    for group, schools in frame.loc[without].groupby("entry_year")["school"]:
        sample.exclusions.add("schools", schools.nunique(), "no outcome year before joining", group=int(str(group)[:4]))
    kept: pd.DataFrame = frame.loc[~without]
    return kept


def without_references(effects: GroupTimeEffects) -> GroupTimeEffects:
    """The same without the cells of the base years, which are zero by definition and would dilute averages."""
    kept = np.array([cell.time != cell.base for cell in effects.estimated])
    return replace(
        effects,
        estimated=tuple(cell for cell, keep in zip(effects.estimated, kept, strict=True) if keep),
        att=effects.att[kept],
        contributions=effects.contributions[:, kept],
        masses=None if effects.masses is None else effects.masses[:, kept],
    )


def _note_cells(sample: SchoolSample, effects: GroupTimeEffects, members: Members) -> None:
    """List groups seen before joining only, schools seen in one of a cell's years, and cells without an estimate."""
    design = effects.design
    for group in design.groups:
        if design.times[-1] < group < math.inf:
            reason = "no outcome year from joining on; only its years before are used"
            sample.exclusions.add("groups", 1, reason, group=int(group))
    failed = effects.dropped.loc[effects.dropped["kind"] == "group-times", "reason"]
    said = "; ".join(dict.fromkeys(in_words(str(reason)) for reason in failed))
    estimated = {(cell.group, cell.time) for cell in effects.estimated}
    for cell in design.planned:
        if cell.time == cell.base:
            continue
        where = {
            "group": int(design.groups[cell.group]),
            "year": int(design.times[cell.time]),
            "base": int(design.times[cell.base]),
        }
        both, one = members.arms(cell), members.seen_once(cell)
        for arm, schools in zip(("treated", "comparison"), one, strict=True):
            reason = "outcome in only one of the cell's two years"
            sample.exclusions.add("school × cell", int(schools.sum()), reason, arm=arm, **where)
        if (cell.group, cell.time) in estimated:
            continue
        empty = [arm for arm, schools in zip(("treated", "comparison"), both, strict=True) if not schools.any()]
        reason = f"no {empty[0]} school with an outcome in both years" if empty else f"not estimable: {said}"
        sample.exclusions.add("cells", 1, reason, **where)


def base_years(effects: GroupTimeEffects) -> dict[str, int]:
    """The base year of each entry group that has an effect."""
    design = effects.design
    found = {int(design.groups[cell.group]): int(design.times[cell.base]) for cell in effects.estimated}
    return {str(group): base for group, base in sorted(found.items())}


def statistics_of(
    effects: GroupTimeEffects, members: Members, diagnostics: dict[str, Any], minimum_entry_group: int
) -> list[Statistic]:
    """Cells, event times and the averages from joining on, in the order of the records."""
    event = effects.times - effects.groups
    by_cluster, (adjusted, df) = effects.by_cluster(), of_group_times(effects.adjusted)
    statistics: list[Statistic] = []
    for k, cell in enumerate(effects.estimated):
        group, year = int(effects.groups[k]), int(effects.times[k])
        few = members.arms(cell)[0].sum() < minimum_entry_group
        warnings = (f"fewer than {minimum_entry_group} schools joined in {group}",) if few else ()
        value, own = float(effects.att[k]), (by_cluster[:, k], adjusted[:, k], float(df[k]))
        term = f"g{group}:t{year}"
        statistics.append(Statistic("att_group_time", term, int(event[k]), value, *own, (cell,), warnings))

    def within(low: float, high: float = math.inf) -> tuple[Cell, ...]:
        inside = (event >= low) & (event <= high)
        return tuple(cell for cell, keep in zip(effects.estimated, inside, strict=True) if keep)

    def average(
        estimand: str, mean: Mean, cells: tuple[Cell, ...], e: int | None = None, said: tuple[str, ...] = ()
    ) -> Statistic:
        rows, of = combine(effects, effects.adjusted, [mean])
        own = (mean.by_cluster, rows[:, 0], float(of[0]))
        return Statistic(estimand, "" if e is None else f"e{e}", e, mean.value(effects.att), *own, cells, said)

    dynamic = effects.aggregate("dynamic")
    for key, mean in zip(dynamic.keys, dynamic.means, strict=True):
        statistics.append(average("att_event_time", mean, within(key, key), int(key)))
    if not within(0):
        return statistics
    statistics.append(average("att_overall", effects.aggregate("simple").overall_mean, within(0)))
    third = load("follow_up").headline_from_event_time
    if not within(third):
        diagnostics["no_headline"] = (
            f"follow-up too short: no cell with an event time of {third} or more, so there is no third-year effect"
        )
        return statistics
    late = effects.aggregate("simple", min_event=third).overall_mean
    statistics.append(average("att_third_year_on", late, within(third)))
    equal = effects.aggregate("dynamic", min_event=third)
    alone = [int(key) for key in equal.keys if members.cluster_arms(within(key, key))[0].sum() < 2]
    said = tuple(f"event time {e} rests on one treated cluster" for e in alone)
    statistics.append(average("att_third_year_on_equal", equal.overall_mean, within(third), None, said))
    return statistics


def fit_of(
    sample: SchoolSample,
    spec: GroupTime | TripleDifference,
    members: Members,
    pupils: PupilCounts,
    statistics: list[Statistic],
    diagnostics: dict[str, Any],
    lone_cluster: bool,
    seed: int = 1,
) -> Fit:
    """Statistics with their errors by the rule for few clusters, what they rest on, and the test before joining.

    ``seed`` is that of the test.
    """
    estimates: list[Estimate] = []
    errors: dict[str, ClusterError] = {}
    for statistic in statistics:
        error = _error(members, statistic, lone_cluster)
        used, treated = members.rows(sample.rows, statistic.cells)
        basis = basis_of(sample, pupils, used, treated, (error.clusters_treated, error.clusters_comparison))
        estimate = Estimate(
            statistic.estimand,
            statistic.term,
            statistic.event_time,
            statistic.estimate,
            error.se,
            error.df,
            error.vcov,
            basis,
            warnings=(*error.warnings, *statistic.warnings),
        )
        estimates.append(estimate)
        errors[estimate.key] = error
    keys = [estimate.key for estimate in estimates if estimate.se is not None]
    columns = [errors[key].influence for key in keys]
    influence = np.column_stack(columns) if columns else np.empty((len(members.clusters), 0))
    # Rows after the clusters' hold variation that lone groups borrow from their comparison.
    labels = pd.array([*np.asarray(members.clusters, dtype=np.int64)], dtype="Int64")
    borrowed = pd.array([pd.NA] * (len(influence) - len(labels)), dtype="Int64")
    clusters = pd.concat([pd.Series(labels), pd.Series(borrowed)], ignore_index=True)
    estimates.append(_pretrend(sample, spec, members, pupils, statistics, errors, diagnostics, seed))
    return Fit(
        spec.kind,
        sample.column,
        COMPARISONS[spec.comparison],
        f"schools with {sample.column} in both years of a cell",
        tuple(estimates),
        covariance_table(keys, influence),
        influence_table(clusters, keys, influence),
        dict(diagnostics),
        warnings=sample.exclusions.sentences(),
    )


def _error(members: Members, statistic: Statistic, lone_cluster: bool) -> ClusterError:
    treated, comparison = (int(arm.sum()) for arm in members.cluster_arms(statistic.cells))
    # Clustered by school for want of anything else, the treated ones are one cluster all the same.
    return cluster_error(
        statistic.by_cluster, statistic.adjusted, statistic.df, min(treated, 1) if lone_cluster else treated, comparison
    )


def _pretrend(
    sample: SchoolSample,
    spec: GroupTime | TripleDifference,
    members: Members,
    pupils: PupilCounts,
    statistics: list[Statistic],
    errors: dict[str, ClusterError],
    diagnostics: dict[str, Any],
    seed: int,
) -> Estimate:
    """Joint test that all cells before joining (and before the years of anticipation) are zero."""
    before = [
        statistic
        for statistic in statistics
        if statistic.estimand == "att_group_time" and (statistic.event_time or 0) < -spec.anticipation
    ]
    arms = {one.term: [int(arm.sum()) for arm in members.cluster_arms(one.cells)] for one in before}
    tested = [one for one in before if errors[f"att_group_time|{one.term}"].se is not None and min(arms[one.term]) > 1]
    cells = tuple(one.cells[0] for one in tested)
    counts = tuple(int(arm.sum()) for arm in members.cluster_arms(cells))
    used, of_treated = members.rows(sample.rows, cells)
    basis = basis_of(sample, pupils, used, of_treated, (counts[0], counts[1]))
    warnings: list[str] = []
    if len(tested) < len(before):
        warnings.append(f"{len(before) - len(tested)} cells before joining rest on one cluster and are not tested")
    if not tested:
        warnings.append("no test: no cell before joining beside the base year")
        diagnostics["pretrend"] = {"cells": 0}
        return Estimate(
            "pretrend", "joint", None, math.nan, None, None, "none", basis, scaled=False, warnings=tuple(warnings)
        )
    test = joint_test(members.effects, cells, (counts[0], counts[1]), seed)
    diagnostics["pretrend"] = {"cells": [one.term for one in tested], **test.diagnostics}
    return Estimate(
        "pretrend",
        "joint",
        None,
        test.statistic,
        None,
        test.df,
        test.vcov,
        basis,
        p=test.p,
        scaled=False,
        warnings=(*warnings, *test.warnings),
    )
