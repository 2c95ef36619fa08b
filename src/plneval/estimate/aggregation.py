"""Averages of group-time effects, with the influence of their estimated weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plneval.estimate.cells import Cell, Panel
from plneval.estimate.diff_diff_cell import CellEffect

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Average:
    """A weighted mean of cells.

    Attributes
    ----------
    estimate : in units of the outcome.
    influence : by school, shape (N,).
    cells : the cells in it.
    """

    estimate: float
    influence: Array
    cells: tuple[Cell, ...]


def weighted_average(panel: Panel, effects: Sequence[CellEffect]) -> Average:
    r"""Mean of cells weighted by their treated schools' weight, :math:`\theta = \sum_c M_c A_c / \sum_c M_c`.

    :math:`M_c = \sum_{i \in c} w_i` over the treated schools of the cell: its treated pupils (mean number of a school's
    scored pupils) or schools. With a balanced panel :math:`M_c/\sum w` is the group's share, the weight of R ``did``.
    The influence function is that of R ``did``: :math:`\sum_c (M_c/M) \psi_{ic} + \sum_c w_i 1\{i \in c\}
    (A_c - \theta)/M`, whose second part carries the sampling of the groups' sizes (Callaway and Sant'Anna 2021).
    """
    total = sum(effect.mass for effect in effects)
    estimate = sum(effect.mass * effect.att for effect in effects) / total
    influence = np.zeros(len(panel.schools))
    for effect in effects:
        influence += effect.mass / total * effect.influence
        treated = effect.cell.treated
        influence[treated] += panel.weight[treated] * (effect.att - estimate) / total
    return Average(estimate, influence, tuple(effect.cell for effect in effects))


def equal_average(averages: Sequence[Average]) -> Average:
    """Unweighted mean of averages, such as those of several event times."""
    count = len(averages)
    return Average(
        sum(average.estimate for average in averages) / count,
        np.sum([average.influence for average in averages], axis=0) / count,
        tuple(cell for average in averages for cell in average.cells),
    )
