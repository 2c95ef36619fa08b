"""Restricted tables about exposure, diffusion, dose and contamination, with small counts and thin results in them."""

from __future__ import annotations

import pandas as pd

from plneval.release.door import TABLES

ROWS: dict[str, list[tuple[object, ...]]] = {
    "exposure_by_event_time": [
        ("maths", 0, 40, 4003, 7, 0.4234567, 0.41),
        # 0.998 of 2001 leaves four pupils who were not taught by a participant.
        ("maths", 1, 40, 2001, 0, 0.998, 0.41),
        ("maths", 2, 2, 812, 0, 0.43, 0.42),
    ],
    "exposure_separability": [("maths", True, "linked", "Mathematics: every score in schools that joined has one.")],
    "own_exposure": [("maths", 0, 40, 4010, 1.1, 0.42, 0.0, 0.1), ("maths", 1, 2, 812, 1.8, 0.8, 0.3, 0.1)],
    "phase_changes": [
        ("maths", "joined", "not_joined", 12, 7, 1.5, 0.7),
        ("maths", "joined", "joined", 9, 52, 1.6, 0.8),
    ],
    "teacher_intensity": [(0, 40, 38, 2.7, 7.2, 0.3765432, 0.05), (5, 3, 2, 2.5, 7.0, 0.36, 0.01)],
    "network_attendance": [(0, 40, 38, 5.1, 0.98, 2.7, 33.0, 12.1), (5, 3, 2, 5.0, 0.9, 2.5, 30.0, 12.0)],
    "dose_by_event_time": [(0, "low", 20, 7.8, 0.0, 10.5), (0, "high", 2, 17.4, 14.2, float("nan"))],
    "contamination": [(2015, 60, 60, 2.9, 4.8, 3.0, 17, 2, "none", 4, 7, 40, 1, 2)],
    "mobilisation": [
        ("cs_maths", None, 0.4, "bounded", -0.2, 0.9, None, None, 110, 20),
        ("cs_maths", 5, 0.1, "outside", None, None, 0.8, 5.0, 40, 2),
    ],
    "doubtful_comparison": [
        ("cs_maths", "all", "estimated", 0.12, 0.03, 0.05, 0.19, 0.001, 60, None, 50, None, None),
        ("cs_maths", "without_near", "estimated", 0.13, 0.04, 0.05, 0.21, 0.002, 43, 17, 50, None, 17),
        ("cs_maths", "without_later", "estimated", 0.11, 0.03, 0.05, 0.17, 0.002, 58, 2, 50, None, 2),
        ("cs_maths", "without_other", "nothing_left_out", None, None, None, None, None, 60, None, 50, None, None),
        # 18 schools are enough, and one of them is the only one that the 17 near ones do not tell.
        ("cs_maths", "without_any", "estimated", 0.1, 0.03, 0.05, 0.15, 0.002, 42, 18, 50, None, 1),
        ("cs_maths", "without_other_in_either", "estimated", 0.1, 0.03, 0.05, 0.15, 0.002, 52, 8, 48, 2, 4),
    ],
}


def exposure() -> dict[str, pd.DataFrame]:
    return {name: pd.DataFrame(rows, columns=list(TABLES[name].columns)) for name, rows in ROWS.items()}
