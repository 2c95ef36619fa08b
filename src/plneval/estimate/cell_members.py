"""Which schools and clusters stand behind the cells of group-time effects."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval.did.att_gt import GroupTimeEffects
from plneval.did.design import GroupTime as Cell

Mask = npt.NDArray[np.bool_]


class Members:
    """Which schools and clusters stand behind a cell. U schools, T years, G clusters of the effects."""

    def __init__(self, effects: GroupTimeEffects) -> None:
        design = effects.design
        self.effects = effects
        self._design = design
        self._seen = np.zeros((len(design.group), len(design.times)), dtype=bool)
        self._seen[design.unit, design.time] = True
        position = np.full(len(design.cells.clusters), -1, dtype=np.intp)
        position[effects.pieces.clusters] = np.arange(effects.n_clusters)
        self._cluster = position[design.cells.cluster]
        self._n_clusters = effects.n_clusters
        self.clusters = design.cells.clusters[effects.pieces.clusters]

    def schools(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.intp]]:
        """Numbers of the schools, ascending, and the unit of each."""
        numbers = np.asarray(self._design.cells.units, dtype=np.int64)
        return numbers, np.arange(len(numbers))

    def arms(self, cell: Cell) -> tuple[Mask, Mask]:
        """(U,) treated and comparison schools seen in both years of a cell."""
        both = self._seen[:, cell.time] & self._seen[:, cell.base]
        group = self._design.group
        return both & (group == cell.group), both & np.isin(group, cell.comparison)

    def seen_once(self, cell: Cell) -> tuple[Mask, Mask]:
        """(U,) treated and comparison schools seen in one of a cell's years only."""
        one = self._seen[:, cell.time] ^ self._seen[:, cell.base]
        group = self._design.group
        return one & (group == cell.group), one & np.isin(group, cell.comparison)

    def cluster_arms(self, cells: tuple[Cell, ...]) -> tuple[Mask, Mask]:
        """(G,) clusters with a treated school of any cell, and those with comparison schools only."""
        treated, comparison = np.zeros(self._n_clusters, dtype=bool), np.zeros(self._n_clusters, dtype=bool)
        for cell in cells:
            of_treated, of_comparison = self.arms(cell)
            treated[self._cluster[of_treated]] = True
            comparison[self._cluster[of_comparison]] = True
        return treated, comparison & ~treated

    def rows(self, table: pd.DataFrame, cells: tuple[Cell, ...]) -> tuple[pd.Series, pd.Series]:
        """School-years of any of the cells, and the treated schools' school-years in the cells' own years."""
        used, treated = np.zeros_like(self._seen), np.zeros_like(self._seen)
        for cell in cells:
            of_treated, of_comparison = self.arms(cell)
            for of_arm in (of_treated, of_comparison):
                used[of_arm, cell.time] = True
                used[of_arm, cell.base] = True
            treated[of_treated, cell.time] = True
        schools, unit = self.schools()
        number = table["school"].to_numpy(dtype=np.int64)
        place = np.minimum(np.searchsorted(schools, number), len(schools) - 1)
        label = table["year"].to_numpy(dtype=np.int64)
        year = np.minimum(np.searchsorted(self._design.times, label), len(self._design.times) - 1)
        # Schools that were left out before estimation have no place of their own.
        known = (self._design.times[year] == label) & (schools[place] == number)
        school = unit[place]
        return (
            pd.Series(used[school, year] & known, index=table.index),
            pd.Series(treated[school, year] & known, index=table.index),
        )
