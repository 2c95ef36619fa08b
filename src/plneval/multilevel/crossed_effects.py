"""Predictions of group effects where levels are crossed: those of all outer groups together, then the largest level's.

As :mod:`plneval.multilevel.random_effects`, with the outer effects one vector: û = W(Z'V⁻¹(y − Xβ)) and covariance σ²W,
W = ΛH⁻¹Λ'. A group of the largest level has û = W_i(Z_i'(y − Xβ − Z_o ũ)), and its covariance takes that of the outer
groups it touches in.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.linalg

from plneval.multilevel.batched import shrinkage
from plneval.multilevel.crossed import CrossedCriterion
from plneval.multilevel.design import Design, Floats, Integers
from plneval.multilevel.segments import counting_sort, run_pointers, sum_runs
from plneval.multilevel.statistics import Statistics
from plneval.multilevel.working import working_rows

# Pairs of rows of one group held at once.
PAIRS = 1 << 20

Effects = tuple[Floats, Floats]
"""Means (groups, q) and covariances (groups, q, q), for the centred columns and relative to σ²."""


def crossed_effects(
    design: Design, statistics: Statistics, engine: CrossedCriterion, factors: Sequence[Floats]
) -> list[Effects]:
    """Predict the effects of every level, the largest first.

    Parameters
    ----------
    design
        All rows; codes count the groups that have rows, in the order of the statistics' labels.
    statistics
        Pooled: for the columns' centring.
    engine, factors
        The criterion, and Λ of each level for the centred columns.
    """
    passed = engine.eliminate(factors)
    root = passed.root
    base = len(statistics.model.working.fixed) + 1
    scale = scipy.linalg.block_diag(
        *(np.kron(np.eye(size), factor) for size, factor in zip(engine.data.sizes, factors[1:], strict=True))
    )
    rooted = scipy.linalg.solve_triangular(passed.factor, scale.T, lower=True)
    weight = rooted.T @ rooted
    x = np.asarray(engine.fixed, dtype=np.intp)
    mean = weight @ (passed.cross[base:, base - 1] - passed.cross[base:, x] @ root.coefficients)
    outer: list[Effects] = []
    places: list[Integers] = []
    start = 0
    for width, size in zip(engine.data.widths, engine.data.sizes, strict=True):
        place = start + np.arange(size * width).reshape(size, width)
        outer.append((mean[place], weight[place[:, :, None], place[:, None, :]]))
        places.append(place)
        start += size * width
    inner = _largest(design, statistics, factors[0], root.coefficients, x, mean, weight, places)
    return [inner, *outer]


def _largest(
    design: Design,
    statistics: Statistics,
    scale: Floats,
    coefficients: Floats,
    x: Integers,
    mean: Floats,
    weight: Floats,
    places: Sequence[Integers],
) -> Effects:
    """Effects of the largest level's groups, given those of all others."""
    working = statistics.model.working
    unit = np.asarray(design.levels[0].codes, dtype=np.intp)
    units = len(design.levels[0].labels)
    order = counting_sort(unit, units)
    rows = working_rows(design, working, statistics.centre, order)
    pointers = run_pointers(unit, units)
    own = rows[:, working.random[0]]
    left = rows[:, working.outcome] - rows[:, working.fixed[x]] @ coefficients
    # For each row the outer effects it has, and their columns of Z.
    touched = np.concatenate(
        [place[np.asarray(level.codes)[order]] for level, place in zip(design.levels[1:], places, strict=True)], axis=1
    )
    z = np.concatenate([rows[:, columns] for columns in working.random[1:]], axis=1)
    left = left - (z * mean[touched]).sum(axis=1)
    gram = np.stack([sum_runs(own, pointers, np.ascontiguousarray(column)) for column in own.T], axis=1)
    shrunk = shrinkage(gram, scale).weight
    score = sum_runs(own, pointers, left)
    means = np.einsum("jab,jb->ja", shrunk, score)
    through = _through(own, z, touched, weight, pointers)
    return means, shrunk + shrunk @ through @ shrunk


def _through(own: Floats, z: Floats, touched: Integers, weight: Floats, pointers: Integers) -> Floats:
    """(units, q, q) Z_i'Z_o W Z_o'Z_i of each unit, over pairs of its rows."""
    q = own.shape[1]
    length = np.diff(pointers)
    found = np.zeros((len(length), q, q))
    pairs_until = np.cumsum(length**2)
    start = 0
    while start < len(length):
        done = pairs_until[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(pairs_until, done + PAIRS, side="right")))
        here = np.arange(pointers[start], pointers[stop])
        of_unit = np.repeat(np.arange(start, stop), length[start:stop])
        first = np.repeat(here, length[of_unit])
        run = np.repeat(np.arange(start, stop), length[start:stop] ** 2)
        begin = np.repeat(np.r_[0, np.cumsum(length[start:stop] ** 2)[:-1]], length[start:stop] ** 2)
        second = pointers[run] + (np.arange(len(first)) - begin) % length[run]
        between = np.zeros(len(first))
        for a in range(z.shape[1]):
            for b in range(z.shape[1]):
                between += z[first, a] * weight[touched[first, a], touched[second, b]] * z[second, b]
        for a in range(q):
            for b in range(q):
                product = own[first, a] * between * own[second, b]
                found[start:stop, a, b] = np.bincount(run - start, product, stop - start)
        start = stop
    return found
