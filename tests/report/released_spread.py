"""Released tables about surveys, spread, moderation and mediation, made by hand for the three variants."""

from __future__ import annotations

from typing import Any

import pandas as pd
from released_records import _record, _records_frame

from plneval.release.door import TABLES

NOTE = "The items are made up and have not been validated."
ROWS: dict[str, list[list[object]]] = {
    "survey_instrument": [
        ["Northbridge questionnaire", NOTE, "conditions", "Conditions (short form)", 6, True],
        ["Northbridge questionnaire", NOTE, "practice", "Teaching practice", 4, True],
        ["Northbridge questionnaire", NOTE, "policy", "Policy of the school", 3, False],
    ],
    "survey_scales": [
        [
            "conditions",
            "1",
            "focus",
            "Shared focus",
            "condition",
            50,
            18,
            3,
            3.44,
            0.86,
            0.79,
            0.66,
            0.87,
            0.79,
            0.55,
            "",
            "met",
        ],
        [
            "conditions",
            "1",
            "learning",
            "Learning",
            "condition",
            50,
            18,
            3,
            3.1,
            0.8,
            0.55,
            0.3,
            0.7,
            None,
            0.3,
            "",
            "below",
        ],
        [
            "practice",
            "1",
            "practice",
            "Teaching practice",
            "practice",
            60,
            18,
            4,
            3.4,
            0.7,
            0.75,
            0.6,
            0.8,
            0.75,
            0.4,
            "",
            "met",
        ],
    ],
    "survey_items": [
        ["conditions", "1", "focus", "focus_1", "We work on one question.", False, 50, 18, 3.5, 1.1, 0.86, 0.67, 0.67],
        ["conditions", "1", "focus", "focus_2r", "We drift.", True, None, 18, None, None, None, None, None],
    ],
    "survey_agreement": [
        [
            "conditions",
            "1",
            "focus",
            "Shared focus",
            "network",
            8,
            50,
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
        ],
        [
            "conditions",
            "1",
            "focus",
            "Shared focus",
            "school",
            18,
            50,
            0.6,
            0.4,
            0.8,
            0.8,
            0.6,
            0.9,
            0.69,
            "",
            "met",
            "below",
        ],
    ],
    "survey_factor_model": [
        ["conditions", "1", "sample_too_small", 50, 18, 40, 200, 80, *[None] * 10],
        ["practice", "1", "fitted", 140, 40, 8, 100, 2, 1.2, 0.55, 1.0, 1.0, 0.0, 0.0, 0.13, 0.015, 0.6, None],
    ],
    "survey_notes": [["role_not_asked", "conditions", "1", 25, "the respondent's role is not asked: left out"]],
    "practice_waves": [
        [
            "practice",
            wave,
            "practice",
            "Teaching practice",
            "practice",
            role,
            2013 + 3 * int(wave),
            mean,
            mean - 0.2,
            mean + 0.2,
            0.7,
            *change,
            60,
            18,
            8,
            8 if change[0] is not None else None,
            5 if role == "participant" else 0,
        ]
        for role, base in (("participant", 3.4), ("colleague", 3.2))
        for wave, mean, change in (("1", base, (None,) * 3), ("2", base + 0.2, (0.2, -0.1, 0.5)))
    ],
    "network_caterpillar": [
        ["spread_maths", place + 1, -0.03 + 0.04 * place, -0.12 + 0.04 * place, 0.08 + 0.04 * place, 3, ""]
        for place in range(6)
    ],
    "moderation_conditions": [
        [
            "moderation_maths",
            "condition",
            "focus",
            "Shared focus",
            "estimated",
            "",
            0.05,
            -0.02,
            0.12,
            0.03,
            -0.02,
            0.08,
            0.27,
            0.54,
            0.4,
            0.85,
            0.04,
            "during",
            16,
            40,
            "measured more than a year after joining",
        ],
        [
            "moderation_maths",
            "condition",
            "learning",
            "Learning",
            "refused",
            "first measured after the outcome in 3 of 16 networks: refused as a moderator",
            *[None] * 11,
            "",
            None,
            None,
            "",
        ],
        [
            "moderation_maths",
            "structure",
            "density",
            "Density of ties",
            "estimated",
            "",
            None,
            None,
            None,
            -0.01,
            -0.08,
            0.05,
            0.65,
            0.65,
            0.65,
            None,
            0.04,
            "before_or_early",
            16,
            40,
            "",
        ],
    ],
    "mediation_sensitivity": [
        ["practice_path_maths", "adjusted", rho, 0.01 - 0.1 * rho, -0.02 - 0.1 * rho, 0.04 - 0.1 * rho, 36]
        for rho in (-0.5, 0.0, 0.5)
    ],
}


MODELS: dict[str, Any] = {
    name: {"outcome": "maths", "subgroup": "all", "confidence": 0.95}
    for name in ("spread_maths", "moderation_maths", "practice_path_maths")
}


def spread_records() -> pd.DataFrame:
    """Records of the three models, of 9 networks."""
    own = {"role": "exploratory", "n_schools": 90, "n_networks": 9, "clusters_treated": 9}
    of_spread = own | {
        "model": "spread_maths",
        "label": "Mathematics, how far the effect differs between networks",
        "estimator": "networks.spread",
    }
    slopes = own | {
        "model": "moderation_maths",
        "label": "Mathematics, networks' effects by conditions",
        "estimator": "networks.moderation",
    }
    path = own | {
        "model": "practice_path_maths",
        "label": "Mathematics, the path over teachers' practice",
        "estimator": "networks.mediation",
        "term": "practice",
    }
    return _records_frame(
        [
            _record(estimand="network_effect_mean", estimate=0.09, se=0.03, **of_spread),
            _record(estimand="between_network_sd", estimate=0.05, ci_low=0.0, ci_high=0.116, **of_spread),
            _record(estimand="att_new_network", estimate=0.09, ci_low=-0.05, ci_high=0.21, **of_spread),
            _record(estimand="networks_below_zero", estimate=0.04, ci_low=0.0, ci_high=0.31, **of_spread),
            _record(estimand="moderation_slope", term="focus", estimate=0.05, se=0.03, **slopes),
            _record(estimand="moderation_slope_naive", term="focus", estimate=0.03, se=0.02, **slopes),
            _record(estimand="path_indirect", estimate=0.01, ci_low=-0.02, ci_high=0.04, **path),
            _record(estimand="path_indirect_naive", estimate=0.006, ci_low=-0.01, ci_high=0.02, **path),
            _record(estimand="path_reliability", estimate=0.6, se=0.1, **path),
            _record(estimand="path_total", estimate=0.05, ci_low=-0.02, ci_high=0.14, **path),
        ]
    )


def spread(variant: str) -> dict[str, pd.DataFrame]:
    """Released tables; a study without surveys and with one network has none of them."""
    found = {}
    for name, rows in ROWS.items():
        kinds = TABLES[name].columns
        frame = pd.DataFrame(rows if variant == "benefit" else [], columns=list(kinds))
        for column, kind in kinds.items():
            if kind in ("people", "schools", "count", "integer", "year"):
                frame[column] = pd.array(frame[column].tolist(), dtype="Int64")
            elif kind in ("estimate", "share"):
                frame[column] = frame[column].astype("float64")
        found[name] = frame
    return found
