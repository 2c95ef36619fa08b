"""The average of group-time effects under many assignments of entry at once.

Without covariates an effect is a difference of ratios of sums over groups of units. A permutation changes which unit
is summed where and nothing else, so a batch of assignments costs one pass over a few numbers for each unit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from plneval.did.columns import Floats, Integers
from plneval.did.design import Design, GroupTime
from plneval.did.permutation import Exchange

# A mean that is part of an arm's change: its sign, and the columns of its numerator and denominator.
Part = tuple[float, int, int]


@dataclass(frozen=True)
class UnitSums:
    """What each item (unit, or cluster of one entry) adds to the sums the statistic is made of.

    Attributes
    ----------
    cells
        The group-times averaged.
    parts
        For each of them, the means whose signed sum is the change of an arm.
    size
        For each of them, the denominator that sums to its weight in the average.
    numerators
        (2, N, I): of the data's outcome, and of the treatment itself (1 from entry on).
    denominators
        (D, I).
    """

    cells: tuple[GroupTime, ...]
    parts: tuple[tuple[Part, ...], ...]
    size: tuple[int, ...]
    numerators: Floats
    denominators: Floats

    def gathered(self, item: Integers) -> UnitSums:
        """Sums over the units of each item."""
        n_items = int(item.max()) + 1

        def total(rows: Floats) -> Floats:
            return np.array([np.bincount(item, row, n_items) for row in rows])

        numerators = np.array([total(rows) for rows in self.numerators])
        return replace(self, numerators=numerators, denominators=total(self.denominators))


def unit_sums(design: Design, cells: tuple[GroupTime, ...]) -> UnitSums:
    """Sums for the units in use (in their order), weighted as ``att_gt`` and ``aggregate`` weigh them."""
    used = np.flatnonzero(design.group >= 0)
    row = np.full(len(design.group), -1, dtype=np.intp)
    row[used] = np.arange(len(used))
    at = (row[design.unit], design.time)
    data = design.cells
    # ASSUME: for intervals, the effect under test is the same from entry on, and 0 before (anticipation included).
    treated = (design.times[design.time] >= data.entry[design.unit]).astype(np.float64)
    # A constant taken from all outcomes changes no effect and keeps digits.
    outcome = data.mean - float(data.swy.sum() / data.sw.sum())
    levels = np.zeros((2, len(used), len(design.times)))
    levels[0][at], levels[1][at] = outcome, treated
    weight, count = np.zeros(levels.shape[1:]), np.zeros(levels.shape[1:])
    weight[at], count[at] = data.sw, data.n
    if design.pairwise or (design.balanced and not data.constant_weights):
        return _of_changes(cells, levels, weight, design.pairwise)
    if design.balanced:
        levels = levels - levels[:, :, :1]
    times = sorted({t for cell in cells for t in (cell.time, cell.base)})
    column = {t: k for k, t in enumerate(times)}
    if design.balanced:
        denominators, of = [weight[:, 0]], dict.fromkeys(times, 0)
    else:
        of = column
        total = weight.sum(axis=1)
        denominators = [*weight[:, times].T, total / count.sum(axis=1) if data.panel else total]
    parts = tuple(((1.0, column[c.time], of[c.time]), (-1.0, column[c.base], of[c.base])) for c in cells)
    size = (len(denominators) - 1,) * len(cells)
    numerators = (levels * weight)[:, :, times].transpose(0, 2, 1)
    return UnitSums(cells, parts, size, np.ascontiguousarray(numerators), np.array(denominators))


def _of_changes(cells: tuple[GroupTime, ...], levels: Floats, weight: Floats, pairwise: bool) -> UnitSums:
    """Changes weighted by the earlier of the two periods: weights that vary over time, or units seen in both periods.

    A group-time weighs as its group in the first period or, pairwise, as the units behind it.
    """
    pairs = sorted({(cell.time, cell.base) for cell in cells})
    column = {pair: k for k, pair in enumerate(pairs)}
    both = [np.where(weight[:, max(pair)] > 0, weight[:, min(pair)], 0.0) for pair in pairs]
    changes = [[own * (y[:, time] - y[:, base]) for own, (time, base) in zip(both, pairs, strict=True)] for y in levels]
    of = [column[cell.time, cell.base] for cell in cells]
    denominators = both if pairwise else [*both, weight[:, 0]]
    size = tuple(of) if pairwise else (len(pairs),) * len(cells)
    parts = tuple(((1.0, k, k),) for k in of)
    return UnitSums(cells, parts, size, np.array(changes), np.array(denominators))


@dataclass(frozen=True)
class Permuted:
    """The statistic under B assignments.

    With Y the data and D the treatment: ``average`` (2, B) of Y and of D; ``variance`` (3, B) of Y, of both
    together, and of D (NaN where it was not asked for). NaN where no group-time has an effect.
    """

    average: Floats
    variance: Floats

    @staticmethod
    def joined(found: list[Permuted]) -> Permuted:
        """Batches one after the other."""
        return Permuted(
            np.concatenate([batch.average for batch in found], axis=1),
            np.concatenate([batch.variance for batch in found], axis=1),
        )


@dataclass(frozen=True)
class _Averages:
    """For B assignments and cells k.

    ``average`` (2, B); ``share[k]`` (B,) its weight in it; ``surplus[k]`` (2, B) its effect less the average, over the
    total weight; ``mean[k][arm]`` and ``mass[k][arm]`` hold (2, B) and (B,) for each part.
    """

    average: Floats
    share: Floats
    surplus: Floats
    mean: list[list[list[Floats]]]
    mass: list[list[list[Floats]]]


class PermutedStatistic:
    """The average effect, and its cluster-robust variance, for any assignment of the items to groups."""

    def __init__(self, sums: UnitSums, exchanged: Exchange, cluster: Integers | None) -> None:
        """``cluster`` (I,) codes the clusters of the variance; ``None``: each item by itself."""
        self._sums, self._cluster = sums, cluster
        self._columns = [*sums.numerators[0], *sums.numerators[1], *sums.denominators]
        self._totals = np.array([column.sum() for column in self._columns])
        group = exchanged.group[exchanged.order]
        starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
        bounds = np.r_[starts, len(group)]
        self._n_groups = int(group.max()) + 1
        self._spans = {int(group[a]): slice(a, b) for a, b in pairwise(bounds)}
        self._last = int(group[-1])

    def evaluate(self, placed: Integers, *, variance: bool) -> Permuted:
        """The statistic for (B, I) assignments, as :meth:`Exchange.sample` gives them."""
        sums = self._sums
        n_numerators = len(sums.numerators[0])
        # The largest group's sums are what the others leave, so its slots are only looked at for the variance.
        looked_at = placed if variance else placed[:, : self._spans[self._last].start]
        stack = np.empty((len(self._columns) if variance else 1, *looked_at.shape))
        totals = np.empty((len(self._columns), self._n_groups, len(placed)))
        for k, column in enumerate(self._columns):
            values = stack[k] if variance else stack[0]
            values[:] = column[looked_at]
            rest = np.full(len(placed), self._totals[k])
            for group, span in self._spans.items():
                if group != self._last:
                    totals[k, group] = values[:, span].sum(axis=1)
                    rest -= totals[k, group]
            totals[k, self._last] = rest
        top = totals[: 2 * n_numerators].reshape(2, n_numerators, self._n_groups, len(placed))
        found = _averages(sums, top, totals[2 * n_numerators :])
        if not variance:
            return Permuted(found.average, np.full((3, len(placed)), np.nan))
        y, d = self._contributions(found, stack)
        if self._cluster is not None:
            y, d = (self._by_cluster(values, placed, self._cluster) for values in (y, d))
        squares = [np.sum(one * other, axis=1) for one, other in ((y, y), (y, d), (d, d))]
        return Permuted(found.average, np.array(squares))

    @staticmethod
    def _by_cluster(values: Floats, placed: Integers, cluster: Integers) -> Floats:
        """(B, clusters) sums of slots over the clusters of the items placed there."""
        n_clusters = int(cluster.max()) + 1
        key = cluster[placed] + n_clusters * np.arange(len(placed))[:, None]
        found = np.bincount(key.ravel(), values.ravel(), n_clusters * len(placed)).astype(np.float64)
        return found.reshape(len(placed), n_clusters)

    def _contributions(self, found: _Averages, stack: Floats) -> tuple[Floats, Floats]:
        """For Y and D, (B, I) what each slot adds to the error of the average, that of the weights included."""
        sums = self._sums
        n_numerators, n_columns = len(sums.numerators[0]), len(stack)
        slots = np.empty((stack.shape[1], 2, stack.shape[2]))
        for group, span in self._spans.items():
            factor = np.zeros((stack.shape[1], 2, n_columns))
            for k, cell in enumerate(sums.cells):
                if group == cell.group:
                    factor[:, :, 2 * n_numerators + sums.size[k]] += found.surplus[k].T
                elif group not in cell.comparison:
                    continue
                side, arm = (1.0, 0) if group == cell.group else (-1.0, 1)
                means, masses = found.mean[k][arm], found.mass[k][arm]
                for (sign, top, bottom), mean, mass in zip(sums.parts[k], means, masses, strict=True):
                    part = side * sign * found.share[k] / mass
                    factor[:, 0, top] += part
                    factor[:, 1, n_numerators + top] += part
                    factor[:, :, 2 * n_numerators + bottom] -= (part * mean).T
            slots[:, :, span] = factor @ stack[:, :, span].transpose(1, 0, 2)
        return slots[:, 0], slots[:, 1]


def _averages(sums: UnitSums, top: Floats, bottom: Floats) -> _Averages:
    """From (2, N, G, B) and (D, G, B) sums; a group-time with an empty arm is left out, as in ``att_gt``."""
    n_draws = bottom.shape[2]
    effects, weights = [], []
    means: list[list[list[Floats]]] = []
    masses: list[list[list[Floats]]] = []
    for k, cell in enumerate(sums.cells):
        effect, possible = np.zeros((2, n_draws)), np.ones(n_draws, dtype=bool)
        means.append([[], []])
        masses.append([[], []])
        for arm, members in enumerate(([cell.group], list(cell.comparison))):
            for sign, numerator, denominator in sums.parts[k]:
                total = bottom[denominator][members].sum(axis=0)
                possible &= total > 0
                total = np.where(total > 0, total, 1.0)
                here = top[:, numerator][:, members].sum(axis=1) / total
                means[k][arm].append(here)
                masses[k][arm].append(total)
                effect += (sign if arm == 0 else -sign) * here
        effects.append(effect)
        weights.append(np.where(possible, bottom[sums.size[k]][cell.group], 0.0))
    weight = np.array(weights)
    total = weight.sum(axis=0)
    total = np.where(total > 0, total, np.nan)
    share = weight / total
    average = np.einsum("kd,kod->od", share, np.array(effects))
    surplus = np.where(weight[:, None] > 0, (np.array(effects) - average) / total, 0.0)
    return _Averages(average, share, surplus, means, masses)
