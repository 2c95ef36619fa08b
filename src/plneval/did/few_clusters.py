"""Standard errors, degrees of freedom and intervals of group-time effects when clusters are few.

Influence-function standard errors (R's) are too small then, and their normal intervals too narrow. Here every
contribution is divided by the root of the room its cluster leaves it (:mod:`plneval.did.room`), which for group means
gives n/(n-1) within each group; a treated group of a single cluster borrows the variation of its comparison; the part
of the variance that comes from estimating group sizes is rid of its noise; and t distributions take Welch and
Satterthwaite's degrees of freedom over groups of clusters that enter together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from plneval.did.columns import Floats, Integers
from plneval.did.products import cross, crossproduct, linear, project

if TYPE_CHECKING:
    from plneval.did.aggregate import Mean
    from plneval.did.group_time_effects import GroupTimeEffects


@dataclass(frozen=True)
class AdjustedErrors:
    """Errors of M group-times as R independent rows: those of G clusters, then those borrowed for lone groups.

    Attributes
    ----------
    rows
        (R, M) whose squares sum to variances; NaN in group-times without a standard error.
    stratum
        (R,) rows whose variance is estimated together.
    df
        (H,) degrees of freedom of each stratum.
    notes
        What was borrowed or is missing, in words.
    """

    rows: Floats
    stratum: Integers
    df: Floats
    notes: tuple[str, ...]


def adjusted_errors(effects: GroupTimeEffects) -> AdjustedErrors:
    """Adjust the contributions of every group-time; see the module."""
    from plneval.did.room import adjusted

    n_clusters, count = effects.n_clusters, len(effects.att)
    rows, residuals = np.zeros((n_clusters, count)), np.full((n_clusters, count), np.nan)
    lone = np.zeros(count, dtype=bool)
    missing: list[str] = []
    effective = []
    for k, cell in enumerate(effects.estimated):
        if cell.time == cell.base:
            continue
        sample, contribution = effects.again(k)
        method = effects.method if effects.n_covariates else "means"
        found = adjusted(sample, contribution, effects.pieces.cluster, n_clusters, method)
        rows[:, k] = effects.by_cluster(found.contributions)
        residuals[:, k], lone[k] = found.residuals, found.lone
        effective.append(found.effective)
        if found.lone_comparison:
            rows[:, k] = np.nan
            missing.append(f"{effects.groups[k]:g}, {effects.times[k]:g}")
    notes = []
    if missing:
        notes.append(f"a single comparison cluster, so no standard error (group, time): {'; '.join(missing[:5])}")
    stratum, df = _strata(effects, float(np.mean(effective)))
    blocks, labels, dfs = [rows], [stratum], list(df)
    used_up = 1 + effects.n_covariates
    borrowed = []
    for group in np.unique(effects.groups[lone]):
        which = np.flatnonzero(lone & (effects.groups == group))
        like = residuals[:, which]
        like = like[np.isfinite(like).all(axis=1)]
        block = np.zeros((len(like), count))
        if len(like) > used_up:
            block[:, which] = like / np.sqrt(len(like))
            borrowed.append(f"{group:g}")
        else:
            rows[:, which] = np.nan
            notes.append(f"group {group:g} is a single cluster and its comparison too small: no standard error")
        blocks.append(block)
        labels.append(np.full(len(block), len(dfs)))
        dfs.append(float(max(len(like) - used_up, 1)))
    if borrowed:
        # ASSUME: changes of a lone cluster vary as those of the clusters it is compared with.
        notes.append(
            f"groups of a single cluster, whose variation is taken from their comparison: {', '.join(borrowed)}"
        )
    return AdjustedErrors(np.vstack(blocks), np.concatenate(labels), np.array(dfs), tuple(notes))


def _strata(effects: GroupTimeEffects, effective: float) -> tuple[Integers, Floats]:
    """(G,) clusters that enter together, and the degrees of freedom of each such stratum.

    Clusters of several groups, and those that are alone in theirs, are put together in one last stratum. A stratum
    counts with Kish's effective number of clusters. What covariates take is taken from the clusters never treated (or
    the last to be): their coefficients, and the share of the effective number that the odds leave.
    """
    pieces = effects.pieces
    groups = np.bincount(pieces.cluster, minlength=effects.n_clusters)
    first = np.searchsorted(pieces.cluster, np.arange(effects.n_clusters))
    group = pieces.group[first]
    size = np.bincount(group[groups == 1], minlength=len(effects.design.groups))
    mixed = (groups > 1) | (size[group] < 2)
    label = np.where(mixed, len(size), group)
    found, stratum = np.unique(label, return_inverse=True)
    mass = np.bincount(pieces.cluster, pieces.mass, effects.n_clusters)
    count = np.bincount(stratum, mass) ** 2 / np.bincount(stratum, mass**2)
    lost = np.ones(len(found))
    comparison = np.flatnonzero(found < len(size))
    if len(comparison):
        lost[comparison[-1]] += effects.n_covariates
        count[comparison[-1]] *= effective
    return stratum.astype(np.intp), np.maximum(count - lost, 1.0).astype(np.float64)


def combine(effects: GroupTimeEffects, errors: AdjustedErrors, means: list[Mean]) -> tuple[Floats, Floats]:
    """(R, Q) errors of averages of group-times, and (Q,) degrees of freedom."""
    columns = [_column(effects, errors, mean) for mean in means]
    rows = np.column_stack(columns) if columns else np.zeros((len(errors.rows), 0))
    return rows, _welch(rows, errors)


def of_group_times(errors: AdjustedErrors) -> tuple[Floats, Floats]:
    """(R, M) errors of the group-times themselves, and (M,) degrees of freedom."""
    return errors.rows, _welch(errors.rows, errors)


def _column(effects: GroupTimeEffects, errors: AdjustedErrors, mean: Mean) -> Floats:
    """(R,) the error of an average: that of the effects, and that of the weights less its noise.

    The weights' part is linear in the estimated effects: its expected square is larger than that at the true effects,
    by what their errors add, which is subtracted (down to zero).
    """
    used = np.flatnonzero(mean.shares)
    total = linear(errors.rows[:, used], mean.shares[used]) if len(used) else np.zeros(len(errors.rows))
    for mass, surplus in _estimated_weights(effects, mean):
        chosen = np.flatnonzero(surplus.any(axis=0))
        if not len(chosen):
            continue
        by_cluster = linear(mass, linear(surplus, effects.att))
        noise = project(errors.rows[:, chosen], surplus[:, chosen].T)
        # Rounding may leave it just below zero.
        expected = max(float(np.sum((noise @ crossproduct(mass)) * noise)), 0.0)
        square = float(np.sum(by_cluster**2))
        if square > expected:
            total = total.copy()
            total[: effects.n_clusters] += by_cluster * np.sqrt(1 - expected / square)
    return total


def _estimated_weights(effects: GroupTimeEffects, mean: Mean) -> list[tuple[Floats, Floats]]:
    """Pairs of (G, H) mass of each cluster in what is weighed, and (H, M) what a unit of it adds per effect."""
    pieces = effects.pieces
    found = []
    if mean.surplus.any():
        mass = np.zeros((effects.n_clusters, len(mean.surplus)))
        np.add.at(mass, (pieces.cluster, pieces.group), pieces.mass)
        found.append((mass, mean.surplus))
    if mean.surplus_by_time is not None and effects.masses is not None:
        found.append((effects.by_cluster(effects.masses), mean.surplus_by_time))
    return found


def _welch(rows: Floats, errors: AdjustedErrors) -> Floats:
    """(Q,) V² / Σ V_h²/(f_h + 2) − 2, which estimates Satterthwaite's df without the bias of plugging variances in."""
    strata = (errors.stratum[:, None] == np.arange(len(errors.df))).astype(np.float64)
    variance = cross(strata, rows**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(variance.sum(axis=0) ** 2 / (variance**2 / (errors.df[:, None] + 2)).sum(axis=0) - 2)
