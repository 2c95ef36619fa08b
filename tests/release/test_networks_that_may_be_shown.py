"""Networks' effects leave without sizes, without names unless they consent, and only of enough schools."""

from __future__ import annotations

import pandas as pd
import pytest
from restricted_by_hand import cohort, frames, spec
from spread_by_hand import spread

from plneval.config.report import Disclosure
from plneval.release.control import control
from plneval.release.door_spread import networks_that_may_be_shown

RULE = Disclosure()


def networks(*schools: int) -> pd.DataFrame:
    rows = [("m", place + 1, 0.1 * place, 0.0, 0.2, n, f"Network {place}") for place, n in enumerate(schools)]
    columns = ["model", "position", "shrunken", "ci_low", "ci_high", "schools_at_least", "name"]
    return pd.DataFrame(rows, columns=columns)


def test_networks_of_few_schools_are_left_out_and_places_are_new() -> None:
    shown = networks_that_may_be_shown(networks(4, 2, 3, 1, 5), RULE, False)
    assert shown["shrunken"].tolist() == pytest.approx([0.0, 0.2, 0.4])
    assert shown["position"].tolist() == [1, 2, 3]
    assert shown["schools_at_least"].tolist() == [3, 3, 3]


def test_a_single_network_left_out_could_be_worked_out_so_the_next_smallest_goes_too() -> None:
    shown = networks_that_may_be_shown(networks(4, 2, 3, 5, 6), RULE, False)
    assert shown["shrunken"].tolist() == pytest.approx([0.0, 0.3, 0.4])


def test_too_few_networks_are_not_shown_at_all() -> None:
    assert networks_that_may_be_shown(networks(4, 2, 2, 5), RULE, False).empty
    assert len(networks_that_may_be_shown(networks(4, 4, 4), RULE, False)) == 3


def test_names_leave_with_consent_only_and_never_those_of_thin_networks_or_of_schools() -> None:
    table = networks(4, 2, 3, 5, 6)
    table["name"] = ["Oak", "Ash", "Elm", "<b>A & B</b>", "Circle of Hillside Primary School"]
    schools = ["Hillside Primary School"]
    shown = networks_that_may_be_shown(table, RULE, True, schools)
    assert shown["name"].tolist() == ["Oak", "<b>A & B</b>", ""]
    assert networks_that_may_be_shown(table, RULE, False, schools)["name"].tolist() == ["", "", ""]


@pytest.mark.parametrize("consent", [True, False])
def test_the_door_asks_for_the_cohorts_consent_itself(consent: bool) -> None:
    tables = frames()
    tables["network_caterpillar"] = tables["network_caterpillar"].assign(name=[f"Network {n}" for n in range(6)])
    specs = {name: spec() for name in ("cs_maths", "cs_all", "cs_dis")}
    declared = cohort(design={"networks_consent_to_be_named": consent})
    found = control(tables, declared, "hill", specs, RULE).frames["network_caterpillar"]
    assert found["name"].tolist() == [f"Network {n}" if consent else "" for n in (0, 3, 4, 5)]


def test_answers_of_few_people_or_schools_are_withheld() -> None:
    assert set(spread()) <= set(frames())
    specs = {name: spec() for name in ("cs_maths", "cs_all", "cs_dis")}
    released = control(frames(), cohort(), "hill", specs, RULE, ["Hillside Primary School"]).frames
    scales = released["survey_scales"]
    assert scales["alpha"].isna().tolist() == [False, True, True]  # 52 people; 6 people; 2 schools
    assert scales["n"].tolist()[0] == 50
    # Whether a withheld coefficient reaches its standard is withheld with it.
    assert scales["standard"].isna().tolist() == [False, True, True]
    assert scales["n_suppressed"].tolist() == [False, True, True]
    conditions = released["moderation_conditions"]
    assert conditions["estimate"].isna().tolist() == [False, True]  # the second rests on two networks
    waves = released["practice_waves"]
    # The second wave's change rests on two schools, whose mean in the first wave it would tell.
    assert waves["mean"].isna().tolist() == [False, True]
    assert waves["change"].isna().all()
    assert released["network_caterpillar"]["schools_at_least"].tolist() == [3, 3, 3, 3]
