"""Imputation (Borusyak, Jaravel and Spiess 2024) and two-stage difference-in-differences (Gardner 2022), from cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from plneval.did import imputed_errors
from plneval.did.columns import Floats, Integers
from plneval.did.errors import DidError
from plneval.did.inference import Covariance
from plneval.did.least_squares import (
    by_group,
    covariate_regressors,
    inverse,
    period_dummies,
    unit_means,
    with_t,
    with_tests,
)
from plneval.did.linear_effects import Bins, LinearEffects, finish, make_bins
from plneval.did.linear_sample import LinearSample, VcovChoice, choose_vcov, linear_sample, read
from plneval.did.products import cross, crossproduct, linear, moments
from plneval.did.wild import WildTest


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
    wild_weights: str = "rademacher",
    draws: int = 9999,
    seed: int = 1,
) -> LinearEffects:
    """Impute what treated rows would have been from unit and period effects of untreated rows, and average the gaps.

    Parameters
    ----------
    data, outcome, time, unit, entry, covariates, weights, cluster, panel, missing_entry, level, wild_weights, draws,
    seed
        As in :func:`plneval.did.twfe`.
    vcov
        ``"cr1"``: the paper's conservative variance by cluster (its equation 7, with effects averaged by group and
        time), without a factor, as R's didimputation; G - 1 degrees of freedom. ``"cr2"``: each cluster's contribution
        to it scaled to be unbiased under independent errors, with Satterthwaite's df; the default where either arm has
        fewer than 40 clusters. ``"cr3"``: the jackknife by cluster, (G - 1)/G times the sum of squares of the changes
        when one cluster after the other is left out; G - 1. ``"wild"``: the wild cluster bootstrap-t with the null
        imposed. See :mod:`plneval.did.imputed_errors`.
    anticipation
        Periods before entry in which effects are allowed for; their rows are imputed too, not averaged overall.

    Returns
    -------
    LinearEffects
        ``table`` by event time; ``estimate`` is the average over all treated rows from entry on.

    Raises
    ------
    DidError
        As :func:`plneval.did.twfe`. Units and periods without untreated rows are in ``dropped``.
    """
    cells = read(data, outcome, time, unit, entry, covariates, weights, cluster, panel, missing_entry)
    sample = linear_sample(cells, anticipation=anticipation, rule="imputable")
    choice = choose_vcov(vcov, sample, level=level, wild_weights=wild_weights, draws=draws, seed=seed)
    return _result("imputation", "dynamic", sample, choice, _fit_untreated(sample))


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
    wild_weights: str = "rademacher",
    draws: int = 9999,
    seed: int = 1,
) -> LinearEffects:
    """Gardner's two-stage estimator: remove the effects estimated on untreated rows, regress what is left on treatment.

    Estimates are those of :func:`imputation`; the standard errors (GMM, both stages; as R's did2s) measure residuals
    from the second stage's own coefficients: one coefficient for ``estimate``, one for each row of a table.

    Parameters
    ----------
    data, outcome, time, unit, entry, covariates, weights, cluster, vcov, panel, missing_entry, anticipation, level,
    wild_weights, draws, seed
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
    sample = linear_sample(cells, anticipation=anticipation, rule="imputable")
    choice = choose_vcov(vcov, sample, level=level, wild_weights=wild_weights, draws=draws, seed=seed)
    return _result("two_stage", "dynamic", sample, choice, _fit_untreated(sample))


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
    parts = [_average(method, sample, one, choice, untreated) for one in (overall, bins)]
    by_cluster = np.hstack([covariance.by_cluster for _, covariance, _ in parts])
    found = with_t(
        np.concatenate([tau for tau, _, _ in parts]),
        crossproduct(by_cluster),
        np.concatenate([covariance.df for _, covariance, _ in parts]),
        by_cluster,
        choice.level,
        max(covariance.saturated for _, covariance, _ in parts),
    )
    tests = [test for _, _, wild in parts for test in wild]
    return finish(
        method,
        kind,
        sample,
        choice,
        bins.keys,
        found if not tests else with_tests(found, tests),
        by_kind=lambda other, start: _result(method, other, sample, choice, untreated, start),
    )


def _average(
    method: str, sample: LinearSample, bins: Bins, choice: VcovChoice, untreated: _Untreated
) -> tuple[Floats, Covariance, list[WildTest]]:
    """(B,) average gaps, their covariance, and tests of them (of the wild bootstrap only)."""
    sums, tau = _sums(method, sample, bins, untreated)
    if choice.kind == "cr2":
        return tau, imputed_errors.cr2(sums), []
    if choice.kind == "cr3":
        shrink = np.sqrt((sample.n_clusters - 1) / sample.n_clusters)
        by_cluster = shrink * (_leave_one_out(sample, untreated, bins) - tau)
        df = np.full(len(tau), sample.n_clusters - 1.0)
        lost = int(np.isnan(by_cluster).any(axis=1).sum())
        return tau, Covariance(crossproduct(by_cluster), df, by_cluster, lost), []
    tests = []
    if choice.kind == "wild":
        tests = imputed_errors.wild(
            sums, tau, distribution=choice.wild_weights, draws=choice.draws, seed=choice.seed, level=choice.level
        )
    return tau, imputed_errors.cr1(sums), tests


def _sums(
    method: str, sample: LinearSample, bins: Bins, untreated: _Untreated
) -> tuple[imputed_errors.ImputedSums, Floats]:
    """Sums by cluster and key, and the (B,) averages.

    Imputation measures effects from their mean by group and time, two-stage from that of the whole average.
    """
    # ASSUME: effects are alike within a key: what differs within it counts as error, which is conservative.
    weight = sample.cells.sw
    chosen = np.flatnonzero(bins.bin >= 0)
    key = make_bins(sample, "group_time", sample.treated).bin if method == "imputation" else bins.bin
    n_clusters, n_keys = sample.n_clusters, int(key.max()) + 1
    code = sample.cell_cluster[chosen] * n_keys + key[chosen]
    gap = untreated.y - linear(untreated.z, untreated.theta)
    size = np.bincount(bins.bin[chosen], weight[chosen])
    share = np.zeros((len(size), n_keys))
    share[bins.bin[chosen], key[chosen]] = 1 / size[bins.bin[chosen]]
    mass = np.bincount(key[chosen], weight[chosen], n_keys)
    mean = np.bincount(key[chosen], weight[chosen] * gap[chosen], n_keys) / np.where(mass > 0, mass, 1.0)
    tau = np.bincount(bins.bin[chosen], weight[chosen] * gap[chosen]) / size

    n_cells = n_clusters * n_keys

    def summed(values: Floats) -> Floats:
        found = by_group(values * (weight[chosen] if values.ndim == 1 else weight[chosen, None]), code, n_cells)
        return found.reshape(n_clusters, n_keys, *values.shape[1:])

    weights = summed(np.ones(len(chosen)))
    return (
        imputed_errors.ImputedSums(
            observed=summed(gap[chosen] - mean[key[chosen]]),
            weight=weights,
            cov_observed=_cov_observed(sample, chosen, key[chosen], weights),
            scores=untreated.right - untreated.gram @ untreated.theta,
            gram=untreated.gram,
            bread=untreated.bread,
            z=summed(untreated.z[chosen]),
            share=share,
        ),
        tau,
    )


def _cov_observed(sample: LinearSample, chosen: Integers, key: Integers, weights: Floats) -> Floats:
    """(G, K, K): rows' own errors, and those of their units' means over untreated rows, which they share."""
    n_clusters, n_keys = weights.shape
    n_units = len(sample.entry)
    untreated = np.bincount(sample.unit, np.where(sample.treated, 0.0, sample.cells.sw), n_units)
    of_unit = np.bincount(sample.unit[chosen] * n_keys + key, sample.cells.sw[chosen], n_units * n_keys)
    of_unit = of_unit.reshape(n_units, n_keys)
    found = np.zeros((n_clusters, n_keys, n_keys))
    for k in range(n_keys):
        found[:, k] = by_group(of_unit[:, k, None] * of_unit / untreated[:, None], sample.cluster, n_clusters)
        found[:, k, k] += weights[:, k]
    return found


def _leave_one_out(sample: LinearSample, untreated: _Untreated, bins: Bins) -> Floats:
    """(G, B) the averages without one cluster after the other; NaN where none of a bin is left."""
    weight, n_bins = sample.cells.sw, len(bins.keys)
    chosen = np.flatnonzero(bins.bin >= 0)
    code = sample.cell_cluster[chosen] * n_bins + bins.bin[chosen]

    def sums(values: Floats) -> Floats:
        found = by_group(values * weight[chosen, None], code, sample.n_clusters * n_bins)
        return found.reshape(sample.n_clusters, n_bins, -1)

    mass, y = sums(np.ones((len(chosen), 1)))[:, :, 0], sums(untreated.y[chosen, None])[:, :, 0]
    z = sums(untreated.z[chosen])
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
