"""Random-effects regression and the spread between networks held against R's metafor on a stored made example.

reference/metafor_values.R made the values (metafor 3.8-1, REML to 1e-12).
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

from plneval.errors import UserError
from plneval.networks.random_effects import random_effects
from plneval.networks.spread import between_network_spread, caterpillar

REFERENCE = Path(__file__).parent / "reference"


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    return json.loads((REFERENCE / "metafor_values.json").read_text())


@pytest.fixture(scope="module")
def effects() -> pd.DataFrame:
    return pd.read_csv(REFERENCE / "network_effects.csv").assign(unit=[f"n{place:02d}" for place in range(18)])


def sample(effects: pd.DataFrame, name: str) -> pd.DataFrame:
    return {"eight": effects.head(8), "sharp": effects.assign(se=effects["se"] / 2)}.get(name, effects)


@pytest.mark.parametrize("name", ["reml", "eight", "sharp", "slope"])
def test_reml_with_knapp_hartung_and_q_profile_is_that_of_metafor(
    name: str, values: dict[str, Any], effects: pd.DataFrame
) -> None:
    data, expected = sample(effects, name), values[name]
    design = np.column_stack([np.ones(18), data["condition"]]) if name == "slope" else None
    found = random_effects(data["estimate"], data["se"] ** 2, design)
    for field in ("tau2", "tau2_low", "tau2_high", "q", "q_p", "i2"):
        assert getattr(found, field) == pytest.approx(expected[field], abs=1e-9), field
    last = len(found.coefficients) - 1
    assert found.coefficients == pytest.approx(np.ravel(expected["beta"]), abs=1e-9)
    assert found.se == pytest.approx(np.ravel(expected["se"]), abs=1e-9)
    assert found.p(last) == pytest.approx(np.ravel(expected["p"])[last], abs=1e-9)
    limits = np.ravel(expected["ci_low"])[last], np.ravel(expected["ci_high"])[last]
    assert found.interval(last) == pytest.approx(limits, abs=1e-9)


@pytest.mark.parametrize("name", ["pm", "slope_pm"])
def test_paule_mandel_solves_its_equation_and_agrees_with_metafor(
    name: str, values: dict[str, Any], effects: pd.DataFrame
) -> None:
    design = np.column_stack([np.ones(18), effects["condition"]]) if name == "slope_pm" else None
    found = random_effects(effects["estimate"], effects["se"] ** 2, design, method="paule_mandel")
    assert found.turned.q(found.tau2) == pytest.approx(found.df, abs=1e-9)
    # metafor's root finder stops at about 1e-5.
    assert found.tau2 == pytest.approx(values[name]["tau2"], abs=2e-5)


def test_correlated_estimates_are_those_of_rma_mv(values: dict[str, Any], effects: pd.DataFrame) -> None:
    covariance = np.array(values["covariance"])
    found, expected = random_effects(effects["estimate"], covariance), values["correlated"]
    assert found.tau2 == pytest.approx(expected["tau2"], abs=1e-8)
    assert found.coefficients[0] == pytest.approx(expected["beta"], abs=1e-8)
    assert math.sqrt(found.vcov_normal[0, 0]) == pytest.approx(expected["se"], abs=1e-8)
    assert found.q == pytest.approx(expected["q"], abs=1e-8)
    networks = between_network_spread(effects, covariance).networks
    assert networks["shrunken"].to_numpy() == pytest.approx(np.array(expected["blup"]), abs=1e-7)
    design = np.column_stack([np.ones(18), effects["condition"]])
    slope, expected = random_effects(effects["estimate"], covariance, design), values["correlated_slope"]
    assert slope.coefficients == pytest.approx(np.array(expected["beta"]), abs=1e-8)
    assert np.sqrt(np.diag(slope.vcov_normal)) == pytest.approx(np.array(expected["se"]), abs=1e-8)


@pytest.mark.parametrize("name", ["reml", "eight", "sharp"])
def test_prediction_interval_and_shrunken_estimates_are_those_of_metafor(
    name: str, values: dict[str, Any], effects: pd.DataFrame
) -> None:
    found, expected = between_network_spread(sample(effects, name)), values[name]
    assert found.prediction_t_low == pytest.approx(expected["riley_low"], abs=1e-9)
    assert found.prediction_t_high == pytest.approx(expected["riley_high"], abs=1e-9)
    for ours, theirs in (("shrunken", "blup"), ("shrunken_se", "blup_se")):
        assert found.networks[ours].to_numpy() == pytest.approx(np.array(expected[theirs]), abs=1e-9), ours


def test_sharp_estimates_keep_their_own_intervals() -> None:
    effects = pd.DataFrame({"unit": range(5), "estimate": [0.0, 0.1, 0.2, 0.3, 0.5], "se": 1e-4})
    found = between_network_spread(effects).networks
    assert (found["high"] - found["estimate"]).to_numpy() == pytest.approx(np.full(5, 1.959964e-4), rel=1e-3)
    assert (found["estimate"] - found["low"]).to_numpy() == pytest.approx(np.full(5, 1.959964e-4), rel=1e-3)


def test_equal_standard_errors_have_the_closed_form() -> None:
    # Variance of (0, 0.1, 0.2, 0.5) is 0.14/3; less 0.1² it is τ² by REML and by Paule and Mandel.
    effects = pd.DataFrame({"unit": list("abcd"), "estimate": [0.0, 0.1, 0.2, 0.5], "se": 0.1})
    found = between_network_spread(effects)
    assert found.sd**2 == pytest.approx(0.14 / 3 - 0.01, abs=1e-12)
    assert found.sd_paule_mandel == pytest.approx(found.sd, abs=1e-10)
    assert (found.mean, found.mean_se) == pytest.approx((0.2, math.sqrt(0.14 / 3 / 4)))
    assert found.share_below_zero == pytest.approx(float(ndtr(-0.2 / found.sd)))
    assert found.warnings == ("few_networks",)
    shrink = found.sd**2 / (0.14 / 3)
    assert found.networks["shrunken"].tolist() == pytest.approx([0.2 + shrink * (y - 0.2) for y in (0, 0.1, 0.2, 0.5)])


def test_share_interval_with_sharp_estimates_is_that_of_a_normal_sample() -> None:
    # Without sampling error the share's interval is that of Φ(-μ/σ) from k normal values: noncentral t of √k x̄/s.
    from scipy.optimize import brentq
    from scipy.stats import nct

    values = np.random.default_rng(3).normal(0.1, 0.1, 30)
    found = between_network_spread(pd.DataFrame({"unit": range(30), "estimate": values, "se": 1e-6}))
    t = math.sqrt(30) * values.mean() / values.std(ddof=1)
    low, high = (brentq(lambda d, p=p: nct.cdf(t, 29, d) - p, -20, 40) / math.sqrt(30) for p in (0.025, 0.975))
    assert found.share_low == pytest.approx(float(ndtr(-low)), abs=2e-3)
    assert found.share_high == pytest.approx(float(ndtr(-high)), abs=2e-3)


def test_prediction_with_sharp_estimates_is_that_of_a_normal_sample() -> None:
    # Without sampling error a new value lies within x̄ ± t(k - 1) s √(1 + 1/k); μ given τ makes no difference to that.
    values = np.random.default_rng(3).normal(0.1, 0.1, 30)
    found = between_network_spread(pd.DataFrame({"unit": range(30), "estimate": values, "se": 1e-6}))
    half = 2.045229642132703 * values.std(ddof=1) * math.sqrt(1 + 1 / 30)
    assert found.prediction_low == pytest.approx(values.mean() - half, abs=5e-4)
    assert found.prediction_high == pytest.approx(values.mean() + half, abs=5e-4)


def test_intervals_of_shrunken_estimates_hold_the_networks_effects() -> None:
    # Spread small against the errors, where intervals that take τ̂ for τ hold 83 to 89 % (8 and 18 networks).
    random, held = np.random.default_rng(31), []
    for _ in range(60):
        truth, se = 0.12 + 0.03 * random.normal(size=12), random.uniform(0.04, 0.10, 12)
        effects = pd.DataFrame({"unit": range(12), "estimate": truth + se * random.normal(size=12), "se": se})
        found = between_network_spread(effects).networks
        if found["low"].notna().all():
            held.append(((found["low"] <= truth) & (truth <= found["high"])).mean())
    assert np.mean(held) == pytest.approx(0.95, abs=0.04)


def test_no_spread_is_named_and_puts_the_share_on_the_side_of_the_mean() -> None:
    effects = pd.DataFrame({"unit": range(6), "estimate": [0.03, 0.20, 0.10, 0.16, 0.02, 0.18], "se": 0.1})
    found = between_network_spread(effects)
    assert (found.sd, found.sd_low, found.share_below_zero) == (0, 0, 0)
    assert found.warnings == ("no_spread_found", "spread_not_told_from_zero")
    assert found.networks["shrunken"].tolist() == pytest.approx([0.115] * 6)
    assert found.sd_high > 0.05
    assert found.share_high > 0.1


def test_estimates_closer_than_their_errors_allow_have_no_interval_of_the_spread() -> None:
    # Q = 0.055, below the 2.5 % point of χ²(5), 0.83: no τ fits.
    effects = pd.DataFrame({"unit": range(6), "estimate": [0.10, 0.11, 0.12, 0.13, 0.11, 0.12], "se": 0.1})
    found = between_network_spread(effects)
    assert "closer_than_chance" in found.warnings
    assert math.isnan(found.sd_high)
    assert math.isnan(found.share_high)
    assert math.isnan(found.prediction_high)


def test_one_network_has_no_spread_and_two_no_prediction() -> None:
    effects = pd.DataFrame({"unit": ["a", "b"], "estimate": [0.1, 0.3], "se": [0.05, 0.05], "n_schools": [1, 6]})
    one = between_network_spread(effects.head(1))
    assert (one.state, one.warnings) == ("not_estimable", ("one_network", "network_of_one_school"))
    assert math.isnan(one.sd)
    two = between_network_spread(effects)
    assert math.isnan(two.prediction_t_low)
    assert {"few_networks", "no_prediction_from_two_networks", "network_of_one_school"} <= set(two.warnings)


def test_the_caterpillar_has_no_names(effects: pd.DataFrame) -> None:
    table = caterpillar(between_network_spread(effects))
    assert list(table.columns) == ["place", "shrunken", "low", "high"]
    assert table["place"].tolist() == list(range(1, 19))
    assert table["shrunken"].is_monotonic_increasing
    again = caterpillar(between_network_spread(effects.sample(frac=1, random_state=1)))
    assert table.to_numpy() == pytest.approx(again.to_numpy(), abs=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"se": 0.0}, "no positive standard error"),
        ({"estimate": float("nan")}, "is missing"),
        ({"unit": "same"}, "stand more than once"),
    ],
)
def test_unusable_estimates_are_refused(change: dict[str, Any], message: str, effects: pd.DataFrame) -> None:
    with pytest.raises(UserError, match=message):
        between_network_spread(effects.assign(**change))


def test_a_covariance_that_does_not_fit_is_refused(effects: pd.DataFrame) -> None:
    with pytest.raises(UserError, match="does not hold the squares"):
        between_network_spread(effects, np.eye(18))
    se = effects["se"].to_numpy()
    with pytest.raises(UserError, match="negative eigenvalue"):
        between_network_spread(effects, np.outer(se, se) * (1.5 * np.eye(18) - 0.5))
