"""Standard errors from influence functions summed by cluster, with rules for few clusters."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval.estimate.fit import no_covariance, no_influence
from plneval.standards import load

Array = npt.NDArray[np.float64]

NO_STANDARD_ERROR = "no standard error: {reason}"


@dataclass(frozen=True)
class ClusterError:
    """Standard error of one statistic from its influence by cluster.

    Attributes
    ----------
    se, df : missing where there are fewer than two clusters in an arm; ``df`` also where the normal is used.
    influence : by cluster, scaled so that the variance is the sum of squares; zero outside the statistic.
    """

    se: float | None
    df: float | None
    clusters_treated: int
    clusters_comparison: int
    influence: Array
    vcov: str
    warnings: tuple[str, ...]


def cluster_error(by_cluster: Array, adjusted: Array, df: float, n_treated: int, n_comparison: int) -> ClusterError:
    r"""Standard error of a group-time effect or an average of them, by the rule for few clusters.

    With 40 clusters or more in each arm behind this number: influence functions and the normal distribution, as R
    ``did``. With fewer in either arm: the errors that :mod:`plneval.did.few_clusters` adjusts (each cluster's part by
    the room that it leaves, :math:`G_g/(G_g - 1)` within entry groups for means of clusters of one size), and the t
    distribution with Welch and Satterthwaite's degrees of freedom.

    Parameters
    ----------
    by_cluster : influence by cluster, shape (G,). adjusted, df : the same for few clusters, shape (R,), and its df.
    n_treated, n_comparison : clusters with treated schools of this number, and with comparison schools only.

    Returns
    -------
    ClusterError
        Without se where an arm has fewer than two clusters, but for a treated group that borrows its comparison's
        variation; warns below the number of treated clusters under which intervals are unreliable.
    """
    rules = load("cluster_rules")
    smaller = min(n_treated, n_comparison)
    padded = np.zeros_like(adjusted)
    usable = n_comparison >= 2 and n_treated >= 1 and bool(np.isfinite(adjusted).all()) and df > 0
    if smaller < 2:
        arm = "treated" if n_treated < 2 else "comparison"
        warning = NO_STANDARD_ERROR.format(reason=f"fewer than two {arm} clusters")
        return ClusterError(None, None, n_treated, n_comparison, padded, "none", (warning,))
    warnings: tuple[str, ...] = ()
    if n_treated < rules.wild_bootstrap_minimum_treated:
        warnings = (f"only {n_treated} treated clusters: the interval is unreliable",)
    if smaller >= rules.small_sample_below:
        padded[: len(by_cluster)] = by_cluster
        se = math.sqrt(float(padded @ padded))
        return ClusterError(se, None, n_treated, n_comparison, padded, "cluster, normal", warnings)
    if not usable:
        warning = NO_STANDARD_ERROR.format(reason="too few clusters in an entry group")
        return ClusterError(None, None, n_treated, n_comparison, padded, "none", (warning,))
    se = math.sqrt(float(adjusted @ adjusted))
    return ClusterError(se, df, n_treated, n_comparison, adjusted, f"small sample, t({df:.1f})", warnings)


@dataclass(frozen=True)
class WaldTest:
    """Joint test that several estimates are zero.

    ``statistic`` is the Wald statistic; ``df`` its numerator degrees of freedom (the rank of the covariance matrix);
    ``df_denominator`` is missing where the chi-squared distribution was used; ``p`` where no test is possible.
    """

    statistic: float
    df: int
    df_denominator: float | None
    p: float | None


def wald_test(estimates: Array, influence: Array, df: float | None) -> WaldTest:
    r"""Test that all estimates are zero, :math:`W = b'V^{+}b`.

    With the normal distribution (``df`` missing) W is compared with :math:`\chi^2_r`, as R ``did`` does; otherwise
    :math:`W (\nu - r + 1)/(\nu r)` with :math:`F_{r, \nu - r + 1}` (Hotelling's T², exact for a mean vector of
    :math:`\nu + 1` normal clusters). Where V is singular, its Moore-Penrose inverse on the r eigenvalues above
    1e-10 of the largest is used, on the correlation scale.

    # ASSUME: directions in which V is singular carry no information and are left out of the test.

    Parameters
    ----------
    estimates : shape (m,). influence : scaled influence by cluster, shape (G, m).
    """
    from scipy import stats

    covariance = influence.T @ influence
    scale = np.sqrt(np.diag(covariance))
    usable = scale > 0
    if not usable.any():
        return WaldTest(math.nan, 0, None, None)
    standardised = estimates[usable] / scale[usable]
    values, vectors = np.linalg.eigh(covariance[np.ix_(usable, usable)] / np.outer(scale[usable], scale[usable]))
    kept = values > 1e-10 * values.max()
    rank = int(kept.sum())
    statistic = float(np.sum((vectors[:, kept].T @ standardised) ** 2 / values[kept]))
    if df is None:
        return WaldTest(statistic, rank, None, float(stats.chi2.sf(statistic, rank)))
    denominator = df - rank + 1
    if denominator <= 0:
        return WaldTest(statistic, rank, denominator, None)
    return WaldTest(
        statistic, rank, denominator, float(stats.f.sf(statistic * denominator / (df * rank), rank, denominator))
    )


def interval(
    estimate: float, se: float | None, df: float | None, confidence: float
) -> tuple[float | None, float | None, float | None]:
    """Bounds of the two-sided interval, and the p-value against zero; missing without a standard error."""
    from scipy import stats

    if se is None or not math.isfinite(se) or se <= 0:
        return None, None, None
    law = stats.norm if df is None else stats.t(df)
    half = float(law.ppf(0.5 + confidence / 2)) * se
    return estimate - half, estimate + half, float(2 * law.sf(abs(estimate) / se))


def covariance_table(keys: list[str], influence: Array) -> pd.DataFrame:
    """Covariance of several statistics from their scaled influence, shape (G, m), in long form."""
    if not keys:
        return no_covariance()
    return long_covariance(keys, influence.T @ influence)


def long_covariance(keys: list[str], matrix: Array) -> pd.DataFrame:
    """A covariance matrix in long form, both triangles."""
    m = len(keys)
    return pd.DataFrame(
        {
            "row_term": pd.Series(np.repeat(keys, m), dtype="str"),
            "column_term": pd.Series(np.tile(keys, m), dtype="str"),
            "covariance": matrix.ravel(),
        }
    )


def influence_table(clusters: npt.NDArray[np.int64] | pd.Series, keys: list[str], influence: Array) -> pd.DataFrame:
    """Scaled influence, shape (G, m), in long form without the zeros, by term and then by cluster.

    A missing cluster marks variation that a lone entry group borrows from its comparison.
    """
    if not keys:
        return no_influence()
    long = pd.DataFrame(
        {
            "cluster": pd.concat([pd.Series(clusters, dtype="Int64")] * len(keys), ignore_index=True),
            "term": pd.Series(np.repeat(keys, len(clusters)), dtype="str"),
            "influence": influence.T.ravel(),
        }
    )
    return long.loc[long["influence"] != 0].reset_index(drop=True)
