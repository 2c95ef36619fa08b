"""Reliability, agreement and the factor model held against R's psych, multilevel and lavaan on a stored made example.

reference/psych_values.R made the values: six items from 1 to 5, two of them reversed, one answer in twelve missing.
"""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_form import FORM

from plneval.networks.agreement import agreement, agreement_table, mean_reliability, within_group_agreement
from plneval.networks.factor_model import factor_model
from plneval.networks.one_factor import one_factor
from plneval.networks.reliability import item_statistics, reliability, reliability_table
from plneval.networks.scales import read_answers, scale_scores
from plneval.standards import load
from plneval.standards.survey_quality import held_against

REFERENCE = Path(__file__).parent / "reference"
ITEMS = ["item_1", "item_2", "item_3r", "item_4", "item_5", "item_6r"]
SCALES = {"all_six": ITEMS, "first_three": ITEMS[:3], "four": ITEMS[2:], "pair": ITEMS[3:5]}


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    return json.loads((REFERENCE / "psych_values.json").read_text())


@pytest.fixture(scope="module")
def answers() -> pd.DataFrame:
    data = pd.read_csv(REFERENCE / "scale_answers.csv")
    return data.assign(item_3r=6 - data["item_3r"], item_6r=6 - data["item_6r"])


@pytest.mark.parametrize("scale", SCALES)
def test_alpha_and_its_interval_are_those_of_psych(scale: str, values: dict[str, Any], answers: pd.DataFrame) -> None:
    found, expected = reliability(answers[SCALES[scale]]), values[scale]
    for name in ("alpha", "alpha_low", "alpha_high", "alpha_standardised", "mean_correlation"):
        assert getattr(found, name) == pytest.approx(expected[name], abs=1e-9), name


@pytest.mark.parametrize("scale", ["all_six", "first_three", "four"])
def test_omega_total_and_loadings_are_those_of_psych(scale: str, values: dict[str, Any], answers: pd.DataFrame) -> None:
    # psych stops at 1e-6 or so in the loadings.
    assert reliability(answers[SCALES[scale]]).omega_total == pytest.approx(values[scale]["omega_total"], abs=1e-6)
    loadings = one_factor(answers[SCALES[scale]].corr().to_numpy()).loadings
    assert loadings == pytest.approx(np.array(values[scale]["loadings"]), abs=1e-5)


@pytest.mark.parametrize("scale", SCALES)
def test_item_statistics_are_those_of_psych(scale: str, values: dict[str, Any], answers: pd.DataFrame) -> None:
    found, expected = item_statistics(answers[SCALES[scale]]), values[scale]
    for name in ("n", "mean", "sd", "r_total", "r_drop"):
        assert found[name].to_numpy() == pytest.approx(np.array(expected[name]), abs=1e-9), name
    if scale == "pair":
        assert found["alpha_if_dropped"].isna().all()
    else:
        assert found["alpha_if_dropped"].to_numpy() == pytest.approx(np.array(expected["alpha_if_dropped"]), abs=1e-9)


def test_three_items_have_the_loadings_of_the_closed_form() -> None:
    r12, r13, r23 = 0.56, 0.48, 0.42
    correlation = np.array([[1, r12, r13], [r12, 1, r23], [r13, r23, 1]])
    factor = one_factor(correlation)
    assert factor.loadings == pytest.approx([0.8, 0.7, 0.6], abs=1e-7)  # sqrt(r12 r13 / r23), ...
    # (ΣR − Σu²)/ΣR = (3 + 2 · 1.46 − (0.36 + 0.51 + 0.64))/5.92
    assert factor.omega_total == pytest.approx(4.41 / 5.92, abs=1e-8)
    assert not factor.heywood


def test_a_loading_above_one_is_named() -> None:
    # sqrt(0.8 · 0.8 / 0.5) = 1.13
    factor = one_factor(np.array([[1, 0.8, 0.8], [0.8, 1, 0.5], [0.8, 0.5, 1]]))
    assert factor.heywood


def test_alpha_by_hand() -> None:
    # Variances 5/3 each, covariance 4/3: alpha = 2 (1 − (10/3)/(10/3 + 8/3)) = 8/9.
    items = pd.DataFrame({"a": [1, 2, 3, 4], "b": [2, 1, 3, 4]})
    assert reliability(items, minimum_respondents=3).alpha == pytest.approx(8 / 9, abs=1e-12)


def test_five_respondents_give_no_reliability_but_a_named_warning() -> None:
    found = reliability(pd.DataFrame({"a": [1, 2, 3, 4, 5], "b": [2, 1, 3, 4, 5]}))
    assert found.n == 5
    assert math.isnan(found.alpha)
    assert found.warnings == ("few_respondents",)


def test_constant_items_pairs_without_answers_and_items_against_the_scale_are_named(answers: pd.DataFrame) -> None:
    three = answers[ITEMS[:3]]
    constant = reliability(three.assign(same=3.0))
    assert constant.alpha == pytest.approx(reliability(three).alpha)
    assert constant.warnings == ("constant_item",)
    apart = three.assign(
        item_1=three["item_1"].where(three.index < 100), item_2=three["item_2"].where(three.index > 99)
    )
    assert reliability(apart).warnings == ("pair_without_answers",)
    assert math.isnan(reliability(apart).alpha)
    assert "item_runs_against_scale" in reliability(three.assign(item_3r=6 - three["item_3r"])).warnings


def test_agreement_of_equal_groups_is_that_of_multilevel(values: dict[str, Any], answers: pd.DataFrame) -> None:
    rows = answers.iloc[np.array(values["equal_rows"]) - 1]
    found, expected = agreement(rows[ITEMS[:3]].mean(axis=1), rows["school"]), values["agreement_equal"]
    for name in ("icc1", "icc2", "f", "p"):
        assert getattr(found, name) == pytest.approx(expected[name], abs=1e-9), name
    scale = within_group_agreement(rows[ITEMS[:3]], rows["school"], lowest=1, highest=5)
    assert scale["r_wg_j"].to_numpy() == pytest.approx(np.array(expected["r_wg_j"]), abs=1e-9)
    single = within_group_agreement(rows[ITEMS[:1]], rows["school"], lowest=1, highest=5)
    assert single["r_wg_j"].to_numpy() == pytest.approx(np.array(expected["r_wg"]), abs=1e-9)


def test_agreement_of_unequal_groups(values: dict[str, Any], answers: pd.DataFrame) -> None:
    rows = answers.loc[answers[ITEMS[:3]].notna().all(axis=1)]
    found, expected = agreement(rows[ITEMS[:3]].mean(axis=1), rows["school"]), values["agreement_all"]
    assert found.icc2 == pytest.approx(expected["icc2"], abs=1e-9)
    assert found.f == pytest.approx(expected["f"], abs=1e-9)
    # multilevel takes the mean size, here n₀, which is smaller where sizes differ: ICC(1) is a little higher.
    sizes = rows.groupby("school").size().to_numpy(float)
    n_0 = (sizes.sum() - (sizes**2).sum() / sizes.sum()) / (len(sizes) - 1)
    assert found.icc1 == pytest.approx((found.f - 1) / (found.f + n_0 - 1), abs=1e-12)
    assert 0 < found.icc1 - expected["icc1"] < 0.002
    within = within_group_agreement(rows[ITEMS[:3]], rows["school"], lowest=1, highest=5)
    assert within["r_wg_j"].to_numpy() == pytest.approx(np.array(expected["r_wg_j"]), abs=1e-9)


def test_agreement_by_hand() -> None:
    # Groups (1, 3) and (5, 7): MSB 16, MSW 2, F 8, ICC(1) = 14/18, ICC(2) = 14/16, standard error √(2/1 + 2/2)/8.
    found = agreement(pd.Series([1.0, 3, 5, 7]), pd.Series(["x", "x", "y", "y"]))
    assert (found.f, found.icc1, found.icc2) == pytest.approx((8, 7 / 9, 7 / 8))
    assert found.icc2_se == pytest.approx(math.sqrt(3) / 8)
    assert mean_reliability(found, np.array([1.0, 2.0])) == pytest.approx([7 / 9, 7 / 8])  # Spearman and Brown


def test_r_wg_by_hand_and_groups_with_more_spread_than_chance() -> None:
    items = pd.DataFrame({"a": [3.0, 3, 4, 1, 5, 1, 5, 2], "b": [3.0, 3, 4, 1, 5, 1, 5, 2]})
    found = within_group_agreement(items, pd.Series(list("xxxyyyyz")), lowest=1, highest=5)
    # x: s² = 1/3, s²/2 = 1/6: 2 (5/6)/(2 (5/6) + 1/6) = 10/11; y: s² = 16/3 > 2; z: one respondent.
    assert found["r_wg_j"].tolist()[:2] == pytest.approx([10 / 11, 0.0])
    assert math.isnan(found["r_wg_j"].iloc[2])
    assert found["more_spread_than_chance"].tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("score", "group", "warning"),
    [
        ([1, 2, 3], ["x", "x", "x"], "one_group"),
        ([1, 2, 3], ["x", "y", "z"], "one_respondent_a_group"),
        ([1, 1, 3, 3], ["x", "x", "y", "y"], "no_variance_within"),
    ],
)
def test_agreement_that_cannot_be_computed_is_named(score: list[float], group: list[str], warning: str) -> None:
    found = agreement(pd.Series(score, dtype=float), pd.Series(group))
    assert found.warnings == (warning,)
    assert math.isnan(found.icc2)


@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_groups_with_equal_means_have_no_icc2_and_say_so(shift: float) -> None:
    """F = 0: ICC(1) is at its least, −1/(n₀ − 1), and ICC(2) = 1 − 1/F does not exist. 0.1 makes means that round."""
    score = pd.Series([1.0, 3.0, 2.0, 2.0, 1.0, 3.0]) + shift
    found = agreement(score, pd.Series(list("aabbcc")))
    assert found.warnings == ("no_more_alike_than_chance",)
    assert (found.f, found.icc1, found.p) == (0, -1, 1)
    for name in ("icc1_low", "icc1_high", "icc2", "icc2_low", "icc2_high", "icc2_se"):
        assert math.isnan(getattr(found, name)), name
    assert mean_reliability(found, np.array([2.0, 2.0])).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("name", "scales"), [("two_factors", {"first": ITEMS[:3], "second": ITEMS[3:]}), ("one_factor", {"first": ITEMS})]
)
def test_the_factor_model_is_that_of_lavaan(
    name: str, scales: dict[str, list[str]], values: dict[str, Any], answers: pd.DataFrame
) -> None:
    found, expected = factor_model(answers, scales), values[name]
    assert found.state == "fitted"
    assert (found.n, found.df) == (expected["n"], expected["df"])
    for index in ("chi2", "p", "cfi", "tli", "rmsea", "rmsea_low", "rmsea_high", "srmr"):
        assert getattr(found, index) == pytest.approx(expected[index], abs=1e-6), index
    assert found.loadings["standardised"].to_numpy() == pytest.approx(np.array(expected["loadings"]), abs=1e-6)
    assert found.loadings["loading"].to_numpy() == pytest.approx(np.array(expected["unstandardised"]), abs=1e-6)
    assert found.loadings["se"].to_numpy() == pytest.approx(np.array(expected["unstandardised_se"]), abs=1e-6)
    if name == "two_factors":
        (row,) = found.correlations.to_dict("records")
        assert (row["correlation"], row["se"]) == pytest.approx(
            (expected["correlation"], expected["correlation_se"]), abs=1e-6
        )


def test_a_factor_model_is_refused_where_the_sample_does_not_allow_it(answers: pd.DataFrame) -> None:
    two = {"first": ITEMS[:3], "second": ITEMS[3:]}
    small = factor_model(answers.head(80), two)
    assert (small.state, small.n_parameters, small.n_needed) == ("sample_too_small", 13, 100)
    assert math.isnan(small.cfi)
    assert factor_model(answers, {"pair": ITEMS[:2]}).state == "not_identified"
    assert factor_model(answers.assign(item_2=answers["item_1"]), two).state == "singular"


def answers_with(correlations: list[list[float]], n: int = 200) -> pd.DataFrame:
    """Answers that correlate exactly as given; items a, b, c, …."""
    drawn = np.random.default_rng(3).normal(size=(n, len(correlations)))
    drawn = np.linalg.qr(drawn - drawn.mean(axis=0))[0]
    return pd.DataFrame(drawn @ np.linalg.cholesky(np.array(correlations)).T, columns=list("abcdef"[: drawn.shape[1]]))


def test_three_items_have_the_loadings_that_their_correlations_leave() -> None:
    """λ₁² = r₁₂ r₁₃ / r₂₃: with 0.8, 0.8 and 0.5 above 1, a Heywood case."""
    proper = factor_model(answers_with([[1, 0.48, 0.42], [0.48, 1, 0.56], [0.42, 0.56, 1]]), {"one": list("abc")})
    assert proper.state == "fitted"
    assert proper.loadings["standardised"].to_numpy() == pytest.approx(np.array([0.6, 0.8, 0.7]), abs=1e-6)
    assert (proper.df, proper.chi2, proper.cfi) == (0, pytest.approx(0, abs=1e-9), 1.0)
    heywood = factor_model(answers_with([[1, 0.8, 0.8], [0.8, 1, 0.5], [0.8, 0.5, 1]]), {"one": list("abc")})
    assert heywood.state == "fitted_improper"
    assert heywood.loadings["standardised"].to_numpy() == pytest.approx(np.sqrt([1.28, 0.5, 0.5]), abs=1e-6)


def test_a_likelihood_without_a_maximum_is_not_converged() -> None:
    """r₂₃ = 0 with r₁₂, r₁₃ above 0: the first loading would be infinite."""
    found = factor_model(answers_with([[1, 0.5, 0.5], [0.5, 1, 0], [0.5, 0, 1]]), {"one": list("abc")})
    assert (found.state, len(found.loadings)) == ("not_converged", 0)


def test_names_of_items_are_no_part_of_the_models_text(answers: pd.DataFrame) -> None:
    strange = dict(zip(ITEMS, ["a ~~ b", "START(9) x0", "x1", "f0", "#", "é =~ q"], strict=True))
    named = factor_model(
        answers.rename(columns=strange), {"~~\n": [strange[item] for item in ITEMS[:3]], "f0": ["f0", "#", "é =~ q"]}
    )
    plain = factor_model(answers, {"first": ITEMS[:3], "second": ITEMS[3:]})
    assert named.loadings["loading"].tolist() == plain.loadings["loading"].tolist()
    assert named.loadings["item"].tolist() == list(strange.values())


def test_the_factor_model_says_nothing_and_leaves_logging_alone(
    answers: pd.DataFrame, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    root = logging.getLogger()
    before = list(root.handlers), root.manager.disable
    factor_model(answers, {"first": ITEMS[:3], "second": ITEMS[3:]})
    factor_model(answers_with([[1, 0.5, 0.5], [0.5, 1, 0], [0.5, 0, 1]]), {"one": list("abc")})
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list
    assert (list(root.handlers), root.manager.disable) == before


def test_tables_by_wave_hold_every_scale_and_name_the_wave_with_five_answers() -> None:
    random = np.random.default_rng(5)
    rows = []
    for wave, count in (("1", 60), ("2", 5)):
        level = random.normal(size=12)
        for who in range(count):
            for item in "abc":
                value = 3 + level[who % 12] + 0.8 * random.normal()
                value = float(np.clip(round(value), 1, 5))
                rows.append((f"r{who:02d}", wave, item, 6 - value if item == "c" else value, f"s{who % 12:02d}"))
    table = pd.DataFrame(rows, columns=["respondent_id", "wave", "item", "response", "school_id"])
    table = table.assign(instrument="made", role="participant", network_id="n", date=pd.Timestamp("2016-03-01"))
    answers = read_answers(table, "made", FORM)
    scales, items, notes = reliability_table(answers, FORM)
    assert scales["wave"].tolist() == ["1", "2"]
    assert scales["alpha"].notna().tolist() == [True, False]
    assert scales.loc[0, "alpha"] > 0.6
    assert scales["warnings"].tolist()[1] == "few_respondents"
    assert scales["standard"].tolist() == [
        "met" if scales.loc[0, ["alpha", "omega_total"]].min() >= 0.7 else "below",
        "",
    ]
    assert len(items) == 3
    assert notes[["rule", "wave", "item", "count"]].values.tolist() == [["few_respondents", "2", "trust", 5]]
    scores, _ = scale_scores(answers, FORM)
    schools = agreement_table(answers, scores, FORM, "school_id")
    assert schools["n_groups"].tolist() == [12, 5]
    assert schools.loc[0, "icc2"] > 0.6
    assert schools["warnings"].tolist() == ["", "few_respondents"]
    networks = agreement_table(answers, scores, FORM, "network_id")
    assert networks["warnings"].tolist() == ["one_group", "few_respondents"]


def test_five_answers_have_no_agreement_as_they_have_no_reliability() -> None:
    """Five people in two schools would have an ICC(2); the form asks for ten."""
    rows = [
        (f"r{who}", "1", item, answer, f"s{who // 3}")
        for who, answer in enumerate((1, 2, 1, 5, 4))
        for item in ("a", "b")
    ]
    table = pd.DataFrame(rows, columns=["respondent_id", "wave", "item", "response", "school_id"])
    answers = read_answers(table.assign(instrument="made", role="participant"), "made", FORM)
    scores, _ = scale_scores(answers, FORM)
    (row,) = agreement_table(answers, scores, FORM, "school_id").to_dict("records")
    assert row["warnings"] == "few_respondents"
    assert math.isnan(row["icc1"])
    assert math.isnan(row["icc2"])
    assert math.isnan(row["r_wg_j_median"])
    assert (row["icc2_standard"], row["r_wg_standard"]) == ("", "")
    asked = FORM.model_copy(update={"minimum_respondents": 3})
    (row,) = agreement_table(answers, scores, asked, "school_id").to_dict("records")
    assert (row["icc2_standard"], row["r_wg_standard"]) == ("met", "met")


def test_coefficients_are_held_against_the_published_numbers() -> None:
    """LeBreton and Senter 2008, Bliese 2000, Nunnally 1978: 0.70 each; not rounded before."""
    quality = load("survey_quality")
    assert (quality.minimum_reliability, quality.minimum_icc2, quality.minimum_r_wg) == (0.7, 0.7, 0.7)
    assert quality.status == "recall"
    assert held_against(0.7, 0.7, math.nan) == "met"
    assert held_against(0.7, 0.8, 0.6999) == "below"
    assert held_against(0.7, math.nan) == ""
