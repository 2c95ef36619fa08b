"""Joining and leaving: the first entry of units that may leave and return, and the effect of leaving."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from plneval.did.cells import dropped_table
from plneval.did.columns import available_columns, read_columns
from plneval.did.errors import DidError, name_rows
from plneval.did.intervals import check_method
from plneval.did.switcher_effects import Fit, SwitcherEffects, assemble
from plneval.did.switchers import check_numbers, first_switches
from plneval.did.treatment_paths import TreatmentData, follow, path_in_database, path_of_rows, read_treatment

UNDATED = ("error", "first_seen")


def first_entry(data: Any, unit: str, time: str, treatment: str, *, undated: str = "error") -> pd.Series:
    """The first period in which each unit is treated, whatever comes after: the entry of an intention to treat.

    ``data["entry"] = data[unit].map(first_entry(data, unit, time, treatment))`` and :func:`plneval.did.att_gt` give the
    effect of first joining, of those who leave later included.

    Parameters
    ----------
    data
        Rows of units and periods (pandas, Arrow or Ibis), several to a unit and period if need be.
    unit, time, treatment
        Columns; the treatment is 0 or 1 and constant within unit × period. Rows where it is missing are as good as
        not there.
    undated
        A unit that is treated when it is first seen after the first period, or after a gap, may have entered before:
        ``"error"``, or ``"first_seen"`` to take the period it is first seen treated in. Units treated in the first
        period of all have that as their entry; ``att_gt`` leaves them out and lists them.

    Returns
    -------
    Series
        Entry by unit (sorted), infinity for never.

    Raises
    ------
    DidError
        As :func:`plneval.did.treatment_paths.read_treatment`; a treatment other than 0 and 1; an entry that cannot be
        dated.
    """
    if undated not in UNDATED:
        raise DidError(f"undated is {undated!r}; it can be {' or '.join(map(repr, UNDATED))}")
    frame = data
    if type(data).__module__.split(".")[0] == "ibis":
        missing = [name for name in (unit, time, treatment) if name not in data.columns]
    else:
        missing = [name for name in (unit, time, treatment) if name not in available_columns(data)]
        frame = data if missing else read_columns(data, [unit, time, treatment])
    if missing:
        raise DidError(f"no column {', '.join(map(repr, missing))} in the data")
    in_memory = isinstance(frame, pd.DataFrame)
    path = (path_of_rows if in_memory else path_in_database)(frame, time, unit, treatment)
    _check_binary(path["treatment"].to_numpy(), treatment)
    wide = path.pivot(index="unit", columns="time", values="treatment").sort_index(axis=1)
    values = wide.to_numpy(dtype=np.float64)
    times = wide.columns.to_numpy(dtype=np.float64)
    treated = values == 1
    ever = treated.any(axis=1)
    at = np.argmax(treated, axis=1)
    before = np.isnan(values[np.arange(len(values)), np.maximum(at - 1, 0)])
    unclear = ever & (at > 0) & before
    if unclear.any() and undated == "error":
        where = f"{int(unclear.sum())} units"
        if in_memory:
            concerned = wide.index[unclear]
            entered = pd.Series(times[at[unclear]], index=concerned)
            mine = frame[frame[unit].isin(concerned)]
            rows = mine.index[mine[time].to_numpy() == mine[unit].map(entered).to_numpy()]
            where += f", {name_rows(rows)}"
        raise DidError(
            f"{treatment}: {where}: treated when first seen, or after a gap, so that the entry cannot be dated: leave "
            "the units out, or pass undated='first_seen'"
        )
    entry = np.where(ever, times[at], np.inf)
    return pd.Series(entry, index=wide.index.rename(unit), name="entry")


def leaving(
    data: Any,
    outcome: str | None = None,
    time: str | None = None,
    unit: str | None = None,
    treatment: str | None = None,
    *,
    same_entry: bool = True,
    effects: int | None = None,
    placebos: int | None = None,
    weights: str | None = None,
    cluster: str | None = None,
    panel: bool | None = None,
    inference: str | None = None,
    level: float = 0.95,
) -> SwitcherEffects:
    """Estimate the effect of leaving on those who leave, against units that are still members.

    Outcomes count from each unit's first entry on. Effect l compares the change from the last period of membership to
    the l-th period after leaving with that of members who have not left by then. Units that never joined take no part,
    and returning later is part of the effect. A benefit that is lost is a negative effect.

    # ASSUME: had they stayed, leavers would have developed as members that entered with them and stayed on
    # (parallel trends among members). Leaving is chosen; it says nothing of the effect of joining.

    Parameters
    ----------
    data, outcome, time, unit, effects, placebos, weights, cluster, panel, inference, level
        As in :func:`plneval.did.switchers.switchers`.
    treatment
        Membership, 0 or 1.
    same_entry
        Compare leavers with stayers of the same entry only, whose effects of membership are as old as theirs (the
        default), or with all members in both periods.

    Returns
    -------
    SwitcherEffects
        With ``n_leavers`` and ``n_stayers`` in the table; ``dose`` is the number of periods spent outside. With one
        entry for all this is the dynamic aggregate of :func:`plneval.did.att_gt`, the period of leaving as group and
        ``comparison="not_yet"``.

    Raises
    ------
    DidError
        As :func:`plneval.did.switchers.switchers`; a membership other than 0 and 1; nobody who leaves.
    """
    check_numbers(effects, placebos, level)
    check_method(inference)
    read = read_treatment(data, outcome, time, unit, treatment, None, weights, cluster, panel)
    member = read.treatment
    _check_binary(member[~np.isnan(member)], str(treatment))
    joined = (member == 1).any(axis=1)
    entry = np.where(joined, np.argmax(member == 1, axis=1), member.shape[1])
    inside = np.arange(member.shape[1]) >= entry[:, None]
    left = (inside & (member == 0)).any(axis=1)
    if not left.any():
        raise DidError(f"{treatment}: nobody leaves: there is nothing to estimate")
    cells = read.cells
    entries: list[tuple[str, str, int, list[Any]]] = []
    if not joined.all():
        outside = np.flatnonzero(~joined)
        entries.append(("units", "never members", len(outside), list(cells.units[outside[:5]])))
    position = np.searchsorted(read.times, cells.times)[cells.time]
    early = joined[cells.unit] & ~inside[cells.unit, position]
    if early.any():
        entries.append(("rows", "before joining", int(cells.n[early].sum()), []))
    undated = joined & np.isnan(member[np.arange(len(entry)), np.clip(entry - 1, 0, member.shape[1] - 1)])
    undated |= joined & (entry == 0)
    if undated.any() and same_entry:
        found = np.flatnonzero(undated)
        reason = "members when first seen, or after a gap: taken to have entered then"
        entries.append(("assumptions", reason, len(found), list(cells.units[found[:5]])))
    outcome_inside = np.where(inside, read.outcome, np.nan)
    since = TreatmentData(
        cells=replace(cells, dropped=pd.concat([cells.dropped, dropped_table(entries)], ignore_index=True)),
        times=read.times,
        outcome=outcome_inside,
        weight=read.weight,
        controls=read.controls,
        treatment=np.where(inside & ~np.isnan(member), 1.0 - member, np.nan),
    )
    stratum = entry.astype(np.float64) if same_entry else np.zeros(len(entry))
    paths = follow(since, str(treatment), stratum, first_seen=False)
    contrasts = first_switches(paths, effects, placebos)
    return assemble(Fit(paths, contrasts, "first", effects, placebos, inference, level), "leaving")


def _check_binary(values: np.ndarray[Any, np.dtype[np.float64]], treatment: str) -> None:
    other = np.unique(values[(values != 0) & (values != 1)])
    if len(other):
        raise DidError(f"{treatment}: membership is 0 or 1, but {other[0]:g} occurs: use switchers() for other levels")
