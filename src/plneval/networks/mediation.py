r"""The path participation → practice → pupils between schools: product of coefficients, and how easily it breaks.

.. math:: M = \alpha_2 + \beta_2 T + X\xi_2 + \varepsilon_2, \qquad
          Y = \alpha_3 + \beta_3 T + \gamma M + X\xi_3 + \varepsilon_3

The indirect effect is β₂γ, the direct one β₃, their sum the total effect. It is causal only if nothing unobserved moves
practice and results alike (sequential ignorability), which no data can show; so the analysis is exploratory, and
:attr:`Mediation.sensitivity` gives the indirect effect for each correlation ρ of ε₂ and ε₃ that such a cause would make
(Imai, Keele and Yamamoto 2010, Statistical Science 25, 51-71, theorem 4 and section 4).

Practice is what some teachers say of it, a mean with an error that makes the naive γ too small by the reliability λ of
practice given participation. Where λ is known, the path is adjusted (:mod:`plneval.networks.path_equations`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.errors import UserError
from plneval.networks.agreement import LOWEST_RELIABILITY
from plneval.networks.cluster_bootstrap import drawn_clusters, expanded_tail, interval
from plneval.networks.path_equations import Equations, Sums, equations, influences

Floats = NDArray[np.float64]

ROLE: Final = "exploratory"
ASSUMPTION: Final = (
    "The path from participation over practice to pupils is exploratory. It is causal only if no unobserved cause "
    "moves both practice and results, or participation and either of them."
)
FEWEST_CLUSTERS: Final = 6
FEW_CLUSTERS: Final = 20
"""Below it intervals of the bootstrap over clusters are not sure to hold their level."""
ERROR_COLUMNS: Final = ("respondents", "within_ss", "within_df")
RHOS: Final = tuple(round(-0.9 + 0.05 * step, 2) for step in range(37))
_LOST: Final = 0.05


class Number(NamedTuple):
    """An estimate, its standard error by the delta method, its bootstrap interval."""

    value: float
    se: float
    low: float
    high: float


NOTHING: Final = Number(float("nan"), float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class Route:
    """What goes over practice and what does not.

    Attributes
    ----------
    slope
        γ, outcome for one unit of practice.
    indirect, direct
        β₂γ and β₃.
    """

    slope: Number = NOTHING
    indirect: Number = NOTHING
    direct: Number = NOTHING


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
    adjusted
        The path adjusted for the error in practice; missing where the reliability is too low or not known. Standard
        errors by the delta method from the joint cluster-robust (CR1) covariance, in which the error variance counts as
        estimated; expanded percentile intervals of the bootstrap over clusters
        (:mod:`plneval.networks.cluster_bootstrap`).
    naive
        The same as if practice had no error.
    total, total_low, total_high
        β₂γ + β₃, the same with and without adjustment.
    reliability, reliability_se
        λ, the part of the variance of practice, participation and covariates held fixed, that is not error; 1 where
        practice counts as free of error.
    sensitivity_of
        ``adjusted`` or ``naive``: which path the correlations ρ and the sensitivity below are of. In the adjusted one
        ρ is the correlation with the error that practice itself has, not with that of measuring it.
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
        ``bootstrap_unstable``, ``reliability_too_low``, ``error_not_known``.
    """

    role: str
    state: str
    n: int
    n_left_out: int
    n_clusters: int
    on_practice: float
    on_practice_se: float
    adjusted: Route
    naive: Route
    total: float
    total_low: float
    total_high: float
    reliability: float
    reliability_se: float
    sensitivity_of: str
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

    # ASSUME: linear relations, no interaction of participation and practice; respondents of one school and role differ
    # alike in all of them, independently of one another, of participation and of the outcome. An error in practice
    # makes the naive indirect effect too small.

    Parameters
    ----------
    schools
        One row for each school: participation (0/1, or years or hours), practice (mean score), outcome (for example
        mean standardised attainment), cluster (prepare's number: the order of clusters decides which are drawn
        together, and that of pseudonyms hangs on their key), the covariates; practice_year and outcome_year, from
        which the order in time is checked; and respondents (whose mean practice is), within_ss and within_df (sum of
        squares of their answers around the mean of their group, such as those of one role, and its degrees of freedom),
        from which the error in practice is taken. Without the last three practice counts as free of error.
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
    sums = _sums(data, values, cluster, n_clusters)
    found = _both(values, cluster, sums, drawn_clusters(n_clusters, draws, seed))
    return _told(found, (len(data), left_out, n_clusters), level, warnings)


@dataclass(frozen=True)
class _Drawn:
    """A path in the data and in the draws of the bootstrap, as if practice had no error or adjusted for it."""

    at: Equations
    draws: Equations
    influences: Floats

    @property
    def covariance(self) -> Floats:
        """(4, 4), of β₂, γ, β₃ and the reliability."""
        return np.asarray(self.influences.T @ self.influences)

    def told(self, tail: float) -> Route:
        """Slope, indirect and direct effect with standard errors and intervals."""
        covariance = self.covariance
        gradient = np.array([float(self.at.slope[0]), float(self.at.on_practice[0]), 0.0, 0.0])
        variances = {
            "slope": covariance[1, 1],
            "indirect": gradient @ covariance @ gradient,
            "direct": covariance[2, 2],
        }
        return Route(
            **{
                name: Number(
                    float(getattr(self.at, name)[0]),
                    float(np.sqrt(variance)),
                    *interval(getattr(self.draws, name), tail),
                )
                for name, variance in variances.items()
            }
        )

    def sensitivity(self, tail: float) -> pd.DataFrame:
        """Indirect effect with its interval for each correlation of errors."""
        rows = [(rho, float(self.at.under(rho)[0]), *interval(self.draws.under(rho), tail)) for rho in RHOS]
        return pd.DataFrame(rows, columns=["rho", "indirect", "low", "high"])


@dataclass(frozen=True)
class _Found:
    """The naive path, the adjusted one where it may be given, and the reliability of practice that decides it."""

    plain: _Drawn
    adjusted: _Drawn | None
    reliability: float
    reliability_se: float
    warnings: tuple[str, ...]

    @property
    def behind(self) -> _Drawn:
        """The path that the sensitivity is of."""
        return self.plain if self.adjusted is None else self.adjusted


def _both(values: Floats, cluster: NDArray[np.int64], sums: Sums, weights: Floats) -> _Found:
    """Both paths.

    # ASSUME: in a draw of the bootstrap, too, the lowest reliability at least is left of the variance of practice:
    # with less the path would not have been adjusted.
    """
    at, error, error_of_all = equations(sums.weighted(np.ones((1, weights.shape[1]))))
    if not bool(at.usable[0]):
        raise UserError(
            "participation or practice does not vary between schools, or is a sum of the covariates: the path from "
            "participation over practice to pupils cannot be estimated."
        )
    drawn, drawn_error, drawn_error_of_all = equations(sums.weighted(weights))
    warnings = ("bootstrap_unstable",) if drawn.usable.mean() < 1 - _LOST else ()
    plain = _Drawn(at, drawn, influences(values, cluster, sums, None))
    reliability = 1 - float(error[0] / at.mm[0])
    if np.isnan(reliability):
        return _Found(plain, None, reliability, float("nan"), (*warnings, "error_not_known"))
    parts = influences(values, cluster, sums, LOWEST_RELIABILITY)
    se = float(np.sqrt((parts[:, 3] ** 2).sum()))
    if reliability < LOWEST_RELIABILITY:
        return _Found(plain, None, reliability, se, (*warnings, "reliability_too_low"))
    adjusted = _Drawn(
        at.without_error(error, error_of_all, LOWEST_RELIABILITY),
        drawn.without_error(drawn_error, drawn_error_of_all, LOWEST_RELIABILITY),
        parts,
    )
    return _Found(plain, adjusted, reliability, se, warnings)


def _sums(data: pd.DataFrame, values: Floats, cluster: NDArray[np.int64], groups: int) -> Sums:
    """Sums over the schools of each cluster; without respondents, practice has no error."""
    base = values[:, :-2]
    if ERROR_COLUMNS[0] in data:
        respondents, within, within_df = (data[name].to_numpy(dtype=np.float64) for name in ERROR_COLUMNS)
    else:
        respondents, within, within_df = np.ones(len(data)), np.zeros(len(data)), np.ones(len(data))
    rows = [cluster == group for group in range(groups)]
    return Sums(
        np.stack([values[own].T @ values[own] for own in rows]),
        np.stack([(base[own] / respondents[own, None]).T @ base[own] for own in rows]),
        np.bincount(cluster, within, minlength=groups).astype(np.float64),
        np.bincount(cluster, within_df, minlength=groups).astype(np.float64),
    )


def _told(found: _Found, counts: tuple[int, int, int], level: float, warnings: list[str]) -> Mediation:
    tail = expanded_tail(counts[2], level)
    plain, behind = found.plain, found.behind
    sensitivity = behind.sensitivity(tail)
    rho_low, rho_high = _where_zero(sensitivity)
    rho = float(behind.at.correlation[0])
    total_low, total_high = interval(plain.draws.total, tail)
    return Mediation(
        role=ROLE,
        state="estimated",
        n=counts[0],
        n_left_out=counts[1],
        n_clusters=counts[2],
        on_practice=float(plain.at.on_practice[0]),
        on_practice_se=float(np.sqrt(plain.covariance[0, 0])),
        adjusted=Route() if found.adjusted is None else found.adjusted.told(tail),
        naive=plain.told(tail),
        total=float(plain.at.total[0]),
        total_low=total_low,
        total_high=total_high,
        reliability=found.reliability,
        reliability_se=found.reliability_se,
        sensitivity_of="naive" if found.adjusted is None else "adjusted",
        rho_at_zero=rho,
        r2_at_zero=rho**2,
        r2_of_all_at_zero=rho**2 * float(behind.at.unexplained[0]),
        rho_low=rho_low,
        rho_high=rho_high,
        sensitivity=sensitivity,
        warnings=(*warnings, *found.warnings),
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
    known = [column for column in ERROR_COLUMNS if column in schools]
    if known and len(known) < len(ERROR_COLUMNS):
        lacking = [column for column in ERROR_COLUMNS if column not in schools]
        raise UserError(
            f"the schools' table has {', '.join(known)} and no column {', '.join(lacking)}: the error in practice "
            "needs all of them."
        )
    needed += known
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
        adjusted=Route(),
        naive=Route(),
        sensitivity_of="naive",
        sensitivity=pd.DataFrame(columns=["rho", "indirect", "low", "high"], dtype=np.float64),
        warnings=warnings,
        **nothing,
    )
