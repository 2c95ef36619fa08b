"""How much of its own error a cluster keeps in its residual: what contributions are divided by when clusters are few.

A cluster pulls the mean (or regression) its residual is measured from towards itself. With few clusters in an arm,
influence functions are too small for that reason. Here the expected square of a cluster's residual is worked out under
a working model, relative to that of its error, so that dividing by its root makes the variance unbiased there: Bell and
McCaffrey's (2002) CR2 for means and regressions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plneval.did.columns import Floats, Integers
from plneval.did.least_squares import by_group
from plneval.did.products import linear
from plneval.did.propensity import fit_propensity
from plneval.did.regression import Records
from plneval.did.two_by_two import Sample

# A residual that keeps less than this share of the variance of its error says nothing of it.
NO_ROOM = 1e-9


@dataclass(frozen=True)
class Adjusted:
    """One group and time. P pieces, G clusters.

    Attributes
    ----------
    contributions
        (P,) contributions to the error of the effect, each divided by the root of its room; 0 where ``lone``, for the
        treated.
    residuals
        (G,) adjusted residual (of the change since the base period) of each comparison cluster, NaN for others: what
        the error of a cluster like it looks like. Only where ``lone``; NaN elsewhere.
    lone
        Whether the treated of one of the periods are a single cluster, which has no variation of its own.
    lone_comparison
        The same of the comparison: then there is no standard error.
    effective
        Kish's effective number of comparison clusters under the odds that weigh them, as a share of their number under
        the weights alone; 1 without a propensity model.
    """

    contributions: Floats
    residuals: Floats
    lone: bool
    lone_comparison: bool
    effective: float


def adjusted(sample: Sample, contribution: Floats, cluster: Integers, n_clusters: int, method: str) -> Adjusted:
    """Divide contributions by the root of their room.

    Parameters
    ----------
    contribution
        Contributions to the error: of changes, (P,) by piece; of levels, (R,) of each record.
    cluster
        (P,) the cluster of each piece.
    method
        ``"means"`` (no covariates), ``"or"``, ``"ipw"`` or ``"dr"``.

    # ASSUME: for the adjustment alone, cluster means have independent errors with variances inverse to their weights.
    """
    records, n_pieces = sample.records, len(cluster)
    part = np.stack([sample.treated, sample.post], axis=1) > 0
    room = np.ones(len(sample.treated))
    parts: list[tuple[float, NDArray[np.intp], Floats, Floats]] = []
    owner = cluster[sample.piece]
    alone = {True: False, False: False}
    weight, effective = _comparison_weights(sample, method), 1.0
    for post in np.unique(part[:, 1]):
        treated, other = (np.flatnonzero((part[:, 0] == arm) & (part[:, 1] == post)) for arm in (True, False))
        alone[True] |= len(np.unique(owner[treated])) < 2
        alone[False] |= len(np.unique(owner[other])) < 2
        x = records.x if method != "means" else records.x[:, :1]
        plain = _gram(records, other, x.shape[1], records.weight)
        used = plain if method != "ipw" else _gram(records, other, x.shape[1], weight)
        room[other] = 1 - _leverage(used, owner[other])
        around = np.linalg.pinv(used.sum(axis=0), hermitian=True)
        if method in ("ipw", "dr"):
            # The error of the propensity model is not counted here: no credit for that of the regression either.
            around = np.zeros_like(around)
        room[treated] = _room_of_treated(records.weight[treated], x[treated], owner[treated], around)
        if method in ("ipw", "dr"):
            kish = [_kish(given[other], owner[other]) for given in (weight, records.weight)]
            effective = min(effective, kish[0] / kish[1])
        parts.append((1.0 if post else -1.0, other, x, plain))
    kept = room > NO_ROOM
    residuals = np.full(n_clusters, np.nan)
    if alone[True]:
        residuals = sum(
            (sign * _residuals(records, rows, x, gram, owner, n_clusters) for sign, rows, x, gram in parts),
            np.zeros(n_clusters),
        )
    factor = np.where(kept, 1.0, 0.0) / np.sqrt(np.where(kept, room, 1.0))
    if alone[True]:
        factor = np.where(part[:, 0], 0.0, factor)
    if part[:, 1].all():
        of_piece = np.zeros(n_pieces)
        of_piece[sample.piece] = factor  # All records of a piece have the same.
        scaled = contribution * of_piece
    else:
        scaled = np.bincount(sample.piece, contribution * factor, n_pieces).astype(np.float64)
    return Adjusted(scaled, residuals, alone[True], alone[False], effective)


def _comparison_weights(sample: Sample, method: str) -> Floats:
    return fit_propensity(sample.scored).weight if method in ("ipw", "dr") else sample.records.weight


def _kish(weight: Floats, owner: Integers) -> float:
    """Effective number of clusters, (Σw)² / Σw²."""
    total = np.bincount(owner, weight)
    return float(total.sum() ** 2 / np.sum(total**2))


def _gram(records: Records, rows: NDArray[np.intp], size: int, weight: Floats) -> Floats:
    """(rows, K, K) weighted cross-products of the records."""
    if records.sxx is not None and weight is records.weight:
        return records.sxx[rows][:, :size, :size]
    x = records.x[rows][:, :size]
    return np.asarray(weight[rows, None, None] * x[:, :, None] * x[:, None, :])


def _leverage(gram: Floats, owner: Integers) -> Floats:
    """(rows,) the largest share of any direction of the regression that the record's cluster holds."""
    _, code = np.unique(owner, return_inverse=True)
    by_cluster = by_group(gram, code, int(code.max()) + 1)
    values, vectors = np.linalg.eigh(gram.sum(axis=0))
    root = vectors / np.sqrt(np.where(values > 1e-12 * values[-1], values, np.inf))
    shares = np.linalg.eigvalsh(root.T @ by_cluster @ root)[:, -1]
    return np.asarray(shares[code])


def _room_of_treated(weight: Floats, x: Floats, owner: Integers, around: Floats) -> Floats:
    """(rows,) 1 − the cluster's share + what the error of the comparison's regression adds at its covariates."""
    _, code = np.unique(owner, return_inverse=True)
    mass = np.bincount(code, weight)
    mean = by_group(weight[:, None] * x, code, len(mass)) / mass[:, None]
    gap = mean - (mass[:, None] * mean).sum(axis=0) / mass.sum()
    added = mass * np.einsum("ck,kl,cl->c", gap, around, gap)
    return np.asarray((1 - mass / mass.sum() + added)[code])


def _residuals(
    records: Records, rows: NDArray[np.intp], x: Floats, gram: Floats, owner: Integers, n_clusters: int
) -> Floats:
    """(G,) mean residual of each cluster among ``rows``, divided by the root of its room; NaN for other clusters."""
    size = x.shape[1]
    right = records.outcome[rows, None] * x[rows] if records.sxy is None else records.sxy[rows][:, :size]
    beta = np.linalg.pinv(gram.sum(axis=0), hermitian=True) @ right.sum(axis=0)
    weight = records.weight[rows]
    total = np.bincount(owner[rows], records.outcome[rows] - weight * linear(x[rows], beta), n_clusters)
    mass = np.bincount(owner[rows], weight, n_clusters)
    room = np.zeros(n_clusters)
    room[owner[rows]] = 1 - _leverage(gram, owner[rows])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(room > NO_ROOM, total / mass / np.sqrt(np.maximum(room, NO_ROOM)), np.nan))
