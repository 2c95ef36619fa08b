r"""A mean, or a difference of two means, with an error by cluster.

Answers of one cluster (a network, a school) are not independent, nor are one person's answers in two waves, which lie
in one cluster. With h the share of a wave's answers that lie in cluster g and s the sum of their deviations from the
wave's mean, the cluster adds

.. math:: u_g = \frac{s_{g2}}{n_2\sqrt{1 - h_{g2}}} - \frac{s_{g1}}{n_1\sqrt{1 - h_{g1}}}, \qquad
          \widehat{\operatorname{Var}} = \sum_g u_g^2

which is CR2 of the regression of answers on the wave (Bell and McCaffrey 2002); with clusters of one size it is CR1's
factor G/(G − 1). The interval is by t with Satterthwaite's degrees of freedom for independent answers (the same paper):
G − 1 with clusters of one size, fewer where they differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_WHOLE: float = 1e-12
"""A cluster with all of a wave's answers, up to rounding: its deviations sum to zero, and it adds nothing."""


@dataclass(frozen=True)
class ClusterMean:
    """An estimate with its error; ``se``, ``df`` and limits are NaN where no error can be told."""

    estimate: float
    se: float
    df: float
    low: float
    high: float
    n_clusters: int


def cluster_mean(weight: Floats, total: Floats, *, level: float, clusters: int = 2) -> ClusterMean:
    """The mean (one column) or the second mean less the first (two columns), with its interval.

    Parameters
    ----------
    weight, total
        (G, 1) or (G, 2): answers (or their weights) of each cluster in each wave, and their weighted sum. A cluster may
        lack in a wave.
    level
        Of the interval.
    clusters
        With fewer clusters in a wave there is no interval.
    """
    from scipy import stats

    size = weight.sum(axis=0)
    mean = total.sum(axis=0) / size
    contrast = np.array([1.0]) if len(size) == 1 else np.array([-1.0, 1.0])
    estimate = float(contrast @ mean)
    counted = int((weight > 0).sum(axis=0).min())
    if counted < max(clusters, 2):
        nan = float("nan")
        return ClusterMean(estimate, nan, nan, nan, nan, counted)
    left = 1 - weight / size
    factor = np.divide(contrast / size, np.sqrt(left), out=np.zeros_like(left), where=left > _WHOLE)
    se = float(np.sqrt((((total - weight * mean) * factor).sum(axis=1) ** 2).sum()))
    df = _satterthwaite(weight, size, factor)
    half = float(stats.t.ppf((1 + level) / 2, df)) * se
    return ClusterMean(estimate, se, df, estimate - half, estimate + half, counted)


def _satterthwaite(weight: Floats, size: Floats, factor: Floats) -> float:
    """(tr P)²/tr P² with P the covariance of the u under independent answers of one variance (by their weights)."""
    spread = np.zeros((len(weight), len(weight)))
    for wave, n in enumerate(size):
        own, scale = weight[:, wave], factor[:, wave]
        spread += np.outer(scale, scale) * (np.diag(own) - np.outer(own, own) / n)
    return float(np.trace(spread) ** 2 / (spread**2).sum())
