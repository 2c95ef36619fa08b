"""Released tables of the scorecard of sustainability, made by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd

from plneval.networks.sustainability import Evidence, scorecard
from plneval.release.door_lasting import LASTING_TABLES as TABLES
from plneval.standards import load

FOUND: dict[str, tuple[Any, ...]] = {
    "practice_participants": ("shown", "points", 0.34, 0.06, 0.61, 0.0, None, None, 15),
    "practice_colleagues": ("not_shown", "points", 0.05, -0.23, 0.33, 0.0, None, None, 15),
    "policy": ("not_shown", "points", None, None, None, 0.0, None, None, 14),
    "effect_third_year_on": ("shown", "sd", 0.12, 0.05, 0.18, 0.0, None, 110, None),
    "effect_trend": ("not_shown", "sd_a_year", -0.03, -0.07, 0.01, -0.02, None, 110, None),
}
"""Verdict, unit, value, interval, threshold, respondents, schools, networks; the policy's number is withheld."""
ABSENT = "The study holds nothing about this."


def lasting(variant: str) -> dict[str, pd.DataFrame]:
    """All of it in the benefit variant; elsewhere no criterion has data, and networks are not counted."""
    full = variant == "benefit"
    rows = []
    for one in load("sustainability").criteria:
        found = FOUND.get(one.key) if full else None
        unit = "share" if one.part == "agency" else "sd" if one.part == "outcomes" else "points"
        numbers = found or ("no_data", unit, *[None] * 7)
        networks = (2, 9, 7) if found else (0, 0, 18)
        head = (one.part, one.key, one.words, *numbers, None, "" if found else ABSENT)
        rows.append((*head, *(networks if full else (None, None, None))))
    card = pd.DataFrame(rows, columns=list(TABLES["sustainability"].columns))
    card["value_suppressed"] = (card["criterion"] == "policy") & full
    card["ci_low_suppressed"] = card["value_suppressed"]
    degrees = pd.DataFrame(
        [
            (one.degree, one.name, one.words, one.degree == int(full), (15, 3, 0, 0)[one.degree] if full else None)
            for one in load("sustainability").degrees
        ],
        columns=list(TABLES["sustainability_degrees"].columns),
    )
    assert set(card["criterion"]) == set(scorecard(Evidence(), [])["criterion"])
    return {
        name: _typed(name, frame) for name, frame in (("sustainability", card), ("sustainability_degrees", degrees))
    }


def _typed(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    for column, kind in TABLES[name].columns.items():
        if kind in ("people", "schools", "count", "integer"):
            frame[column] = pd.array(frame[column].tolist(), dtype="Int64")
        elif kind == "estimate":
            frame[column] = frame[column].astype("float64")
    return frame
