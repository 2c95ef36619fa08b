"""What is compared with what: which units and periods can be used, and which groups serve as comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.did.cells import Cells, dropped_table
from plneval.did.columns import Floats, Integers
from plneval.did.errors import DidError

COMPARISONS = ("never", "not_yet")
METHODS = ("dr", "ipw", "or")
BASE_PERIODS = ("varying", "universal")
UNBALANCED = (False, True, "pairwise")
LATE_ENTRY = ("never", "group")


@dataclass(frozen=True)
class GroupTime:
    """One group at one time, against its base period.

    ``time`` and ``base`` are positions in the design's times, ``group`` in its groups, ``comparison`` the positions
    of the groups compared with.
    """

    group: int
    time: int
    base: int
    comparison: tuple[int, ...]


@dataclass(frozen=True)
class Design:
    """The part of the cells that can be used, and how it is compared.

    Attributes
    ----------
    cells
        Cells of the usable units and periods, with codes as in the original cells.
    times
        (T,) usable periods; ``cells.time`` is a position in ``cells.times``, ``time_position`` translates it (-1: not
        usable).
    groups
        (G,) entry periods that occur, never (``inf``) last. Units that enter after the last period (and its
        anticipation) count as never, unless late entrants are groups of their own.
    group
        (U,) position of each unit's group; -1 for units that are not used.
    balanced
        Whether every usable unit has one row in every period, so that changes within units are used.
    pairwise
        Whether a panel that is not balanced is used by changes all the same: of the units seen in both periods of a
        group and time.
    planned
        Every group and time to be estimated, in order; the reference rows of a universal base are among them
        (``time == base``).
    dropped
        Everything that was left out.
    """

    cells: Cells
    times: Floats
    time_position: Integers
    groups: Floats
    group: Integers
    balanced: bool
    comparison: str
    base_period: str
    anticipation: float
    planned: tuple[GroupTime, ...]
    dropped: pd.DataFrame
    pairwise: bool = False

    @property
    def changes(self) -> bool:
        """Whether changes within units are compared, not levels."""
        return self.balanced or self.pairwise

    @property
    def unit(self) -> Integers:
        """(C,) the unit of each usable cell."""
        return self.cells.unit

    @property
    def time(self) -> Integers:
        """(C,) the position in ``times`` of each usable cell."""
        return self.time_position[self.cells.time]


Entry = tuple[str, str, int, Sequence[Any]]


def check_options(
    comparison: str,
    method: str,
    base_period: str,
    anticipation: float,
    allow_unbalanced: bool | str = False,
    late_entry: str = "never",
) -> None:
    """Raise ``DidError`` for an option that does not exist."""
    given: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "comparison": (comparison, COMPARISONS),
        "method": (method, METHODS),
        "base_period": (base_period, BASE_PERIODS),
        "allow_unbalanced": (allow_unbalanced, UNBALANCED),
        "late_entry": (late_entry, LATE_ENTRY),
    }
    for name, (value, allowed) in given.items():
        if value not in allowed:
            raise DidError(f"{name} is {value!r}; it can be {' or '.join(repr(one) for one in allowed)}")
    if isinstance(anticipation, bool) or not np.isfinite(anticipation) or anticipation < 0:
        raise DidError(f"anticipation is {anticipation!r}; give a number of periods, 0 or more")


def make_design(
    cells: Cells,
    *,
    comparison: str,
    base_period: str,
    anticipation: float,
    allow_unbalanced: bool | str,
    late_entry: str = "never",
    allow_single: bool = False,
) -> Design:
    """Decide which units and periods are used, and plan every group and time.

    Left out, and listed in ``dropped``: units treated in the first period (or anticipating it); periods in which no
    comparison is left because every unit is treated; with a panel and not ``allow_unbalanced``, units that are not
    seen in every period (``"pairwise"``: units seen in one period only, and in a group and time those seen in one of
    its two periods).

    Raises
    ------
    DidError
        No treated unit, no never-treated unit where they are the comparison, fewer than two periods, a single treated
        unit or cluster (unless ``allow_single``: for methods that need no variation among the treated), or nothing
        left.
    """
    dropped: list[Entry] = []
    last = cells.times[-1]
    late = cells.entry > last + anticipation
    entry = np.where(late, np.inf, cells.entry) if late_entry == "never" else cells.entry
    if not np.isfinite(entry[~late]).any():
        raise DidError(
            f"{cells.names.entry}: no unit enters by the last period ({last:g}): there is nothing to estimate"
        )
    keep_time = np.ones(len(cells.times), dtype=bool)
    comparison_only = np.inf
    if np.isfinite(entry).all():
        comparison_only = float(entry.max())
        if comparison == "never":
            raise DidError(
                f"{cells.names.entry}: no unit is never treated, so comparison='never' has none to compare with: "
                "pass comparison='not_yet'"
            )
        keep_time = cells.times < comparison_only - anticipation
        dropped += _dropped_periods(cells, keep_time)
    if keep_time.sum() < 2:
        raise DidError("fewer than two periods can be used: an effect needs one before entry and one after")
    first = cells.times[keep_time][0]
    usable = entry > first + anticipation
    dropped += _dropped_units(cells, ~usable, f"already treated in the first period ({first:g})")
    keep = keep_time[cells.time] & usable[cells.unit]
    keep, usable, balanced, entries = _balance(cells, keep, usable, keep_time, allow_unbalanced)
    pairwise = allow_unbalanced == "pairwise" and not balanced
    dropped += entries
    groups = np.unique(entry[usable])
    group = np.where(usable, np.searchsorted(groups, entry), -1)
    treated = [g for g in groups if np.isfinite(g) and g < comparison_only]
    _check_treated(cells, entry, usable, treated, allow_single)
    kept = cells.take(keep)
    position = np.cumsum(keep_time) - 1
    design = Design(
        cells=kept,
        times=cells.times[keep_time],
        time_position=np.where(keep_time, position, -1),
        groups=groups,
        group=group,
        balanced=balanced,
        comparison=comparison,
        base_period=base_period,
        anticipation=anticipation,
        planned=(),
        dropped=cells.dropped,
        pairwise=pairwise,
    )
    planned, entries = _plan(design, len(treated))
    dropped += entries + _lone_groups(cells, design, len(treated))
    dropped += _seen_once(design, planned) if pairwise else []
    table = pd.concat([cells.dropped, dropped_table(dropped)], ignore_index=True) if dropped else cells.dropped
    return Design(**{**design.__dict__, "planned": planned, "dropped": table})


def _dropped_periods(cells: Cells, keep_time: NDArray[np.bool_]) -> list[Entry]:
    rows = int(cells.n[~keep_time[cells.time]].sum())
    if not rows:
        return []
    reason = "periods in which every unit is treated (or anticipates it): no comparison is left"
    return [("rows", reason, rows, [f"{time:g}" for time in cells.times[~keep_time][:5]])]


def _dropped_units(cells: Cells, which: NDArray[np.bool_], reason: str) -> list[Entry]:
    found = np.flatnonzero(which)
    if not len(found):
        return []
    if cells.rows_are_units:
        return [("rows", reason, int(cells.n[which[cells.unit]].sum()), list(cells.units[found[:5]]))]
    return [("units", reason, len(found), list(cells.units[found[:5]]))]


def _balance(
    cells: Cells,
    keep: NDArray[np.bool_],
    usable: NDArray[np.bool_],
    keep_time: NDArray[np.bool_],
    allow_unbalanced: bool | str,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], bool, list[Entry]]:
    """Which cells and units stay, whether the panel is balanced, and what was dropped for it."""
    seen = np.bincount(cells.unit[keep], minlength=len(cells.units))
    unseen = usable & (seen == 0)
    usable = usable & (seen > 0)
    entries = _dropped_units(cells, unseen, "no row in a usable period")
    if not cells.panel:
        return keep, usable, False, entries
    incomplete = usable & (seen < keep_time.sum())
    if not incomplete.any():
        return keep, usable, True, entries
    if allow_unbalanced == "pairwise":
        once = usable & (seen == 1)
        usable = usable & ~once
        reason = "seen in a single usable period, so there is no change"
        return keep & usable[cells.unit], usable, False, entries + _dropped_units(cells, once, reason)
    if allow_unbalanced:
        return keep, usable, False, entries
    if incomplete.sum() == usable.sum():
        raise DidError("no unit is seen in every period: pass allow_unbalanced=True")
    usable = usable & ~incomplete
    reason = "not seen in every period (pass allow_unbalanced=True to use them)"
    return keep & usable[cells.unit], usable, True, entries + _dropped_units(cells, incomplete, reason)


def _check_treated(
    cells: Cells, entry: Floats, usable: NDArray[np.bool_], treated: list[float], allow_single: bool
) -> None:
    if not treated:
        raise DidError(
            f"{cells.names.entry}: no treated unit can be used (all are treated from the first period, or serve as the "
            "last comparison): an effect needs a period before entry and a comparison"
        )
    if allow_single:
        return
    which = usable & np.isin(entry, treated)
    if which.sum() == 1 and not cells.rows_are_units:
        raise DidError(
            "a single treated unit: its effect can be estimated, the uncertainty cannot; see synthetic() or "
            "randomization_test()"
        )
    if len(np.unique(cells.cluster[which])) == 1:
        raise DidError(
            f"{cells.names.cluster}: all treated units are in a single cluster, so the uncertainty cannot be "
            "estimated: cluster by unit, or see randomization_test()"
        )


def _plan(design: Design, n_treated: int) -> tuple[tuple[GroupTime, ...], list[Entry]]:
    """Every group and time, with its base period and comparison groups (as R's did 2.5.1 chooses them)."""
    planned: list[GroupTime] = []
    none: list[str] = []
    times, groups, anticipation = design.times, design.groups, design.anticipation
    start = 0 if design.base_period == "universal" else 1
    for g in range(n_treated):
        before = np.flatnonzero(times + anticipation < groups[g])
        long_base = int(before[-1])
        for t in range(start, len(times)):
            short = design.base_period == "varying" and times[t] < groups[g] - anticipation
            base = t - 1 if short else long_base
            allowed = np.isinf(groups)
            if design.comparison == "not_yet":
                allowed |= groups > times[max(t, base)] + anticipation
            allowed[g] = False
            compared = tuple(int(c) for c in np.flatnonzero(allowed))
            if not compared:
                none.append(f"{groups[g]:g}, {times[t]:g}")
                continue
            planned.append(GroupTime(g, t, base, compared))
    entries: list[Entry] = []
    if none:
        entries.append(("group-times", "no comparison group is left", len(none), none[:5]))
    if not planned:
        raise DidError("no group and time has a comparison group")
    return tuple(planned), entries


def _seen_once(design: Design, planned: tuple[GroupTime, ...]) -> list[Entry]:
    """Units of a group and time that are seen in only one of its two periods, by arm, counted over all of them."""
    seen = np.zeros((len(design.group), len(design.times)), dtype=bool)
    seen[design.unit, design.time] = True
    lost: dict[str, list[tuple[str, int]]] = {"treated": [], "comparison": []}
    for cell in planned:
        one = seen[:, cell.time] ^ seen[:, cell.base]
        arms = {"treated": design.group == cell.group, "comparison": np.isin(design.group, cell.comparison)}
        for arm, members in arms.items():
            count = int(np.sum(one & members))
            if count:
                lost[arm].append((f"{design.groups[cell.group]:g}, {design.times[cell.time]:g}", count))
    return [
        (
            "units × group-times",
            f"{arm} units seen in only one of the two periods of a group and time",
            sum(count for _, count in found),
            [label for label, _ in found[:5]],
        )
        for arm, found in lost.items()
        if found
    ]


def _lone_groups(cells: Cells, design: Design, n_treated: int) -> list[Entry]:
    """Groups whose own uncertainty cannot be estimated; their effects stay in use."""
    lone: dict[str, list[str]] = {"unit": [], "cluster": []}
    for g in range(n_treated):
        units = np.flatnonzero(design.group == g)
        if len(units) == 1 and not cells.rows_are_units:
            lone["unit"].append(f"{design.groups[g]:g}")
        elif len(np.unique(cells.cluster[units])) == 1:
            lone["cluster"].append(f"{design.groups[g]:g}")
    return [
        (
            "standard errors",
            f"groups of a single {what}: the se counts the uncertainty of the comparison only, as in R's did",
            len(found),
            found[:5],
        )
        for what, found in lone.items()
        if found
    ]
