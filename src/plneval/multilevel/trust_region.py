"""Minimisation of a smooth function with an exact gradient: trust region, certified stop.

A point is called a minimum only if a fresh Hessian says so: the predicted decrease (half the Newton decrement) is below
the tolerance and no direction has negative curvature. Variances at 0 are stationary by symmetry, whether minimum or
saddle; only the Hessian tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from plneval.multilevel.design import Floats

Objective = Callable[[Floats], tuple[float, Floats]]

# Half the Newton decrement (units of the criterion) at which a point counts as the minimum.
TOLERANCE = 1e-10
# Step of the differences of gradients that make the Hessian.
DIFFERENCE = 1e-5
# Curvature below this fraction of the largest counts as none.
FLAT = 1e-7
# Lengths tried along a direction of negative curvature.
ESCAPES = (0.02, 0.1, 0.5)


@dataclass(frozen=True)
class Minimum:
    """Where a minimisation ended.

    Attributes
    ----------
    point, value, gradient, hessian
        The last point and what the function is there; the Hessian is fresh if ``converged``.
    predicted_decrease
        Half the Newton decrement.
    converged
        Whether the point is certified.
    evaluations
        Evaluations of value and gradient.
    """

    point: Floats
    value: float
    gradient: Floats
    hessian: Floats
    predicted_decrease: float
    converged: bool
    evaluations: int


def difference_hessian(objective: Objective, point: Floats, gradient: Floats, step: float = DIFFERENCE) -> Floats:
    """(m, m) Hessian by differences from the exact gradient at the point."""
    m = len(point)
    hessian = np.empty((m, m))
    for i in range(m):
        move = np.zeros(m)
        move[i] = step
        hessian[i] = (objective(point + move)[1] - gradient) / step
    return (hessian + hessian.T) / 2.0


class _Search:
    """The state of one minimisation."""

    def __init__(self, objective: Objective, start: Floats, hessian: Floats | None) -> None:
        self._objective = objective
        self.evaluations = 0
        self.point = np.array(start, dtype=np.float64)
        self.value, self.gradient = self.evaluate(self.point)
        self.radius = 1.0
        self.fresh = False
        if hessian is None:
            self.refresh()
        else:
            self.hessian = hessian

    def evaluate(self, point: Floats) -> tuple[float, Floats]:
        self.evaluations += 1
        return self._objective(point)

    def refresh(self) -> None:
        self.hessian = difference_hessian(self.evaluate, self.point, self.gradient)
        self.fresh = True

    def decrement(self) -> tuple[float, float, Floats]:
        """Predicted decrease, the least curvature relative to the largest, and its direction."""
        values, vectors = np.linalg.eigh(self.hessian)
        largest = max(float(np.abs(values).max()), 1e-12)
        along = vectors.T @ self.gradient
        predicted = 0.5 * float((along**2 / np.maximum(np.abs(values), FLAT * largest)).sum())
        return predicted, float(values[0]) / largest, vectors[:, 0]

    def step(self) -> bool:
        """One trust-region step; whether the point moved."""
        move, promised = trust_region_step(self.gradient, self.hessian, self.radius)
        value, gradient = self.evaluate(self.point + move)
        if not np.isfinite(value):
            self.radius = 0.25 * float(np.linalg.norm(move))
            return False
        gained = self.value - value
        if abs(gained) < 1e-11 * abs(self.value):
            # Too small to be seen in the value: the mean of both gradients tells.
            gained = -0.5 * float((self.gradient + gradient) @ move)
        ratio = gained / promised if promised > 0 else -1.0
        length = float(np.linalg.norm(move))
        if ratio < 0.25:
            self.radius = 0.25 * length
        elif ratio > 0.75 and length > 0.9 * self.radius:
            self.radius *= 2.5
        self._learn(move, gradient - self.gradient)
        if ratio <= 1e-4:
            return False
        self.point, self.value, self.gradient, self.fresh = self.point + move, value, gradient, False
        return True

    def _learn(self, move: Floats, change: Floats) -> None:
        """Symmetric rank-one update: unlike BFGS it learns negative curvature."""
        miss = change - self.hessian @ move
        scale = float(miss @ move)
        if abs(scale) > 1e-8 * float(np.linalg.norm(miss) * np.linalg.norm(move)):
            self.hessian = self.hessian + np.outer(miss, miss) / scale
            self.fresh = False

    def polish(self) -> None:
        """One Newton step more, where it makes the gradient smaller: squares an error that is small already."""
        values, vectors = np.linalg.eigh(self.hessian)
        curved = values > FLAT * max(float(values[-1]), 1e-12)
        move = -vectors[:, curved] @ (vectors[:, curved].T @ self.gradient / values[curved])
        value, gradient = self.evaluate(self.point + move)
        if np.linalg.norm(gradient) < np.linalg.norm(self.gradient) and value <= self.value + 1e-11 * abs(self.value):
            self.point, self.value, self.gradient = self.point + move, value, gradient

    def escape(self, direction: Floats) -> bool:
        """Leave a saddle along a direction of negative curvature; whether a lower point was found."""
        for length in ESCAPES:
            for sign in (1.0, -1.0):
                point = self.point + sign * length * direction
                value, gradient = self.evaluate(point)
                if value < self.value - 1e-9:
                    self.point, self.value, self.gradient = point, value, gradient
                    self.refresh()
                    self.radius = max(length, 0.1)
                    return True
        return False


def trust_region_step(gradient: Floats, hessian: Floats, radius: float) -> tuple[Floats, float]:
    """The minimiser of the quadratic model within the radius, and the decrease it promises."""
    values, vectors = np.linalg.eigh(hessian)
    along = vectors.T @ gradient
    largest = max(float(np.abs(values).max()), 1e-12)
    low = max(0.0, -float(values[0]) + FLAT * largest)

    def length(damping: float) -> float:
        return float(np.linalg.norm(along / (values + damping)))

    damping = low
    if low > 0 or float(values[0]) <= FLAT * largest or length(0.0) > radius:
        damping = low + FLAT * largest
        if length(damping) > radius:
            high = damping + float(np.linalg.norm(gradient)) / radius + largest
            for _ in range(60):
                middle = 0.5 * (damping + high)
                damping, high = (middle, high) if length(middle) > radius else (damping, middle)
            damping = high
    move = -vectors @ (along / (values + damping))
    promised = -float(gradient @ move + 0.5 * move @ hessian @ move)
    return move, promised


def minimise(
    objective: Objective,
    start: Floats,
    *,
    hessian: Floats | None = None,
    tolerance: float = TOLERANCE,
    max_evaluations: int = 2_000,
    certify: bool = True,
) -> Minimum:
    """Minimise a function from a start.

    Parameters
    ----------
    objective
        Gives value and gradient; an infinite value where the function is not defined.
    start
        (m,) where to begin; the function must be finite there.
    hessian
        (m, m) an approximation of the Hessian at the start; by differences of gradients without it.
    tolerance
        Predicted decrease at which to stop.
    certify
        Whether a fresh Hessian must say so; without it the approximation that was learnt on the way does, and the
        result is not called converged.
    """
    search = _Search(objective, start, hessian)
    refused = 0
    while search.evaluations < max_evaluations:
        predicted, least, direction = search.decrement()
        if predicted <= tolerance:
            if not certify and least >= -FLAT * 10:
                return _ended(search, predicted, converged=False)
            if not search.fresh:
                search.refresh()
                continue
            if least >= -FLAT * 10 or not search.escape(direction):
                search.polish()
                return _ended(search, predicted, converged=True)
            continue
        refused = 0 if search.step() else refused + 1
        if refused >= 3 and not search.fresh:
            search.refresh()
            search.radius = max(search.radius, 1e-3)
        elif refused >= 25:
            break
    if not search.fresh:
        search.refresh()
    predicted, least, _ = search.decrement()
    return _ended(search, predicted, converged=predicted <= 100 * tolerance and least >= -FLAT * 10)


def _ended(search: _Search, predicted: float, *, converged: bool) -> Minimum:
    return Minimum(
        point=search.point,
        value=search.value,
        gradient=search.gradient,
        hessian=search.hessian,
        predicted_decrease=predicted,
        converged=converged,
        evaluations=search.evaluations,
    )
