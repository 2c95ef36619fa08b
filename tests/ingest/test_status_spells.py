"""Membership as a status of every year, turned into spells; the expected dates are worked out by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from ingest_study import Study

from plneval.config.cohort import Study as StudyYears
from plneval.errors import UserError, UserErrors
from plneval.ingest.spells import Spells, school_year_bounds, spells_from_status

YEARS = StudyYears(first_year=2015, last_year=2022)


def spells(statuses: dict[str, dict[int, str | None]], first_year_entry: int | None = None) -> Spells:
    rows = [(school, year, network) for school, years in statuses.items() for year, network in years.items()]
    frame = pd.DataFrame(rows, columns=["school_id", "year", "network_id"]).astype(
        {"year": "Int64", "network_id": "str"}
    )
    return spells_from_status(frame, first_year_entry, YEARS)


def dates(found: Spells) -> list[list[Any]]:
    frame = found.frame.assign(
        joined=found.frame["joined"].dt.strftime("%Y-%m-%d"), left=found.frame["left"].dt.strftime("%Y-%m-%d")
    )
    kept = frame[["school_id", "network_id", "joined", "left", "entry_unknown"]]
    return kept.astype(object).where(kept.notna(), None).to_numpy().tolist()


# A file stands for 2017, 2018, 2019 and 2022 (as in Chicago); nothing is known of 2020 and 2021.
STATUSES: dict[str, dict[int, str | None]] = {
    "always": {2017: "N", 2018: "N", 2019: "N", 2022: "N"},
    "early": {2017: "N", 2018: None, 2019: None, 2022: None},
    "gap": {2017: None, 2018: None, 2019: "N", 2022: "N"},
    "late": {2017: None, 2018: None, 2019: None, 2022: "N"},
    "leaves": {2017: None, 2018: "N", 2019: "N", 2022: None},
    "never": {2017: None, 2018: None, 2019: None, 2022: None},
    "returns": {2017: "N", 2018: None, 2019: "N", 2022: None},
    "switches": {2017: None, 2018: "M", 2019: "N", 2022: "N"},
    "unlisted": {2017: None, 2018: "N", 2022: "N"},
}


def test_spells_begin_and_end_with_school_years_and_go_over_years_without_a_file() -> None:
    found = spells(STATUSES)
    assert dates(found) == [
        ["switches", "M", "2017-09-01", "2018-08-31", False],
        ["always", "N", "2016-09-01", None, True],
        ["early", "N", "2016-09-01", "2017-08-31", True],
        ["gap", "N", "2018-09-01", None, False],
        ["late", "N", "2021-09-01", None, False],
        ["leaves", "N", "2017-09-01", "2019-08-31", False],
        ["returns", "N", "2016-09-01", "2017-08-31", True],
        ["returns", "N", "2018-09-01", "2019-08-31", False],
        ["switches", "N", "2018-09-01", None, False],
        # Not listed in a year whose file is there: no member in that year.
        ["unlisted", "N", "2017-09-01", "2018-08-31", False],
        ["unlisted", "N", "2021-09-01", None, False],
    ]
    # always, gap and switches were members over 2020 and 2021.
    assert found.gap_filled == 6
    assert found.entered_in_gap == 2
    assert found.unlisted == 1


def test_a_declared_entry_moves_the_start_of_the_first_years_members_only() -> None:
    frame = spells(STATUSES, first_year_entry=2016).frame
    first = frame[frame["entry_unknown"]]
    assert set(first["school_id"]) == {"always", "early", "returns"}
    assert set(first["joined"]) == {pd.Timestamp("2015-09-01")}
    assert frame.loc[~frame["entry_unknown"], "joined"].min() == pd.Timestamp("2017-09-01")


@pytest.mark.parametrize(
    ("start", "first", "last"),
    [
        ("09-01", "2018-09-01", "2019-08-31"),
        ("08-15", "2018-08-15", "2019-08-14"),
        ("01-01", "2019-01-01", "2019-12-31"),
    ],
)
def test_the_school_year_2019_by_its_declared_start(start: str, first: str, last: str) -> None:
    years = StudyYears(first_year=2015, last_year=2022, school_year_start=start)
    assert tuple(str(day.date()) for day in school_year_bounds(2019, years)) == (first, last)


def by_status(study: Study, files: dict[int, str], **status: Any) -> Study:
    for year, text in files.items():
        study.files[f"list_{year}.csv"] = text
    study.declared["sources"]["memberships"] = [
        {
            "files": "list_*.csv",
            "year": {"file_name": r"_(\d{4})"},
            "columns": {"school_id": "school"},
            "status": {"column": "status", "members": {"In": "N1"}, **status},
        }
    ]
    return study


LISTS = {
    2015: "school,status\n001,Out\n002,Out\n",
    2016: "school,status\n001,In\n002,\n003,Out\n009,In\n",
    2017: "school,status\n001,In\n002,In\n002,In\n003,Out\n003,In\n",
}


def test_statuses_are_kept_rejected_and_merged_like_other_rows(study: Study) -> None:
    tables = by_status(study, LISTS).load()
    ledger = tables.ledger
    assert (ledger.total("memberships", "read"), ledger.total("memberships", "kept")) == (11, 7)
    assert ledger.rejected_by_rule("memberships") == {"unknown_school": 1, "conflicting_duplicate": 2}
    assert ledger.total("memberships", "merged") == 1
    assert tables.frames["memberships"][["school_id", "joined"]].to_numpy().tolist() == [
        ["001", pd.Timestamp("2015-09-01")],
        ["002", pd.Timestamp("2016-09-01")],
    ]


def test_statuses_of_several_sources_make_one_history(study: Study) -> None:
    by_status(study, {2015: LISTS[2015], 2016: LISTS[2016]})
    study.files["profile.csv"] = "id,member\n001,yes\n002,no\n"
    study.declared["sources"]["memberships"].append(
        {
            "files": "profile.csv",
            "year": {"value": 2017},
            "columns": {"school_id": "id"},
            "status": {"column": "member", "members": {"yes": "N1"}},
        }
    )
    frame = study.load().frames["memberships"]
    assert frame["school_id"].tolist() == ["001"]
    assert frame["left"].isna().all()


def test_a_status_outside_the_study_years_still_dates_a_spell(study: Study) -> None:
    study.declared["study"] = {"first_year": 2015, "last_year": 2016}
    frame = by_status(study, {**LISTS, 2018: "school,status\n001,Out\n002,In\n"}).load().frames["memberships"]
    assert frame.loc[frame["school_id"] == "001", "left"].tolist() == [pd.Timestamp("2017-08-31")]


def test_a_status_that_no_row_has_and_an_unknown_network_are_mistakes(study: Study) -> None:
    by_status(study, LISTS, members={"Inn": "N1", "In": "N7"})
    with pytest.raises(UserErrors) as caught:
        study.load()
    assert len(caught.value.problems) == 2
    assert "members.Inn: no row has the status 'Inn'. Did you mean 'In'?" in caught.value.problems[0]
    assert "members.In: the table 'networks' has no network 'N7'." in caught.value.problems[1]


def test_an_entry_declared_after_the_first_file_is_a_mistake(study: Study) -> None:
    with pytest.raises(UserError, match="first_year_entry: 2016 lies after the first year of the files, 2015"):
        by_status(study, LISTS, first_year_entry=2016).load()
