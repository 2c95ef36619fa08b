"""Hedges' g, clustering and the Cox index against published numbers, matrix algebra and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from plneval.standards import effect_size

NAN = float("nan")
# Cluster sizes and numbers of clusters of both arms together, at least three clusters.
designs = st.tuples(st.integers(1, 60), st.integers(3, 200), st.floats(0, 1))


def test_hedges_g_of_two_small_groups() -> None:
    """[5, 6, 7] against [4, 5, 6]: difference 1, SD 1, ω = 1 − 3/15 (hand calculation; WWC gives 0.8)."""
    found = effect_size.hedges_g([5, 6, 7], [4, 5, 6])
    assert found.estimate == pytest.approx(0.8, abs=1e-12)
    assert (found.df, found.standard_deviation, found.small_sample_factor) == (4, 1.0, pytest.approx(0.8))


def test_hedges_g_and_its_variance_as_metafor_gives_them() -> None:
    """R metafor, dat.normand1999, row 1 (Edinburgh): yi = −0.3552, vi = 0.0131 (printed to four decimals)."""
    found = effect_size.hedges_g_from_summary(55, 75, 47, 64, 155, 156)
    assert found.estimate == pytest.approx(-0.3552, abs=5e-5)
    assert found.standard_error is not None
    assert found.standard_error**2 == pytest.approx(0.0131, abs=5e-5)


def test_interval_uses_t_with_the_effect_sizes_degrees_of_freedom() -> None:
    found = effect_size.hedges_g([5, 6, 7], [4, 5, 6])
    low, high = found.interval()
    assert found.standard_error is not None
    assert high - found.estimate == pytest.approx(stats.t.ppf(0.975, 4) * found.standard_error, rel=1e-10)
    assert found.estimate - low == pytest.approx(high - found.estimate, rel=1e-12)
    assert found.interval(0.9)[1] < high


@pytest.mark.parametrize("df", [10, 30, 200])
def test_small_sample_factor_is_close_to_the_exact_gamma_ratio(df: int) -> None:
    """Hedges (1981): J(df) = Γ(df/2) / (√(df/2) Γ((df−1)/2)); good to 3.5e-4 from df 10 on."""
    exact = math.exp(math.lgamma(df / 2) - math.lgamma((df - 1) / 2)) / math.sqrt(df / 2)
    assert effect_size.small_sample_correction(df) == pytest.approx(exact, abs=3.5e-4)


@pytest.mark.parametrize(
    ("n_pupils", "size", "icc", "expected"), [(100, 5, 0.1, 94.40287769784172), (400, 20, 0.2, 231.65758754863802)]
)
def test_effective_degrees_of_freedom_e21(n_pupils: int, size: int, icc: float, expected: float) -> None:
    assert effect_size.effective_df(n_pupils, size, icc) == pytest.approx(expected, rel=1e-12)


def test_effective_degrees_of_freedom_is_satterthwaites_of_the_within_arm_variance() -> None:
    """h = tr(MV)²/tr(MVMV) and γ = tr(MV)/(N−2), V the covariance of 12 clusters of 4, M centring within arms."""
    size, clusters, icc = 4, 12, 0.3
    n = size * clusters
    covariance = np.kron(np.eye(clusters), (1 - icc) * np.eye(size) + icc * np.ones((size, size)))
    half = n // 2
    centring = np.kron(np.eye(2), np.eye(half) - np.ones((half, half)) / half)
    product = centring @ covariance
    assert effect_size.effective_df(n, size, icc) == pytest.approx(
        np.trace(product) ** 2 / np.trace(product @ product), rel=1e-10
    )
    assert effect_size.total_variance_factor(n, size, icc) == pytest.approx(np.trace(product) / (n - 2), rel=1e-10)


def test_one_arm_terms_are_those_of_the_covariance_matrix() -> None:
    """The same for 12 clusters of 5 treated and 40 independent comparison units with the variance within clusters."""
    n_t, n_c, size, icc = 60, 40, 5, 0.1
    n = n_t + n_c
    covariance = np.zeros((n, n))
    covariance[:n_t, :n_t] = np.kron(np.eye(n_t // size), (1 - icc) * np.eye(size) + icc * np.ones((size, size)))
    covariance[n_t:, n_t:] = (1 - icc) * np.eye(n_c)
    centring = np.zeros((n, n))
    centring[:n_t, :n_t] = np.eye(n_t) - 1 / n_t
    centring[n_t:, n_t:] = np.eye(n_c) - 1 / n_c
    contrast = np.r_[np.full(n_t, 1 / n_t), np.full(n_c, -1 / n_c)]
    product = centring @ covariance
    found = effect_size.one_arm_clustering(n_t, n_c, size, icc)
    assert found.gamma == pytest.approx(1 - 4.3 / 98, rel=1e-12)  # Hedges and Citkowicz (2015)
    assert found.gamma == pytest.approx(np.trace(product) / (n - 2), rel=1e-10)
    assert found.df == pytest.approx(np.trace(product) ** 2 / np.trace(product @ product), rel=1e-10)
    assert (1 / n_t + 1 / n_c) * found.eta == pytest.approx(contrast @ covariance @ contrast, rel=1e-10)


def test_cluster_assigned_g_with_total_standard_deviation() -> None:
    found = effect_size.hedges_g_cluster_assigned(0.3, 1, 400, 20, 0.2)
    assert found.estimate == pytest.approx(0.2961588900894072, rel=1e-12)
    assert found.df == pytest.approx(231.65758754863802, rel=1e-12)
    assert found.standard_error is None
    with pytest.raises(ValueError, match="no standard error"):
        found.interval()


def test_clustered_effect_sizes_are_unbiased_and_their_standard_errors_true() -> None:
    """4,000 simulated studies a design, effect 0.4 SD: mean within 4 Monte Carlo SEs, SE within 5 %."""
    rng = np.random.default_rng(20240607)
    replications, size, icc, effect = 4000, 5, 0.25, 0.4

    def clusters(count: int) -> np.ndarray:
        shared = rng.normal(scale=math.sqrt(icc), size=(replications, count, 1))
        own = rng.normal(scale=math.sqrt(1 - icc), size=(replications, count, size))
        return (shared + own).reshape(replications, count * size)

    def raw(treated: np.ndarray, comparison: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n_t, n_c = treated.shape[1], comparison.shape[1]
        squares = (n_t - 1) * treated.var(axis=1, ddof=1) + (n_c - 1) * comparison.var(axis=1, ddof=1)
        return treated.mean(axis=1) - comparison.mean(axis=1), np.sqrt(squares / (n_t + n_c - 2))

    def check(found: list[effect_size.EffectSize]) -> None:
        g = np.array([one.estimate for one in found])
        errors = np.array([one.standard_error for one in found], dtype=float)
        assert g.mean() == pytest.approx(effect, abs=4 * g.std() / math.sqrt(replications))
        assert math.sqrt((errors**2).mean()) == pytest.approx(g.std(), rel=0.05)

    b, s = raw(clusters(10) + effect, clusters(10))
    truth = math.sqrt(2 * (icc + (1 - icc) / size) / 10)
    check([effect_size.hedges_g_cluster_assigned(x, y, 100, size, icc, truth) for x, y in zip(b, s, strict=True)])
    b, s = raw(clusters(12) + effect, rng.normal(scale=math.sqrt(1 - icc), size=(replications, 40)))
    check([effect_size.hedges_g_one_arm_clustered(x, y, 60, 40, size, icc) for x, y in zip(b, s, strict=True)])


def test_clustering_correction_of_a_pupil_level_t() -> None:
    found = effect_size.clustering_correction(0.30, 200, 200, 20, 0.20)
    assert found.t == pytest.approx(2.98326606, abs=5e-9)
    assert found.t_corrected == pytest.approx(1.34860491, abs=5e-9)
    assert found.df == pytest.approx(231.6575875, abs=5e-8)
    assert found.p_value == pytest.approx(0.17878083, abs=5e-9)


def test_without_clustering_the_correction_changes_nothing() -> None:
    found = effect_size.clustering_correction(0.30, 200, 200, 20, 0)
    assert found.t_corrected == found.t
    assert found.df == 398
    assert found.p_value == pytest.approx(2 * stats.t.sf(found.t, 398), rel=1e-10)


def test_eef_effect_size_divides_by_the_null_models_total_sd_without_a_factor() -> None:
    found = effect_size.eef_effect_size(3.0, 225.0, difference_standard_error=1.5)
    assert (found.estimate, found.standard_error, found.small_sample_factor) == (pytest.approx(0.2), 0.1, 1.0)
    assert found.interval() == pytest.approx((0.2 - 0.1959963985, 0.2 + 0.1959963985), abs=1e-9)


def test_cox_index_and_improvement_index() -> None:
    assert effect_size.cox_index(0.75, 0.25) == pytest.approx(1.3316512590, abs=5e-11)
    assert effect_size.improvement_index(0.25) == pytest.approx(9.87, abs=0.005)
    assert effect_size.improvement_index(0) == 0


@given(designs)
def test_effective_df_lies_between_clusters_and_pupils(design: tuple[int, int, float]) -> None:
    size, clusters, icc = design
    h = effect_size.effective_df(size * clusters, size, icc)
    assert clusters - 2 - 1e-6 <= h <= size * clusters - 2 + 1e-6


@given(designs, st.floats(-3, 3))
def test_clustering_never_makes_t_larger_and_sign_is_kept(design: tuple[int, int, float], g: float) -> None:
    size, clusters, icc = design
    n = size * clusters
    found = effect_size.clustering_correction(g, max(2, n // 2), max(2, n - n // 2), size, icc)
    mirrored = effect_size.clustering_correction(-g, max(2, n // 2), max(2, n - n // 2), size, icc)
    assert abs(found.t_corrected) <= abs(found.t) + 1e-12
    assert mirrored.t_corrected == -found.t_corrected
    assert mirrored.p_value == found.p_value


@given(
    st.lists(st.floats(-50, 50), min_size=2, max_size=20, unique=True),
    st.lists(st.floats(-50, 50), min_size=2, max_size=20, unique=True),
    st.floats(0.1, 100),
    st.floats(-100, 100),
)
def test_g_turns_its_sign_with_the_arms_and_ignores_the_scale(
    treated: list[float], comparison: list[float], scale: float, shift: float
) -> None:
    if max(np.ptp(treated), np.ptp(comparison)) < 1e-3:
        return  # rounding of the shifted values would be the whole variance
    g = effect_size.hedges_g(treated, comparison).estimate
    assert effect_size.hedges_g(comparison, treated).estimate == pytest.approx(-g, abs=1e-12)
    moved = effect_size.hedges_g(scale * np.array(treated) + shift, scale * np.array(comparison) + shift).estimate
    assert moved == pytest.approx(g, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: effect_size.hedges_g([1, 2, NAN], [1, 2]), "treated has 1 missing or infinite of 3 values"),
        (lambda: effect_size.hedges_g([1], [1, 2]), "treated needs at least 2 values, found 1"),
        (lambda: effect_size.hedges_g([[1, 2], [3, 4]], [1, 2]), "one-dimensional"),
        (lambda: effect_size.hedges_g([0.1, 0.1, 0.1], [0.1, 0.1, 0.1]), "does not vary"),
        (lambda: effect_size.hedges_g_from_summary(1, 0, -1, 1, 10, 10), "sd_treated must be at least 0"),
        (lambda: effect_size.hedges_g_from_summary(1, 0, 1, 1, 1, 10), "n_treated must be at least 2"),
        (lambda: effect_size.hedges_g_from_summary(NAN, 0, 1, 1, 10, 10), "mean_treated must be a finite number"),
        (lambda: effect_size.small_sample_correction(1), "more than 1 degree of freedom"),
        (lambda: effect_size.effective_df(40, 20, 0.2), "more than two clusters"),
        (lambda: effect_size.effective_df(100, 5, 1.2), "icc must lie between 0 and 1"),
        (lambda: effect_size.effective_df(100, 0.5, 0.2), "cluster_size must be at least 1"),
        (lambda: effect_size.hedges_g_cluster_assigned(0.3, 0, 400, 20, 0.2), "total_sd must be above 0"),
        (lambda: effect_size.one_arm_clustering(5, 40, 5, 0.1), "more than one cluster"),
        (lambda: effect_size.one_arm_clustering(60, 40, 5, 1), "icc must be below 1"),
        (lambda: effect_size.eef_effect_size(1, -4), "null_model_variance must be above 0"),
        (lambda: effect_size.eef_effect_size(1, 4, df=NAN), "df must be above 0"),
        (lambda: effect_size.cox_index(1, 0.5), "share_treated must lie between 0 and 1, both excluded"),
        (lambda: effect_size.improvement_index(NAN), "g must be a finite number"),
        (lambda: effect_size.hedges_g([1, 2], [2, 3]).interval(95), "level must lie between 0 and 1"),
    ],
)
def test_what_a_formula_is_not_defined_for_is_refused(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=message):
        call()
