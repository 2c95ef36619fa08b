"""The sample flow: how many schools, pupils and scores are left after each step, and why the others are not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

ARMS = ("member", "comparison", "all")
COLUMNS = ["step", "stage", "unit", "arm", "outcome", "remaining", "excluded", "reason"]


@dataclass(frozen=True)
class Step:
    """One step of a flow."""

    stage: str
    """What those that remain have in common."""
    reason: str
    """Why the others are excluded."""
    keep: pd.Series
    """Whether each unit passes this step; what failed an earlier step stays out."""


def chain(unit: str, outcome: str, start: str, arm: pd.Series, steps: Iterable[Step]) -> pd.DataFrame:
    """Count a sequence of steps by arm.

    Parameters
    ----------
    unit
        'schools', 'pupils' or 'scores'.
    outcome
        Name of the outcome, or '' where the flow is the same for all.
    start
        Name of the first stage, where everything is in.
    arm
        'member' or 'comparison' for each unit; missing for those without a school, which are counted under 'all' only.

    Returns
    -------
    pandas.DataFrame
        ``COLUMNS``; within an arm, remaining of a step = remaining of the step before - excluded.
    """
    inside = pd.Series(True, index=arm.index)
    rows = [(1, start, unit, name, outcome, _count(inside, arm, name), 0, "") for name in ARMS]
    for number, step in enumerate(steps, start=2):
        keep = step.keep.astype(bool)
        out = inside & ~keep
        inside = inside & keep
        rows += [
            (number, step.stage, unit, name, outcome, _count(inside, arm, name), _count(out, arm, name), step.reason)
            for name in ARMS
        ]
    return pd.DataFrame(rows, columns=COLUMNS)


def assemble(chains: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Several flows in one typed table: by unit (schools, pupils, scores), outcome, arm and step."""
    table = pd.concat(list(chains), ignore_index=True)
    table["unit_order"] = table["unit"].map({"schools": 0, "pupils": 1, "scores": 2})
    table["arm_order"] = table["arm"].map({name: place for place, name in enumerate(ARMS)})
    ordered = table.sort_values(["unit_order", "outcome", "arm_order", "step"], kind="stable", ignore_index=True)
    counts = dict.fromkeys(["step", "remaining", "excluded"], "Int64")
    words = dict.fromkeys(["stage", "unit", "arm", "outcome", "reason"], "str")
    return ordered[COLUMNS].astype({**counts, **words})


def _count(units: pd.Series, arm: pd.Series, name: str) -> int:
    return int(units.sum()) if name == "all" else int((units & (arm == name)).sum())
