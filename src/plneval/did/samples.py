"""Records of one group and time, from a balanced panel or from (repeated or unbalanced) cross-sections."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plneval.did.cells import Cells
from plneval.did.collapse import Rows
from plneval.did.columns import Floats, Integers
from plneval.did.design import Design, GroupTime
from plneval.did.regression import Records


@dataclass(frozen=True)
class Sample:
    """Records of one group and time: ``treated`` and ``post`` (R,) are 0 or 1, ``piece`` (R,) says whose they are."""

    records: Records
    treated: Floats
    post: Floats
    piece: Integers


@dataclass(frozen=True)
class Pieces:
    """Units put together by cluster and group: contributions are kept at this level, which loses nothing.

    Attributes
    ----------
    of_unit
        (U,) the piece of each unit, -1 for units that are not used.
    cluster
        (P,) the cluster of each piece, a position in ``clusters``.
    clusters
        (G,) codes of the clusters used, in the cells' numbering.
    group
        (P,) the group of each piece, a position in the design's groups.
    mass
        (P,) what the piece weighs in its group's share: Σw of its rows, in a balanced panel of the first period, in
        an unbalanced one the mean over each unit's rows (as R's did).
    """

    of_unit: Integers
    cluster: Integers
    clusters: Integers
    group: Integers
    mass: Floats


def make_pieces(design: Design) -> Pieces:
    """Number the distinct pairs of cluster and group among the usable units, by cluster and then by group."""
    used = design.group >= 0
    n_groups = len(design.groups)
    key = design.cells.cluster * n_groups + design.group
    found, code = np.unique(key[used], return_inverse=True)
    of_unit = np.full(len(used), -1, dtype=np.intp)
    of_unit[used] = code
    clusters, cluster = np.unique(found // n_groups, return_inverse=True)
    cells, unit = design.cells, design.unit
    if design.balanced:
        first = design.time == 0
        weight, owner = cells.sw[first], unit[first]
    elif cells.panel:
        n_units = len(used)
        seen = np.bincount(unit, cells.n, n_units)
        weight = np.bincount(unit, cells.sw, n_units)[used] / seen[used]
        owner = np.flatnonzero(used)
    else:
        weight, owner = cells.sw, unit
    return Pieces(
        of_unit=of_unit,
        cluster=cluster.astype(np.intp),
        clusters=clusters.astype(np.intp),
        group=(found % n_groups).astype(np.intp),
        mass=np.bincount(of_unit[owner], weight, len(found)).astype(np.float64),
    )


class BalancedPanel:
    """Changes within units since the base period.

    The weights are those of one period (``weights_from``): the earlier of the two compared (as R's did), the base
    period of the group, the first period, or one named. Covariates are those of the earlier of the two periods.
    """

    def __init__(self, design: Design, pieces: Pieces, weights_from: str | float) -> None:
        cells = design.cells
        used = np.flatnonzero(design.group >= 0)
        order = used[np.argsort(design.group[used], kind="stable")]
        row = np.full(len(design.group), -1, dtype=np.intp)
        row[order] = np.arange(len(order))
        at = (row[design.unit], design.time)
        shape = (len(order), len(design.times))
        self._outcome, self._weight = np.empty(shape), np.empty(shape)
        self._outcome[at], self._weight[at] = cells.mean, cells.sw
        self._x = np.empty((*shape, cells.sxx.shape[1]))
        self._x[at] = cells.covariate_mean
        self._piece = pieces.of_unit[order]
        self._start = np.searchsorted(design.group[order], np.arange(len(design.groups) + 1))
        self._design, self._weights_from = design, weights_from

    def _weight_position(self, cell: GroupTime) -> int:
        design = self._design
        if self._weights_from == "earlier":
            return min(cell.time, cell.base)
        if self._weights_from == "base":
            return int(np.flatnonzero(design.times + design.anticipation < design.groups[cell.group])[-1])
        if self._weights_from == "first":
            return 0
        return int(np.flatnonzero(design.times == self._weights_from)[0])

    def take(self, cell: GroupTime) -> Sample:
        """The records of one group and time, treated units first."""
        blocks = [np.arange(self._start[g], self._start[g + 1]) for g in (cell.group, *cell.comparison)]
        rows = np.concatenate(blocks)
        treated = np.zeros(len(rows))
        treated[: len(blocks[0])] = 1.0
        weight = self._weight[rows, self._weight_position(cell)]
        change = self._outcome[rows, cell.time] - self._outcome[rows, cell.base]
        x = self._x[rows, min(cell.time, cell.base)]
        return Sample(Records(weight, weight * change, x), treated, np.ones(len(rows)), self._piece[rows])


class CrossSections:
    """Levels in the two periods, from cells or, where a propensity model needs them, from rows."""

    def __init__(self, design: Design, pieces: Pieces, cells: Cells, rows: Rows | None) -> None:
        if rows is None:
            source = design.cells
            unit, time = source.unit, design.time
            weight, outcome, x = source.sw, source.swy, source.covariate_mean
            exact = source.constant_covariates
            self._sxx = None if exact else source.sxx
            self._sxy = None if exact else source.sxy
        else:
            unit, time = cells.unit[rows.cell], design.time_position[cells.time[rows.cell]]
            weight, outcome, x = rows.weight, rows.weight * rows.outcome, rows.covariates
            self._sxx = self._sxy = None
        n_groups = len(design.groups)
        group = design.group[unit]
        block = np.where((time >= 0) & (group >= 0), time * n_groups + group, -1)
        smallest = np.int16 if block.max(initial=0) < np.iinfo(np.int16).max else np.int64
        # The sort is stable, so sums run in the order the rows came in.
        order = np.argsort(block.astype(smallest), kind="stable")
        self._start = np.searchsorted(block[order], np.arange(len(design.times) * n_groups + 1))
        self._weight, self._outcome, self._x = weight[order], outcome[order], x[order]
        if self._sxx is not None and self._sxy is not None:
            self._sxx, self._sxy = self._sxx[order], self._sxy[order]
        self._piece = pieces.of_unit[unit[order]]
        self._n_groups = n_groups

    def take(self, cell: GroupTime) -> Sample:
        """The records of one group and time in the later and in the base period."""
        slices, treated, post = [], [], []
        for time, later in ((cell.time, 1.0), (cell.base, 0.0)):
            for group in (cell.group, *cell.comparison):
                block = time * self._n_groups + group
                slices.append(slice(self._start[block], self._start[block + 1]))
                size = slices[-1].stop - slices[-1].start
                treated.append(np.full(size, 1.0 if group == cell.group else 0.0))
                post.append(np.full(size, later))

        def gather(values: Floats) -> Floats:
            return np.concatenate([values[part] for part in slices])

        records = Records(
            gather(self._weight),
            gather(self._outcome),
            gather(self._x),
            None if self._sxx is None else gather(self._sxx),
            None if self._sxy is None else gather(self._sxy),
        )
        return Sample(
            records,
            np.concatenate(treated),
            np.concatenate(post),
            np.concatenate([self._piece[part] for part in slices]),
        )
