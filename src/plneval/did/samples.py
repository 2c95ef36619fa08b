"""Records of one group and time, from a balanced panel or from (repeated or unbalanced) cross-sections."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plneval.did.cells import Cells
from plneval.did.collapse import Rows
from plneval.did.columns import Floats, Integers
from plneval.did.design import Design, GroupTime
from plneval.did.propensity import Scored
from plneval.did.regression import Records
from plneval.did.two_by_two import Sample


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
    """Changes within units since the base period, of all units or (pairwise) of those seen in both periods.

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
        # What a unit of a pairwise panel lacks stays missing.
        self._outcome, self._weight = np.full(shape, np.nan), np.full(shape, np.nan)
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
        if self._design.pairwise:
            seen = np.isfinite(self._outcome[:, cell.time]) & np.isfinite(self._outcome[:, cell.base])
            blocks = [block[seen[block]] for block in blocks]
        rows = np.concatenate(blocks)
        treated = np.zeros(len(rows))
        treated[: len(blocks[0])] = 1.0
        weight = self._weight[rows, self._weight_position(cell)]
        change = self._outcome[rows, cell.time] - self._outcome[rows, cell.base]
        x = self._x[rows, min(cell.time, cell.base)]
        records, post = Records(weight, weight * change, x), np.ones(len(rows))
        return Sample(records, treated, post, self._piece[rows], Scored(records, treated, post))


class CrossSections:
    """Levels in the two periods, from cells; a propensity model may be fitted to the rows behind them."""

    def __init__(self, design: Design, pieces: Pieces, cells: Cells, rows: Rows | None) -> None:
        used = design.cells
        n_groups = len(design.groups)
        block = design.time * n_groups + design.group[used.unit]
        order = np.argsort(block, kind="stable")
        self._start = np.searchsorted(block[order], np.arange(len(design.times) * n_groups + 1))
        exact = used.constant_covariates
        self._records = Records(
            used.sw[order],
            used.swy[order],
            used.covariate_mean[order],
            None if exact else used.sxx[order],
            None if exact else used.sxy[order],
        )
        self._piece = pieces.of_unit[used.unit[order]]
        self._n_groups = n_groups
        self._rows: Records | None = None
        if rows is not None:
            self._rows, self._first_row = _sort_rows(cells, used, order, rows)

    def take(self, cell: GroupTime) -> Sample:
        """The records of one group and time in the later and in the base period."""
        parts, treated, post = [], [], []
        for time, later in ((cell.time, 1.0), (cell.base, 0.0)):
            for group in (cell.group, *cell.comparison):
                block = time * self._n_groups + group
                parts.append(slice(self._start[block], self._start[block + 1]))
                treated.append(1.0 if group == cell.group else 0.0)
                post.append(later)
        sizes = [part.stop - part.start for part in parts]
        records = _gather(self._records, parts)
        of_arm, of_period = np.repeat(treated, sizes), np.repeat(post, sizes)
        piece = np.concatenate([self._piece[part] for part in parts])
        if self._rows is None:
            return Sample(records, of_arm, of_period, piece, Scored(records, of_arm, of_period))
        first = self._first_row
        row_parts = [slice(first[part.start], first[part.stop]) for part in parts]
        row_sizes = [part.stop - part.start for part in row_parts]
        starts = np.concatenate([np.diff(first[part.start : part.stop + 1]) for part in parts])
        scored = Scored(
            _gather(self._rows, row_parts),
            np.repeat(treated, row_sizes),
            np.repeat(post, row_sizes),
            np.cumsum(starts) - starts,
        )
        return Sample(records, of_arm, of_period, piece, scored)


def _gather(records: Records, parts: list[slice]) -> Records:
    def joined(values: Floats) -> Floats:
        return np.concatenate([values[part] for part in parts])

    return Records(
        joined(records.weight),
        joined(records.outcome),
        joined(records.x),
        None if records.sxx is None else joined(records.sxx),
        None if records.sxy is None else joined(records.sxy),
    )


def _sort_rows(cells: Cells, used: Cells, order: Integers, rows: Rows) -> tuple[Records, Integers]:
    """Rows sorted as the records are (in their own order within a record), and the first row of each record."""
    n_times = len(cells.times)
    position = np.full(len(cells.units) * n_times, -1, dtype=np.intp)
    position[(used.unit * n_times + used.time)[order]] = np.arange(len(order))
    record = position[(cells.unit * n_times + cells.time)][rows.cell]
    kept = _stable_order(record, len(order))[int(np.sum(record < 0)) :]
    weight = rows.weight[kept]
    first = np.r_[0, np.cumsum(used.n[order])]
    # Columns lie together in memory: products with a (rows,) vector run three times faster than with rows together.
    x = np.stack([column[kept] for column in rows.covariates.T]).T
    return Records(weight, weight * rows.outcome[kept], x), first


def _stable_order(code: Integers, size: int) -> Integers:
    """Order that sorts codes from -1 to size - 1 and keeps the order of equal ones; fast where they are few."""
    if size < np.iinfo(np.int16).max:
        return np.argsort(code.astype(np.int16), kind="stable")
    low = np.argsort((code & 0x7FFF).astype(np.int16), kind="stable")
    if size < 1 << 30:
        return low[np.argsort((code[low] >> 15).astype(np.int16), kind="stable")]
    return np.argsort(code, kind="stable")
