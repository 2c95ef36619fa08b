"""Reliability and agreement of survey scores, held against the standard ``survey_quality``."""

from __future__ import annotations

import math
from typing import Literal

Standing = Literal["met", "below", ""]


def held_against(minimum: float, *values: float) -> Standing:
    """``met`` where every value that is known reaches the minimum, ``below`` where one does not; else empty.

    Parameters
    ----------
    minimum
        A number of ``load("survey_quality")``.
    values
        Coefficients as computed, not as printed: 0.699 is below 0.70.
    """
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return ""
    return "met" if min(known) >= minimum else "below"
