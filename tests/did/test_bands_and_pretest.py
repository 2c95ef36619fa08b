"""Uniform bands and the test before entry, against closed forms and by simulation."""

from __future__ import annotations

from typing import Any

import did_data
import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2, norm

from plneval import did
from plneval.did.bands import critical_value, multiplier_draws

NAMES: dict[str, Any] = {"outcome": "y", "time": "year", "unit": "unit", "entry": "entry"}


def test_the_band_over_independent_estimates_is_sidaks() -> None:
    contributions = np.random.default_rng(1).normal(size=(3000, 5)) * [1, 10, 0.1, 5, 2]
    errors = multiplier_draws(contributions, 8000, seed=2)
    np.testing.assert_allclose(errors.std(axis=0), np.sqrt((contributions**2).sum(axis=0)), rtol=0.03)
    sidak = norm.ppf((1 + 0.95 ** (1 / 5)) / 2)  # 2.569
    assert critical_value(errors, 0.95) == pytest.approx(sidak, abs=0.06)
    assert critical_value(errors[:, :1], 0.95) == pytest.approx(1.96, abs=0.06)


def test_the_band_over_copies_of_one_estimate_is_its_interval() -> None:
    one = np.random.default_rng(3).normal(size=(500, 1))
    errors = multiplier_draws(np.repeat(one, 6, axis=1), 4000, seed=4)
    assert critical_value(errors, 0.9) == pytest.approx(1.645, abs=0.07)


def test_bands_are_wider_than_intervals_and_repeat_with_their_seed() -> None:
    events = did.att_gt(did_data.panel(), **NAMES, base_period="universal").aggregate("dynamic")
    band = events.bands(draws=999, seed=1)
    pd.testing.assert_frame_equal(band, events.bands(draws=999, seed=1))
    assert band["critical_value"].iloc[0] != events.bands(draws=999, seed=2)["critical_value"].iloc[0]
    with_se = band["se"].notna()
    assert with_se.sum() < len(band)  # the reference has none
    assert (band["ci_low"] < events.table["ci_low"])[with_se].all()
    assert band.loc[~with_se, "ci_low"].isna().all()
    with pytest.raises(did.DidError, match="draws is 10; a band needs 99 or more"):
        events.bands(draws=10)


def three_periods(units: int = 60, seed: int = 5) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    y = random.normal(size=(units, 1)) + random.normal(size=(units, 3))
    entry = np.where(np.arange(units) % 3 == 0, 3, 0)
    return pd.DataFrame(
        {
            "unit": np.repeat(np.arange(units), 3),
            "year": np.tile([1, 2, 3], units),
            "entry": np.repeat(entry, 3),
            "y": y.ravel(),
        }
    )


def test_with_one_effect_before_entry_the_test_is_a_z_test_and_its_power_the_normal_one() -> None:
    effects = did.att_gt(three_periods(), **NAMES)
    before = effects.table.iloc[0]
    z = before["att"] / before["se"]
    trend = 1.7 * before["se"]
    test = effects.pretest(trend=trend)
    assert test.df == 1
    assert test.statistic == pytest.approx(z**2, rel=1e-12)
    assert test.p == pytest.approx(2 * norm.sf(abs(z)), rel=1e-9)
    assert test.power == pytest.approx(norm.sf(1.959964 - 1.7) + norm.cdf(-1.959964 - 1.7), abs=1e-6)
    # Power 0.8 needs 1.959964 + 0.841621 standard errors (the other tail adds less than 1e-5).
    assert test.detectable_trend == pytest.approx(2.801585 * before["se"], rel=1e-4)


def test_the_joint_statistic_is_the_quadratic_form_of_effects_before_entry() -> None:
    effects = did.att_gt(did_data.panel(), **NAMES, anticipation=1, cluster="network")
    before = (effects.table["event_time"] < -1).to_numpy()
    att, covariance = effects.att[before], effects.vcov[np.ix_(before, before)]
    test = effects.pretest()
    assert test.df == before.sum()
    assert test.statistic == pytest.approx(att @ np.linalg.solve(covariance, att), rel=1e-9)
    assert test.p == pytest.approx(chi2.sf(test.statistic, test.df), rel=1e-9)
    assert test.n_clusters == 30


def test_the_bootstrap_test_agrees_with_chi_squared_when_clusters_are_many() -> None:
    effects = did.att_gt(three_periods(units=900, seed=8), **NAMES)
    plain, bootstrap = effects.pretest(trend=0.1), effects.pretest(bootstrap=True, trend=0.1, draws=1999)
    assert bootstrap.statistic == plain.statistic
    assert bootstrap.p == pytest.approx(plain.p, abs=0.04)
    assert plain.power is not None
    assert bootstrap.power == pytest.approx(plain.power, abs=0.05)
    assert bootstrap.detectable_trend == pytest.approx(plain.detectable_trend, rel=0.06)
    assert effects.pretest(bootstrap=True).p == effects.pretest(bootstrap=True).p


def few_schools(random: np.random.Generator, units: int = 20, periods: int = 6) -> pd.DataFrame:
    entry = np.array([0, 4, 5])[random.permutation(units) % 3]
    y = random.normal(size=(units, 1)) + random.normal(size=(units, periods)) * 0.5
    y = y + 0.3 * random.normal(size=(units, periods)).cumsum(axis=1)
    return pd.DataFrame(
        {
            "unit": np.repeat(np.arange(units), periods),
            "year": np.tile(np.arange(1, periods + 1), units),
            "entry": np.repeat(entry, periods),
            "y": y.ravel(),
        }
    )


def test_with_twenty_schools_the_bootstrap_keeps_its_size_where_chi_squared_does_not() -> None:
    random = np.random.default_rng(6)
    effects = [did.att_gt(few_schools(random), **NAMES) for _ in range(150)]
    plain = np.mean([one.pretest().p <= 0.05 for one in effects])
    bootstrap = np.mean([one.pretest(method="bootstrap", draws=99).p <= 0.05 for one in effects])
    # Parallel trends hold: nominal 0.05, whose Monte Carlo error at 150 draws is 0.018.
    assert plain > 0.2
    assert bootstrap < 0.05 + 3 * 0.018


def test_the_bootstrap_leaves_groups_of_one_school_out_and_says_so() -> None:
    data = few_schools(np.random.default_rng(9), units=40)
    first = data.loc[data["entry"] == 5, "unit"].iloc[0]
    data = data[(data["entry"] != 5) | (data["unit"] == first)]
    effects = did.att_gt(data, **NAMES)
    test = effects.pretest(method="bootstrap", draws=199)
    assert test.left_out == (5.0,)
    without = did.att_gt(data[data["entry"] != 5], **NAMES)
    assert test.statistic == pytest.approx(without.pretest().statistic, rel=1e-9)
    assert effects.pretest().left_out == ()
    assert effects.pretest().df > test.df


def test_too_few_clusters_for_a_joint_test_are_an_error() -> None:
    data = few_schools(np.random.default_rng(7), units=9, periods=9)
    data["entry"] = data["entry"].replace({4: 8, 5: 9})
    effects = did.att_gt(data, **NAMES)
    with pytest.raises(did.DidError, match="estimated from 9 clusters, is singular"):
        effects.pretest()


def test_without_periods_before_entry_there_is_nothing_to_test() -> None:
    data = three_periods()
    data = data[data["year"] > 1]
    with pytest.raises(did.DidError, match="no effect before entry can be tested"):
        did.att_gt(data, **NAMES).pretest()
