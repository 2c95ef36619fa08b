"""Member schools by year, and the groups in which schools joined."""

from __future__ import annotations

import pandas as pd

from plneval.describe.sample import Sample
from plneval.prepare.membership import Calendar, member_years, spells

MEMBERSHIP = {"year": "Int64", "members": "Int64", "joined": "Int64", "left": "Int64", "returned": "Int64"}
ENTRY_GROUPS = {
    "entry_year": "Int64",
    "n_schools": "Int64",
    "n_networks": "Int64",
    "years_followed": "Int64",
    "pooled": "bool",
}


def membership(sample: Sample) -> pd.DataFrame:
    """Analysed schools that are members in each study year, and that joined, left or came back that year.

    ``left`` counts schools that were members the year before and are not any more; ``returned`` those that are members
    again after a gap. members of a year = members of the year before + joined + returned - left.
    """
    calendar = Calendar.of(sample.cohort)
    inside = member_years(spells(sample.memberships, calendar, set()), calendar)
    joiners = sample.analysed.loc[sample.analysed["arm"] == "member"]
    inside = inside.loc[inside["school"].isin(joiners["school"])]
    rows = []
    before: set[int] = set()
    ever: set[int] = set()
    for year in range(calendar.first_year, calendar.last_year + 1):
        now = {int(school) for school in inside.loc[inside["year"] == year, "school"]}
        rows.append((year, len(now), len(now - ever), len(before - now), len((now - before) & ever)))
        before, ever = now, ever | now
    return pd.DataFrame(rows, columns=list(MEMBERSHIP)).astype(MEMBERSHIP)


def entry_groups(sample: Sample) -> pd.DataFrame:
    """Analysed member schools by entry year.

    ``years_followed`` counts years of participation up to the last study year with outcomes, gap years included, also
    of schools that left; ``pooled`` marks groups with fewer schools than the design's minimum.
    """
    joiners = sample.analysed.loc[sample.analysed["arm"] == "member"]
    last = max(sample.cohort.study.outcome_years)
    rows = [
        (
            entry,
            len(group),
            group["network"].nunique(),
            max(last - entry + 1, 0),
            len(group) < sample.cohort.design.minimum_entry_group,
        )
        for entry in sorted({int(year) for year in joiners["entry_year"]})
        for group in [joiners.loc[joiners["entry_year"] == entry]]
    ]
    return pd.DataFrame(rows, columns=list(ENTRY_GROUPS)).astype(ENTRY_GROUPS)
