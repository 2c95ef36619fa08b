"""The result of the linear estimators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from plneval.did.cells import dropped_table
from plneval.did.columns import Floats
from plneval.did.errors import DidError
from plneval.did.least_squares import Estimates
from plneval.did.linear_sample import LinearSample, VcovChoice

KINDS = ("simple", "dynamic", "group", "calendar", "group_time")
KEYS = {"dynamic": ["event_time"], "group": ["group"], "calendar": ["time"], "simple": ["term"]}
KEYS["group_time"] = ["group", "time", "event_time"]


@dataclass(frozen=True)
class LinearEffects:
    """Effects from a linear estimator. Q rows of the table, G clusters.

    Attributes
    ----------
    method
        Name of the estimator.
    kind
        What a row of the table is: ``"dynamic"`` (an event time), ``"group"``, ``"calendar"``, ``"group_time"`` or
        ``"simple"`` (one number).
    table
        The key(s), then estimate, se, df, ci_low, ci_high, p. Reference rows have estimate 0 and no se.
    estimate, se, df, ci_low, ci_high, p
        The overall effect: see the estimator for what it averages.
    vcov
        (Q, Q) covariance of the rows of ``table``; zeros for reference rows.
    vcov_type, vcov_reason
        Which standard errors, and whether they were asked for or chosen by rule.
    by_cluster
        (G, 1 + Q) what each cluster contributes to the error of the overall effect and of each row.
    clusters
        Labels of the clusters.
    n_rows, n_units, n_clusters, n_treated_clusters, n_comparison_clusters
        What was used; rows are rows of the data.
    base_period
        ``"universal"``: every effect is relative to the same reference.
    dropped
        What was left out and why, and notes on standard errors: see :func:`plneval.did.cells.dropped_table`.
    """

    method: str
    kind: str
    table: pd.DataFrame
    estimate: float
    se: float
    df: float
    ci_low: float
    ci_high: float
    p: float
    vcov: Floats
    vcov_type: str
    vcov_reason: str
    by_cluster: Floats
    clusters: pd.Index
    n_rows: int
    n_units: int
    n_clusters: int
    n_treated_clusters: int
    n_comparison_clusters: int
    level: float
    dropped: pd.DataFrame
    base_period: str = "universal"
    _by_kind: Callable[[str, float], LinearEffects] | None = field(default=None, repr=False, compare=False)

    def aggregate(self, kind: str = "simple", min_event: float | None = None) -> LinearEffects:
        """The same fit by another key: ``"simple"``, ``"dynamic"``, ``"group"``, ``"calendar"``, ``"group_time"``.

        Each row averages the effects on the treated rows with that key, every row of the data with its weight; the
        overall effect stays the same. With ``min_event`` the simple average, and the overall effect with it, is that of
        the treated rows from this event time on: 2 for the third period of treatment.

        Raises
        ------
        DidError
            A kind that does not exist, ``min_event`` with another than simple, below 0 or later than all rows, or an
            estimator without effects by group and time.
        """
        if kind not in KINDS:
            raise DidError(f"kind is {kind!r}; it can be {', '.join(map(repr, KINDS))}")
        if self._by_kind is None:
            raise DidError(f"{self.method} has no effects by group and time to aggregate: use extended_twfe()")
        if min_event is not None and (kind != "simple" or not min_event >= 0):
            raise DidError(f"min_event is {min_event!r}: it belongs to the simple average and is 0 or later")
        return self._by_kind(kind, 0.0 if min_event is None else float(min_event))

    @property
    def influence(self) -> pd.DataFrame:
        """By cluster, of the overall effect and of each row: ``se = sqrt(mean(influence**2) / n_clusters)``."""
        keys = self.table.loc[:, :"estimate"].iloc[:, :-1]
        rows = [key if len(key) > 1 else key[0] for key in keys.itertuples(index=False, name=None)]
        columns = pd.Index(["overall", *rows], dtype=object, tupleize_cols=False)
        return pd.DataFrame(self.by_cluster * self.n_clusters, index=self.clusters, columns=columns)

    @property
    def effects(self) -> pd.DataFrame:
        """Effects by group and time: group, time, event_time, estimate, se, df, ci_low, ci_high, p."""
        return self.aggregate("group_time").table


def whole(values: Floats) -> Any:
    """Integers where all values are whole."""
    rounded = np.round(values)
    if not np.isfinite(values).all():
        return values
    return rounded.astype(np.int64) if np.array_equal(rounded, values) else values


def finish(
    method: str,
    kind: str,
    sample: LinearSample,
    choice: VcovChoice,
    keys: pd.DataFrame,
    found: Estimates,
    by_kind: Callable[[str, float], LinearEffects] | None = None,
    reference: Sequence[bool] | None = None,
) -> LinearEffects:
    """Put a result together. ``found`` holds the overall effect, then the rows of ``keys``.

    ``reference`` says which rows of ``keys`` are references, set to 0 by definition; ``found`` has no entry for them.
    """
    is_reference = np.zeros(len(keys), dtype=bool) if reference is None else np.asarray(reference)
    position = np.flatnonzero(~is_reference)
    size = len(keys)
    columns = {name: keys[name].to_numpy() for name in keys}
    for name in ("estimate", "se", "df", "ci_low", "ci_high", "p"):
        full = np.full(size, 0.0 if name == "estimate" else np.nan)
        full[position] = getattr(found, name)[1:]
        columns[name] = full
    vcov = np.zeros((size, size))
    vcov[np.ix_(position, position)] = found.matrix[1:, 1:]
    by_cluster = np.zeros((sample.n_clusters, 1 + size))
    by_cluster[:, np.r_[0, 1 + position]] = found.by_cluster
    dropped = sample.dropped
    if found.saturated:
        reason = "clusters without which a coefficient cannot be estimated: left out of its adjusted standard error"
        dropped = pd.concat([dropped, dropped_table([("standard errors", reason, found.saturated, ())])])
        dropped = dropped.reset_index(drop=True)
    treated, comparison = sample.arms()
    return LinearEffects(
        method=method,
        kind=kind,
        table=pd.DataFrame(columns),
        estimate=float(found.estimate[0]),
        se=float(found.se[0]),
        df=float(found.df[0]),
        ci_low=float(found.ci_low[0]),
        ci_high=float(found.ci_high[0]),
        p=float(found.p[0]),
        vcov=vcov,
        vcov_type=choice.kind,
        vcov_reason=choice.reason,
        by_cluster=by_cluster,
        clusters=sample.clusters,
        n_rows=sample.cells.n_rows,
        n_units=len(sample.entry),
        n_clusters=sample.n_clusters,
        n_treated_clusters=treated,
        n_comparison_clusters=comparison,
        level=choice.level,
        dropped=dropped,
        _by_kind=by_kind,
    )


@dataclass(frozen=True)
class Bins:
    """Treated cells gathered by key. C cells, B bins.

    Attributes
    ----------
    keys
        One row a bin.
    bin
        (C,) the bin of each cell, -1 where it is in none.
    after
        (B,) whether the bin lies at or after entry.
    """

    keys: pd.DataFrame
    bin: np.ndarray[Any, np.dtype[np.intp]]
    after: np.ndarray[Any, np.dtype[np.bool_]]


def make_bins(sample: LinearSample, kind: str, which: np.ndarray[Any, np.dtype[np.bool_]], first: float = 0.0) -> Bins:
    """Gather the cells where ``which`` is true by key; kinds other than dynamic and group_time from ``first`` on only.

    Raises
    ------
    DidError
        If none is left.
    """
    event = sample.event
    group, time = sample.entry[sample.unit], sample.times[sample.time]
    if kind not in ("dynamic", "group_time"):
        which = which & (event >= first)
    chosen = np.flatnonzero(which)
    if not len(chosen):
        raise DidError(f"no treated row has an event time of {first:g} or later")
    parts = {"dynamic": [event], "group": [group], "calendar": [time], "group_time": [group, time]}
    if kind == "simple":
        keys = pd.DataFrame({"term": ["treated"]})
        code = np.zeros(len(chosen), dtype=np.intp)
        after = np.array([True])
    else:
        values = np.column_stack([part[chosen] for part in parts[kind]])
        distinct, code = np.unique(values, axis=0, return_inverse=True)
        code = code.reshape(-1)
        named = {name: whole(distinct[:, i]) for i, name in enumerate(KEYS[kind][: distinct.shape[1]])}
        if kind == "group_time":
            named["event_time"] = whole(distinct[:, 1] - distinct[:, 0])
        keys = pd.DataFrame(named)
        after = keys["event_time"].to_numpy() >= 0 if "event_time" in keys else np.ones(len(keys), dtype=bool)
    bins = np.full(len(sample.unit), -1, dtype=np.intp)
    bins[chosen] = code
    return Bins(keys, bins, np.asarray(after, dtype=bool))
