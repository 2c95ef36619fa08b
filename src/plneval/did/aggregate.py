"""Averages of group-time effects, with the error of estimating the weights (Callaway and Sant'Anna 2021, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.did.columns import Floats
from plneval.did.errors import DidError
from plneval.did.products import crossproduct, linear

if TYPE_CHECKING:
    from plneval.did.group_time_effects import GroupTimeEffects
    from plneval.did.intervals import Inference, Intervals

KINDS = ("simple", "dynamic", "group", "calendar")
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Mean:
    """An average of M group-times, whose weights may be estimated. H groups.

    Attributes
    ----------
    shares
        (M,) weight of each group-time.
    surplus
        (H, M): a unit of mass in group h adds ``surplus[h] @ att`` to the error through the weights; 0 where they are
        not estimated.
    surplus_by_time
        (M, M): the same of mass in group-time m, where the effects have ``masses``; ``None`` otherwise.
    by_cluster
        (G,) contributions of the clusters to its error.
    """

    shares: Floats
    surplus: Floats
    by_cluster: Floats
    surplus_by_time: Floats | None = None

    def value(self, att: Floats) -> float:
        """The average of these (M,) effects."""
        return float(np.sum(self.shares * att))


@dataclass(frozen=True)
class Aggregate:
    """Aggregated effects: one row for each event time, group or period, and the overall average.

    Attributes
    ----------
    kind
        ``"simple"``, ``"dynamic"``, ``"group"`` or ``"calendar"``.
    estimate, se
        The overall average: of all group-times after entry weighted by group size (simple), of the event times from 0
        on, each counting once (dynamic), of the groups weighted by size (group), of the periods, each counting once
        (calendar). NaN where the window leaves none.
    keys
        (Q,) what the rows are: event times, groups or periods; empty for simple.
    estimates
        (Q,) effects.
    by_cluster, overall_by_cluster
        (G, Q) and (G,): what each cluster contributes to the error; variances are sums of squares.
    means, overall_mean
        How each row and the overall average are made of the group-times.
    effects
        The group-time effects aggregated (with ``base_period``, ``dropped`` and so on).
    """

    kind: str
    estimate: float
    se: float
    keys: Floats
    estimates: Floats
    by_cluster: Floats
    overall_by_cluster: Floats
    effects: GroupTimeEffects
    means: tuple[Mean, ...]
    overall_mean: Mean

    @property
    def key_name(self) -> str:
        """Name of the table's first column."""
        return {"dynamic": "event_time", "group": "group", "calendar": "time"}.get(self.kind, "kind")

    @property
    def base_period(self) -> str:
        """``"varying"`` or ``"universal"``: the second is needed by :func:`plneval.did.honest`."""
        return self.effects.base_period

    @property
    def vcov(self) -> Floats:
        """(Q, Q) covariance of the rows of ``table`` ((1, 1) for simple); zeros for a reference row."""
        columns = self.by_cluster if self.kind != "simple" else self.overall_by_cluster[:, None]
        return crossproduct(columns)

    @property
    def influence(self) -> pd.DataFrame:
        """Influence functions by cluster, of the overall average and of each row.

        Scaled so that ``se = sqrt(mean(influence**2) / n_clusters)``.
        """
        effects = self.effects
        columns = ["overall", *self._labels()] if self.kind != "simple" else ["overall"]
        values = np.column_stack([self.overall_by_cluster, self.by_cluster])[:, : len(columns)]
        clusters = effects.design.cells.clusters[effects.pieces.clusters]
        return pd.DataFrame(values * effects.n_clusters, index=clusters, columns=columns)

    @property
    def table(self) -> pd.DataFrame:
        """One row for each event time, group or period: key, estimate, se, ci_low, ci_high.

        ``se`` is from influence functions (as R's did); intervals are pointwise, by the method of :attr:`inference`.
        """
        variance = np.diag(self.vcov)
        table = self.intervals().table
        table["se"] = np.where(variance > 0, np.sqrt(variance), np.nan)
        return table[[self.key_name, "estimate", "se", "ci_low", "ci_high"]]

    @property
    def inference(self) -> Inference:
        """How the intervals are made (by rule, if not asked for), and why."""
        return self.effects.inference

    def intervals(self, method: str | None = None) -> Intervals:
        """Standard errors, df, intervals and p, of the rows and overall, with the covariance of the rows.

        ``"influence"`` (as R's did), ``"small_sample"`` (for few clusters), or by rule.
        """
        from plneval.did.intervals import make_intervals

        rows = list(self.means) if self.kind != "simple" else [self.overall_mean]
        return make_intervals(self.effects, {self.key_name: self._labels()}, rows, self.overall_mean, method)

    def small_sample(self) -> Intervals:
        """The same by the method for few clusters: :func:`plneval.did.few_clusters.adjusted_errors`."""
        return self.intervals("small_sample")

    def bands(self, draws: int = 999, seed: int = 1, level: float | None = None) -> pd.DataFrame:
        """Uniform confidence band over the rows of ``table``; see :func:`plneval.did.bands.uniform_band`."""
        from plneval.did.bands import uniform_band

        return uniform_band(self, draws=draws, seed=seed, level=self.effects.level if level is None else level)

    def _labels(self) -> list[object]:
        if self.kind == "simple":
            return ["simple"]
        return [int(key) if float(key).is_integer() else float(key) for key in self.keys]


def aggregate(
    effects: GroupTimeEffects,
    kind: str = "simple",
    *,
    min_event: float | None = None,
    max_event: float | None = None,
    balance: float | None = None,
) -> Aggregate:
    """Aggregate group-time effects as R's did 2.5.1 does.

    Parameters
    ----------
    kind
        ``"simple"``, ``"dynamic"`` (by event time), ``"group"`` or ``"calendar"`` (by period).
    min_event, max_event
        Event times (time minus entry) used; for simple and group within those from entry on, so that
        ``aggregate("simple", min_event=2)`` is the average from the third period of treatment on, weighted by group
        size. Not for calendar.
    balance
        For dynamic: only groups that are estimated at every event time from 0 to this one, and event times up to it,
        so that the same groups are behind every effect from entry on.

    Raises
    ------
    DidError
        A kind that does not exist, options that do not go with it, or a window without effects.
    """
    if kind not in KINDS:
        raise DidError(f"kind is {kind!r}; it can be {', '.join(map(repr, KINDS))}")
    if balance is not None and kind != "dynamic":
        raise DidError(f"balance belongs to the dynamic aggregate, not to {kind!r}")
    if kind == "calendar" and (min_event is not None or max_event is not None):
        raise DidError("min_event and max_event do not go with the calendar aggregate")
    event = effects.times - effects.groups
    inside = np.ones(len(event), dtype=bool)
    if min_event is not None:
        inside &= event >= min_event
    if max_event is not None:
        inside &= event <= max_event
    if kind != "dynamic" and not np.any(inside & (event >= 0)):
        raise DidError("no effect after entry lies in the window of event times: widen min_event and max_event")
    if kind == "simple":
        return _simple(effects, inside & (event >= 0))
    if kind == "dynamic":
        return _dynamic(effects, event, inside, balance)
    return _by_group(effects, inside & (event >= 0)) if kind == "group" else _by_period(effects, event >= 0)


def weighted_mean(effects: GroupTimeEffects, which: Mask) -> Mean:
    """Average of the chosen effects weighted by group size.

    A group's size is estimated too. With a the mass of a piece and A_g of its group, θ = Σ A_g(k) att_k / Σ A_g(k),
    a piece of group g adds a (Σ over its group's chosen k of att_k − θ) / Σ A_g(k).
    """
    chosen = np.flatnonzero(which)
    if effects.masses is not None:
        return _weighted_by_mass(effects, chosen, effects.masses[:, chosen].sum(axis=0))
    pieces = effects.pieces
    size = np.bincount(pieces.group, pieces.mass, len(effects.design.groups))
    of_group = np.array([effects.estimated[k].group for k in chosen])
    total = size[of_group].sum()
    shares = np.zeros(len(which))
    shares[chosen] = size[of_group] / total
    surplus = np.zeros((len(size), len(which)))
    np.add.at(surplus, (of_group, chosen), 1 / total)
    surplus -= np.bincount(of_group, minlength=len(size))[:, None] * shares / total
    return _mean(effects, shares, surplus)


def _weighted_by_mass(effects: GroupTimeEffects, chosen: NDArray[np.intp], mass: Floats) -> Mean:
    """The same where the units differ between the times of a group.

    With m_pk the masses, θ = Σ m_pk att_k / Σ m_pk; a piece adds Σ_k m_pk (att_k − θ) / Σ m.
    """
    size, total = len(effects.att), mass.sum()
    shares = np.zeros(size)
    shares[chosen] = mass / total
    by_time = np.zeros((size, size))
    by_time[chosen] = (np.eye(size)[chosen] - shares) / total
    return _mean(effects, shares, np.zeros((len(effects.design.groups), size)), by_time)


def _plain(effects: GroupTimeEffects, which: Mask) -> Mean:
    """Average of the chosen effects, each counting once: no weights are estimated."""
    return _mean(effects, which / which.sum(), np.zeros((len(effects.design.groups), len(which))))


def _mean(effects: GroupTimeEffects, shares: Floats, surplus: Floats, by_time: Floats | None = None) -> Mean:
    pieces = effects.pieces
    used = np.flatnonzero(shares)
    by_piece = linear(effects.contributions[:, used], shares[used])
    if surplus.any():
        by_piece = by_piece + pieces.mass * linear(surplus, effects.att)[pieces.group]
    if by_time is not None and effects.masses is not None:
        by_piece = by_piece + linear(effects.masses, linear(by_time, effects.att))
    return Mean(shares, surplus, effects.by_cluster(by_piece), by_time)


def _average(means: list[Mean], weights: Floats) -> Mean:
    """The average of averages with given weights."""
    pairs = list(zip(weights, means, strict=True))
    by_time = [weight * mean.surplus_by_time for weight, mean in pairs if mean.surplus_by_time is not None]
    return Mean(
        shares=linear(np.column_stack([mean.shares for mean in means]), weights),
        surplus=np.asarray(sum(weight * mean.surplus for weight, mean in pairs)),
        by_cluster=linear(np.column_stack([mean.by_cluster for mean in means]), weights),
        surplus_by_time=np.asarray(sum(by_time)) if len(by_time) == len(means) else None,
    )


def _finish(effects: GroupTimeEffects, kind: str, keys: Floats, rows: list[Mean], overall: Mean) -> Aggregate:
    by_cluster = np.column_stack([row.by_cluster for row in rows]) if rows else np.zeros((effects.n_clusters, 0))
    se = float(np.sqrt(np.sum(overall.by_cluster**2)))
    return Aggregate(
        kind=kind,
        estimate=overall.value(effects.att),
        se=se if se > 0 else np.nan,
        keys=keys,
        estimates=np.array([row.value(effects.att) for row in rows]),
        by_cluster=by_cluster,
        overall_by_cluster=overall.by_cluster,
        effects=effects,
        means=tuple(rows),
        overall_mean=overall,
    )


def _simple(effects: GroupTimeEffects, which: Mask) -> Aggregate:
    return _finish(effects, "simple", np.array([]), [], weighted_mean(effects, which))


def _dynamic(effects: GroupTimeEffects, event: Floats, inside: Mask, balance: float | None) -> Aggregate:
    if balance is not None:
        inside = inside & _balanced(effects, event, balance)
    keys = np.unique(event[inside])
    if not len(keys):
        raise DidError("no event time lies in the window: widen min_event and max_event, or lower balance")
    rows = [weighted_mean(effects, inside & (event == key)) for key in keys]
    after = [row for row, key in zip(rows, keys, strict=True) if key >= 0]
    if after:
        overall = _average(after, np.full(len(after), 1 / len(after)))
    else:
        missing = np.full(len(event), np.nan)
        overall = Mean(missing, np.zeros((len(effects.design.groups), len(event))), np.full(effects.n_clusters, np.nan))
    return _finish(effects, "dynamic", keys, rows, overall)


def _balanced(effects: GroupTimeEffects, event: Floats, balance: float) -> Mask:
    """Group-times of groups estimated at every event time from 0 to ``balance``, in a window all of them could have."""
    design = effects.design
    planned = np.array([(design.groups[c.group], design.times[c.time]) for c in design.planned])
    last = planned[:, 1].max()
    eligible = last - planned[:, 0] >= balance
    ahead = planned[:, 1] - planned[:, 0]
    required = np.unique(ahead[eligible & (ahead >= 0) & (ahead <= balance)])
    groups = effects.groups
    complete = [
        group
        for group in np.unique(planned[eligible, 0])
        if len(required) and np.isin(required, event[groups == group]).all()
    ]
    if not complete:
        raise DidError(f"balance={balance:g}: no group is estimated at every event time from 0 to it: lower it")
    return np.asarray(np.isin(groups, complete) & (event <= balance) & (event >= balance - last + design.times[0]))


def _by_group(effects: GroupTimeEffects, which: Mask) -> Aggregate:
    groups = effects.groups
    keys = np.unique(groups[which])
    rows = [_plain(effects, which & (groups == key)) for key in keys]
    pieces = effects.pieces
    size = np.bincount(pieces.group, pieces.mass, len(effects.design.groups))
    position = np.searchsorted(effects.design.groups, keys)
    total = size[position].sum()
    fixed = _average(rows, size[position] / total)
    surplus = np.zeros_like(fixed.surplus)
    surplus[position] = (np.stack([row.shares for row in rows]) - fixed.shares) / total
    return _finish(effects, "group", keys, rows, _mean(effects, fixed.shares, surplus, fixed.surplus_by_time))


def _by_period(effects: GroupTimeEffects, which: Mask) -> Aggregate:
    times = effects.times
    keys = np.unique(times[which])
    rows = [weighted_mean(effects, which & (times == key)) for key in keys]
    return _finish(effects, "calendar", keys, rows, _average(rows, np.full(len(rows), 1 / len(rows))))
