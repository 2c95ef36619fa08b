"""The planted path over practice: expected answers, the part of the effect that goes over practice, its truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from plneval.networks.lasting_change import lasting_change
from plneval.simulate.answers import expected_response, response
from plneval.simulate.made import make_study
from plneval.simulate.memberships import stages
from plneval.simulate.practice import practice_gained
from plneval.simulate.process import PlantedEffects
from plneval.simulate.true_path import respondents, true_path, true_practice_changes
from plneval.simulate.truth import scored_effects
from plneval.standards import load


@pytest.mark.parametrize("behind", [-1.0, 0.0, 0.6, 2.0])
def test_the_expected_answer_is_the_mean_of_many_answers_at_the_ends_of_the_scale_too(behind):
    rng, n = np.random.default_rng(3), 200_000
    people = behind + 0.8 * rng.standard_normal(n)
    answers = response(people, rng.standard_normal(n), reverse=False)
    expected = float(expected_response(np.array([behind]), 0.8)[0])
    assert expected == pytest.approx(answers.mean(), abs=4 * answers.std() / np.sqrt(n))
    assert expected == pytest.approx(6 - response(people, rng.standard_normal(n), reverse=True).mean(), abs=0.01)


def test_half_of_the_mean_effect_goes_over_practice_and_the_rest_does_not(made):
    """effect = (1 - 1/k) size stage + size/(a k) gain, where nothing but conditions and stage moves it."""
    alike = {"participant": 0.5, "colleague": 0.5}
    effects = PlantedEffects(direct=0.3, indirect=1.0, gap=0.0, residual_spread=0.0, practice=alike)
    made = make_study(made.simulation, made.study, effects=effects)
    row = made.scores.row
    school, year = made.pupils.row_school[row], made.pupils.row_year[row]
    found = made.scores.effect_points[:, 0] / 15
    stage = stages(made.memberships, effects)[school, year - 2012]
    gain = np.zeros(len(school))
    for one in np.unique(year).tolist():
        by_school = np.zeros(made.schools.count)
        by_school[made.staff.post_school] = practice_gained(made, one)
        gain[year == one] = by_school[school[year == one]]
    expected = 0.5 * 0.3 * stage + 0.3 / (0.5 * 2) * gain
    assert found == pytest.approx(expected, abs=1e-12)
    assert np.ptp(gain[stage == 1]) > 0.1


def test_the_path_is_that_of_least_squares_through_expected_scores_and_planted_effects(made):
    scored = scored_effects(made, ~np.isnan(made.scores.points))
    scored, asked = scored[scored["subject"] == "maths"], respondents(made)
    found = true_path(made, scored, asked)
    year = {"1": 2014, "2": 2016, "3": 2019}[found["wave"]]
    practice = asked[asked["year"] == year].groupby("school")["expected"].mean()
    after = scored[scored["year"] >= year]["year"].min()
    effect = scored[scored["year"] == after].groupby("school")["standardised"].mean()
    table = pd.DataFrame({"practice": practice, "effect": effect}).dropna()
    entry = made.memberships.entry_year[table.index.to_numpy()]
    years = np.minimum(year - entry + 1.0, 3)
    ones = np.ones(len(table))
    to_practice = np.linalg.lstsq(np.column_stack([ones, years]), table["practice"], rcond=None)[0][1]
    both = np.linalg.lstsq(np.column_stack([ones, years, table["practice"]]), table["effect"], rcond=None)[0]
    assert found["schools"] == len(table)
    assert found["practice"] == pytest.approx(to_practice)
    assert (found["slope"], found["direct"]) == pytest.approx((both[2], both[1]))
    assert found["indirect"] == pytest.approx(to_practice * both[2])
    assert found["total"] == pytest.approx(found["indirect"] + found["direct"])


def test_without_an_effect_practice_moves_all_the_same_and_nothing_goes_over_it(truth, written):
    from plneval.artifacts import read_json

    nothing = read_json(written(0.0) / "truth.json")["effects"]
    for subject in ("maths", "reading"):
        path = nothing["path"][subject]
        assert path["practice"] == truth["effects"]["path"][subject]["practice"] > 0
        assert (path["slope"], path["indirect"], path["direct"], path["total"]) == (0, 0, 0, 0)
    assert nothing["practice"] == truth["effects"]["practice"]


def test_the_planted_change_of_practice_is_what_practice_over_waves_would_find(made):
    asked = respondents(made)
    planted = true_practice_changes(asked)
    rules = load("sustainability").model_copy(update={"minimum_respondents": 1})
    assert set(planted) == {"participant", "colleague"}
    for role, by_wave in planted.items():
        own = asked[asked["role"] == role].rename(columns={"expected": "score"})
        for place, wave in enumerate(("1", "2", "3")):
            change = lasting_change(own, True, rules, ("1", "2", "3")[: place + 1]) if place else None
            if change is not None:
                assert by_wave[wave] == pytest.approx(change.change.mean)
    assert planted["participant"]["3"] > planted["colleague"]["3"] > 0
