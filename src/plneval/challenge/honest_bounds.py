"""How large violations of parallel trends would have to be, and what the test before joining could have found."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval import did
from plneval.did.att_gt import GroupTimeEffects
from plneval.standards import load

Array = npt.NDArray[np.float64]
MAGNITUDES = (0.0, 0.5, 1.0, 1.5, 2.0)
"""Largest violation from one year to the next, as a multiple of the largest before joining."""
SLOPES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Change of the violation's slope from year to year, in standard errors of the headline."""


@dataclass(frozen=True)
class EventEffects:
    """Effects by event time relative to one year, as :func:`plneval.did.honest` reads them.

    Attributes
    ----------
    table : event_time, estimate; the reference's is 0.
    vcov : covariance by the method for few clusters where the rule asks for it.
    weights : event time to its share of the treated from the third year on.
    groups, left_out : entry years used, and those whose reference is another year or which break the row of years.
    schools : schools of both arms behind them; members : of the groups used.
    """

    table: pd.DataFrame
    vcov: Array
    weights: dict[float, float]
    groups: tuple[int, ...]
    left_out: tuple[int, ...]
    schools: int
    members: int
    level: float
    base_period: str = "universal"


def event_effects(effects: GroupTimeEffects) -> EventEffects:
    """Effects by event time of the groups that have the same reference, over a row of years without gaps.

    Parameters
    ----------
    effects : with a universal base and its reference cells.

    Raises
    ------
    DidError
        If no event time from the third year on is left.
    """
    design = effects.design
    base = design.times[[cell.base for cell in effects.estimated]] - effects.groups
    mass = _treated_mass(effects)
    late = (effects.times - effects.groups) >= load("follow_up").headline_from_event_time
    # The reference behind most of the headline; groups with a gap year before joining have an earlier one.
    candidates = np.unique(base)
    reference = float(candidates[np.argmax([mass[(base == one) & late].sum() for one in candidates])])
    kept = base == reference
    events = np.unique((effects.times - effects.groups)[kept])
    low = high = reference
    while low - 1 in events:
        low -= 1
    while high + 1 in events:
        high += 1
    kept &= ((effects.times - effects.groups) >= low) & ((effects.times - effects.groups) <= high)
    if not (kept & late).any():
        raise did.DidError("no event time from the third year on follows the others without a gap")
    chosen = replace(
        effects,
        estimated=tuple(cell for cell, keep in zip(effects.estimated, kept, strict=True) if keep),
        att=effects.att[kept],
        contributions=effects.contributions[:, kept],
        masses=None if effects.masses is None else effects.masses[:, kept],
    )
    dynamic = chosen.aggregate("dynamic")
    intervals = dynamic.intervals()
    share = {float(e): float(mass[kept & late & (effects.times - effects.groups == e)].sum()) for e in dynamic.keys}
    total = sum(share.values())
    groups = np.unique(effects.groups[kept])
    of_groups = np.isin(design.groups[np.where(design.group >= 0, design.group, len(design.groups) - 1)], groups)
    members = int((of_groups & (design.group >= 0)).sum())
    return EventEffects(
        table=intervals.table[["event_time", "estimate"]],
        vcov=intervals.vcov,
        weights={e: value / total for e, value in share.items() if value},
        groups=tuple(int(group) for group in groups),
        left_out=tuple(int(group) for group in np.unique(effects.groups) if group not in groups),
        schools=members + int(np.isinf(design.groups[design.group[design.group >= 0]]).sum()),
        members=members,
        level=effects.level,
    )


def _treated_mass(effects: GroupTimeEffects) -> Array:
    """(M,) what the treated schools of each cell weigh."""
    if effects.masses is not None:
        return np.asarray(effects.masses.sum(axis=0))
    size = np.bincount(effects.pieces.group, effects.pieces.mass, len(effects.design.groups))
    return np.asarray(size[[cell.group for cell in effects.estimated]])


def honest_table(model: str, events: EventEffects) -> pd.DataFrame:
    """Intervals of the effect from the third year on that hold under violations up to M, for both kinds of bound.

    Columns: model, kind, m, ci_low, ci_high, excludes_zero, breakdown (the M from which the interval contains zero; 0
    where it does already under parallel trends; missing where no M tried overturns it), estimate, se, n_schools,
    n_members, groups (in words, what it rests on). M is in units of the outcome for ``smoothness``, a multiple for
    ``relative_magnitudes``.
    """
    tables = []
    se = math.sqrt(_variance(events))
    for kind, grid in (("relative_magnitudes", MAGNITUDES), ("smoothness", [value * se for value in SLOPES])):
        found = did.honest(events, kind=kind, grid=list(grid), weights=events.weights)
        tables.append(
            pd.DataFrame(
                {
                    "model": model,
                    "kind": kind,
                    "m": found.table["m"],
                    "ci_low": found.table["ci_low"],
                    "ci_high": found.table["ci_high"],
                    "excludes_zero": found.table["excludes_null"],
                    "breakdown": found.breakdown if math.isfinite(found.breakdown) else math.nan,
                    "estimate": found.estimate,
                    "se": found.se,
                    "n_schools": events.schools,
                    "n_members": events.members,
                    "groups": _in_words(events),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def _variance(events: EventEffects) -> float:
    share = np.array([events.weights.get(float(e), 0.0) for e in events.table["event_time"]])
    return float(share @ events.vcov @ share)


def _in_words(events: EventEffects) -> str:
    used = f"entry groups {', '.join(str(group) for group in events.groups)}"
    left = ", ".join(str(group) for group in events.left_out)
    return used if not left else f"{used}; without {left}, whose last year before joining with outcomes is another"


def power_table(model: str, events: EventEffects) -> pd.DataFrame:
    """What the effects before joining could have shown (Roth 2022).

    One row: model, event_times (number before joining), slope_50 and slope_80 (the linear differential trend, in units
    of the outcome a year, that at least one significant effect before joining reveals with this probability), joint_80
    (the same for the joint test), implied_80 (what ``slope_80`` alone would add to the headline), estimate, n_schools,
    n_members.
    """
    half, most = (did.pretrend_power(events, power=power) for power in (0.5, 0.8))
    reference = float(events.table.loc[events.table["estimate"] == 0, "event_time"].iloc[0])
    distance = sum(share * (e - reference) for e, share in events.weights.items())
    estimate = sum(
        share * float(events.table.loc[events.table["event_time"] == e, "estimate"].iloc[0])
        for e, share in events.weights.items()
    )
    return pd.DataFrame(
        {
            "model": [model],
            "event_times": [int((events.table["event_time"] < reference).sum())],
            "slope_50": [half.detectable_slope],
            "slope_80": [most.detectable_slope],
            "joint_80": [most.joint_detectable_slope],
            "implied_80": [most.detectable_slope * distance],
            "estimate": [estimate],
            "n_schools": [events.schools],
            "n_members": [events.members],
        }
    )
