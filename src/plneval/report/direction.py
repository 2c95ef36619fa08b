"""Words for outcomes of which less is better, such as absence.

Records keep the outcome's own sign; words say which side of zero is the better one.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from plneval.report.formats import listed
from plneval.report.load import Released


def lower_is_better(released: Released, outcome: Any) -> bool:
    """Whether less of an outcome is better, as declared."""
    return not released.higher_is_better(str(outcome))


def of_model(released: Released, model: Any) -> bool:
    """Whether less of the outcome of a model is better."""
    return lower_is_better(released, released.model(str(model))["outcome"])


def is_better(released: Released, outcome: Any, value: float) -> bool:
    """Whether a difference lies on the better side of zero."""
    return value < 0 if lower_is_better(released, outcome) else value > 0


def axis_unit(released: Released, model: Any) -> str:
    """The unit of a model's estimates for an axis, with the direction where it is not the usual one."""
    unit = released.unit(str(model))
    return f"{unit}; lower is better" if of_model(released, model) else unit


def axis_units(released: Released, data: pd.DataFrame) -> str:
    """The units of several models for one axis; names the outcomes of which less is better."""
    units = listed(list(dict.fromkeys(data["unit"])), "or")
    outcomes = [str(released.model(str(model))["outcome"]) for model in dict.fromkeys(data["model"])]
    lower = [name for name in dict.fromkeys(outcomes) if lower_is_better(released, name)]
    if not lower:
        return units
    if set(lower) == set(outcomes):
        return f"{units}; lower is better"
    return f"{units}; lower is better for {listed([released.outcome_label(name) for name in lower])}"


def reading(released: Released, outcome: Any) -> list[str]:
    """How numbers of an outcome are to be read of which less is better; nothing for any other."""
    if not lower_is_better(released, outcome):
        return []
    label = released.outcome_label(str(outcome))
    return [f"Of this outcome ({label}) less is better: a number below zero is on the good side, one above it is not."]


def months_of_progress(released: Released, outcome: Any, value: Any) -> Any:
    """Months with plus for progress: months of an outcome of which less is better carry the sign of the outcome."""
    turn = lower_is_better(released, outcome) and not isinstance(value, str) and not pd.isna(value)
    return -value if turn else value


def moved_gap(released: Released, outcome: Any, estimate: float) -> str:
    """Which way the gap moved: the records' plus is what disadvantaged pupils' results rose more than others'."""
    return "narrowed" if (estimate >= 0) != lower_is_better(released, outcome) else "widened"
