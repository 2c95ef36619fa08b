"""Schools in networks or programmes outside the evaluated one: support that the comparison does not see."""

from __future__ import annotations

import pandas as pd

from plneval.networks.registry import spell_years
from plneval.networks.study_tables import StudyTables

OTHERS = {
    "year": "Int64",
    "n_other": "Int64",
    "n_been_other": "Int64",
    "n_members": "Int64",
    "n_members_other": "Int64",
    "n_members_been_other": "Int64",
}


def others_known(tables: StudyTables) -> bool:
    """Whether there are data on other programmes: where a cohort has none, no school is said to be in none."""
    return bool(tables.cohort.sources.get("other_memberships")) or len(tables.other_spells) > 0


def named_as_evaluated(tables: StudyTables) -> pd.Series:
    """Which spells in other programmes bear the name of an evaluated network, or of the evaluated programme (bool)."""
    names = [tables.cohort.programme]
    if "name" in tables.networks:
        names += tables.networks["name"].dropna().astype(str).tolist()
    own = {name.strip().casefold() for name in names}
    return tables.other_spells["programme"].str.strip().str.casefold().isin(own).astype(bool)


def other_programme_years(tables: StudyTables) -> pd.DataFrame:
    """Study years in which a school is in another programme: school, year; sorted, each once.

    Years follow the rule of memberships (a school is in a programme when it is in it on the cut-off). Spells that bear
    the name of an evaluated network are left out: they are told as a problem of the data.
    """
    # ASSUME: what a school took along from a programme that it had left before the study is in its results before
    # joining, so that only years of the study count.
    spells = tables.other_spells.loc[~named_as_evaluated(tables)]
    years = spell_years(spells.reset_index(drop=True), tables.calendar)[["school", "year"]]
    return years.drop_duplicates().astype("int64").sort_values(["school", "year"], ignore_index=True)


def schools_in_others(tables: StudyTables) -> set[int]:
    """Schools that are in another programme in some study year."""
    return {int(school) for school in other_programme_years(tables)["school"]}


def others_by_year(tables: StudyTables) -> pd.DataFrame:
    """Analysed schools in other programmes by study year, in both arms.

    Returns
    -------
    pandas.DataFrame
        year; n_other and n_been_other (comparison schools in another programme in that year; in that or an earlier year
        of the study); n_members (schools that have joined by then), n_members_other and n_members_been_other (the same
        of these). All counts of other programmes are missing where there are no data on them.
    """
    years = other_programme_years(tables)
    first = years.groupby("school")["year"].min()
    schools = tables.schools.loc[tables.schools["status"] == "analysed"]
    comparison = schools.loc[schools["arm"] == "comparison", "school"]
    members = schools.loc[schools["arm"] == "member", ["school", "entry_year"]]
    known = others_known(tables)
    rows = []
    for year in tables.years:
        now = years.loc[years["year"] == year, "school"]
        been = first.index[first <= year]
        joined = members.loc[(members["entry_year"] <= year).fillna(False).astype(bool), "school"]
        counts = [int(group.isin(inside).sum()) for group in (comparison, joined) for inside in (now, been)]
        of_comparison, of_members = (counts[:2], counts[2:]) if known else ([None] * 2, [None] * 2)
        rows.append((year, *of_comparison, len(joined), *of_members))
    return pd.DataFrame(rows, columns=list(OTHERS)).astype(OTHERS)
