"""Minimum detectable effect sizes against PowerUpR's numbers, closed forms and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from plneval.standards import mdes

DID = {"icc": 0.15, "cluster_autocorrelation": 0.7, "n_schools": 60, "pupils_per_school": 30, "treated_share": 0.5}


def test_two_level_cluster_assigned_as_powerupr() -> None:
    """R PowerUpR mdes.cra2(rho2=.20, n=4, J=20, alpha=.01)."""
    found = mdes.cluster_assigned_two_level(icc=0.2, n_clusters=20, cluster_size=4, treated_share=0.5, alpha=0.01)
    assert found.mdes == pytest.approx(1.0579701, abs=5e-8)
    assert found.df == 18


def test_three_level_cluster_assigned_as_powerupr() -> None:
    """R PowerUpR mdes.cra3(rho3=.06, rho2=.17, n=15, J=3, K=60)."""
    found = mdes.cluster_assigned_three_level(
        icc_top=0.06, icc_middle=0.17, n_top=60, middle_per_top=3, units_per_middle=15, treated_share=0.5
    )
    assert found.mdes == pytest.approx(0.2691084, abs=5e-8)


def test_random_blocks_as_powerupr() -> None:
    """R PowerUpR mdes.bcra3r2(rho3=.13, rho2=.10, omega3=.4, n=10, J=6, K=24)."""
    found = mdes.blocked_three_level_random(
        icc_block=0.13,
        icc_middle=0.10,
        effect_heterogeneity=0.4,
        n_blocks=24,
        middle_per_block=6,
        units_per_middle=10,
        treated_share=0.5,
    )
    assert found.mdes == pytest.approx(0.2462753, abs=5e-8)


def test_one_fixed_block_is_the_two_level_design() -> None:
    design = {"treated_share": 0.4, "r2_unit": 0.3, "n_covariates": 1}
    block = mdes.blocked_three_level_fixed(
        icc_middle=0.2, n_blocks=1, middle_per_block=30, units_per_middle=25, r2_middle=0.5, **design
    )
    flat = mdes.cluster_assigned_two_level(icc=0.2, n_clusters=30, cluster_size=25, r2_cluster=0.5, **design)
    assert block == flat


def test_three_levels_without_a_top_level_are_two_levels() -> None:
    """With one middle cluster in each top cluster only the sum of the two shares counts."""
    three = mdes.cluster_assigned_three_level(
        icc_top=0.05, icc_middle=0.15, n_top=40, middle_per_top=1, units_per_middle=20, treated_share=0.5
    )
    two = mdes.cluster_assigned_two_level(icc=0.2, n_clusters=40, cluster_size=20, treated_share=0.5)
    assert three.mdes == pytest.approx(two.mdes, rel=1e-12)


def test_difference_in_differences_on_repeated_cross_sections() -> None:
    """Hand calculation: (0.15·0.3 + 0.85/30)(2/3)/(60·0.25) = 0.00325926."""
    found = mdes.did_repeated_cross_sections(**DID, years_before=3, years_after=3)
    assert found.standard_error**2 == pytest.approx(0.00325926, abs=5e-9)
    assert found.mdes == pytest.approx(0.162682, abs=5e-7)
    assert found.df == 58


def test_variance_of_the_difference_in_differences_is_that_of_simulated_studies() -> None:
    """20,000 studies of 60 schools, 2 years before and 3 after; variance of the estimate within 4 %."""
    rng = np.random.default_rng(11)
    icc, cac, pupils, before, after = 0.15, 0.7, 30, 2, 3
    shape = (20_000, 60)
    school = rng.normal(scale=math.sqrt(icc * cac), size=(*shape, 1))
    yearly = rng.normal(scale=math.sqrt(icc * (1 - cac) + (1 - icc) / pupils), size=(*shape, before + after))
    means = school + yearly
    change = means[..., before:].mean(axis=-1) - means[..., :before].mean(axis=-1)
    estimates = change[:, :30].mean(axis=1) - change[:, 30:].mean(axis=1)
    found = mdes.did_repeated_cross_sections(**DID, years_before=before, years_after=after)
    assert found.standard_error**2 == pytest.approx(estimates.var(), rel=0.04)


def test_a_true_effect_of_that_size_is_detected_with_the_stated_power() -> None:
    """Power of the two-sided t test (noncentral t) at the MDES: 0.80 to within 0.005."""
    found = mdes.from_standard_error(0.1, 58)
    critical = stats.t.ppf(0.975, 58)
    assert stats.nct.sf(critical, 58, found.mdes / 0.1) == pytest.approx(0.80, abs=0.005)


def test_multiplier_is_2_8_in_large_samples() -> None:
    """Bloom (1995): 1.960 + 0.842 = 2.802."""
    assert mdes.multiplier(1e9) == pytest.approx(2.8016, abs=5e-5)
    assert mdes.multiplier(20, alpha=0.1, power=0.9) == pytest.approx(stats.t.ppf([0.95, 0.9], 20).sum(), rel=1e-9)


@given(st.floats(0, 1), st.integers(4, 300), st.integers(1, 200), st.floats(0.1, 0.9))
def test_more_clusters_or_pupils_detect_smaller_effects(icc: float, clusters: int, size: int, share: float) -> None:
    def value(n_clusters: int, cluster_size: int) -> float:
        return mdes.cluster_assigned_two_level(
            icc=icc, n_clusters=n_clusters, cluster_size=cluster_size, treated_share=share
        ).mdes

    assert value(clusters + 1, size) < value(clusters, size)
    assert value(clusters, size + 1) <= value(clusters, size)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_clusters": 2}, "no degrees of freedom are left"),
        ({"n_clusters": 10, "n_covariates": 8}, "too few clusters for 8 covariates"),
        ({"icc": -0.1}, "icc must lie between 0 and 1"),
        ({"icc": float("nan")}, "icc must be a finite number"),
        ({"treated_share": 1.0}, "treated_share must lie between 0 and 1, both excluded"),
        ({"cluster_size": 0}, "cluster_size must be at least 1"),
        ({"r2_unit": 1.5}, "r2_unit must lie between 0 and 1"),
        ({"alpha": 5}, "alpha must lie between 0 and 1"),
        ({"power": 1.0}, "power must lie between 0 and 1"),
        ({"n_covariates": -1}, "n_covariates must be at least 0"),
    ],
)
def test_impossible_designs_are_refused(change: dict[str, float], message: str) -> None:
    design = {"icc": 0.2, "n_clusters": 20, "cluster_size": 4, "treated_share": 0.5} | change
    with pytest.raises(ValueError, match=message):
        mdes.cluster_assigned_two_level(**design)


def test_shares_of_variance_above_one_are_refused() -> None:
    with pytest.raises(ValueError, match=r"sum to 1\.1"):
        mdes.cluster_assigned_three_level(
            icc_top=0.6, icc_middle=0.5, n_top=60, middle_per_top=3, units_per_middle=15, treated_share=0.5
        )
