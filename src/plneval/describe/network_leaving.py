"""Leaving: when, how leavers differed before joining, and who comes back."""

from __future__ import annotations

import pandas as pd

from plneval.networks.leaving import exit_timing, leavers_and_stayers, membership_states, returners
from plneval.networks.study import NetworkStudy

EXITS = {"what": "str", "n_schools": "Int64", "mean_years": "float64"}


def network_exit_timing(study: NetworkStudy) -> pd.DataFrame:
    """When analysed schools leave for the first time: :func:`plneval.networks.leaving.exit_timing`."""
    return exit_timing(study.tables)


def network_leavers(study: NetworkStudy) -> pd.DataFrame:
    """How schools that ever left differed from schools that stayed, before either had joined."""
    standardised = study.school["z"].notna().any()
    return leavers_and_stayers(study.tables, study.school, "z" if standardised else "score")


def network_exits(study: NetworkStudy) -> pd.DataFrame:
    """Analysed member schools that left and came back; columns ``EXITS``.

    ``joined``: schools, and their mean years of membership within the study; ``left``: those that were out at some
    time, and years of membership before the first exit; ``returned``: those that came back, and years out before the
    first return; ``out_at_end``: those that were out in the last study year, and years out by then.
    """
    states = membership_states(study.tables)
    back = returners(study.tables).drop_duplicates("school")
    out = states.loc[states["state"] == "left"]
    first = out.drop_duplicates("school")
    last = states.drop_duplicates("school", keep="last")
    gone = last.loc[last["state"] == "left"]
    rows = [
        ("joined", len(last), _mean(last["years_in"])),
        ("left", len(first), _mean(first["years_in"])),
        ("returned", len(back), _mean(back["years_out"])),
        ("out_at_end", len(gone), _mean(gone["years_out"])),
    ]
    return pd.DataFrame([row for row in rows if len(last)], columns=list(EXITS)).astype(EXITS)


def _mean(years: pd.Series) -> float:
    return float(years.astype("float64").mean())
