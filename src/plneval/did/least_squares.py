"""Weighted least squares with unit and period effects, exactly, from cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from plneval.did.columns import Floats, Integers
from plneval.did.errors import DidError
from plneval.did.inference import ClusterSums, cluster_robust
from plneval.did.linear_sample import LinearSample, VcovChoice
from plneval.did.products import cross, linear, moments
from plneval.did.wild import WildTest, wild_test

_COLLINEAR = 1e-9


@dataclass(frozen=True)
class Regressors:
    """q regressors of C cells. A row's regressors are ``base`` + ``loadings`` @ (covariates - their cell means).

    Attributes
    ----------
    names
        (q,) for messages.
    base
        (C, q) means over the cell's rows.
    loadings
        (C, q, K) how each regressor moves with the rows' own covariates; ``None`` where it does not (or where the
        covariates do not vary within cells).
    """

    names: tuple[str, ...]
    base: Floats
    loadings: Floats | None = None


@dataclass(frozen=True)
class Estimates:
    """Q estimates with their uncertainty.

    Attributes
    ----------
    estimate, se, df, ci_low, ci_high, p
        (Q,) each; ``df`` is NaN where the interval is a bootstrap's.
    matrix
        (Q, Q) covariance.
    by_cluster
        (G, Q) what each cluster contributes to the error.
    saturated
        See :class:`plneval.did.inference.Covariance`.
    """

    estimate: Floats
    se: Floats
    df: Floats
    ci_low: Floats
    ci_high: Floats
    p: Floats
    matrix: Floats
    by_cluster: Floats
    saturated: int = 0


@dataclass(frozen=True)
class Fit:
    """A least squares fit: coefficients of the regressors, period effects following them in ``sums``."""

    regressors: Regressors
    sums: ClusterSums

    @property
    def beta(self) -> Floats:
        """(q,) coefficients of the regressors."""
        return self.sums.beta[: len(self.regressors.names)]

    def estimates(self, contrasts: Floats, choice: VcovChoice) -> Estimates:
        """Infer on ``contrasts`` (Q, q) @ beta."""
        padded = np.zeros((len(contrasts), len(self.sums.beta)))
        padded[:, : contrasts.shape[1]] = contrasts
        covariance = cluster_robust(self.sums, padded, choice.kind)
        found = with_t(
            padded @ self.sums.beta,
            covariance.matrix,
            covariance.df,
            covariance.by_cluster,
            choice.level,
            covariance.saturated,
        )
        if choice.kind != "wild":
            return found
        tests = [
            wild_test(
                self.sums,
                row,
                distribution=choice.wild_weights,
                draws=choice.draws,
                seed=choice.seed,
                level=choice.level,
            )
            for row in padded
        ]
        return with_tests(found, tests)


def with_tests(found: Estimates, tests: Sequence[WildTest]) -> Estimates:
    """The estimates with the bootstrap's intervals and p."""
    return replace(
        found,
        df=np.full(len(tests), np.nan),
        ci_low=np.array([test.ci_low for test in tests]),
        ci_high=np.array([test.ci_high for test in tests]),
        p=np.array([test.p for test in tests]),
    )


def with_t(
    estimate: Floats, matrix: Floats, df: Floats, by_cluster: Floats, level: float, saturated: int = 0
) -> Estimates:
    """Intervals and p from the t distribution; no standard error where the variance is zero by construction."""
    from scipy.special import stdtr, stdtrit

    variance = np.diag(matrix)
    scale = np.maximum(1.0, np.abs(estimate))
    se = np.sqrt(np.where(variance > (1e-12 * scale) ** 2, variance, np.nan))
    half = stdtrit(df, (1 + level) / 2) * se
    p = 2 * stdtr(df, -np.abs(estimate / se))
    return Estimates(estimate, se, df, estimate - half, estimate + half, p, matrix, by_cluster, saturated)


def unit_means(values: Floats, weight: Floats, unit: Integers) -> Floats:
    """(U, ...) weighted means of cell values (C, ...) by unit."""
    total = np.bincount(unit, weight)
    if values.ndim == 1:
        return np.asarray(np.bincount(unit, weight * values) / total)
    sums = np.zeros((len(total), values.shape[1]))
    start = np.flatnonzero(np.r_[True, unit[1:] != unit[:-1]])
    sums[unit[start]] = np.add.reduceat(values * weight[:, None], start, axis=0)
    return np.asarray(sums / total[:, None])


def by_group(values: Floats, group: Integers, n_groups: int) -> Floats:
    """(n_groups, ...) sums of ``values`` (N, ...) by group, always added in the same order."""
    order = np.argsort(group, kind="stable")
    sorted_group = group[order]
    start = np.flatnonzero(np.r_[True, sorted_group[1:] != sorted_group[:-1]])
    total = np.zeros((n_groups, *values.shape[1:]))
    if len(order):
        total[sorted_group[start]] = np.add.reduceat(values[order], start, axis=0)
    return total


def period_dummies(sample: LinearSample) -> Floats:
    """(C, T - 1) indicators of the periods after the first."""
    return np.asarray((sample.time[:, None] == np.arange(1, len(sample.times))).astype(np.float64))


def covariate_regressors(sample: LinearSample) -> Regressors:
    """The covariates as they are."""
    cells = sample.cells
    count = len(cells.covariates)
    loadings = None
    if count and not cells.constant_covariates:
        loadings = np.broadcast_to(np.eye(count), (len(sample.unit), count, count)).copy()
    return Regressors(cells.covariates, cells.covariate_mean[:, 1:], loadings)


def join(first: Regressors, second: Regressors) -> Regressors:
    """Both sets of regressors, in this order."""
    loadings = None
    given = [part.loadings for part in (first, second) if part.loadings is not None]
    if given:
        shape = (len(first.base), 0, given[0].shape[2])
        parts = [
            np.zeros((shape[0], len(part.names), shape[2])) if part.loadings is None else part.loadings
            for part in (first, second)
        ]
        loadings = np.concatenate(parts, axis=1)
    return Regressors((*first.names, *second.names), np.hstack([first.base, second.base]), loadings)


def fit(sample: LinearSample, regressors: Regressors, *, gram: bool) -> Fit:
    """Regress the outcome on the regressors, unit effects and period effects, weighted.

    Unit effects are absorbed by subtracting unit means, period effects are solved for beside the regressors: an exact
    solution of a system of q + T - 1 equations, no iteration. ``gram`` gathers the cross-products of every cluster.

    Raises
    ------
    DidError
        Regressors that are collinear with one another or with the unit and period effects, named.
    """
    cells = sample.cells
    names = (*regressors.names, *(f"period {time:g}" for time in sample.times[1:]))
    z = np.hstack([regressors.base, period_dummies(sample)])
    z = z - unit_means(z, cells.sw, sample.unit)[sample.unit]
    y = cells.mean - unit_means(cells.mean, cells.sw, sample.unit)[sample.unit]
    weighted = z * cells.sw[:, None]
    within, towards = _within_cells(sample, regressors, len(names))
    total = cross(weighted, z) + within.sum(axis=0)
    right = moments(y, weighted) + towards.sum(axis=0)
    bread = inverse(total, names, _raw_scale(sample, regressors))
    beta = bread @ right
    beta = beta + bread @ (right - total @ beta)
    cell_scores = weighted * (y - linear(z, beta))[:, None]
    if len(within):
        cell_scores = cell_scores + towards - within @ beta
    group = sample.cell_cluster
    grams = _grams(z, weighted, within, group, sample.n_clusters) if gram else None
    sums = ClusterSums(
        beta=beta,
        bread=bread,
        scores=by_group(cell_scores, group, sample.n_clusters),
        gram=grams,
        n_rows=cells.n_rows,
        n_parameters=len(names) + 1,
    )
    return Fit(regressors, sums)


def _within_cells(sample: LinearSample, regressors: Regressors, size: int) -> tuple[Floats, Floats]:
    """(C, size, size) and (C, size): cross-products of the rows' deviations from their cell; empty without any."""
    if regressors.loadings is None:
        return np.zeros((0, size, size)), np.zeros((0, size))
    cells = sample.cells
    mean = cells.covariate_mean[:, 1:]
    scatter = cells.sxx[:, 1:, 1:] - cells.sw[:, None, None] * mean[:, :, None] * mean[:, None, :]
    with_outcome = cells.sxy[:, 1:] - cells.swy[:, None] * mean
    loadings = regressors.loadings
    q = loadings.shape[1]
    within, towards = np.zeros((len(mean), size, size)), np.zeros((len(mean), size))
    within[:, :q, :q] = loadings @ scatter @ loadings.transpose(0, 2, 1)
    towards[:, :q] = np.einsum("cqk,ck->cq", loadings, with_outcome)
    return within, towards


def _grams(z: Floats, weighted: Floats, within: Floats, group: Integers, n_groups: int) -> Floats:
    order = np.argsort(group, kind="stable")
    start = np.searchsorted(group[order], np.arange(n_groups + 1))
    grams = np.empty((n_groups, z.shape[1], z.shape[1]))
    for g in range(n_groups):
        rows = order[start[g] : start[g + 1]]
        grams[g] = cross(weighted[rows], z[rows])
        if len(within):
            grams[g] += within[rows].sum(axis=0)
    return grams


def _raw_scale(sample: LinearSample, regressors: Regressors) -> Floats:
    """(q + T - 1,) sums of squares of the regressors around their overall means, before unit effects."""
    cells = sample.cells
    z = np.hstack([regressors.base, period_dummies(sample)])
    centred = z - moments(cells.sw, z) / cells.sw.sum()
    scale = moments(cells.sw, centred**2)
    within, _ = _within_cells(sample, regressors, z.shape[1])
    return np.asarray(scale + np.einsum("cqq->q", within) if len(within) else scale)


def inverse(total: Floats, names: Sequence[str], raw: Floats) -> Floats:
    """Invert the cross-products of unit-demeaned regressors.

    Raises
    ------
    DidError
        Regressors that do not vary within units, or are combinations of the others, by name.
    """
    from scipy.linalg import cho_factor, cho_solve, qr

    diagonal = np.diag(total)
    flat = ~(diagonal > 1e-12 * raw)
    if flat.any():
        found = ", ".join(names[i] for i in np.flatnonzero(flat)[:5])
        raise DidError(
            f"{found}: no variation within units, so unit effects absorb it: leave it out (or, for a covariate, give "
            "its interaction with time)"
        )
    scale = np.sqrt(diagonal)
    correlation = total / scale / scale[:, None]
    triangle, order = qr(correlation, mode="r", pivoting=True)
    small = np.abs(np.diag(triangle)) < _COLLINEAR
    if small.any():
        found = ", ".join(names[i] for i in sorted(order[small])[:5])
        raise DidError(
            f"{found}: collinear with the other regressors, unit and period effects: leave covariates that add "
            "nothing out; in an event study without never-treated units name two reference event times; units and "
            "periods may also fall into parts that never meet"
        )
    solved = cho_solve(cho_factor(correlation), np.eye(len(names)))
    return np.asarray((solved + solved.T) / 2 / scale / scale[:, None])
