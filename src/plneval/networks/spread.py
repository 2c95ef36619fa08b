r"""How much the effect differs between networks: standard deviation, prediction interval, share below zero, shrinkage.

Each network's estimate is its true effect plus an error of known variance; true effects are normal with mean μ and
standard deviation τ (:mod:`plneval.networks.random_effects`). Never a league table: shrunken estimates come without
names (:func:`caterpillar`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from plneval.errors import UserError
from plneval.networks.random_effects import Method, RandomEffects, covariance_matrix, random_effects

Floats = NDArray[np.float64]

FEW_NETWORKS: Final = 5
"""With fewer networks τ̂ is close to a guess and the intervals lean on normality."""
_QUANTILES: Final = 200
_HALVINGS: Final = 32
_FARTHEST: Final = 8.0
"""Normal quantile beyond which a share counts as 0 or 1."""


@dataclass(frozen=True)
class Spread:
    """Spread of the effect between networks, in units of the estimates; what cannot be estimated is NaN.

    Attributes
    ----------
    state
        ``estimated`` or ``not_estimable`` (fewer than two networks).
    k
        Networks.
    mean, mean_se, mean_low, mean_high, df
        Mean effect over networks, each network counting by its precision, with Knapp and Hartung's t interval.
    sd, sd_low, sd_high
        τ̂ by restricted maximum likelihood with its Q-profile interval.
    sd_paule_mandel
        τ̂ by another estimator, to see how much hangs on that choice.
    i2, q, q_p
        Share of the estimates' variance that is spread; Cochran's Q with its test of no spread.
    prediction_low, prediction_high
        Where the true effect of a new network of the same kind is expected, with the doubt about τ in it: quantiles of
        the confidence distribution of μ + τ × normal (Nagashima, Noma and Furukawa 2019).
    prediction_t_low, prediction_t_high, prediction_t_df
        The usual interval μ̂ ± t(k − 2) √(τ̂² + se²), with se by Knapp and Hartung, which takes τ̂ for τ and is too
        narrow with few networks; missing for two.
    share_below_zero, share_low, share_high
        Share of the population of networks whose true effect is below zero, with its interval.
    networks
        One row for each network in the order given: unit, estimate, se, shrunken, shrunken_se, low, high, reliability
        (τ̂²/(τ̂² + se²)). ``shrunken_se`` takes τ̂ for τ; low and high do not: they are quantiles of the network's
        effect over the confidence distribution of τ. For the restricted folder only.
    warnings
        Any of ``one_network``, ``few_networks``, ``no_spread_found`` (τ̂ = 0: not the same as no spread),
        ``spread_not_told_from_zero``, ``network_of_one_school``, ``no_prediction_from_two_networks``,
        ``closer_than_chance`` (the estimates lie closer together than their standard errors allow, so that no τ fits:
        the standard errors are too large or a covariance is left out; intervals that need τ are missing).
    level
        Of all intervals.
    """

    state: str
    k: int
    mean: float
    mean_se: float
    mean_low: float
    mean_high: float
    df: int
    sd: float
    sd_low: float
    sd_high: float
    sd_paule_mandel: float
    i2: float
    q: float
    q_p: float
    prediction_low: float
    prediction_high: float
    prediction_t_low: float
    prediction_t_high: float
    prediction_t_df: int
    share_below_zero: float
    share_low: float
    share_high: float
    networks: pd.DataFrame
    warnings: tuple[str, ...] = ()
    level: float = 0.95


def between_network_spread(
    effects: pd.DataFrame, covariance: ArrayLike | None = None, *, method: Method = "reml", level: float = 0.95
) -> Spread:
    """Estimate the spread of an effect between networks.

    Parameters
    ----------
    effects
        One row for each network: unit (any label), estimate, se, and n_schools if known.
    covariance
        (k, k) covariance of the estimates in the order of the rows; from ``se`` alone when left out. Networks that are
        compared with the same schools have correlated errors: without their covariance τ is too small and the interval
        of the mean too narrow.

    Raises
    ------
    UserError
        If an estimate is missing, a standard error is not positive, a network stands twice, or ``se`` and covariance
        disagree.
    """
    matrix = _checked(effects, covariance)
    warnings = []
    if "n_schools" in effects and (effects["n_schools"] == 1).any():
        warnings.append("network_of_one_school")
    k = len(effects)
    if k < 2:
        return _not_estimable(effects, level, ("one_network", *warnings))
    y = effects["estimate"].to_numpy(dtype=np.float64)
    fit = random_effects(y, matrix, method=method, level=level)
    other = random_effects(y, matrix, method="paule_mandel", level=level)
    if k < FEW_NETWORKS:
        warnings.append("few_networks")
    if fit.tau2 == 0:
        warnings.append("no_spread_found")
    if fit.tau2_low == 0:
        warnings.append("spread_not_told_from_zero")
    if k == 2:
        warnings.append("no_prediction_from_two_networks")
    mean, tau = float(fit.coefficients[0]), float(np.sqrt(fit.tau2))
    low, high = fit.interval(0)
    half = _prediction_half_width(fit)
    doubt = _doubt_about_both(fit)
    if doubt.tau2 is None:
        warnings.append("closer_than_chance")
    return Spread(
        state="estimated",
        k=k,
        mean=mean,
        mean_se=float(fit.se[0]),
        mean_low=low,
        mean_high=high,
        df=fit.df,
        sd=tau,
        sd_low=float("nan") if doubt.tau2 is None else float(np.sqrt(fit.tau2_low)),
        sd_high=float("nan") if doubt.tau2 is None else float(np.sqrt(fit.tau2_high)),
        sd_paule_mandel=float(np.sqrt(other.tau2)),
        i2=fit.i2,
        q=fit.q,
        q_p=fit.q_p,
        prediction_low=doubt.prediction[0],
        prediction_high=doubt.prediction[1],
        prediction_t_low=mean - half,
        prediction_t_high=mean + half,
        prediction_t_df=k - 2,
        share_below_zero=_share_below_zero(mean, tau),
        share_low=doubt.share[0],
        share_high=doubt.share[1],
        networks=_shrunken(effects, y, matrix, fit, doubt.tau2),
        warnings=tuple(warnings),
        level=level,
    )


def caterpillar(spread: Spread) -> pd.DataFrame:
    """Shrunken estimates for a figure without names: place (1, 2, ... by size of the effect), shrunken, low, high.

    Neither the units nor their order in the data are left. Places are no ranks: intervals of neighbours overlap.
    """
    table = spread.networks.sort_values("shrunken", kind="stable")[["shrunken", "low", "high"]]
    return table.reset_index(drop=True).rename_axis("place").reset_index().assign(place=range(1, len(table) + 1))


def _checked(effects: pd.DataFrame, covariance: ArrayLike | None) -> Floats:
    """The estimates' covariance matrix."""
    twice = effects["unit"].duplicated()
    if twice.any():
        raise UserError(
            f"{int(twice.sum())} networks stand more than once among the estimates; give one estimate for each network."
        )
    se = effects["se"].to_numpy(dtype=np.float64)
    if not (np.isfinite(se).all() and (se > 0).all()):
        raise UserError(
            "the estimate of a network has no positive standard error; leave such networks out and count them."
        )
    if covariance is None:
        return covariance_matrix(se**2)
    matrix = covariance_matrix(covariance)
    if matrix.shape != (len(se), len(se)) or not np.allclose(np.diag(matrix), se**2, rtol=1e-6):
        raise UserError("the covariance of the networks' estimates does not hold the squares of their standard errors.")
    return matrix


def _not_estimable(effects: pd.DataFrame, level: float, warnings: tuple[str, ...]) -> Spread:
    nan = float("nan")
    columns = ["unit", "estimate", "se"]
    networks = effects[columns].assign(shrunken=nan, shrunken_se=nan, low=nan, high=nan, reliability=nan)
    return Spread(
        state="not_estimable",
        k=len(effects),
        mean=nan,
        mean_se=nan,
        mean_low=nan,
        mean_high=nan,
        df=0,
        sd=nan,
        sd_low=nan,
        sd_high=nan,
        sd_paule_mandel=nan,
        i2=nan,
        q=nan,
        q_p=nan,
        prediction_low=nan,
        prediction_high=nan,
        prediction_t_low=nan,
        prediction_t_high=nan,
        prediction_t_df=0,
        share_below_zero=nan,
        share_low=nan,
        share_high=nan,
        networks=networks,
        warnings=warnings,
        level=level,
    )


def _prediction_half_width(fit: RandomEffects) -> float:
    """Higgins, Thompson and Spiegelhalter (2009), with Knapp and Hartung's standard error (Partlett and Riley 2017)."""
    from scipy.special import stdtrit

    if fit.k < 3:
        return float("nan")
    return float(stdtrit(fit.k - 2, (1 + fit.level) / 2)) * float(np.sqrt(fit.tau2 + fit.vcov[0, 0]))


def _share_below_zero(mean: float, tau: float) -> float:
    """Φ(−μ/τ); without spread all networks lie on the side of the mean."""
    from scipy.special import ndtr

    if tau == 0:
        return 0.5 if mean == 0 else float(mean < 0)
    return float(ndtr(-mean / tau))


@dataclass(frozen=True)
class _Doubt:
    """Intervals that rest on μ and τ together, from draws of τ²; missing where no τ fits the estimates."""

    share: tuple[float, float]
    prediction: tuple[float, float]
    tau2: Floats | None


def _doubt_about_both(fit: RandomEffects) -> _Doubt:
    r"""Intervals of Φ(−μ/τ) and of a new network's effect from the confidence distribution of (τ², μ).

    τ² is what makes Q(τ²) equal to a draw of χ² with k − 1 degrees of freedom, and μ given τ² is normal around μ̂(τ²)
    with its standard error (Nagashima, Noma and Furukawa 2019). So P(share ≤ Φ(z)) = E Φ((τz + μ̂)/se) and
    P(θ ≤ x) = E Φ((x − μ̂)/√(τ² + se²)), means over quantiles of χ².
    """
    from scipy.optimize import brentq
    from scipy.special import chdtri, ndtr

    ends = (1 - fit.level) / 2, (1 + fit.level) / 2
    if fit.q < chdtri(fit.df, ends[1]):
        return _Doubt((float("nan"),) * 2, (float("nan"),) * 2, None)
    tau2 = _tau2_at(fit, chdtri(fit.df, (np.arange(_QUANTILES) + 0.5) / _QUANTILES))
    w = 1 / (fit.turned.v + tau2[:, None])
    one = fit.turned.x[:, 0]
    total = (w * one**2).sum(axis=1)
    mean, se, tau = (w * one * fit.turned.y).sum(axis=1) / total, 1 / np.sqrt(total), np.sqrt(tau2)

    def share(probability: float) -> float:
        def excess(z: float) -> float:
            return float(ndtr((tau * z + mean) / se).mean()) - probability

        if excess(-_FARTHEST) >= 0:
            return 0.0
        if excess(_FARTHEST) <= 0:
            return 1.0
        return float(ndtr(brentq(excess, -_FARTHEST, _FARTHEST, xtol=1e-10)))

    low, high = (float(_mixture_quantile(mean, np.sqrt(tau2 + se**2), end)) for end in ends)
    return _Doubt((share(ends[0]), share(ends[1])), (low, high), tau2)


def _mixture_quantile(mean: Floats, sd: Floats, probability: float) -> Floats:
    """Quantiles of equal mixtures of normals along the first axis, by halving."""
    from scipy.special import ndtr

    low, high = (mean - _FARTHEST * sd).min(axis=0), (mean + _FARTHEST * sd).max(axis=0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        below = ndtr((middle - mean) / sd).mean(axis=0) < probability
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray((low + high) / 2)


def _tau2_at(fit: RandomEffects, values: Floats) -> Floats:
    """τ² ≥ 0 at which Q equals each of several values: all at once, by halving."""
    y, x, v = fit.turned.y, fit.turned.x[:, 0], fit.turned.v

    def q(tau2: Floats) -> Floats:
        w = 1 / (v + tau2[:, None])
        mean = (w * x * y).sum(axis=1) / (w * x**2).sum(axis=1)
        return np.asarray((w * (y - mean[:, None] * x) ** 2).sum(axis=1))

    low, high = np.zeros(len(values)), np.full(len(values), float(v.mean() + np.var(y)))
    while (above := q(high) > values).any():
        high = np.where(above, 2 * high, high)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above = q(middle) > values
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(fit.q <= values, 0.0, (low + high) / 2)


def _shrunken(
    effects: pd.DataFrame, y: Floats, matrix: Floats, fit: RandomEffects, draws: Floats | None
) -> pd.DataFrame:
    """Best linear unbiased predictions θ̂ = μ̂ + A(y − μ̂), A = τ²(V + τ²I)⁻¹, with intervals over draws of τ²."""
    vcov = np.array([float(fit.vcov[0, 0])])
    shrunken, variance = _predicted(y, matrix, np.array([fit.tau2]), vcov)
    se = np.sqrt(variance[0])
    table = effects[["unit", "estimate", "se"]].reset_index(drop=True)
    low = high = np.full(len(y), np.nan)
    if draws is not None:
        mean, spread = _predicted(y, matrix, draws, None)
        ends = (1 - fit.level) / 2, (1 + fit.level) / 2
        low, high = (_mixture_quantile(mean, np.sqrt(spread), end) for end in ends)
    return table.assign(
        shrunken=shrunken[0],
        shrunken_se=se,
        low=low,
        high=high,
        reliability=fit.tau2 / (fit.tau2 + np.diag(matrix)),
    )


def _predicted(y: Floats, matrix: Floats, tau2: Floats, mean_variance: Floats | None) -> tuple[Floats, Floats]:
    """Predictions and their variances at each τ², both (draws, k); Var μ̂ by (X'WX)⁻¹ unless given."""
    values, vectors = np.linalg.eigh(matrix)
    w = 1 / (np.maximum(values, 1e-12 * values[-1]) + tau2[:, None])
    one, turned = vectors.sum(axis=0), vectors.T @ y
    total = w @ one**2
    mean = (w @ (one * turned)) / total
    # I − A = V(V + τ²I)⁻¹ = Q diag(1 − τ²w) Q', A in the same way.
    shrink = tau2[:, None] * w
    predicted = (mean[:, None] * ((1 - shrink) * one) + shrink * turned) @ vectors.T
    left = ((1 - shrink) * one) @ vectors.T
    own = tau2[:, None] * ((1 - shrink) @ (vectors**2).T)
    variance = own + left**2 * (1 / total if mean_variance is None else mean_variance)[:, None]
    return np.asarray(predicted), np.asarray(np.maximum(variance, 1e-300))
