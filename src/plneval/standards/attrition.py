"""Overall and differential attrition against the WWC boundary."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from plneval.standards.arguments import at_least, between
from plneval.standards.catalogue import load

BoundaryName = Literal["cautious", "optimistic"]


@dataclass(frozen=True)
class AttritionRates:
    """Overall attrition (percent of those assigned, both arms) and differential attrition (treated − comparison)."""

    overall_percent: float
    differential_points: float


@dataclass(frozen=True)
class AttritionAssessment:
    """Attrition under a boundary.

    ``limit_points`` is the highest differential attrition still low at this overall attrition, in percentage points;
    None where overall attrition alone is too high.
    """

    level: Literal["low", "high"]
    limit_points: float | None
    overall_percent: float
    differential_points: float
    boundary: BoundaryName


def rates(
    assigned_treated: int, analysed_treated: int, assigned_comparison: int, analysed_comparison: int
) -> AttritionRates:
    """Attrition rates from numbers of units assigned and analysed in each arm.

    Raises
    ------
    ValueError
        If nobody was assigned to an arm, or more were analysed than assigned.
    """
    at_least("assigned_treated", assigned_treated, 1)
    at_least("assigned_comparison", assigned_comparison, 1)
    between("analysed_treated", analysed_treated, 0, assigned_treated)
    between("analysed_comparison", analysed_comparison, 0, assigned_comparison)
    lost_treated = assigned_treated - analysed_treated
    lost_comparison = assigned_comparison - analysed_comparison
    return AttritionRates(
        100 * (lost_treated + lost_comparison) / (assigned_treated + assigned_comparison),
        100 * lost_treated / assigned_treated - 100 * lost_comparison / assigned_comparison,
    )


def limit(overall_percent: float, boundary: BoundaryName = "cautious") -> float | None:
    """Highest differential attrition (percentage points) still low at an overall attrition in percent.

    None beyond the table, where attrition is high whatever the difference.
    # ASSUME: between whole percents the boundary runs straight; the table lists whole percents only.

    Raises
    ------
    ValueError
        If the rate is not between 0 and 100 or there is no such boundary.
    """
    overall = between("overall_percent", overall_percent, 0, 100)
    standard = load("attrition_boundary")
    if boundary not in ("cautious", "optimistic"):
        raise ValueError(f"no attrition boundary '{boundary}'; there are 'cautious' and 'optimistic'")
    values = standard.cautious if boundary == "cautious" else standard.optimistic
    last = len(values) - 1
    if overall > last + standard.tolerance:
        return None
    below = min(math.floor(overall), last)
    above = min(below + 1, last)
    return values[below] + (overall - below) * (values[above] - values[below])


def assess(
    overall_percent: float, differential_points: float, boundary: BoundaryName = "cautious"
) -> AttritionAssessment:
    """Whether attrition is low or high under a boundary (WWC Standards Handbook 4.1, table II.1).

    The boundary is for randomised designs; for a quasi-experiment the answer is reported and is no gate.

    Parameters
    ----------
    overall_percent : float
        Overall attrition, percent (0 to 100).
    differential_points : float
        Difference between the arms in percentage points; its sign does not matter.
    boundary : {"cautious", "optimistic"}
        Cautious where attrition may be related to the programme, optimistic where that is unlikely.

    Raises
    ------
    ValueError
        If a rate is missing or out of range, or there is no such boundary.
    """
    size = abs(between("differential_points", differential_points, -100, 100))
    limit_points = limit(overall_percent, boundary)
    low = limit_points is not None and size <= limit_points + load("attrition_boundary").tolerance
    return AttritionAssessment(
        "low" if low else "high", limit_points, float(overall_percent), float(differential_points), boundary
    )
