r"""Minimum detectable effect sizes, in standard deviations of the outcome.

MDES = M(df)·SE with the multiplier M(df) = t_{1−α/2, df} + t_{power, df}, two-sided. Sources: Bloom (1995), Evaluation
Review 19, 547-556; Dong and Maynard (2013), PowerUp!, Journal of Research on Educational Effectiveness 6, 24-67.
α and power default to ``data/minimum_detectable_effect.yaml``. Variances are shares of the total variance, so
intraclass correlations sum to less than 1. For staggered or autocorrelated designs simulate with the configured
estimator instead (Schochet 2022).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from plneval.standards.arguments import at_least, between, finite, positive, strictly_between
from plneval.standards.catalogue import load


@dataclass(frozen=True)
class MinimumDetectableEffect:
    """MDES with what it was made of: standard error (SDs), degrees of freedom, multiplier, two-sided α, power."""

    mdes: float
    standard_error: float
    df: float
    multiplier: float
    alpha: float
    power: float


def multiplier(df: float, alpha: float | None = None, power: float | None = None) -> float:
    """M(df) = t_{1−α/2, df} + t_{power, df} (Bloom 1995).

    Raises
    ------
    ValueError
        If df is not above 0, or α or power is not between 0 and 1.
    """
    from scipy.special import stdtrit

    positive("df", df)
    alpha, power = _alpha_and_power(alpha, power)
    return float(stdtrit(df, 1 - alpha / 2) + stdtrit(df, power))


def from_standard_error(
    standard_error: float, df: float, *, alpha: float | None = None, power: float | None = None
) -> MinimumDetectableEffect:
    """MDES of an estimate whose standard error (in SDs of the outcome) and degrees of freedom are known.

    Raises
    ------
    ValueError
        If the standard error is negative or missing, or df is not above 0.
    """
    at_least("standard_error", standard_error, 0)
    alpha, power = _alpha_and_power(alpha, power)
    m = multiplier(df, alpha, power)
    return MinimumDetectableEffect(m * standard_error, float(standard_error), float(df), m, alpha, power)


def cluster_assigned_two_level(
    *,
    icc: float,
    n_clusters: float,
    cluster_size: float,
    treated_share: float,
    r2_cluster: float = 0.0,
    r2_unit: float = 0.0,
    n_covariates: int = 0,
    alpha: float | None = None,
    power: float | None = None,
) -> MinimumDetectableEffect:
    """MDES for J clusters of n units, clusters assigned (PowerUp! CRA2).

    SE² = ρ(1−R²₂)/(p(1−p)J) + (1−ρ)(1−R²₁)/(p(1−p)Jn), df = J − g − 2 with g covariates of clusters.

    Raises
    ------
    ValueError
        If a value is out of its range or no degree of freedom is left.
    """
    between("icc", icc, 0, 1)
    assigned = _assigned("n_clusters", n_clusters, treated_share)
    at_least("cluster_size", cluster_size, 1)
    variance = icc * _left(r2_cluster, "r2_cluster") / assigned
    variance += (1 - icc) * _left(r2_unit, "r2_unit") / (assigned * cluster_size)
    df = _degrees(n_clusters - n_covariates - 2, n_covariates)
    return from_standard_error(math.sqrt(variance), df, alpha=alpha, power=power)


def cluster_assigned_three_level(
    *,
    icc_top: float,
    icc_middle: float,
    n_top: float,
    middle_per_top: float,
    units_per_middle: float,
    treated_share: float,
    r2_top: float = 0.0,
    r2_middle: float = 0.0,
    r2_unit: float = 0.0,
    n_covariates: int = 0,
    alpha: float | None = None,
    power: float | None = None,
) -> MinimumDetectableEffect:
    """MDES for K top clusters of J middle clusters of n units, the top assigned (PowerUp! CRA3).

    SE² = [ρ₃(1−R²₃) + ρ₂(1−R²₂)/J + (1−ρ₃−ρ₂)(1−R²₁)/(Jn)] / (p(1−p)K), df = K − g − 2.

    Raises
    ------
    ValueError
        If a value is out of its range or no degree of freedom is left.
    """
    within = _unit_share(icc_top, icc_middle)
    assigned = _assigned("n_top", n_top, treated_share)
    at_least("middle_per_top", middle_per_top, 1)
    at_least("units_per_middle", units_per_middle, 1)
    variance = icc_top * _left(r2_top, "r2_top") / assigned
    variance += icc_middle * _left(r2_middle, "r2_middle") / (assigned * middle_per_top)
    variance += within * _left(r2_unit, "r2_unit") / (assigned * middle_per_top * units_per_middle)
    df = _degrees(n_top - n_covariates - 2, n_covariates)
    return from_standard_error(math.sqrt(variance), df, alpha=alpha, power=power)


def blocked_three_level_random(
    *,
    icc_block: float,
    icc_middle: float,
    effect_heterogeneity: float,
    n_blocks: float,
    middle_per_block: float,
    units_per_middle: float,
    treated_share: float,
    r2_effect: float = 0.0,
    r2_middle: float = 0.0,
    r2_unit: float = 0.0,
    n_covariates: int = 0,
    alpha: float | None = None,
    power: float | None = None,
) -> MinimumDetectableEffect:
    """MDES where middle clusters are assigned within blocks and effects vary over blocks (PowerUp! BCRA3r).

    SE² = ρ₃ω(1−R²_T)/K + [ρ₂(1−R²₂) + (1−ρ₃−ρ₂)(1−R²₁)/n] / (p(1−p)JK), df = K − g − 1; ω is the variance of the
    effect over blocks as a ratio to the blocks' variance of the outcome.

    Raises
    ------
    ValueError
        If a value is out of its range or no degree of freedom is left.
    """
    within = _unit_share(icc_block, icc_middle)
    at_least("effect_heterogeneity", effect_heterogeneity, 0)
    at_least("n_blocks", n_blocks, 1)
    at_least("units_per_middle", units_per_middle, 1)
    assigned = n_blocks * _assigned("middle_per_block", middle_per_block, treated_share)
    variance = icc_block * effect_heterogeneity * _left(r2_effect, "r2_effect") / n_blocks
    variance += icc_middle * _left(r2_middle, "r2_middle") / assigned
    variance += within * _left(r2_unit, "r2_unit") / (assigned * units_per_middle)
    df = _degrees(n_blocks - n_covariates - 1, n_covariates)
    return from_standard_error(math.sqrt(variance), df, alpha=alpha, power=power)


def blocked_three_level_fixed(
    *,
    icc_middle: float,
    n_blocks: float,
    middle_per_block: float,
    units_per_middle: float,
    treated_share: float,
    r2_middle: float = 0.0,
    r2_unit: float = 0.0,
    n_covariates: int = 0,
    alpha: float | None = None,
    power: float | None = None,
) -> MinimumDetectableEffect:
    """MDES where middle clusters are assigned within blocks that are the population of interest (PowerUp! BCRA3f).

    SE² = [ρ₂(1−R²₂) + (1−ρ₂)(1−R²₁)/n] / (p(1−p)JK), df = K(J − 2) − g.

    Raises
    ------
    ValueError
        If a value is out of its range or no degree of freedom is left.
    """
    between("icc_middle", icc_middle, 0, 1)
    at_least("n_blocks", n_blocks, 1)
    at_least("units_per_middle", units_per_middle, 1)
    assigned = n_blocks * _assigned("middle_per_block", middle_per_block, treated_share)
    variance = icc_middle * _left(r2_middle, "r2_middle") / assigned
    variance += (1 - icc_middle) * _left(r2_unit, "r2_unit") / (assigned * units_per_middle)
    df = _degrees(n_blocks * (middle_per_block - 2) - n_covariates, n_covariates)
    return from_standard_error(math.sqrt(variance), df, alpha=alpha, power=power)


def did_repeated_cross_sections(
    *,
    icc: float,
    cluster_autocorrelation: float,
    n_schools: float,
    pupils_per_school: float,
    years_before: float,
    years_after: float,
    treated_share: float,
    alpha: float | None = None,
    power: float | None = None,
) -> MinimumDetectableEffect:
    """MDES of a difference-in-differences on repeated cross-sections of n pupils a year in J schools, one start year.

    Var = [ρ(1−CAC) + (1−ρ)/n](1/A + 1/B)/(J p(1−p)) with A years before and B after, df = J − 2.
    # ASSUME: a school's deviations in different years correlate alike (CAC), however far apart the years are; all
    treated schools start together. Otherwise simulate.

    Raises
    ------
    ValueError
        If a value is out of its range or no degree of freedom is left.
    """
    between("icc", icc, 0, 1)
    between("cluster_autocorrelation", cluster_autocorrelation, 0, 1)
    at_least("pupils_per_school", pupils_per_school, 1)
    at_least("years_before", years_before, 1)
    at_least("years_after", years_after, 1)
    yearly = icc * (1 - cluster_autocorrelation) + (1 - icc) / pupils_per_school
    variance = yearly * (1 / years_before + 1 / years_after) / _assigned("n_schools", n_schools, treated_share)
    return from_standard_error(math.sqrt(variance), _degrees(n_schools - 2, 0), alpha=alpha, power=power)


def _alpha_and_power(alpha: float | None, power: float | None) -> tuple[float, float]:
    defaults = load("minimum_detectable_effect")
    chosen_alpha = defaults.alpha if alpha is None else strictly_between("alpha", alpha, 0, 1)
    chosen_power = defaults.power if power is None else strictly_between("power", power, 0, 1)
    return chosen_alpha, chosen_power


def _assigned(name: str, clusters: float, treated_share: float) -> float:
    """p(1−p)·clusters, the effective number of assigned clusters."""
    positive(name, clusters)
    strictly_between("treated_share", treated_share, 0, 1)
    return treated_share * (1 - treated_share) * clusters


def _left(r2: float, name: str) -> float:
    """Share of a level's variance that its covariates leave."""
    return 1 - between(name, r2, 0, 1)


def _unit_share(icc_top: float, icc_middle: float) -> float:
    """Share of the variance between units within the lowest clusters."""
    between("intraclass correlation of the top level", icc_top, 0, 1)
    between("intraclass correlation of the middle level", icc_middle, 0, 1)
    if icc_top + icc_middle > 1:
        raise ValueError(f"the intraclass correlations sum to {icc_top + icc_middle:g}, more than the whole variance")
    return 1 - icc_top - icc_middle


def _degrees(df: float, n_covariates: int) -> float:
    at_least("n_covariates", n_covariates, 0)
    if finite("df", df) <= 0:
        raise ValueError(f"no degrees of freedom are left ({df:g}): too few clusters for {n_covariates} covariates")
    return df
