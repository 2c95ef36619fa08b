"""Standard errors by cluster, the joint test and intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from plneval.estimate.inference import cluster_error, interval, wald_test


def test_from_forty_clusters_in_each_arm_on_influence_functions_and_the_normal() -> None:
    influence = np.random.default_rng(1).normal(size=80)
    error = cluster_error(influence, 2 * influence, 30.0, 40, 40)
    assert error.se == pytest.approx(math.sqrt((influence**2).sum()), rel=1e-14)
    assert error.df is None
    assert error.warnings == ()


def test_with_39_clusters_in_an_arm_the_errors_adjusted_for_few_clusters_and_their_df() -> None:
    influence = np.random.default_rng(2).normal(size=100)
    error = cluster_error(influence, 2 * influence, 31.5, 39, 61)
    assert error.se == pytest.approx(2 * math.sqrt((influence**2).sum()), rel=1e-14)
    assert error.df == 31.5
    assert error.vcov == "small sample, t(31.5)"


@pytest.mark.parametrize(
    ("treated", "comparison", "arm"), [(1, 30, "treated"), (30, 1, "comparison"), (0, 5, "treated")]
)
def test_one_cluster_in_an_arm_gives_no_standard_error(treated: int, comparison: int, arm: str) -> None:
    error = cluster_error(np.ones(31), np.ones(31), 20.0, treated, comparison)
    assert error.se is None
    assert error.df is None
    assert error.warnings == (f"no standard error: fewer than two {arm} clusters",)


def test_an_error_that_cannot_be_adjusted_gives_no_standard_error() -> None:
    error = cluster_error(np.ones(20), np.full(20, np.nan), 5.0, 8, 12)
    assert error.se is None
    assert "too few clusters" in error.warnings[0]


def test_intervals_below_six_treated_clusters_are_called_unreliable() -> None:
    influence = np.random.default_rng(3).normal(size=20)
    assert "unreliable" in cluster_error(influence, influence, 8.0, 5, 15).warnings[0]
    assert cluster_error(influence, influence, 8.0, 6, 14).warnings == ()


def test_wald_test_of_few_clusters_is_hotellings() -> None:
    # Hotelling's T² of a sample mean: n = 12 clusters, 3 dimensions; F = (n - p) / (p (n - 1)) T² on p and n - p.
    sample = np.random.default_rng(4).normal(loc=0.4, size=(12, 3))
    n, p = sample.shape
    mean, covariance = sample.mean(axis=0), np.cov(sample, rowvar=False) / n
    statistic = float(mean @ np.linalg.solve(covariance, mean))
    influence = (sample - mean) / n * math.sqrt(n / (n - 1))
    test = wald_test(mean, influence, df=n - 1)
    assert test.statistic == pytest.approx(statistic, rel=1e-10)
    assert test.p == pytest.approx(stats.f.sf(statistic * (n - p) / (p * (n - 1)), p, n - p), rel=1e-10)


def test_wald_test_of_many_clusters_is_chi_squared() -> None:
    influence = np.eye(3) * 0.5
    test = wald_test(np.array([1.0, 0.0, 0.5]), influence, df=None)
    assert test.statistic == pytest.approx(4 + 1)
    assert test.p == pytest.approx(0.17179714, abs=1e-8)


def test_wald_test_of_a_singular_covariance_uses_its_rank() -> None:
    # The third effect is the sum of the first two: it adds no restriction, and units do not matter.
    influence = np.random.default_rng(5).normal(size=(50, 2))
    effects = np.array([0.3, -0.2])
    combined = np.column_stack([influence, influence.sum(axis=1)])
    two = wald_test(effects, influence, df=None)
    three = wald_test(np.append(effects, effects.sum()), combined, df=None)
    assert three.df == 2
    assert three.statistic == pytest.approx(two.statistic, rel=1e-9)
    scaled = wald_test(effects * [1.0, 1e-6], influence * [1.0, 1e-6], df=None)
    assert scaled.statistic == pytest.approx(two.statistic, rel=1e-9)


def test_more_restrictions_than_clusters_give_no_test() -> None:
    influence = np.random.default_rng(6).normal(size=(8, 6))
    assert wald_test(np.ones(6), influence, df=3).p is None


def test_intervals_follow_the_normal_and_t_tables() -> None:
    low, high, p = interval(1.0, 0.5, None, 0.95)
    assert (low, high) == pytest.approx((1 - 0.979982, 1 + 0.979982), abs=1e-6)
    assert p == pytest.approx(0.04550026, abs=1e-8)
    low, high, p = interval(1.0, 0.5, 4.0, 0.95)
    assert (low, high) == pytest.approx((1 - 0.5 * 2.7764451, 1 + 0.5 * 2.7764451), abs=1e-7)
    assert p == pytest.approx(0.11611652, abs=1e-8)
    assert interval(1.0, None, None, 0.95) == (None, None, None)
