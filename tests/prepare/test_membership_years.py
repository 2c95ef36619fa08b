"""When a spell of membership counts. Expected years are read off a calendar by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from plneval.prepare.membership import Calendar, member_years, school_membership, spells


@pytest.fixture
def calendar() -> Calendar:
    """2014 to 2018, school year from 1 September, joining by 31 January counts for the running year."""
    return Calendar(first_year=2014, last_year=2018, first_outcome_year=2014, year_start=901, cutoff=131)


def spells_of(rows: list[dict[str, Any]], calendar: Calendar, declared: set[int] | None = None) -> pd.DataFrame:
    frame = pd.DataFrame(
        [{"network": 1, "teacher_id": None, "left": None, "entry_unknown": False, **row} for row in rows]
    )
    frame["joined"], frame["left"] = pd.to_datetime(frame["joined"]), pd.to_datetime(frame["left"])
    frame = frame.astype({"school": "Int64", "network": "Int64", "teacher_id": "str"})
    return spells(frame, calendar, declared or set())


def membership_of(
    rows: list[dict[str, Any]], calendar: Calendar, schools: int = 1, declared: set[int] | None = None
) -> pd.DataFrame:
    found = spells_of(rows, calendar, declared)
    return school_membership(found, calendar, pd.Series(range(1, schools + 1)))


@pytest.mark.parametrize(
    ("day", "year", "counts_from"),
    [
        ("2015-08-31", 2015, 2016),  # last day of 2014-15: after its cut-off
        ("2015-09-01", 2016, 2016),  # first day of 2015-16
        ("2015-12-31", 2016, 2016),
        ("2016-01-31", 2016, 2016),  # the cut-off itself still counts
        ("2016-02-01", 2016, 2017),
        ("2016-07-15", 2016, 2017),
    ],
)
def test_joining_by_the_cutoff_counts_for_the_running_school_year(
    calendar: Calendar, day: str, year: int, counts_from: int
) -> None:
    dates = pd.Series(pd.to_datetime([day]))
    assert calendar.year_of(dates).tolist() == [year]
    assert calendar.counts_from(dates).tolist() == [counts_from]


def test_a_school_year_that_is_the_calendar_year_ends_in_the_year_it_starts() -> None:
    calendar = Calendar(2014, 2018, 2014, year_start=101, cutoff=331)
    dates = pd.Series(pd.to_datetime(["2015-01-01", "2015-03-31", "2015-04-01", "2015-12-31"]))
    assert calendar.year_of(dates).tolist() == [2015, 2015, 2015, 2015]
    assert calendar.counts_from(dates).tolist() == [2015, 2015, 2016, 2016]


def test_a_cutoff_before_new_year_lies_within_the_running_school_year() -> None:
    calendar = Calendar(2014, 2018, 2014, year_start=801, cutoff=1031)
    dates = pd.Series(pd.to_datetime(["2015-08-01", "2015-10-31", "2015-11-01", "2016-02-01"]))
    assert calendar.counts_from(dates).tolist() == [2016, 2016, 2017, 2017]


def test_leaving_by_the_cutoff_ends_membership_before_the_running_year(calendar: Calendar) -> None:
    rows = [
        {"school": 1, "joined": "2014-09-01", "left": "2016-11-30"},  # 2014-15 and 2015-16
        {"school": 2, "joined": "2014-09-01", "left": "2017-06-30"},  # and 2016-17
        {"school": 3, "joined": "2014-09-01"},
    ]
    years = member_years(spells_of(rows, calendar), calendar)
    assert years.groupby("school")["year"].agg(list).to_dict() == {
        1: [2015, 2016],
        2: [2015, 2016, 2017],
        3: [2015, 2016, 2017, 2018],
    }
    found = membership_of(rows, calendar, schools=3)
    assert found["entry_year"].tolist() == [2015, 2015, 2015]
    assert found["exit_year"].fillna(0).tolist() == [2017, 2018, 0]
    assert found["ever_left"].tolist() == [True, True, False]


def test_a_school_that_comes_back_has_returned_and_one_network_after_another_is_no_gap(calendar: Calendar) -> None:
    rows = [
        {"school": 1, "joined": "2014-10-01", "left": "2015-08-31"},
        {"school": 1, "joined": "2016-10-01", "left": "2017-08-31"},
        {"school": 2, "joined": "2014-10-01", "left": "2015-08-31", "network": 2},
        {"school": 2, "joined": "2015-10-01", "network": 3},
    ]
    found = membership_of(rows, calendar, schools=2)
    assert found["returned"].tolist() == [True, False]
    assert found["ever_left"].tolist() == [True, False]
    assert found["exit_year"].fillna(0).tolist() == [2018, 0]
    assert found["network"].tolist() == [1, 2]


def test_members_before_the_first_outcome_year_are_left_censored_and_those_of_that_year_are_not(
    calendar: Calendar,
) -> None:
    rows = [
        {"school": 1, "joined": "2012-10-01"},
        {"school": 2, "joined": "2010-10-01", "left": "2012-08-31"},
        {"school": 3, "joined": "2013-10-01"},
        {"school": 4, "joined": "2015-10-01", "entry_unknown": True},
        {"school": 5, "joined": "2018-10-01"},
    ]
    found = membership_of(rows, calendar, schools=6)
    assert found["left_censored"].tolist() == [True, True, False, True, False, False]
    assert found["arm"].tolist() == ["member", "member", "member", "member", "comparison", "comparison"]
    assert found["joins_after_study"].tolist() == [False] * 4 + [True, False]
    assert found["entry_year"].isna().tolist() == [False] * 4 + [True, True]


def test_an_entry_that_is_declared_is_uncertain_and_not_left_censored(calendar: Calendar) -> None:
    rows = [
        {"school": 1, "joined": "2015-09-01", "entry_unknown": True},
        {"school": 2, "joined": "2016-09-01"},
        {"school": 3, "joined": "2015-11-11"},  # a date that somebody wrote down
    ]
    found = membership_of(rows, calendar, schools=3, declared={2016})
    assert not found["left_censored"].any()
    assert found["entry_uncertain"].tolist() == [True, False, False]
    undeclared = membership_of(rows, calendar, schools=3)
    assert undeclared["left_censored"].tolist() == [True, False, False]


def test_a_late_joiner_enters_the_next_year_and_a_spell_between_two_cutoffs_has_no_year(calendar: Calendar) -> None:
    rows = [
        {"school": 1, "joined": "2016-03-01"},
        {"school": 2, "joined": "2016-03-01", "left": "2016-10-31"},
    ]
    found = membership_of(rows, calendar, schools=2)
    assert found["late_joiner"].tolist() == [True, True]
    assert found["entry_year"].tolist() == [2017, 2017]
    assert found["exit_year"].fillna(0).tolist() == [0, 2017]
    assert found["ever_left"].tolist() == [False, True]


def test_a_teachers_membership_makes_the_school_a_member(calendar: Calendar) -> None:
    rows = [
        {"school": 1, "joined": "2016-10-01", "teacher_id": "t1"},
        {"school": 1, "joined": "2015-10-01", "teacher_id": "t2"},
    ]
    assert membership_of(rows, calendar)["entry_year"].tolist() == [2016]
