"""The parameters at the least criterion: starts, a subsample for large data, and what is made of zero variances.

Parameters are unbounded: a bound at 0 on the diagonal of Λ traps an optimiser there, where the gradient vanishes by
symmetry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plneval.multilevel.design import Floats
from plneval.multilevel.engine import Engine, Root
from plneval.multilevel.theta import Parameters
from plneval.multilevel.trust_region import Minimum, minimise

# Relative standard deviations that all random effects start from, per standard deviation of their column.
STARTS = (1.0, 0.2)
# Rows from which on one start does.
MANY_ROWS = 20_000
# Relative standard deviation (of centred, scaled columns) that counts as zero; lme4 takes it of theta itself, so that
# years counted from 0 AD or incomes in cents are singular there.
SINGULAR = 1e-4
# A diagonal entry is set to 0 if the criterion rises by no more than this.
SNAP = 1e-9


@dataclass(frozen=True)
class Optimum:
    """The least criterion found.

    Attributes
    ----------
    theta
        lme4's theta.
    factors
        Λ of each level for the centred columns, innermost first, each block lower triangular.
    criterion
        Its value.
    root
        β and σ² of the working columns there.
    gradient
        (theta,) derivative of the criterion.
    converged
        Whether a fresh Hessian certifies the point as a minimum.
    singular
        Whether a variance is 0 or a correlation perfect: a diagonal entry of the centred, scaled Λ is below 1e-4.
    predicted_decrease
        Half the Newton decrement.
    evaluations
        Evaluations on all data (subsample apart).
    """

    theta: Floats
    factors: tuple[Floats, ...]
    criterion: float
    root: Root
    gradient: Floats
    converged: bool
    singular: bool
    predicted_decrease: float
    evaluations: int


class ScaledObjective:
    """The criterion as a function of lower triangles of Λ, centred and scaled: each entry about a relative SD."""

    def __init__(self, engine: Engine, parameters: Parameters, scales: list[Floats]) -> None:
        self.engine = engine
        self.parameters = parameters
        self.scales = scales

    def factors(self, point: Floats) -> list[Floats]:
        """Λ of each level for the centred columns."""
        unit = self.parameters.factors(point)
        return [scale[:, None] * factor for scale, factor in zip(self.scales, unit, strict=True)]

    def start(self, size: float) -> Floats:
        """Diagonals at ``size``, the rest 0."""
        point = np.zeros(self.parameters.size)
        point[self.parameters.diagonal] = size
        return point

    def point(self, factors: Sequence[Floats]) -> Floats:
        """The point of Λ of each level for the centred columns."""
        return self.parameters.theta_of(
            [factor / scale[:, None] for scale, factor in zip(self.scales, factors, strict=True)]
        )

    def __call__(self, point: Floats) -> tuple[float, Floats]:
        try:
            value, gradient, _ = self.engine.value_and_gradient(self.factors(point))
        except np.linalg.LinAlgError:
            return np.inf, np.zeros_like(point)
        parts = []
        for block in self.parameters.blocks:
            rows, columns = block.lower
            full = self.scales[block.level][:, None] * gradient[block.level]
            parts.append(full[block.first + rows, block.first + columns])
        return value, np.concatenate(parts)


def optimise(engine: Engine, parameters: Parameters, near: Optimum | None = None) -> Optimum:
    """Find the least criterion; ``near`` is where that of similar data is (refits of a bootstrap)."""
    objective = ScaledObjective(engine, parameters, engine.column_scales)
    before = engine.evaluations
    if near is not None:
        found = minimise(objective, _inside(objective.point(near.factors)))
        if found.converged:
            return _finished(objective, found, engine.evaluations - before)
    sample = engine.sample()
    if sample is None:
        found = _best_of_starts(objective, _starts(engine))
    else:
        rehearsal = _best_of_starts(ScaledObjective(sample, parameters, engine.column_scales), _starts(sample))
        larger = engine.freedom / sample.freedom
        found = minimise(objective, _inside(rehearsal.point), hessian=_convex(rehearsal.hessian) * larger)
    return _finished(objective, found, engine.evaluations - before)


def _starts(engine: Engine) -> tuple[float, ...]:
    """Two starts where rows are so few that there may be two minima; one where they are many or time is short."""
    return STARTS[:1] if engine.large or engine.freedom > MANY_ROWS else STARTS


def _best_of_starts(objective: ScaledObjective, starts: tuple[float, ...]) -> Minimum:
    ends = [minimise(objective, objective.start(size)) for size in starts]
    return min(ends, key=lambda end: (round(end.value, 9), not end.converged))


def _inside(point: Floats) -> Floats:
    """The point with entries away from 0, where a gradient would vanish by symmetry."""
    return np.where(np.abs(point) < 0.02, np.where(point < 0, -0.02, 0.02), point)


def _convex(hessian: Floats) -> Floats:
    values, vectors = np.linalg.eigh(hessian)
    return np.asarray((vectors * np.maximum(np.abs(values), 1e-3 * np.abs(values).max())) @ vectors.T)


def _finished(objective: ScaledObjective, found: Minimum, evaluations: int) -> Optimum:
    """theta of the point found, with diagonal entries that are as good as 0 set to 0."""
    parameters, engine = objective.parameters, objective.engine
    theta = parameters.theta_of(parameters.uncentred(objective.factors(found.point)))
    value, gradient, root = engine.value_and_gradient(parameters.centred(parameters.factors(theta)))
    for place in parameters.diagonal:
        if 0 < theta[place] < 100 * SINGULAR:
            lower = theta.copy()
            lower[place] = 0.0
            at_zero = engine.value_and_gradient(parameters.centred(parameters.factors(lower)))
            if at_zero[0] <= value + SNAP:
                theta, (value, gradient, root) = lower, at_zero
    factors = parameters.triangular(parameters.centred(parameters.factors(theta)))
    return Optimum(
        theta=theta,
        factors=tuple(factors),
        criterion=value,
        root=root,
        gradient=parameters.gradient(gradient),
        converged=found.converged,
        singular=_is_singular(objective, factors),
        predicted_decrease=found.predicted_decrease,
        evaluations=evaluations,
    )


def _is_singular(objective: ScaledObjective, factors: list[Floats]) -> bool:
    """Whether a scaled, centred Λ has a diagonal entry near 0: in other units of a column it would be the same."""
    scaled = [factor / scale[:, None] for factor, scale in zip(factors, objective.scales, strict=True)]
    lowers = objective.parameters.triangular(scaled)
    return any(bool((np.diagonal(lower) < SINGULAR).any()) for lower in lowers)
