r"""Random-effects regression of estimates on covariates: what differs between networks beyond chance.

:math:`y = X\beta + u + e`, :math:`u \sim N(0, \tau^2 I)`, :math:`e \sim N(0, V)` with V the estimates' variances or
covariance matrix, which counts as known. As τ²I does not change when it is turned, V is turned into its eigenvectors
once, and everything below is that of independent estimates.

Sources: Viechtbauer (2005) for REML, Paule and Mandel (1982), Knapp and Hartung (2003), Viechtbauer (2007) for the
Q-profile interval, Higgins and Thompson (2002) for I².
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plneval.errors import UserError

Floats = NDArray[np.float64]
Method = Literal["reml", "paule_mandel"]

_GRID: Final = 200


@dataclass(frozen=True)
class Turned:
    """Estimates, covariates and variances after turning V into its eigenvectors: independent, of variances ``v``."""

    y: Floats
    x: Floats
    v: Floats

    def fit(self, tau2: float) -> tuple[Floats, Floats, float]:
        """Coefficients, their covariance (X'WX)⁻¹ and Q = Σ w (y − Xb)² for W = 1/(v + τ²)."""
        w = 1 / (self.v + tau2)
        bread = np.linalg.inv((self.x * w[:, None]).T @ self.x)
        beta = bread @ (self.x.T @ (w * self.y))
        return np.asarray(beta), np.asarray(bread), float((w * (self.y - self.x @ beta) ** 2).sum())

    def q(self, tau2: float) -> float:
        """Generalised Q statistic, which falls in τ²."""
        return self.fit(tau2)[2]

    def tau2_where_q_is(self, value: float) -> float:
        """τ² ≥ 0 at which Q equals a value; 0 where Q lies below it everywhere."""
        if self.q(0.0) <= value:
            return 0.0
        high = float(self.v.mean() + np.var(self.y))
        while self.q(high) > value:
            high *= 2
        return _root(lambda tau2: self.q(tau2) - value, 0.0, high)

    def reml_score(self, tau2: float) -> float:
        """Twice the derivative of the restricted log-likelihood: y'PPy − tr P."""
        w = 1 / (self.v + tau2)
        beta, bread, _ = self.fit(tau2)
        trace = w.sum() - np.trace(bread @ ((self.x * (w**2)[:, None]).T @ self.x))
        return float(((w * (self.y - self.x @ beta)) ** 2).sum() - trace)

    def restricted_log_likelihood(self, tau2: Floats) -> Floats:
        """Restricted log-likelihood, without its constant, at every value of an array of τ²."""
        w = 1 / (self.v + tau2[:, None])
        bread = np.linalg.inv(np.einsum("gk,kp,kr->gpr", w, self.x, self.x))
        beta = np.einsum("gpr,gk,kr->gp", bread, w * self.y, self.x)
        q = (w * (self.y - beta @ self.x.T) ** 2).sum(axis=1)
        return np.asarray((np.log(w).sum(axis=1) + np.linalg.slogdet(bread)[1] - q) / 2)


@dataclass(frozen=True)
class RandomEffects:
    """A fitted random-effects regression of k estimates on p columns.

    Attributes
    ----------
    coefficients
        (p,) in units of the estimates.
    vcov
        (p, p) by Knapp and Hartung: s² (X'WX)⁻¹ with s² = Q(τ̂²)/(k − p); for t with ``df`` = k − p.
    vcov_normal
        (p, p) (X'WX)⁻¹, for the normal distribution.
    scale
        s²: below 1 where the estimates lie closer together than their standard errors and τ̂² would have it.
    tau2, tau2_low, tau2_high
        Variance between networks with its Q-profile interval (``level``).
    q, q_p
        Cochran's Q at τ² = 0 and its test against χ² with k − p degrees of freedom.
    i2
        Share of the estimates' variance that is between networks: τ̂²/(τ̂² + typical sampling variance).
    method, k, df, level
        How τ² was estimated, estimates, k − p, level of intervals.
    turned
        The estimates after turning.
    """

    coefficients: Floats
    vcov: Floats
    vcov_normal: Floats
    scale: float
    tau2: float
    tau2_low: float
    tau2_high: float
    q: float
    q_p: float
    i2: float
    method: Method
    k: int
    df: int
    level: float
    turned: Turned

    @cached_property
    def se(self) -> Floats:
        """(p,) standard errors by Knapp and Hartung."""
        return np.asarray(np.sqrt(np.diag(self.vcov)))

    @cached_property
    def critical(self) -> float:
        """Quantile of t with ``df`` degrees of freedom for two-sided intervals."""
        from scipy.special import stdtrit

        return float(stdtrit(self.df, (1 + self.level) / 2))

    def interval(self, place: int) -> tuple[float, float]:
        """Interval of one coefficient by t."""
        half = self.critical * float(self.se[place])
        return float(self.coefficients[place]) - half, float(self.coefficients[place]) + half

    def p(self, place: int) -> float:
        """Two-sided p of one coefficient by t."""
        from scipy.special import stdtr

        return float(2 * stdtr(self.df, -abs(float(self.coefficients[place] / self.se[place]))))


def random_effects(
    estimates: ArrayLike,
    covariance: ArrayLike,
    design: ArrayLike | None = None,
    *,
    method: Method = "reml",
    level: float = 0.95,
) -> RandomEffects:
    """Fit a random-effects regression.

    # ASSUME: the estimates' covariance is known and their errors are normal; network effects are normal around Xβ.

    Parameters
    ----------
    estimates
        (k,) estimates, one a network.
    covariance
        (k,) variances of independent estimates, or their (k, k) covariance matrix.
    design
        (k, p) columns; a constant alone when left out.
    method
        Restricted maximum likelihood, or Paule and Mandel's moment estimator.

    Raises
    ------
    UserError
        If an estimate is missing or without a positive variance, V is no covariance matrix, columns depend on one
        another, or there are no more estimates than columns.
    """
    from scipy.special import chdtrc, chdtri

    turned = _turn(estimates, covariance, design)
    k, p = turned.x.shape
    df = k - p
    tau2 = _reml(turned) if method == "reml" else turned.tau2_where_q_is(float(df))
    beta, bread, q = turned.fit(tau2)
    q_0 = turned.q(0.0)
    typical = df / _trace_p(turned)
    return RandomEffects(
        coefficients=beta,
        vcov=bread * (q / df),
        vcov_normal=bread,
        scale=q / df,
        tau2=tau2,
        tau2_low=turned.tau2_where_q_is(float(chdtri(df, (1 - level) / 2))),
        tau2_high=turned.tau2_where_q_is(float(chdtri(df, (1 + level) / 2))),
        q=q_0,
        q_p=float(chdtrc(df, q_0)),
        i2=tau2 / (tau2 + typical),
        method=method,
        k=k,
        df=df,
        level=level,
        turned=turned,
    )


def covariance_matrix(covariance: ArrayLike) -> Floats:
    """Variances or a covariance matrix as a matrix."""
    found = np.asarray(covariance, dtype=np.float64)
    return np.diag(found) if found.ndim == 1 else found


def _turn(estimates: ArrayLike, covariance: ArrayLike, design: ArrayLike | None) -> Turned:
    y = np.asarray(estimates, dtype=np.float64)
    x = np.ones((len(y), 1)) if design is None else np.asarray(design, dtype=np.float64)
    v = covariance_matrix(covariance)
    if y.ndim != 1 or v.shape != (len(y), len(y)) or x.shape[:1] != y.shape:
        raise UserError(f"{y.shape} estimates, covariance {v.shape} and columns {x.shape} do not fit together.")
    if not (np.isfinite(y).all() and np.isfinite(v).all() and np.isfinite(x).all()):
        raise UserError("an estimate, its variance or a covariate is missing; leave such networks out and count them.")
    if len(y) <= x.shape[1]:
        raise UserError(
            f"{len(y)} estimates and {x.shape[1]} coefficients leave nothing to estimate the spread from; "
            "more networks are needed."
        )
    if np.linalg.matrix_rank(x) < x.shape[1]:
        raise UserError("the covariates depend on one another, or one is the same for all networks; leave it out.")
    if (np.diag(v) <= 0).any() or not np.allclose(v, v.T, rtol=1e-8, atol=1e-14):
        raise UserError("every estimate needs a positive variance, and the covariance matrix must be symmetric.")
    if np.array_equal(v, np.diag(np.diag(v))):
        return Turned(y, x, np.diag(v).copy())
    values, vectors = np.linalg.eigh((v + v.T) / 2)
    if values[0] < -1e-8 * values[-1]:
        raise UserError("the estimates' covariance matrix has a negative eigenvalue; it is no covariance matrix.")
    # A variance of zero in some direction would get all the weight at τ² = 0.
    return Turned(vectors.T @ y, vectors.T @ x, np.maximum(values, 1e-12 * values[-1]))


def _reml(turned: Turned) -> float:
    """τ² of the largest restricted likelihood: a grid finds the hill, the score's zero its top."""
    top = float(turned.tau2_where_q_is(1e-3 * (len(turned.y) - turned.x.shape[1])))
    if top == 0:
        return 0.0
    # Finer near zero, where the likelihood bends most.
    grid = top * np.linspace(0.0, 1.0, _GRID) ** 3
    best = int(np.argmax(turned.restricted_log_likelihood(grid)))
    low, high = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, _GRID - 1)])
    if turned.reml_score(low) <= 0:
        return low
    return _root(turned.reml_score, low, high)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """The zero of a falling function between two points."""
    from scipy.optimize import brentq

    return float(brentq(function, low, high, xtol=1e-16, rtol=1e-13))


def _trace_p(turned: Turned) -> float:
    """Trace of P at τ² = 0, whose k − p-th part is one over the typical sampling variance."""
    w = 1 / turned.v
    bread: Any = np.linalg.inv((turned.x * w[:, None]).T @ turned.x)
    return float(w.sum() - np.trace(bread @ ((turned.x * (w**2)[:, None]).T @ turned.x)))
