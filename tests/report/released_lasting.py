"""Released tables of the scorecard of sustainability and of products, made by hand."""

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
    "products_used": ("shown", "share", 0.725, None, None, 0.5, None, 54, 18),
}
"""Verdict, unit, value, interval, threshold, respondents, schools, networks; the policy's number is withheld."""
PRODUCTS = (76, 2)
"""Products of which it is known whether they are used, and of which not."""
PLANTED = {"practice_participants": (0.29, True), "products_used": (0.725, None)}
USE = [
    (by, time, what, 18, 54, 78, known, share)
    for by, time, shares in (
        ("year", 2018, (0.783, 0.364)),
        ("year", 2019, (0.716, 0.338)),
        ("years_since_recorded", 0, (0.959, 0.473)),
        ("years_since_recorded", 4, (None, 0.105)),
    )
    for what, known, share in zip(("used", "improved"), (69, 66), shares, strict=True)
]
ABSENT = "The study holds nothing about this."


def lasting(variant: str) -> dict[str, pd.DataFrame]:
    """All of it in the benefit variant; elsewhere no criterion has data, and networks are not counted."""
    full = variant == "benefit"
    rows = []
    for one in load("sustainability").criteria:
        found = FOUND.get(one.key) if full else None
        unit = "share" if one.part == "agency" else "sd" if one.part == "outcomes" else "points"
        products = PRODUCTS if found and one.key == "products_used" else (None, None)
        numbers = found or ("no_data", unit, *[None] * 7)
        networks = (2, 9, 7, 11) if found else (0, 0, 18, 18)
        planted = PLANTED.get(one.key, (None, None)) if full else (None, None)
        head = (one.part, one.key, one.words, *numbers, *products, "" if found else ABSENT)
        rows.append((*head, *(networks if full else (None, None, None, None)), *planted))
    card = pd.DataFrame(rows, columns=list(TABLES["sustainability"].columns))
    card["value_suppressed"] = (card["criterion"] == "policy") & full
    card["ci_low_suppressed"] = card["value_suppressed"]
    card["covered"] = card["covered"].astype("boolean")
    degrees = pd.DataFrame(
        [
            (one.degree, one.name, one.words, one.degree == int(full), (15, 3, 0, 0)[one.degree] if full else None, 18)
            for one in load("sustainability").degrees
        ],
        columns=list(TABLES["sustainability_degrees"].columns),
    )
    use = pd.DataFrame(USE if full else [], columns=list(TABLES["product_use"].columns))
    use["share_suppressed"] = use["share"].isna()
    assert set(card["criterion"]) == set(scorecard(Evidence(), [])["criterion"])
    return {
        name: _typed(name, frame)
        for name, frame in (("sustainability", card), ("sustainability_degrees", degrees), ("product_use", use))
    }


def _typed(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    for column, kind in TABLES[name].columns.items():
        if kind in ("people", "schools", "count", "integer"):
            frame[column] = pd.array(frame[column].tolist(), dtype="Int64")
        elif kind in ("estimate", "share"):
            frame[column] = frame[column].astype("float64")
    return frame
