"""Moderation by a condition measured with error: identities, refusals, and a planted slope."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plneval.errors import UserError
from plneval.networks.agreement import agreement, mean_reliability
from plneval.networks.moderation import Moderation, condition_timing, moderation, moderation_family

REFERENCE = Path(__file__).parent / "reference"


@pytest.fixture(scope="module")
def effects() -> pd.DataFrame:
    table = pd.read_csv(REFERENCE / "network_effects.csv")
    return table.assign(reliability=0.6, measured=2015, entered=2014, outcome_from=2016)


@pytest.fixture(scope="module")
def metafor() -> dict[str, Any]:
    return json.loads((REFERENCE / "metafor_values.json").read_text())["slope"]


def test_the_naive_slope_is_that_of_metafor(effects: pd.DataFrame, metafor: dict[str, Any]) -> None:
    found = moderation(effects, "trust")
    assert (found.naive_slope, found.naive_se) == pytest.approx((metafor["beta"][1], metafor["se"][1]), abs=1e-9)
    assert (found.naive_low, found.naive_high) == pytest.approx((metafor["ci_low"][1], metafor["ci_high"][1]), abs=1e-9)
    assert found.p == pytest.approx(metafor["p"][1], abs=1e-9)
    assert found.residual_sd == pytest.approx(math.sqrt(metafor["tau2"]), abs=1e-9)
    assert found.warnings == ("reliability_below_standard", "reliability_taken_as_known")


def test_with_one_reliability_the_adjusted_slope_is_the_naive_one_divided_by_it(effects: pd.DataFrame) -> None:
    known = moderation(effects, "trust")
    assert (known.slope, known.se) == pytest.approx((known.naive_slope / 0.6, known.naive_se / 0.6), rel=1e-9)
    # Var = Var(naive)/λ² + (β/λ)² Var(λ)
    found = moderation(effects, "trust", reliability_se=0.12)
    assert found.slope == pytest.approx(known.slope, rel=1e-12)
    assert found.se == pytest.approx(math.hypot(known.se, known.slope * 0.12 / 0.6), rel=1e-6)
    assert found.high - found.slope == pytest.approx(2.1199052992210112 * found.se)  # t(16)
    assert found.true_sd == pytest.approx(effects["condition"].std() * math.sqrt(0.6))
    assert found.warnings == ("reliability_below_standard",)  # 0.6, where 0.70 is asked for
    assert moderation(effects.assign(reliability=0.71), "trust", reliability_se=0.1).warnings == ()


def test_a_condition_without_error_needs_no_adjustment(effects: pd.DataFrame) -> None:
    found = moderation(effects.assign(reliability=1.0), "trust", reliability_se=0.1)
    assert (found.slope, found.se) == pytest.approx((found.naive_slope, found.naive_se), rel=1e-9)


def test_networks_with_few_answers_are_drawn_in_more(effects: pd.DataFrame) -> None:
    # Reliabilities 0.9 and 0.3 by turns: the slope is that on μ + λ(w − μ), by hand with weighted least squares.
    sizes = np.tile([0.9, 0.3], 9)
    data = effects.assign(reliability=sizes)
    found = moderation(data, "trust")
    tau2 = found.residual_sd**2
    weight = sizes / (data["se"] ** 2 + tau2)
    centre = (weight * data["condition"]).sum() / weight.sum()
    x = centre + sizes * (data["condition"] - centre)
    # The residual spread of the calibrated regression is its own; the slope hardly depends on it.
    w = 1 / (data["se"] ** 2 + tau2)
    slope = (w * (x - (w * x).sum() / w.sum()) * data["estimate"]).sum() / (
        w * (x - (w * x).sum() / w.sum()) ** 2
    ).sum()
    assert found.slope == pytest.approx(slope, abs=0.003)
    assert found.slope != pytest.approx(found.naive_slope / 0.6, abs=0.003)


def test_a_planted_slope_is_recovered_by_the_adjusted_and_missed_by_the_naive_slope() -> None:
    random, k = np.random.default_rng(8), 400
    condition = random.normal(size=k)
    sizes = random.integers(3, 14, k)
    network = np.repeat(np.arange(k), sizes)
    answers = pd.Series(condition[network] + 2.3 * random.normal(size=len(network)))
    found = agreement(answers, pd.Series(network))
    effects = pd.DataFrame(
        {
            "estimate": 0.1 + 0.06 * condition + 0.05 * random.normal(size=k),
            "se": 0.04,
            "condition": answers.groupby(network).mean().to_numpy(),
            "reliability": mean_reliability(found, sizes.astype(float)),
            "measured": 2015,
            "entered": 2015,
            "outcome_from": 2017,
        }
    )
    result = moderation(effects, "trust", reliability_se=found.icc2_se)
    assert abs(result.slope - 0.06) < 2 * result.se
    assert result.naive_high < 0.06
    assert result.reliability == pytest.approx(0.59, abs=0.06)


def test_a_condition_measured_after_the_outcome_is_refused_unless_forced(effects: pd.DataFrame) -> None:
    late = effects.assign(measured=[2017, 2018, *[2015] * 16])
    with pytest.raises(UserError, match=r"'trust' was measured after the outcome in 2 of 18 networks"):
        moderation(late, "trust")
    forced = moderation(late, "trust", late="force")
    assert forced.timing == "after_outcome"
    assert "condition_after_outcome" in forced.warnings
    fewer = moderation(late, "trust", late="leave_out")
    assert (fewer.k, fewer.timing) == (16, "before_or_early")
    assert "networks_measured_late_left_out" in fewer.warnings
    assert fewer.naive_slope == pytest.approx(moderation(effects.tail(16), "trust").naive_slope, rel=1e-12)


def test_timing_by_year() -> None:
    rows = pd.DataFrame({"measured": [2014, 2015, 2016, 2017], "entered": 2014, "outcome_from": 2016})
    assert condition_timing(rows).tolist() == ["before_or_early", "before_or_early", "during", "after_outcome"]
    # An outcome of the first year: a survey in the second comes after it, early or not.
    assert condition_timing(rows.assign(outcome_from=2014)).tolist()[:2] == ["before_or_early", "after_outcome"]


def test_what_weakens_a_moderation_is_named(effects: pd.DataFrame) -> None:
    assert "few_networks" in moderation(effects.head(6), "trust").warnings
    gap = effects.assign(condition=effects["condition"].where(effects.index > 2))
    found = moderation(gap, "trust")
    assert (found.k, "networks_without_condition" in found.warnings) == (15, True)
    noisy = moderation(effects.assign(reliability=0.2), "trust", reliability_se=0.2)
    assert "reliability_too_low" in noisy.warnings
    assert math.isnan(noisy.slope)
    assert not math.isnan(noisy.naive_slope)
    later = moderation(effects.assign(measured=2016), "trust")
    assert (later.timing, "condition_during_participation" in later.warnings) == ("during", True)
    flat = moderation(effects.assign(condition=3.0), "trust")
    assert (flat.state, "condition_does_not_vary" in flat.warnings) == ("not_estimable", True)
    assert moderation(effects.head(2), "trust").state == "not_estimable"
    assert moderation(effects.assign(condition=np.nan), "trust").k == 0


def test_the_covariance_of_the_networks_left_out_goes_too(effects: pd.DataFrame) -> None:
    se = effects["se"].to_numpy()
    matrix = np.diag(se**2) + 0.0004
    gap = effects.assign(condition=effects["condition"].where(effects.index > 2))
    kept = effects.tail(15).reset_index(drop=True)
    full = moderation(gap, "trust", covariance=matrix)
    assert full.slope == pytest.approx(moderation(kept, "trust", covariance=matrix[3:, 3:]).slope, rel=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reliability": 1.2}, r"lies in 0 to 1"),
        ({"measured": np.nan}, r"needs to know when the condition was measured"),
    ],
)
def test_unusable_conditions_are_refused(change: dict[str, Any], message: str, effects: pd.DataFrame) -> None:
    with pytest.raises(UserError, match=message):
        moderation(effects.assign(**change), "trust")


def test_a_missing_column_is_named(effects: pd.DataFrame) -> None:
    with pytest.raises(UserError, match="no column measured"):
        moderation(effects.drop(columns="measured"), "trust")


def test_families_are_adjusted_by_holm_and_by_benjamini_and_hochberg(effects: pd.DataFrame) -> None:
    base = moderation(effects, "x").__dict__

    def with_p(name: str, p: float) -> Moderation:
        return Moderation(**{**base, "condition": name, "p": p})

    family = moderation_family([with_p("a", 0.01), with_p("b", 0.04), with_p("c", 0.03), with_p("d", float("nan"))])
    assert family["condition"].tolist() == ["a", "b", "c", "d"]
    # Holm: 3 × 0.01, then the larger of 2 × 0.03 and what came before; Benjamini-Hochberg: 3 p/rank from the top.
    assert family["p_holm"].tolist()[:3] == pytest.approx([0.03, 0.06, 0.06])
    assert family["p_benjamini_hochberg"].tolist()[:3] == pytest.approx([0.03, 0.04, 0.04])
    assert math.isnan(family["p_holm"].iloc[3])
