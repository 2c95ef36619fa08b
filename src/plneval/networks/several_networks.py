"""The network, or networks, that a member school's effect counts for: one decision a school, by the cohort's rule."""

from __future__ import annotations

import pandas as pd

from plneval.networks.attendance import attended, network_hours
from plneval.networks.registry import Rule, school_network_years
from plneval.networks.study_tables import StudyTables
from plneval.standards import load

SCHOOL_NETWORKS = {"school": "int64", "network": "int64", "part": "float64"}


def school_networks(tables: StudyTables, rule: Rule | None = None) -> pd.DataFrame:
    """For which networks each member school counts, with which part; a school's parts sum to 1.

    A school that is never in two networks in one year counts for its first network under every rule, also after it has
    left it for another one. Of a school that is, in some year up to its third of participation:

    - ``first``: the network joined first;
    - ``strongest_dose``: the one with most hours of attendance in these years (of as many hours, the one joined first;
      where the hours of one of them are not known, the first);
    - ``all``: every network that it was in in these years, with equal parts.

    # ASSUME: a school's networks are decided once, over its years as a member up to the third, and hold for all years,
    # so that no school moves between networks (or parts of the study) while effects are followed. What happens after
    # the third year, such as joining another network because the first went well, changes nothing.

    Parameters
    ----------
    rule
        The design's own (``design.several_networks``) when left out.

    Returns
    -------
    pandas.DataFrame
        Columns ``SCHOOL_NETWORKS``: a row for each member school and network that it counts for, by school and network.
    """
    rule = rule or tables.cohort.design.several_networks
    members = tables.schools.loc[tables.schools["network"].notna()]
    first = members[["school", "network"]].assign(part=1.0)
    several = _early_years_of_several(tables) if rule != "first" else None
    if several is None or several.empty:
        return _typed(first)
    others = first.loc[~first["school"].isin(several["school"])]
    chosen = _equal_parts(several) if rule == "all" else _strongest(several, tables, first)
    return _typed(pd.concat([others, chosen], ignore_index=True))


def counted_elsewhere(tables: StudyTables, rule: Rule | None = None) -> int:
    """Schools whose effect counts for another network than their first one, wholly or in part."""
    found = school_networks(tables, rule)
    first = tables.schools.set_index("school")["network"]
    other = found["network"].to_numpy() != first.reindex(found["school"]).to_numpy(dtype="int64")
    return int(found.loc[other, "school"].nunique())


def _early_years_of_several(tables: StudyTables) -> pd.DataFrame:
    """school, network, year up to the third of participation, of schools in several networks in one of these years."""
    third = load("follow_up").headline_from_event_time
    entry = tables.schools.set_index("school")["entry_year"]
    years = school_network_years(tables)
    event_time = years["year"] - years["school"].map(entry)
    early = years.loc[event_time.between(0, third).fillna(False).astype(bool)]
    at_once = early.groupby(["school", "year"])["network"].transform("size") > 1
    return early.loc[early["school"].isin(early.loc[at_once, "school"])]


def _equal_parts(several: pd.DataFrame) -> pd.DataFrame:
    pairs = several[["school", "network"]].drop_duplicates()
    return pairs.assign(part=1 / pairs.groupby("school")["network"].transform("size"))


def _strongest(several: pd.DataFrame, tables: StudyTables, first: pd.DataFrame) -> pd.DataFrame:
    """The network with most hours; the first where a dose is not known."""
    records = attended(tables)
    told = records.loc[records["hours"].notna(), ["network", "year"]].drop_duplicates().assign(told=1)
    hours = several.merge(network_hours(tables), on=["network", "school", "year"], how="left")
    # Nobody of the school came although others did: that is a dose of zero, not an unknown one.
    hours = hours.merge(told, on=["network", "year"], how="left").fillna({"hours": 0.0, "told": 0})
    pairs = hours.groupby(["school", "network"]).agg(hours=("hours", "sum"), told=("told", "max")).reset_index()
    joined = tables.spells.groupby(["school", "network"])["joined"].min()
    pairs["joined"] = joined.reindex(pd.MultiIndex.from_frame(pairs[["school", "network"]])).to_numpy()
    pairs = pairs.sort_values(["school", "hours", "joined", "network"], ascending=[True, False, True, True])
    strongest = pairs.drop_duplicates("school").set_index("school")["network"]
    known = pairs.groupby("school")["told"].min() > 0
    of_first = first.set_index("school")["network"].reindex(strongest.index)
    network = strongest.astype("Int64").where(known, of_first.astype("Int64"))
    return network.reset_index().assign(part=1.0)


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    columns = list(SCHOOL_NETWORKS)
    return table[columns].astype(SCHOOL_NETWORKS).sort_values(columns[:2], ignore_index=True)
