r"""Standardised effect sizes: Hedges' g for two groups, for proportions and for clustered designs.

Sources: What Works Clearinghouse (WWC) Procedures and Standards Handbook 5.0, appendix E; Hedges (2007), Journal of
Educational and Behavioral Statistics 32, 341-370; Hedges and Citkowicz (2015), Behavior Research Methods 47, 1295-1308.
Constants are in ``data/effect_size.yaml``. Clustering is in :mod:`plneval.standards.clustering`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plneval.standards.arguments import at_least, finite, positive, strictly_between
from plneval.standards.catalogue import load
from plneval.standards.clustering import (
    ClusteringCorrection,
    OneArmClustering,
    clustering_correction,
    effective_df,
    one_arm_clustering,
    total_variance_factor,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "ClusteringCorrection",
    "EffectSize",
    "OneArmClustering",
    "clustering_correction",
    "cox_index",
    "eef_effect_size",
    "effective_df",
    "hedges_g",
    "hedges_g_cluster_assigned",
    "hedges_g_from_summary",
    "hedges_g_one_arm_clustered",
    "improvement_index",
    "one_arm_clustering",
    "pooled_sd",
    "small_sample_correction",
    "standard_error",
    "total_variance_factor",
]


@dataclass(frozen=True)
class EffectSize:
    """A standardised effect.

    Attributes
    ----------
    estimate : float
        Effect in standard deviations.
    standard_error : float or None
        In standard deviations; None where the inputs do not give one.
    df : float
        Degrees of freedom of the interval; infinite for a normal interval.
    standard_deviation : float
        What the difference was divided by, in units of the outcome.
    small_sample_factor : float
        Factor already applied to the estimate; 1 where none was.
    method : str
        Which definition was used, in words for the report.
    """

    estimate: float
    standard_error: float | None
    df: float
    standard_deviation: float
    small_sample_factor: float
    method: str

    def interval(self, level: float | None = None) -> tuple[float, float]:
        """Confidence interval, estimate ± t(df)·standard error; level from ``effect_size.yaml`` unless given.

        Raises
        ------
        ValueError
            If there is no standard error, or the level is not between 0 and 1.
        """
        from scipy.special import stdtrit

        if self.standard_error is None:
            raise ValueError("this effect size has no standard error, hence no interval")
        chosen = load("effect_size").confidence_level if level is None else strictly_between("level", level, 0, 1)
        margin = float(stdtrit(self.df, (1 + chosen) / 2)) * self.standard_error
        return self.estimate - margin, self.estimate + margin


def small_sample_correction(df: float) -> float:
    """Hedges' small-sample factor ω = 1 − 3/(4·df − 1); with df = N − 2 it is 1 − 3/(4N − 9) (WWC 5.0, appendix E).

    Raises
    ------
    ValueError
        If df is not above 1, where the approximation has no meaning (it would turn the sign).
    """
    if finite("df", df) <= 1:
        raise ValueError(f"the small-sample factor needs more than 1 degree of freedom, found {df!r}")
    constants = load("effect_size")
    return 1 - constants.correction_numerator / (constants.correction_slope * df - constants.correction_offset)


def pooled_sd(sd_treated: float, sd_comparison: float, n_treated: float, n_comparison: float) -> float:
    """Standard deviation pooled within arms, √(((n_T−1)s_T² + (n_C−1)s_C²)/(N−2)), in units of the outcome.

    Raises
    ------
    ValueError
        If an SD is negative or missing, an arm has fewer than 2 units, or both SDs are 0.
    """
    at_least("sd_treated", sd_treated, 0)
    at_least("sd_comparison", sd_comparison, 0)
    at_least("n_treated", n_treated, 2)
    at_least("n_comparison", n_comparison, 2)
    squares = (n_treated - 1) * sd_treated**2 + (n_comparison - 1) * sd_comparison**2
    if squares == 0:
        raise ValueError("the pooled standard deviation is 0: the outcome does not vary within arms")
    return math.sqrt(squares / (n_treated + n_comparison - 2))


def standard_error(g: float, n_treated: float, n_comparison: float) -> float:
    """Large-sample standard error of g, √(1/n_T + 1/n_C + g²/(2N)), individuals independent.

    Source: Hedges and Olkin (1985), Statistical Methods for Meta-Analysis, chapter 5; the form that WWC uses for t.
    """
    finite("g", g)
    at_least("n_treated", n_treated, 2)
    at_least("n_comparison", n_comparison, 2)
    return math.sqrt(1 / n_treated + 1 / n_comparison + g**2 / (2 * (n_treated + n_comparison)))


def hedges_g_from_summary(
    mean_treated: float,
    mean_comparison: float,
    sd_treated: float,
    sd_comparison: float,
    n_treated: float,
    n_comparison: float,
) -> EffectSize:
    """Hedges' g = ω(ȳ_T − ȳ_C)/S from means, SDs (n − 1 in the denominator) and numbers, S pooled (WWC 5.0, app. E).

    Raises
    ------
    ValueError
        If a value is missing, an SD is negative, an arm has fewer than 2 units, or nothing varies.
    """
    difference = finite("mean_treated", mean_treated) - finite("mean_comparison", mean_comparison)
    sd = pooled_sd(sd_treated, sd_comparison, n_treated, n_comparison)
    df = n_treated + n_comparison - 2
    omega = small_sample_correction(df)
    g = omega * difference / sd
    return EffectSize(
        g, standard_error(g, n_treated, n_comparison), df, sd, omega, "Hedges' g, standard deviation pooled within arms"
    )


def hedges_g(
    treated: Sequence[float] | NDArray[np.floating], comparison: Sequence[float] | NDArray[np.floating]
) -> EffectSize:
    """Hedges' g of two groups of values, each of shape (n,); see :func:`hedges_g_from_summary`.

    Raises
    ------
    ValueError
        If a value is missing or infinite, an arm has fewer than 2 values, or nothing varies.
    """
    first, second = _arm("treated", treated), _arm("comparison", comparison)
    return hedges_g_from_summary(
        float(first.mean()), float(second.mean()), _sd(first), _sd(second), first.size, second.size
    )


def _arm(name: str, values: Sequence[float] | NDArray[np.floating]) -> NDArray[np.floating]:
    import numpy as np

    arm = np.asarray(values, dtype=float)
    if arm.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, found shape {arm.shape}")
    if arm.size < 2:
        raise ValueError(f"{name} needs at least 2 values, found {arm.size}")
    bad = int((~np.isfinite(arm)).sum())
    if bad:
        raise ValueError(f"{name} has {bad} missing or infinite of {arm.size} values: drop them before")
    return arm


def _sd(arm: NDArray[np.floating]) -> float:
    # The SD of a constant may come out as 1e-17: a constant is a constant, whatever the rounding of its mean.
    return 0.0 if arm.max() == arm.min() else float(arm.std(ddof=1))


def hedges_g_cluster_assigned(
    difference: float,
    total_sd: float,
    n_pupils: float,
    cluster_size: float,
    icc: float,
    difference_standard_error: float | None = None,
) -> EffectSize:
    r"""Hedges' g for cluster assignment, standardised by the total SD (WWC 5.0, eq. E.21 for h).

    g = ω_h (b/S_total) √γ with γ = 1 − 2(n−1)ρ/(N−2), ω_h = 1 − 3/(4h − 1). With the model's standard error of b,
    SE(g) = ω_h √(γ (SE_b/S)² + d²/(2h)), d = (b/S)√γ: the delta method, as in the WWC 4.1 supplement.

    Parameters
    ----------
    difference, difference_standard_error : float
        Effect b and its standard error, in units of the outcome; without the latter there is no standard error of g.
    total_sd : float
        Pupil-level SD pooled within arms (between and within clusters), in units of the outcome.
    n_pupils, cluster_size : float
        Pupils N in both arms; average pupils n in a cluster.
    icc : float
        Intraclass correlation ρ, a share.

    Raises
    ------
    ValueError
        If a value is out of its range or there are too few clusters.
    """
    finite("difference", difference)
    positive("total_sd", total_sd)
    h = effective_df(n_pupils, cluster_size, icc)
    gamma = total_variance_factor(n_pupils, cluster_size, icc)
    omega = small_sample_correction(h)
    d = difference / total_sd * math.sqrt(gamma)
    error = None
    if difference_standard_error is not None:
        scaled = at_least("difference_standard_error", difference_standard_error, 0) / total_sd
        error = omega * math.sqrt(gamma * scaled**2 + d**2 / (2 * h))
    return EffectSize(
        omega * d, error, h, total_sd, omega, "Hedges' g for cluster assignment, total standard deviation"
    )


def hedges_g_one_arm_clustered(
    difference: float, total_sd: float, n_treated: float, n_comparison: float, cluster_size: float, icc: float
) -> EffectSize:
    """Hedges' g where only the treated units are clustered (schools in networks), total SD.

    g = ω (b/S)√γ, SE(g) = ω √((1/N_T + 1/N_C)η + d²/(2h₁)) with γ, η, h₁ of :func:`one_arm_clustering`.
    # ASSUME: comparison units are independent of each other, so units are schools, not pupils.

    Source: Hedges and Citkowicz (2015).

    Raises
    ------
    ValueError
        If a value is out of its range.
    """
    finite("difference", difference)
    positive("total_sd", total_sd)
    terms = one_arm_clustering(n_treated, n_comparison, cluster_size, icc)
    omega = small_sample_correction(terms.df)
    d = difference / total_sd * math.sqrt(terms.gamma)
    error = omega * math.sqrt((1 / n_treated + 1 / n_comparison) * terms.eta + d**2 / (2 * terms.df))
    return EffectSize(
        omega * d,
        error,
        terms.df,
        total_sd,
        omega,
        "Hedges' g, clustering in the treated arm only, total standard deviation",
    )


def eef_effect_size(
    difference: float,
    null_model_variance: float,
    difference_standard_error: float | None = None,
    df: float = math.inf,
) -> EffectSize:
    """Effect size of EEF practice: difference over the SD of the unconditional (null) model, no small-sample factor.

    Parameters
    ----------
    difference, difference_standard_error : float
        Effect and its standard error, in units of the outcome; the interval's limits are divided by the same SD.
    null_model_variance : float
        Total variance (all levels summed) of the model without covariates, in squared units of the outcome.
    df : float
        Degrees of freedom of the model's interval; infinite for a normal interval.

    Source: EEF statistical analysis guidance (2018, 2022).

    Raises
    ------
    ValueError
        If the variance is not positive or a value is missing.
    """
    sd = math.sqrt(positive("null_model_variance", null_model_variance))
    error = None
    if difference_standard_error is not None:
        error = at_least("difference_standard_error", difference_standard_error, 0) / sd
    if not df > 0:
        raise ValueError(f"df must be above 0, found {df!r}")
    return EffectSize(
        finite("difference", difference) / sd,
        error,
        df,
        sd,
        1.0,
        "difference over the unconditional total standard deviation (EEF)",
    )


def cox_index(share_treated: float, share_comparison: float) -> float:
    """Cox index of two proportions, (logit p_T − logit p_C)/1.65, in standard deviations (WWC 5.0, appendix E).

    Raises
    ------
    ValueError
        If a proportion is 0 or 1 (the logit is infinite) or outside.
    """
    strictly_between("share_treated", share_treated, 0, 1)
    strictly_between("share_comparison", share_comparison, 0, 1)
    log_odds_ratio = math.log(share_treated / (1 - share_treated)) - math.log(share_comparison / (1 - share_comparison))
    return log_odds_ratio / load("effect_size").cox_divisor


def improvement_index(g: float) -> float:
    """Expected change in percentile rank of an average comparison pupil, 100(Φ(g) − 0.5), percentile points (WWC)."""
    from scipy.special import ndtr

    return 100 * (float(ndtr(finite("g", g))) - 0.5)
