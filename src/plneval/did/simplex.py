"""Least squares over the simplex by Frank-Wolfe with exact line search, many problems side by side.

Minimises |Ax - b|²/N + ζ²|x|² over x ≥ 0, Σx = 1, step by step as R's synthdid does, so that weights which are stopped
short of the optimum are stopped at the same place. A step costs a few sums over x: products with A are carried along.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from plneval.did.columns import Floats, Integers

# Numbers up to which every problem gets a matrix of its own.
_WRITTEN_OUT = 4_000_000
# Problems up to which one after the other is quicker than side by side, and unknowns up to which their matrix is made.
_FEW, _SMALL = 4, 2_000


class Gram(Protocol):
    """A'A of R problems of n unknowns each."""

    def rows(self, problem: Integers, index: Integers) -> Floats:
        """(r, n) row ``index`` of the matrix of each of r problems."""
        ...

    def times(self, x: Floats) -> Floats:
        """(R, n) product with x of every problem."""
        ...

    def whole(self, problem: int) -> Floats:
        """(n, n) matrix of one problem."""
        ...


@dataclass(frozen=True)
class OwnGram:
    """A matrix (n, n) for each problem: (R, n, n)."""

    matrix: Floats

    def rows(self, problem: Integers, index: Integers) -> Floats:
        """See :class:`Gram`."""
        n = self.matrix.shape[1]
        return np.asarray(self.matrix.reshape(-1, n).take(problem * n + index, axis=0))

    def times(self, x: Floats) -> Floats:
        """See :class:`Gram`."""
        return np.asarray(np.einsum("rij,rj->ri", self.matrix, x))

    def whole(self, problem: int) -> Floats:
        """See :class:`Gram`."""
        return np.asarray(self.matrix[problem])


@dataclass(frozen=True)
class SharedColumns:
    """Problems whose columns are chosen from one A: ``factor`` (N, columns), ``column`` (R, n)."""

    factor: Floats
    column: Integers

    def rows(self, problem: Integers, index: Integers) -> Floats:
        """See :class:`Gram`."""
        column = self.column[problem]
        chosen = column[np.arange(len(problem)), index]
        return np.take_along_axis(self.factor[:, chosen].T @ self.factor, column, axis=1)

    def times(self, x: Floats) -> Floats:
        """See :class:`Gram`."""
        spread = np.zeros((len(x), self.factor.shape[1]))
        np.add.at(spread, (np.arange(len(x))[:, None], self.column), x)
        return np.take_along_axis((spread @ self.factor.T) @ self.factor, self.column, axis=1)

    def whole(self, problem: int) -> Floats:
        """See :class:`Gram`."""
        chosen = self.factor[:, self.column[problem]]
        return np.asarray(chosen.T @ chosen)


def shared_columns(factor: Floats, column: Integers) -> Gram:
    """Problems whose columns are chosen from one A, with their matrices written out where these are small."""
    if column.size * column.shape[1] > _WRITTEN_OUT:
        return SharedColumns(factor, column)
    # Laid out row by row, or every look at it would copy it.
    return OwnGram(np.ascontiguousarray((factor.T @ factor)[column[:, :, None], column[:, None, :]]))


@dataclass(frozen=True)
class SimplexProblems:
    """R problems of n unknowns.

    Attributes
    ----------
    gram
        Their A'A.
    target
        (R, n) A'b.
    allowed
        (R, n) unknowns that exist: problems may have fewer than n.
    n_rows, zeta
        N and ζ.
    """

    gram: Gram
    target: Floats
    allowed: NDArray[np.bool_]
    n_rows: int
    zeta: float


def frank_wolfe(problems: SimplexProblems, start: Floats, min_decrease: float, max_iter: int) -> Floats:
    """(R, n) weights after steps from ``start`` until one lowers the objective by ``min_decrease``² or less.

    At least two steps are taken and at most ``max_iter``, each to the vertex of steepest descent as far as pays.
    """
    result = start.copy()
    penalty = problems.n_rows * problems.zeta**2
    enough = -(min_decrease**2) * problems.n_rows
    active = np.arange(len(start))
    target, blocked = problems.target, None if problems.allowed.all() else ~problems.allowed
    # Half the gradient, A'Ax and x lie together, so that one call serves all three: small problems cost calls.
    state = np.stack([np.zeros(start.shape), problems.gram.times(start), start])
    at_row = active * start.shape[1]
    for iteration in range(1, max_iter + 1):
        half_gradient, product, x = state
        if len(active) <= _FEW and start.shape[1] <= _SMALL:
            for k, problem in enumerate(active):
                result[problem] = _alone(problems, int(problem), x[k], product[k], iteration, max_iter, enough)
            return result
        np.multiply(x, penalty, out=half_gradient)
        half_gradient += product
        half_gradient -= target
        if blocked is not None:
            half_gradient[blocked] = np.inf
        index = half_gradient.argmin(axis=1)
        if blocked is not None:
            half_gradient[blocked] = 0.0
        at = at_row + index
        row = problems.gram.rows(active, index)
        (own_slope, own_product, own), (x_slope, x_product, x_square) = (
            state.reshape(3, -1)[:, at],
            np.einsum("krn,rn->kr", state, x),
        )
        slope = own_slope - x_slope
        curve = row.take(at) - 2 * own_product + x_product + penalty * (1 - 2 * own + x_square)
        # At a vertex there is nowhere to go.
        step = np.minimum(np.maximum(-slope / np.where(curve > 0, curve, np.inf), 0.0), 1.0)
        going = step * (2 * slope + step * curve) < enough
        state[1:] *= (1 - step)[:, None]
        x.ravel()[at] += step
        row *= step[:, None]
        product += row
        if iteration < 2 or going.all():
            continue
        result[active[~going]] = x[~going]
        active, target, at_row = active[going], target[going], at_row[: int(going.sum())]
        state = np.ascontiguousarray(state[:, going])
        blocked = None if blocked is None else blocked[going]
        if not len(active):
            return result
    result[active] = state[2]
    return result


def _alone(
    problems: SimplexProblems, problem: int, x: Floats, product: Floats, first: int, max_iter: int, enough: float
) -> Floats:
    """(n,) weights of one problem after the steps that are left, from the ``first`` on: as in :func:`frank_wolfe`."""
    allowed = problems.allowed[problem]
    gram = np.ascontiguousarray(problems.gram.whole(problem)[np.ix_(allowed, allowed)])
    diagonal, target = gram.diagonal().tolist(), problems.target[problem][allowed]
    penalty = problems.n_rows * problems.zeta**2
    x, product = x[allowed], product[allowed]
    for iteration in range(first, max_iter + 1):
        half_gradient = product - target
        half_gradient += penalty * x
        index = int(half_gradient.argmin())
        own, own_product = float(x[index]), float(product[index])
        slope = float(half_gradient[index]) - float(half_gradient @ x)
        curve = diagonal[index] - 2 * own_product + float(product @ x) + penalty * (1 - 2 * own + float(x @ x))
        step = min(max(-slope / curve, 0.0), 1.0) if curve > 0 else 0.0
        x *= 1 - step
        x[index] += step
        product *= 1 - step
        product += step * gram[index]
        if iteration >= 2 and not step * (2 * slope + step * curve) < enough:
            break
    found = np.zeros(len(allowed))
    found[allowed] = x
    return found


def sparse_weights(problems: SimplexProblems, start: Floats, min_decrease: float) -> Floats:
    """Weights found in two rounds, as synthdid does: 100 steps, small weights set to 0, and up to 10,000 more."""
    first = frank_wolfe(problems, start, min_decrease, 100)
    kept = np.where(first <= first.max(axis=1, keepdims=True) / 4, 0.0, first)
    return frank_wolfe(problems, kept / kept.sum(axis=1, keepdims=True), min_decrease, 10_000)


def normalized(weights: Floats, allowed: NDArray[np.bool_]) -> Floats:
    """(R, n) non-negative weights scaled to add up to 1; equal ones where they are all 0."""
    weights = np.where(allowed, weights, 0.0)
    total = weights.sum(axis=1, keepdims=True)
    equal = allowed / allowed.sum(axis=1, keepdims=True)
    return np.where(total > 0, weights / np.where(total > 0, total, 1.0), equal)
