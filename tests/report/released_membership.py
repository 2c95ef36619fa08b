"""Released tables about membership, structure and leaving; one network without teachers in ``not_causal``."""

from __future__ import annotations

from typing import Any

import pandas as pd

from plneval.release.door_membership import MEMBERSHIP_TABLES

PARTS = {
    "type_of_networks": "results by type",
    "several_networks": "the spread of effects between networks and effects by conditions",
    "teachers_in_networks": "who takes part, and the share of a school's staff",
    "attendance": "dose: hours and meetings",
    "teaching": "telling direct from indirect effects on pupils",
    "surveys": "conditions, practice, policy and agency",
    "ties": "the structure of networks",
}
MANY: dict[str, list[tuple[Any, ...]]] = {
    "network_registry": [
        ("all", "", 18, 56, 18, 16, 1, 1, 3.111, 5.5),
        ("type", "lesson study", 10, 30, 10, 9, 0, 1, 3.0, 5.0),
        ("type", "other types", 8, 26, 8, 7, 1, 0, 3.25, 6.125),
        ("focus", "vocabulary", 2, 6, 2, 2, 0, 0, None, None),
    ],
    "network_overlap": [("first", 2, 8, 0, 0, True), ("strongest_dose", 2, 8, 5, 1, False), ("all", 2, 8, 8, 2, False)],
    "network_timeline": [
        ("", 2015, 13, 31, 4, 27, 0, 0),
        ("", 2016, 16, 40, 0, 10, 1, 0),
        ("", 2017, 18, 52, 0, 13, 2, 1),
        ("lesson study", 2015, 2, 6, 0, 6, 0, 0),
        ("lesson study", 2016, 3, 10, 0, 4, 0, 0),
        ("lesson study", 2017, 4, 13, 0, 3, 0, 0),
    ],
    "teacher_timeline": [(2015, 85, 85, 0), (2016, 105, None, None), (2017, 140, 50, 20)],
    "network_problems": [("share_over_one", "teaching", 10, "lessons with a share above 1 or below 0; rejected")],
    "network_structure": [
        (wave, year, measure, 15, 40, 105, 190, 0, middle + 0.02, 0.11, middle - 0.08, middle, middle + 0.1)
        for wave, year in ((1, 2016), (2, 2019))
        for measure, middle in (("density", 0.25), ("reciprocity", 0.37), ("mean_distance_km", 11.4))
    ],
    "network_tie_shares": [
        (1, 2016, "all", "all", None, None, 15, 40, 105, 790, 190, 0.237, 0.186, 0.298),
        (None, None, "all", "all", None, None, 15, 40, 105, 1560, 400, 0.256, 0.21, 0.3),
        (1, 2016, "school", "same_school", None, None, 15, 40, 105, 210, 100, 0.481, 0.39, 0.57),
        (1, 2016, "school", "other_school", None, None, 14, 39, 105, 580, 85, 0.149, 0.11, 0.2),
        (None, None, "school", "same_school", None, None, 15, 40, 105, 420, 210, 0.5, 0.43, 0.57),
        (None, None, "school", "other_school", None, None, 14, 39, 105, 1140, 190, 0.167, 0.14, 0.21),
        (None, None, "distance", "nearest", None, 11.0, 14, 35, 110, 500, 90, 0.183, 0.146, 0.228),
        (None, None, "distance", "farthest", 17.0, None, 6, 20, 70, 510, 65, 0.125, 0.073, 0.206),
        (None, None, "similarity", "middle", 0.62, 0.77, 2, 5, None, None, None, None, None, None),
        (1, 2016, "block", "near_alike", None, None, 9, 20, 50, 135, 20, 0.147, 0.075, 0.268),
        (1, 2016, "block", "far_unlike", None, None, 1, 4, None, None, None, None, None, None),
    ],
    "network_tie_contrasts": [
        ("school", "same_school", "other_school", 0.333, 0.28, 0.38, 14, 40, 39, 420, 210, 1140, 190),
        ("distance", "nearest", "farthest", 0.058, -0.01, 0.107, 5, 35, 20, 500, 90, 510, 65),
        ("similarity", "most_alike", "least_alike", None, None, None, 2, 5, 5, None, None, None, None),
    ],
    "network_exit_timing": [(0, 50, 0, 0.0, 1.0), (1, 50, 0, 0.0, 1.0), (2, 50, 6, 0.12, 0.88), (3, 2, 1, None, None)],
    "network_exits": [("joined", 50, 4.32), ("left", 8, 2.25), ("returned", 2, None), ("out_at_end", 6, 1.8)],
    "network_leavers": [
        ("maths", 0.235, 0.064, 0.171, 0.401, 0.419, 8, 42),
        ("enrolment", 222.9, 238.4, -15.5, 87.5, -0.175, 8, 42),
    ],
}
ONE: dict[str, list[tuple[Any, ...]]] = {
    "network_registry": [("all", "", 1, 26, 1, 0, 0, 0, None, None)],
    "network_overlap": [("first", 0, 0, 0, 0, True)],
    "network_timeline": [("", 2015, 1, 10, 0, 10, 0, 0), ("", 2016, 1, 19, 0, 10, 1, 0)],
    "network_exit_timing": [(0, 24, 0, 0.0, 1.0), (1, 24, 3, 0.125, 0.875)],
    "network_exits": [("joined", 24, 3.1), ("left", 3, 1.0), ("returned", 0, None), ("out_at_end", 3, 1.5)],
    "network_leavers": [("maths", 0.5, 0.9, -0.4, 1.0, -0.4, 3, 21)],
}


def membership_tables(variant: str) -> dict[str, pd.DataFrame]:
    """All tables; of the inconclusive variant empty ones."""
    rows = {"benefit": MANY, "not_causal": ONE, "inconclusive": {}}[variant]
    parts = [(part, variant == "benefit", needed) for part, needed in PARTS.items()]
    return {
        name: pd.DataFrame(rows.get(name, parts if name == "network_data" else []), columns=list(table.columns))
        for name, table in MEMBERSHIP_TABLES.items()
    }
