"""Profile-likelihood intervals of standard deviations and correlations of random effects, and of the residual SD.

A parameter is held at a value, everything else is optimised anew, and the interval is where the deviance rises by less
than the quantile of χ²(1) (Bates et al. 2015, section 5.1). The parameter is the first entry of a Cholesky factor in
which its effects come first, so that holding it needs no constraint on the others.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import ndtri

from plneval.multilevel.design import Floats
from plneval.multilevel.engine import Engine
from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.optimise import optimise
from plneval.multilevel.theta import Block, Parameters
from plneval.multilevel.trust_region import Minimum, minimise

if TYPE_CHECKING:
    from plneval.multilevel.result import Fit

# Intervals end within this fraction of the estimate's distance to them.
PRECISION = 1e-6
# Predicted decrease at which an optimisation of the other parameters stops.
TOLERANCE = 1e-8
# A rise that a certified optimum differs from by no more than this fraction is right.
AGREEMENT = 1e-6
# How often an interval's end is moved outwards before it is called unbounded.
EXPANSIONS = 60


@dataclass(frozen=True)
class Held:
    """What is held: the SD of effect ``first`` of a block, its correlation with ``second``, or σ (no block)."""

    block: int | None = None
    first: int = 0
    second: int | None = None


class HeldDeviance:
    """The deviance as a function of all parameters but the one held: lower triangles of factors, then log σ."""

    def __init__(self, engine: Engine, parameters: Parameters, held: Held) -> None:
        self.engine, self.parameters, self.held = engine, parameters, held
        self.value = 0.0
        scales = engine.column_scales
        self.bases = [self._basis(at, block, scales[block.level]) for at, block in enumerate(parameters.blocks)]
        self.places = [self._free(at, block) for at, block in enumerate(parameters.blocks)]

    def _basis(self, at: int, block: Block, scale: Floats) -> Floats:
        """(q, q) T with Λ of the centred columns = T L, L lower triangular, the effects held first, rows scaled."""
        order = list(range(block.width))
        shift = np.eye(block.width)
        size = scale[block.rows].copy()
        if at == self.held.block:
            front = [self.held.first, *([self.held.second] if self.held.second is not None else [])]
            order = [*front, *(place for place in order if place not in front)]
            # The user's effects: the intercept's is not that of centred columns.
            shift = self.parameters.shifts[block.level][block.rows, block.rows]
            size[front] = 1.0
        return np.asarray((shift * size)[:, order])

    def _free(self, at: int, block: Block) -> list[tuple[int, int]]:
        rows, columns = block.lower
        free = list(zip(rows.tolist(), columns.tolist(), strict=True))
        if at == self.held.block:
            # For a correlation the length of the second row is free, in the place of its diagonal.
            free.remove((1, 0) if self.held.second is not None else (0, 0))
        return free

    def factors(self, point: Floats) -> tuple[list[Floats], float]:
        """Λ of each level for the centred columns, and σ."""
        lowers, sigma = self._lowers(point)
        return self._scales(lowers), sigma

    def _lowers(self, point: Floats) -> tuple[list[Floats], float]:
        sigma = self.value if self.held.block is None else float(np.exp(point[-1]))
        lowers, start = [], 0
        for at, (block, places) in enumerate(zip(self.parameters.blocks, self.places, strict=True)):
            lower = np.zeros((block.width, block.width))
            for place, entry in zip(places, point[start : start + len(places)], strict=True):
                lower[place] = entry
            start += len(places)
            if at == self.held.block:
                if self.held.second is None:
                    lower[0, 0] = self.value / sigma
                else:
                    lower[1, :2] = lower[1, 1] * np.array([self.value, np.sqrt(1.0 - self.value**2)])
            lowers.append(lower)
        return lowers, sigma

    def _scales(self, lowers: Sequence[Floats]) -> list[Floats]:
        scales = [np.zeros((width, width)) for width in self.parameters.widths]
        for block, basis, lower in zip(self.parameters.blocks, self.bases, lowers, strict=True):
            scales[block.level][block.rows, block.rows] = basis @ lower
        return scales

    def __call__(self, point: Floats) -> tuple[float, Floats]:
        lowers, sigma = self._lowers(point)
        try:
            value, gradient, root = self.engine.value_and_gradient(self._scales(lowers), sigma)
        except np.linalg.LinAlgError:
            return np.inf, np.zeros_like(point)
        of_sigma = 2.0 * (self.engine.freedom - root.residual / sigma**2)
        parts: list[float] = []
        for at, (block, basis, places) in enumerate(zip(self.parameters.blocks, self.bases, self.places, strict=True)):
            of_lower = basis.T @ gradient[block.level][block.rows, block.rows]
            if at == self.held.block:
                if self.held.second is None:
                    of_sigma -= of_lower[0, 0] * lowers[at][0, 0]
                else:
                    of_lower[1, 1] = of_lower[1, :2] @ np.array([self.value, np.sqrt(1.0 - self.value**2)])
            parts.extend(of_lower[place] for place in places)
        if self.held.block is not None:
            parts.append(of_sigma)
        return value, np.array(parts)

    def start(self, factors: Sequence[Floats], sigma: float) -> tuple[Floats, float]:
        """The point of given factors of the centred columns, and the value of the parameter held there."""
        point: list[float] = []
        value = sigma
        for at, (block, basis, places) in enumerate(zip(self.parameters.blocks, self.bases, self.places, strict=True)):
            inside = np.linalg.solve(basis, factors[block.level][block.rows, block.rows])
            lower = np.asarray(np.linalg.qr(inside.T, mode="r")).T
            lower = lower * np.where(np.diagonal(lower) < 0, -1.0, 1.0)
            if at == self.held.block:
                if self.held.second is None:
                    value = float(lower[0, 0]) * sigma
                else:
                    length = float(np.hypot(lower[1, 0], lower[1, 1]))
                    value = float(lower[1, 0]) / length if length > 0 and lower[0, 0] > 0 else float("nan")
                    lower[1, 1] = length
            point.extend(float(lower[place]) for place in places)
        if self.held.block is not None:
            point.append(float(np.log(sigma)))
        return np.array(point), value


class Profile:
    """The profile of one parameter: the deviance above its minimum, with everything else optimised.

    Points on the way to an interval's end are optimised with the Hessian of the point before, as it has been learnt
    since; the end itself is certified, and looked for anew with certified points if it was not where it seemed.
    """

    def __init__(self, held: HeldDeviance, start: Floats, least: float) -> None:
        self.held, self.least, self.start = held, least, start
        self.known: dict[float, Minimum] = {}
        self.certify = False

    def root_of_rise(self, value: float) -> float:
        """The square root of how far the deviance rises if the parameter is held at a value: nearly linear in it."""
        if value not in self.known:
            self.known[value] = self._least_at(value, certify=self.certify or not self.known)
        return float(np.sqrt(max(self.known[value].value - self.least, 0.0)))

    def _least_at(self, value: float, *, certify: bool) -> Minimum:
        self.held.value = value
        near = min(self.known, key=lambda other: abs(other - value), default=None)
        if near is None:
            return minimise(self.held, self.start, tolerance=TOLERANCE)
        before = self.known[near]
        found = minimise(self.held, before.point, hessian=before.hessian, tolerance=TOLERANCE, certify=certify)
        if certify and not found.converged:
            found = min(found, minimise(self.held, self.start, tolerance=TOLERANCE), key=lambda end: end.value)
        return found

    def end(self, estimate: float, step: float, limit: float, wanted: float) -> float:
        """Where the root has risen to ``wanted``, from the estimate towards ``limit``; the limit if it never does."""
        for self.certify in (False, True):
            self.known = {}
            found = self._end(estimate, step, limit, wanted)
            if self.certify or not np.isfinite(found):
                return found
            seemed = self.root_of_rise(found)
            certified = float(np.sqrt(max(self._least_at(found, certify=True).value - self.least, 0.0)))
            if abs(certified - seemed) <= AGREEMENT * wanted:
                return found
        raise AssertionError("unreachable")

    def _end(self, estimate: float, step: float, limit: float, wanted: float) -> float:
        inside, outside = estimate, estimate + step
        for _ in range(EXPANSIONS):
            beyond = (outside - limit) * np.sign(step) >= 0
            outside = limit if beyond else outside
            risen = self.root_of_rise(outside)
            if risen >= wanted:
                tolerance = PRECISION * abs(outside - estimate)
                return float(brentq(self._missing, inside, outside, args=(estimate, wanted), xtol=tolerance))
            if beyond:
                return limit
            inside = outside
            further = (outside - estimate) * min(1.02 * wanted / max(risen, 1e-3), 4.0)
            outside = estimate + further
        return float("inf") * float(np.sign(step))

    def _missing(self, value: float, estimate: float, wanted: float) -> float:
        return -wanted if value == estimate else self.root_of_rise(value) - wanted


def profile_intervals(
    engine: Engine,
    parameters: Parameters,
    factors: Sequence[Floats],
    groups: Sequence[str],
    level: float = 0.95,
    only: Collection[tuple[str, str]] | None = None,
) -> pd.DataFrame:
    """Profile intervals of every standard deviation and correlation, or of some standard deviations.

    Parameters
    ----------
    engine
        Whose likelihood is profiled: lme4 takes full maximum likelihood, also for REML fits.
    parameters, factors
        The parameters, and Λ of each level for the centred columns where the criterion is least.
    groups
        Names of the levels, innermost first.
    level
        Coverage.
    only
        Standard deviations that are wanted, as (group, effect); all of them, and correlations, if ``None``.

    Returns
    -------
    DataFrame
        ``group``, ``name1``, ``name2`` (``None`` for standard deviations), ``estimate``, ``ci_low``, ``ci_high``, on
        the scale of standard deviations and correlations; the residual's last. A limit of 0, or of ±1, says that the
        data do not exclude it. Correlations with an effect of no variance are missing.

    Raises
    ------
    MultilevelError
        ``level`` is not between 0 and 1; ``only`` names an effect that is not there.
    """
    if not 0 < level < 1:
        raise MultilevelError(f"level is {level}; give the coverage between 0 and 1, such as 0.95")
    wanted = float(ndtri(0.5 + level / 2))
    least, _, root = engine.value_and_gradient(factors)
    sigma = float(np.sqrt(root.residual / engine.freedom))
    known = {(groups[block.level], name) for block in parameters.blocks for name in block.names}
    stray = sorted(set(only or ()) - known)
    if stray:
        raise MultilevelError(
            f"there is no standard deviation of {stray[0][1]} by {stray[0][0]}; there are "
            + ", ".join(f"{name} by {group}" for group, name in sorted(known))
        )
    rows = []
    for at, block in enumerate(parameters.blocks):
        for first, second in zip(*(places.tolist() for places in block.lower), strict=True):
            if only is not None and (first != second or (groups[block.level], block.names[first]) not in only):
                continue
            held = Held(at, second, None if first == second else first)
            name1, name2 = block.names[second], None if first == second else block.names[first]
            found = _interval(HeldDeviance(engine, parameters, held), factors, sigma, least, wanted)
            rows.append((groups[block.level], name1, name2, *found))
    if only is None:
        found = _interval(HeldDeviance(engine, parameters, Held()), factors, sigma, least, wanted)
        rows.append(("Residual", None, None, *found))
    return pd.DataFrame(rows, columns=["group", "name1", "name2", "estimate", "ci_low", "ci_high"])


def _interval(
    held: HeldDeviance, factors: Sequence[Floats], sigma: float, least: float, wanted: float
) -> tuple[float, float, float]:
    start, estimate = held.start(factors, sigma)
    profile = Profile(held, start, least)
    if held.held.second is not None:
        if np.isnan(estimate):
            return estimate, float("nan"), float("nan")
        return (
            estimate,
            profile.end(estimate, -0.1, -1.0, wanted),
            profile.end(estimate, 0.1, 1.0, wanted),
        )
    step = 0.1 * max(estimate, 0.05 * sigma)
    return estimate, profile.end(estimate, -step, 0.0, wanted), profile.end(estimate, step, float("inf"), wanted)


def profile_of_fit(
    fit: Fit, level: float, *, reml: bool, only: Collection[tuple[str, str]] | None = None
) -> pd.DataFrame:
    """The table of :func:`profile_intervals` for a fit, of its full or restricted likelihood."""
    engine, factors = fit.engine_used, fit.optimum.factors
    if engine.reml != reml:
        engine = engine.by(reml=reml)
        factors = optimise(engine, fit.parameters).factors
    return profile_intervals(engine, fit.parameters, factors, list(fit.groups), level, only)
