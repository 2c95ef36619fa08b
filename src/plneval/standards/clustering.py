r"""What clustering does to degrees of freedom, variances and t statistics of a standardised effect.

Sources: Hedges (2007), Journal of Educational and Behavioral Statistics 32, 341-370; WWC Procedures and Standards
Handbook 5.0, appendix E (eq. E.21); Hedges and Citkowicz (2015), Behavior Research Methods 47, 1295-1308.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from plneval.standards.arguments import at_least, between, finite


@dataclass(frozen=True)
class ClusteringCorrection:
    """t of a pupil-level analysis, the same corrected for clustering, its degrees of freedom and two-sided p."""

    t: float
    t_corrected: float
    df: float
    p_value: float


@dataclass(frozen=True)
class OneArmClustering:
    """γ (factor on the variance in the denominator), η (on the variance of the difference) and h₁ (df)."""

    gamma: float
    eta: float
    df: float


def _check_two_arms(n_units: float, cluster_size: float, icc: float) -> None:
    finite("n_pupils", n_units)
    at_least("cluster_size", cluster_size, 1)
    between("icc", icc, 0, 1)
    if n_units <= 2 * cluster_size:
        raise ValueError(
            f"n_pupils ({n_units!r}) must be more than two clusters of size {cluster_size!r}: "
            "with one cluster an arm, clusters and arms cannot be told apart"
        )


def total_variance_factor(n_pupils: float, cluster_size: float, icc: float) -> float:
    """γ = 1 − 2(n−1)ρ/(N−2): expectation of the variance pooled within arms over the total variance, clusters in both.

    Source: Hedges (2007); WWC 5.0, appendix E. Raises ValueError for values out of range or only two clusters.
    """
    _check_two_arms(n_pupils, cluster_size, icc)
    return 1 - 2 * (cluster_size - 1) * icc / (n_pupils - 2)


def effective_df(n_pupils: float, cluster_size: float, icc: float) -> float:
    """Degrees of freedom h for N pupils in clusters of n in both arms with intraclass correlation ρ (WWC 5.0, E.21).

    h = [(N−2) − 2(n−1)ρ]² / [(N−2)(1−ρ)² + n(N−2n)ρ² + 2(N−2n)ρ(1−ρ)]; N − 2 for ρ = 0, clusters − 2 for ρ = 1.

    Raises
    ------
    ValueError
        If ρ is not a share, n is below 1 or there are only two clusters.
    """
    _check_two_arms(n_pupils, cluster_size, icc)
    df, spread = n_pupils - 2, n_pupils - 2 * cluster_size
    numerator = (df - 2 * (cluster_size - 1) * icc) ** 2
    denominator = df * (1 - icc) ** 2 + cluster_size * spread * icc**2 + 2 * spread * icc * (1 - icc)
    return numerator / denominator


def clustering_correction(
    g: float, n_treated: float, n_comparison: float, cluster_size: float, icc: float
) -> ClusteringCorrection:
    """Correct the significance of a pupil-level analysis of clusters that were assigned (WWC 5.0, appendix E).

    t = g/√(1/n_T + 1/n_C + g²/(2N)); t_c = t √([(N−2) − 2(n−1)ρ]/[(N−2)(1 + (n−1)ρ)]), df = h. The ρ to assume where
    a study gives none is in ``intraclass_correlation.yaml``.

    Parameters
    ----------
    g : float
        Effect size in standard deviations.
    n_treated, n_comparison : float
        Pupils in each arm.
    cluster_size : float
        Average pupils n in a cluster.
    icc : float
        Intraclass correlation ρ, a share.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """
    from scipy.special import stdtr

    finite("g", g)
    at_least("n_treated", n_treated, 2)
    at_least("n_comparison", n_comparison, 2)
    n_pupils = n_treated + n_comparison
    df = effective_df(n_pupils, cluster_size, icc)
    t = g / math.sqrt(1 / n_treated + 1 / n_comparison + g**2 / (2 * n_pupils))
    factor = total_variance_factor(n_pupils, cluster_size, icc) / (1 + (cluster_size - 1) * icc)
    t_corrected = t * math.sqrt(factor)
    return ClusteringCorrection(t, t_corrected, df, 2 * float(stdtr(df, -abs(t_corrected))))


def one_arm_clustering(n_treated: float, n_comparison: float, cluster_size: float, icc: float) -> OneArmClustering:
    """Terms for treated units in clusters of n and independent comparison units (Hedges and Citkowicz 2015).

    γ = 1 − (N_C + n − 2)ρ/(N − 2); η = 1 + (n N_C/N − 1)ρ;
    h₁ = [(N−2)(1−ρ) + (N_T−n)ρ]² / [(N−2)(1−ρ)² + (N_T−n)nρ² + 2(N_T−n)(1−ρ)ρ].

    # ASSUME: comparison units are independent, with the variance within clusters; so units are schools and clusters
    networks. Pupils of comparison schools are clustered in them: at pupil level use the model.

    Raises
    ------
    ValueError
        If ρ is not a share (or is 1), n is below 1, an arm has fewer than 2 units or the treated arm is one cluster.
    """
    at_least("n_treated", n_treated, 2)
    at_least("n_comparison", n_comparison, 2)
    at_least("cluster_size", cluster_size, 1)
    between("icc", icc, 0, 1)
    if icc == 1:
        raise ValueError("icc must be below 1: independent comparison units would not vary")
    if n_treated <= cluster_size:
        raise ValueError(
            f"n_treated ({n_treated!r}) must be more than one cluster of size {cluster_size!r}: "
            "with one cluster, cluster and treatment cannot be told apart"
        )
    n_units = n_treated + n_comparison
    df, spread = n_units - 2, n_treated - cluster_size
    gamma = 1 - (n_comparison + cluster_size - 2) * icc / df
    eta = 1 + (cluster_size * n_comparison / n_units - 1) * icc
    numerator = (df * (1 - icc) + spread * icc) ** 2
    denominator = df * (1 - icc) ** 2 + spread * cluster_size * icc**2 + 2 * spread * (1 - icc) * icc
    return OneArmClustering(gamma, eta, numerator / denominator)
