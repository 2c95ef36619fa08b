"""Data of the figures about parts of the member schools and about what lasts."""

from __future__ import annotations

from typing import Final

import pandas as pd

from plneval.report.load import Released

PART: Final = "att_split"


def splits(released: Released) -> pd.DataFrame:
    """Effects from the third year on by part of the member schools, as far as they may be shown.

    Columns: model, by, part, estimate, ci_low, ci_high, n_schools, overall (the headline's estimate, missing for
    another outcome than the headline's), unit.
    """
    records = released["records"]
    rows = records[(records["estimand"] == PART) & records["estimate"].notna()]
    terms = rows["term"].astype("str").str.partition(":")
    headline = released.headline
    known = headline is not None and headline.get("estimate") is not None
    overall = float(headline["estimate"]) if headline is not None and known else float("nan")
    data = pd.DataFrame(
        {
            "model": rows["model"],
            "by": terms[0] if len(rows) else pd.Series(dtype="str"),
            "part": terms[2] if len(rows) else pd.Series(dtype="str"),
            "estimate": rows["estimate"],
            "ci_low": rows["ci_low"],
            "ci_high": rows["ci_high"],
            "n_schools": rows["n_schools"],
            "overall": [
                overall if outcome == released.headline_outcome else float("nan") for outcome in rows["outcome"]
            ],
            "unit": [released.unit(name) for name in rows["model"]],
        }
    )
    return data.reset_index(drop=True)


def sustainability_radar(released: Released) -> pd.DataFrame:
    """Ten criteria of sustainability with what was found of each.

    Columns: part, criterion, label, verdict, networks_shown, networks_not_shown, networks_no_data.
    """
    networks = ["networks_shown", "networks_not_shown", "networks_no_data"]
    return released["sustainability"][["part", "criterion", "label", "verdict", *networks]].reset_index(drop=True)


EQUITY_FIGURES: Final = {"splits": splits, "sustainability_radar": sustainability_radar}
"""Figures of these parts, by the name of their CSV file."""
