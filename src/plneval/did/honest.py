"""How large violations of parallel trends would have to be (Rambachan and Roth 2023)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from plneval.did.columns import Floats
from plneval.did.errors import DidError
from plneval.did.event_estimates import event_estimates
from plneval.did.honest_magnitudes import magnitude_interval, polyhedra
from plneval.did.honest_smoothness import smoothness_interval, smoothness_path

KINDS = ("smoothness", "relative_magnitudes")
MAGNITUDES = (0.0, 0.5, 1.0, 1.5, 2.0)
# Of the standard error, for the default grid of changes of slope.
SLOPES = (0.0, 0.25, 0.5, 0.75, 1.0)
# Breakdown values are sought between the unit times 2 to the minus and plus this.
DOUBLINGS = 10
HALVINGS = 20
Interval = Callable[[float], tuple[float, float]]


@dataclass(frozen=True)
class HonestBounds:
    """Intervals that hold under violations of parallel trends up to a bound.

    Attributes
    ----------
    kind
        ``"smoothness"``: the slope of the violation changes by at most M from one period to the next (M in units of
        the outcome). ``"relative_magnitudes"``: changes after the reference are at most M times the largest before it.
    weights
        Event time and its weight in the parameter.
    estimate, se, ci_low, ci_high
        The parameter under parallel trends, with its normal interval.
    table
        One row for each M of the grid: m, ci_low, ci_high, excludes_null.
    breakdown
        The M from which the interval contains ``null``: 0 if it does already at M = 0, infinity if at no M tried.
    null, level, reference
        The value tested, the confidence level, the event time effects are relative to.
    """

    kind: str
    weights: pd.Series
    estimate: float
    se: float
    ci_low: float
    ci_high: float
    table: pd.DataFrame
    breakdown: float
    null: float
    level: float
    reference: float


def honest(
    effects: Any,
    kind: str = "smoothness",
    grid: Sequence[float] | None = None,
    *,
    event: float | None = None,
    weights: Mapping[float, float] | None = None,
    null: float = 0.0,
    level: float | None = None,
) -> HonestBounds:
    """Confidence intervals of an effect that allow for violations of parallel trends, and their breakdown value.

    Parameters
    ----------
    effects
        ``att_gt(..., base_period="universal").aggregate("dynamic")``, or a linear estimator's effects by event time
        with a reference.
    kind
        ``"smoothness"`` or ``"relative_magnitudes"``; see :class:`HonestBounds`.
    grid
        Values of M. By default 0 to 2 by halves for relative magnitudes, 0 to 1 standard errors of the effect by
        quarters for smoothness.
    event, weights
        The parameter: the effect at one event time, or the sum of effects by event time with these weights; by default
        the mean of the effects from event time 0 on, which is the dynamic aggregate's ``estimate``.
    null
        The value whose exclusion is in question.
    level
        Of the intervals; that of ``effects`` by default.

    Raises
    ------
    DidError
        Effects without one reference or without effects before it, negative M, unknown kind, event time or weights.

    Notes
    -----
    Estimates are taken as normal with known covariance, as in the source: with few clusters, intervals are too narrow.
    Relative magnitudes: the hybrid of Andrews, Roth and Pakes with a first stage of a tenth of the size, on the
    inequalities that involve effects after the reference. The interval's ends are the outermost values accepted.
    """
    if kind not in KINDS:
        raise DidError(f"kind is {kind!r}; it can be {', '.join(map(repr, KINDS))}")
    found = event_estimates(effects)
    level = found.level if level is None else level
    if not 0.5 < level < 1:
        raise DidError(f"level is {level!r}; give a number between 0.5 and 1, such as 0.95")
    l_vec = found.l_vec(event, weights)
    post = slice(found.n_pre, None)
    estimate = float(l_vec @ found.betahat[post])
    se = float(np.sqrt(l_vec @ found.sigma[post, post] @ l_vec))
    interval = bounds(found.betahat, found.sigma, found.n_pre, found.n_post, l_vec, kind, alpha=1 - level)
    values = _grid(grid, kind, se)
    ends = np.array([interval(value) for value in values])
    excluded = (ends[:, 0] > null) | (ends[:, 1] < null)
    columns = {"m": values, "ci_low": ends[:, 0], "ci_high": ends[:, 1], "excludes_null": excluded}
    half = float(ndtri((1 + level) / 2)) * se
    weighted = pd.Series(l_vec, index=pd.Index(found.after, name="event_time"), name="weight")
    return HonestBounds(
        kind=kind,
        weights=weighted[weighted.index >= 0],
        estimate=estimate,
        se=se,
        ci_low=estimate - half,
        ci_high=estimate + half,
        table=pd.DataFrame(columns),
        breakdown=breakdown(interval, null, 1.0 if kind == "relative_magnitudes" else se),
        null=float(null),
        level=level,
        reference=found.reference,
    )


def bounds(
    betahat: Floats, sigma: Floats, n_pre: int, n_post: int, l_vec: Floats, kind: str, *, alpha: float = 0.05
) -> Interval:
    """The interval of l'τ as a function of M.

    Parameters
    ----------
    betahat, sigma
        (n,) effects by event time without the reference, ``n_pre`` before and ``n_post`` after it; their covariance.
    l_vec
        (n_post,) weights of the parameter.
    """
    if kind == "relative_magnitudes":
        data = polyhedra(betahat, sigma, n_pre, n_post, l_vec)
        return lambda bound: magnitude_interval(data, bound, alpha)
    path = smoothness_path(betahat, sigma, n_pre, n_post, l_vec)
    return lambda bound: smoothness_interval(path, bound, alpha)


def breakdown(interval: Interval, null: float, unit: float) -> float:
    """The M from which the interval contains ``null``, by doubling and halving, to a millionth of itself.

    0 if the interval at M = 0 contains it; infinity if it does not at ``unit`` × 2¹⁰.
    """

    def contains(bound: float) -> bool:
        low, high = interval(bound)
        return low <= null <= high

    if contains(0.0):
        return 0.0
    low, high = 0.0, unit / 2**DOUBLINGS
    while not contains(high):
        low, high = high, 2 * high
        if high > unit * 2**DOUBLINGS:
            return float("inf")
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if contains(middle) else (middle, high)
    return float(high)


def _grid(grid: Sequence[float] | None, kind: str, se: float) -> Floats:
    if grid is None:
        return np.array(MAGNITUDES) if kind == "relative_magnitudes" else np.array(SLOPES) * se
    values = np.asarray(grid, dtype=float).reshape(-1)
    if not len(values) or not np.isfinite(values).all() or np.any(values < 0):
        raise DidError(f"grid is {list(grid)!r}; give one value of M or more, finite and not negative")
    return values
