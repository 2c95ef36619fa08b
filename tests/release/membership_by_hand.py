"""Restricted tables about membership, structure and leaving, made by hand: one type of network has two schools."""

from __future__ import annotations

import pandas as pd

from plneval.release.door_membership import MEMBERSHIP_TABLES

ROWS: dict[str, list[tuple[object, ...]]] = {
    "network_data": [("ties", True, "the structure of networks")],
    "network_registry": [
        ("all", "", 13, 34, 12, 5, 1, 0, 2.6153846, 4.5),
        ("type", "lesson study", 10, 30, 9, 5, 0, 0, 3.0, 4.8),
        ("type", "St Mary's own circle", 1, 2, 1, 0, 0, 0, 2.0, 3.0),
        ("type", "the two of us", 2, 2, 2, 0, 1, 0, 1.0, 3.75),
    ],
    "network_overlap": [("first", 2, 8, 0, 0, True), ("strongest_dose", 2, 8, 5, 1, False), ("all", 2, 8, 8, 2, False)],
    "network_timeline": [
        ("", 2015, 13, 34, 0, 34, 0, 0),
        ("", 2016, 13, 33, 0, 0, 1, 0),
        ("lesson study", 2015, 10, 30, 0, 30, 0, 0),
        ("lesson study", 2016, 10, 30, 0, 0, 0, 0),
        ("St Mary's own circle", 2015, 1, 2, 0, 2, 0, 0),
        ("St Mary's own circle", 2016, 1, 2, 0, 0, 0, 0),
        ("the two of us", 2015, 2, 2, 0, 2, 0, 0),
        ("the two of us", 2016, 2, 1, 0, 0, 1, 0),
    ],
    "teacher_timeline": [(2015, 83, 83, 0), (2016, 107, 30, 6), (2017, 101, 13, 19)],
    "network_problems": [("share_over_one", "teaching", 4, "lessons with a share above 1; rejected")],
    "network_structure": [
        (1, 2016, "density", 15, 40, 107, 188, 4, 0.2918777, 0.11, 0.23, 0.25, 0.34),
        (2, 2019, "density", 2, 5, 9, 8, 0, 0.4, 0.1, 0.35, 0.4, 0.45),
        (3, 2020, "density", 3, 7, 21, 20, 0, 0.4, 0.1, 0.35, 0.4, 0.45),
        (4, 2021, "density", 7, 20, 55, 80, 0, 0.4, 0.1, 0.35, 0.4, 0.45),
        (5, 2022, "density", 8, 24, 60, 90, 0, 0.4, 0.1, 0.35, 0.4, 0.45),
    ],
    "network_tie_shares": [
        (1, 2016, "all", "all", None, None, 15, 40, 107, 400, 188, 0.47, 0.4, 0.54),
        (2, 2019, "all", "all", None, None, 2, 5, 12, 30, 8, 0.2667, 0.1, 0.5),
        (None, None, "all", "all", None, None, 15, 41, 110, 430, 196, 0.4558, 0.39, 0.53),
        (1, 2016, "school", "same_school", None, None, 15, 40, 107, 90, 60, 0.6667, 0.5, 0.8),
        (1, 2016, "school", "other_school", None, None, 14, 39, 105, 310, 128, 0.4129, 0.3, 0.5),
        (None, None, "distance", "nearest", None, 11.0, 14, 35, 108, 200, 101, 0.505, 0.4, 0.6),
        (None, None, "distance", "farthest", 17.0, None, 6, 20, 70, 110, 9, 0.0818, 0.05, 0.13),
        (1, 2016, "block", "near_alike", None, None, 9, 20, 48, 100, 40, 0.4, 0.3, 0.5),
        # Two networks only: 310 − 100 − 90 − 80 would give their 40 pairs.
        (1, 2016, "block", "near_unlike", None, None, 2, 5, 13, 40, 17, 0.425, 0.3, 0.6),
        (1, 2016, "block", "far_alike", None, None, 6, 16, 44, 90, 38, 0.4222, 0.3, 0.5),
        (1, 2016, "block", "far_unlike", None, None, 5, 15, 43, 80, 33, 0.4125, 0.3, 0.5),
    ],
    "network_tie_contrasts": [("distance", "nearest", "farthest", 0.423, 0.3, 0.5, 5, 35, 20, 200, 101, 110, 9)],
    "network_exit_timing": [(0, 50, 0, 0.0, 1.0), (2, 50, 6, 0.12, 0.88), (5, 2, 1, 0.5, 0.44)],
    "network_exits": [("joined", 50, 4.32), ("left", 8, 2.25), ("returned", 2, 1.0), ("out_at_end", 6, 1.8)],
    "network_leavers": [("maths", 0.235, 0.064, 0.171, 0.401, 0.4189012, 8, 42)],
}


def membership_tables() -> dict[str, pd.DataFrame]:
    return {name: pd.DataFrame(rows, columns=list(MEMBERSHIP_TABLES[name].columns)) for name, rows in ROWS.items()}
