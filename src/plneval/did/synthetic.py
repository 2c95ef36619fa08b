"""Synthetic difference-in-differences (Arkhangelsky and others 2021), by entry group where entry is staggered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.did.cells import Cells, as_cells, dropped_table
from plneval.did.columns import Floats, Integers
from plneval.did.errors import DidError
from plneval.did.synthetic_fit import METHODS, GroupPanel, effect_curves, equal_weights, find_weights
from plneval.did.synthetic_variance import (
    ERRORS,
    VCOVS,
    FittedGroups,
    Replications,
    bootstrap,
    by_event_time,
    jackknife,
    placebo,
    unreplicated,
)

Entry = tuple[str, str, int, Sequence[Any]]


@dataclass(frozen=True)
class SyntheticEffects:
    """Result of :func:`synthetic`.

    Attributes
    ----------
    method, vcov_type
        As asked for.
    estimate, se, ci_low, ci_high, p
        The average effect over treated units and periods; interval and test from the normal distribution.
    table
        One row for each entry group: group, estimate, se, ci_low, ci_high, n_treated, n_periods (averaged), weight
        (share of the treated unit-periods).
    effects
        One row for each group and period averaged: group, time, event_time, estimate, se.
    event_times
        One row for each event time, groups weighing as their treated units: event_time, estimate, se, n_treated.
    unit_weights, time_weights
        group, unit, weight; and group, time, weight (periods before entry; 0 for synthetic control). Each group's add
        up to 1, and the weights of 0 are among them.
    fit
        One row for each group: noise, zeta_unit, zeta_time (penalties), and rmse_before, the root mean square
        distance of the weighted comparison from the treated mean before entry, up to a constant (none for synthetic
        control).
    replications, event_replications
        (R,) estimates under resampling, and (R, E) those by event time; none for ``vcov="none"``.
    clusters
        Labels of the clusters that the jackknife leaves out, in the order of its replications; otherwise all in use.
    n_comparison, n_treated
        Units.
    seed, level
        As asked for.
    dropped
        What was not used: see :func:`plneval.did.cells.dropped_table`.
    """

    method: str
    vcov_type: str
    estimate: float
    se: float
    ci_low: float
    ci_high: float
    p: float
    table: pd.DataFrame
    effects: pd.DataFrame
    event_times: pd.DataFrame
    unit_weights: pd.DataFrame
    time_weights: pd.DataFrame
    fit: pd.DataFrame
    replications: Floats
    event_replications: Floats
    clusters: pd.Index
    n_comparison: int
    n_treated: int
    seed: int
    level: float
    dropped: pd.DataFrame


def synthetic(
    data: Any,
    outcome: str | None = None,
    time: str | None = None,
    unit: str | None = None,
    entry: str | None = None,
    weights: str | None = None,
    cluster: str | None = None,
    method: str = "synthetic_did",
    vcov: str = "placebo",
    replications: int = 200,
    seed: int = 1,
    min_event: float = 0,
    panel: bool | None = None,
    missing_entry: str = "error",
    level: float = 0.95,
) -> SyntheticEffects:
    """Compare treated units with a weighted average of never-treated ones that moved alike before entry.

    For few treated units. Weights, penalties and stopping rules are those of R's ``synthdid``.

    Parameters
    ----------
    data, outcome, time, unit, entry, cluster, panel, missing_entry
        As in :func:`plneval.did.cells.cells`. Every unit counts once, whatever its rows: outcomes are the means of its
        cells (weighted by ``weights`` with ``panel=False``).
    method
        ``"synthetic_did"``; ``"synthetic_control"``: no time weights and no constant; ``"did"``: equal weights.
    vcov
        ``"placebo"``: never-treated units at random in the places of the treated; works with a single treated unit,
        supposes that the treated vary as the never treated do. ``"jackknife"``: at least two treated clusters in
        each group; weights are kept. ``"bootstrap"``: for many treated. The last two work by ``cluster``. ``"none"``:
        estimates only.
    replications, seed
        Of placebo and bootstrap.
    min_event
        Effects are averaged over periods from this many after entry on; those between are left out.
    level
        Of the confidence intervals.

    Notes
    -----
    Every entry group is compared with the units never treated (or only after the last period), and groups are
    averaged by treated unit-periods (Clarke, Pailañir, Athey and Imbens 2024). Left out, and listed: units not seen in
    every period, units treated from the first period on, and groups with fewer than two periods before entry.

    # ASSUME: placebo standard errors take the never treated to vary as the treated do, independently unit by unit.

    Raises
    ------
    DidError
        As :func:`plneval.did.cells.cells`; options that do not exist; weights in a panel (one row a unit and
        period); nothing treated or no never-treated unit left; a variance that cannot be had from these units.
    """
    _check(method, vcov, replications, level)
    cells = as_cells(data, outcome, time, unit, entry, None, weights, cluster, panel=panel, missing_entry=missing_entry)
    if cells.panel and cells.names.weights is not None:
        raise DidError(
            "synthetic() counts every unit once, so weights of a panel's rows would change nothing: leave weights out"
        )
    sample = _sample(cells, method, min_event)
    fitted = _fit(sample, method)
    curves = [
        effect_curves(panel_, rows.mean(axis=0)[None, :], _all_units(fitted), found)[0]
        for panel_, rows, found in zip(fitted.panels, fitted.treated, fitted.weights, strict=True)
    ]
    if vcov == "jackknife":
        drawn = jackknife(fitted)
    elif vcov == "bootstrap":
        _check_several(sample)
        drawn = bootstrap(fitted, replications, seed)
    elif vcov == "none":
        drawn = unreplicated(fitted)
    else:
        _check_single(cells, sample)
        drawn = placebo(fitted, replications, seed)
    return _result(sample, fitted, curves, drawn, _Asked(method, vcov, seed, level))


@dataclass(frozen=True)
class _Asked:
    method: str
    vcov: str
    seed: int
    level: float


@dataclass(frozen=True)
class _Sample:
    """Units in use: (U, T) outcomes, labels, clusters (codes and labels), entries; groups' positions of periods."""

    outcome: Floats
    units: pd.Index
    cluster: Integers
    clusters: pd.Index
    entry: Floats
    times: Floats
    groups: Floats
    before: list[Integers]
    after: list[Integers]
    dropped: pd.DataFrame

    @property
    def never(self) -> NDArray[np.bool_]:
        """(U,) whether a unit is a comparison unit."""
        return np.isinf(self.entry)


def _check(method: str, vcov: str, replications: int, level: float) -> None:
    for name, value, allowed in (("method", method, METHODS), ("vcov", vcov, VCOVS)):
        if value not in allowed:
            raise DidError(f"{name} is {value!r}; it can be {', '.join(map(repr, allowed))}")
    if isinstance(replications, bool) or not isinstance(replications, int | np.integer) or replications < 50:
        raise DidError(f"replications is {replications!r}; give a whole number, 50 or more")
    if not 0 < level < 1:
        raise DidError(f"level is {level!r}; give a number between 0 and 1, such as 0.95")


def _sample(cells: Cells, method: str, min_event: float) -> _Sample:
    """The units, groups and periods that can be used."""
    if isinstance(min_event, bool) or not np.isfinite(min_event) or min_event < 0:
        raise DidError(f"min_event is {min_event!r}; give a number of periods, 0 or more")
    times, n_units = cells.times, len(cells.units)
    entry = np.where(cells.entry > times[-1], np.inf, cells.entry)
    if not np.isfinite(entry).any():
        raise DidError(f"{cells.names.entry}: no unit enters by the last period ({times[-1]:g})")
    seen = np.bincount(cells.unit, minlength=n_units)
    incomplete = seen < len(times)
    dropped = _units(cells, incomplete, "not seen in every period: synthetic() needs a balanced panel")
    needed = 1 if method == "did" else 2
    few, late = [], []
    for group in np.unique(entry[np.isfinite(entry)]):
        few += [group] if np.sum(times < group) < needed else []
        late += [group] if np.sum(times < group) >= needed and not np.any(times >= group + min_event) else []
    reason = f"fewer than {needed} period{'s' if needed > 1 else ''} before entry"
    dropped += _units(cells, ~incomplete & np.isin(entry, few), reason)
    reason = f"no period {min_event:g} or more after entry"
    dropped += _units(cells, ~incomplete & np.isin(entry, late), reason)
    usable = ~incomplete & ~np.isin(entry, few + late)
    if not np.isinf(entry[usable]).any():
        raise DidError(
            f"{cells.names.entry}: no never-treated unit is seen in every period, and synthetic() compares with those "
            "only" + _balance_remedy(incomplete)
        )
    if not np.isfinite(entry[usable]).any():
        raise DidError(
            "no treated unit can be used: it needs every period, "
            f"{needed} or more before entry, and one at least {min_event:g} after it" + _balance_remedy(incomplete)
        )
    table = np.zeros((n_units, len(times)))
    table[cells.unit, cells.time] = cells.mean
    groups = np.unique(entry[usable & np.isfinite(entry)])
    return _Sample(
        outcome=table[usable],
        units=cells.units[usable],
        cluster=cells.cluster[usable],
        clusters=cells.clusters[np.unique(cells.cluster[usable])],
        entry=entry[usable],
        times=times,
        groups=groups,
        before=[np.flatnonzero(times < group) for group in groups],
        after=[np.flatnonzero(times >= group + min_event) for group in groups],
        dropped=pd.concat([cells.dropped, dropped_table(dropped)], ignore_index=True) if dropped else cells.dropped,
    )


def _units(cells: Cells, which: NDArray[np.bool_], reason: str) -> list[Entry]:
    found = np.flatnonzero(which)
    return [("units", reason, len(found), list(cells.units[found[:5]]))] if len(found) else []


def _balance_remedy(incomplete: NDArray[np.bool_]) -> str:
    count = int(incomplete.sum())
    return f" ({count} units miss a period: restrict the data to periods that all have)" if count else ""


def _check_single(cells: Cells, sample: _Sample) -> None:
    """Refuse placebo standard errors with clusters of several units."""
    if len(np.unique(sample.cluster)) < len(sample.units):
        raise DidError(
            f"{cells.names.cluster}: vcov='placebo' takes units to be independent, and clusters hold several: use "
            "'jackknife' or 'bootstrap', or collapse without cluster"
        )


def _check_several(sample: _Sample) -> None:
    if len(np.unique(sample.cluster[~sample.never])) == 1:
        raise DidError("vcov='bootstrap' needs at least two treated units (clusters): use 'placebo'")


def _all_units(fitted: FittedGroups) -> Integers:
    return np.arange(fitted.n_comparison)[None, :]


def _fit(sample: _Sample, method: str) -> FittedGroups:
    comparison = sample.outcome[sample.never]
    units = np.arange(len(comparison))[None, :]
    everyone = np.ones(units.shape, dtype=bool)
    panels, weights, treated, clusters = [], [], [], []
    for group, before, after in zip(sample.groups, sample.before, sample.after, strict=True):
        members = sample.entry == group
        panel = GroupPanel.of(comparison, before, after, int(members.sum()), method)
        if not np.isfinite(panel.noise):
            raise DidError(
                f"group {group:g}: the penalty needs the variation of changes before entry: two comparison units or "
                "three periods before entry at least; or method='did'"
            )
        outcomes = sample.outcome[members]
        mean = outcomes.mean(axis=0)[None, :]
        panels.append(panel)
        weights.append(find_weights(panel, mean, units, everyone, equal_weights(panel, everyone)))
        treated.append(outcomes)
        clusters.append(sample.cluster[members])
    return FittedGroups(panels, weights, treated, clusters, sample.cluster[sample.never])


def _result(
    sample: _Sample, fitted: FittedGroups, curves: list[Floats], drawn: Replications, asked: _Asked
) -> SyntheticEffects:
    from scipy.special import ndtr, ndtri

    error, z = ERRORS[asked.vcov], float(ndtri((1 + asked.level) / 2))
    share = fitted.shares(np.array(fitted.sizes))
    groups = np.array([curve.mean() for curve in curves])
    estimate, se = float(share @ groups), float(error(drawn.overall))
    group_se = error(drawn.groups)
    labels = [int(group) if float(group).is_integer() else float(group) for group in sample.groups]
    table = pd.DataFrame(
        {
            "group": labels,
            "estimate": groups,
            "se": group_se,
            "ci_low": groups - z * group_se,
            "ci_high": groups + z * group_se,
            "n_treated": fitted.sizes,
            "n_periods": [len(after) for after in sample.after],
            "weight": share,
        }
    )
    events = [sample.times[after] - group for group, after in zip(sample.groups, sample.after, strict=True)]
    sizes = np.array(fitted.sizes)
    keys, by_event = by_event_time([curve[None, :] for curve in curves], sizes[None, :], events)
    event_replications = by_event_time(drawn.curves, drawn.sizes, events)[1]
    behind = [int(sum(size for size, own in zip(sizes, events, strict=True) if key in own)) for key in keys]
    never = sample.units[sample.never]
    unit_rows, time_rows, effect_rows, fit_rows = [], [], [], []
    for a, group in enumerate(labels):
        panel, found = fitted.panels[a], fitted.weights[a]
        unit_rows.append(pd.DataFrame({"group": group, "unit": never, "weight": found.unit[0]}))
        before, after = sample.times[sample.before[a]], sample.times[sample.after[a]]
        time_rows.append(pd.DataFrame({"group": group, "time": before, "weight": found.time[0]}))
        curve_se = error(drawn.curves[a])
        effect_rows.append(
            pd.DataFrame(
                {"group": group, "time": after, "event_time": after - group, "estimate": curves[a], "se": curve_se}
            )
        )
        gap = (fitted.treated[a].mean(axis=0) - found.unit[0] @ panel.comparison)[panel.before]
        gap = gap if asked.method == "synthetic_control" else gap - gap.mean()
        fit_rows.append((group, panel.noise, panel.zeta_unit, panel.zeta_time, float(np.sqrt(np.mean(gap**2)))))
    return SyntheticEffects(
        method=asked.method,
        vcov_type=asked.vcov,
        estimate=estimate,
        se=se,
        ci_low=estimate - z * se,
        ci_high=estimate + z * se,
        p=float(2 * ndtr(-abs(estimate) / se)) if se > 0 else float("nan"),
        table=table,
        effects=pd.concat(effect_rows, ignore_index=True),
        event_times=pd.DataFrame(
            {"event_time": keys, "estimate": by_event[0], "se": error(event_replications), "n_treated": behind}
        ),
        unit_weights=pd.concat(unit_rows, ignore_index=True),
        time_weights=pd.concat(time_rows, ignore_index=True),
        fit=pd.DataFrame(fit_rows, columns=["group", "noise", "zeta_unit", "zeta_time", "rmse_before"]),
        replications=drawn.overall,
        event_replications=event_replications,
        clusters=sample.clusters,
        n_comparison=fitted.n_comparison,
        n_treated=sum(fitted.sizes),
        seed=asked.seed,
        level=asked.level,
        dropped=sample.dropped,
    )
