"""Restricted tables of the scorecard of sustainability, with a criterion of few respondents and one of few schools."""

from __future__ import annotations

import pandas as pd

from plneval.release.door_lasting import LASTING_TABLES as TABLES

NA = None
NONE = (NA, NA, NA, NA)
REST = ("", 2, 5, 3)
"""No reason is needed; in how many networks the criterion is shown, not shown, without data."""
ABSENT = ("The study holds no record of what networks made.", 0, 0, 10)
ROWS: dict[str, list[tuple[object, ...]]] = {
    "sustainability": [
        ("practice", "practice_participants", "Lasts", "shown", "points", 0.41234, 0.1, 0.7, 0.0, NA, NA, 8, NA, *REST),
        ("practice", "policy", "Policy lasts", "not_shown", "points", 0.2, -0.1, 0.5, 0.0, 7, NA, NA, NA, *REST),
        ("outcomes", "effect_third_year_on", "Effect", "shown", "sd", 0.12, 0.02, 0.22, 0.0, NA, 112, NA, NA, *REST),
        ("outcomes", "effect_after_leaving", "Left", "not_shown", "sd", 0.1, -0.1, 0.3, 0.0, NA, 2, NA, NA, *REST),
        ("agency", "products_used", "Used", "no_data", "share", *NONE, NA, NA, NA, 0, *ABSENT),
    ],
    "sustainability_degrees": [
        (0, "none", "no criterion is shown", False, 4),
        (1, "begun", "some criterion is shown", True, 6),
        (2, "broad", "some criterion of each part is shown", False, 0),
        (3, "full", "every criterion is shown", False, 0),
    ],
}


def lasting() -> dict[str, pd.DataFrame]:
    return {name: pd.DataFrame(rows, columns=list(TABLES[name].columns)) for name, rows in ROWS.items()}
