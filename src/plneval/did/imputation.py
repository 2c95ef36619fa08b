"""Imputation (Borusyak, Jaravel and Spiess 2024) and two-stage difference-in-differences (Gardner 2022), from cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from plneval.did.columns import Floats
from plneval.did.errors import DidError
from plneval.did.least_squares import (
    by_group,
    covariate_regressors,
    inverse,
    period_dummies,
    unit_means,
    with_t,
)
from plneval.did.linear_effects import Bins, LinearEffects, finish, make_bins
from plneval.did.linear_sample import LinearSample, VcovChoice, choose_vcov, linear_sample, read
from plneval.did.products import cross, crossproduct, linear, moments, project


@dataclass(frozen=True)
class _Untreated:
    """The regression of untreated rows on unit effects, period effects and covariates. C cells, G clusters, q = K+T-1.

    Attributes
    ----------
    theta
        (q,) coefficients of covariates and periods.
    bread
        (q, q) inverse of Σ Z̃'WZ̃ over untreated rows.
    gram, right
        (G, q, q) and (G, q): Z̃'WZ̃ and Z̃'Wỹ of each cluster.
    y, z
        (C,) and (C, q): cell means less the unit's mean over its untreated rows, for all cells.
    """

    theta: Floats
    bread: Floats
    gram: Floats
    right: Floats
    y: Floats
    z: Floats


def imputation(
    data: Any,
    outcome: str | None = None,
    time: str | None = None,
    unit: str | None = None,
    entry: str | None = None,
    covariates: Sequence[str] | None = None,
    weights: str | None = None,
    cluster: str | None = None,
    vcov: str | None = None,
    panel: bool | None = None,
    missing_entry: str = "error",
    anticipation: float = 0,
    level: float = 0.95,
) -> LinearEffects:
    """Impute what treated rows would have been from unit and period effects of untreated rows, and average the gaps.

    Parameters
    ----------
    data, outcome, time, unit, entry, covariates, weights, cluster, panel, missing_entry, level
        As in :func:`plneval.did.twfe`.
    vcov
        ``"cr1"``: the paper's conservative variance by cluster (its equation 7, with effects averaged by group and
        time), without a factor, as R's didimputation. ``"cr3"``: the jackknife by cluster, (G - 1)/G times the sum of
        squares of the changes when one cluster after the other is left out. By default CR3 where either arm has fewer
        than 40 clusters. CR2 and the wild bootstrap are defined for least squares fits only: see
        :func:`plneval.did.extended_twfe`.
    anticipation
        Periods before entry in which effects are allowed for; their rows are imputed too, not averaged overall.

    Returns
    -------
    LinearEffects
        ``table`` by event time; ``estimate`` is the average over all treated rows from entry on. The t distribution
        has G - 1 degrees of freedom.

    Raises
    ------
    DidError
        As :func:`plneval.did.twfe`. Units and periods without untreated rows are in ``dropped``.
    """
    cells = read(data, outcome, time, unit, entry, covariates, weights, cluster, panel, missing_entry)
    return _estimate("imputation", linear_sample(cells, anticipation=anticipation, rule="imputable"), vcov, level)


def two_stage(
    data: Any,
    outcome: str | None = None,
    time: str | None = None,
    unit: str | None = None,
    entry: str | None = None,
    covariates: Sequence[str] | None = None,
    weights: str | None = None,
    cluster: str | None = None,
    vcov: str | None = None,
    panel: bool | None = None,
    missing_entry: str = "error",
    anticipation: float = 0,
    level: float = 0.95,
) -> LinearEffects:
    """Gardner's two-stage estimator: remove the effects estimated on untreated rows, regress what is left on treatment.

    Estimates are those of :func:`imputation`; the standard errors (GMM, both stages; as R's did2s) measure residuals
    from the second stage's own coefficients: one coefficient for ``estimate``, one for each row of a table.

    Parameters
    ----------
    data, outcome, time, unit, entry, covariates, weights, cluster, vcov, panel, missing_entry, anticipation, level
        As in :func:`imputation`; ``"cr1"`` is the GMM variance by cluster, without a factor.

    Returns
    -------
    LinearEffects
        As :func:`imputation`.

    Raises
    ------
    DidError
        As :func:`imputation`.
    """
    cells = read(data, outcome, time, unit, entry, covariates, weights, cluster, panel, missing_entry)
    return _estimate("two_stage", linear_sample(cells, anticipation=anticipation, rule="imputable"), vcov, level)


def _estimate(method: str, sample: LinearSample, vcov: str | None, level: float) -> LinearEffects:
    choice = choose_vcov(vcov, sample, level=level, allowed=("cr1", "cr3"), small="cr3")
    return _result(method, "dynamic", sample, choice, _fit_untreated(sample))


def _fit_untreated(sample: LinearSample) -> _Untreated:
    cells = sample.cells
    covariates = covariate_regressors(sample)
    z = np.hstack([covariates.base, period_dummies(sample)])
    names = (*covariates.names, *(f"period {time:g}" for time in sample.times[1:]))
    untreated = ~sample.treated
    weight = np.where(untreated, cells.sw, 0.0)
    y_gap = cells.mean - unit_means(cells.mean, weight, sample.unit)[sample.unit]
    z_gap = z - unit_means(z, weight, sample.unit)[sample.unit]
    rows = np.flatnonzero(untreated)
    weighted = z_gap[rows] * cells.sw[rows, None]
    group = sample.cell_cluster[rows]
    gram = np.zeros((sample.n_clusters, len(names), len(names)))
    order = np.argsort(group, kind="stable")
    start = np.searchsorted(group[order], np.arange(sample.n_clusters + 1))
    for g in range(sample.n_clusters):
        own = order[start[g] : start[g + 1]]
        gram[g] = cross(weighted[own], z_gap[rows[own]])
    cell_right = weighted * y_gap[rows, None]
    count = len(cells.covariates)
    if covariates.loadings is not None:
        mean = cells.covariate_mean[rows, 1:]
        scatter = cells.sxx[rows, 1:, 1:] - cells.sw[rows, None, None] * mean[:, :, None] * mean[:, None, :]
        gram[:, :count, :count] += by_group(scatter, group, sample.n_clusters)
        cell_right[:, :count] += cells.sxy[rows, 1:] - cells.swy[rows, None] * mean
    right = by_group(cell_right, group, sample.n_clusters)
    centred = z[rows] - moments(cells.sw[rows], z[rows]) / cells.sw[rows].sum()
    total = gram.sum(axis=0)
    raw = np.maximum(moments(cells.sw[rows], centred**2), np.diag(total))
    bread = inverse(total, names, raw)
    theta = bread @ right.sum(axis=0)
    theta = theta + bread @ (right.sum(axis=0) - total @ theta)
    return _Untreated(theta, bread, gram, right, y_gap, z_gap)


def _result(
    method: str, kind: str, sample: LinearSample, choice: VcovChoice, untreated: _Untreated, first: float = 0.0
) -> LinearEffects:
    bins = make_bins(sample, kind, sample.treated, first)
    overall = make_bins(sample, "simple", sample.treated, first)
    parts = [_average(method, sample, one, choice.kind, untreated) for one in (overall, bins)]
    by_cluster = np.hstack([part[1] for part in parts])
    found = with_t(
        np.concatenate([part[0] for part in parts]),
        crossproduct(by_cluster),
        np.full(by_cluster.shape[1], sample.n_clusters - 1.0),
        by_cluster,
        choice.level,
        int(np.isnan(by_cluster).any(axis=1).sum()),
    )
    return finish(
        method,
        kind,
        sample,
        choice,
        bins.keys,
        found,
        by_kind=lambda other, start: _result(method, other, sample, choice, untreated, start),
    )


def _average(method: str, sample: LinearSample, bins: Bins, vcov: str, untreated: _Untreated) -> tuple[Floats, Floats]:
    """(B,) average gaps, and (G, B) what each cluster contributes to their error."""
    weight = sample.cells.sw
    chosen = np.flatnonzero(bins.bin >= 0)
    n_bins, n_clusters = len(bins.keys), sample.n_clusters
    code = sample.cell_cluster[chosen] * n_bins + bins.bin[chosen]

    def sums(values: Floats) -> Floats:
        total = by_group(
            values[chosen] * (weight[chosen] if values.ndim == 1 else weight[chosen, None]), code, n_clusters * n_bins
        )
        return total.reshape(n_clusters, n_bins, *values.shape[1:])

    mass, y, z = sums(np.ones(len(weight))), sums(untreated.y), sums(untreated.z)
    size = mass.sum(axis=0)
    slope = z.sum(axis=0) / size[:, None]
    tau = y.sum(axis=0) / size - slope @ untreated.theta
    if vcov == "cr3":
        shrink = np.sqrt((n_clusters - 1) / n_clusters)
        return tau, shrink * (_leave_one_out(sample, untreated, mass, y, z) - tau)
    gap = untreated.y - linear(untreated.z, untreated.theta)
    if method == "imputation":
        cell_center = make_bins(sample, "group_time", sample.treated).bin
    else:
        cell_center = bins.bin
    centred = np.zeros(len(gap))
    centred[chosen] = gap[chosen] - _means(gap, weight, cell_center, chosen)
    scores = untreated.right - untreated.gram @ untreated.theta
    return tau, sums(centred) / size - project(scores, untreated.bread @ slope.T)


def _means(gap: Floats, weight: Floats, key: np.ndarray[Any, np.dtype[np.intp]], chosen: Any) -> Floats:
    """Weighted mean gap over all chosen cells with the same key, for each chosen cell."""
    # ASSUME: effects are alike within the key: what differs within it counts as error, which is conservative.
    of = key[chosen]
    total = np.bincount(of, weight[chosen] * gap[chosen])
    mass = np.bincount(of, weight[chosen])
    return np.asarray(total[of] / mass[of])


def _leave_one_out(sample: LinearSample, untreated: _Untreated, mass: Floats, y: Floats, z: Floats) -> Floats:
    """(G, B) the averages without one cluster after the other; NaN where none of a bin is left."""
    gram = untreated.gram.sum(axis=0) - untreated.gram
    right = untreated.right.sum(axis=0) - untreated.right
    scale = np.sqrt(np.diag(untreated.gram.sum(axis=0)))
    scaled = gram / scale / scale[:, None]
    lost = np.linalg.eigvalsh(scaled)[:, 0] < 1e-9
    if lost.any():
        labels = ", ".join(str(label) for label in sample.clusters[np.flatnonzero(lost)[:5]])
        raise DidError(
            f"without cluster {labels} some period has no untreated row, so the estimate without it does not exist: "
            "pass vcov='cr1', or leave that period out"
        )
    theta = np.linalg.solve(scaled, (right / scale)[:, :, None])[:, :, 0] / scale
    size = mass.sum(axis=0) - mass
    total = y.sum(axis=0) - y - np.einsum("gbq,gq->gb", z.sum(axis=0) - z, theta)
    whole = mass.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(size > 1e-12 * whole, total / size, np.nan))
