"""Dose, intensity, direct and indirect exposure, and data that cannot be right."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from network_study import cohort, four_schools, spell

from plneval.networks.attendance import school_dose, teacher_dose
from plneval.networks.dose import NOT_CAUSAL, dose_bands, dose_by_event_time
from plneval.networks.exposure import (
    exposure_by_event_time,
    intensity,
    pupil_years,
    separability,
    taught_share,
)
from plneval.networks.problems import RULES, data_problems

EVENTS = [
    # Study year 2016: three events of alpha; a1 attends two of them, b1 one.
    {"network_id": "alpha", "event_id": "1", "school_id": "A", "teacher_id": "a1", "date": "2015-10-10", "hours": 2},
    {"network_id": "alpha", "event_id": "2", "school_id": "A", "teacher_id": "a1", "date": "2016-02-10", "hours": 3},
    {"network_id": "alpha", "event_id": "2", "school_id": "B", "teacher_id": "b1", "date": "2016-02-10", "hours": 3},
    {"network_id": "alpha", "event_id": "3", "school_id": "B", "date": "2016-05-10", "hours": 4},
    # The school's own record beside that of its teacher adds nothing.
    {"network_id": "alpha", "event_id": "2", "school_id": "A", "date": "2016-02-10", "hours": 3},
]


def lesson(pupil: str, year: int, teacher: str, share: float | None, subject: str = "maths") -> dict[str, Any]:
    return {"pupil_id": pupil, "year": year, "teacher_id": teacher, "share": share, "subject": subject}


def on_roll(pupil: str, school: str, *years: int) -> list[dict[str, Any]]:
    return [{"pupil_id": pupil, "school_id": school, "year": year} for year in years]


def test_dose_counts_hours_and_the_share_of_the_networks_events() -> None:
    tables = four_schools(activity=EVENTS)
    people = teacher_dose(tables)
    of_2016 = people[people["year"] == 2016].set_index("school")
    assert of_2016["hours"].tolist()[:2] == [5.0, 3.0]
    assert of_2016["share_attended"].tolist()[:2] == pytest.approx([2 / 3, 1 / 3], abs=1e-12)
    schools = school_dose(tables).set_index(["school", "year"])
    assert schools.loc[(1, 2016), ["hours", "teachers", "events", "events_held"]].tolist() == [5, 1, 2, 3]
    # B: one teacher at one event, and the school at another without saying who.
    assert schools.loc[(2, 2016), ["hours", "hours_per_teacher", "events"]].tolist() == [7, 3, 2]
    assert schools.loc[(2, 2016), "share_attended"] == pytest.approx(2 / 3, abs=1e-12)
    assert schools.loc[(2, 2016), "event_time"] == 0


def test_a_year_without_any_record_is_an_unknown_dose_and_not_a_dose_of_zero() -> None:
    tables = four_schools(activity=[event for event in EVENTS if event["school_id"] == "B"])
    dose = school_dose(tables).set_index(["school", "year"])
    assert dose.loc[(1, 2016), "hours"] == 0  # alpha met, and nobody of A came
    assert dose.loc[(1, 2016), "recorded"]
    assert not dose.loc[(1, 2017), "recorded"]
    assert pd.isna(dose.loc[(1, 2017), "hours"])
    bands = dose_bands(dose.reset_index(), edges=[1, 2]).set_index(["school", "year"])["band"]
    assert bands.loc[(1, 2016)] == "none"
    assert bands.loc[(1, 2017)] == "unknown"
    assert bands.loc[(2, 2016)] == "high"


def test_bands_hold_a_third_of_the_doses_each_and_say_that_they_are_not_causal(simulated) -> None:
    bands = dose_bands(school_dose(simulated.tables))
    known = bands[bands["band"].isin(["low", "middle", "high"])]
    assert known["band"].value_counts(normalize=True).to_numpy() == pytest.approx([1 / 3] * 3, abs=0.05)
    assert (bands["label"] == NOT_CAUSAL).all()
    assert (bands["event_time"] >= 0).all()
    counts = dose_by_event_time(bands)
    assert (counts["label"] == NOT_CAUSAL).all()
    assert counts["n_schools"].sum() == len(bands)
    inside = known.dropna(subset=["upper"])
    assert (inside["dose"] <= inside["upper"]).all()
    assert (inside["dose"] > inside["lower"]).all()


@pytest.mark.parametrize("edges", [[2, 1], [1], [1, 1]])
def test_edges_that_are_not_two_increasing_numbers_are_refused(edges: list[float]) -> None:
    with pytest.raises(ValueError, match="two increasing edges"):
        dose_bands(school_dose(four_schools(activity=EVENTS)), edges=edges)


def test_intensity_is_the_share_of_the_schools_staff_that_takes_part() -> None:
    table = intensity(four_schools()).set_index(["school", "year"])
    assert table.loc[(1, 2016), "intensity"] == 1 / 2
    assert table.loc[(2, 2016), "intensity"] == pytest.approx(1 / 3, abs=1e-12)
    assert table.loc[(2, 2017), "intensity"] == pytest.approx(2 / 3, abs=1e-12)
    assert set(table["source"]) == {"staff register"}


def test_without_a_staff_register_the_schools_own_count_serves_and_more_participants_than_teachers_do_not() -> None:
    years = [{"school_id": s, "year": y, "n_teachers": n} for s, n in (("A", 4), ("B", 1)) for y in (2016, 2017)]
    tables = four_schools(teachers=[], school_years=years)
    table = intensity(tables).set_index(["school", "year"])
    assert table.loc[(1, 2016), ["intensity", "source"]].tolist() == [0.25, "school years"]
    assert table.loc[(2, 2016), "intensity"] == 1
    assert pd.isna(table.loc[(2, 2017), "intensity"])
    assert table.loc[(3, 2016), "source"] == "none"
    found = data_problems(tables).set_index("rule")["count"]
    assert found["intensity_over_one"] == 1


def test_a_school_that_names_no_participant_has_no_intensity_rather_than_none() -> None:
    memberships = [spell("alpha", "A", "2013-10-01"), spell("alpha", "A", "2015-10-01", None, "a1")]
    table = intensity(four_schools(memberships=memberships)).set_index(["school", "year"])
    assert table.loc[(1, 2015), ["participants", "intensity"]].isna().all()
    assert table.loc[(1, 2016), ["participants", "intensity"]].tolist() == [1, 0.5]


def test_share_of_teaching_by_participants_takes_missing_and_too_large_shares_by_the_named_rules() -> None:
    pupils = [row for pupil in "pqrs" for row in on_roll(pupil, "A", 2016)]
    tables = four_schools(
        pupils=pupils,
        teaching=[
            lesson("p", 2016, "a1", 0.25),
            lesson("p", 2016, "a2", 0.75),
            lesson("q", 2016, "a1", None),  # the share of q's only teacher is all of it
            lesson("r", 2016, "a1", 0.9),
            lesson("r", 2016, "a2", 0.9),  # 1.8 in all: each is half
            lesson("s", 2016, "a1", 0.2),
            lesson("s", 2016, "a2", 0.2),  # 0.6 is not recorded
        ],
    )
    shares = taught_share(tables).set_index("pupil")
    assert shares["share_direct"].tolist() == pytest.approx([0.25, 1.0, 0.5, 0.5], abs=1e-12)
    assert shares["share_recorded"].tolist() == pytest.approx([1, 1, 1, 0.4], abs=1e-12)
    found = data_problems(tables).set_index("rule")["count"]
    assert (found["shares_over_one"], found["shares_below_one"]) == (1, 1)


def test_participation_since_joining_stays_after_leaving_and_current_does_not() -> None:
    tables = four_schools(
        pupils=on_roll("p", "A", 2014, 2015, 2016),
        teaching=[lesson("p", year, "a1", 1) for year in (2014, 2015, 2016)],
    )
    assert taught_share(tables)["share_direct"].tolist() == [1, 1, 1]
    assert taught_share(tables, "current")["share_direct"].tolist() == [1, 0, 1]
    of_b = four_schools(pupils=on_roll("p", "B", 2015, 2016), teaching=[lesson("p", y, "b1", 1) for y in (2015, 2016)])
    assert taught_share(of_b)["share_direct"].tolist() == [0, 1]
    assert taught_share(of_b, "any_time")["share_direct"].tolist() == [1, 1]
    assert pupil_years(tables)["years_direct"].tolist() == [1, 2, 3]
    current = pupil_years(tables, "current")
    assert current["exposure"].tolist() == ["direct", "none", "direct"]
    assert current["years_direct"].tolist() == [1, 1, 2]


def test_years_of_exposure_are_the_pupils_own_and_go_along_to_another_school() -> None:
    """A pupil is taught by a participant in A, moves to D, which never joined, then to B in its second year."""
    tables = four_schools(
        pupils=on_roll("p", "A", 2014) + on_roll("p", "D", 2015) + on_roll("p", "B", 2016, 2017),
        teaching=[
            lesson("p", 2014, "a1", 1),
            lesson("p", 2015, "d1", 1),
            lesson("p", 2016, "b3", 1),
            lesson("p", 2017, "b1", 1),
        ],
    )
    years = pupil_years(tables)
    assert years["exposure"].tolist() == ["direct", "none", "indirect", "direct"]
    assert years["years_direct"].tolist() == [1, 1, 1, 2]
    assert years["years_indirect"].tolist() == [0, 0, 1, 1]
    assert years["years_exposed"].tolist() == [1, 1, 2, 3]  # B itself is in its second year in 2017


def test_share_directly_taught_equals_the_planted_one(simulated) -> None:
    """By event time, among pupils of schools that are members, in both subjects: the same numbers to the last digit."""
    table = exposure_by_event_time(simulated.pupil, taught_share(simulated.tables)).set_index(["outcome", "event_time"])
    planted = simulated.truth["effects"]["event_time"]
    compared = 0
    for outcome, by_time in planted.items():
        for event_time, of_time in by_time.items():
            own = table.loc[(outcome, int(event_time))]
            assert own["direct_share"] == pytest.approx(of_time["direct_share"], abs=1e-12)
            assert own["n_unknown"] == 0
            compared += 1
    assert compared == 12
    # Job shares: being taught by a participant for part of the lessons is less than being taught by one only.
    assert (table["mean_share"] <= table["direct_share"] + 1e-12).all()
    assert (table["mean_share"] < table["direct_share"]).any()


def test_exposure_of_every_score_agrees_with_the_panel(simulated) -> None:
    years = pupil_years(simulated.tables)
    both = simulated.pupil.merge(years, on=["pupil", "year", "outcome"], how="left", suffixes=("", "_own"))
    assert (both["exposure"] == both["exposure_own"]).all()


def test_where_nothing_links_pupils_to_teachers_the_table_says_so(simulated) -> None:
    linked = separability(simulated.tables, simulated.pupil)
    assert linked["separable"].all()
    panel = simulated.pupil
    lacking = four_schools(pupils=on_roll("p", "A", 2016))
    empty = panel.iloc[:0]
    (row,) = separability(lacking, empty).itertuples()
    assert not row.separable
    assert row.reason == "no_teaching"
    assert "cannot be told apart" in row.statement
    of_schools = four_schools(config=cohort(study={"level": "school"}))
    (row,) = separability(of_schools, empty).itertuples()
    assert (row.separable, row.reason) == (False, "school_level")
    assert pd.isna(row.n_pupils)
    without_names = four_schools(
        memberships=[spell("alpha", "A", "2013-10-01")],
        pupils=on_roll("p", "A", 2016),
        teaching=[lesson("p", 2016, "a1", 1)],
    )
    assert separability(without_names, empty)["reason"].tolist() == ["no_participants"]


def test_every_kind_of_wrong_data_has_its_rule_and_its_count() -> None:
    memberships = [
        spell("alpha", "A", "2013-10-01"),
        spell("alpha", "B", "2013-10-01"),
        spell("alpha", "A", "2013-10-01", None, "a1"),
        spell("gamma", "C", "2014-10-01", None, "a1"),  # a1 with A in alpha and with C in gamma at once
        spell("alpha", "D", "2015-02-02", "2015-06-01"),  # after one cut-off and before the next
        spell("alpha", "A", "2013-10-01", None, "z9"),  # not on A's staff
    ]
    events = [
        {"network_id": "alpha", "event_id": "1", "teacher_id": "a1"},
        {"network_id": "alpha", "event_id": "2", "teacher_id": "a1", "date": "2009-10-01", "hours": 1},
        {"network_id": "alpha", "event_id": "3", "date": "2015-10-01", "hours": 1},
        {"network_id": "alpha", "event_id": "3", "teacher_id": "b3", "date": "2015-10-01", "hours": 1},
    ]
    ties = [
        {"wave": "1", "source": "a1", "target": "b1"},
        {"wave": "1", "source": "a1", "target": "nobody"},
        {"wave": "1", "source": "a1", "target": "a1"},
    ]
    rejections = [
        ("memberships", "joined", "missing_key"),
        ("memberships", "left", "bad_type"),
        ("teachers", "teacher_id", "conflicting_duplicate"),
        ("teaching", "share", "out_of_range"),
        ("teaching", "share", "bad_type"),
    ]
    tables = four_schools(memberships=memberships, activity=events, ties=ties, rejections=rejections)
    assert data_problems(tables).set_index("rule")["count"].to_dict() == {
        "membership_without_date": 1,
        "teacher_in_two_registers": 1,
        "teacher_in_two_schools": 1,
        "network_of_one_school": 1,
        "membership_without_year": 1,
        "share_over_one": 1,
        # z9 in four years with A, a1 in three years with C (the study year of October 2014 is 2015)
        "participant_not_on_staff": 7,
        "attendance_without_date": 1,
        "attendance_outside_study": 1,
        "attendance_without_hours": 1,
        "attendance_without_school": 1,
        "attendance_without_membership": 1,
        "tie_to_unknown_person": 1,
        "tie_to_oneself": 1,
    }


def test_tables_without_rows_give_measures_without_rows() -> None:
    tables = four_schools(memberships=[], teachers=[])
    assert teacher_dose(tables).empty
    assert school_dose(tables).empty
    assert intensity(tables).empty
    assert taught_share(tables).empty
    assert pupil_years(tables).empty
    assert np.all(data_problems(tables)["count"] > 0)


def test_documentation_lists_every_rule(root: Path) -> None:
    page = (root / "docs" / "networks.md").read_text(encoding="utf-8")
    section = page.split("## Data that cannot be right")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    listed = [name for row in rows for name in re.findall(r"`([a-z_]+)`", row)]
    assert sorted(listed) == sorted(RULES)
