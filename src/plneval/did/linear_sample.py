"""The part of the cells a linear estimator uses, renumbered, with its arms and what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.did.cells import Cells, as_cells, dropped_table
from plneval.did.columns import Floats, Integers
from plneval.did.design import LATE_ENTRY
from plneval.did.errors import DidError
from plneval.did.inference import VCOVS

Mask = NDArray[np.bool_]
Entry = tuple[str, str, int, Sequence[Any]]
SMALL_ARM = 40
REFUSE_WILD = 6


@dataclass(frozen=True)
class LinearSample:
    """Cells in use. C cells, U units, T periods, G clusters, all of which occur.

    Attributes
    ----------
    cells
        The cells, with the codes of the collapse; ``unit``, ``time`` and ``cluster`` here are renumbered.
    unit, time
        (C,) positions in the units and in ``times``.
    times
        (T,) periods.
    entry
        (U,) first treated period; ``inf`` for units not treated (and not anticipating) by the last period.
    cluster
        (U,) positions in ``clusters``.
    clusters
        Labels of the clusters.
    anticipation
        Periods before entry that count as treated.
    dropped
        What was left out, and notes on standard errors.
    """

    cells: Cells
    unit: Integers
    time: Integers
    times: Floats
    entry: Floats
    cluster: Integers
    clusters: pd.Index
    anticipation: float
    dropped: pd.DataFrame

    @property
    def event(self) -> Floats:
        """(C,) time since entry; ``-inf`` for never."""
        return np.asarray(self.times[self.time] - self.entry[self.unit])

    @property
    def treated(self) -> Mask:
        """(C,) whether the cell may hold an effect: from ``anticipation`` periods before entry on."""
        return np.asarray(self.event >= -self.anticipation)

    @property
    def n_clusters(self) -> int:
        """Clusters."""
        return len(self.clusters)

    @property
    def cell_cluster(self) -> Integers:
        """(C,) the cluster of each cell."""
        return self.cluster[self.unit]

    def arms(self) -> tuple[int, int]:
        """Clusters with a treated unit, and clusters with a never-treated one."""
        # ASSUME: without never-treated units every cluster serves as comparison before its entry.
        treated = np.isfinite(self.entry)
        comparison = ~treated if (~treated).any() else treated
        return len(np.unique(self.cluster[treated])), len(np.unique(self.cluster[comparison]))


def read(
    data: Any,
    outcome: str | None,
    time: str | None,
    unit: str | None,
    entry: str | None,
    covariates: Sequence[str] | None,
    weights: str | None,
    cluster: str | None,
    panel: bool | None,
    missing_entry: str,
) -> Cells:
    """Cells of the data, those of subgroups pooled; see :func:`plneval.did.cells.as_cells`."""
    return as_cells(
        data, outcome, time, unit, entry, covariates, weights, cluster, panel=panel, missing_entry=missing_entry
    )


def linear_sample(
    cells: Cells, *, anticipation: float = 0, rule: str = "all", late_entry: str = "never"
) -> LinearSample:
    """Choose the cells a linear estimator can use.

    Parameters
    ----------
    anticipation
        Periods before entry in which effects are allowed for.
    rule
        ``"all"``: everything. ``"entrants"``: without units treated from the first period on. ``"comparison"``: also
        without periods in which every unit is treated. ``"imputable"``: only units and periods with untreated cells,
        as long as there are such.
    late_entry
        Units that enter after the last period: ``"never"`` treated, or ``"group"``: groups of their own.

    Raises
    ------
    DidError
        No treated unit, a single one or a single cluster of them, fewer than two periods, or nothing left.
    """
    if isinstance(anticipation, bool) or not np.isfinite(anticipation) or anticipation < 0:
        raise DidError(f"anticipation is {anticipation!r}; give a number of periods, 0 or more")
    if late_entry not in LATE_ENTRY:
        raise DidError(f"late_entry is {late_entry!r}; it can be {' or '.join(map(repr, LATE_ENTRY))}")
    late = np.inf if late_entry == "never" else cells.entry
    seen_last = float(cells.times[cells.time].max())
    entry = np.where(cells.entry - anticipation > seen_last, late, cells.entry)
    keep, dropped = _choose(cells, entry, anticipation, rule)
    kept = cells.take(keep)
    if len(kept.time):
        entry = np.where(cells.entry - anticipation > cells.times[kept.time].max(), late, cells.entry)
    unit_labels, unit = np.unique(kept.unit, return_inverse=True)
    time_labels, time = np.unique(kept.time, return_inverse=True)
    clusters, cluster = np.unique(cells.cluster[unit_labels], return_inverse=True)
    sample = LinearSample(
        cells=kept,
        unit=unit,
        time=time,
        times=cells.times[time_labels],
        entry=entry[unit_labels],
        cluster=cluster,
        clusters=cells.clusters[clusters],
        anticipation=float(anticipation),
        dropped=cells.dropped,
    )
    _check(sample)
    dropped += _notes(sample, unit_labels)
    if not dropped:
        return sample
    table = pd.concat([cells.dropped, dropped_table(dropped)], ignore_index=True)
    return LinearSample(**{**sample.__dict__, "dropped": table})


def _choose(cells: Cells, entry: Floats, anticipation: float, rule: str) -> tuple[Mask, list[Entry]]:
    keep = np.ones(len(cells.unit), dtype=bool)
    dropped: list[Entry] = []
    if rule == "all":
        return keep, dropped
    groups, group = np.unique(entry, return_inverse=True)
    first = np.full(len(groups), np.inf)
    np.minimum.at(first, group[cells.unit], cells.times[cells.time])
    seen = np.bincount(cells.unit, minlength=len(cells.units)) > 0
    always = (entry - anticipation <= first[group]) & seen
    keep &= ~always[cells.unit]
    dropped += _units(cells, np.flatnonzero(always), "groups already treated in the first period they are seen in")
    if rule == "entrants":
        return keep, dropped
    untreated = cells.times[cells.time] < (entry - anticipation)[cells.unit]
    if rule == "comparison":
        has = np.bincount(cells.time[keep & untreated], minlength=len(cells.times)) > 0
        keep, entries = _without_periods(cells, keep, has)
        return keep, dropped + entries
    while True:
        before = int(keep.sum())
        has_unit = np.bincount(cells.unit[keep & untreated], minlength=len(cells.units)) > 0
        lost = np.unique(cells.unit[keep & ~has_unit[cells.unit]])
        dropped += _units(cells, lost, "no untreated row: what would have been cannot be imputed")
        keep &= has_unit[cells.unit]
        has = np.bincount(cells.time[keep & untreated], minlength=len(cells.times)) > 0
        keep, entries = _without_periods(cells, keep, has)
        dropped += entries
        if int(keep.sum()) == before:
            return keep, dropped


def _without_periods(cells: Cells, keep: Mask, has: NDArray[np.bool_]) -> tuple[Mask, list[Entry]]:
    lost = keep & ~has[cells.time]
    if not lost.any():
        return keep, []
    periods = [f"{time:g}" for time in cells.times[np.unique(cells.time[lost])]]
    reason = "periods in which every unit is treated (or anticipates it): no comparison is left"
    return keep & ~lost, [("rows", reason, int(cells.n[lost].sum()), periods[:5])]


def _units(cells: Cells, which: Integers, reason: str) -> list[Entry]:
    return [("units", reason, len(which), list(cells.units[which[:5]]))] if len(which) else []


def _check(sample: LinearSample) -> None:
    cells = sample.cells
    treated_units = np.unique(sample.unit[sample.treated])
    if not len(sample.unit) or not len(treated_units):
        raise DidError(
            f"{cells.names.entry}: no treated unit can be used (none enters by the last period, or all are treated "
            "from the first one on): an effect needs a period before entry and one after"
        )
    if len(sample.times) < 2:
        raise DidError("fewer than two periods can be used: an effect needs one before entry and one after")
    if sample.treated.all():
        raise DidError(f"{cells.names.entry}: every row is treated: there is nothing to compare with")
    if len(treated_units) == 1:
        label = cells.units[np.unique(cells.unit[sample.treated])[0]]
        raise DidError(
            f"a single treated unit ({cells.names.unit} {label}): its effect can be estimated, the uncertainty "
            "cannot; see synthetic() or randomization_test()"
        )
    if len(np.unique(sample.cluster[treated_units])) == 1:
        raise DidError(
            f"{cells.names.cluster or cells.names.unit}: all treated units are in a single cluster, whose residuals "
            "sum to zero by construction: cluster by unit, or see randomization_test()"
        )


def _notes(sample: LinearSample, unit_labels: Integers) -> list[Entry]:
    """Units that say nothing, and groups whose own uncertainty cannot be estimated; both stay in use."""
    cells = sample.cells
    periods = np.bincount(sample.unit)
    once = np.flatnonzero(periods == 1)
    notes = _units(cells, unit_labels[once], "seen in one period only: no information on changes (rows counted in N)")
    lone = []
    for group in np.unique(sample.entry[np.isfinite(sample.entry)]):
        if len(np.unique(sample.cluster[sample.entry == group])) == 1:
            lone.append(f"{group:g}")
    if lone:
        reason = "groups of a single cluster: its residuals in the group's own effects are zero by construction"
        notes.append(("standard errors", reason, len(lone), lone[:5]))
    return notes


@dataclass(frozen=True)
class VcovChoice:
    """Which standard errors, and why."""

    kind: str
    reason: str
    level: float = 0.95
    wild_weights: str = "rademacher"
    draws: int = 9999
    seed: int = 1


def choose_vcov(
    vcov: str | None,
    sample: LinearSample,
    *,
    level: float = 0.95,
    wild_weights: str = "rademacher",
    draws: int = 9999,
    seed: int = 1,
) -> VcovChoice:
    """Take the standard errors asked for, or choose by rule: CR2 where either arm has fewer than 40 clusters.

    Raises
    ------
    DidError
        An option that does not exist; the wild bootstrap with fewer than 6
        clusters in an arm, where it is unreliable (MacKinnon and Webb 2018); a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise DidError(f"level is {level!r}; give a number between 0 and 1, such as 0.95")
    treated, comparison = sample.arms()
    smaller = min(treated, comparison)
    if vcov is None:
        kind = "cr2" if smaller < SMALL_ARM else "cr1"
        sign = "fewer than" if smaller < SMALL_ARM else "at least"
        reason = f"by rule: {sign} {SMALL_ARM} clusters in the smaller arm ({treated} treated, {comparison} comparison)"
        return VcovChoice(kind, reason, level, wild_weights, draws, seed)
    if vcov not in VCOVS:
        raise DidError(f"vcov is {vcov!r}; it can be {', '.join(map(repr, VCOVS))}")
    if vcov == "wild" and smaller < REFUSE_WILD:
        raise DidError(
            f"vcov='wild' with {treated} treated and {comparison} comparison clusters: below {REFUSE_WILD} in an arm "
            "the wild bootstrap is unreliable; use randomization_test()"
        )
    return VcovChoice(vcov, "as asked for", level, wild_weights, draws, seed)
