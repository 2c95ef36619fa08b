"""Standard errors of synthetic difference-in-differences: placebo, jackknife and bootstrap.

Arkhangelsky and others (2021), algorithms 2 to 4, as R's synthdid carries them out; for several entry groups after
Clarke, Pailañir, Athey and Imbens (2024).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from plneval.did.columns import Floats, Integers
from plneval.did.errors import DidError
from plneval.did.simplex import normalized
from plneval.did.synthetic_fit import GroupPanel, GroupWeights, effect_curves, find_weights

VCOVS = ("placebo", "jackknife", "bootstrap", "none")


@dataclass(frozen=True)
class FittedGroups:
    """Everything fitted, in the order of the entry groups (A of them).

    Attributes
    ----------
    panels, weights
        Of each group; the weights have R = 1.
    treated
        (N_a, T) outcomes of each group's units.
    treated_cluster, comparison_cluster
        The cluster code of each unit.
    """

    panels: Sequence[GroupPanel]
    weights: Sequence[GroupWeights]
    treated: Sequence[Floats]
    treated_cluster: Sequence[Integers]
    comparison_cluster: Integers

    @property
    def n_comparison(self) -> int:
        """Comparison units."""
        return len(self.comparison_cluster)

    @property
    def sizes(self) -> list[int]:
        """Treated units of each group."""
        return [len(outcomes) for outcomes in self.treated]

    def shares(self, sizes: Integers) -> Floats:
        """(..., A) weights of the groups by treated unit-periods, for (..., A) numbers of treated units."""
        mass = sizes * np.array([len(panel.after) for panel in self.panels])
        return np.asarray(mass / mass.sum(axis=-1, keepdims=True))


@dataclass(frozen=True)
class Replications:
    """Estimates under resampling.

    ``overall`` (R,); ``groups`` (R, A), ``curves`` one (R, periods) for each group: NaN where a sample lacks the group;
    ``sizes`` (R, A) treated units of each group.
    """

    overall: Floats
    groups: Floats
    curves: list[Floats]
    sizes: Integers


def _combined(fitted: FittedGroups, curves: list[Floats], sizes: Integers) -> Replications:
    groups = np.column_stack([curve.mean(axis=1) for curve in curves])
    overall = np.einsum("ra,ra->r", fitted.shares(sizes), np.where(sizes > 0, groups, 0.0))
    return Replications(overall, groups, curves, sizes)


def placebo(fitted: FittedGroups, replications: int, seed: int) -> Replications:
    """Comparison units at random take the treated units' places, in the same groups; weights are found anew.

    Raises
    ------
    DidError
        No more comparison than treated units, or clusters of several units.
    """
    n_treated = sum(fitted.sizes)
    if fitted.n_comparison <= n_treated:
        raise DidError(
            f"vcov='placebo' needs more comparison units than treated ones ({fitted.n_comparison} and {n_treated}): "
            "use 'bootstrap' or 'jackknife'"
        )
    rng = np.random.default_rng(seed)
    every = np.broadcast_to(np.arange(fitted.n_comparison), (replications, fitted.n_comparison))
    order = np.ascontiguousarray(rng.permuted(every, axis=1))
    units = order[:, : fitted.n_comparison - n_treated]
    allowed = np.ones(units.shape, dtype=bool)
    curves, start = [], units.shape[1]
    for panel, found, size in zip(fitted.panels, fitted.weights, fitted.sizes, strict=True):
        treated = panel.comparison[order[:, start : start + size]].mean(axis=1)
        curves.append(_searched(panel, found, treated, units, allowed))
        start += size
    return _combined(fitted, curves, np.tile(fitted.sizes, (replications, 1)))


def _searched(
    panel: GroupPanel,
    found: GroupWeights,
    treated: Floats,
    units: Integers,
    allowed: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
) -> Floats:
    """Effects with weights found anew, the search starting from those of the data."""
    time = np.repeat(found.time, len(units), axis=0)
    start = GroupWeights(normalized(found.unit[0][units], allowed), time)
    return effect_curves(panel, treated, units, find_weights(panel, treated, units, allowed, start))


def bootstrap(fitted: FittedGroups, replications: int, seed: int) -> Replications:
    """Clusters drawn with replacement, treated and comparison alike; weights are found anew.

    Samples without a treated or a comparison unit are drawn again; a sample may lack some of several groups.
    """
    rng = np.random.default_rng(seed)
    cluster = np.concatenate([fitted.comparison_cluster, *fitted.treated_cluster])
    _, cluster = np.unique(cluster, return_inverse=True)
    arm = np.repeat(np.arange(1 + len(fitted.sizes)), [fitted.n_comparison, *fitted.sizes])
    n_clusters = int(cluster.max()) + 1
    counts = np.empty((replications, len(arm)), dtype=np.intp)
    for r in range(replications):
        while True:
            drawn = np.bincount(rng.integers(n_clusters, size=n_clusters), minlength=n_clusters)[cluster]
            if drawn[arm == 0].any() and drawn[arm > 0].any():
                break
        counts[r] = drawn
    units, allowed = _padded(counts[:, arm == 0])
    curves = []
    sizes = np.column_stack([counts[:, arm == 1 + a].sum(axis=1) for a in range(len(fitted.sizes))])
    for a, (panel, found) in enumerate(zip(fitted.panels, fitted.weights, strict=True)):
        drawn = counts[:, arm == 1 + a]
        treated = np.einsum("rn,nt->rt", drawn / np.maximum(sizes[:, a], 1)[:, None], fitted.treated[a])
        curve = _searched(panel, found, treated, units, allowed)
        curves.append(np.where((sizes[:, a] > 0)[:, None], curve, np.nan))
    return _combined(fitted, curves, sizes)


def _padded(counts: Integers) -> tuple[Integers, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
    """(R, n) units repeated as often as they were drawn, filled up with unit 0; and which of them are no filling."""
    total = counts.sum(axis=1)
    units = np.zeros((len(counts), int(total.max())), dtype=np.intp)
    allowed = np.arange(units.shape[1]) < total[:, None]
    units[allowed] = np.repeat(np.tile(np.arange(counts.shape[1]), len(counts)), counts.ravel())
    return units, allowed


def jackknife(fitted: FittedGroups) -> Replications:
    """Every cluster left out once; unit weights are scaled up, time weights kept (algorithm 3).

    Rows: clusters in sorted order. Raises ``DidError`` where leaving one out leaves a group or the weighted comparison
    empty.
    """
    clusters = np.unique(np.concatenate([fitted.comparison_cluster, *fitted.treated_cluster]))
    kept = fitted.comparison_cluster[None, :] != clusters[:, None]
    units = np.broadcast_to(np.arange(fitted.n_comparison), kept.shape)
    sizes, curves = [], []
    for panel, found, outcomes, cluster in zip(
        fitted.panels, fitted.weights, fitted.treated, fitted.treated_cluster, strict=True
    ):
        stays = cluster[None, :] != clusters[:, None]
        size = stays.sum(axis=1)
        if not size.all():
            raise DidError(
                "vcov='jackknife' leaves clusters out one by one, and an entry group lies in a single one: use "
                "'placebo', or 'bootstrap'"
            )
        left = found.unit[0] * kept
        if not np.all(left.sum(axis=1) > 0):
            raise DidError(
                "vcov='jackknife' leaves clusters out one by one, and one holds all the comparison weight: use "
                "'placebo'"
            )
        treated = np.einsum("rn,nt->rt", stays / size[:, None], outcomes)
        weights = GroupWeights(normalized(left, kept), np.repeat(found.time, len(clusters), axis=0))
        curves.append(effect_curves(panel, treated, units, weights))
        sizes.append(size)
    return _combined(fitted, curves, np.column_stack(sizes))


def unreplicated(fitted: FittedGroups) -> Replications:
    """No replications: standard errors are missing."""
    curves = [np.empty((0, len(panel.after))) for panel in fitted.panels]
    return _combined(fitted, curves, np.empty((0, len(curves)), dtype=np.intp))


def by_event_time(curves: Sequence[Floats], sizes: Integers, event_times: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Effects by event time, groups weighing as their treated units.

    Parameters
    ----------
    curves, sizes
        As of :class:`Replications`.
    event_times
        (periods,) event times of each group's curve.

    Returns
    -------
    tuple
        (E,) event times in ascending order, and (R, E) effects: NaN where a sample has no group with the event time.
    """
    keys = np.unique(np.concatenate(list(event_times)))
    total, mass = np.zeros((len(sizes), len(keys))), np.zeros((len(sizes), len(keys)))
    for a, (curve, own) in enumerate(zip(curves, event_times, strict=True)):
        place, size = np.searchsorted(keys, own), sizes[:, [a]]
        total[:, place] += np.where(size > 0, size * curve, 0.0)
        mass[:, place] += size
    return keys, np.divide(total, mass, out=np.full(total.shape, np.nan), where=mass > 0)


def spread(values: Floats) -> Floats:
    """Root mean square distance from the mean over replications (first axis), those without the value left out."""
    if not len(values):
        return np.full(values.shape[1:], np.nan)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sqrt(np.nanmean((values - np.nanmean(values, axis=0)) ** 2, axis=0)))


def jackknife_error(values: Floats) -> Floats:
    """sqrt((n - 1)/n Σ (u - ū)²)."""
    return np.asarray(spread(values) * np.sqrt(len(values) - 1))


ERRORS: dict[str, Callable[[Floats], Floats]] = {
    "placebo": spread,
    "bootstrap": spread,
    "jackknife": jackknife_error,
    "none": spread,
}
