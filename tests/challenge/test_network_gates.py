"""Gates about comparison schools in other networks, and about data on networks that cannot be right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from evidence_by_hand import (
    cohort,
    evidence,
    measures,
)

from plneval.challenge.comparison_gate import comparison_coverage
from plneval.challenge.document import verdict_document
from plneval.challenge.evidence import Evidence
from plneval.challenge.gate import Gate
from plneval.challenge.network_gates import network_data
from plneval.challenge.verdict import REFUSING

Form = Callable[[Evidence], Gate | None]


def test_measured_distances_contradict_a_declaration_that_none_is_near() -> None:
    near = contamination(year=[2015, 2020], n_near=[4, 17])
    gate = comparison_coverage(evidence(measures=measures(contamination=near)))
    assert gate.result == "caution"
    assert "no comparison school was declared to be a neighbour" in gate.because
    assert "17 of 60 comparison schools stood less than 3 km from a school that had joined" in gate.statement
    # Declared as such, the measured number stands beside the declaration.
    some = cohort(design={"comparison_near_members": "some"})
    told = comparison_coverage(evidence(cohort=some, measures=measures(contamination=near)))
    assert told.statement.startswith("Some comparison schools are neighbours of member schools (17 of 60")
    # Without a declared distance nothing is counted, and nothing contradicts.
    unknown = near.assign(radius_km=float("nan"), n_near=pd.array([pd.NA, pd.NA], dtype="Int64"))
    assert comparison_coverage(evidence(measures=measures(contamination=unknown))).result == "pass"


def contamination(**changes: list[Any]) -> pd.DataFrame:
    """What was measured in 2015 and 2020 of 60 comparison and 52 member schools, with changes."""
    columns = {"n_near": [0, 0], "n_been_other": [None, None], "n_members_been_other": [None, None], **changes}
    frame = pd.DataFrame({"year": [2015, 2020], "n_comparison": 60, "n_members": 52, "radius_km": 3.0})
    return frame.assign(**{name: pd.array(values, dtype="Int64") for name, values in columns.items()})


@pytest.mark.parametrize(
    ("declared", "begins"),
    [
        ("none", "No comparison school was declared to take part in other networks, but 8 of 60 comparison schools"),
        ("some", "Some comparison schools take part in other networks (8 of 60 comparison schools were in"),
        ("unknown", "It is not known whether comparison schools take part in other networks (8 of 60 comparison"),
    ],
)
def test_data_on_other_networks_stand_beside_the_declaration_or_contradict_it(declared: str, begins: str) -> None:
    told = cohort(design={"comparison_in_other_networks": declared, "comparison_near_members": "none"})
    found = contamination(n_been_other=[3, 8], n_members_been_other=[0, 0])
    gate = comparison_coverage(evidence(cohort=told, measures=measures(contamination=found)))
    assert gate.result == "caution"
    assert gate.statement.startswith(begins)
    assert gate.statement.endswith("look smaller than it is.")
    assert "member schools were" not in gate.statement


def test_member_schools_in_other_networks_would_make_the_effect_look_larger() -> None:
    found = contamination(n_been_other=[0, 0], n_members_been_other=[1, 5])
    gate = comparison_coverage(evidence(measures=measures(contamination=found)))
    assert gate.result == "caution"
    assert gate.statement.startswith("5 of 52 member schools were in a network outside the programme.")
    assert "look larger" in gate.statement
    assert "smaller" not in gate.statement
    nobody = contamination(n_been_other=[0, 0], n_members_been_other=[0, 0])
    assert comparison_coverage(evidence(measures=measures(contamination=nobody))).result == "pass"


def found_wrong(out_of: int = 200, **counts: int) -> dict[str, pd.DataFrame]:
    """Measures in which rules found so many of ``out_of`` records."""
    checks = measures()["network_checks"].assign(out_of=out_of)
    return measures(network_checks=checks.assign(count=checks["rule"].map(counts).fillna(0).astype(int)))


def test_slips_in_the_data_about_networks_are_told_and_pass() -> None:
    clean = network_data(evidence())
    assert (clean.result, clean.value, clean.threshold) == ("pass", 0, 0)
    assert clean.statement == "No record about networks had to be rejected or doubted."
    gate = network_data(evidence(measures=found_wrong(membership_without_date=2, tie_to_unknown_person=1)))
    assert gate.result == "pass"
    assert gate.statement == (
        "The data about networks are right up to slips: 2 memberships without a date of joining and 1 tie to somebody "
        "whom no register knows."
    )


@pytest.mark.parametrize(
    ("rule", "count", "result"),
    [
        # Exactly 5 % of 200 is not above the limit; nor is 20 % of networks, waves and schools.
        *[(rule, 10, "pass") for rule in ("membership_without_date", "teacher_in_two_schools", "answer_outside_scale")],
        *[(rule, 11, "caution") for rule in ("membership_without_date", "teacher_in_two_registers", "share_over_one")],
        *[(rule, 11, "caution") for rule in ("shares_over_one", "tie_to_unknown_person", "attendance_without_date")],
        *[(rule, 40, "pass") for rule in ("network_of_one_school", "few_respondents")],
        *[(rule, 41, "caution") for rule in ("network_of_one_school", "comparison_school_with_participant")],
        ("membership_without_date", 40, "caution"),
        ("membership_without_date", 41, "fail"),
        # Nothing that an effect on all pupils does not rest on can fail.
        *[(rule, 200, "caution") for rule in ("teacher_in_two_schools", "answer_outside_scale", "few_respondents")],
    ],
)
def test_each_rule_about_networks_has_its_limit(rule: str, count: int, result: str) -> None:
    gate = network_data(evidence(measures=found_wrong(**{rule: count})))
    assert gate.result == result
    assert f"{count} " in gate.statement
    assert gate.value == (result != "pass")
    assert (gate.authority.status, gate.authority.published) == ("recall", False)


def test_without_knowing_who_took_part_there_is_no_causal_conclusion_and_less_is_a_reservation() -> None:
    half = network_data(evidence(measures=found_wrong(membership_without_date=100)))
    assert half.because == "more than 20 % of the memberships have no date"
    assert "network_data" in REFUSING
    few = network_data(evidence(measures=found_wrong(membership_without_date=20)))
    assert (few.result, few.touches_headline) == ("caution", True)
    surveys = network_data(evidence(measures=found_wrong(answer_outside_scale=100)))
    assert (surveys.result, surveys.touches_headline) == ("caution", False)
    document = verdict_document(evidence(), [surveys])
    assert "reservations" not in document["sentence"]
    assert document["reasons"] == [surveys.statement]
    assert "The reservations: some memberships have no date." in verdict_document(evidence(), [few])["sentence"]


def test_conditions_refused_as_moderators_are_counted() -> None:
    tried = pd.DataFrame({"state": ["estimated", "refused", "refused"]})
    gate = network_data(evidence(findings={"moderation_conditions": tried}))
    assert gate.result == "caution"
    assert "2 conditions refused as measured after the outcome (more than 20 %)" in gate.statement


def test_a_study_that_knows_nothing_of_networks_but_memberships_is_told_so() -> None:
    nothing = measures()["network_data"].assign(available=False)
    gate = network_data(evidence(measures=measures(network_data=nothing)))
    assert (gate.result, gate.touches_headline) == ("caution", False)
    assert gate.statement == (
        "Nothing is recorded of networks but which schools were in them and when: there are no data on who took part, "
        "attendance, the staff, who taught whom, questionnaires and ties between people."
    )
