"""The data behind the figures of ties, and their tables: shares of possible ties, pooled over networks."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from plneval.report import formats
from plneval.report.load import Released, rows_of
from plneval.report.tables import counts, intervals, shares

BLOCKS = {
    "same_school": "Same school",
    "near_alike": "Near, alike",
    "near_unlike": "Near, unlike",
    "far_alike": "Far, alike",
    "far_unlike": "Far, unlike",
    "near": "Near",
    "far": "Far",
    "alike": "Alike",
    "unlike": "Unlike",
}
"""Whom a participant may turn to: people of one's own school, and of others by how near and how alike they are."""
BANDS = {
    ("school", "same_school"): "Same school",
    ("school", "other_school"): "Another school",
    ("distance", "nearest"): "Nearest third",
    ("distance", "middle"): "Middle third",
    ("distance", "farthest"): "Farthest third",
    ("similarity", "most_alike"): "Most alike third",
    ("similarity", "middle"): "Middle third",
    ("similarity", "least_alike"): "Least alike third",
}
_CONTRASTS = {
    "school": "the same school rather than another",
    "distance": "the nearest third of other schools rather than the farthest",
    "similarity": "the most alike third of other schools rather than the least alike",
}


def tie_blocks(released: Released) -> pd.DataFrame:
    """Shares of possible ties from a participant to others of the network, by wave; also those that are not shown.

    Columns: wave, year, to (a key of ``BLOCKS``), n_pairs, share, ci_low, ci_high.
    """
    table = released["network_tie_shares"]
    rows = table[table["wave"].notna() & (table["basis"].isin(["school", "block"])) & table["band"].isin(BLOCKS)]
    data = rows.rename(columns={"band": "to"})[["wave", "year", "to", "n_pairs", "share", "ci_low", "ci_high"]]
    order = data["to"].map({name: place for place, name in enumerate(BLOCKS)})
    # A graph with one line, or without any that may be shown, says nothing.
    if data["to"].nunique() < 2 or data["share"].notna().sum() < 2:
        return data.iloc[:0]
    return data.assign(_order=order).sort_values(["wave", "_order"]).drop(columns="_order").reset_index(drop=True)


def tie_bands(released: Released) -> pd.DataFrame:
    """Shares of possible ties over all waves, by school and by thirds of distance and of similarity.

    Columns: basis, band, above, up_to (km, or similarity from 0 to 1), n_networks, n_pairs, share, ci_low, ci_high.
    """
    table = released["network_tie_shares"]
    rows = table[table["wave"].isna() & table["share"].notna()]
    columns = ["basis", "band", "above", "up_to", "n_networks", "n_pairs", "share", "ci_low", "ci_high"]
    keys = {key: place for place, key in enumerate(BANDS)}
    order = pd.Series([keys.get(key, -1) for key in zip(rows["basis"], rows["band"], strict=True)], index=rows.index)
    return rows.loc[order[order >= 0].sort_values().index, columns].reset_index(drop=True)


def limits(row: object) -> str:
    """The limits of a band in words; empty where it has none."""
    above, up_to = (getattr(row, name) for name in ("above", "up_to"))
    unit = " km" if getattr(row, "basis", "") == "distance" else ""
    low, high = (f"{float(end):g}{unit}" if not pd.isna(end) else "" for end in (above, up_to))
    if low and high:
        return f"{float(above):g} to {high}"
    return f"above {low}" if low else f"up to {high}" if high else ""


def bands_table(released: Released) -> pd.DataFrame:
    """Shares of possible ties by band, over all waves."""
    table = released["network_tie_shares"]
    rows = table[table["wave"].isna() & (table["basis"] != "all")]
    keys = list(zip(rows["basis"], rows["band"], strict=True))
    rows = rows.iloc[sorted(range(len(rows)), key=lambda place: list(BANDS).index(keys[place]))]
    return pd.DataFrame(
        {
            "People of": [BANDS[str(row.basis), str(row.band)] for row in rows_of(rows)],
            "Limits": [limits(row) for row in rows_of(rows)],
            "Networks": counts(rows, "n_networks"),
            "People": counts(rows, "n_people"),
            "Possible ties": counts(rows, "n_pairs"),
            "Share that exists": shares(rows, "share"),
            "Interval": intervals(rows, "ci_low", "ci_high"),
        }
    )


def contrast_sentences(released: Released) -> list[str]:
    """Whether people turn more to those of the same, nearer or more similar schools, each with its interval."""
    sentences = []
    for row in rows_of(released["network_tie_contrasts"]):
        what = _CONTRASTS[str(row.basis)]
        if formats.is_missing(row.difference):
            sentences.append(f"Whether people turn more to those of {what} may not be shown.")
            continue
        gap = formats.number(100 * float(row.difference), 0, signed=True)
        if formats.is_missing(row.ci_low):
            sentences.append(f"To those of {what}: {gap} of 100 possible ties, without interval.")
            continue
        finding = (
            "people turn to them more"
            if row.ci_low > 0
            else "people turn to them less"
            if row.ci_high < 0
            else "no difference can be told from chance"
        )
        span = formats.interval(100 * float(row.ci_low), 100 * float(row.ci_high), 0)
        sentences.append(f"To those of {what}: {gap} of 100 possible ties ({span}), so that {finding}.")
    return sentences


TIE_FIGURES: dict[str, Callable[[Released], pd.DataFrame]] = {"tie_blocks": tie_blocks, "tie_bands": tie_bands}
"""Figures by the name of their CSV file."""
