"""Intervals under bounds on relative magnitudes: conditional least-favourable hybrid of Andrews, Roth and Pakes (2023).

Violations of parallel trends after entry are bounded by M̄ times the largest one before it (Rambachan and Roth 2023,
section 2.4.1): with d_s = δ_s − δ_{s−1}, |d_t| ≤ M̄ max_s |d_s|. The set is a union of polyhedra, one for each period s
before the reference and sign of d_s, and so is the confidence set.

For one of them, with w = ±d_s, u_t = β_t − β_{t−1} and θ = l'τ, the inequalities are ±(u_t − a_t) ≤ M̄ w, where the
effects' changes a_t are free but for Σ c_t a_t = θ, c_t = Σ_{j≥t} l_j. The test profiles the free ones out by a
linear program, whose dual has the feasible directions λ⁺ − λ⁻ = a c, λ ≥ 0. Its extreme rays are known: λ⁺_t = λ⁻_t = 1
for each t, and the positive and negative part of c with either sign. So no program is solved: the statistic is the
largest of T + 2 normalised moments, which depend on the data through w and z = l'β only, and the least favourable
critical value comes from a probability in the plane, by quadrature instead of simulation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr, ndtri

from plneval.did.columns import Floats
from plneval.did.errors import DidError

# Share of the size spent on the first stage, as recommended by Andrews, Roth and Pakes and as in R's HonestDiD.
FIRST_STAGE = 0.1
POINTS = 501
BISECTIONS = 36
ROOT_STEPS = 40
# Standard deviations beyond which a normal density counts as zero.
FAR = 9.0
NODES, NODE_WEIGHTS = np.polynomial.legendre.leggauss(24)


@dataclass(frozen=True)
class Polyhedra:
    """The normal variables behind the tests, for each of the S = 2 × (periods before) polyhedra.

    Attributes
    ----------
    w
        (S,) estimated change before entry, with its sign.
    z
        Estimate of l'β.
    w_sd, z_sd, cov
        Standard deviations and (S,) covariance of them.
    weights
        (T,) c_t, the weight of each change after entry in l'β.
    u_variance, u_cov
        (T,) variances of the changes after entry and (S, T) covariances with w.
    """

    w: Floats
    z: float
    w_sd: Floats
    z_sd: float
    cov: Floats
    weights: Floats
    u_variance: Floats
    u_cov: Floats


@dataclass(frozen=True)
class Moments:
    """Normalised moments of S polyhedra at one M̄: J = T + 2 of them, each α w + β (z − θ).

    Attributes
    ----------
    of_w, of_z
        (S, J) α and β; the last two moments are those that involve θ, with β > 0 and β < 0.
    covariance
        (S, J, J) of the moments.
    lf
        (S,) least favourable critical value of their maximum.
    """

    of_w: Floats
    of_z: Floats
    covariance: Floats
    lf: Floats


def polyhedra(betahat: Floats, sigma: Floats, n_pre: int, n_post: int, l_vec: Floats) -> Polyhedra:
    """Reduce event-study estimates (without the reference) to what the tests depend on."""
    size = n_pre + n_post
    steps = np.zeros((size, size + 1))
    steps[np.arange(size), np.arange(size)] = -1
    steps[np.arange(size), np.arange(size) + 1] = 1
    steps = np.delete(steps, n_pre, axis=1)
    changes = steps @ betahat
    covariance = steps @ sigma @ steps.T
    before, after = slice(0, n_pre), slice(n_pre, size)
    weights = np.cumsum(l_vec[::-1])[::-1]
    variance = np.diag(covariance)
    z_var = float(weights @ covariance[after, after] @ weights)
    if z_var <= 0 or np.any(variance[before] <= 0):
        raise DidError("a change between event times before entry, or the effect, has no sampling variation")
    sign = np.repeat([1.0, -1.0], n_pre)
    cross = np.tile(covariance[before, after], (2, 1)) * sign[:, None]
    found = Polyhedra(
        w=np.tile(changes[before], 2) * sign,
        z=float(weights @ changes[after]),
        w_sd=np.tile(np.sqrt(variance[before]), 2),
        z_sd=float(np.sqrt(z_var)),
        cov=cross @ weights,
        weights=weights,
        u_variance=variance[after],
        u_cov=cross,
    )
    if np.any(np.abs(found.cov) >= (1 - 1e-10) * found.w_sd * found.z_sd):
        raise DidError("the covariance matrix is singular: an effect is a multiple of a change before entry")
    return found


def moments(data: Polyhedra, bound: float, kappa: float) -> Moments:
    """The normalised moments at M̄ = ``bound`` and their least favourable critical value of size ``kappa``."""
    spread = bound**2 * data.w_sd[:, None] ** 2 + data.u_variance
    above = np.sqrt(np.maximum(spread - 2 * bound * data.u_cov, 0))
    below = np.sqrt(np.maximum(spread + 2 * bound * data.u_cov, 0))
    size = np.abs(data.weights)
    positive = data.weights > 0
    plus = np.where(positive, above, below) @ size
    minus = np.where(positive, below, above) @ size
    total = float(size.sum())
    of_w = np.column_stack([-2 * bound / (above + below), -bound * total / plus, -bound * total / minus])
    of_z = np.column_stack([np.zeros_like(above), 1 / plus, -1 / minus])
    covariance = (
        of_w[:, :, None] * of_w[:, None, :] * data.w_sd[:, None, None] ** 2
        + of_z[:, :, None] * of_z[:, None, :] * data.z_sd**2
        + (of_w[:, :, None] * of_z[:, None, :] + of_z[:, :, None] * of_w[:, None, :]) * data.cov[:, None, None]
    )
    narrow = np.min(above + below, axis=1)
    lf = _least_favourable(data, bound, bound * total, plus, minus, narrow, kappa)
    return Moments(of_w, of_z, covariance, lf)


def _least_favourable(
    data: Polyhedra, bound: float, slope: float, plus: Floats, minus: Floats, narrow: Floats, kappa: float
) -> Floats:
    """(S,) the 1 − κ quantile of the largest moment where all have mean zero."""
    # Every moment has a standard deviation of 1 or less, and three bounds describe the polygon.
    low, high = np.zeros(len(plus)), np.full(len(plus), float(ndtri(1 - kappa / 3)))

    def excess(q: Floats) -> Floats:
        # On the scale of quantiles the function is nearly a line.
        inside = np.clip(_polygon(data, bound, slope, plus, minus, narrow, q), 1e-300, 1 - 1e-16)
        return np.asarray(ndtri(inside) - ndtri(1 - kappa))

    below, above = excess(low), excess(high)
    for _ in range(ROOT_STEPS):
        # Regula falsi in the Illinois form: the value of an end that stays is halved.
        middle = np.where(above > below, low - below * (high - low) / np.where(above > below, above - below, 1), high)
        value = excess(middle)
        short = value < 0
        low, high = np.where(short, middle, low), np.where(short, high, middle)
        below, above = np.where(short, value, below / 2), np.where(short, above / 2, value)
        if np.max(np.abs(value)) < 1e-12:
            break
    return np.asarray(middle)


def _polygon(
    data: Polyhedra, bound: float, slope: float, plus: Floats, minus: Floats, narrow: Floats, q: Floats
) -> Floats:
    """(S,) probability that −q minus − slope w ≤ z ≤ q plus + slope w and 2 bound w ≥ −q narrow, all means zero.

    Integrates over x = w / sd(w) by Gauss-Legendre panels, short ones where a bound on z crosses zero given w.
    """
    on_w = data.cov / data.w_sd
    rest = np.sqrt(data.z_sd**2 - on_w**2)
    start = np.maximum(-q * narrow / (2 * bound * data.w_sd), -FAR) if bound > 0 else np.full(len(q), -FAR)
    cuts = [start, np.full(len(q), FAR), np.zeros(len(q)), np.full(len(q), -3.0), np.full(len(q), 3.0)]
    rises = (slope * data.w_sd - on_w, slope * data.w_sd + on_w)
    for rise, offset in zip(rises, (q * plus, q * minus), strict=True):
        with np.errstate(divide="ignore", invalid="ignore"):
            centre, width = -offset / rise, np.abs(8 * rest / rise)
            cuts += [centre - width, centre - width / 4, centre, centre + width / 4, centre + width]
    edges = np.sort(np.clip(np.nan_to_num(np.column_stack(cuts), nan=FAR), start[:, None], FAR), axis=1)
    half = np.diff(edges, axis=1)[:, :, None] / 2
    x = edges[:, :-1, None] + half * (1 + NODES)
    shape = (len(q), 1, 1)
    upper = (q * plus).reshape(shape) + rises[0].reshape(shape) * x
    lower = -(q * minus).reshape(shape) - rises[1].reshape(shape) * x
    scale = rest.reshape(shape)
    inside = np.maximum(ndtr(upper / scale) - ndtr(lower / scale), 0)
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    return np.asarray(np.sum(half * NODE_WEIGHTS * density * inside, axis=(1, 2)))


def accepted(data: Polyhedra, found: Moments, theta: Floats, alpha: float, kappa: float) -> NDArray[np.bool_]:
    """Whether the hybrid test of size ``alpha`` accepts θ: (S, G) for ``theta`` (S, G)."""
    size = (alpha - kappa) / (1 - kappa)
    values = found.of_w[:, None, :] * data.w[:, None, None] + found.of_z[:, None, :] * (data.z - theta)[:, :, None]
    best = np.argmax(values, axis=2)
    eta = np.max(values, axis=2)
    rows = np.arange(len(data.w))[:, None]
    against = found.covariance[rows, best]
    variance = np.take_along_axis(against, best[:, :, None], axis=2)[:, :, 0]
    safe = np.where(variance > 0, variance, 1.0)
    ratio = against / safe[:, :, None]
    # Given what is independent of it, a largest moment of x stays the largest while r ≤ (1 − ratio) x for all others.
    r = values - ratio * eta[:, :, None]
    gap = 1 - ratio
    near = np.abs(gap) < 1e-12
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = r / gap
    vlo = np.max(np.where(~near & (gap > 0), crossing, -np.inf), axis=2)
    vup = np.min(np.where(~near & (gap < 0), crossing, np.inf), axis=2)
    sd = np.sqrt(safe)
    lf = found.lf[:, None]
    top = np.minimum(vup, lf)
    # η exceeds the 1 − size quantile of a normal variable truncated to [vlo, top]: in logarithms of upper tails.
    from_low = log_ndtr(-np.minimum(vlo, eta) / sd)
    tail = np.exp(log_ndtr(-eta / sd) - from_low)
    beyond = np.exp(np.minimum(log_ndtr(-np.maximum(top, eta) / sd) - from_low, 0))
    conditional = tail - beyond < size * (1 - beyond)
    reject = (eta > lf) | ((eta > 0) & (variance > 0) & conditional)
    return np.asarray(~reject)


def magnitude_interval(data: Polyhedra, bound: float, alpha: float) -> tuple[float, float]:
    """Smallest and largest θ accepted for any polyhedron at M̄ = ``bound``.

    θ outside the least favourable interval is rejected by the first stage; inside, :data:`POINTS` values are tested and
    the outermost accepted ones refined by bisection, so that the ends do not depend on the grid.
    """
    kappa = alpha * FIRST_STAGE
    found = moments(data, bound, kappa)
    down = data.z + (found.of_w[:, -2] * data.w - found.lf) / found.of_z[:, -2]
    up = data.z + (found.of_w[:, -1] * data.w - found.lf) / found.of_z[:, -1]
    keep = up >= down
    theta = np.linspace(down, np.where(keep, up, down), POINTS, axis=1)
    inside = accepted(data, found, theta, alpha, kappa) & keep[:, None]
    first, last = np.argmax(inside, axis=1), POINTS - 1 - np.argmax(inside[:, ::-1], axis=1)
    rows = np.arange(len(theta))
    # Columns: the accepted point and its rejected neighbour, at the lower and at the upper end.
    good = np.column_stack([theta[rows, first], theta[rows, last]])
    bad = np.column_stack([theta[rows, np.maximum(first - 1, 0)], theta[rows, np.minimum(last + 1, POINTS - 1)]])
    for _ in range(BISECTIONS):
        middle = (good + bad) / 2
        holds = accepted(data, found, middle, alpha, kappa)
        good, bad = np.where(holds, middle, good), np.where(holds, bad, middle)
    some = inside.any(axis=1)
    return float(good[some, 0].min()), float(good[some, 1].max())
