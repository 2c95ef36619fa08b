"""Wild cluster bootstrap of t statistics with the null imposed, from sums by cluster (Roodman and others 2019)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from plneval.did.columns import Floats
from plneval.did.errors import DidError
from plneval.did.inference import ClusterSums
from plneval.did.products import linear

POINTS = {
    "rademacher": np.array([-1.0, 1.0]),
    "webb": np.array([-np.sqrt(1.5), -1.0, -np.sqrt(0.5), np.sqrt(0.5), 1.0, np.sqrt(1.5)]),
}
_CHUNK = 4_000_000
_BLOCK = 128
_TIE = 1e-10


@dataclass(frozen=True)
class WildTest:
    """Bootstrap test and interval of one combination of coefficients.

    Attributes
    ----------
    p
        Of the hypothesis that it is 0.
    ci_low, ci_high
        The values not rejected, by inversion; infinite where no value is rejected on that side.
    draws
        Bootstrap draws used.
    enumerated
        Whether the draws are all there are, rather than a random sample of them.
    """

    p: float
    ci_low: float
    ci_high: float
    draws: int
    enumerated: bool


@dataclass(frozen=True)
class Draws:
    """Squared t statistics as a function of δ = estimate - null: (n0 + δ n1)² / (q0 + 2 δ q1 + δ² q2) per draw."""

    n0: Floats
    n1: Floats
    q0: Floats
    q1: Floats
    q2: Floats
    observed: float
    enumerated: bool

    def p_value(self, delta: float) -> float:
        """Share of draws at least as far out as the data, for the null ``estimate - delta``."""
        numerator = (self.n0 + delta * self.n1) ** 2
        denominator = self.q0 + 2 * delta * self.q1 + delta**2 * self.q2
        beyond = int(np.sum(numerator * self.observed >= delta**2 * denominator * (1 - _TIE)))
        return beyond / len(self.n0) if self.enumerated else (1 + beyond) / (1 + len(self.n0))


def wild_test(
    sums: ClusterSums,
    contrast: Floats,
    *,
    distribution: str = "rademacher",
    draws: int = 9999,
    seed: int = 1,
    level: float = 0.95,
) -> WildTest:
    """Test ``contrast @ beta = 0`` by the wild cluster bootstrap-t with the null imposed, and invert the test.

    Residuals of the fit under the null change sign (``"rademacher"``) or are multiplied by one of six values
    (``"webb"``, for few clusters; Webb 2023) cluster by cluster; t uses the CR1 standard error. Where there are no
    more combinations than ``draws``, all are used (with Rademacher weights one of each mirrored pair) and
    p = #{t* ≥ t} / #; otherwise p = (1 + #{t* ≥ t}) / (1 + draws). Draws are assigned to clusters in sorted order.

    Raises
    ------
    DidError
        An unknown distribution, fewer than 99 draws, or cross-products that were not gathered.
    """
    check_draws(distribution, draws)
    return invert(_make_draws(sums, contrast, distribution, draws, seed), float(contrast @ sums.beta), level)


def check_draws(distribution: str, draws: int) -> None:
    """Raise ``DidError`` for an unknown distribution or fewer than 99 draws."""
    if distribution not in POINTS:
        raise DidError(f"wild weights are {distribution!r}; they can be 'rademacher' or 'webb'")
    if draws < 99:
        raise DidError(f"draws is {draws}; give at least 99")


def invert(found: Draws, estimate: float, level: float) -> WildTest:
    """The test that the estimate is 0, and the values it does not reject."""
    se = float(np.sqrt(found.observed))
    if not se > 0:
        return WildTest(np.nan, np.nan, np.nan, len(found.n0), found.enumerated)
    high = _crossing(found, se, 1 - level)
    low = _crossing(found, -se, 1 - level)
    return WildTest(found.p_value(estimate), estimate - high, estimate - low, len(found.n0), found.enumerated)


def _make_draws(sums: ClusterSums, contrast: Floats, distribution: str, draws: int, seed: int) -> Draws:
    """With m = bread c: scores under the null are s_g + δ h_g, h_g = S_g m / c'm, linear in δ."""
    if sums.gram is None:
        raise DidError("the wild bootstrap needs the cross-products of each cluster")
    m = sums.bread @ contrast
    through = np.einsum("gij,j->gi", sums.gram, m)
    h = through / (contrast @ m)
    own0, own1 = linear(sums.scores, m), linear(h, m)
    # What a change of the coefficients takes from each cluster's score: m'S_g bread, (k, G).
    back = sums.bread @ through.T
    parts: list[list[Floats]] = []
    enumerated = len(POINTS[distribution]) ** sums.n_clusters <= draws
    for v in multipliers(sums.n_clusters, distribution, draws, seed, enumerated):
        moved0, moved1 = summed(v, sums.scores), summed(v, h)
        d0 = v * own0 - moved0 @ back
        d1 = v * own1 - moved1 @ back
        parts.append([linear(moved0, m), linear(moved1, m), (d0 * d0).sum(1), (d0 * d1).sum(1), (d1 * d1).sum(1)])
    n0, n1, q0, q1, q2 = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Draws(n0, n1, q0, q1, q2, float(np.sum(own0 * own0)), enumerated)


def summed(v: Floats, x: Floats) -> Floats:
    """(draws, G) times (G, k), in fixed blocks of G: a threaded BLAS splits long sums differently."""
    total = np.zeros((len(v), x.shape[1]))
    for start in range(0, len(x), _BLOCK):
        total += v[:, start : start + _BLOCK] @ x[start : start + _BLOCK]
    return total


def multipliers(n_clusters: int, distribution: str, draws: int, seed: int, enumerated: bool) -> Iterator[Floats]:
    """Blocks of (draws, G) bootstrap weights; the stream of random numbers does not depend on the blocks."""
    points = POINTS[distribution]
    if enumerated:
        free = n_clusters - 1 if distribution == "rademacher" else n_clusters
        combinations = np.array(list(itertools.product(points, repeat=free)), dtype=np.float64)
        if distribution == "rademacher":
            # t² is the same for v and -v: the first cluster keeps its sign.
            combinations = np.column_stack([np.ones(len(combinations)), combinations])
        yield combinations
        return
    rng = np.random.default_rng(seed)
    block = max(1, _CHUNK // n_clusters)
    for start in range(0, draws, block):
        rows = min(block, draws - start)
        yield points[rng.integers(len(points), size=(rows, n_clusters))]


def _crossing(found: Draws, step: float, alpha: float) -> float:
    """The δ of the sign of ``step`` where p falls to ``alpha``; infinite where it does not."""
    inside, outside = 0.0, step
    while found.p_value(outside) > alpha:
        inside, outside = outside, outside * 2
        if abs(outside) > 1e9 * abs(step):
            return float(np.copysign(np.inf, step))
    for _ in range(60):
        middle = (inside + outside) / 2
        if found.p_value(middle) > alpha:
            inside = middle
        else:
            outside = middle
    return (inside + outside) / 2
