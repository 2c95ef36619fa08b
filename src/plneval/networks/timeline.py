"""Members of all networks, or of networks of one type, over time: each school or teacher counts once."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from plneval.networks.registry import Level, school_network_years, teacher_network_years
from plneval.networks.study_tables import StudyTables

TIMELINE = {
    "year": "Int64",
    "n_networks": "Int64",
    "members": "Int64",
    "present_at_start": "Int64",
    "joined": "Int64",
    "left": "Int64",
    "returned": "Int64",
}


def timeline(tables: StudyTables, level: Level, networks: Collection[int] | None = None) -> pd.DataFrame:
    """Members by study year, of all networks together or of some of them; columns ``TIMELINE``.

    A school (teacher) in several of the networks counts once, and leaves when it is in none of them any more. members =
    members of the year before + present_at_start + joined + returned − left; ``present_at_start`` are members of the
    first study year that had joined before it. ``n_networks`` have a member in the year.
    """
    own = school_network_years(tables) if level == "school" else teacher_network_years(tables)
    spells = tables.spells if level == "school" else tables.teacher_spells
    if networks is not None:
        chosen = sorted(networks)
        own, spells = own.loc[own["network"].isin(chosen)], spells.loc[spells["network"].isin(chosen)]
    start = tables.calendar.first_year
    earlier = {int(one) for one in spells.loc[(spells["entry"] < start).fillna(False), level]}
    rows = []
    before: set[int] = set()
    ever: set[int] = set()
    for year in tables.years:
        of_year = own.loc[own["year"] == year]
        now = {int(one) for one in of_year[level]}
        present = now & earlier if year == start else set()
        rows.append(
            (
                year,
                of_year["network"].nunique(),
                len(now),
                len(present),
                len(now - ever - present),
                len(before - now),
                len((now - before) & ever),
            )
        )
        before, ever = now, ever | now
    return pd.DataFrame(rows, columns=list(TIMELINE)).astype(TIMELINE)
