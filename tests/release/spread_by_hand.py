"""Restricted tables about surveys, spread, moderation and mediation, with small counts and thin networks in them."""

from __future__ import annotations

import pandas as pd

from plneval.release.door_spread import SPREAD_TABLES as TABLES

NAN = float("nan")
ROWS: dict[str, list[tuple[object, ...]]] = {
    "survey_instrument": [("A questionnaire", "Not validated.", "conditions", "Conditions", 6, True)],
    "survey_scales": [
        (
            "conditions",
            "1",
            "focus",
            "Shared focus",
            "condition",
            52,
            18,
            3,
            3.44,
            0.8,
            0.7,
            0.6,
            0.8,
            0.7,
            0.5,
            "",
            "met",
        ),
        (
            "conditions",
            "2",
            "focus",
            "Shared focus",
            "condition",
            6,
            4,
            3,
            3.1,
            0.8,
            0.6,
            0.2,
            0.9,
            0.6,
            0.4,
            "",
            "below",
        ),
        ("policy", "1", "policy", "Policy", "policy", 12, 2, 3, 3.1, 0.8, 0.6, 0.2, 0.9, 0.6, 0.4, "", "below"),
    ],
    "survey_items": [
        ("conditions", "1", "focus", "focus_1", "We work on one question.", False, 52, 18, 3.5, 1.1, 0.8, 0.6, 0.6)
    ],
    "survey_agreement": [
        (
            "conditions",
            "1",
            "focus",
            "Shared focus",
            "network",
            8,
            52,
            0.6,
            0.4,
            0.9,
            0.9,
            0.8,
            0.98,
            0.89,
            "",
            "met",
            "met",
        )
    ],
    "survey_factor_model": [("conditions", "1", "sample_too_small", 49, 18, 40, 200, 80, *[NAN] * 10)],
    "survey_notes": [("role_not_asked", "conditions", "1", 3, "the respondent's role is not asked: left out")],
    "practice_waves": [
        (
            "practice",
            "1",
            "practice",
            "Practice",
            "practice",
            "participant",
            2016,
            3.4,
            3.2,
            3.6,
            0.7,
            *[NAN] * 3,
            60,
            18,
            8,
            None,
            5,
        ),
        (
            "practice",
            "2",
            "practice",
            "Practice",
            "practice",
            "participant",
            2019,
            3.5,
            3.3,
            3.7,
            0.7,
            0.1,
            -0.1,
            0.3,
            61,
            18,
            8,
            2,
            5,
        ),
    ],
    "network_caterpillar": [
        ("cs_maths", place + 1, 0.01 * place, 0.01 * place - 0.1, 0.01 * place + 0.1, schools, "")
        for place, schools in enumerate((4, 2, 3, 5, 3, 6))
    ],
    "moderation_conditions": [
        (
            "cs_maths",
            "condition",
            "focus",
            "Shared focus",
            "estimated",
            "",
            *[0.01] * 9,
            0.8,
            0.04,
            "during",
            16,
            40,
            "",
        ),
        ("cs_maths", "condition", "trust", "Trust", "estimated", "", *[0.01] * 9, 0.8, 0.04, "during", 2, 5, ""),
    ],
    "mediation_sensitivity": [("cs_maths", "naive", 0.1, 0.01, -0.02, 0.03, 36)],
}


def spread() -> dict[str, pd.DataFrame]:
    return {name: pd.DataFrame(rows, columns=list(TABLES[name].columns)) for name, rows in ROWS.items()}
