r"""The path participation → practice → pupils between schools: product of coefficients, and how easily it breaks.

.. math:: M = \alpha_2 + \beta_2 T + X\xi_2 + \varepsilon_2, \qquad
          Y = \alpha_3 + \beta_3 T + \gamma M + X\xi_3 + \varepsilon_3

The indirect effect is β₂γ, the direct one β₃, their sum the total effect. It is causal only if nothing unobserved moves
practice and results alike (sequential ignorability), which no data can show; so the analysis is exploratory, and
:attr:`Mediation.sensitivity` gives the indirect effect for each correlation ρ of ε₂ and ε₃ that such a cause would make
(Imai, Keele and Yamamoto 2010, Statistical Science 25, 51-71, theorem 4 and section 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.errors import UserError

Floats = NDArray[np.float64]

ROLE: Final = "exploratory"
ASSUMPTION: Final = (
    "The path from participation over practice to pupils is exploratory. It is causal only if no unobserved cause "
    "moves both practice and results, or participation and either of them."
)
FEWEST_CLUSTERS: Final = 6
FEW_CLUSTERS: Final = 20
"""Below it percentile intervals of the bootstrap over clusters are too narrow."""
RHOS: Final = tuple(round(-0.9 + 0.05 * step, 2) for step in range(37))
_LOST: Final = 0.05


@dataclass(frozen=True)
class Mediation:
    """A mediation path; in units of the outcome for one unit of participation, where not said otherwise.

    Attributes
    ----------
    role
        Always ``exploratory``.
    state
        ``estimated`` or ``not_estimable`` (fewer than six clusters).
    n, n_left_out, n_clusters
        Schools used, schools with a missing value, clusters.
    on_practice, on_practice_se
        β₂, in units of practice.
    practice_slope, practice_slope_se
        γ, outcome for one unit of practice.
    indirect, indirect_se, indirect_low, indirect_high
        β₂γ; standard error by the delta method from the joint cluster-robust (CR1) covariance, percentile interval of
        the bootstrap over clusters.
    direct, direct_se, direct_low, direct_high
        β₃, in the same way.
    total, total_low, total_high
        β₂γ + β₃.
    rho_at_zero
        The correlation of the two errors at which the indirect effect would be zero.
    r2_at_zero
        Its square: what a common cause must explain of the unexplained variance of practice times what it must explain
        of that of results.
    r2_of_all_at_zero
        The same of all variance: (1 − R²_M)(1 − R²_Y) ρ².
    rho_low, rho_high
        The correlations on the grid nearest to zero on either side at which the interval of the indirect effect holds
        zero; both 0 where it does so without any confounding, infinite where no correlation on that side does.
    sensitivity
        rho, indirect, low, high.
    warnings
        Any of ``few_clusters``, ``order_not_known``, ``practice_after_outcome``, ``schools_left_out``,
        ``bootstrap_unstable``.
    """

    role: str
    state: str
    n: int
    n_left_out: int
    n_clusters: int
    on_practice: float
    on_practice_se: float
    practice_slope: float
    practice_slope_se: float
    indirect: float
    indirect_se: float
    indirect_low: float
    indirect_high: float
    direct: float
    direct_se: float
    direct_low: float
    direct_high: float
    total: float
    total_low: float
    total_high: float
    rho_at_zero: float
    r2_at_zero: float
    r2_of_all_at_zero: float
    rho_low: float
    rho_high: float
    sensitivity: pd.DataFrame
    warnings: tuple[str, ...] = ()


def mediation(
    schools: pd.DataFrame,
    *,
    covariates: Sequence[str] = (),
    draws: int = 2000,
    seed: int = 1,
    level: float = 0.95,
    force: bool = False,
) -> Mediation:
    """Estimate the path over practice.

    # ASSUME: linear relations, no interaction of participation and practice, and no error in practice: an error in
    # practice makes the indirect effect too small.

    Parameters
    ----------
    schools
        One row for each school: participation (0/1, or years or hours), practice (mean score), outcome (for example
        mean standardised attainment), cluster (prepare's number: the order of clusters decides which are drawn
        together, and that of pseudonyms hangs on their key), the covariates; and practice_year and outcome_year, from
        which the order in time is checked.
    covariates
        Numeric columns of ``schools`` in both equations, measured before participation.
    draws, seed
        Of the bootstrap over clusters.
    force
        Use practice measured after the outcome all the same; it is named.

    Raises
    ------
    UserError
        If a column is missing, practice was measured after the outcome and ``force`` is not set, or participation or
        practice does not vary given the covariates.
    """
    data, left_out, warnings = _usable(schools, covariates, force)
    cluster = pd.factorize(data["cluster"], sort=True)[0]
    n_clusters = int(cluster.max()) + 1 if len(data) else 0
    if n_clusters < FEWEST_CLUSTERS:
        return _not_estimable(len(data), left_out, n_clusters, (*warnings, "few_clusters"))
    warnings += ["few_clusters"] if n_clusters < FEW_CLUSTERS else []
    columns = data[["participation", *covariates, "practice", "outcome"]].to_numpy(dtype=np.float64)
    # Centred columns keep the cross-products well conditioned; slopes do not change.
    values = np.column_stack([np.ones(len(data)), columns - columns.mean(axis=0)])
    products = np.stack([values[cluster == g].T @ values[cluster == g] for g in range(n_clusters)])
    at = _path(products.sum(axis=0)[None])
    if not bool(at.usable[0]):
        raise UserError(
            "participation or practice does not vary between schools, or is a sum of the covariates: the path from "
            "participation over practice to pupils cannot be estimated."
        )
    random = np.random.default_rng(seed)
    weights = random.multinomial(n_clusters, np.full(n_clusters, 1 / n_clusters), size=draws).astype(np.float64)
    drawn = _path(np.einsum("dg,gij->dij", weights, products))
    if drawn.usable.mean() < 1 - _LOST:
        warnings.append("bootstrap_unstable")
    counts = (len(data), left_out, n_clusters)
    return _told(at, drawn, _joint_covariance(values, cluster), counts, level, warnings)


@dataclass(frozen=True)
class _Path:
    """Both equations for several sets of cross-products at once: arrays of shape (draws,)."""

    on_practice: Floats
    slope: Floats
    direct: Floats
    sd_total: Floats
    sd_practice: Floats
    correlation: Floats
    unexplained_practice: Floats
    unexplained_outcome: Floats
    usable: NDArray[np.bool_]

    @property
    def indirect(self) -> Floats:
        return self.on_practice * self.slope

    def under(self, rho: float) -> Floats:
        """Indirect effect if the errors of practice and outcome correlated by ρ (Imai et al. 2010, theorem 4).

        (β₂σ₁/σ₂)(ρ̃ − ρ √((1 − ρ̃²)/(1 − ρ²))), with σ₁ and σ₂ the SDs of the errors of the outcome without practice and
        of practice, and ρ̃ their correlation.
        """
        lost = rho * np.sqrt((1 - self.correlation**2) / (1 - rho**2))
        return np.asarray(self.on_practice * self.sd_total / self.sd_practice * (self.correlation - lost))


def _path(products: Floats) -> _Path:
    """Fit both equations from cross-products of (1, participation, covariates, practice, outcome), (draws, c, c)."""
    base, m, y = slice(0, -2), -2, -1
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
    safe_mm, safe_yy = np.where(usable, mm, 1.0), np.where(usable, yy, 1.0)
    slope = np.where(usable, my / safe_mm, np.nan)
    return _Path(
        on_practice=np.where(usable, on_m[:, 1], np.nan),
        slope=slope,
        direct=np.where(usable, on_y[:, 1] - slope * on_m[:, 1], np.nan),
        sd_total=np.sqrt(safe_yy),
        sd_practice=np.sqrt(safe_mm),
        correlation=np.where(usable, np.clip(my / np.sqrt(safe_mm * safe_yy), -1, 1), np.nan),
        unexplained_practice=mm / np.maximum(all_m, 1e-300),
        unexplained_outcome=(yy - slope * my) / np.maximum(all_y, 1e-300),
        usable=np.asarray(usable),
    )


def _joint_covariance(values: Floats, cluster: NDArray[np.int64]) -> Floats:
    """(3, 3) cluster-robust covariance of (β₂, γ, β₃): CR1 within each equation, and between the two."""
    design_m, m, y = values[:, :-2], values[:, -2], values[:, -1]
    design_y = np.column_stack([values[:, :-2], m])
    influences = []
    for design, response, places in ((design_m, m, (1,)), (design_y, y, (design_y.shape[1] - 1, 1))):
        bread = np.linalg.inv(design.T @ design)
        residual = response - design @ (bread @ (design.T @ response))
        scores = np.zeros((int(cluster.max()) + 1, design.shape[1]))
        np.add.at(scores, cluster, design * residual[:, None])
        groups, (n, k) = len(scores), design.shape
        factor = np.sqrt(groups / (groups - 1) * (n - 1) / (n - k))
        influences += [factor * (scores @ bread)[:, place] for place in places]
    stacked = np.column_stack(influences)
    return np.asarray(stacked.T @ stacked)


def _told(
    at: _Path, drawn: _Path, covariance: Floats, counts: tuple[int, int, int], level: float, warnings: list[str]
) -> Mediation:
    def interval(sample: Floats) -> tuple[float, float]:
        low, high = np.nanquantile(sample, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    on_practice, slope, direct = float(at.on_practice[0]), float(at.slope[0]), float(at.direct[0])
    gradient = np.array([slope, on_practice, 0.0])
    low, high = interval(drawn.indirect)
    direct_low, direct_high = interval(drawn.direct)
    total_low, total_high = interval(drawn.indirect + drawn.direct)
    rows = [(rho, float(at.under(rho)[0]), *interval(drawn.under(rho))) for rho in RHOS]
    sensitivity = pd.DataFrame(rows, columns=["rho", "indirect", "low", "high"])
    rho_low, rho_high = _where_zero(sensitivity)
    rho = float(at.correlation[0])
    return Mediation(
        role=ROLE,
        state="estimated",
        n=counts[0],
        n_left_out=counts[1],
        n_clusters=counts[2],
        on_practice=on_practice,
        on_practice_se=float(np.sqrt(covariance[0, 0])),
        practice_slope=slope,
        practice_slope_se=float(np.sqrt(covariance[1, 1])),
        indirect=on_practice * slope,
        indirect_se=float(np.sqrt(gradient @ covariance @ gradient)),
        indirect_low=low,
        indirect_high=high,
        direct=direct,
        direct_se=float(np.sqrt(covariance[2, 2])),
        direct_low=direct_low,
        direct_high=direct_high,
        total=on_practice * slope + direct,
        total_low=total_low,
        total_high=total_high,
        rho_at_zero=rho,
        r2_at_zero=rho**2,
        r2_of_all_at_zero=rho**2 * float(at.unexplained_practice[0] * at.unexplained_outcome[0]),
        rho_low=rho_low,
        rho_high=rho_high,
        sensitivity=sensitivity,
        warnings=tuple(warnings),
    )


def _where_zero(sensitivity: pd.DataFrame) -> tuple[float, float]:
    """On either side of no confounding, the nearest correlation at which the interval holds zero."""
    holds = sensitivity.loc[(sensitivity["low"] <= 0) & (sensitivity["high"] >= 0), "rho"]
    if (holds == 0).any():
        return 0.0, 0.0
    below, above = holds[holds < 0], holds[holds > 0]
    return (
        float(below.max()) if len(below) else float("-inf"),
        float(above.min()) if len(above) else float("inf"),
    )


def _usable(schools: pd.DataFrame, covariates: Sequence[str], force: bool) -> tuple[pd.DataFrame, int, list[str]]:
    """Schools without a missing value, how many have one, and what is to be named."""
    needed = ["participation", "practice", "outcome", "cluster", *covariates]
    lacking = [column for column in needed if column not in schools]
    if lacking:
        raise UserError(f"the schools' table has no column {', '.join(lacking)}, which the path over practice needs.")
    data = schools.dropna(subset=needed).reset_index(drop=True)
    left_out = len(schools) - len(data)
    warnings = ["schools_left_out"] if left_out else []
    if not {"practice_year", "outcome_year"} <= set(schools.columns):
        return data, left_out, [*warnings, "order_not_known"]
    late = int((data["practice_year"] > data["outcome_year"]).sum())
    if late and not force:
        raise UserError(
            f"practice was measured after the outcome in {late} of {len(data)} schools: what comes later cannot carry "
            "the effect. Use an earlier wave or a later outcome, or force it to have it shown with that warning."
        )
    return data, left_out, [*warnings, *(["practice_after_outcome"] if late else [])]


def _not_estimable(n: int, left_out: int, n_clusters: int, warnings: tuple[str, ...]) -> Mediation:
    nothing: dict[str, Any] = {
        name: float("nan") for name, kind in Mediation.__annotations__.items() if kind == "float"
    }
    return Mediation(
        role=ROLE,
        state="not_estimable",
        n=n,
        n_left_out=left_out,
        n_clusters=n_clusters,
        sensitivity=pd.DataFrame(columns=["rho", "indirect", "low", "high"], dtype=np.float64),
        warnings=warnings,
        **nothing,
    )
