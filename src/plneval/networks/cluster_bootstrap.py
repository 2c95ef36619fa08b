r"""Resampling whole clusters, and intervals from it that allow for few of them.

The percentile interval of n clusters is too narrow by about √((n − 1)/n) times the ratio of the normal to the t
quantile. The expanded percentile interval (Hesterberg 2015, The American Statistician 69(4), 371-386, section 5.2)
takes quantiles farther out, at :math:`\alpha'/2 = \Phi\bigl(-\sqrt{n/(n-1)}\, t_{1-\alpha/2, n-1}\bigr)`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def drawn_clusters(n_clusters: int, draws: int, seed: int) -> Floats:
    """How often each cluster is taken in each draw: (draws, clusters)."""
    random = np.random.default_rng(seed)
    return random.multinomial(n_clusters, np.full(n_clusters, 1 / n_clusters), size=draws).astype(np.float64)


def expanded_tail(n_clusters: int, level: float) -> float:
    """α'/2: the part of the draws below the interval, and above it."""
    from scipy.special import ndtr, stdtrit

    n = float(n_clusters)
    return float(ndtr(-np.sqrt(n / (n - 1)) * stdtrit(n - 1, (1 + level) / 2)))


def interval(sample: Floats, tail: float) -> tuple[float, float]:
    """Quantiles of the draws that are not missing."""
    known = sample[~np.isnan(sample)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [tail, 1 - tail])
    return float(low), float(high)
