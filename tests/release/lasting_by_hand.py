"""Restricted tables of the scorecard of sustainability, with criteria of few respondents, schools and networks."""

from __future__ import annotations

import pandas as pd

from plneval.release.door_lasting import LASTING_TABLES as TABLES

NA = None
REST = (NA, "", 2, 5, 3, 7, NA, NA)
"""No products; no reason is needed; in how many networks the criterion is shown, not shown, without data; how many
networks these counts rest on; nothing is planted."""
PLANTED = (*REST[:-2], 0.3, True)
FEW = (NA, "", 1, 1, 8, 2, NA, NA)
"""Of ten networks two have data: each of them could tell the other's result."""
ROWS: dict[str, list[tuple[object, ...]]] = {
    "sustainability": [
        (
            "practice",
            "practice_participants",
            "Lasts",
            "shown",
            "points",
            0.41234,
            0.1,
            0.7,
            0.0,
            NA,
            NA,
            8,
            NA,
            *PLANTED,
        ),
        ("practice", "policy", "Policy lasts", "not_shown", "points", 0.2, -0.1, 0.5, 0.0, 7, NA, NA, NA, *REST),
        ("outcomes", "effect_third_year_on", "Effect", "shown", "sd", 0.12, 0.02, 0.22, 0.0, NA, 112, NA, NA, *FEW),
        ("outcomes", "effect_after_leaving", "Left", "not_shown", "sd", 0.1, -0.1, 0.3, 0.0, NA, 2, NA, NA, *REST),
        ("agency", "products_used", "Used", "shown", "share", 0.7, NA, NA, 0.5, NA, 30, 8, 40, 2, *REST[1:]),
        ("agency", "products_improved", "Improved", "shown", "share", 1.0, NA, NA, 0.5, NA, 5, 2, 6, 0, *FEW[1:]),
    ],
    "sustainability_degrees": [
        (0, "none", "no criterion is shown", False, 4, 10),
        (1, "begun", "some criterion is shown", True, 6, 10),
        (2, "broad", "some criterion of each part is shown", False, 0, 10),
        (3, "full", "every criterion is shown", False, 0, 10),
    ],
    "product_use": [
        ("year", 2016, "used", 2, 6, 7, 7, 0.857),
        ("year", 2016, "improved", 5, 2, 12, 12, 0.5),
        ("year", 2017, "used", 6, 20, 24, 22, 0.81818),
        ("years_since_recorded", 0, "used", NA, 9, 24, 22, 0.95),
    ],
}


def lasting() -> dict[str, pd.DataFrame]:
    return {name: pd.DataFrame(rows, columns=list(TABLES[name].columns)) for name, rows in ROWS.items()}
