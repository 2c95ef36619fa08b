"""Errors of triple differences when clusters are few; see :mod:`plneval.did.few_clusters` for those of ``att_gt``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from plneval.did.columns import Floats, Integers
from plneval.did.few_clusters import AdjustedErrors

if TYPE_CHECKING:
    from plneval.did.samples import Pieces
    from plneval.did.triple_difference import TripleDifferences

# Weight of a comparison group below which its clusters' residuals are not recovered from their contributions.
NO_WEIGHT = 1e-9


def gap_errors(effects: TripleDifferences) -> AdjustedErrors:
    """Errors with n/(n-1) within clusters that enter together, n/(n-1-K) where they compare, K being the covariates.

    A treated group of a single cluster, which has no variation of its own, borrows that of the clusters it is compared
    with; where those are too few, it has no standard error.

    # ASSUME: the weights of comparison groups are taken as given; what covariates cost is counted, not computed; the
    # gap of a lone cluster varies as those of its comparison, whatever the numbers of rows behind them.
    """
    found, stratum = np.unique(_entry_of_cluster(effects.pieces), return_inverse=True)
    stratum = stratum.reshape(-1).astype(np.intp)
    count = np.bincount(stratum).astype(np.float64)
    compares = np.isin(found, [c // 2 for cell in effects.estimated for c in cell.comparison]) | (found < 0)
    lost = np.where(compares, 1.0 + len(effects.design.cells.covariates), 1.0)
    room = np.maximum(count - lost, 0.0)
    factor = np.sqrt(np.where(room > 0, count, 1.0) / np.where(room > 0, room, 1.0))
    rows = effects.by_cluster() * factor[stratum][:, None]
    own = np.array([cell.group // 2 for cell in effects.estimated])
    estimated = np.array([cell.time != cell.base for cell in effects.estimated])
    blocks, labels, df = [rows], [stratum], list(np.maximum(room, 1.0))
    borrowed, missing = [], []
    for entry in np.unique(own):
        if room[found == entry].sum() > 0:
            continue
        which = np.flatnonzero((own == entry) & estimated)
        block, used = _borrowed(effects, rows, which, found, stratum, room)
        label = f"{effects.design.groups[2 * entry]:g}"
        if used < 2:
            rows[:, which] = np.nan
            missing.append(label)
            continue
        borrowed.append(label)
        blocks.append(block)
        labels.append(np.full(len(block), len(df), dtype=np.intp))
        df.append(float(used - 1))
    notes = []
    if borrowed:
        whose = "whose variation is taken from their comparison"
        notes.append(f"groups of a single cluster, {whose}: {', '.join(borrowed)}")
    if missing:
        notes.append(f"groups of a single cluster with too small a comparison, so no standard error: {missing}")
    return AdjustedErrors(np.vstack(blocks), np.concatenate(labels), np.array(df), tuple(notes))


def _borrowed(
    effects: TripleDifferences, rows: Floats, which: Integers, found: Integers, stratum: Integers, room: Floats
) -> tuple[Floats, int]:
    """(G, M) errors of a lone group, from residuals of its comparison's clusters, and how many there are at least.

    A comparison group of n clusters and weight w has contributions -w·residual/n: residuals are recovered from them.
    """
    block = np.zeros((len(rows), len(effects.att)))
    weights = effects.comparisons.set_index(["group", "time", "comparison"])["weight"]
    groups, times = effects.groups, effects.times
    least = len(rows)
    for m in which:
        number = 0
        for comparison in effects.estimated[m].comparison:
            position = np.flatnonzero(found == comparison // 2)
            key = (groups[m], times[m], effects.design.groups[comparison])
            weight = float(weights.get(key, 0.0))
            if not len(position) or room[position[0]] == 0 or abs(weight) < NO_WEIGHT:
                continue
            members = np.flatnonzero(stratum == position[0])
            block[members, m] = rows[members, m] * len(members) / weight
            number += len(members)
        block[:, m] /= np.sqrt(max(number, 1))
        least = min(least, number)
    return block, least


def _entry_of_cluster(pieces: Pieces) -> Integers:
    """(G,) the entry group of each cluster's units; -1 where they have several."""
    entry = pieces.group // 2
    first = np.searchsorted(pieces.cluster, np.arange(len(pieces.clusters)))
    last = np.r_[first[1:], len(entry)] - 1
    return np.asarray(np.where(entry[first] == entry[last], entry[first], -1), dtype=np.intp)
