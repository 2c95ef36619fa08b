"""The nested criterion's data, laid out for repeated evaluation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from plneval.multilevel.design import Floats, Integers
from plneval.multilevel.segments import counting_sort, unpack
from plneval.multilevel.statistics import Statistics
from plneval.multilevel.units import Cells, Units

# A column is collinear with those before it if this fraction of its sum of squares is left (lme4: 1e-7 of its length).
COLLINEAR = 1e-12
# The same for what centring took away: rounding error of single numbers, squared.
ROUNDING = 1e-30


@dataclass(frozen=True)
class Problem:
    """Statistics sorted so that the groups of a parent are one run at every level.

    Attributes
    ----------
    n, sum_log_weights
        As in the statistics.
    fixed
        (p,) the working columns of X that are estimated.
    outcome
        The working column of y.
    own
        (q₁,) the working columns that are Z of the innermost level.
    random
        For the second and further levels the working columns of Z.
    units, cells
        The innermost level, both sorted by parent.
    rows, cross
        (J,) rows and (J, r, r) cross-products of the groups of the second level.
    parents
        For the second and further levels (groups,) the sorted place of the parent; 0 for the outermost.
    orders
        For the second and further levels (groups,) the group's place in the statistics' labels.
    """

    n: int
    sum_log_weights: float
    fixed: Integers
    outcome: int
    own: Integers
    random: tuple[Integers, ...]
    units: Units
    cells: Cells
    rows: Integers
    cross: Floats
    parents: tuple[Integers, ...]
    orders: tuple[Integers, ...]

    @property
    def levels(self) -> int:
        """Number of levels."""
        return 1 + len(self.random)

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of random effects of a group at each level."""
        return (len(self.own), *(len(columns) for columns in self.random))

    @classmethod
    def of(cls, statistics: Statistics, fixed: Integers | None = None) -> Problem:
        """The problem of statistics; ``fixed`` are the working columns of X that are estimated (all by default)."""
        working = statistics.model.working
        outer = len(statistics.sizes) - 1
        orders: list[Integers] = [np.zeros(0, dtype=np.intp)] * outer
        parents = list(orders)
        rank = np.zeros(1, dtype=np.intp)
        for k in range(outer - 1, -1, -1):
            size = statistics.sizes[k + 1]
            parent = rank[statistics.parents[k]] if k < outer - 1 else np.zeros(size, dtype=np.intp)
            orders[k] = counting_sort(parent, len(rank))
            parents[k] = parent[orders[k]]
            rank = np.empty(size, dtype=np.intp)
            rank[orders[k]] = np.arange(size)
        cross = unpack(statistics.cross, working.kept)
        cells = statistics.cells
        units = replace(statistics.units, parent=rank[statistics.units.parent]).by_parent()
        return cls(
            n=statistics.n,
            sum_log_weights=statistics.sum_log_weights,
            fixed=working.fixed if fixed is None else fixed,
            outcome=working.outcome,
            own=working.random[0],
            random=working.random[1:],
            units=units,
            cells=_sorted_cells(cells, rank[cells.parent], len(rank)),
            rows=statistics.rows[orders[0]] if outer else statistics.rows,
            cross=cross[orders[0]] if outer else cross,
            parents=tuple(parents),
            orders=tuple(orders),
        )

    def sample(self, groups: int) -> Problem | None:
        """At most ``groups`` groups of the outermost level with many, a quarter at most, with all that lies in them.

        ``None`` if no level above the innermost has 80 groups.
        """
        for k in range(len(self.parents) - 1, -1, -1):
            size = len(self.parents[k])
            if size >= 80:
                groups = min(groups, size // 4)
                chosen = np.zeros(size, dtype=bool)
                chosen[np.unique(np.linspace(0, size - 1, groups).astype(np.intp))] = True
                return self.of_groups(k, chosen)
        return None

    def of_groups(self, level: int, chosen: NDArray[np.bool_]) -> Problem:
        """The chosen groups of a level and what lies in them; outer groups stay, empty ones are harmless."""
        parents, orders = list(self.parents), list(self.orders)
        parents[level], orders[level] = self.parents[level][chosen], self.orders[level][chosen]
        place = np.cumsum(chosen) - 1
        for k in range(level - 1, -1, -1):
            chosen = chosen[self.parents[k]]
            parents[k], orders[k] = place[self.parents[k][chosen]], self.orders[k][chosen]
            place = np.cumsum(chosen) - 1
        in_units, in_cells = chosen[self.units.parent], chosen[self.cells.parent]
        rows, cross, cells = self.rows[chosen], self.cross[chosen], self.cells
        independent = independent_columns(cross.sum(axis=0)[np.ix_(self.fixed, self.fixed)], np.zeros(len(self.fixed)))
        return replace(
            self,
            n=int(rows.sum()),
            fixed=self.fixed[independent],
            units=Units(place[self.units.parent[in_units]], self.units.products[in_units], None),
            cells=Cells(
                cells.patterns,
                place[cells.parent[in_cells]],
                cells.pattern[in_cells],
                cells.count[in_cells],
                cells.products[in_cells],
            ),
            rows=rows,
            cross=cross,
            parents=tuple(parents),
            orders=tuple(orders),
        )


def _sorted_cells(cells: Cells, parent: Integers, size: int) -> Cells:
    if (np.diff(parent) >= 0).all():
        return replace(cells, parent=parent)
    order = counting_sort(parent, size)
    return Cells(cells.patterns, parent[order], cells.pattern[order], cells.count[order], cells.products[order])


def independent_columns(gram: Floats, offset: Floats) -> Integers:
    """Positions of the columns that are not collinear with those before them, as lme4 keeps them.

    Parameters
    ----------
    gram
        (p, p) cross-products of the columns.
    offset
        (p,) sums of squares that centring took away: what is left of a constant column is rounding error of these.
    """
    p = len(gram)
    left = gram.copy()
    kept = []
    for i in range(p):
        if left[i, i] <= max(COLLINEAR * gram[i, i], ROUNDING * offset[i]):
            continue
        kept.append(i)
        column = left[:, i] / left[i, i]
        left = left - np.outer(column, left[i])
    return np.array(kept, dtype=np.intp)


def estimable(statistics: Statistics) -> Integers:
    """Positions among the columns of X of those that are not collinear with the ones before them."""
    working = statistics.model.working
    gram = unpack(statistics.cross.sum(axis=0), working.kept)[np.ix_(working.fixed, working.fixed)]
    shift = np.array(
        [statistics.centre.shift[position] if shifted else 0.0 for position, shifted in _sources(statistics)]
    )
    size = gram[0, 0] if statistics.model.intercept in statistics.model.fixed[:1] else float(statistics.n)
    return independent_columns(gram, size * shift**2)


def _sources(statistics: Statistics) -> list[tuple[int, bool]]:
    working = statistics.model.working
    return [working.sources[at] for at in working.fixed]
