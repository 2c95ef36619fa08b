"""Uniform confidence bands by the multiplier bootstrap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from plneval.did.columns import Floats
from plneval.did.errors import DidError
from plneval.did.products import weighted_sums

if TYPE_CHECKING:
    from plneval.did.aggregate import Aggregate

# Signs drawn in one go, in numbers; bounds the memory.
CHUNK = 20_000_000


def multiplier_draws(by_cluster: Floats, draws: int, seed: int) -> Floats:
    """(draws, Q) bootstrap errors: cluster contributions (G, Q) summed with random signs (Rademacher, as R's did)."""
    n_clusters = len(by_cluster)
    random = np.random.default_rng(seed)
    step = max(1, CHUNK // max(n_clusters, 1))
    found = []
    for start in range(0, draws, step):
        signs = random.integers(0, 2, size=(min(step, draws - start), n_clusters), dtype=np.int8)
        found.append(weighted_sums(2.0 * signs - 1.0, by_cluster))
    return np.concatenate(found)


def critical_value(errors: Floats, level: float) -> float:
    """The quantile of the largest absolute studentised error over columns.

    As in R's did the scale of a column is its interquartile range over that of the normal distribution, and quantiles
    are of the inverse empirical distribution function. Not below the normal quantile of a single interval.
    """
    from scipy.special import ndtri

    quartiles = np.quantile(errors, [0.25, 0.75], axis=0, method="inverted_cdf")
    scale = (quartiles[1] - quartiles[0]) / (ndtri(0.75) - ndtri(0.25))
    usable = scale > 0
    if not usable.any():
        raise DidError("no row has a standard error: there is no uniform band")
    largest = np.max(np.abs(errors[:, usable] / scale[usable]), axis=1)
    return max(float(np.quantile(largest, level, method="inverted_cdf")), float(ndtri((1 + level) / 2)))


def uniform_band(aggregate: Aggregate, *, draws: int, seed: int, level: float) -> pd.DataFrame:
    """Confidence band that covers every row of an aggregate at once with probability ``level``.

    Returns
    -------
    DataFrame
        The aggregate's key, estimate, se, ci_low and ci_high of the band, and its critical_value (the same in every
        row). The standard errors are the analytical ones; reference rows have no band.

    Raises
    ------
    DidError
        Fewer than 99 draws, or no row with a standard error.
    """
    if draws < 99:
        raise DidError(f"draws is {draws}; a band needs 99 or more")
    by_cluster = aggregate.by_cluster if aggregate.kind != "simple" else aggregate.overall_by_cluster[:, None]
    critical = critical_value(multiplier_draws(by_cluster, draws, seed), level)
    band = aggregate.table
    band["ci_low"] = band["estimate"] - critical * band["se"]
    band["ci_high"] = band["estimate"] + critical * band["se"]
    band["critical_value"] = critical
    return band
