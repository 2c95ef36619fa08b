"""Attendance: hours and meetings of a network that teachers and schools attended, by study year."""

from __future__ import annotations

import numpy as np
import pandas as pd

from plneval.networks.registry import school_network_years, teacher_network_years
from plneval.networks.study_tables import StudyTables

TEACHER_DOSE = {
    "teacher": "Int64",
    "school": "Int64",
    "year": "Int64",
    "hours": "float64",
    "events": "Int64",
    "events_held": "Int64",
    "share_attended": "float64",
    "participant": "Int64",
}
SCHOOL_DOSE = {
    "school": "Int64",
    "year": "Int64",
    "event_time": "Int64",
    "member": "Int64",
    "hours": "float64",
    "teachers": "Int64",
    "hours_per_teacher": "float64",
    "events": "Int64",
    "events_held": "Int64",
    "share_attended": "float64",
    "recorded": "bool",
}


def attended(tables: StudyTables) -> pd.DataFrame:
    """Attendance that can be placed: network, event_id, school, teacher (missing for a whole school), year, hours.

    A record without a date belongs to no year and is left out. A record without a school takes that of the teacher: in
    the staff register of the year, else in the teacher's membership of that network; without either it is left out.
    Where teachers of a school are recorded at an event, a record of the school itself at that event adds nothing.
    What is left out is counted by :func:`plneval.networks.problems.data_problems`.
    """
    rows = located(tables)
    rows = rows.loc[rows["year"].notna() & rows["school"].notna()]
    named = rows["teacher"].notna()
    with_teachers = named.groupby([rows["network"], rows["event_id"], rows["school"]]).transform("any")
    kept = rows.loc[named | ~with_teachers]
    inside = kept["year"].between(tables.calendar.first_year, tables.calendar.last_year)
    return kept.loc[inside, ["network", "event_id", "school", "teacher", "year", "hours"]].reset_index(drop=True)


def located(tables: StudyTables) -> pd.DataFrame:
    """All attendance records, the school filled in where the teacher's is known."""
    rows = tables.activity.reset_index(drop=True)
    staff = tables.teachers.drop_duplicates(["teacher", "year"]).set_index(["teacher", "year"])["school"]
    own = tables.teacher_spells.drop_duplicates(["teacher", "network"]).set_index(["teacher", "network"])["school"]
    for known, keys in ((staff, ["teacher", "year"]), (own, ["teacher", "network"])):
        lacking = rows["school"].isna() & rows["teacher"].notna()
        if lacking.any() and len(known):
            found = known.reindex(pd.MultiIndex.from_frame(rows.loc[lacking, keys]))
            rows.loc[lacking, "school"] = found.astype("Int64").to_numpy()
    return rows


def events_held(tables: StudyTables) -> pd.DataFrame:
    """Events of each network and year, as attendance records know them: network, year, events_held.

    # ASSUME: an event to which nobody came left no record, so shares attended are of events that somebody attended.
    """
    rows = tables.activity.dropna(subset=["year"])
    counts = rows.drop_duplicates(["network", "event_id", "year"]).groupby(["network", "year"]).size()
    return counts.rename("events_held").reset_index()


def network_hours(tables: StudyTables, level: str = "school") -> pd.DataFrame:
    """Hours of attendance by network, school (or teacher) and year: what the rule ``strongest_dose`` compares."""
    keys = ["network", level, "year"]
    rows = attended(tables).dropna(subset=[level])
    return pd.DataFrame({"hours": rows.groupby(keys)["hours"].sum()}).reset_index()


def teacher_dose(tables: StudyTables) -> pd.DataFrame:
    """Dose of every named teacher who took part or attended in a year; columns ``TEACHER_DOSE``.

    ``hours`` sums the hours of the events attended (missing where none of them has hours), ``events_held`` counts the
    events of the networks that the teacher took part in that year, ``share_attended`` the part of them attended
    (missing where none was held or the teacher took part in no network); ``participant`` is 0 for somebody who
    attended without a membership.
    """
    rows = attended(tables)
    member = teacher_network_years(tables)
    keys = ["teacher", "year"]
    named = rows.dropna(subset=["teacher"])
    return _dose(named, member, events_held(tables), keys).astype(TEACHER_DOSE)


def school_dose(tables: StudyTables) -> pd.DataFrame:
    """Dose of every school in every study year of membership or attendance; columns ``SCHOOL_DOSE``.

    ``hours`` are person-hours (an event attended by two teachers counts twice), ``teachers`` the named teachers who
    attended, ``hours_per_teacher`` the mean hours of those; ``events`` counts events that somebody of the school
    attended, ``share_attended`` their part of the events that the school's networks held. ``event_time`` is the year
    minus the school's entry year, missing for schools that never join. ``recorded`` is False where no network of the
    school has any attendance record that year: there the dose is not known, not zero, and is missing.
    """
    rows = attended(tables)
    held = events_held(tables)
    member = school_network_years(tables)
    keys = ["school", "year"]
    table = _dose(rows, member, held, keys)
    people = rows.dropna(subset=["teacher"]).groupby(keys)["teacher"].nunique()
    table["teachers"] = people.reindex(pd.MultiIndex.from_frame(table[keys])).fillna(0).to_numpy()
    named_hours = rows.dropna(subset=["teacher"]).groupby(keys)["hours"].sum(min_count=1)
    by_person = named_hours.reindex(pd.MultiIndex.from_frame(table[keys])).to_numpy(dtype="float64", na_value=np.nan)
    table["hours_per_teacher"] = by_person / table["teachers"].where(table["teachers"] > 0)
    table["recorded"] = (table["events_held"] > 0) | (table["events"] > 0)
    unknown = ~table["recorded"]
    table.loc[unknown, ["teachers", "events"]] = np.nan
    entry = tables.schools.set_index("school")["entry_year"]
    table["event_time"] = table["year"].astype("Int64") - table["school"].map(entry).astype("Int64")
    table["member"] = table["participant"]
    return table[list(SCHOOL_DOSE)].astype(SCHOOL_DOSE)


def _dose(rows: pd.DataFrame, member: pd.DataFrame, held: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Hours and events attended beside the events held by the networks that each unit was in that year."""
    unit = keys[0]
    membership = member[[*keys, "network"]].drop_duplicates()
    offered = membership.merge(held, on=["network", "year"], how="left").fillna({"events_held": 0})
    own = rows.merge(membership.assign(inside=1), on=[*keys, "network"], how="left")
    events = own.drop_duplicates([*keys, "network", "event_id"]).groupby(keys).size()
    inside = own.loc[own["inside"] == 1].drop_duplicates([*keys, "network", "event_id"]).groupby(keys).size()
    table = pd.DataFrame(
        {
            "hours": rows.groupby(keys)["hours"].sum(min_count=1),
            "events": events,
            "inside": inside,
            "events_held": offered.groupby(keys)["events_held"].sum(),
            "participant": membership.groupby(keys).size().clip(upper=1),
        }
    ).reset_index()
    table = table.fillna({"events": 0, "inside": 0, "events_held": 0, "participant": 0})
    # Nobody attended although events are on record: that is a dose of zero, not an unknown one.
    nobody = (table["events"] == 0) & (table["events_held"] > 0)
    table["hours"] = table["hours"].mask(nobody, 0.0)
    table["share_attended"] = table["inside"] / table["events_held"].where(table["events_held"] > 0)
    if unit == "teacher":
        schools = pd.concat([rows[["teacher", "year", "school"]], member[["teacher", "year", "school"]]])
        first = schools.drop_duplicates(keys).set_index(keys)["school"]
        table["school"] = first.reindex(pd.MultiIndex.from_frame(table[keys])).to_numpy()
        return table.sort_values(keys, ignore_index=True)[list(TEACHER_DOSE)]
    return table.sort_values(keys, ignore_index=True)
