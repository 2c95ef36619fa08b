"""Questionnaires with many scales: one row a scale, in one wave, with reliability, items and agreement side by side."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from plneval.report import formats
from plneval.report.load import Released
from plneval.report.tables import counts, intervals, numbers, texts

MOST_SCALES: Final = 6
"""Scales of a questionnaire that is shown wave by wave and item by item; those with more would fill pages."""
WIDTHS: Final = {
    "Scale": 18.0,
    "Items": 7.5,
    "People": 8.5,
    "Mean": 6.5,
    "SD": 6.5,
    "Alpha": 7.5,
    "Interval": 15.0,
    "Omega": 7.5,
    "With the rest": 15.0,
    "ICC(1)": 8.5,
    "ICC(2)": 8.5,
    "r_wg": 6.5,
}
"""Relative widths of the columns, in which intervals stay on one line."""


def without_long(released: Released, name: str) -> pd.DataFrame:
    """The rows of a table of surveys that are not about a questionnaire with many scales."""
    table = released[name]
    return table[~table["form"].isin(_long(released))]


def tables_of_scales(released: Released) -> list[tuple[str, pd.DataFrame]]:
    """Caption and table of every questionnaire with many scales, in the wave that most people answered."""
    found = []
    for form in _long(released):
        every = released["survey_scales"]
        own = every[every["form"] == form]
        wave = own.sort_values("n", ascending=False, kind="stable")["wave"].iloc[0]
        caption = (
            f"{form_label(released, form)}, wave {wave}: mean in points, reliability, correlations of items with the "
            "rest of their scale, and agreement within networks (all waves and items: data files of this report)."
        )
        found.append((caption, _scales(released, own[own["wave"] == wave])))
    return found


def form_label(released: Released, form: str) -> str:
    """The name of a questionnaire in reports."""
    table = released["survey_instrument"]
    named = table.loc[table["form"] == form, "label"]
    return formats.word(named.iloc[0]) if len(named) else formats.sentence_case(form)


def _long(released: Released) -> list[str]:
    """Questionnaires with many scales, in order."""
    table = released["survey_scales"]
    scales = table.groupby("form", sort=False)["scale"].nunique()
    return [str(form) for form in scales.index[scales > MOST_SCALES]]


def _scales(released: Released, scales: pd.DataFrame) -> pd.DataFrame:
    form, wave = scales.iloc[0][["form", "wave"]]
    items, agreed = released["survey_items"], released["survey_agreement"]
    items = items[(items["form"] == form) & (items["wave"] == wave)]
    agreed = agreed[(agreed["form"] == form) & (agreed["wave"] == wave) & (agreed["level"] == "network")]
    agreed = agreed.set_index("scale").reindex(scales["scale"])
    return pd.DataFrame(
        {
            "Scale": texts(scales["label"]),
            "Items": counts(scales, "k"),
            "People": counts(scales, "n"),
            "Mean": numbers(scales, "mean"),
            "SD": numbers(scales, "sd"),
            "Alpha": numbers(scales, "alpha"),
            "Interval": intervals(scales, "alpha_low", "alpha_high"),
            "Omega": numbers(scales, "omega_total"),
            "With the rest": [_range(items[items["scale"] == scale]) for scale in scales["scale"]],
            "ICC(1)": numbers(agreed, "icc1"),
            "ICC(2)": numbers(agreed, "icc2"),
            "r_wg": numbers(agreed, "r_wg_j_median"),
        }
    )


def _range(items: pd.DataFrame) -> str:
    """Least and largest correlation of an item with the rest of its scale; ``c`` where one was suppressed."""
    hidden: Any = items.get("r_drop_suppressed", pd.Series(dtype="bool"))
    if hidden.fillna(False).any():
        return formats.SUPPRESSED
    known = items["r_drop"].dropna()
    return formats.interval(known.min(), known.max()) if len(known) else formats.MISSING
