r"""One common factor by minimum residuals (unweighted least squares): loadings and McDonald's omega total.

Minimises the squared residuals of the correlations, :math:`f(\psi) = \tfrac12 \sum_{m > 1} \theta_m^2` over the
eigenvalues θ of R − diag(ψ) but the largest (Jöreskog 1977; Harman and Jones 1966), its gradient
:math:`-(R - \psi - \lambda\lambda')_{ii}`. The unique variances stay within 0.005 and 1, as in ``psych::fa``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LOWEST_UNIQUENESS = 0.005


@dataclass(frozen=True)
class OneFactor:
    """One common factor.

    Attributes
    ----------
    loadings
        (k,) correlations of the items with the factor; their sum is not negative.
    omega_total
        (ΣR − Σu²)/ΣR with u² = 1 − λ² and R as given, items that load negatively turned round as psych does.
    heywood
        True where a unique variance lies on its lower bound or a loading reaches 1: the one-factor model does not fit,
        or there are too few respondents.
    """

    loadings: Floats
    omega_total: float
    heywood: bool


def one_factor(correlation: Floats) -> OneFactor:
    """Fit one factor to a (k, k) correlation matrix of at least 3 items."""
    from scipy.optimize import minimize

    k = len(correlation)
    if k < 3:
        raise ValueError(f"{k} items do not identify a factor; three are needed")
    start = np.clip(1 / np.diag(np.linalg.pinv(correlation)), 0.05, 0.95)
    fit = minimize(
        _residual,
        start,
        args=(correlation,),
        jac=True,
        method="L-BFGS-B",
        bounds=[(LOWEST_UNIQUENESS, 1.0)] * k,
        options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 2000},
    )
    loadings = _loadings(fit.x, correlation)[0]
    sign = np.where(loadings < 0, -1.0, 1.0)
    total = float(sign @ correlation @ sign)
    unique = 1 - loadings**2
    heywood = bool((unique < LOWEST_UNIQUENESS + 1e-6).any() or (fit.x < LOWEST_UNIQUENESS + 1e-6).any())
    return OneFactor(loadings, (total - float(unique.sum())) / total, heywood)


def _loadings(unique: Floats, correlation: Floats) -> tuple[Floats, Floats]:
    """Loadings given the unique variances, and the eigenvalues of what they leave, ascending."""
    values, vectors = np.linalg.eigh(correlation - np.diag(unique))
    first = vectors[:, -1] * np.sqrt(max(values[-1], 0.0))
    return np.asarray(first if first.sum() >= 0 else -first), np.asarray(values)


def _residual(unique: Floats, correlation: Floats) -> tuple[float, Floats]:
    first, values = _loadings(unique, correlation)
    gradient = -(1 - unique - first**2)
    return float((values[:-1] ** 2).sum() / 2), np.asarray(gradient)
