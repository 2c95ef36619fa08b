"""Direct and indirect exposure of pupils."""

from __future__ import annotations

import pandas as pd

from plneval.prepare.exposure import pupil_exposure

SPELLS = pd.DataFrame(
    {
        "school": [1, 1, 2],
        "teacher_id": pd.array(["t1", None, None], dtype="str"),
        "entry": pd.array([2016, 2015, 2015], dtype="Int64"),
    }
)


def scores(rows: list[tuple[int, int, int, int]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["pupil", "year", "school", "treated"]).assign(outcome="maths")


def teaching(rows: list[tuple[int, int, str, str, float | None]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["pupil", "year", "subject", "teacher_id", "share"])


def test_pupils_of_participants_are_direct_and_those_of_colleagues_indirect() -> None:
    lessons = teaching(
        [
            (1, 2016, "maths", "t1", None),
            (2, 2016, "maths", "t2", None),
            (3, 2016, "maths", "t2", 0.8),
            (3, 2016, "maths", "t1", 0.2),
            (4, 2016, "maths", "t1", 0.0),  # no share of the lessons
            (4, 2016, "maths", "t2", 1.0),
            (5, 2016, "reading", "t1", None),  # another subject: maths is not known
        ]
    )
    rows = scores([(pupil, 2016, 1, 1) for pupil in range(1, 7)])
    assert pupil_exposure(rows, lessons, SPELLS).tolist() == [
        "direct",
        "indirect",
        "direct",
        "indirect",
        "unknown",
        "unknown",
    ]


def test_before_joining_nobody_is_exposed_and_before_a_participant_is_named_nothing_is_known() -> None:
    lessons = teaching([(1, year, "maths", "t1", None) for year in (2014, 2015, 2016)])
    rows = scores([(1, 2014, 1, 0), (1, 2015, 1, 1), (1, 2016, 1, 1)])
    assert pupil_exposure(rows, lessons, SPELLS).tolist() == ["none", "unknown", "direct"]


def test_a_school_that_names_no_participant_has_unknown_exposure() -> None:
    lessons = teaching([(1, 2016, "maths", "t9", None)])
    assert pupil_exposure(scores([(1, 2016, 2, 1)]), lessons, SPELLS).tolist() == ["unknown"]


def test_empty_teaching_means_unknown_in_schools_that_joined() -> None:
    empty = teaching([]).astype({"pupil": "Int64", "year": "Int64", "subject": "str", "teacher_id": "str"})
    assert pupil_exposure(scores([(1, 2016, 1, 1), (2, 2016, 3, 0)]), empty, SPELLS).tolist() == ["unknown", "none"]
