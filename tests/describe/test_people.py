"""Composition, attrition and missing outcomes, each counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from plneval.describe.attrition import attrition, followed_pupils
from plneval.describe.composition import composition, turnover
from plneval.describe.missingness import missingness
from plneval.describe.sample import Sample

Make = Callable[..., Sample]


def register(path: dict[int, list[tuple[int, int, str]]]) -> list[dict[str, Any]]:
    return [
        {"pupil": pupil, "year": year, "attended": school, "grade": grade, "disadvantaged": pupil % 2}
        for pupil, steps in path.items()
        for year, school, grade in steps
    ]


PATHS = {
    1: [(2014, 1, "3"), (2015, 1, "4")],  # grows out of the register
    2: [(2014, 1, "4")],  # the same
    3: [(2014, 1, "3")],  # leaves school 1 after 2014
    4: [(2015, 1, "3"), (2016, 3, "4")],  # enters in the lowest grade, moves to school 3
    5: [(2015, 3, "4")],  # joins school 3
    6: [(2014, 3, "3"), (2016, 3, "4")],  # repeats a year somewhere else: neither joins nor leaves
}


def test_those_who_join_leave_and_move_are_told_from_those_who_grow_up(make_sample: Make) -> None:
    marks = turnover(make_sample(register=register(PATHS)).register)

    def pupils(column: str) -> list[tuple[int, int]]:
        rows = marks.loc[marks[column].fillna(False).astype(bool)]
        return [(int(pupil), int(year)) for pupil, year in zip(rows["pupil"], rows["year"], strict=True)]

    assert pupils("joiners") == [(5, 2015)]
    assert pupils("leavers") == [(3, 2014)]
    assert pupils("movers") == [(4, 2016)]
    assert marks.loc[marks["year"] == 2014, "joiners"].isna().all()
    assert marks.loc[marks["year"] == 2016, "leavers"].isna().all()


def test_composition_counts_by_year_and_arm(make_sample: Make) -> None:
    table = composition(make_sample(register=register(PATHS))).set_index(["year", "arm"])
    assert table.loc[(2014, "member"), "n_pupils"] == 3
    assert table.loc[(2014, "member"), "leavers"] == 1
    assert table.loc[(2014, "member"), "share_disadvantaged"] == pytest.approx(2 / 3)
    assert table.loc[(2015, "comparison"), "joiners"] == 1
    assert table.loc[(2016, "comparison"), "movers"] == 1
    assert pd.isna(table.loc[(2014, "member"), "movers"])
    words = [{**row, "grade": "class A"} for row in register(PATHS)]
    assert composition(make_sample(register=words))[["joiners", "leavers"]].isna().all(axis=None)


def scored(path: dict[int, list[tuple[int, int, str]]]) -> list[dict[str, Any]]:
    return [
        {"pupil": pupil, "year": year, "school": school, "grade": grade, "z": 0.0}
        for pupil, steps in path.items()
        for year, school, grade in steps
    ]


def test_pupils_are_expected_in_the_last_year_in_which_their_grade_is_tested(make_sample: Make) -> None:
    # Grades 3 to 5 in 2014, 2015 and 2017: grade 3 is expected in 2015 (grade 4; 2017 would be 6), grade 4 in 2015.
    pupil = make_sample(
        scored(
            {
                1: [(2014, 1, "3"), (2015, 1, "4")],
                2: [(2014, 1, "3"), (2017, 1, "5")],  # not there in 2015
                3: [(2014, 1, "4"), (2015, 3, "5")],  # in another school: still seen
                4: [(2014, 1, "5")],  # cannot be followed
                5: [(2014, 3, "4")],
                6: [(2015, 3, "4"), (2017, 3, "5")],  # not there in the first year
            }
        )
    ).pupil
    found = followed_pupils(pupil).set_index("pupil")
    assert found["remains"].to_dict() == {1: True, 2: False, 3: True, 5: False}
    assert found["arm"].to_dict() == {1: "member", 2: "member", 3: "member", 5: "comparison"}


def test_repeated_cross_sections_have_no_attrition_of_pupils(make_sample: Make) -> None:
    pupil = scored({k: [(2014 + k % 2, 1 + 2 * (k % 3 > 0), "4")] for k in range(8)})
    cells = [
        {"school": school, "year": year, "z": 0.0} for school, year in [(1, 2014), (1, 2015), (3, 2014), (4, 2014)]
    ]
    table = attrition(make_sample(pupil, cells))
    assert table[["unit", "arm", "start", "remaining"]].to_numpy().tolist() == [
        ["schools", "member", 1, 1],
        ["schools", "comparison", 2, 0],
    ]
    assert table["rate"].tolist() == [0.0, 1.0]


def test_a_score_is_expected_of_every_registered_pupil_of_a_tested_grade(make_sample: Make) -> None:
    people = {
        1: [(2014, 1, "3")],
        2: [(2014, 1, "3")],
        3: [(2014, 1, "6")],  # a grade that was not tested
        4: [(2014, 3, "3")],
        5: [(2014, 9, "3")],  # a school that is not analysed
    }
    sample = make_sample(
        scored({1: people[1], 4: people[4]}),
        register=register(people),
        study={"missing_outcome_years": [2015, 2016, 2017]},
    )
    table = missingness(sample).set_index(["year", "arm"])
    assert table.loc[(2014, "member"), ["expected", "observed"]].tolist() == [2, 1]
    assert table.loc[(2014, "member"), "missing_share"] == 0.5
    assert table.loc[(2014, "comparison"), ["expected", "observed"]].tolist() == [1, 1]


def test_a_school_level_score_is_expected_of_schools_that_have_the_outcome_at_all(make_sample: Make) -> None:
    cells = [{"school": school, "year": year, "z": 0.0} for school, year in [(1, 2014), (1, 2015), (3, 2014)]]
    study = {"level": "school", "missing_outcome_years": [2016, 2017]}
    table = missingness(make_sample(None, cells, study=study)).set_index(["year", "arm"])
    assert table.loc[(2015, "comparison"), ["expected", "observed"]].tolist() == [1, 0]
    assert table.loc[(2015, "member"), ["expected", "observed"]].tolist() == [1, 1]
