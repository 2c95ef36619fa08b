"""CR2 with clubSandwich's root, which needs the rows of each cluster and their covariance matrix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from plneval.multilevel.design import Design, Floats, Integers
from plneval.multilevel.engine import Root
from plneval.multilevel.robust import NULL, Scores
from plneval.multilevel.segments import run_pointers
from plneval.multilevel.working import Centre, Model, working_rows

# Cubes of the clusters' sizes, summed, up to which the exact root is taken unasked.
WORK = 2e10


def exact_scores(
    designs: Iterable[Design], model: Model, centre: Centre, fixed: Integers, factors: Sequence[Floats], root: Root
) -> Scores:
    """The CR2 scores with A = D'(D(V − XMX')D')^{-1/2}D, V = D'D with D upper triangular, of every cluster.

    Parameters
    ----------
    designs
        The rows; the outermost level is the cluster.
    model, centre
        As the fit has them.
    fixed
        The working columns of X that are estimated.
    factors
        Λ of each level that has random effects (centred columns, innermost first).
    root
        β and the inverse of X'V⁻¹X.
    """
    rows, codes, weights = _rows(list(designs), model, centre)
    order = np.argsort(codes[-1], kind="stable")
    pointers = run_pointers(codes[-1], int(codes[-1].max()) + 1)
    random = model.working.random
    p, groups = len(fixed), len(pointers) - 1
    adjusted, spread, overlap = np.empty((groups, p)), np.empty((groups, p, p)), np.empty((groups, p, p))
    for group in range(groups):
        taken = order[pointers[group] : pointers[group + 1]]
        here = rows[taken]
        variance = np.diag(1.0 / weights[taken])
        for level, factor in enumerate(factors):
            effects = here[:, random[level]] @ factor
            variance += np.where(codes[level][taken, None] == codes[level][None, taken], effects @ effects.T, 0.0)
        x = here[:, fixed]
        residual = here[:, model.working.outcome] - x @ root.coefficients
        lower = np.linalg.cholesky(variance)
        inner = lower.T @ (variance - x @ root.inverse @ x.T) @ lower
        values, vectors = np.linalg.eigh((inner + inner.T) / 2.0)
        power = np.where(values > NULL * values[-1], np.maximum(values, NULL * values[-1]) ** -0.5, 0.0)
        adjust = lower @ ((vectors * power) @ vectors.T) @ lower.T
        weighted = adjust.T @ np.linalg.solve(variance, x)
        adjusted[group] = weighted.T @ residual
        projected = weighted @ root.inverse
        spread[group] = projected.T @ variance @ projected
        overlap[group] = x.T @ projected
    return Scores(adjusted, spread, overlap, 1.0)


def _rows(designs: list[Design], model: Model, centre: Centre) -> tuple[Floats, list[Integers], Floats]:
    """Working columns of all rows (not weighted), the group of each row at each level, and the weights."""
    parts, weights = [], []
    for design in designs:
        weight = np.ones(len(design.y)) if design.weights is None else np.asarray(design.weights, dtype=np.float64)
        parts.append(working_rows(design, model.working, centre, None) / np.sqrt(weight)[:, None])
        weights.append(weight)
    codes = []
    for level in range(len(designs[0].levels)):
        labels = [design.levels[level].labels.take(np.asarray(design.levels[level].codes)) for design in designs]
        codes.append(pd.factorize(labels[0].append(labels[1:]))[0].astype(np.intp))
    return np.concatenate(parts), codes, np.concatenate(weights)
