"""Leaving and switchers again: plain differences of weighted means, school by school, in pandas."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from plneval.challenge.recompute import Recomputed
from plneval.config.cohort import Cohort
from plneval.config.models import Leaving, Switchers

BY = "differences of weighted means by pandas"


class _Path(NamedTuple):
    """A school: what it is compared within, its first switch (a period's position, or the end), its path and weight.

    ``turn`` is -1 where the switch is out of membership and effects are those of being a member.
    """

    stratum: tuple[int, ...]
    switch: int
    turn: float
    outcome: np.ndarray
    member: np.ndarray
    weight: float


def membership_again(cohort: Cohort, spec: Leaving | Switchers, panel: Path) -> list[Recomputed]:
    """The event times from the switch on and their average, by the definition.

    Effect l of a school that switches: the change of its outcome from the outcome year before the switch to the l-th
    from it on, less the mean change of schools of its stratum that have not switched by then (leaving: members that
    entered in the same year; switchers: the same first membership). Weighted by the schools' weights. A school enters
    with a known switch only: seen in the year before.
    """
    paths = _paths(cohort, spec, panel)
    if not paths:
        return []
    estimand = "att_leaving" if isinstance(spec, Leaving) else "att_switching"
    n_times = len(paths[0].outcome)
    found: list[Recomputed] = []
    total = gained = 0.0
    for lag in range(1, n_times):
        changes = [_change(one, paths, lag) for one in paths if one.switch < n_times]
        made = [change for change in changes if change is not None]
        if not made:
            continue
        effect, weight, dose = (np.array(column) for column in zip(*made, strict=True))
        found.append(
            Recomputed(f"{estimand}_event_time", f"e{lag - 1}", float(np.average(effect, weights=weight)), None, BY)
        )
        total += float(np.sum(weight * effect))
        gained += float(np.sum(weight * dose))
    if gained:
        found.append(Recomputed(estimand, "", total / gained, None, BY))
    return found


def _change(one: _Path, paths: list[_Path], lag: int) -> tuple[float, float, float] | None:
    """Effect on a school ``lag`` outcome years after its switch, its weight, and the treatment that it then had."""
    before, at = one.switch - 1, one.switch + lag - 1
    if before < 0 or at >= len(one.outcome):
        return None
    own = one.outcome[at] - one.outcome[before]
    others = [p for p in paths if p.stratum == one.stratum and p.switch > at]
    moved = np.array([p.outcome[at] - p.outcome[before] for p in others])
    weight = np.array([p.weight for p in others])
    there = np.isfinite(moved)
    if not np.isfinite(own) or not there.any():
        return None
    effect = one.turn * (own - np.average(moved[there], weights=weight[there]))
    return float(effect), one.weight, float(abs(one.member[at] - one.member[before]))


def _paths(cohort: Cohort, spec: Leaving | Switchers, panel: Path) -> list[_Path]:
    """Schools with their paths over the outcome years; for leaving, from joining on."""
    table = pd.read_parquet(panel / "panel_school.parquet")
    column = "score" if cohort.outcomes[spec.outcome].standardise == "none" else "z"
    rows = table[(table["outcome"] == spec.outcome) & (table["subgroup"] == spec.subgroup) & table[column].notna()]
    years = sorted(int(year) for year in rows["year"].unique())
    paths: list[_Path] = []
    for _, school in rows.astype({"year": "int64", "n": "float64"}).groupby("school"):
        weight = float(school["n"].mean()) if cohort.design.weight == "pupils" else 1.0
        by_year = school.set_index("year").reindex(years)
        outcome = by_year[column].to_numpy(dtype=np.float64, copy=True)
        member = by_year["member"].astype("float64").to_numpy(copy=True)
        if not weight > 0:
            continue
        stratum: tuple[int, ...] = ()
        if isinstance(spec, Leaving):
            inside = np.flatnonzero(member == 1)
            if not len(inside):
                continue
            outcome[: inside[0]] = member[: inside[0]] = np.nan
            stratum = (int(inside[0]),) if spec.same_entry else ()
        known = np.flatnonzero(np.isfinite(member))
        first = member[known[0]]
        turned = known[member[known] != first]
        switch = int(turned[0]) if len(turned) else len(years)
        if len(turned) and not np.isfinite(member[switch - 1]):
            # The switch cannot be dated: compared with until the gap only.
            outcome[known[known < switch][-1] + 1 :] = np.nan
            switch = len(years)
        member = _filled(member, switch)
        turn = 1.0 if isinstance(spec, Leaving) or first == 0 else -1.0
        paths.append(_Path((*stratum, int(first)), switch, turn, outcome, member, weight))
    return paths


def _filled(member: np.ndarray, switch: int) -> np.ndarray:
    """Membership after the switch that is not known is taken for that at the switch."""
    filled = member.copy()
    if switch < len(member):
        after = np.arange(len(member)) > switch
        filled[after & np.isnan(member)] = member[switch]
    return filled
