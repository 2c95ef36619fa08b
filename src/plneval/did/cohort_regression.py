"""Regressions with one coefficient for each group and time: Sun and Abraham (2021), and Wooldridge (2021)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from plneval.did.columns import Floats, Integers
from plneval.did.errors import DidError
from plneval.did.least_squares import Fit, Regressors, covariate_regressors, fit, join, unit_means
from plneval.did.linear_effects import LinearEffects, finish, make_bins
from plneval.did.linear_sample import LinearSample, Mask, VcovChoice, choose_vcov, linear_sample, read
from plneval.did.products import moments

ETWFE_COMPARISONS = ("not_yet", "never")


@dataclass(frozen=True)
class _GroupTimes:
    """Indicators of group and time. C cells, M indicators.

    Attributes
    ----------
    column
        (C,) the indicator of each cell; -1 for reference, comparison and untreated cells.
    groups, times
        (M,).
    listed
        (C,) cells that belong in tables: with an indicator, or a reference.
    """

    column: Integers
    groups: Floats
    times: Floats
    listed: Mask

    @property
    def names(self) -> tuple[str, ...]:
        """(M,) for messages."""
        return tuple(f"group {g:g} at {t:g}" for g, t in zip(self.groups, self.times, strict=True))

    @property
    def indicators(self) -> Floats:
        """(C, M)."""
        return np.asarray((self.column[:, None] == np.arange(len(self.groups))).astype(np.float64))


def sun_abraham(
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
    """Interaction-weighted event study of Sun and Abraham (2021).

    The outcome is regressed on indicators of each group and time (but each group's last period before entry), unit and
    period effects; effects at one event time are averaged over groups by their share of the (weighted) rows there.
    The comparison is the never treated, or without them the last group to enter, in the periods before its entry.

    Parameters
    ----------
    data, outcome, time, unit, entry, covariates, weights, cluster, vcov, panel, missing_entry, level, wild_weights,
    draws, seed
        As in :func:`plneval.did.twfe`.
    anticipation
        Periods before entry in which effects are allowed for: the reference lies before them.

    Returns
    -------
    LinearEffects
        ``table`` by event time; ``estimate`` is the average over all treated rows from entry on. Standard errors take
        the shares as given, as fixest does.

    Raises
    ------
    DidError
        As :func:`plneval.did.twfe`.
    """
    cells = read(data, outcome, time, unit, entry, covariates, weights, cluster, panel, missing_entry)
    sample = linear_sample(cells, anticipation=anticipation, rule="comparison")
    choice = choose_vcov(vcov, sample, level=level, wild_weights=wild_weights, draws=draws, seed=seed)
    group_times = _group_times(sample, leads=True)
    indicators = Regressors(group_times.names, group_times.indicators)
    found = fit(sample, join(indicators, covariate_regressors(sample)), gram=choice.kind != "cr1")
    return _result("sun_abraham", "dynamic", sample, choice, group_times, found, None)


def extended_twfe(
    data: Any,
    outcome: str | None = None,
    time: str | None = None,
    unit: str | None = None,
    entry: str | None = None,
    covariates: Sequence[str] | None = None,
    comparison: str = "not_yet",
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
    """Extended two-way fixed effects of Wooldridge (2021): one effect for each group and time, by least squares.

    Covariates are interacted with period, group, and group × treated time, there as deviations from their group's
    mean; effects are those at the mean covariates of the treated rows.

    Parameters
    ----------
    data, outcome, time, unit, entry, covariates, weights, cluster, vcov, panel, missing_entry, level, wild_weights,
    draws, seed
        As in :func:`plneval.did.twfe`. Covariates may be constant within units.
    comparison
        ``"not_yet"``: all rows before entry serve as comparison (no effects before entry are estimated);
        ``"never"``: only the never treated, with indicators before entry too (as R's etwfe has it).
    anticipation
        Periods before entry in which effects are allowed for.

    Returns
    -------
    LinearEffects
        ``table`` by event time; ``estimate`` is the average over all treated rows from entry on.

    Raises
    ------
    DidError
        As :func:`plneval.did.twfe`; ``comparison="never"`` without never-treated units.
    """
    if comparison not in ETWFE_COMPARISONS:
        raise DidError(f"comparison is {comparison!r}; it can be 'not_yet' or 'never'")
    cells = read(data, outcome, time, unit, entry, covariates, weights, cluster, panel, missing_entry)
    if comparison == "never" and np.all(cells.entry - anticipation <= cells.times[cells.time].max()):
        raise DidError(
            f"{cells.names.entry}: no unit is never treated, so comparison='never' has none to compare with: pass "
            "comparison='not_yet'"
        )
    sample = linear_sample(cells, anticipation=anticipation, rule="comparison")
    choice = choose_vcov(vcov, sample, level=level, wild_weights=wild_weights, draws=draws, seed=seed)
    group_times = _group_times(sample, leads=comparison == "never")
    regressors = Regressors(group_times.names, group_times.indicators)
    deviation = None
    if cells.covariates:
        deviation = _deviation(sample)
        regressors = join(regressors, _interactions(sample, group_times, deviation))
    found = fit(sample, regressors, gram=choice.kind != "cr1")
    return _result("extended_twfe", "dynamic", sample, choice, group_times, found, deviation)


def _group_times(sample: LinearSample, *, leads: bool) -> _GroupTimes:
    """Indicators of the treated groups' cells: all but their reference (``leads``), or the treated ones only."""
    entry = sample.entry[sample.unit]
    time = sample.times[sample.time]
    ever = np.isfinite(entry)
    wanted = ever & sample.treated
    if leads:
        reference = np.zeros(len(entry), dtype=bool)
        for group in np.unique(entry[ever]):
            before = (entry == group) & ~sample.treated
            reference |= before & (time == time[before].max())
        wanted = ever & ~reference
    pairs, column = np.unique(np.column_stack([entry[wanted], time[wanted]]), axis=0, return_inverse=True)
    columns = np.full(len(entry), -1, dtype=np.intp)
    columns[wanted] = column.reshape(-1)
    return _GroupTimes(columns, pairs[:, 0], pairs[:, 1], ever if leads else wanted)


def _deviation(sample: LinearSample) -> Floats:
    """(C, K) mean covariates of each cell less the mean of its group."""
    cells = sample.cells
    _, group = np.unique(sample.entry, return_inverse=True)
    x = cells.covariate_mean[:, 1:]
    of_cell = group[sample.unit]
    order = np.argsort(of_cell, kind="stable")
    means = unit_means(x[order], cells.sw[order], of_cell[order])
    return np.asarray(x - means[of_cell])


def _interactions(sample: LinearSample, group_times: _GroupTimes, deviation: Floats) -> Regressors:
    """Covariates by group × time (deviations), by period, and where they vary within units by themselves and group."""
    cells = sample.cells
    x = cells.covariate_mean[:, 1:]
    size, count = x.shape
    inside = x - unit_means(x, cells.sw, sample.unit)[sample.unit]
    overall = moments(cells.sw, (x - moments(cells.sw, x) / cells.sw.sum()) ** 2)
    varies = (moments(cells.sw, inside**2) > 1e-12 * overall) | (not cells.constant_covariates)
    entry = sample.entry[sample.unit]
    indicators = group_times.indicators
    periods = [(f"period {t:g}", (sample.time == i + 1).astype(float)) for i, t in enumerate(sample.times[1:])]
    treated_groups = np.unique(sample.entry[np.isfinite(sample.entry)])
    groups = [(f"group {g:g}", (entry == g).astype(float)) for g in treated_groups]
    if np.isfinite(sample.entry).all():
        groups = groups[:-1]
    names: list[str] = []
    base: list[Floats] = []
    moving: list[tuple[int, Floats]] = []
    for k, covariate in enumerate(cells.covariates):
        by = [(name, indicators[:, m], deviation[:, k]) for m, name in enumerate(group_times.names)]
        by += [(name, indicator, x[:, k]) for name, indicator in periods]
        if varies[k]:
            by += [(name, indicator, x[:, k]) for name, indicator in [("all", np.ones(size)), *groups]]
        for name, indicator, values in by:
            names.append(f"{covariate} × {name}")
            base.append(indicator * values)
            moving.append((k, indicator))
    loadings = None
    if not cells.constant_covariates:
        loadings = np.zeros((size, len(names), count))
        for j, (k, indicator) in enumerate(moving):
            loadings[:, j, k] = indicator
    return Regressors(tuple(names), np.column_stack(base), loadings)


def _result(
    method: str,
    kind: str,
    sample: LinearSample,
    choice: VcovChoice,
    group_times: _GroupTimes,
    found: Fit,
    deviation: Floats | None,
    first: float = 0.0,
) -> LinearEffects:
    """Average the coefficients by key, over the rows behind them."""
    bins = make_bins(sample, kind, group_times.listed, first)
    overall = make_bins(sample, "simple", group_times.listed, first)
    contrasts = np.vstack(
        [_contrasts(sample, group_times, one.bin, len(one.keys), found, deviation) for one in (overall, bins)]
    )
    reference = ~np.any(contrasts[1:] != 0, axis=1)
    used = np.r_[True, ~reference]
    return finish(
        method,
        kind,
        sample,
        choice,
        bins.keys,
        found.estimates(contrasts[used], choice),
        by_kind=lambda other, start: _result(method, other, sample, choice, group_times, found, deviation, start),
        reference=list(reference),
    )


def _contrasts(
    sample: LinearSample,
    group_times: _GroupTimes,
    bin_of_cell: Integers,
    n_bins: int,
    found: Fit,
    deviation: Floats | None,
) -> Floats:
    """(n_bins, q) averages of the effects of the cells in each bin; zeros for bins of reference cells only."""
    weight = sample.cells.sw
    contrasts = np.zeros((n_bins, len(found.beta)))
    used = np.flatnonzero((bin_of_cell >= 0) & (group_times.column >= 0))
    np.add.at(contrasts, (bin_of_cell[used], group_times.column[used]), weight[used])
    total = contrasts.sum(axis=1, keepdims=True)
    if deviation is not None:
        position = {name: j for j, name in enumerate(found.regressors.names)}
        for k, covariate in enumerate(sample.cells.covariates):
            columns = np.array([position[f"{covariate} × {name}"] for name in group_times.names])
            values = weight[used] * deviation[used, k]
            np.add.at(contrasts, (bin_of_cell[used], columns[group_times.column[used]]), values)
    return np.asarray(contrasts / np.where(total > 0, total, 1.0))
