"""The real files of Chicago's Independent School Principals network, against counts made without the project's code."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from python_calamine import CalamineWorkbook

from plneval.config.base import validate
from plneval.config.cohort import Cohort
from plneval.config.yaml_source import read_yaml
from plneval.ingest.stage import Tables, load

PROJECT = Path(__file__).resolve().parents[2]
DATA = PROJECT.parent / "shared" / "data" / "chicago-isp"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the Chicago files are not here")


@pytest.fixture(scope="module")
def tables() -> Tables:
    source = read_yaml(PROJECT / "config" / "cohorts" / "chicago-isp.yaml")
    return load(validate(source, Cohort), "chicago-isp", DATA, source)


@pytest.fixture(scope="module")
def reports() -> dict[int, pd.DataFrame]:
    """Progress reports by the year of their outcomes, every cell as text."""
    files = [
        pd.read_csv(path, dtype=str, keep_default_na=False) for path in sorted(DATA.glob("*progress_reports*.csv"))
    ]
    return {int(file["Progress_Report_Year"].iloc[0]): file for file in files}


def test_481_schools_have_maths_in_all_four_years(tables: Tables) -> None:
    outcomes = tables.frames["outcomes"]
    maths = outcomes[(outcomes["outcome"] == "maths") & outcomes["score"].notna()]
    years = maths.groupby("school_id")["year"].agg(lambda years: tuple(sorted(years)))
    assert (years == (2015, 2016, 2017, 2018)).sum() == 481


def test_every_score_is_the_one_in_the_file_of_its_year(tables: Tables, reports: dict[int, pd.DataFrame]) -> None:
    outcomes = tables.frames["outcomes"]
    words = {"VERY WEAK": 1.0, "WEAK": 2.0, "NEUTRAL": 3.0, "STRONG": 4.0, "VERY STRONG": 5.0}
    columns = {
        "maths": "Attainment_Math_Pct_ES",
        "reading": "Attainment_Reading_Pct_ES",
        "attendance": "Student_Attendance_Year_2_Pct",
        "collaborative_teachers": "School_Survey_Collaborative_Teachers",
    }
    assert sorted(reports) == [2015, 2016, 2017, 2018, 2021, 2022]
    for year, report in reports.items():
        for outcome, column in columns.items():
            found = outcomes[(outcomes["outcome"] == outcome) & (outcomes["year"] == year)]
            if outcome in ("maths", "reading") and year > 2018:
                assert found.empty
                continue
            raw = report[column].map(words) if outcome == "collaborative_teachers" else pd.to_numeric(report[column])
            expected = pd.Series(raw.to_numpy(), index=report["School_ID"]).sort_index()
            scores = found.set_index("school_id")["score"].sort_index()
            pd.testing.assert_series_equal(scores, expected, check_names=False, check_index_type=False)


def test_the_second_attendance_of_a_report_is_the_first_of_the_next(reports: dict[int, pd.DataFrame]) -> None:
    """Progress_Report_Year is the year of the second attendance column: 100 % of schools agree with the next report."""
    for year in (2015, 2016, 2021):
        one, following = (reports[y].set_index("School_ID") for y in (year, year + 1))
        second = pd.to_numeric(one["Student_Attendance_Year_2_Pct"])
        first = pd.to_numeric(following["Student_Attendance_Year_1_Pct"])
        both = pd.concat([second, first], axis=1, join="inner").dropna()
        assert len(both) > 600
        assert (both.iloc[:, 0] == both.iloc[:, 1]).mean() > 0.97


def test_membership_agrees_with_the_lists_of_every_year(tables: Tables) -> None:
    spells = tables.frames["memberships"]
    listed: dict[int, set[str]] = {}
    for year in (2017, 2018, 2019):
        grid = (
            CalamineWorkbook.from_path(DATA / f"demographics_20th_day_{year}.xls")
            .get_sheet_by_name("Schools")
            .to_python()
        )
        number, network = grid[1].index("School ID"), grid[1].index("Network")
        listed[year] = {str(int(float(row[number]))) for row in grid[2:] if row[network] == "ISP"}
    for year, label in ((2022, "2122"), (2023, "2223")):
        profile = pd.read_csv(DATA / f"school_profiles_sy{label}.csv", dtype=str)
        listed[year] = set(profile.loc[profile["Network"] == "ISP", "School_ID"])
    assert {year: len(schools) for year, schools in listed.items()} == {
        2017: 47,
        2018: 67,
        2019: 92,
        2022: 69,
        2023: 67,
    }
    for year, schools in listed.items():
        day = pd.Timestamp(year, 2, 1)
        inside = spells[(spells["joined"] <= day) & (spells["left"].isna() | (spells["left"] >= day))]
        assert set(inside["school_id"]) == schools
        assert inside["school_id"].is_unique


def test_the_first_lists_members_count_as_having_joined_in_2016_and_are_marked(tables: Tables) -> None:
    first = tables.frames["memberships"].query("entry_unknown")
    assert len(first) == 47
    assert set(first["joined"]) == {pd.Timestamp("2015-09-01")}


def test_the_register_is_the_union_of_all_reports_and_only_district_totals_are_rejected(
    tables: Tables, reports: dict[int, pd.DataFrame]
) -> None:
    schools = tables.frames["schools"].set_index("school_id")
    assert set(schools.index) == set().union(*(set(report["School_ID"]) for report in reports.values()))
    last = pd.concat([reports[year] for year in (2015, 2016, 2018, 2021, 2022)]).drop_duplicates(
        "School_ID", keep="last"
    )
    expected = last.set_index("School_ID")["Zip"]
    assert schools.loc[expected.index, "area"].tolist() == expected.tolist()
    ledger = tables.ledger.frame()
    assert ledger["rule"].unique().tolist() == ["missing_key"]
    # Row 3 of each of the three demographics files, read for enrolment and for membership.
    assert len(ledger) == 6
    assert set(ledger["row"]) == {3}


def test_enrolment_is_the_total_of_the_twentieth_day(tables: Tables) -> None:
    years = tables.frames["school_years"].set_index(["school_id", "year"])
    assert years.loc[("610212", 2018), "enrolment"] == 290
    assert years.loc[("610212", 2019), "enrolment"] == 282
    # The district's total without its own row: the schools' sum must give it.
    assert years.xs(2017, level="year")["enrolment"].sum() == 381349
