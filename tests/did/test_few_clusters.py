"""Intervals of group-time effects with few clusters: by hand, by residual matrices, and by the rule."""

from __future__ import annotations

from typing import Any

import did_data
import numpy as np
import pandas as pd
import pytest
from scipy.stats import f as f_distribution
from scipy.stats import t as t_distribution

from plneval import did

UNITS: dict[str, Any] = {"outcome": "y", "time": "year", "unit": "unit", "entry": "entry"}
SCHOOLS: dict[str, Any] = {"outcome": "y", "time": "year", "unit": "school", "entry": "entry", "panel": False}


def changes(frame: pd.DataFrame, later: int, base: int) -> pd.DataFrame:
    """The change of every unit, with its entry."""
    wide = frame.pivot(index="unit", columns="year", values="y")
    entry = frame.groupby("unit")["entry"].first()
    return pd.DataFrame({"change": wide[later] - wide[base], "entry": entry})


def test_without_covariates_standard_errors_and_df_are_welchs() -> None:
    """s²/n in each arm, and V² / Σ V_h²/(n_h + 1) − 2 degrees of freedom; to 1e-12."""
    frame = did_data.panel(40)
    found = did.att_gt(frame, **UNITS).small_sample().table.set_index(["group", "time"]).loc[(2015, 2017)]
    units = changes(frame, 2017, 2013)
    arms = [units.loc[units["entry"] == entry, "change"] for entry in (2015, 0)]
    parts = np.array([arm.var(ddof=1) / len(arm) for arm in arms])
    df = parts.sum() ** 2 / sum(part**2 / (len(arm) + 1) for part, arm in zip(parts, arms, strict=True)) - 2
    se = np.sqrt(parts.sum())
    assert found["estimate"] == pytest.approx(arms[0].mean() - arms[1].mean(), rel=1e-12)
    np.testing.assert_allclose([found["se"], found["df"]], [se, df], rtol=1e-12)
    half = t_distribution.ppf(0.975, df) * se
    np.testing.assert_allclose([found["ci_low"], found["ci_high"]], found["estimate"] + np.array([-half, half]))
    assert found["p"] == pytest.approx(2 * t_distribution.sf(abs(found["estimate"] / se), df), rel=1e-9)


def test_an_average_over_equally_large_groups_adds_their_variances() -> None:
    """Two groups of five at event time 0, ten never treated: each group's own variance, and that of the comparison."""
    frame = did_data.panel(20)
    frame["entry"] = np.array([2013, 2015, 0, 0])[frame["unit"] // 5]
    found = did.att_gt(frame, **UNITS).aggregate("dynamic", min_event=0, max_event=0)
    first, second = changes(frame, 2013, 2012), changes(frame, 2015, 2013)
    one = first.loc[first["entry"] == 2013, "change"]
    other = second.loc[second["entry"] == 2015, "change"]
    never = first["entry"] == 0
    own = one.var() / 5 + other.var() / 5
    variance = own / 4 + ((first["change"] + second["change"])[never] / 2).var() / 10
    # Group sizes are random: ten treated schools, each adding (effect - mean) / 10; less what noise adds to that.
    apart = first["change"][never].mean() - second["change"][never].mean() - one.mean() + other.mean()
    noise = own + (first["change"] - second["change"])[never].var() / 10
    variance += max(0.0, apart**2 - noise) / 40
    small = found.small_sample()
    assert small.se == pytest.approx(np.sqrt(variance), rel=1e-10)
    np.testing.assert_allclose(np.sqrt(np.diag(small.vcov)), small.table["se"], rtol=1e-12)


def test_with_covariates_the_room_is_the_diagonal_of_the_residual_matrix() -> None:
    """Outcome regression: Σ φ²/room, room from the N × N matrix that takes changes to residuals; to 1e-10."""
    frame = did_data.panel(30)
    effects = did.att_gt(frame, **UNITS, covariates=["z"], method="or")
    found = effects.small_sample().table.set_index(["group", "time"]).loc[(2015, 2016)]
    units = changes(frame, 2016, 2013).assign(z=frame.groupby("unit")["z"].first())
    treated, other = (units["entry"] == 2015).to_numpy(), (units["entry"] == 0).to_numpy()
    x = np.column_stack([np.ones(len(units)), units["z"]])
    fitted = np.zeros((len(units), len(units)))
    fitted[:, other] = x @ np.linalg.pinv(x[other])
    residual = np.eye(len(units)) - fitted
    weights = np.where(treated, 1 / treated.sum(), 0.0) @ residual
    within = residual.copy()
    within[treated] -= within[treated].mean(axis=0)
    room = np.sum(within**2, axis=1)
    terms = weights**2 * (within @ units["change"].to_numpy()) ** 2 / room
    assert found["estimate"] == pytest.approx(weights @ units["change"], rel=1e-10)
    assert found["se"] == pytest.approx(np.sqrt(terms[treated | other].sum()), rel=1e-10)


def test_a_group_of_one_school_borrows_the_variation_of_its_comparison() -> None:
    frame = did_data.panel(24)
    frame["entry"] = np.where(frame["unit"] == 0, 2015, np.where(frame["unit"] < 8, 2017, 0))
    small = did.att_gt(frame, **UNITS).small_sample()
    units = changes(frame, 2015, 2013)
    variance = units.loc[units["entry"] == 0, "change"].var()
    row = small.table.set_index(["group", "time"]).loc[(2015, 2015)]
    assert row["se"] == pytest.approx(np.sqrt(variance * (1 + 1 / 16)), rel=1e-10)
    assert any("single cluster" in note and "2015" in note for note in small.notes)


def test_without_a_second_comparison_cluster_there_is_no_standard_error() -> None:
    frame = did_data.panel(12)
    frame["entry"] = np.where(frame["unit"] == 0, 0, 2015)
    small = did.att_gt(frame, **UNITS).aggregate("simple").small_sample()
    assert np.isnan([small.se, small.ci_low, small.p]).all()
    assert any("single comparison cluster" in note for note in small.notes)


def test_the_rule_looks_at_the_smaller_arm_and_can_be_overruled() -> None:
    few, many = did.att_gt(did_data.panel(80), **UNITS), did.att_gt(did_data.panel(400), **UNITS)
    assert few.inference.method == "small_sample"
    assert few.inference.comparison_clusters < 40 <= few.inference.treated_clusters
    assert many.inference.method == "influence"
    assert "smaller arm" in many.aggregate("simple").inference.reason
    asked = did.att_gt(did_data.panel(80), **UNITS, inference="influence")
    pd.testing.assert_frame_equal(
        asked.table.drop(columns=["ci_low", "ci_high"]), few.table.drop(columns=["ci_low", "ci_high"])
    )
    normal = few.aggregate("dynamic").intervals("influence").table
    pd.testing.assert_frame_equal(
        asked.aggregate("dynamic").table[["ci_low", "ci_high"]], normal[["ci_low", "ci_high"]]
    )
    np.testing.assert_allclose(normal["se"], few.aggregate("dynamic").table["se"], rtol=1e-12)
    with pytest.raises(did.DidError, match="inference is 'jackknife'; it can be 'influence' or 'small_sample'"):
        did.att_gt(did_data.panel(80), **UNITS, inference="jackknife")


@pytest.mark.parametrize("method", ["or", "ipw", "dr"])
def test_with_many_clusters_small_sample_errors_are_those_of_influence_functions(method: str) -> None:
    """800 units: 2 %."""
    effects = did.att_gt(did_data.panel(800), **UNITS, covariates=["z"], method=method)
    for kind in ("simple", "group", "calendar", "dynamic"):
        one = effects.aggregate(kind)
        assert one.small_sample().se == pytest.approx(one.se, rel=0.02)
        np.testing.assert_allclose(one.small_sample().table["se"], one.table["se"], rtol=0.02)


@pytest.mark.parametrize("method", ["or", "ipw", "dr"])
def test_permuted_rows_give_the_same_intervals(method: str) -> None:
    frame = did_data.pupils(20)
    shuffled = frame.sample(frac=1, random_state=4)
    options = {**SCHOOLS, "covariates": ["x"], "method": method}
    one, other = (did.att_gt(data, **options).aggregate("dynamic").small_sample() for data in (frame, shuffled))
    pd.testing.assert_frame_equal(one.table, other.table, rtol=1e-10, atol=1e-12)
    assert (one.table["df"].dropna() > 1).all()


def test_clusters_of_several_groups_keep_an_interval() -> None:
    """Networks whose schools join in different years: one stratum of their own, and standard errors as R's or above."""
    frame = did_data.panel(120)
    effects = did.att_gt(frame, **UNITS, cluster="network")
    small = effects.aggregate("simple").small_sample()
    assert small.se > effects.aggregate("simple").se
    assert 2 < small.df < 30


def test_the_small_sample_pretest_of_one_event_time_is_its_t_test() -> None:
    frame = did_data.panel(40)
    frame = frame[frame["entry"].isin([0, 2015]) & frame["year"].between(2012, 2016)]
    effects = did.att_gt(frame, **UNITS)
    test = effects.pretest(bootstrap=True, trend=0.1)
    row = effects.small_sample().table.query("event_time < 0").iloc[0]
    assert (test.method, test.df) == ("small_sample", 1)
    assert "fewer than 40" in test.reason
    assert test.statistic == pytest.approx((row["estimate"] / row["se"]) ** 2, rel=1e-10)
    assert test.p == pytest.approx(f_distribution.sf(test.statistic, 1, test.denominator), rel=1e-9)
    assert test.power is not None
    assert 0.05 < test.power < 1
    assert effects.pretest(trend=test.detectable_trend, method="small_sample").power == pytest.approx(0.8, abs=1e-6)
    assert effects.pretest().method == "wald"
    with pytest.raises(did.DidError, match="method is 'hotelling'"):
        effects.pretest(method="hotelling")
