r"""The two regressions behind a path over practice, and what error in practice does to them.

What participation T and covariates X leave of practice and of the outcome has the sums of squares mm and yy and the sum
of products my. Then γ = my/mm, and the total effect, the coefficient of T without practice, is β₂γ + β₃.

**Error in practice.** A school's practice is the mean of :math:`n_j` respondents and has the error variance
:math:`v_j = s_w^2/n_j`. With H the hat matrix of (1, T, X), error adds to mm in expectation

.. math:: E = \sum_j v_j (1 - h_{jj}) = \sum_j v_j - \operatorname{tr}\bigl((X'X)^{-1} X'VX\bigr),

and nothing to my: γ = my/(mm − E), the method of moments (Fuller 1987, Measurement Error Models, section 2.2; Carroll,
Ruppert, Stefanski and Crainiceanu 2006, section 5.4). β₂ and the total effect are as they were. All of these are sums
over clusters, so that a bootstrap over clusters can draw them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sums:
    """Sums over schools for d sets of schools at once.

    Attributes
    ----------
    products : (d, c, c), cross-products of (1, participation, covariates, practice, outcome).
    shared : (d, b, b), the same of (1, participation, covariates), each school divided by its respondents.
    within, within_df : (d,) sums of squares of answers around the mean of their group, and their degrees of freedom.
    """

    products: Floats
    shared: Floats
    within: Floats
    within_df: Floats

    def weighted(self, weights: Floats) -> Sums:
        """Sums over clusters, of which this holds one each, taken as often as (draws, clusters) weights say."""
        return Sums(
            np.einsum("dg,gij->dij", weights, self.products),
            np.einsum("dg,gij->dij", weights, self.shared),
            weights @ self.within,
            weights @ self.within_df,
        )


@dataclass(frozen=True)
class Equations:
    """Both equations for d sets of schools at once: arrays of shape (d,)."""

    on_practice: Floats
    total: Floats
    mm: Floats
    my: Floats
    yy: Floats
    all_m: Floats
    all_y: Floats
    usable: NDArray[np.bool_]

    @property
    def slope(self) -> Floats:
        return self.my / self.mm

    @property
    def indirect(self) -> Floats:
        return self.on_practice * self.slope

    @property
    def direct(self) -> Floats:
        return self.total - self.indirect

    @property
    def correlation(self) -> Floats:
        """Of what participation and covariates leave of practice and of the outcome."""
        return np.clip(self.my / np.sqrt(self.mm * self.yy), -1, 1)

    @property
    def unexplained(self) -> Floats:
        """What is left of the variance of practice times what practice, too, leaves of that of the outcome."""
        return self.mm / self.all_m * np.maximum(self.yy - self.slope * self.my, 0) / self.all_y

    def under(self, rho: float) -> Floats:
        """Indirect effect if the errors of practice and outcome correlated by ρ (Imai et al. 2010, theorem 4).

        (β₂σ₁/σ₂)(ρ̃ − ρ √((1 − ρ̃²)/(1 − ρ²))), with σ₁ and σ₂ the SDs of the errors of the outcome without practice and
        of practice, and ρ̃ their correlation.
        """
        lost = rho * np.sqrt((1 - self.correlation**2) / (1 - rho**2))
        return np.asarray(self.indirect - self.on_practice * np.sqrt(self.yy / self.mm) * lost)

    def without_error(self, error: Floats, error_of_all: Floats, lowest: float) -> Equations:
        """The same had practice no error; ``lowest`` is the least part of mm that may be left."""
        return replace(
            self,
            mm=np.maximum(self.mm - error, lowest * self.mm),
            all_m=np.maximum(self.all_m - error_of_all, lowest * self.all_m),
        )


def equations(sums: Sums) -> tuple[Equations, Floats, Floats]:
    """Both equations as if practice had no error, and what error adds to mm and to all of practice's sum of squares.

    Sets in which participation or practice does not vary are not usable, and missing.
    """
    products, base, m, y = sums.products, slice(0, -2), -2, -1
    left = products[:, base, base]
    scale = np.sqrt(np.maximum(np.einsum("dii->di", left), 1e-300))
    unit = left / (scale[:, :, None] * scale[:, None, :])
    usable = np.linalg.eigvalsh(unit)[:, 0] > 1e-10
    inverse = np.linalg.pinv(unit, hermitian=True) / (scale[:, :, None] * scale[:, None, :])
    on_m = np.einsum("dij,dj->di", inverse, products[:, base, m])
    on_y = np.einsum("dij,dj->di", inverse, products[:, base, y])
    # Sums of squares and products of what participation and covariates leave of practice and outcome.
    mm = products[:, m, m] - np.einsum("di,di->d", on_m, products[:, base, m])
    my = products[:, m, y] - np.einsum("di,di->d", on_m, products[:, base, y])
    yy = products[:, y, y] - np.einsum("di,di->d", on_y, products[:, base, y])
    all_m, all_y = (products[:, c, c] - products[:, 0, c] ** 2 / products[:, 0, 0] for c in (m, y))
    usable &= (mm > 1e-10 * products[:, m, m]) & (yy > 1e-10 * products[:, y, y])
    known = np.where(usable, 1.0, np.nan)
    found = Equations(
        on_practice=known * on_m[:, 1],
        total=known * on_y[:, 1],
        mm=known * mm,
        my=known * my,
        yy=known * yy,
        all_m=known * all_m,
        all_y=known * all_y,
        usable=np.asarray(usable),
    )
    variance = sums.within / np.where(sums.within_df > 0, sums.within_df, np.nan)
    all_shared = sums.shared[:, 0, 0]
    error = variance * (all_shared - np.einsum("dij,dji->d", inverse, sums.shared))
    return found, error, variance * all_shared * (1 - 1 / products[:, 0, 0])


def influences(values: Floats, cluster: NDArray[np.int64], per_cluster: Sums, lowest: float | None) -> Floats:
    """What each cluster adds to the errors of β₂, γ, β₃ and of the reliability of practice: (clusters, 4).

    With scores :math:`r_m(r_y - \\gamma r_m) + \\gamma v(1 - h)` of γ, whose mean is zero; that :math:`s_w^2` is
    estimated adds :math:`\\gamma E (SS_g - s_w^2 df_g)/(s_w^2 \\sum df)`. Unadjusted, the sums of their squares are the
    cluster-robust (CR1) variances of the two regressions.

    Parameters
    ----------
    values : (n, c) columns as in :class:`Sums`; ``cluster`` numbers their rows.
    per_cluster : sums, one set a cluster.
    lowest : as in :meth:`Equations.without_error`; None for the path as if practice had no error.
    """
    base, m, y = values[:, :-2], values[:, -2], values[:, -1]
    groups, (n, k) = len(per_cluster.products), base.shape
    bread = np.linalg.inv(base.T @ base)
    left_m, left_y = (column - base @ (bread @ (base.T @ column)) for column in (m, y))
    plain, error, error_of_all = equations(per_cluster.weighted(np.ones((1, groups))))
    at = plain if lowest is None else plain.without_error(error, error_of_all, lowest)
    gamma, mm = float(at.slope[0]), float(at.mm[0])
    slope_at = base @ bread[:, 1]
    after = left_y - gamma * left_m

    def summed(score: Floats) -> Floats:
        return np.bincount(cluster, score, minlength=groups).astype(np.float64)

    to_gamma = summed(left_m * after)
    to_reliability = np.zeros(groups)
    if lowest is not None:
        total_df = float(per_cluster.within_df.sum())
        variance = float(per_cluster.within.sum()) / total_df
        room = np.einsum("gij,ij->g", per_cluster.shared, _unit(k) - bread)
        # The part of each cluster in the error of mm: its schools' own, and what it adds to the estimate of s²_w.
        own = variance * room
        of_variance = room.sum() / total_df * (per_cluster.within - variance * per_cluster.within_df)
        to_gamma = to_gamma + gamma * (own + of_variance)
        noise = float(error[0] / plain.mm[0])
        to_reliability = (noise * summed(left_m**2) - own - of_variance) / float(plain.mm[0])
    on_gamma = to_gamma / mm
    on_practice = summed(slope_at * left_m)
    direct = summed(slope_at * after) - float(at.on_practice[0]) * on_gamma
    first, second = (np.sqrt(groups / (groups - 1) * (n - 1) / (n - columns)) for columns in (k, k + 1))
    return np.column_stack([first * on_practice, second * on_gamma, second * direct, second * to_reliability])


def _unit(size: int) -> Floats:
    """Picks the sum of 1/n_j from the cross-products of (1, …) divided by respondents."""
    picks = np.zeros((size, size))
    picks[0, 0] = 1.0
    return picks
