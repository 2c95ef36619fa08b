"""Two-way fixed effects: the static regression and the event study, for comparison with the modern estimators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.did.columns import Floats
from plneval.did.errors import DidError
from plneval.did.least_squares import Regressors, covariate_regressors, fit, join
from plneval.did.linear_effects import LinearEffects, finish, whole
from plneval.did.linear_sample import LinearSample, choose_vcov, linear_sample, read


def twfe(
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
    level: float = 0.95,
    wild_weights: str = "rademacher",
    draws: int = 9999,
    seed: int = 1,
) -> LinearEffects:
    """Regress the outcome on being treated, unit effects and period effects.

    With effects that differ between groups or change over time the coefficient averages them with weights that can be
    negative (Goodman-Bacon 2021): see :func:`plneval.did.bacon`. Units treated from the first period on stay in, as
    the regression has them.

    Parameters
    ----------
    data, outcome, time, unit, entry, covariates, weights, cluster, panel, missing_entry
        As in :func:`plneval.did.cells.cells`; clusters are units without ``cluster``. Repeated cross-sections of rows
        in units (``panel=False``) have unit effects too.
    vcov
        ``"cr1"``, ``"cr2"``, ``"cr3"`` (:func:`plneval.did.inference.cluster_robust`) or ``"wild"``
        (:func:`plneval.did.wild.wild_test`; its ``se`` is CR1's). By default CR2 where either arm has fewer than 40
        clusters and CR1 otherwise; ``vcov_type`` and ``vcov_reason`` say which.
    level
        Of the confidence intervals.
    wild_weights, draws, seed
        Of the wild bootstrap.

    Returns
    -------
    LinearEffects
        ``estimate`` is the coefficient of being treated; the one row of ``table`` is the same.

    Raises
    ------
    DidError
        As :func:`plneval.did.cells.cells`; no treated unit, or a single one or a single cluster of them; collinear
        regressors; options that do not exist.
    """
    cells = read(data, outcome, time, unit, entry, covariates, weights, cluster, panel, missing_entry)
    sample = linear_sample(cells)
    choice = choose_vcov(vcov, sample, level=level, wild_weights=wild_weights, draws=draws, seed=seed)
    treated = Regressors(("treated",), sample.treated[:, None].astype(np.float64))
    found = fit(sample, join(treated, covariate_regressors(sample)), gram=choice.kind != "cr1")
    contrast = np.zeros((1, len(found.beta)))
    contrast[0, 0] = 1.0
    estimates = found.estimates(np.repeat(contrast, 2, axis=0), choice)
    return finish("twfe", "simple", sample, choice, pd.DataFrame({"term": ["treated"]}), estimates)


def event_study(
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
    reference: float | Sequence[float] | str = -1,
    min_event: float | None = None,
    max_event: float | None = None,
    level: float = 0.95,
    wild_weights: str = "rademacher",
    draws: int = 9999,
    seed: int = 1,
    late_entry: str = "never",
) -> LinearEffects:
    """Regress the outcome on indicators of time since entry, unit effects and period effects.

    With effects that differ between groups each coefficient is contaminated by other event times (Sun and Abraham
    2021): for comparison with :func:`plneval.did.sun_abraham`.

    Parameters
    ----------
    data, outcome, time, unit, entry, covariates, weights, cluster, vcov, panel, missing_entry, level, wild_weights,
    draws, seed
        As in :func:`plneval.did.twfe`. Units treated from the first period on are left out (see ``dropped``).
    reference
        Event time (or several) whose effect is 0 by definition. Without never-treated units two are needed. ``"last"``:
        for each group its last period observed before entry, which gap years put earlier than -1; event times that are
        the reference of some groups only have an effect of the others.
    min_event, max_event
        Event times beyond are pooled with these.
    late_entry
        Units that enter after the last period: ``"never"`` treated, or ``"group"``: with event times before entry.

    Returns
    -------
    LinearEffects
        ``table`` has a row for each event time, reference included; ``estimate`` is the average of the event times
        from 0 on, each counting once. ``aggregate("simple", min_event=...)`` weighs them by their treated rows.

    Raises
    ------
    DidError
        As :func:`plneval.did.twfe`; a reference that no row has; no event time after entry.
    """
    cells = read(data, outcome, time, unit, entry, covariates, weights, cluster, panel, missing_entry)
    sample = linear_sample(cells, rule="entrants", late_entry=late_entry)
    choice = choose_vcov(vcov, sample, level=level, wild_weights=wild_weights, draws=draws, seed=seed)
    event = np.clip(sample.event, min_event, max_event) if (min_event, max_event) != (None, None) else sample.event
    event = np.where(np.isfinite(sample.event), event, -np.inf)
    if isinstance(reference, str):
        keys, is_reference, column = _last_before_entry(sample, event, reference)
    else:
        keys = np.unique(event[np.isfinite(event)])
        is_reference = np.isin(keys, _references(reference, keys))
        column = np.where(np.isin(event, keys[is_reference]), -np.inf, event)
    if not np.any(keys[~is_reference] >= 0):
        raise DidError("no event time from 0 on is left: widen max_event or choose another reference")
    indicators = (column[:, None] == keys[~is_reference]).astype(np.float64)
    names = tuple(f"event time {key:g}" for key in keys[~is_reference])
    found = fit(sample, join(Regressors(names, indicators), covariate_regressors(sample)), gram=choice.kind != "cr1")
    contrasts = np.zeros((1 + len(names), len(found.beta)))
    after = np.flatnonzero(keys[~is_reference] >= 0)
    contrasts[0, after] = 1 / len(after)
    contrasts[1:, : len(names)] = np.eye(len(names))
    table = pd.DataFrame({"event_time": whole(keys)})
    estimates = found.estimates(contrasts, choice)

    def by_kind(kind: str, first: float) -> LinearEffects:
        if kind == "dynamic":
            return result
        if kind != "simple":
            raise DidError("event_study has no effects by group and time to aggregate: use extended_twfe()")
        mass = sample.cells.sw @ indicators * (keys[~is_reference] >= first)
        if not mass.any():
            raise DidError(f"no treated row has an event time of {first:g} or later")
        contrast = np.zeros((2, len(found.beta)))
        contrast[:, : len(names)] = mass / mass.sum()
        one = pd.DataFrame({"term": ["treated"]})
        return finish("event_study", "simple", sample, choice, one, found.estimates(contrast, choice), by_kind)

    result = finish("event_study", "dynamic", sample, choice, table, estimates, by_kind, list(is_reference))
    return result


def _last_before_entry(sample: LinearSample, event: Floats, reference: str) -> tuple[Floats, NDArray[np.bool_], Floats]:
    """Event times, those that are a reference throughout, and the event time of each cell (-inf for references)."""
    if reference != "last":
        raise DidError(f"reference is {reference!r}; give an event time, several, or 'last'")
    entry, time = sample.entry[sample.unit], sample.times[sample.time]
    column = event.copy()
    for group in np.unique(entry[np.isfinite(entry)]):
        before = (entry == group) & (time < group)
        column[before & (time == time[before].max())] = -np.inf
    keys = np.unique(event[np.isfinite(event)])
    return keys, ~np.isin(keys, column), column


def _references(reference: float | Sequence[float], keys: Floats) -> list[float]:
    listed = [float(one) for one in np.atleast_1d(np.asarray(reference, dtype=np.float64))]
    absent = [one for one in listed if one not in keys]
    if absent or not listed:
        raise DidError(
            f"reference: no row has event time {', '.join(f'{one:g}' for one in absent) or '(none named)'}; the "
            f"event times are {', '.join(f'{key:g}' for key in keys)}"
        )
    return listed
