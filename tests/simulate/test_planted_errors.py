"""The errors that truth.json counts are those that a reader of the raw files finds, table by table."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest
import raw_study
from raw_study import YEARS, is_number, judge, label_year, read, school_register


def is_date(text: pd.Series) -> pd.Series:
    def parses(cell: str) -> bool:
        try:
            dt.date.fromisoformat(cell)
        except ValueError:
            return False
        return True

    return text.map(parses)


def found_in(raw, table):
    """Rejected by rule, merged and read records of one table."""
    return JUDGES[table](raw)


def schools(raw):
    table = raw_study.schools(raw)
    _, rejected, merged = judge(table, [], ["SchoolNo"])
    return rejected, merged, len(table)


def school_years(raw):
    table = read(raw / "school_context.csv")
    number = table["DeprivationIndex"].isin(["", "NA"]) | is_number(table["DeprivationIndex"])
    rules = [
        ("missing_key", table["SchoolNo"] == ""),
        ("bad_type", ~number),
        ("out_of_range", table["OnRoll"].astype(int) < 0),
        ("year_outside_study", ~table["SchoolYear"].map(label_year).isin(YEARS)),
        ("unknown_school", ~table["SchoolNo"].isin(school_register(raw))),
    ]
    _, rejected, merged = judge(table, rules, ["SchoolNo", "SchoolYear"])
    return rejected, merged, len(table)


def networks(raw):
    return pd.read_excel(raw / "networks.xlsx", sheet_name="Networks", header=2, dtype=str, engine="openpyxl")


def network_table(raw):
    table = networks(raw)
    _, rejected, merged = judge(table, [], ["No."])
    return rejected, merged, len(table)


def memberships(raw):
    table = pd.concat(
        [read(raw / "network_members.csv", "utf-8-sig"), read(raw / "network_participants.csv")], ignore_index=True
    )
    table = table.fillna("")
    dated = is_date(table["From"]) & (is_date(table["To"]) | (table["To"] == ""))
    rules = [
        ("missing_key", (table["From"] == "") | (table["Network"] == "") | (table["SchoolNo"] == "")),
        ("bad_type", ~dated),
        ("spell_reversed", (table["To"] != "") & (table["To"] < table["From"])),
        ("unknown_network", ~table["Network"].isin(set(networks(raw)["No."]))),
        ("unknown_school", ~table["SchoolNo"].isin(school_register(raw))),
    ]
    _, rejected, merged = judge(table, rules, ["Network", "SchoolNo", "TeacherNo", "From"])
    return rejected, merged, len(table)


def activity(raw):
    table = read(raw / "events.csv")
    rules = [
        ("missing_key", table["Event"] == ""),
        ("bad_type", ~is_number(table["Hours"]) | ~is_date(table["Date"])),
        ("unknown_network", ~table["Network"].isin(set(networks(raw)["No."]))),
        ("unknown_school", ~table["SchoolNo"].isin(school_register(raw))),
    ]
    _, rejected, merged = judge(table, rules, ["Network", "Event", "SchoolNo", "TeacherNo"])
    return rejected, merged, len(table)


def judge_staff(raw):
    table = raw_study.staff(raw)
    rules = [
        ("missing_key", table["teacher"] == ""),
        ("unknown_school", ~table["school"].isin(school_register(raw))),
    ]
    return judge(table, rules, ["teacher", "year"])


def teachers(raw):
    _, rejected, merged = judge_staff(raw)
    return rejected, merged, len(raw_study.staff(raw))


def pupils(raw):
    _, rejected, merged = raw_study.judge_pupils(raw)
    return rejected, merged, len(raw_study.pupils(raw))


def outcomes(raw):
    _, rejected, merged = raw_study.judge_results(raw)
    return rejected, merged, len(raw_study.results(raw))


def teaching(raw):
    table = raw_study.teaching(raw)
    register, staff = raw_study.judge_pupils(raw)[0], judge_staff(raw)[0]
    on_roll = pd.MultiIndex.from_frame(register[["pupil", "year"]])
    in_post = pd.MultiIndex.from_frame(staff[["teacher", "year"]])
    number = is_number(table["Share"])
    rules = [
        ("bad_type", ~number),
        ("out_of_range", ~pd.to_numeric(table["Share"].where(number, "0")).between(0, 1)),
        ("unknown_pupil", ~pd.Series(pd.MultiIndex.from_frame(table[["UPN", "year"]]).isin(on_roll))),
        ("unknown_teacher", ~pd.Series(pd.MultiIndex.from_frame(table[["TeacherNo", "year"]]).isin(in_post))),
    ]
    _, rejected, merged = judge(table, rules, ["UPN", "year", "Subject", "TeacherNo"])
    return rejected, merged, len(table)


def surveys(raw):
    words = {"strongly disagree", "disagree", "neither", "agree", "strongly agree", *"12345"}
    records = []
    for path in sorted(raw.glob("survey_*.csv")):
        table = read(path)
        instrument = path.stem.removeprefix("survey_").rsplit("_w", 1)[0]
        items = [name for name in table if name.rsplit("_", 1)[-1].rstrip("r").isdigit()]
        who = [name for name in table if name not in items]
        records.append(table.melt(who, items, "item", "response").assign(instrument=instrument))
    table = pd.concat(records, ignore_index=True)
    known = set(judge_staff(raw)[0]["teacher"])
    rules = [
        ("missing_key", table["StaffNo"] == ""),
        ("bad_type", ~table["response"].isin(words)),
        ("unknown_network", ~table["Network"].isin(set(networks(raw)["No."]))),
        ("unknown_school", ~table["SchoolNo"].isin(school_register(raw))),
        ("unknown_teacher", ~table["StaffNo"].isin(known)),
    ]
    _, rejected, merged = judge(table, rules, ["StaffNo", "instrument", "Wave", "item"])
    return rejected, merged, len(table)


def ties(raw):
    table = read(raw / "ties.csv")
    rules = [("missing_key", table["From"] == ""), ("bad_type", ~is_number(table["Strength"]))]
    _, rejected, merged = judge(table, rules, ["Wave", "From", "To"])
    return rejected, merged, len(table)


def judge_products(raw):
    table = read(raw / "products.csv", "cp1252", ";")
    table["year"] = table["SchoolYear"].map(label_year)
    words = {"yes", "no", "not known"}
    rules = [
        ("missing_key", (table["Network"] == "") | (table["Product"] == "")),
        ("bad_type", ~table["In use"].isin(words) | ~table["Improved this year"].isin(words)),
        ("year_outside_study", ~table["year"].isin(YEARS)),
        ("unknown_network", ~table["Network"].isin(set(networks(raw)["No."]))),
    ]
    return *judge(table, rules, ["Network", "Product", "year"]), len(table)


def products(raw):
    return judge_products(raw)[1:]


def other_memberships(raw):
    table = read(raw / "other_programmes.csv", "cp1252", ";")
    start, end = (table[name].map(iso_day) for name in ("Start", "End"))
    rules = [
        ("missing_key", (table["Programme"] == "") | (table["Start"] == "")),
        ("bad_type", ~is_date(start) | ~(is_date(end) | (end == ""))),
        ("spell_reversed", (end != "") & (end < start)),
        ("unknown_school", ~table["School"].isin(school_register(raw))),
    ]
    _, rejected, merged = judge(table, rules, ["School", "Programme", "Start"])
    return rejected, merged, len(table)


def iso_day(text):
    """01/09/2015 is 2015-09-01."""
    return "-".join(reversed(text.split("/")))


JUDGES = {
    "schools": schools,
    "school_years": school_years,
    "networks": network_table,
    "memberships": memberships,
    "activity": activity,
    "teachers": teachers,
    "pupils": pupils,
    "outcomes": outcomes,
    "teaching": teaching,
    "surveys": surveys,
    "ties": ties,
    "products": products,
    "other_memberships": other_memberships,
}


@pytest.mark.parametrize("table", JUDGES)
def test_what_is_wrong_in_a_table_is_what_was_planted(raw, truth, table):
    planted = truth["ledger"]
    rejected, merged, count = JUDGES[table](raw)
    assert rejected == planted["rejected"][table]
    assert merged == planted["merged"][table]
    assert count == planted["read"][table]


def test_every_table_and_every_rule_is_planted_somewhere(truth):
    assert set(truth["ledger"]["rejected"]) == set(JUDGES)
    rules = {rule for table in truth["ledger"]["rejected"].values() for rule in table}
    assert rules == {
        "missing_key", "bad_type", "out_of_range", "year_outside_study", "unknown_school", "unknown_network",
        "unknown_pupil", "unknown_teacher", "conflicting_duplicate", "spell_reversed",
    }  # fmt: skip


def test_recycled_numbers_belong_to_two_pupils_who_are_never_on_roll_together(raw, truth):
    register = raw_study.judge_pupils(raw)[0]
    births = register.groupby("pupil")["birth"].nunique()
    shared = births[births > 1].index
    assert len(shared) == truth["ledger"]["notes"]["recycled_identifier"] > 0
    years = register[register["pupil"].isin(shared)].groupby(["pupil", "birth"])["year"].agg(["min", "max"])
    for _, two in years.groupby(level="pupil"):
        (_, gone), (come, _) = two.sort_values("min").to_numpy()
        assert come >= gone + 2


def test_movers_are_pupils_on_roll_in_two_schools(raw, truth):
    register = raw_study.judge_pupils(raw)[0]
    schools_seen = register.groupby(["pupil", "birth"])["school"].nunique()
    assert int((schools_seen > 1).sum()) == truth["ledger"]["notes"]["movers"]
    assert len(schools_seen) == truth["schools"]["pupils"]


def test_products_are_told_as_they_were_when_last_asked(raw, truth):
    kept = judge_products(raw)[0].sort_values("year").groupby(["Network", "Product"]).tail(1)
    told = truth["sustainability"]
    assert told["products"]["recorded"] == len(kept) > 10
    for what, column in (("used", "In use"), ("improved", "Improved this year")):
        known = kept[kept[column] != "not known"]
        assert told[f"products_{what}"] == pytest.approx((known[column] == "yes").mean(), abs=1e-12)
        assert told["products"][f"{what}_not_known"] == len(kept) - len(known)
