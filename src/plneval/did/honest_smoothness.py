"""Intervals under smoothness: fixed-length confidence intervals (Armstrong and Kolesár 2018; Rambachan and Roth 2023).

The slope of the violation of parallel trends changes by at most M between consecutive periods. An interval is centred
at v'β̂ with v = (v_pre, l), where v_pre makes the estimator immune to linear trends. The violation δ is a line plus
hinges with weights of at most M, so the largest bias is M times a constant plus the ℓ1 norm of free weights, and the
variance is quadratic in them: for every M the best estimator lies on the path of one lasso problem, which is piecewise
linear and followed exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import ndtr, ndtri

from plneval.did.columns import Floats
from plneval.did.errors import DidError

STEPS = 64
NEWTON_STEPS = 8
GOLDEN_STEPS = 24
GOLDEN = (np.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class SmoothnessPath:
    """Estimators among which the shortest interval is found for each M.

    Attributes
    ----------
    corners
        (K, P) free weights at the corners of the lasso path, from the least bias to the least variance.
    fixed_bias
        Largest bias at M = 1 that no choice of weights removes.
    base, directions
        v = base + directions @ weights, (n,) and (n, P).
    betahat, sigma
        The estimates and their covariance.
    """

    corners: Floats
    fixed_bias: float
    base: Floats
    directions: Floats
    betahat: Floats
    sigma: Floats

    def bias_and_sd(self, weights: Floats) -> tuple[Floats, Floats]:
        """Largest bias at M = 1 and standard deviation of estimators, (...,) each, for weights (..., P)."""
        v = self.base + weights @ self.directions.T
        variance = np.sum((v @ self.sigma) * v, axis=-1)
        return self.fixed_bias + np.abs(weights).sum(axis=-1), np.sqrt(np.maximum(variance, 0))


def folded_normal_quantile(shift: Floats, alpha: float) -> Floats:
    """The 1 − α quantile of |N(shift, 1)|, shift ≥ 0."""
    # From below, where the distribution function is concave, Newton's steps rise to the root without overshooting.
    quantile = np.asarray(shift + ndtri(1 - alpha))
    for _ in range(NEWTON_STEPS):
        above, below = quantile - shift, -quantile - shift
        density = (np.exp(-(above**2) / 2) + np.exp(-(below**2) / 2)) / np.sqrt(2 * np.pi)
        quantile = quantile + np.maximum(1 - alpha - ndtr(above) + ndtr(below), 0) / density
    return quantile


def smoothness_path(betahat: Floats, sigma: Floats, n_pre: int, n_post: int, l_vec: Floats) -> SmoothnessPath:
    """The lasso path of estimators of l'τ that are unbiased under linear violations.

    With hinges g_k(−t) = max(t − k, 0), k = 0..n_pre − 1, a change of slope at −k biases by w_k = Σ_t v_{−t} g_k(−t).
    They are a basis of the weights before entry; immunity to linear trends is w_0 = Σ_t l_t t, the others are free.
    """
    after = np.arange(1, n_post + 1)
    hinges_after = np.maximum(after[None, :] - after[:, None], 0)
    hinges = np.maximum(np.arange(n_pre, 0, -1)[None, :] - np.arange(n_pre)[:, None], 0)
    weights_of = np.linalg.inv(hinges.astype(float))
    trend = float(l_vec @ after)
    base = np.concatenate([weights_of[:, 0] * trend, l_vec])
    directions = np.vstack([weights_of[:, 1:], np.zeros((n_post, n_pre - 1))])
    quadratic = directions.T @ sigma @ directions
    linear = directions.T @ sigma @ base
    fixed_bias = float(np.abs(hinges_after @ l_vec).sum() + abs(trend))
    return SmoothnessPath(_lasso_path(quadratic, linear), fixed_bias, base, directions, betahat, sigma)


def _lasso_path(quadratic: Floats, linear: Floats) -> Floats:
    """(K, P) corners of argmin ½ w'Qw + g'w + λ‖w‖₁ as λ falls to 0, by homotopy (Osborne, Presnell, Turlach 2000)."""
    size = len(linear)
    weights = np.zeros(size)
    corners = [weights]
    if not size:
        return np.array(corners)
    scale = np.sqrt(np.diag(quadratic))
    if np.any(scale <= 0) or np.linalg.eigvalsh(quadratic / np.outer(scale, scale))[0] < 1e-12:
        raise DidError("the covariance of the effects before entry is singular: narrow the event times by min_event")
    penalty = float(np.max(np.abs(linear)))
    active = np.zeros(size, dtype=bool)
    active[np.argmax(np.abs(linear))] = True
    sign = -np.sign(linear)
    for _ in range(8 * 2 ** min(size, 8)):
        if penalty <= 0:
            return np.array(corners)
        on = np.flatnonzero(active)
        # While λ falls by s, active weights move by s × step and gradients by s × drift.
        step = np.zeros(size)
        step[on] = np.linalg.solve(quadratic[np.ix_(on, on)], sign[on])
        drift = quadratic @ step
        gradient = linear + quadratic @ weights
        best, event, enters = penalty, -1, False
        for j in range(size):
            if active[j]:
                leave = -weights[j] / step[j] if step[j] * sign[j] < 0 else np.inf
                if 0 <= leave < best:
                    best, event, enters = leave, j, False
                continue
            for side in (1.0, -1.0):
                # The gradient reaches side × λ: gradient + s drift = side (λ − s).
                rate = drift[j] + side
                reach = (side * penalty - gradient[j]) / rate if rate * side > 0 else np.inf
                if 1e-12 * penalty < reach < best:
                    best, event, enters = reach, j, True
        weights = weights + best * step
        if event >= 0 and not enters:
            weights[event] = 0.0
        penalty = penalty - best if event >= 0 else 0.0
        corners.append(weights)
        if event >= 0:
            active[event] = enters
            if enters:
                sign[event] = -np.sign((linear + quadratic @ weights)[event])
    raise DidError("the path of smoothness estimators could not be followed: check the covariance matrix")


def smoothness_interval(path: SmoothnessPath, bound: float, alpha: float) -> tuple[float, float]:
    """The shortest fixed-length interval for M = ``bound``: centre v'β̂, half-length sd × folded normal quantile."""

    def half_length(weights: Floats) -> Floats:
        bias, sd = path.bias_and_sd(weights)
        return np.asarray(sd * folded_normal_quantile(bound * bias / sd, alpha))

    corners = path.corners
    share = np.linspace(0, 1, STEPS, endpoint=False)[:, None]
    if len(corners) == 1:
        weights = corners[0]
    else:
        pieces = [start + share * (end - start) for start, end in pairwise(corners)]
        points = np.vstack([*pieces, corners[-1:]])
        best = int(np.argmin(half_length(points)))
        # A kink of the path can only lie on a point of the grid: search both sides of it.
        sides = [points[max(best - 1, 0)], points[min(best + 1, len(points) - 1)]]
        found = [_golden(half_length, points[best], side) for side in sides]
        weights = min(found, key=lambda candidate: float(half_length(candidate)))
    centre = float((path.base + path.directions @ weights) @ path.betahat)
    half = float(half_length(weights))
    return centre - half, centre + half


def _golden(objective: Callable[[Floats], Floats], start: Floats, end: Floats) -> Floats:
    """Minimise along a segment by golden section."""
    low, high = 0.0, 1.0
    a, b = 1 - GOLDEN, GOLDEN
    at_a, at_b = objective(start + a * (end - start)), objective(start + b * (end - start))
    for _ in range(GOLDEN_STEPS):
        if at_a <= at_b:
            high, b, at_b = b, a, at_a
            a = high - GOLDEN * (high - low)
            at_a = objective(start + a * (end - start))
        else:
            low, a, at_a = a, b, at_b
            b = low + GOLDEN * (high - low)
            at_b = objective(start + b * (end - start))
    middle = start + (low + high) / 2 * (end - start)
    return np.asarray(min((start, middle), key=lambda point: float(objective(point))))
