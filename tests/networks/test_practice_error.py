"""Error in practice: the moments by explicit matrices, the planted path in large samples, thresholds, few clusters."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from plneval.errors import UserError
from plneval.networks.cluster_bootstrap import expanded_tail
from plneval.networks.mediation import mediation

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
from networks_mediation import DIRECT, ON_PRACTICE, SLOPE, of_chain, schools


def study(clusters: int, reliability: float, seed: int = 1) -> pd.DataFrame:
    return schools(np.random.default_rng(seed), clusters, reliability)


def test_the_error_taken_from_practice_is_that_of_explicit_matrices() -> None:
    data = study(40, 0.7)
    x = np.column_stack([np.ones(len(data)), data["participation"]])
    hat = x @ np.linalg.inv(x.T @ x) @ x.T
    variance = data["within_ss"].sum() / data["within_df"].sum() / data["respondents"].to_numpy()
    m, y = data["practice"].to_numpy(), data["outcome"].to_numpy()
    left = m - hat @ m
    error = (variance * (1 - np.diag(hat))).sum()
    found = mediation(data, draws=50)
    assert found.reliability == pytest.approx(1 - error / (left @ left), abs=1e-10)
    assert found.adjusted.slope.value == pytest.approx(left @ y / (left @ left - error), abs=1e-10)
    assert found.naive.slope.value == pytest.approx(left @ y / (left @ left), abs=1e-10)
    # The total effect does not hang on practice; the direct one takes what the indirect one leaves.
    for route in (found.adjusted, found.naive):
        assert route.indirect.value == pytest.approx(found.on_practice * route.slope.value, abs=1e-10)
        assert route.indirect.value + route.direct.value == pytest.approx(found.total, abs=1e-10)
    at = found.sensitivity.set_index("rho")["indirect"]
    assert found.sensitivity_of == "adjusted"
    assert at[0.0] == pytest.approx(found.adjusted.indirect.value, abs=1e-10)


def test_in_a_large_sample_the_adjusted_path_is_the_planted_one_and_the_naive_one_is_too_small_by_the_reliability() -> (
    None
):
    found = mediation(study(3000, 0.5), draws=50)
    assert found.reliability == pytest.approx(0.5, abs=3 * found.reliability_se)
    assert found.reliability_se < 0.02
    for part, planted in (("slope", SLOPE), ("indirect", ON_PRACTICE * SLOPE), ("direct", DIRECT)):
        one = getattr(found.adjusted, part)
        assert one.value == pytest.approx(planted, abs=3 * one.se)
    naive = found.naive.indirect
    assert naive.value == pytest.approx(0.5 * ON_PRACTICE * SLOPE, abs=3 * naive.se)
    assert naive.high < ON_PRACTICE * SLOPE
    assert found.naive.direct.low > DIRECT


def test_standard_errors_take_up_that_the_error_variance_is_estimated() -> None:
    data = study(400, 0.5, seed=8)
    found = mediation(data, draws=3000)
    for one in (found.adjusted.slope, found.adjusted.indirect, found.adjusted.direct):
        assert (one.high - one.low) / (2 * 1.959964) == pytest.approx(one.se, rel=0.07)
    # Two answers in all of the squares behind the error variance make it, and so the slope, very unsure.
    few = data.assign(within_ss=data["within_ss"].where(data.index < 2, 0.0) / data["within_ss"].head(2).sum())
    few["within_ss"] *= data["within_ss"].sum()
    assert mediation(few, draws=50).adjusted.slope.se > 2 * found.adjusted.slope.se


def test_practice_that_is_too_unreliable_is_not_adjusted_for_and_says_so() -> None:
    data = study(200, 0.1)
    found = mediation(data, draws=50)
    assert found.reliability == pytest.approx(0.1, abs=0.15)
    assert "reliability_too_low" in found.warnings
    assert math.isnan(found.adjusted.slope.value)
    assert math.isnan(found.adjusted.indirect.low)
    assert math.isfinite(found.naive.indirect.value)
    assert found.sensitivity_of == "naive"
    assert found.sensitivity.set_index("rho")["indirect"][0.0] == pytest.approx(found.naive.indirect.value)
    alone = mediation(data.assign(within_ss=0.0, within_df=0), draws=50)
    assert "error_not_known" in alone.warnings
    assert math.isnan(alone.reliability)
    assert alone.naive == found.naive
    with pytest.raises(UserError, match="has respondents and no column within_ss, within_df"):
        mediation(data.drop(columns=["within_ss", "within_df"]))


def test_without_respondents_practice_counts_as_free_of_error() -> None:
    data = study(20, 0.6).drop(columns=["respondents", "within_ss", "within_df"])
    found = mediation(data, draws=50)
    assert found.reliability == 1.0
    assert found.adjusted == found.naive


def test_quantiles_for_few_clusters_are_those_of_the_t_distribution() -> None:
    # By hand: t(0.975, 9) = 2.2622, times √(10/9) 2.3846, and Φ(-2.3846) = 0.00855.
    assert expanded_tail(10, 0.95) == pytest.approx(0.00855, abs=5e-6)
    assert expanded_tail(10**7, 0.95) == pytest.approx(0.025, abs=1e-6)


def test_the_planted_path_of_a_made_study_is_found_and_without_an_effect_there_is_none() -> None:
    # The demonstration's seed, which was chosen before any estimate was seen.
    found = of_chain(20181)
    well, twin = found["told apart well"], found["told apart well, effect 0"]
    assert 0.3 < well["reliability"] < 1
    assert well["true_indirect"] > 0.05
    assert twin["true_indirect"] == 0
    for one in (well, twin):
        assert one["adjusted_slope_covers"]
        assert one["adjusted_indirect_covers"]
        assert one["adjusted_direct_covers"]
        assert one["total_covers"]
    assert well["naive_indirect_error"] < 0
    assert well["naive_indirect_error"] < well["adjusted_indirect_error"]
    assert well["naive_slope_error"] < -0.1 * well["true_slope"]
    assert found["demonstration, effect 0"]["naive_indirect_covers"]
