"""The network registry: what each network is, who is in it in which year, and one network a school-year by rule."""

from __future__ import annotations

from typing import Literal

import pandas as pd

from plneval.networks.study_tables import StudyTables
from plneval.prepare.membership import Calendar

Rule = Literal["first", "strongest_dose", "all"]
Level = Literal["school", "teacher"]
REGISTRY = {
    "network": "Int64",
    "type": "str",
    "focus": "str",
    "composition": "str",
    "area": "str",
    "n_areas": "Int64",
    "lead": "bool",
    "partner": "bool",
    "started": "Int64",
    "ended": "Int64",
    "first_year": "Int64",
    "last_year": "Int64",
    "years_with_members": "Int64",
    "n_schools": "Int64",
    "n_teachers": "Int64",
    "one_school": "bool",
}
NETWORK_YEARS = {
    "network": "Int64",
    "year": "Int64",
    "members": "Int64",
    "present_at_start": "Int64",
    "joined": "Int64",
    "left": "Int64",
    "returned": "Int64",
    "teachers": "Int64",
    "teachers_present_at_start": "Int64",
    "teachers_joined": "Int64",
    "teachers_left": "Int64",
    "teachers_returned": "Int64",
}
RUNS = {"spell": "Int64", "first_year": "Int64", "last_year": "Int64", "open": "bool", "before_study": "bool"}


def spell_years(spells: pd.DataFrame, calendar: Calendar) -> pd.DataFrame:
    """One row for each spell and study year that it holds: the spell's columns and ``year``.

    A spell that begins after one cut-off and ends by the next holds no year and gives no row.
    """
    first = spells["entry"].clip(lower=calendar.first_year).astype("int64")
    last = (spells["exit"] - 1).fillna(calendar.last_year).clip(upper=calendar.last_year).astype("int64")
    length = (last - first + 1).clip(lower=0)
    rows = spells.loc[spells.index.repeat(length)].reset_index(drop=True)
    start = first.loc[first.index.repeat(length)].reset_index(drop=True)
    return rows.assign(year=(start + rows.groupby(spells.index.repeat(length)).cumcount()).astype("int64"))


def school_network_years(tables: StudyTables) -> pd.DataFrame:
    """Study years in which a school is in a network, itself or through a teacher: network, school, year."""
    return _pairs(spell_years(tables.spells, tables.calendar), ["network", "school", "year"])


def teacher_network_years(tables: StudyTables) -> pd.DataFrame:
    """Study years in which a named teacher takes part: network, school, teacher, year."""
    named = spell_years(tables.teacher_spells, tables.calendar)
    return _pairs(named, ["network", "school", "teacher", "year"])


def runs(tables: StudyTables, level: Level) -> pd.DataFrame:
    """Unbroken runs of membership: what is left of spells once those that touch or overlap are joined.

    Returns
    -------
    pandas.DataFrame
        network, school or teacher, spell (1, 2, … : 2 and more are re-entries), first_year, last_year (within the
        study), open (a member in the last study year), before_study (the run began before the first study year).
    """
    own = school_network_years(tables) if level == "school" else teacher_network_years(tables)
    keys = ["network", level]
    years = _pairs(own, [*keys, "year"])
    new = years.groupby(keys)["year"].diff().ne(1)
    years["spell"] = new.groupby([years[key] for key in keys]).cumsum().astype("int64")
    by_run = years.groupby([*keys, "spell"])["year"]
    found = pd.DataFrame({"first_year": by_run.min(), "last_year": by_run.max()}).reset_index()
    members = tables.spells if level == "school" else tables.teacher_spells
    earliest = members.groupby(keys)["entry"].min().reindex(pd.MultiIndex.from_frame(found[keys])).to_numpy()
    start, end = tables.calendar.first_year, tables.calendar.last_year
    found["open"] = found["last_year"] == end
    found["before_study"] = (found["first_year"] == start) & (pd.Series(earliest) < start).fillna(False).astype(bool)
    return found.astype({"network": "Int64", level: "Int64", **RUNS})


def network_years(tables: StudyTables) -> pd.DataFrame:
    """Members of every network by study year, of schools and of named teachers: the data of the timeline.

    Returns
    -------
    pandas.DataFrame
        Columns ``NETWORK_YEARS``, a row for each network and study year. members = members of the year before +
        present_at_start + joined + returned − left; ``present_at_start`` are members of the first study year that had
        joined before it. The same holds for teachers.
    """
    rows = {(network, year): [network, year] for network in tables.networks["network"] for year in tables.years}
    levels: tuple[Level, ...] = ("school", "teacher")
    for level in levels:
        own = runs(tables, level)
        by_network = dict(list(own.groupby("network")))
        for (network, year), row in rows.items():
            row += _turnover(by_network.get(network, own.iloc[:0]), year, tables.calendar.first_year)
    return pd.DataFrame(list(rows.values()), columns=list(NETWORK_YEARS)).astype(NETWORK_YEARS)


def _turnover(own: pd.DataFrame, year: int, first_year: int) -> list[int]:
    """Members, present at start, joined, left, returned of one network in one year."""
    begins = own["first_year"] == year
    members = (own["first_year"] <= year) & (year <= own["last_year"])
    start = begins & own["before_study"] if year == first_year else begins & False
    return [
        int(members.sum()),
        int(start.sum()),
        int((begins & (own["spell"] == 1) & ~start).sum()),
        int((own["last_year"] == year - 1).sum()),
        int((begins & (own["spell"] > 1)).sum()),
    ]


def registry(tables: StudyTables) -> pd.DataFrame:
    """One row for each network of the register; no names.

    ``area`` is that of most of its schools (of two with as many, the first by the alphabet), ``n_areas`` how many areas
    they come from; ``lead`` and ``partner`` say whether one is named; first_year and last_year are the first and last
    study years with a member, ``years_with_members`` how many there are. ``one_school``: in no year had the network two
    schools, so it is no network of schools in these data. Counts are of schools and named teachers that were ever in it
    within the study.
    """
    described = tables.networks.set_index("network")
    years = network_years(tables)
    seen = years.loc[years["members"] > 0].groupby("network")["year"].agg(["min", "max", "size"])
    schools = _pairs(school_network_years(tables), ["network", "school"])
    schools["area"] = schools["school"].map(tables.schools.set_index("school")["area"])
    areas = schools.groupby("network")["area"].agg([_most_frequent, "nunique"])
    teachers = _pairs(teacher_network_years(tables), ["network", "teacher"]).groupby("network").size()
    most = years.groupby("network")["members"].max()
    index = described.index

    def column(name: str) -> pd.Series:
        return described[name] if name in described else pd.Series(None, index=index, dtype="object")

    table = pd.DataFrame(
        {
            "network": index,
            **{name: column(name) for name in ("type", "focus", "composition")},
            "area": areas["_most_frequent"].reindex(index),
            "n_areas": areas["nunique"].reindex(index).fillna(0),
            **{name: _is_named(column(name)) for name in ("lead", "partner")},
            **{name: column(name).astype("Int64") for name in ("started", "ended")},
            "first_year": seen["min"].reindex(index),
            "last_year": seen["max"].reindex(index),
            "years_with_members": seen["size"].reindex(index).fillna(0),
            "n_schools": schools.groupby("network").size().reindex(index).fillna(0),
            "n_teachers": teachers.reindex(index).fillna(0),
            "one_school": most.reindex(index) == 1,
        }
    )
    return table[list(REGISTRY)].reset_index(drop=True).astype(REGISTRY).sort_values("network", ignore_index=True)


def networks_by_rule(
    tables: StudyTables,
    rule: Rule | None = None,
    hours: pd.DataFrame | None = None,
    level: Level = "school",
) -> pd.DataFrame:
    """The network (or networks) that each school or teacher counts for in each year of membership.

    Parameters
    ----------
    rule
        ``first``: the network joined first among those it is in that year; ``strongest_dose``: the one with most hours
        that year (of as many hours, or none, the one joined first); ``all``: each of them with an equal part. The
        design's own rule (``design.several_networks``) when left out.
    hours
        network, school (or teacher), year, hours: what ``strongest_dose`` compares, such as
        :func:`plneval.networks.attendance.network_hours`. Needed for that rule.

    Returns
    -------
    pandas.DataFrame
        school or teacher, year, network, weight (1, or 1/k with ``all`` and k networks), n_networks (k).

    Raises
    ------
    ValueError
        If ``strongest_dose`` comes without hours.
    """
    rule = rule or tables.cohort.design.several_networks
    own = school_network_years(tables) if level == "school" else teacher_network_years(tables)
    rows = _pairs(own, [level, "year", "network"])
    joined = (tables.spells if level == "school" else tables.teacher_spells).groupby([level, "network"])["joined"].min()
    rows["joined"] = joined.reindex(pd.MultiIndex.from_frame(rows[[level, "network"]])).to_numpy()
    rows["n_networks"] = rows.groupby([level, "year"])["network"].transform("size")
    if rule == "all":
        return rows.assign(weight=1 / rows["n_networks"])[[level, "year", "network", "weight", "n_networks"]]
    rows["hours"] = 0.0
    if rule == "strongest_dose":
        if hours is None:
            raise ValueError("the rule strongest_dose needs the hours of each network")
        keys = [level, "year", "network"]
        known = hours.groupby(keys)["hours"].sum()
        rows["hours"] = known.reindex(pd.MultiIndex.from_frame(rows[keys])).fillna(0).to_numpy()
    rows = rows.sort_values([level, "year", "hours", "joined", "network"], ascending=[True, True, False, True, True])
    chosen = rows.drop_duplicates([level, "year"]).assign(weight=1.0)
    return chosen[[level, "year", "network", "weight", "n_networks"]].reset_index(drop=True)


def _pairs(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Distinct rows of some columns, in their order, as integers."""
    return table[columns].drop_duplicates().astype("int64").sort_values(columns, ignore_index=True)


def _most_frequent(words: pd.Series) -> str | None:
    counts = words.value_counts()
    return str(sorted(counts.index[counts == counts.max()])[0]) if len(counts) else None


def _is_named(words: pd.Series) -> pd.Series:
    return words.notna() & (words.fillna("").astype(str).str.strip() != "")
