"""Leaving: when schools leave, how they differ from those that stay, and who comes back."""

from __future__ import annotations

import numpy as np
import pandas as pd

from plneval.networks.registry import school_network_years
from plneval.networks.study_tables import StudyTables
from plneval.standards.effect_size import hedges_g_from_summary

STATES = ("before", "member", "left", "returned")
DIFFERENCES = {
    "covariate": "str",
    "mean_leavers": "float64",
    "mean_stayers": "float64",
    "difference": "float64",
    "sd": "float64",
    "hedges_g": "float64",
    "n_leavers": "Int64",
    "n_stayers": "Int64",
}
TIMING = {
    "event_time": "Int64",
    "at_risk": "Int64",
    "left": "Int64",
    "hazard": "float64",
    "still_in": "float64",
}


def membership_states(tables: StudyTables) -> pd.DataFrame:
    """State of every analysed member school in every study year: what estimators of non-absorbing treatment need.

    Returns
    -------
    pandas.DataFrame
        school, entry_year, year, event_time, state ('before', 'member', 'left', and 'returned' for a member after being
        out), member (0/1), years_in (years of membership so far, this one included), years_out (years since the last
        membership, 0 while a member).
    """
    schools = tables.schools.loc[(tables.schools["arm"] == "member") & (tables.schools["status"] == "analysed")]
    grid = schools[["school", "entry_year"]].merge(pd.DataFrame({"year": tables.years}), how="cross")
    grid = grid.sort_values(["school", "year"], ignore_index=True)
    inside = school_network_years(tables)[["school", "year"]].drop_duplicates().assign(member=1)
    grid = grid.merge(inside, on=["school", "year"], how="left").fillna({"member": 0}).astype({"member": "int64"})
    grid["event_time"] = grid["year"] - grid["entry_year"]
    joined = (grid["event_time"] >= 0).astype(bool)
    # A school whose only spell ends by its first cut-off is out from its entry year on.
    out = joined & (grid["member"] == 0)
    by_school = grid["school"]
    been_out = out.groupby(by_school).cummax()
    grid["state"] = np.select([~joined, out, been_out], ["before", "left", "returned"], "member")
    grid["years_in"] = grid["member"].groupby(by_school).cumsum()
    run = (grid["member"] == 1).groupby(by_school).cumsum()
    grid["years_out"] = out.astype("int64").groupby([by_school, run]).cumsum()
    columns = ["school", "entry_year", "year", "event_time", "state", "member", "years_in", "years_out"]
    return grid[columns].astype({"event_time": "Int64", "state": "str"})


def exit_timing(tables: StudyTables) -> pd.DataFrame:
    """When schools leave for the first time, by event time; columns ``TIMING``.

    ``at_risk`` are schools that were members without a break up to the year before and whose membership in the year can
    be observed, ``left`` those of them that are out in the year, ``hazard`` their share, ``still_in`` the Kaplan–Meier
    share of schools that have not left by then. Schools still in at the end of the study are censored there.
    """
    states = membership_states(tables)
    joined = states.loc[states["event_time"] >= 0]
    first = joined.loc[joined["state"] == "left"].groupby("school")["event_time"].min()
    last = joined.groupby("school")["event_time"].max()
    end = first.reindex(last.index)
    rows = []
    still = 1.0
    for time in range(int(last.max()) + 1 if len(last) else 0):
        at_risk = int(((last >= time) & (end.isna() | (end >= time))).sum())
        left = int((end == time).sum())
        still *= 1 - left / at_risk if at_risk else 1.0
        rows.append((time, at_risk, left, left / at_risk if at_risk else np.nan, still))
    return pd.DataFrame(rows, columns=list(TIMING)).astype(TIMING)


def returners(tables: StudyTables) -> pd.DataFrame:
    """Schools that came back: school, left_year (first year out), returned_year, years_before, years_out.

    A school that comes back several times has a row for each return; ``years_before`` counts all its years of
    membership before leaving.
    """
    states = membership_states(tables)
    previous = states.groupby("school")[["state", "years_in", "years_out"]].shift()
    back = (states["state"] == "returned") & (previous["state"] == "left")
    rows = states.loc[back]
    out = previous.loc[back, "years_out"].astype("int64")
    table = pd.DataFrame(
        {
            "school": rows["school"],
            "left_year": rows["year"] - out,
            "returned_year": rows["year"],
            "years_before": previous.loc[back, "years_in"],
            "years_out": out,
        }
    )
    return table.astype("Int64").reset_index(drop=True)


def leavers_and_stayers(tables: StudyTables, panel_school: pd.DataFrame, column: str = "z") -> pd.DataFrame:
    """How schools that ever left differed from schools that stayed, before either had joined; columns ``DIFFERENCES``.

    Outcomes (``column``), deprivation, enrolment and the share of disadvantaged pupils in the last outcome year before
    joining, and the entry year. Schools count alike. ``sd`` is pooled within the two groups over schools, ``hedges_g``
    is in school-level SDs (positive: leavers stood higher); both are missing with fewer than two schools in a group. It
    describes: with few leavers large differences come by chance.

    Parameters
    ----------
    panel_school
        School panel of prepare.
    """
    members = tables.schools.loc[(tables.schools["arm"] == "member") & (tables.schools["status"] == "analysed")]
    left = members.set_index("school")["ever_left"].astype("int64")
    rows = panel_school.loc[panel_school["school"].isin(left.index)]
    before = rows.loc[rows["year"] < rows["entry_year"]]
    last = before.loc[before["year"] == before.groupby(["school", "outcome"])["year"].transform("max")]
    values: dict[str, pd.Series] = {}
    everybody = last.loc[last["subgroup"] == "all"]
    for outcome, own in everybody.groupby("outcome"):
        values[str(outcome)] = own.set_index("school")[column].astype(float)
    once = everybody.drop_duplicates("school").set_index("school")
    for name in ("deprivation", "enrolment"):
        values[name] = once[name].astype(float)
    values["disadvantaged"] = _share_disadvantaged(last)
    values["entry_year"] = members.set_index("school")["entry_year"].astype(float)
    found = [_difference(name, series.reindex(left.index), left) for name, series in values.items()]
    return pd.DataFrame(found, columns=list(DIFFERENCES)).astype(DIFFERENCES)


def _share_disadvantaged(last: pd.DataFrame) -> pd.Series:
    """Share of disadvantaged pupils by school among the pupils with a score of the first outcome, before joining."""
    of_first = last.loc[last["outcome"] == last["outcome"].min()]
    counts = of_first.pivot_table(index="school", columns="subgroup", values="n", aggfunc="sum")
    counts = counts.reindex(columns=["disadvantaged", "not_disadvantaged"]).astype(float)
    known = counts.notna().any(axis=1)
    share: pd.Series = counts["disadvantaged"].fillna(0) / counts.sum(axis=1).where(known)
    return share


def _difference(
    name: str, value: pd.Series, left: pd.Series
) -> tuple[str, float, float, float, float, float, int, int]:
    leavers, stayers = value[left == 1].dropna(), value[left == 0].dropna()
    means = float(leavers.mean()), float(stayers.mean())
    sizes = len(leavers), len(stayers)
    sd = g = float("nan")
    if min(sizes) >= 2:
        squares = (leavers - means[0]).pow(2).sum() + (stayers - means[1]).pow(2).sum()
        sd = float(np.sqrt(squares / (sum(sizes) - 2)))
        if sd > 0:
            g = hedges_g_from_summary(*means, float(leavers.std()), float(stayers.std()), *sizes).estimate
    return (name, *means, means[0] - means[1], sd, g, *sizes)
