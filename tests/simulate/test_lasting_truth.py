"""The planted truth about lasting change is what answers and products of the made-up study average to."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from plneval.config.cohort import Simulation, Study
from plneval.networks.lasting_change import last_level, lasting_change
from plneval.simulate.agency import ITEMS, agency_answers
from plneval.simulate.answers import expected_response, response
from plneval.simulate.lasting_truth import lasting_truth
from plneval.simulate.made import MadeStudy, make_study
from plneval.simulate.products import make_inventory
from plneval.simulate.voices import INSTRUMENTS, answering
from plneval.standards import load

RULES = load("sustainability")
NOTHING = {subject: {"effect": None} for subject in ("maths", "reading")}
TOLD = {"headline": NOTHING, "effects": {"group_time": {"maths": {}, "reading": {}}, "after_leaving": NOTHING}}


def scores(made: MadeStudy, waves, form: str, items) -> pd.DataFrame:
    """Mean answers of everybody, reversed where the wording is: network, wave, role, score."""
    parts = []
    for wave, _, answers in waves:
        own = [6 - answers[f"{form}:{i}"] if i.endswith("r") else answers[f"{form}:{i}"] for i in items]
        network = made.memberships.network[answers["school"].to_numpy()]
        parts.append(pd.DataFrame({"network": network, "wave": str(wave), "role": answers["role"], "score": sum(own)}))
    table = pd.concat(parts, ignore_index=True)
    return table.assign(score=table["score"] / len(items))


@pytest.fixture(scope="module")
def draws() -> pd.DataFrame:
    """Found and planted values of surveys answered again and again in the same schools."""
    simulation = Simulation(seed=1, schools=50, networks=9, pupils_per_grade=5, effect=0.1)
    base = make_study(simulation, Study(first_year=2012, last_year=2019))
    rows = []
    for seed in range(8):
        made = dataclasses.replace(base, simulation=simulation.model_copy(update={"seed": seed}))
        planted = lasting_truth(made, TOLD, make_inventory(made))
        agency = scores(made, agency_answers(made), "agency", ITEMS)
        practice = scores(made, answering(made), "practice", INSTRUMENTS["practice"])
        for role in ("participant", "colleague"):
            level = last_level(agency[agency["role"] == role], True, RULES)
            change = lasting_change(practice[practice["role"] == role], True, RULES)
            assert level is not None
            assert change is not None
            for what, found in (("agency", level[0]), ("practice", change.change)):
                truth = planted[f"{what}_{role}s"]
                rows.append((what, role, found.mean - truth, found.ci_low <= truth <= found.ci_high, truth))
    return pd.DataFrame(rows, columns=["what", "role", "error", "covered", "truth"])


def test_the_scorecard_finds_what_is_planted(draws: pd.DataFrame) -> None:
    """Errors are those of chance: their mean within four standard errors; 95 % intervals miss few of 32 truths.

    Of 32 intervals a binomial of 5 % misses more than 6 with a probability below 0.001.
    """
    for _, own in draws.groupby(["what", "role"]):
        assert abs(own["error"].mean()) < 4 * own["error"].std() / np.sqrt(len(own))
    assert (~draws["covered"]).sum() <= 6


def test_participants_agency_lies_above_the_middle_and_colleagues_below(draws: pd.DataFrame) -> None:
    agency = draws[draws["what"] == "agency"].groupby("role")["truth"]
    assert agency.min()["participant"] > 3.3
    assert agency.max()["colleague"] < 3.0


def test_the_expected_answer_is_the_mean_of_many_answers() -> None:
    rng = np.random.default_rng(5)
    for level in (-0.9, 0.0, 0.8):
        behind = level + 0.8 * rng.standard_normal(200_000)
        drawn = response(behind, rng.standard_normal(200_000), False)
        # The standard error of the mean of answers with an SD near 1 is 0.002.
        assert expected_response(np.array([level]))[0] == pytest.approx(drawn.mean(), abs=0.01)
    reverse = response(np.array([0.5]), np.array([0.1]), True)
    assert reverse[0] == 6 - response(np.array([0.5]), np.array([0.1]), False)[0]


def test_products_once_out_of_use_stay_so_and_are_not_improved(made: MadeStudy) -> None:
    inventory = make_inventory(made)
    for _, own in inventory.groupby(["network", "product"]):
        known = own.dropna(subset=["used"])["used"].to_numpy()
        assert (np.diff(known) <= 0).all()
    assert not ((inventory["used"] == 0) & (inventory["improved"] == 1)).any()
    started = np.array(made.networks.started)[inventory["network"]]
    assert (inventory["year"] >= started).all()


def test_the_planted_trend_is_the_slope_of_planted_effects(truth: dict) -> None:
    """By hand with least squares on a constant for each entry group, weighted by treated pupils."""
    cells = truth["effects"]["group_time"]["maths"]
    late = [(int(k[1:5]), int(k[-4:]) - int(k[1:5]), v) for k, v in cells.items() if int(k[-4:]) - int(k[1:5]) >= 2]
    groups = sorted({entry for entry, _, _ in late})
    x = np.array([[time, *(entry == g for g in groups)] for entry, time, _ in late], dtype=float)
    w = np.sqrt([one["treated_pupils"] for _, _, one in late])
    y = np.array([one["effect"] for _, _, one in late])
    slope = np.linalg.lstsq(x * w[:, None], y * w, rcond=None)[0][0]
    assert truth["sustainability"]["effect_trend"]["maths"] == pytest.approx(slope, abs=1e-12)
    assert truth["sustainability"]["effect_third_year_on"]["maths"] == truth["headline"]["maths"]["effect"]
