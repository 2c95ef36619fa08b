"""The joint test that effects before entry are zero, and what it could have found.

The Wald test with the chi-squared distribution (as R's did) rejects true nulls far too often when clusters are few:
its covariance matrix is estimated from as many clusters as there are. The bootstrap version refers the same statistic
to its distribution under random signs of the clusters, with the covariance matrix estimated anew in every draw.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from plneval.did.columns import Floats
from plneval.did.errors import DidError

if TYPE_CHECKING:
    from plneval.did.att_gt import GroupTimeEffects

# Reciprocal condition number (scaled to a unit diagonal) below which a covariance matrix is called singular.
SINGULAR = 1e-10
POWER_ASKED = 0.8


@dataclass(frozen=True)
class PreTest:
    """Result of the test that all effects before entry (and anticipation) are zero.

    Attributes
    ----------
    statistic, df, p
        Wald statistic, number of effects tested, and p-value.
    bootstrap
        Whether p is from the bootstrap; otherwise from the chi-squared distribution.
    draws
        Bootstrap draws whose covariance matrix could be inverted; 0 without the bootstrap.
    level
        Of the test whose power is given.
    trend, power
        A linear difference in trends, in units of the outcome a period, and the probability that this test detects
        it; ``None`` if no trend was declared.
    detectable_trend
        The linear difference in trends this test detects with probability 0.8.
    n_clusters
        Clusters the covariance matrix is estimated from.
    """

    statistic: float
    df: int
    p: float
    bootstrap: bool
    draws: int
    level: float
    trend: float | None
    power: float | None
    detectable_trend: float
    n_clusters: int


def pretest(
    effects: GroupTimeEffects,
    *,
    bootstrap: bool = False,
    trend: float | None = None,
    draws: int = 999,
    seed: int = 1,
    level: float = 0.05,
) -> PreTest:
    """Test that the effects of all group-times before entry minus anticipation are zero.

    Parameters
    ----------
    bootstrap
        Refer the Wald statistic to a wild cluster bootstrap of itself instead of to the chi-squared distribution.
    trend
        A difference in linear trends between each group and its comparison, in units of the outcome a period of time,
        for which the power of the test is computed (Roth 2022).
    draws, seed
        Of the bootstrap.
    level
        Of the test whose power is computed.

    Raises
    ------
    DidError
        No effect before entry, or a covariance matrix that is singular: as many effects as clusters, or more.
    """
    from scipy.stats import chi2

    if draws < 99:
        raise DidError(f"draws is {draws}; the bootstrap needs 99 or more")
    design = effects.design
    base = design.times[[cell.base for cell in effects.estimated]]
    times, groups = effects.times, effects.groups
    variance = np.sum(effects.by_cluster() ** 2, axis=0)
    before = np.flatnonzero((times < groups - design.anticipation) & (variance > 0))
    if not len(before):
        raise DidError("no effect before entry can be tested: each group needs two periods before entry")
    pieces = effects.contributions[:, before]
    by_cluster = effects.by_cluster(pieces)
    covariance = by_cluster.T @ by_cluster
    if _reciprocal_condition(covariance) < SINGULAR:
        raise DidError(
            f"the covariance of the {len(before)} effects before entry, estimated from {effects.n_clusters} clusters, "
            "is singular: there are too few clusters for a joint test; see the single effects and their band"
        )
    statistic = float(effects.att[before] @ np.linalg.solve(covariance, effects.att[before]))
    slope = (times - base)[before]
    inverse = np.linalg.inv(covariance)
    if bootstrap:
        null, errors, inverses = _bootstrap(effects, pieces, draws, seed)
        p = float((1 + np.sum(null >= statistic)) / (1 + len(null)))
        bound = float(np.quantile(null, 1 - level, method="inverted_cdf"))
    else:
        null, errors, inverses = np.empty(0), np.empty((0, len(before))), np.empty((0, len(before), len(before)))
        p = float(chi2.sf(statistic, len(before)))
        bound = float(chi2.ppf(1 - level, len(before)))

    def power(gradient: float) -> float:
        if not bootstrap:
            return _chi_squared_power(bound, len(before), gradient**2 * float(slope @ inverse @ slope))
        shifted = errors + gradient * slope
        return float(np.mean(np.einsum("di,dij,dj->d", shifted, inverses, shifted) > bound))

    return PreTest(
        statistic=statistic,
        df=len(before),
        p=p,
        bootstrap=bootstrap,
        draws=len(null),
        level=level,
        trend=trend,
        power=None if trend is None else power(trend),
        detectable_trend=_detectable(power, float(slope @ inverse @ slope)),
        n_clusters=effects.n_clusters,
    )


def _reciprocal_condition(covariance: Floats) -> float:
    scale = np.sqrt(np.diag(covariance))
    return float(1 / np.linalg.cond(covariance / np.outer(scale, scale), 1))


def _chi_squared_power(bound: float, df: int, noncentrality: float) -> float:
    from scipy.stats import ncx2

    return float(ncx2.sf(bound, df, noncentrality))


def _detectable(power: Callable[[float], float], unit: float) -> float:
    """The trend detected with probability 0.8, by bisection; ``unit`` is the noncentrality of a trend of 1."""
    low, high = 0.0, 1 / np.sqrt(unit)
    while power(high) < POWER_ASKED:
        low, high = high, 2 * high
        if high > 1e6 / np.sqrt(unit):
            return float("inf")
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if power(middle) < POWER_ASKED else (low, middle)
    return float(high)


def _bootstrap(effects: GroupTimeEffects, pieces: Floats, draws: int, seed: int) -> tuple[Floats, Floats, Floats]:
    """Wald statistics under the null, the errors behind them, and the inverses of their covariance matrices.

    A draw gives every cluster a random sign, adds the contributions up, and takes each group's mean out of them again,
    as estimating the effects from such data would: without that step the covariance would be the same in every draw.
    """
    of_pieces = effects.pieces
    n_groups = len(effects.design.groups)
    size = np.bincount(of_pieces.group, of_pieces.mass, n_groups)
    n_clusters, q = effects.n_clusters, pieces.shape[1]
    share = np.zeros((n_clusters, n_groups))
    np.add.at(share, (of_pieces.cluster, of_pieces.group), of_pieces.mass / size[of_pieces.group])
    by_cluster = effects.by_cluster(pieces)
    by_group = np.zeros((n_groups, n_clusters, q))
    np.add.at(by_group, (of_pieces.group, of_pieces.cluster), pieces)
    random = np.random.default_rng(seed)
    statistics, errors, inverses = [], [], []
    for _ in range(draws):
        signs = 2.0 * random.integers(0, 2, size=n_clusters) - 1.0
        moved = np.einsum("c,gcq->gq", signs, by_group)
        drawn = signs[:, None] * by_cluster - share @ moved
        covariance = drawn.T @ drawn
        if not np.all(np.diag(covariance) > 0) or _reciprocal_condition(covariance) < SINGULAR:
            continue
        inverted = np.linalg.inv(covariance)
        error = signs @ by_cluster
        statistics.append(float(error @ inverted @ error))
        errors.append(error)
        inverses.append(inverted)
    if len(statistics) < draws / 2:
        raise DidError(
            f"in {draws - len(statistics)} of {draws} bootstrap draws the covariance of the {q} effects before entry "
            f"is singular: {n_clusters} clusters are too few for a joint test"
        )
    return np.array(statistics), np.array(errors), np.array(inverses)
