"""The scorecard of sustainability: every criterion, every verdict, and nothing met without data."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from plneval.networks.lasting_change import lasting_change, ordered_waves
from plneval.networks.sustainability import Estimate, Evidence, OutcomeEvidence, degrees, radar, scorecard
from plneval.standards import load

RULES = load("sustainability")


def answers(rows: dict[tuple[int, str, str], list[float]]) -> pd.DataFrame:
    """Scores by (network, wave, role), one from each of the network's schools."""
    return pd.DataFrame(
        [
            (n, f"n{n}s{school}", wave, role, score)
            for (n, wave, role), scores in rows.items()
            for school, score in enumerate(scores)
        ],
        columns=["network", "school", "wave", "role", "score"],
    )


def verdicts(card: pd.DataFrame, network: int | None = None) -> dict[str, str]:
    own = card[card["network"].isna()] if network is None else card[card["network"] == network]
    return own.set_index("criterion")["verdict"].to_dict()


BEFORE = [2.8, 3.0, 3.2, 2.9, 3.1]
UP = [score + 1 for score in BEFORE]


def test_without_data_nothing_is_met() -> None:
    card = scorecard(Evidence(), [1, 2])
    assert len(card) == 3 * 10
    assert set(card["verdict"]) == {"no_data"}
    found = degrees(card)
    assert found["degree"].tolist() == [0, 0, 0]
    assert found["no_data"].tolist() == [10, 10, 10]
    empty = Evidence(
        practice=answers({}),
        policy=answers({}),
        agency=answers({}),
        products=pd.DataFrame({"network": [], "used": [], "improved": []}),
        outcomes={None: OutcomeEvidence()},
    )
    assert set(scorecard(empty, [1])["verdict"]) == {"no_data"}


def full_evidence(networks: tuple[int, ...] = (1, 2)) -> Evidence:
    """Everything shown, for each network and overall."""
    practice = {
        (n, wave, role): scores
        for n in networks
        for wave, scores in (("1", BEFORE), ("2", UP))
        for role in ("participant", "colleague")
    }
    effect = OutcomeEvidence(Estimate(0.2, 0.1, 0.3), Estimate(0.0, -0.01, 0.01), Estimate(0.1, 0.02, 0.18))
    return Evidence(
        practice=answers(practice),
        policy=answers({(n, wave, "leader"): s for n in networks for wave, s in (("1", BEFORE), ("2", UP))}),
        agency=answers({(n, "2", role): UP for n in networks for role in ("participant", "colleague")}),
        products=pd.DataFrame(
            {"network": [n for n in networks for _ in range(3)], "used": 1, "improved": [1, 1, 0] * 2}
        ),
        outcomes=dict.fromkeys([None, *networks], effect),
    )


def test_everything_shown_is_the_highest_degree_and_one_gap_in_the_data_is_not() -> None:
    card = scorecard(full_evidence(), [1, 2])
    assert set(card["verdict"]) == {"shown"}
    assert degrees(card)["degree"].tolist() == [3, 3, 3]
    evidence = full_evidence()
    lacking = Evidence(**{**vars(evidence), "outcomes": {k: OutcomeEvidence(v.third_year_on, v.trend) for k, v in
                                                         (evidence.outcomes or {}).items()}})  # fmt: skip
    found = degrees(scorecard(lacking, [1, 2]))
    assert found["degree"].tolist() == [2, 2, 2]  # each part has something to show
    assert found["no_data"].tolist() == [1, 1, 1]
    without_agency = Evidence(**{**vars(evidence), "agency": None, "products": None})
    assert degrees(scorecard(without_agency, []))["degree"].tolist() == [1]


def test_the_radar_counts_what_is_shown_in_each_part() -> None:
    evidence = Evidence(**{**vars(full_evidence()), "products": None})
    table = radar(scorecard(evidence, [1]))
    assert table["part"].tolist() == ["practice", "outcomes", "agency"] * 2
    assert table["n_criteria"].tolist() == [3, 3, 4] * 2
    assert table["n_shown"].tolist() == [3, 3, 2] * 2
    assert table["n_no_data"].tolist() == [0, 0, 2] * 2
    assert table["share_shown"].tolist() == [1, 1, 0.5] * 2


def test_change_of_one_network_has_an_interval_by_school() -> None:
    """Five schools with one answer a wave change by 2, 2, 2, 2 and 7: mean 3, se √(20/4/5) = √5/√5 = 1, df 4."""
    scores = answers({(1, "1", "participant"): [1, 2, 3, 4, 5], (1, "2", "participant"): [3, 4, 5, 6, 12]})
    found = lasting_change(scores, False, RULES)
    half = stats.t.ppf(0.975, 4) * 1
    assert found is not None
    assert found.change.mean == pytest.approx(3, abs=1e-12)
    assert (found.change.ci_low, found.change.ci_high) == pytest.approx((3 - half, 3 + half), abs=1e-9)
    assert (found.change.n, found.change.clusters) == (5, 5)


def test_two_schools_of_a_network_are_no_data_and_the_card_says_why() -> None:
    practice = answers({(1, wave, "participant"): scores for wave, scores in (("1", BEFORE), ("2", UP))})
    practice["school"] = ["s1", "s1", "s1", "s2", "s2"] * 2
    agency = practice.loc[practice["wave"] == "2"]
    card = scorecard(Evidence(practice=practice, agency=agency), [1]).set_index(["scope", "criterion"])
    for criterion in ("practice_participants", "agency_participants"):
        for scope in ("overall", "network"):  # the only network is all of them
            row = card.loc[(scope, criterion)]
            assert row["verdict"] == "no_data"
            assert row["evidence"] == (
                "Fewer than 3 schools answered in a wave: within one network there is no interval."
            )


def test_overall_change_is_the_mean_of_the_networks_own_changes() -> None:
    """Changes 1, 2 and 3: mean 2, t interval with 2 df and SE 1/√3; a network with one wave has no change.

    Network 4 answered late and high: pooled over networks it would look like a rise.
    """
    rows = {(n, wave, "participant"): [s + n * k for s in BEFORE] for n in (1, 2, 3) for k, wave in enumerate("12")}
    scores = answers({**rows, (4, "2", "participant"): [5.0] * 50})
    found = lasting_change(scores, True, RULES)
    assert found is not None
    half = stats.t.ppf(0.975, 2) / math.sqrt(3)
    assert found.change.mean == pytest.approx(2, abs=1e-12)
    assert (found.change.ci_low, found.change.ci_high) == pytest.approx((2 - half, 2 + half), abs=1e-9)
    assert (found.change.n, found.change.n_unit) == (3, "networks")


def test_a_rise_that_is_mostly_lost_again_does_not_last() -> None:
    rows = {
        (1, "1", "participant"): BEFORE,
        (1, "2", "participant"): [score + 2 for score in BEFORE],
        (1, "3", "participant"): [score + 0.9 for score in BEFORE],
    }
    card = scorecard(Evidence(practice=answers(rows)), [1]).set_index(["scope", "criterion"])
    found = card.loc[("network", "practice_participants")]
    assert found["verdict"] == "not_shown"
    assert found["ci_low"] > 0  # it is a rise all the same
    assert "less than 50% is left" in found["evidence"]
    rows[(1, "3", "participant")] = [score + 1.1 for score in BEFORE]
    card = scorecard(Evidence(practice=answers(rows)), [1]).set_index(["scope", "criterion"])
    assert card.loc[("network", "practice_participants"), "verdict"] == "shown"
    assert card.loc[("network", "practice_colleagues"), "verdict"] == "no_data"


def test_too_few_answers_or_waves_are_no_data() -> None:
    few = {(1, "1", "participant"): BEFORE[:4], (1, "2", "participant"): UP}
    assert verdicts(scorecard(Evidence(practice=answers(few)), [1]), 1)["practice_participants"] == "no_data"
    few = {(1, "1", "participant"): [*BEFORE[:4], np.nan], (1, "2", "participant"): UP}
    assert verdicts(scorecard(Evidence(practice=answers(few)), [1]))["practice_participants"] == "no_data"
    # Overall it is networks that vary: four answers in all are too few, three of each of two networks are not.
    for size, verdict in ((2, "no_data"), (3, "shown")):
        some = {(n, w, "participant"): s[:size] for n in (1, 2) for w, s in (("1", BEFORE), ("2", UP))}
        card = scorecard(Evidence(practice=answers(some)), [1])
        assert verdicts(card)["practice_participants"] == verdict
        assert verdicts(card, 1)["practice_participants"] == "no_data"


@pytest.mark.parametrize(
    ("estimate", "verdict", "words"),
    [
        (Estimate(0.10, 0.01, 0.19), "shown", "+0.10 SD (95% interval 0.01 to 0.19)."),
        (Estimate(0.10, -0.01, 0.21), "not_shown", "includes no effect"),
        (Estimate(-0.10, -0.2, -0.01), "not_shown", "pupils achieve less"),
        (Estimate(0.10, math.nan, math.nan), "no_data", "No estimate"),
    ],
)
def test_an_effect_is_shown_when_its_interval_lies_above_zero(estimate: Estimate, verdict: str, words: str) -> None:
    outcomes = {None: OutcomeEvidence(third_year_on=estimate, after_leaving=estimate)}
    card = scorecard(Evidence(outcomes=outcomes), []).set_index("criterion")
    for key in ("effect_third_year_on", "effect_after_leaving"):
        assert card.loc[key, "verdict"] == verdict
        assert words in card.loc[key, "evidence"]
    assert card.loc["effect_trend", "verdict"] == "no_data"


def test_a_trend_is_shown_when_a_decline_is_excluded() -> None:
    for low, verdict in ((-0.019, "shown"), (-0.021, "not_shown")):
        outcomes = {None: OutcomeEvidence(trend=Estimate(0.0, low, 0.02))}
        assert verdicts(scorecard(Evidence(outcomes=outcomes), []))["effect_trend"] == verdict


def test_agency_must_lie_above_the_middle_of_the_scale() -> None:
    for scores, verdict in ((UP, "shown"), (BEFORE, "not_shown"), (UP[:4], "no_data")):
        evidence = Evidence(agency=answers({(1, "1", "colleague"): scores}))
        assert verdicts(scorecard(evidence, [1]), 1)["agency_colleagues"] == verdict
    seven = Evidence(agency=answers({(1, "1", "colleague"): UP}), agency_range=(1, 7))
    card = scorecard(seven, [1]).set_index(["scope", "criterion"])
    assert card.loc[("network", "agency_colleagues"), "threshold"] == 4
    assert card.loc[("network", "agency_colleagues"), "verdict"] == "not_shown"


def test_products_count_by_their_share() -> None:
    products = pd.DataFrame(
        {"network": [1, 1, 1, 1, 2, 2], "used": [1, 1, 0, 0, 1, 1], "improved": [1, 0, 0, 0, 1, None]}
    )
    card = scorecard(Evidence(products=products), [1, 2])
    assert verdicts(card, 1)["products_used"] == "shown"  # 2 of 4
    assert verdicts(card, 1)["products_improved"] == "not_shown"
    assert verdicts(card, 2)["products_used"] == "no_data"  # two are too few
    improved = card.set_index(["scope", "criterion"]).loc[("overall", "products_improved")]
    assert (improved["value"], improved["n"]) == (2 / 5, 5)


def test_waves_are_ordered_as_numbers_or_as_given() -> None:
    scores = pd.DataFrame({"wave": ["10", "9", "autumn"]})
    assert ordered_waves(scores) == ["9", "10", "autumn"]
    assert ordered_waves(scores, ["autumn", "9", "x"]) == ["autumn", "9"]


def test_planted_change_of_practice_appears_in_the_simulated_surveys(simulated) -> None:
    """Participants' practice is planted to move by 0.6 SD in full effect, about 0.5 points of an answer."""
    surveys = simulated.tables.surveys
    items = surveys[surveys["instrument"] == "practice"].dropna(subset=["response"])
    turned = items["response"].where(~items["item"].str.endswith("r"), 6 - items["response"])
    scores = (
        items.assign(score=turned)
        .groupby(["network", "school", "wave", "role", "teacher"], as_index=False)["score"]
        .mean()
    )
    card = scorecard(Evidence(practice=scores), []).set_index("criterion")
    participants, colleagues = card.loc["practice_participants"], card.loc["practice_colleagues"]
    assert 0.1 < participants["value"] < 0.9
    assert participants["ci_low"] < 0.48 < participants["ci_high"]
    assert colleagues["value"] < participants["value"]
