"""CR2 and the wild bootstrap for imputation and two-stage estimates, which are no single least squares fit.

Both are linear in the outcome, and so is what each cluster seems to contribute to their error. With q_c the sums of a
cluster's imputed effects (errors of its treated rows less its units' mean errors) by key, r_c its scores in the
regression of untreated rows, Q_c and S_c their covariances under independent errors with variance inverse to the
weights, the estimate of a bin errs by Σ_c u'q_c − s'r_c, and the residuals show, instead of a cluster's term,

    ψ_c = u'q_c − n_c'Σ_d q_d − s'r_c − f_c'Σ_d r_d,

since means by key and coefficients are estimated. u weighs the keys in the bin, n_c is u times the cluster's share of
each key, s and f_c are what the estimate and the cluster's residuals take from the coefficients.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from plneval.did.columns import Floats
from plneval.did.inference import Covariance
from plneval.did.products import crossproduct
from plneval.did.wild import POINTS, Draws, WildTest, check_draws, invert, multipliers, summed

_NO_ROOM = 1e-9
_BLOCK = 512


@dataclass(frozen=True)
class ImputedSums:
    """What the errors of B averages of imputed effects are made of. G clusters, K keys, q coefficients.

    Attributes
    ----------
    observed
        (G, K) sums of a cluster's imputed effects less their mean by key.
    weight
        (G, K) weight of the treated rows behind them.
    cov_observed
        (G, K, K) Q_c.
    scores, gram, bread
        (G, q), (G, q, q) S_c, and (q, q): of the regression of untreated rows.
    z
        (G, K, q) sums of the regressors of treated rows, less their unit's mean over untreated rows.
    share
        (B, K) weight of a unit of weight in a key in each average: 1 / size in the bin's keys.
    """

    observed: Floats
    weight: Floats
    cov_observed: Floats
    scores: Floats
    gram: Floats
    bread: Floats
    z: Floats
    share: Floats

    @property
    def n_clusters(self) -> int:
        """Clusters."""
        return len(self.weight)

    def directions(self, b: int) -> tuple[Floats, Floats, Floats, Floats]:
        """u (K,), n (G, K), s (q,) and f (G, q) of one average."""
        u = self.share[b]
        total = self.weight.sum(axis=0)
        n = self.weight / np.where(total > 0, total, 1.0) * u
        slope = np.einsum("k,gkq->q", u, self.z)
        s = self.bread @ slope
        surplus = np.einsum("k,gkq->gq", u, self.z) - n @ self.z.sum(axis=0)
        f = (surplus - self.gram @ s) @ self.bread
        return u, n, s, f


def cr2(sums: ImputedSums) -> Covariance:
    """Covariance of the averages, each cluster's contribution scaled to be unbiased, with Satterthwaite's df.

    ψ_c is multiplied by the root of Var(u'q_c − s'r_c) / Var(ψ_c). For group means of a balanced panel that is CR2.

    # ASSUME: the working model is independent errors with variance inverse to the weight.
    """
    n_bins = len(sums.share)
    by_cluster, df = np.zeros((sums.n_clusters, n_bins)), np.full(n_bins, np.nan)
    lost = np.zeros(sums.n_clusters, dtype=bool)
    for b in range(n_bins):
        u, n, s, f = sums.directions(b)
        target = np.einsum("k,gkl,l->g", u, sums.cov_observed, u) + np.einsum("q,gqp,p->g", s, sums.gram, s)
        own = np.einsum("gkl,l->gk", sums.cov_observed, u), np.einsum("gqp,p->gq", sums.gram, s)
        total = sums.cov_observed.sum(axis=0), sums.gram.sum(axis=0)
        shown = np.array([row[c] for c, row in _products(target, own, total, n, f)])
        kept = shown > _NO_ROOM * target
        lost |= ~kept & (target > 0)
        factor = np.where(kept, np.sqrt(target / np.where(kept, shown, 1.0)), 0.0)
        by_cluster[:, b] = factor * (np.einsum("gk,k->g", sums.observed, u) - np.einsum("gq,q->g", sums.scores, s))
        squares = sum(float(np.sum((factor[c] * row * factor) ** 2)) for c, row in _products(target, own, total, n, f))
        variance = float(np.sum(target[kept]))
        df[b] = variance**2 / squares if squares > 0 else np.nan
    return Covariance(crossproduct(by_cluster), df, by_cluster, int(lost.sum()))


def _products(
    target: Floats, own: tuple[Floats, Floats], total: tuple[Floats, Floats], n: Floats, f: Floats
) -> Iterator[tuple[int, Floats]]:
    """Rows (G,) of the covariance of ψ under the working model, cluster by cluster."""
    through = n @ total[0], f @ total[1]
    for start in range(0, len(target), _BLOCK):
        part = slice(start, start + _BLOCK)
        rows = -own[0][part] @ n.T - n[part] @ own[0].T + through[0][part] @ n.T
        rows += own[1][part] @ f.T + f[part] @ own[1].T + through[1][part] @ f.T
        for i, row in enumerate(rows):
            row[start + i] += target[start + i]
            yield start + i, row


def cr1(sums: ImputedSums) -> Covariance:
    """The papers' covariance: contributions as the residuals show them, df G - 1."""
    by_cluster = np.column_stack([_shown(sums, b) for b in range(len(sums.share))])
    return Covariance(crossproduct(by_cluster), np.full(len(sums.share), sums.n_clusters - 1.0), by_cluster)


def _shown(sums: ImputedSums, b: int) -> Floats:
    u, _, s, _ = sums.directions(b)
    return np.asarray(np.einsum("gk,k->g", sums.observed, u) - np.einsum("gq,q->g", sums.scores, s))


def wild(
    sums: ImputedSums, estimates: Floats, *, distribution: str, draws: int, seed: int, level: float
) -> list[WildTest]:
    """Wild cluster bootstrap-t of each average: see :func:`plneval.did.wild.wild_test`.

    Under the null every effect in the average is moved by the same amount; untreated rows keep their residuals. Each
    draw estimates coefficients, means by key and the covariance anew; t uses the papers' covariance.
    """
    check_draws(distribution, draws)
    return [
        invert(_draws(sums, b, distribution, draws, seed), float(estimate), level)
        for b, estimate in enumerate(estimates)
    ]


def _draws(sums: ImputedSums, b: int, distribution: str, draws: int, seed: int) -> Draws:
    """With δ the distance of the estimate from the null, sums q_c become q_c + δ times the weights behind them."""
    u, n, _, f = sums.directions(b)
    own0, own1 = _shown(sums, b), np.einsum("gk,k->g", sums.weight, u)
    enumerated = len(POINTS[distribution]) ** sums.n_clusters <= draws
    parts: list[list[Floats]] = []
    for v in multipliers(sums.n_clusters, distribution, draws, seed, enumerated):
        d0 = v * own0 - summed(v, sums.observed) @ n.T - summed(v, sums.scores) @ f.T
        d1 = v * own1 - summed(v, sums.weight) @ n.T
        total = summed(v, np.column_stack([own0, own1]))
        parts.append([total[:, 0], total[:, 1], (d0 * d0).sum(1), (d0 * d1).sum(1), (d1 * d1).sum(1)])
    n0, n1, q0, q1, q2 = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Draws(n0, n1, q0, q1, q2, float(np.sum(own0 * own0)), enumerated)
