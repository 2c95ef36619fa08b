"""Sensitivity analyses and pre-trend power from estimators' results. Made data; closed forms and other algorithms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2, multivariate_normal, ncx2, norm

from plneval import did
from plneval.did.errors import DidError
from plneval.did.honest import bounds


class Events:
    """Effects by event time as an estimator gives them, the reference included."""

    base_period = "universal"
    level = 0.95

    def __init__(self, estimates: dict[int, float], sigma: np.ndarray, reference: int = -1) -> None:
        events = sorted([*estimates, reference])
        self.table = pd.DataFrame({"event_time": events, "estimate": [estimates.get(e, 0.0) for e in events]})
        keep = [i for i, event in enumerate(events) if event != reference]
        self.vcov = np.zeros((len(events), len(events)))
        self.vcov[np.ix_(keep, keep)] = sigma


CORRELATED = 0.01 * (0.6 * np.eye(5) + 0.4)
FIVE = Events({-4: 0.05, -3: -0.04, -2: 0.02, 0: 0.5, 1: 0.7}, CORRELATED)


def panel() -> pd.DataFrame:
    random = np.random.default_rng(5)
    units = 90
    entry = np.repeat([0, 2014, 2016], units // 3)
    times = np.arange(2012, 2018)
    unit, time = np.repeat(np.arange(units), len(times)), np.tile(times, units)
    treated = (entry[unit] > 0) & (time >= entry[unit])
    outcome = (
        random.normal(size=units)[unit] + 0.1 * (time - 2010) + 0.8 * treated + 0.5 * random.normal(size=len(unit))
    )
    return pd.DataFrame({"unit": unit, "time": time, "entry": entry[unit], "y": outcome})


COLUMNS = {"outcome": "y", "time": "time", "unit": "unit", "entry": "entry"}


@pytest.fixture(scope="module")
def effects():
    return did.att_gt(panel(), **COLUMNS, comparison="never", base_period="universal")


def test_default_parameter_is_the_aggregate(effects):
    dynamic = effects.aggregate("dynamic")
    found = did.honest(dynamic, "relative_magnitudes", grid=[0, 1])
    assert found.estimate == pytest.approx(dynamic.estimate, rel=1e-12)
    assert found.se == pytest.approx(dynamic.se, rel=1e-12)
    assert found.table[["ci_low", "ci_high"]].iloc[0].tolist() == pytest.approx([found.ci_low, found.ci_high], rel=1e-8)
    assert found.reference == -1
    assert found.table["ci_low"].iloc[1] < found.ci_low


def test_event_time_and_weights_pick_the_parameter(effects):
    dynamic = effects.aggregate("dynamic")
    table = dynamic.table.set_index("event_time")
    one = did.honest(dynamic, "smoothness", grid=[0.1], event=1)
    assert one.estimate == pytest.approx(table.loc[1, "estimate"], rel=1e-12)
    assert one.se == pytest.approx(table.loc[1, "se"], rel=1e-12)
    two = did.honest(dynamic, "smoothness", grid=[0.1], weights={0: 0.25, 1: 0.75})
    assert two.estimate == pytest.approx(0.25 * table.loc[0, "estimate"] + 0.75 * table.loc[1, "estimate"], rel=1e-12)
    assert two.weights.loc[1] == 0.75
    same = did.honest(dynamic, "smoothness", grid=[0.1], weights={1: 1.0})
    pd.testing.assert_frame_equal(same.table, one.table)


def test_core_gets_the_estimates_without_the_reference():
    found = did.honest(FIVE, "relative_magnitudes", grid=[0.5], event=1)
    betahat = np.array([0.05, -0.04, 0.02, 0.5, 0.7])
    expected = bounds(betahat, CORRELATED, 3, 2, np.array([0.0, 1.0]), "relative_magnitudes")(0.5)
    assert found.table[["ci_low", "ci_high"]].iloc[0].tolist() == pytest.approx(expected, rel=1e-12)
    assert found.table["excludes_null"].tolist() == [expected[0] > 0]


def test_breakdown_lies_where_the_table_changes(effects):
    found = did.honest(effects.aggregate("dynamic"), "relative_magnitudes", grid=[0, 2], event=0)
    assert 0 < found.breakdown < np.inf
    near = [found.breakdown * (1 - 1e-4), found.breakdown * (1 + 1e-4)]
    beside = did.honest(effects.aggregate("dynamic"), "relative_magnitudes", grid=near, event=0)
    assert beside.table["excludes_null"].tolist() == [True, False]
    assert did.honest(FIVE, "smoothness", null=0.5, event=0).breakdown == 0


def test_linear_event_studies_are_accepted():
    data = panel()
    fit = did.event_study(data, **COLUMNS)
    found = did.honest(fit, "smoothness", grid=[0.0, 0.05], event=0)
    row = fit.table.set_index("event_time").loc[0]
    assert found.estimate == pytest.approx(row["estimate"], rel=1e-12)
    assert found.table["ci_low"].iloc[1] < found.table["ci_low"].iloc[0]


def test_anticipation_moves_the_reference():
    effects = did.att_gt(panel(), **COLUMNS, comparison="never", base_period="universal", anticipation=1)
    found = did.honest(effects.aggregate("dynamic"), "relative_magnitudes", grid=[0.0], event=0)
    assert found.reference == -2
    assert found.weights.index.min() == 0


def test_unusable_effects_are_refused_with_a_remedy(effects):
    varying = did.att_gt(panel(), **COLUMNS, comparison="never")
    with pytest.raises(DidError, match='base_period="universal"'):
        did.honest(varying.aggregate("dynamic"))
    with pytest.raises(DidError, match="by event time"):
        did.honest(effects.aggregate("simple"))
    with pytest.raises(DidError, match="no effect before the reference"):
        did.honest(effects.aggregate("dynamic", min_event=-1))
    with pytest.raises(DidError, match="event time 99"):
        did.honest(effects.aggregate("dynamic"), event=99)
    with pytest.raises(DidError, match="not negative"):
        did.honest(effects.aggregate("dynamic"), grid=[-1.0])
    with pytest.raises(DidError, match="kind is 'smooth'"):
        did.honest(effects.aggregate("dynamic"), "smooth")
    with pytest.raises(DidError, match="equally spaced"):
        did.honest(Events({-4: 0.1, -2: 0.0, 0: 0.5}, 0.01 * np.eye(3)))


def test_missing_period_before_one_groups_entry_is_refused():
    data = panel()
    data = data[data["time"] != 2013]  # the group of 2014 is then relative to event time -2
    effects = did.att_gt(data, **COLUMNS, comparison="never", base_period="universal")
    with pytest.raises(DidError, match="group 2014"):
        did.honest(effects.aggregate("dynamic"))


def test_power_with_one_effect_before_entry_in_closed_form():
    one = Events({-2: 0.3, 0: 0.5}, np.array([[0.04, 0.01], [0.01, 0.09]]))
    found = did.pretrend_power(one, trend=0.4, power=0.8)
    # A slope of 0.4 is a violation of -0.4 one period before the reference: two standard errors.
    critical = norm.ppf(0.975)
    passing = norm.cdf(critical + 2) - norm.cdf(-critical + 2)
    assert found.power == pytest.approx(1 - passing, abs=1e-6)
    assert found.joint_power == pytest.approx(1 - passing, abs=1e-9)
    assert found.bayes_factor == pytest.approx(passing / 0.95, abs=1e-6)
    assert found.likelihood_ratio == pytest.approx(norm.pdf(0.3, -0.4, 0.2) / norm.pdf(0.3, 0, 0.2), rel=1e-9)
    drawn = np.array([-critical + 2, critical + 2])
    truncated = -0.4 + 0.2 * (norm.pdf(drawn[0]) - norm.pdf(drawn[1])) / passing
    after = found.table.set_index("event_time")["mean_after_passing"]
    assert after[-2] == pytest.approx(truncated, abs=1e-5)
    assert after[0] == pytest.approx(0.4 + 0.01 / 0.04 * (truncated + 0.4), abs=1e-5)
    shift = found.detectable_slope / 0.2
    assert norm.cdf(shift - critical) + norm.cdf(-shift - critical) == pytest.approx(0.8, abs=1e-5)


def test_power_agrees_with_another_algorithm_for_boxes():
    pre = CORRELATED[:3, :3]
    found = did.pretrend_power(FIVE, trend=0.08)
    mean = 0.08 * np.array([-3.0, -2.0, -1.0])
    half = norm.ppf(0.975) * np.full(3, 0.1)
    box = multivariate_normal(mean, pre).cdf(half, lower_limit=-half)
    assert found.power == pytest.approx(1 - box, abs=2e-5)
    null = multivariate_normal(np.zeros(3), pre).cdf(half, lower_limit=-half)
    assert found.bayes_factor == pytest.approx(box / null, abs=5e-5)
    noncentrality = mean @ np.linalg.inv(pre) @ mean
    assert found.joint_power == pytest.approx(ncx2.sf(chi2.ppf(0.95, 3), 3, noncentrality), abs=1e-9)
    draws = np.random.default_rng(2).multivariate_normal(
        0.08 * np.array([-3.0, -2, -1, 1, 2]), CORRELATED, size=400_000
    )
    passed = draws[(np.abs(draws[:, :3]) <= half).all(axis=1)]
    error = 4 * 0.1 / np.sqrt(len(passed))
    assert found.table["mean_after_passing"].to_numpy() == pytest.approx(passed.mean(axis=0), abs=error)


def test_detectable_slopes_have_the_power_asked_for():
    found = did.pretrend_power(FIVE, power=0.8)
    assert found.slope == found.detectable_slope
    assert found.power == pytest.approx(0.8, abs=1e-6)
    joint = did.pretrend_power(FIVE, trend=found.joint_detectable_slope, power=0.8)
    assert joint.joint_power == pytest.approx(0.8, abs=1e-6)


def test_power_takes_a_violation_by_event_time():
    line = did.pretrend_power(FIVE, trend=0.05)
    same = did.pretrend_power(FIVE, trend={-4: -0.15, -3: -0.10, -2: -0.05, 0: 0.05, 1: 0.10})
    assert same.power == pytest.approx(line.power, abs=1e-12)
    assert same.slope is None
    with pytest.raises(DidError, match="event times 1"):
        did.pretrend_power(FIVE, trend={-4: -0.15, -3: -0.10, -2: -0.05, 0: 0.05})


def test_extended_twfe_against_the_never_treated_gives_the_intervals_of_group_time_effects() -> None:
    """One group, balanced panel: the same coefficients, whose covariances differ by CR1's factor alone."""
    data = panel()
    data = data[data["entry"] != 2016]
    names = {"outcome": "y", "time": "time", "unit": "unit", "entry": "entry"}
    regression = did.extended_twfe(data, **names, comparison="never", vcov="cr1")
    effects = did.att_gt(data, **names, base_period="universal").aggregate("dynamic")
    one, other = did.honest(regression, grid=[0.0]), did.honest(effects, grid=[0.0])
    assert one.reference == other.reference == -1
    assert one.estimate == pytest.approx(other.estimate, rel=1e-9)
    factor = np.sqrt(60 / 59 * (60 * 6 - 1) / (60 * 6 - (5 + 5 + 1)))
    assert one.se == pytest.approx(other.se * factor, rel=1e-9)


@pytest.mark.parametrize("estimator", [did.imputation, did.two_stage, did.extended_twfe])
def test_effects_relative_to_all_periods_before_entry_are_refused_with_the_remedy(estimator: object) -> None:
    effects = estimator(panel(), outcome="y", time="time", unit="unit", entry="entry")
    with pytest.raises(DidError, match=r'no event time is a reference.*comparison="never".*all periods before entry'):
        did.honest(effects)


@pytest.mark.parametrize("bound", [0.5, 1.0, 2.0])
def test_with_one_period_after_the_reference_intervals_shrink_to_the_identified_set(bound: float) -> None:
    """Relative magnitudes: the effect plus or minus M times the largest change before; no inequality is missing.

    Standard errors of 1e-5; the hybrid's critical value is at most about 3 of them (times 1 + 2 M).
    """
    before = np.array([0.3, -0.1, 0.25])  # changes 0.4, 0.35 and (to the reference) 0.25
    sigma = 1e-10 * (0.6 * np.eye(4) + 0.4)
    low, high = bounds(np.append(before, 0.5), sigma, 3, 1, np.array([1.0]), "relative_magnitudes")(bound)
    np.testing.assert_allclose([low, high], [0.5 - 0.4 * bound, 0.5 + 0.4 * bound], atol=4e-5 * (1 + 2 * bound))
    assert low < 0.5 - 0.4 * bound
    assert high > 0.5 + 0.4 * bound
