"""What a test of effects before entry could have found, and what passing it does to the estimates (Roth 2022)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import chdtri, chndtr, ndtr, ndtri

from plneval.did.columns import Floats
from plneval.did.errors import DidError
from plneval.did.event_estimates import event_estimates
from plneval.did.products import linear, moments

# Points of the quasi-random rule for probabilities of boxes, and the primes whose roots generate it.
POINTS = 1 << 13
PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97)
BISECTIONS = 40


@dataclass(frozen=True)
class PreTrendPower:
    """Power of tests of effects before entry, against a trend.

    Attributes
    ----------
    power
        Probability that at least one effect before entry is significant by itself.
    joint_power
        Probability that the joint (Wald) test rejects.
    bayes_factor
        Probability of no significant effect before entry under the trend, divided by that under parallel trends.
    likelihood_ratio
        Density of the estimates before entry under the trend, divided by that under parallel trends.
    table
        One row for each event time but the reference: event_time, estimate, se, trend, mean_after_passing, the mean of
        the estimate under the trend, without any effect, given that no effect before entry was significant.
    detectable_slope, joint_detectable_slope
        The linear trend, in units of the outcome a period, that each test detects with probability ``power_asked``.
    slope, power_asked, level
        The linear trend analysed (``None`` if another was given), the probability asked for, and the test's level.
    """

    power: float
    joint_power: float
    bayes_factor: float
    likelihood_ratio: float
    table: pd.DataFrame
    detectable_slope: float
    joint_detectable_slope: float
    slope: float | None
    power_asked: float
    level: float


def pretrend_power(
    effects: Any,
    trend: float | Mapping[float, float] | None = None,
    *,
    power: float = 0.5,
    level: float = 0.05,
) -> PreTrendPower:
    """Power of tests of effects before entry against a violation of parallel trends.

    Parameters
    ----------
    effects
        As for :func:`plneval.did.honest`: effects by event time, relative to one reference.
    trend
        The slope of a linear violation, in units of the outcome a period; or the violation at each event time except
        the reference; or ``None`` for the slope that the test of single effects detects with probability ``power``.
    power
        Probability of detection for ``detectable_slope``; Roth asks for 0.5 and 0.8.
    level
        Of the tests, two-sided.

    Raises
    ------
    DidError
        Effects without one reference or without effects before it, a trend that lacks event times, or numbers out of
        range.
    """
    if not 0 < level < power < 1:
        raise DidError(f"power is {power!r} and level {level!r}; they need 0 < level < power < 1")
    found = event_estimates(effects)
    n_pre = found.n_pre
    if n_pre > len(PRIMES):
        raise DidError(f"{n_pre} effects before entry; at most {len(PRIMES)}: narrow the event times by min_event")
    time = found.events - found.reference
    pre = found.sigma[:n_pre, :n_pre]
    critical = float(ndtri(1 - level / 2))
    half = critical * np.sqrt(np.diag(pre))
    factor = _factor(pre)
    single = _slope_for(lambda slope: 1 - _box(slope * time[:n_pre], factor, half)[0], power, half, time[:n_pre])
    solved = np.linalg.solve(pre, time[:n_pre])
    unit = float(time[:n_pre] @ solved)
    bound = float(chdtri(n_pre, level))

    def joint(noncentrality: float) -> float:
        return float(1 - chndtr(bound, n_pre, noncentrality))

    joint_slope = _slope_for(lambda slope: joint(slope**2 * unit), power, half, time[:n_pre])
    violation = _violation(single if trend is None else trend, found.events, time)
    passing, mean = _box(violation[:n_pre], factor, half)
    moved = violation + found.sigma[:, :n_pre] @ np.linalg.solve(pre, mean - violation[:n_pre])
    betahat = found.betahat[:n_pre]
    solved_trend = np.linalg.solve(pre, violation[:n_pre])
    columns = {
        "event_time": found.events,
        "estimate": found.betahat,
        "se": np.sqrt(np.diag(found.sigma)),
        "trend": violation,
        "mean_after_passing": moved,
    }
    return PreTrendPower(
        power=1 - passing,
        joint_power=joint(float(violation[:n_pre] @ solved_trend)),
        bayes_factor=passing / _box(np.zeros(n_pre), factor, half)[0],
        likelihood_ratio=float(np.exp(betahat @ solved_trend - violation[:n_pre] @ solved_trend / 2)),
        table=pd.DataFrame(columns),
        detectable_slope=single,
        joint_detectable_slope=joint_slope,
        slope=None if isinstance(trend, Mapping) else single if trend is None else float(trend),
        power_asked=power,
        level=level,
    )


def _violation(trend: float | Mapping[float, float], events: Floats, time: Floats) -> Floats:
    if not isinstance(trend, Mapping):
        values = float(trend) * time
    else:
        lacking = [f"{event:g}" for event in events if event not in trend]
        if lacking:
            raise DidError(f"trend has no value for event times {', '.join(lacking)}")
        values = np.array([float(trend[event]) for event in events])
    if not np.isfinite(values).all():
        raise DidError("trend must be finite")
    return np.asarray(values)


def _factor(pre: Floats) -> Floats:
    """Cholesky factor of the covariance of the effects before entry."""
    try:
        return np.asarray(np.linalg.cholesky(pre))
    except np.linalg.LinAlgError as error:
        raise DidError(
            "the covariance of the effects before entry is singular: narrow the event times by min_event"
        ) from error


def _box(mean: Floats, factor: Floats, half: Floats) -> tuple[float, Floats]:
    """Probability that a normal vector lies in ± half, and its mean given that it does (Genz 1992, separation).

    The variables are drawn one after the other within their bounds, at the points of a Richtmyer lattice with the
    baker's transformation: the same points every time.
    """
    size = len(mean)
    index = np.arange(1, POINTS + 1)[:, None]
    points = np.abs(2 * ((index * np.sqrt(np.array(PRIMES[:size]))) % 1) - 1)
    drawn = np.zeros((POINTS, size))
    weight = np.ones(POINTS)
    for k in range(size):
        centre = mean[k] + (linear(drawn[:, :k], factor[k, :k]) if k else np.zeros(POINTS))
        low, high = (-half[k] - centre) / factor[k, k], (half[k] - centre) / factor[k, k]
        # The tail is taken on the side of zero where it is small, for precision.
        flip = low > 0
        first, last = np.where(flip, -high, low), np.where(flip, -low, high)
        share = ndtr(last) - ndtr(first)
        weight = weight * share
        value = ndtri(np.clip(ndtr(first) + points[:, k] * share, 1e-300, 1 - 1e-16))
        drawn[:, k] = np.where(flip, -value, value)
    probability = float(weight.mean())
    if probability <= 0:
        return 0.0, np.full(size, np.nan)
    return probability, np.asarray(mean + factor @ (moments(weight, drawn) / weight.sum()))


def _slope_for(power_of: Callable[[float], float], asked: float, half: Floats, time: Floats) -> float:
    """The slope ≥ 0 at which the power reaches ``asked``, by bisection."""
    low, high = 0.0, float(np.min(half / np.abs(time)))
    while power_of(high) < asked:
        low, high = high, 2 * high
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if power_of(middle) < asked else (low, middle)
    return high
