"""Estimands of direct and indirect effects and of dose, in words."""

from __future__ import annotations

from typing import Any, Final

from plneval.report.formats import number

AGGREGATES: Final = {
    "att_direct": "Pupils taught by participants, from the third year on",
    "att_indirect": "Other pupils of member schools, from the third year on",
    "att_direct_less_indirect": "Difference of the two, from the third year on",
    "within_school": "Within schools: participants' pupils less others, from the third year on",
    "mobilisation_ratio": "Indirect divided by direct effect, from the third year on",
    "dose_third_year_on": "By dose, from the third year on",
}
EVENT_TIMES: Final = {
    "att_direct_event_time": "Pupils taught by participants, event time",
    "att_indirect_event_time": "Other pupils of member schools, event time",
    "att_direct_less_indirect_event_time": "Difference of the two, event time",
    "within_school_event_time": "Within schools, event time",
    "mobilisation_ratio_event_time": "Indirect divided by direct effect, event time",
    "dose_event_time": "By dose, event time",
}
WARNED: Final = {
    "att_direct": "the direct effect from the third year on",
    "att_indirect": "the indirect effect from the third year on",
    "att_direct_less_indirect": "their difference from the third year on",
    "within_school": "the contrast within schools from the third year on",
    "mobilisation_ratio": "the ratio from the third year on",
    "dose_third_year_on": "by dose from the third year on",
}
REPRESENTATIVE: Final = ("att_direct", "dose_third_year_on")
"""Estimands that stand for a model as a whole."""


def by_dose(row: Any) -> str:
    """A difference by dose: its band, and its event time where it has one."""
    band = str(row.term).split(":")[0]
    if row.estimand == "dose_event_time":
        return f"Dose {band}: event time {number(row.event_time, 0)}"
    return f"Dose {band}: from the third year on"
