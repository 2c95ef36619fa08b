"""The data behind the figures of membership, leaving and structure."""

from __future__ import annotations

import pandas as pd

from plneval.report.load import Released


def members_over_time(released: Released) -> pd.DataFrame:
    """Member schools by year. Columns: type (empty for all networks), year, members, joined, left, returned.

    ``joined`` includes members of the first year that had joined before it.
    """
    table = released["network_timeline"]
    data = table[["type", "year", "members", "joined", "left", "returned"]].copy()
    data["joined"] = table["joined"] + table["present_at_start"]
    return data.assign(type=data["type"].fillna("")).reset_index(drop=True)


def leaving_over_time(released: Released) -> pd.DataFrame:
    """Share of schools that have not left so far. Columns: year_of_participation, at_risk, still_in."""
    table = released["network_exit_timing"]
    rows = table[table["still_in"].notna()]
    data = rows[["event_time", "at_risk", "still_in"]].rename(columns={"event_time": "year_of_participation"})
    data["year_of_participation"] = data["year_of_participation"] + 1
    return data.reset_index(drop=True)


def network_structure(released: Released) -> pd.DataFrame:
    """Measures of structure over networks.

    Columns: measure, wave, year, n_networks, mean, sd, quartile_1, median, quartile_3 (missing over few networks).
    """
    table = released["network_structure"]
    rows = table[table["mean"].notna()]
    columns = ["measure", "wave", "year", "n_networks", "mean", "sd", "quartile_1", "median", "quartile_3"]
    return rows[columns].reset_index(drop=True)
