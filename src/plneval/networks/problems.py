"""Data that cannot be right, or cannot say what is asked of them: named rules with counts."""

from __future__ import annotations

import pandas as pd

from plneval.networks.attendance import located
from plneval.networks.exposure import intensity, lessons
from plneval.networks.other_programmes import named_as_evaluated
from plneval.networks.products import network_starts, product_states
from plneval.networks.registry import Level, network_years, runs, spell_years
from plneval.networks.study_tables import StudyTables

RULES = {
    "membership_without_date": "memberships without a date of joining, or with one that cannot be read; rejected",
    "teacher_in_two_registers": "staff records of teachers with two schools or roles in one year; rejected",
    "teacher_in_two_schools": "teachers with memberships through two schools in one year; kept in both",
    "participant_in_comparison_school": (
        "teachers who took part and were on the staff of a comparison school in that or a later year; its pupils count "
        "as not exposed"
    ),
    "network_of_one_school": "networks that never had two schools at once; kept, but no tie can cross schools",
    "membership_without_year": "memberships that begin after one cut-off and end by the next; they hold no study year",
    "share_over_one": "lessons with a share above 1 or below 0; rejected",
    "shares_over_one": "pupils, years and subjects whose shares of teaching sum to more than 1; scaled down to 1",
    "shares_below_one": "pupils, years and subjects whose shares of teaching sum to less than 1; the rest is not known",
    "intensity_over_one": "school-years with more participants than teachers; intensity is missing",
    "participant_not_on_staff": "participants who are not on their school's staff that year; not in its intensity",
    "attendance_without_date": "attendance records without a date; in no year's dose",
    "attendance_outside_study": "attendance records of years outside the study; in no year's dose",
    "attendance_without_hours": "attendance records without hours; the event counts, its hours do not",
    "attendance_without_school": "attendance records of nobody, or of teachers whose school is unknown; left out",
    "attendance_without_membership": "teachers and years with attendance but no membership; kept and marked",
    "tie_to_unknown_person": "ties with an end that stands in no staff register and no membership; left out",
    "tie_to_oneself": "ties of people with themselves; left out",
    "product_before_network": "products first recorded before their network began; kept",
    "product_checked_once": "products recorded in one year only, so that nobody saw whether they last; kept as found",
    "product_of_unknown_use": "products of which the last time of asking does not tell whether they are used; left out",
    "product_improved_but_unused": "products said to be improved but not used, at the last time of asking; kept so",
    "other_programme_without_date": "spells in other programmes without a date of joining, or with one that cannot be "
    "read; rejected",
    "other_programme_is_evaluated": "spells in other programmes that bear the name of an evaluated network, or of the "
    "programme; left out",
    "other_programme_without_year": "spells in other programmes that begin after one cut-off and end by the next; they "
    "hold no study year",
    "other_programme_overlaps": "spells in other programmes that begin before the school has left the same one; their "
    "years count once",
}
"""Every rule and what is done, in the order in which they are told."""
_TABLES = {
    "network_of_one_school": "networks",
    "teacher_in_two_registers": "teachers",
    "shares_over_one": "teaching",
    "share_over_one": "teaching",
    "shares_below_one": "teaching",
    "participant_not_on_staff": "teachers",
    "participant_in_comparison_school": "teachers",
    "intensity_over_one": "school_years",
}


def data_problems(tables: StudyTables) -> pd.DataFrame:
    """Count what the rules find: rule, table, count, text; rules that find nothing are left out.

    The columns are those of the ledger's notes. Records that ingest rejected are counted from its ledger, everything
    else from the tables.
    """
    counts = {
        **_rejected(tables),
        **_memberships(tables),
        **_teaching(tables),
        **_attendance(tables),
        **_ties(tables),
        **_products(tables),
    }
    counts |= _other_programmes(tables)
    rows = [
        (rule, _table_of(rule), counts[rule], f"{counts[rule]:,} {text}.")
        for rule, text in RULES.items()
        if counts.get(rule)
    ]
    kinds = {"rule": "str", "table": "str", "count": "Int64", "text": "str"}
    return pd.DataFrame(rows, columns=list(kinds)).astype(kinds)


def participants_elsewhere(tables: StudyTables) -> pd.DataFrame:
    """Teachers on the staff of a comparison school in a year in which they take part, or later: teacher, school, year.

    What they learnt goes with them: the comparison school is not untouched. By the staff register; without one nobody
    is known to have gone.
    """
    first = tables.teacher_spells.groupby("teacher")["entry"].min()
    comparison = tables.schools.loc[tables.schools["arm"] == "comparison", "school"]
    staff = _pairs_of_staff(tables)
    later = staff["year"] >= staff["teacher"].map(first).astype("Float64").fillna(float("inf"))
    found = staff.loc[later.astype(bool) & staff["school"].isin(comparison)]
    return found.sort_values(["teacher", "year", "school"], ignore_index=True)


def _pairs_of_staff(tables: StudyTables) -> pd.DataFrame:
    return tables.teachers[["teacher", "school", "year"]].dropna().drop_duplicates().astype("int64")


def _table_of(rule: str) -> str:
    for start, table in (
        ("attendance", "activity"),
        ("tie", "ties"),
        ("product", "products"),
        ("other_programme", "other_memberships"),
    ):
        if rule.startswith(start):
            return table
    return _TABLES.get(rule, "memberships")


def _rejected(tables: StudyTables) -> dict[str, int]:
    lost = tables.rejections
    undated = (lost["column"] == "joined") & lost["rule"].isin(["missing_key", "bad_type"])
    staff = (lost["table"] == "teachers") & (lost["rule"] == "conflicting_duplicate")
    shares = (lost["table"] == "teaching") & (lost["column"] == "share") & (lost["rule"] == "out_of_range")
    return {
        "membership_without_date": int((undated & (lost["table"] == "memberships")).sum()),
        "other_programme_without_date": int((undated & (lost["table"] == "other_memberships")).sum()),
        "teacher_in_two_registers": int(staff.sum()),
        "share_over_one": int(shares.sum()),
    }


def _memberships(tables: StudyTables) -> dict[str, int]:
    named = spell_years(tables.teacher_spells, tables.calendar)
    schools = named.groupby(["teacher", "year"])["school"].nunique()
    level: Level = "school"
    most = network_years(tables).groupby("network")["members"].max()
    begins_inside = tables.spells["entry"].between(tables.calendar.first_year, tables.calendar.last_year)
    empty = (tables.spells["exit"] <= tables.spells["entry"]).fillna(False)
    staff = intensity(tables)
    # Participants above the number of teachers: the share is missing although both numbers are known.
    over = staff["intensity"].isna() & staff["n_teachers"].notna() & staff["participants"].notna()
    return {
        "participant_in_comparison_school": participants_elsewhere(tables)["teacher"].nunique(),
        "teacher_in_two_schools": int((schools > 1).groupby("teacher").any().sum()) if len(schools) else 0,
        "network_of_one_school": int((most == 1).sum()) if len(runs(tables, level)) else 0,
        "membership_without_year": int((begins_inside & empty).sum()),
        "intensity_over_one": int(over.sum()),
        "participant_not_on_staff": int(staff["not_on_staff"].sum()),
    }


def _teaching(tables: StudyTables) -> dict[str, int]:
    rows = lessons(tables)
    keys = ["pupil", "year", "subject"]
    over = rows.loc[rows["over_one"], keys].drop_duplicates()
    total = rows.groupby(keys, sort=False)["share"].sum()
    return {"shares_over_one": len(over), "shares_below_one": int((total < 1 - 1e-6).sum())}


def _attendance(tables: StudyTables) -> dict[str, int]:
    rows = located(tables)
    first, last = tables.calendar.first_year, tables.calendar.last_year
    inside = rows["year"].between(first, last).fillna(False).astype(bool)
    named = rows.loc[inside & rows["teacher"].notna(), ["teacher", "network", "year"]].drop_duplicates()
    member = spell_years(tables.teacher_spells, tables.calendar)
    known = pd.MultiIndex.from_frame(member[["teacher", "network", "year"]])
    without = ~pd.MultiIndex.from_frame(named).isin(known)
    return {
        "attendance_without_date": int(rows["date"].isna().sum()),
        "attendance_outside_study": int((~inside & rows["date"].notna()).sum()),
        "attendance_without_hours": int(rows["hours"].isna().sum()),
        "attendance_without_school": int(rows["school"].isna().sum()),
        "attendance_without_membership": len(named.loc[without, ["teacher", "year"]].drop_duplicates()),
    }


def _ties(tables: StudyTables) -> dict[str, int]:
    ties = tables.ties
    known = sorted(tables.known_teachers)
    stray = ~(ties["source"].isin(known) & ties["target"].isin(known))
    return {
        "tie_to_unknown_person": int(stray.sum()),
        "tie_to_oneself": int((ties["source"] == ties["target"]).sum()),
    }


def _products(tables: StudyTables) -> dict[str, int]:
    states = product_states(tables)
    began = states["network"].map(network_starts(tables))
    return {
        "product_before_network": int((states["first"] < began).fillna(False).sum()),
        "product_checked_once": int((states["n_checks"] == 1).sum()),
        "product_of_unknown_use": int(states["used"].isna().sum()),
        "product_improved_but_unused": int(((states["improved"] == 1) & (states["used"] == 0)).sum()),
    }


def _other_programmes(tables: StudyTables) -> dict[str, int]:
    spells = tables.other_spells
    first, last = tables.calendar.first_year, tables.calendar.last_year
    empty = (spells["exit"] <= spells["entry"]).fillna(False).astype(bool)
    # In the order of their beginnings: whether any earlier spell of the same school and programme was still open.
    latest = spells["exit"].fillna(last + 1).groupby([spells["school"], spells["programme"]])
    before = latest.cummax().groupby([spells["school"], spells["programme"]]).shift()
    return {
        "other_programme_is_evaluated": int(named_as_evaluated(tables).sum()),
        "other_programme_without_year": int((spells["entry"].between(first, last) & empty).sum()),
        "other_programme_overlaps": int((spells["entry"] < before).fillna(False).sum()),
    }
