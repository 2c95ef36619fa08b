"""The joint test that effects before entry are zero, and what it could have found.

The Wald test with the chi-squared distribution (as R's did) rejects true nulls far too often when clusters are few:
its covariance matrix is estimated from as many clusters as there are. The bootstrap version refers the same statistic
to its distribution under random signs of the clusters, with the covariance matrix estimated anew in every draw.
With few clusters neither will do: :mod:`plneval.did.pretest_averages`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from plneval.did.columns import Floats
from plneval.did.errors import DidError
from plneval.did.products import crossproduct, weighted_sums

if TYPE_CHECKING:
    from plneval.did.group_time_effects import GroupTimeEffects

# Ratio of the least to the largest eigenvalue (of the correlations) below which a covariance matrix is called singular.
SINGULAR = 1e-10
# Numbers held at once by the bootstrap; bounds its memory.
CHUNK = 4_000_000
METHODS = ("wald", "bootstrap", "small_sample")
POWER_ASKED = 0.8


@dataclass(frozen=True)
class PreTest:
    """Result of the test that all effects before entry (and anticipation) are zero.

    Attributes
    ----------
    method, reason
        ``"wald"`` (R's: chi-squared), ``"bootstrap"`` or ``"small_sample"`` (F); whether asked for or chosen by rule.
    statistic, df, p
        Wald statistic (small-sample: scaled to F), number of effects (averages by event time) tested, and p-value.
    denominator
        Degrees of freedom of the denominator of F; infinite for the other methods.
    bootstrap
        Whether p is from the bootstrap.
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
    left_out
        Groups the bootstrap version leaves out: those of a single cluster, whose own variation cannot be estimated.
        For the small-sample version event times, the furthest from entry, where clusters are too few to test them too.
    """

    method: str
    reason: str
    statistic: float
    df: int
    denominator: float
    p: float
    bootstrap: bool
    draws: int
    level: float
    trend: float | None
    power: float | None
    detectable_trend: float
    n_clusters: int
    left_out: tuple[float, ...]


def pretest(
    effects: GroupTimeEffects,
    *,
    bootstrap: bool = False,
    method: str | None = None,
    trend: float | None = None,
    draws: int = 999,
    seed: int = 1,
    level: float = 0.05,
) -> PreTest:
    """Test that the effects of all group-times before entry minus anticipation are zero.

    Parameters
    ----------
    bootstrap
        False: R's Wald test. True: one that keeps its size, by rule: ``"small_sample"`` where either arm has fewer than
        40 clusters, ``"bootstrap"`` otherwise.
    method
        ``"wald"``: the statistic referred to the chi-squared distribution. ``"bootstrap"``: to a wild cluster bootstrap
        of itself, groups of a single cluster left out. ``"small_sample"``: averages by event time, referred to F
        (:mod:`plneval.did.pretest_averages`). By default as ``bootstrap`` says.
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
    from scipy.special import chdtrc, chdtri, chndtr

    if draws < 99:
        raise DidError(f"draws is {draws}; the bootstrap needs 99 or more")
    method, reason = _method(effects, bootstrap, method)
    bootstrap = method == "bootstrap"
    design = effects.design
    base = design.times[[cell.base for cell in effects.estimated]]
    times, groups = effects.times, effects.groups
    variance = np.sum(effects.by_cluster() ** 2, axis=0)
    tested = (times < groups - design.anticipation) & (variance > 0)
    if method == "small_sample":
        return _on_averages(effects, tested, times - base, trend, level, reason)
    left_out: tuple[float, ...] = ()
    if bootstrap:
        clusters = np.bincount(effects.pieces.group, minlength=len(design.groups))
        lone = clusters[[cell.group for cell in effects.estimated]] < 2
        left_out = tuple(float(group) for group in np.unique(groups[tested & lone]))
        tested &= ~lone
    before = np.flatnonzero(tested)
    if not len(before):
        raise DidError("no effect before entry can be tested: each group needs two periods before entry")
    pieces = effects.contributions[:, before]
    by_cluster = effects.by_cluster(pieces)
    covariance = crossproduct(by_cluster)
    if not _usable(covariance[None])[0]:
        raise DidError(
            f"the covariance of the {len(before)} effects before entry, estimated from {effects.n_clusters} clusters, "
            "is singular: there are too few clusters for a joint test; see the single effects and their band"
        )
    statistic = float(effects.att[before] @ np.linalg.solve(covariance, effects.att[before]))
    slope = (times - base)[before]
    unit = float(slope @ np.linalg.solve(covariance, slope))
    drawn = np.empty((0, 3))
    if bootstrap:
        drawn = _bootstrap(effects, pieces, slope, draws, seed)
        p = float((1 + np.sum(drawn[:, 0] >= statistic)) / (1 + len(drawn)))
        bound = float(np.quantile(drawn[:, 0], 1 - level, method="inverted_cdf"))
    else:
        p = float(chdtrc(len(before), statistic))
        bound = float(chdtri(len(before), level))

    def power(gradient: float) -> float:
        if bootstrap:
            return float(np.mean(drawn @ np.array([1.0, gradient, gradient**2]) > bound))
        return float(1 - chndtr(bound, len(before), gradient**2 * unit))

    return PreTest(
        method=method,
        reason=reason,
        statistic=statistic,
        df=len(before),
        denominator=float("inf"),
        p=p,
        bootstrap=bootstrap,
        draws=len(drawn),
        level=level,
        trend=trend,
        power=None if trend is None else power(trend),
        detectable_trend=_detectable(power, unit),
        n_clusters=effects.n_clusters,
        left_out=left_out,
    )


def _method(effects: GroupTimeEffects, bootstrap: bool, method: str | None) -> tuple[str, str]:
    """The method and the reason for it."""
    from plneval.did.intervals import choose_inference

    if method is not None:
        if method not in METHODS:
            raise DidError(f"method is {method!r}; it can be {', '.join(map(repr, METHODS))}")
        return method, "as asked for"
    if not bootstrap:
        return "wald", "R's test, by default; bootstrap=True chooses one for few clusters by rule"
    rule = choose_inference(effects)
    if rule.method == "small_sample":
        return rule.method, rule.reason
    return "bootstrap", rule.reason


def _on_averages(
    effects: GroupTimeEffects,
    tested: NDArray[np.bool_],
    slope: Floats,
    trend: float | None,
    level: float,
    reason: str,
) -> PreTest:
    """The test of averages by event time, with its power from the noncentral F distribution."""
    from scipy.special import fdtrc, fdtri, ncfdtr

    from plneval.did.pretest_averages import averages_test

    found = averages_test(effects, tested, slope)
    bound = float(fdtri(found.df, found.denominator, 1 - level))

    def power(gradient: float) -> float:
        return float(1 - ncfdtr(found.df, found.denominator, gradient**2 * found.unit, bound))

    return PreTest(
        method="small_sample",
        reason=reason,
        statistic=found.statistic,
        df=found.df,
        denominator=found.denominator,
        p=float(fdtrc(found.df, found.denominator, found.statistic)),
        bootstrap=False,
        draws=0,
        level=level,
        trend=trend,
        power=None if trend is None else power(trend),
        detectable_trend=_detectable(power, found.unit),
        n_clusters=effects.n_clusters,
        left_out=found.left_out,
    )


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


def _bootstrap(effects: GroupTimeEffects, pieces: Floats, slope: Floats, draws: int, seed: int) -> Floats:
    """Draws of the Wald statistic under a trend γ as a polynomial in γ: (draws, 3), for γ⁰, γ¹ and γ².

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
    by_group = np.zeros((n_clusters, n_groups, q))
    np.add.at(by_group, (of_pieces.cluster, of_pieces.group), pieces)
    shared = share[:, :, None] * by_cluster[:, None, :]
    overlap = crossproduct(share)
    random = np.random.default_rng(seed)
    found = []
    step = max(1, CHUNK // (n_clusters + n_groups * q + q * q))
    for start in range(0, draws, step):
        signs = 2.0 * random.integers(0, 2, size=(min(step, draws - start), n_clusters)) - 1.0
        # With s the signs, φ a cluster's contributions, M_g the signed sum of group g, a_cg a cluster's share of it:
        # Σ_c (s φ_c − Σ_g a_cg M_g)(…)' = Σ φφ' − Σ_g (Σ_c s a_cg φ_c) M_g' − its transpose
        #                                 + Σ_gh (Σ_c a_cg a_ch) M_g M_h'.
        moved = weighted_sums(signs, by_group.reshape(n_clusters, -1)).reshape(-1, n_groups, q)
        crossed = weighted_sums(signs, shared.reshape(n_clusters, -1)).reshape(-1, n_groups, q)
        product = np.swapaxes(crossed, 1, 2) @ moved
        covariance = crossproduct(by_cluster) - product - np.swapaxes(product, 1, 2)
        covariance = covariance + np.swapaxes(moved, 1, 2) @ (overlap @ moved)
        error = weighted_sums(signs, by_cluster)
        usable = _usable(covariance)
        solved = np.linalg.solve(
            covariance[usable], np.stack([error[usable], np.broadcast_to(slope, (usable.sum(), q))], 2)
        )
        of_error, of_slope = solved[:, :, 0], solved[:, :, 1]
        found.append(
            np.stack(
                [np.sum(error[usable] * of_error, 1), 2 * of_error @ slope, of_slope @ slope],
                axis=1,
            )
        )
    drawn = np.concatenate(found)
    if len(drawn) < draws / 2:
        raise DidError(
            f"in {draws - len(drawn)} of {draws} bootstrap draws the covariance of the {q} effects before entry is "
            f"singular: {n_clusters} clusters are too few for a joint test"
        )
    return drawn


def _usable(covariance: Floats) -> NDArray[np.bool_]:
    """Which of (D, q, q) covariance matrices can be inverted."""
    variance = np.diagonal(covariance, axis1=1, axis2=2)
    scale = np.sqrt(np.where(variance > 0, variance, np.nan))
    scaled = covariance / (scale[:, :, None] * scale[:, None, :])
    usable = np.isfinite(scaled).all(axis=(1, 2))
    values = np.linalg.eigvalsh(scaled[usable])
    usable[usable] = values[:, 0] > SINGULAR * values[:, -1]
    return np.asarray(usable)
