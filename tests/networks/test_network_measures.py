"""Measures of membership, structure and leaving as reports get them: of networks together, never of a single one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from network_study import four_schools, spell

from plneval.describe.network_leaving import network_exit_timing, network_exits, network_leavers
from plneval.describe.network_registry import (
    network_data,
    network_overlap,
    network_problems,
    network_registry,
    network_timeline,
    teacher_timeline,
)
from plneval.describe.network_structure import network_structure
from plneval.networks.data_checks import data_checks
from plneval.networks.problems import participants_elsewhere
from plneval.networks.structure import structure
from plneval.networks.timeline import timeline


def of(tables: Any, school: pd.DataFrame | None = None, pupil_level: bool = True) -> Any:
    return SimpleNamespace(tables=tables, school=school, pupil_level=pupil_level)


def test_a_school_in_two_networks_counts_once_among_all_and_leaves_when_it_is_in_none() -> None:
    tables = four_schools(
        memberships=[
            spell("alpha", "A", "2013-10-01", "2015-10-01"),
            spell("beta", "A", "2014-10-01", "2016-10-01"),
            spell("alpha", "B", "2015-10-01"),
        ]
    )
    found = timeline(tables, "school").set_index("year")
    assert found["members"].tolist() == [1, 1, 2, 1]
    assert found["joined"].tolist() == [1, 0, 1, 0]
    assert found["left"].tolist() == [0, 0, 0, 1]
    alpha = timeline(tables, "school", [1]).set_index("year")
    assert alpha["left"].tolist() == [0, 0, 1, 0]


def test_the_timeline_of_a_simulated_study_is_that_of_its_truth(simulated) -> None:
    counted = simulated.truth["schools"]
    found = network_timeline(of(simulated.tables))
    whole = found[found["type"] == ""]
    assert whole["joined"].sum() == counted["joiners"]
    assert whole["present_at_start"].sum() == counted["left_censored"]
    assert whole["returned"].sum() == counted["returners"]
    assert whole["left"].sum() == counted["leavers"]
    before = whole["members"].shift(fill_value=0)
    came = whole["present_at_start"] + whole["joined"] + whole["returned"]
    assert (whole["members"] == before + came - whole["left"]).all()
    people = teacher_timeline(of(simulated.tables))
    assert (people["members"] == people["members"].shift(fill_value=0) + people["came"] - people["left"]).all()


def test_schools_in_several_networks_are_counted_under_each_rule() -> None:
    events = [
        {"network_id": "alpha", "event_id": "1", "teacher_id": "b1", "date": "2016-11-01", "hours": 2},
        {"network_id": "beta", "event_id": "2", "teacher_id": "b2", "date": "2016-11-02", "hours": 3},
    ]
    found = network_overlap(of(four_schools(activity=events))).set_index("rule")
    # B is in alpha and beta in 2017, longer in alpha, with more hours in beta.
    assert found["n_schools"].tolist() == [1, 1, 1]
    assert found["n_school_years"].tolist() == [1, 1, 1]
    assert found["n_other_network"].to_dict() == {"first": 0, "strongest_dose": 1, "all": 1}
    assert found["n_schools_elsewhere"].to_dict() == {"first": 0, "strongest_dose": 1, "all": 1}
    assert found["declared"].tolist() == [True, False, False]


def test_networks_are_counted_by_what_they_are() -> None:
    found = network_registry(of(four_schools()))
    whole = found.iloc[0]
    assert (whole["characteristic"], whole["n_networks"], whole["n_schools"], whole["one_school"]) == ("all", 3, 4, 2)
    assert (whole["with_lead"], whole["with_partner"]) == (1, 1)
    assert whole["mean_years"] == pytest.approx((3 + 1 + 4) / 3)
    for characteristic in ("type", "focus", "composition", "area"):
        assert found.loc[found["characteristic"] == characteristic, "n_networks"].sum() == 3


def test_structure_is_told_of_networks_together(simulated) -> None:
    found = network_structure(of(simulated.tables))
    single = structure(simulated.tables)
    waves = sorted(single["wave"].unique())
    row = found[(found["measure"] == "density") & (found["wave"] == 2)].iloc[0]
    own = single.loc[single["wave"] == waves[1], "density"].dropna()
    assert row["n_networks"] == len(own)
    assert row["mean"] == pytest.approx(own.mean())
    assert row["median"] == pytest.approx(own.median())
    assert not {"min", "max", "network"} & set(found.columns)


def test_exits_are_those_of_the_truth(simulated) -> None:
    counted = simulated.truth["schools"]
    found = network_exits(of(simulated.tables)).set_index("what")["n_schools"]
    assert found["joined"] == counted["joiners"]
    assert found["left"] == counted["leavers"]
    assert found["returned"] == counted["returners"]
    assert network_exit_timing(of(simulated.tables))["left"].sum() == counted["leavers"]
    table = network_leavers(of(simulated.tables, simulated.school)).set_index("covariate")
    assert table.loc["maths", "n_leavers"] == counted["leavers"]


def test_a_study_of_one_network_without_people_has_typed_empty_tables_and_says_what_is_missing() -> None:
    tables = four_schools(
        networks=[{"network_id": "alpha", "type": None}], memberships=[spell("alpha", "A", "2013-10-01")], teachers=[]
    )
    study = of(tables, pupil_level=False)
    assert teacher_timeline(study).empty
    assert network_structure(study).empty
    assert network_structure(study)["mean"].dtype == "float64"
    known = network_data(study).set_index("part")["available"]
    for part in ("several_networks", "type_of_networks", "teachers_in_networks", "ties", "surveys", "pupil_results"):
        assert not known[part]
    assert set(network_timeline(study)["type"]) == {""}
    assert "area" not in set(network_registry(study)["characteristic"])


def test_problems_tell_the_rule_and_what_was_done() -> None:
    found = network_problems(of(four_schools())).set_index("rule")
    assert found.loc["network_of_one_school", "count"] == 2
    assert found.loc["network_of_one_school", "table"] == "networks"
    assert "never had two schools" in found.loc["network_of_one_school", "meaning"]


def test_participants_who_go_to_a_comparison_school_are_counted_from_their_first_year_on() -> None:
    staff = [("a1", 2014, "A"), ("a1", 2015, "D"), ("a1", 2016, "D"), ("b1", 2014, "D"), ("b1", 2016, "B")]
    staff += [("d1", 2016, "D"), ("b2", 2017, "A")]
    tables = four_schools(teachers=[{"teacher_id": t, "year": y, "school_id": s} for t, y, s in staff])
    # a1 took part from 2014 on; b1 was at D before taking part, d1 never took part, A is no comparison school.
    found = participants_elsewhere(tables)
    assert found[["school", "year"]].to_numpy().tolist() == [[4, 2015], [4, 2016]]
    assert found["teacher"].nunique() == 1
    problems = network_problems(of(tables)).set_index("rule")
    assert problems.loc["participant_in_comparison_school", ["table", "count"]].tolist() == ["teachers", 1]
    checks = data_checks(tables, []).set_index("rule")
    # Teachers who ever took part: a1, b1, b2, c1; D alone never joins.
    assert checks.loc["participant_in_comparison_school"].tolist() == [1, 4]
    assert checks.loc["comparison_school_with_participant"].tolist() == [1, 1]
    unknown = data_checks(four_schools(teachers=[]), []).set_index("rule")
    assert unknown.loc["comparison_school_with_participant"].tolist() == [0, 0]


def test_checks_know_of_how_many_records_rules_found_some() -> None:
    lost = [("memberships", "joined", "missing_key"), ("memberships", "school_id", "unknown_school")]
    checks = data_checks(four_schools(rejections=lost), []).set_index("rule")
    # Ten memberships are kept, and two were rejected, one of them for its date.
    assert checks.loc["membership_without_date"].tolist() == [1, 12]
    assert checks.loc["network_of_one_school"].tolist() == [2, 3]
    assert checks.loc["tie_to_unknown_person"].tolist() == [0, 0]
