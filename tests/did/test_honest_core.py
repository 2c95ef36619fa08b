"""Sensitivity to violations of parallel trends: the numerical core, from estimates and their covariance.

Reference values: R's HonestDiD on its Benzarti and Carloni (2019) example, as stored by the tests of HonestDiD.jl.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import norm, truncnorm

from plneval.did.errors import DidError
from plneval.did.honest import bounds, breakdown
from plneval.did.honest_magnitudes import accepted, moments, polyhedra
from plneval.did.honest_smoothness import folded_normal_quantile, smoothness_path

BETAHAT = np.array(
    [
        0.006696351804,
        0.02934503369,
        -0.006472972222,
        0.0730149895,
        0.1959611177,
        0.3120639026,
        0.2395415455,
        0.1260425001,
    ]
)
UPPER = """
8.428358124 4.768686777 2.618051076 2.354220342 1.676371467 1.128707663 0.1992816215 -1.368265366
6.425420288 3.987425007 2.435515198 2.201960306 1.804591157 0.384376508 -0.2960421989
5.229949602 2.11768609 1.840722252 1.45852784 0.7005197403 0.5952994979
3.089595411 1.197866077 1.334081317 1.016335009 1.079051726
3.59970436 2.478818642 1.749579242 1.654256921
4.263949813 2.171437809 2.892747871
4.886697861 3.805322049
7.61739444
"""
SIGMA = np.zeros((8, 8))
SIGMA[np.triu_indices(8)] = np.array(UPPER.split(), dtype=float) * 1e-4
SIGMA = SIGMA + np.triu(SIGMA, 1).T
FIRST = np.array([1.0, 0.0, 0.0, 0.0])
MEAN = np.full(4, 0.25)


def smoothness(l_vec=FIRST, **options):
    return bounds(BETAHAT, SIGMA, 4, 4, l_vec, "smoothness", **options)


def magnitudes(l_vec=FIRST, **options):
    return bounds(BETAHAT, SIGMA, 4, 4, l_vec, "relative_magnitudes", **options)


@pytest.mark.parametrize(
    ("bound", "low", "high"),
    [(0.0, 0.131411316, 0.2161696482), (0.1, 0.1194440001, 0.4185082143), (0.2, 0.01944400015, 0.5185082143)],
)
def test_smoothness_agrees_with_honestdid_in_r(bound, low, high):
    # R simulates the folded normal quantile with a million draws: off by up to 0.0023 standard errors of 0.03.
    assert smoothness()(bound) == pytest.approx((low, high), abs=7e-5)


def test_smoothness_half_length_at_m_0_is_exact():
    # At M = 0 the best estimator subtracts the generalised least squares trend, and the interval is a normal one.
    time = np.arange(-4, 5)[np.arange(9) != 4]
    design = np.column_stack([time, np.vstack([np.zeros((4, 4)), np.eye(4)])])
    precision = np.linalg.inv(SIGMA)
    covariance = np.linalg.inv(design.T @ precision @ design)
    effect = (covariance @ design.T @ precision @ BETAHAT)[1]
    half = norm.ppf(0.975) * np.sqrt(covariance[1, 1])
    assert smoothness()(0.0) == pytest.approx((effect - half, effect + half), rel=1e-9)


def test_smoothness_interval_is_the_shortest_of_all_estimators():
    from scipy.optimize import minimize

    path = smoothness_path(BETAHAT, SIGMA, 4, 4, MEAN)
    for bound in (0.003, 0.03):

        def half_length(weights, bound=bound):
            bias, sd = path.bias_and_sd(weights)
            return float(sd * folded_normal_quantile(bound * bias / sd, 0.05))

        starts = [np.zeros(3), np.array([0.3, -0.2, 0.1])]
        best = min(minimize(half_length, start, method="Nelder-Mead", tol=1e-10).fun for start in starts)
        low, high = smoothness(MEAN)(bound)
        assert (high - low) / 2 == pytest.approx(best, rel=1e-6)


def test_folded_normal_quantile_inverts_the_distribution():
    shift = np.array([0.0, 0.3, 1.0, 4.0, 1e4])
    quantile = folded_normal_quantile(shift, 0.05)
    inside = norm.cdf(quantile - shift) - norm.cdf(-quantile - shift)
    assert inside == pytest.approx(np.full(5, 0.95), abs=1e-10)
    assert quantile[0] == pytest.approx(norm.ppf(0.975), rel=1e-10)


def test_smoothness_with_one_period_before_extrapolates_its_slope():
    # δ_1 = -δ_{-1} + change of slope: the estimator is β_1 + β_{-1}, its largest bias M.
    betahat, sigma = np.array([0.1, 0.7]), np.array([[0.04, 0.01], [0.01, 0.05]])
    low, high = bounds(betahat, sigma, 1, 1, np.ones(1), "smoothness")(0.3)
    sd = np.sqrt(0.04 + 0.05 + 2 * 0.01)
    assert (low + high) / 2 == pytest.approx(0.8)
    assert (high - low) / 2 == pytest.approx(sd * float(folded_normal_quantile(np.array(0.3 / sd), 0.05)))


def test_relative_magnitudes_agree_with_honestdid_in_r():
    # R tests a grid with steps of 0.0038 and simulates the critical value with 1,000 draws.
    assert magnitudes()(1.0) == pytest.approx((0.07055244362, 0.3184394077), abs=0.0045)


@pytest.mark.parametrize(
    ("bound", "low", "high"),
    [
        (0.0, 0.31031031031, 0.69069069069),
        (0.5, 0.29029029029, 0.71071071071),
        (1.0, 0.25825825826, 0.73873873874),
        (1.5, 0.21421421421, 0.78678678679),
        (2.0, 0.15415415415, 0.84284284284),
    ],
)
def test_conditional_test_without_first_stage_agrees_with_honestdid_in_r(bound, low, high):
    # R's method "Conditional" on its grid of 1,000 points from -2 to 2, as stored by StatsPAI's parity tests: nothing
    # is simulated, so that the ends are the same but for one step of the grid.
    betahat = np.array([0.01, -0.02, 0.0, 0.5, 0.4, 0.3])
    sigma = np.diag([0.0025] * 3 + [0.01] * 3)
    data = polyhedra(betahat, sigma, 3, 3, np.array([1.0, 0.0, 0.0]))
    found = replace(moments(data, bound, 0.005), lf=np.full(6, np.inf))
    theta = np.linspace(-2, 2, 1000)
    inside = theta[accepted(data, found, np.tile(theta, (6, 1)), 0.05, 0.0).any(axis=0)]
    assert (inside[0], inside[-1]) == pytest.approx((low, high), abs=1.01 * (theta[1] - theta[0]))


def test_relative_magnitudes_at_0_are_the_interval_under_parallel_trends():
    assert magnitudes()(0.0) == pytest.approx((0.15877494280765, 0.233147292681241), abs=1e-9)
    half = norm.ppf(0.95) * np.sqrt(MEAN @ SIGMA[4:, 4:] @ MEAN)
    centre = MEAN @ BETAHAT[4:]
    assert magnitudes(MEAN, alpha=0.1)(0.0) == pytest.approx((centre - half, centre + half), abs=1e-9)


@cache
def program(l_vec, bound, period, sign, draws):
    """What of the hybrid test does not depend on the parameter.

    Moments, their change with the parameter, covariance, vertices of the dual, least favourable critical value.
    """
    steps = np.delete(np.eye(8, 9, 1) - np.eye(8, 9), 4, axis=1)
    rows = np.vstack([steps[4:], -steps[4:]]) - bound * sign * steps[period]
    full = np.vstack([l_vec, np.eye(4)[1:]])
    moved = rows[:, 4:] @ np.linalg.inv(full)
    covariance = rows @ SIGMA @ rows.T
    equalities = np.column_stack([np.sqrt(np.diag(covariance)), moved[:, 1:]])
    right = np.array([1.0, 0, 0, 0])
    vertices = []
    for basis in combinations(range(8), 4):
        square = equalities[list(basis)].T
        if abs(np.linalg.det(square)) > 1e-12:
            solution = np.linalg.solve(square, right)
            if np.all(solution > -1e-9):
                vertices.append(np.zeros(8))
                vertices[-1][list(basis)] = solution
    vertices = np.array(vertices)
    noise = np.random.default_rng(1).multivariate_normal(np.zeros(8), SIGMA, size=draws) @ rows.T
    critical = np.quantile((noise @ vertices.T).max(axis=1), 1 - 0.005)
    return rows, moved, covariance, vertices, critical


def program_test(theta, l_vec, bound, period, sign, draws=40_000):
    """The hybrid test with the linear program's dual solved by listing every basis: no use of its structure.

    Also gives the statistic and the least favourable critical value.
    """
    rows, moved, covariance, vertices, critical = program(tuple(l_vec), bound, period, sign, draws)
    values = vertices @ (rows @ BETAHAT - moved[:, 0] * theta)
    best = int(np.argmax(values))
    among = vertices @ covariance @ vertices.T
    ratio = among[:, best] / among[best, best]
    gap, rest = 1 - ratio, values - ratio * values[best]
    low = max((rest / np.where(gap > 1e-9, gap, np.nan))[gap > 1e-9], default=-np.inf)
    high = min((rest / np.where(gap < -1e-9, gap, np.nan))[gap < -1e-9], default=np.inf)
    sd = np.sqrt(among[best, best])
    size = 0.045 / 0.995
    top = min(high, critical) / sd
    threshold = sd * truncnorm.ppf(1 - size, low / sd, top) if top > low / sd else np.inf
    return values[best] <= critical and values[best] <= max(threshold, 0), values[best], critical


@pytest.mark.parametrize("l_vec", [FIRST, MEAN, np.array([0.5, -1.0, 0.0, 2.0])])
@pytest.mark.parametrize("bound", [0.4, 1.5])
def test_closed_form_agrees_with_the_linear_program(l_vec, bound):
    data = polyhedra(BETAHAT, SIGMA, 4, 4, l_vec)
    found = moments(data, bound, 0.005)
    low, high = magnitudes(l_vec)(bound)
    theta = np.linspace(low - 0.3 * (high - low), high + 0.3 * (high - low), 9)
    ours = accepted(data, found, np.tile(theta, (8, 1)), 0.05, 0.005)
    for row, (period, sign) in enumerate([(0, 1), (1, 1), (3, -1)]):
        index = [0, 1, 7][row]
        for k, value in enumerate(theta):
            accept, statistic, critical = program_test(value, l_vec, bound, period, sign, draws=20_000)
            largest = np.max(found.of_w[index] * data.w[index] + found.of_z[index] * (data.z - value))
            assert largest == pytest.approx(statistic, abs=1e-9)
            assert found.lf[index] == pytest.approx(critical, abs=0.12)  # of 20,000 draws: 4 standard errors
            assert ours[index, k] == accept


def test_intervals_grow_with_the_bound_and_with_the_level():
    for interval in (magnitudes(MEAN), smoothness(MEAN)):
        ends = np.array([interval(bound) for bound in (0.0, 0.3, 0.6, 1.2, 2.4)])
        assert np.all(np.diff(ends[:, 0]) < 0)
        assert np.all(np.diff(ends[:, 1]) > 0)
    assert magnitudes(alpha=0.1)(1.0)[0] > magnitudes()(1.0)[0]


def test_intervals_scale_with_the_outcome():
    low, high = magnitudes()(1.0)
    scaled = bounds(-1000 * BETAHAT, 1e6 * SIGMA, 4, 4, FIRST, "relative_magnitudes")(1.0)
    assert scaled == pytest.approx((-1000 * high, -1000 * low), rel=1e-8)
    low, high = smoothness()(0.1)
    scaled = bounds(-1000 * BETAHAT, 1e6 * SIGMA, 4, 4, FIRST, "smoothness")(100.0)
    assert scaled == pytest.approx((-1000 * high, -1000 * low), rel=1e-8)


def test_relative_magnitudes_cover_the_truth_at_the_edge_of_the_bound():
    # Violations change by 2 a period before and after the reference: at M = 1 the truth is at the edge of the set,
    # and the hybrid's coverage is 95 % or slightly more. 300 draws: standard error 1.3 points.
    draws = np.random.default_rng(3)
    true = np.array([-4.0, -2.0, 2.0, 4.0])
    sigma = 0.5 * np.eye(4) + 0.5
    root = np.linalg.cholesky(sigma)
    covered = 0
    found = moments(polyhedra(true, sigma, 2, 2, np.array([1.0, 0.0])), 1.0, 0.005)  # do not depend on the estimates
    for _ in range(300):
        estimate = true + root @ draws.normal(size=4)
        data = polyhedra(estimate, sigma, 2, 2, np.array([1.0, 0.0]))
        covered += accepted(data, found, np.zeros((4, 1)), 0.05, 0.005).any()
    assert covered / 300 >= 0.95 - 3 * 0.0126


def test_breakdown_value_is_where_the_interval_reaches_the_null():
    found = breakdown(magnitudes(), 0.0, 1.0)
    assert magnitudes()(found)[0] == pytest.approx(0.0, abs=1e-5)
    # With one period before, the smoothness interval in closed form: 0.8 = M + 1.645 sd once the bias dominates.
    betahat, sigma = np.array([0.1, 0.7]), 1e-4 * np.eye(2)
    interval = bounds(betahat, sigma, 1, 1, np.ones(1), "smoothness")
    assert breakdown(interval, 0.0, 0.01) == pytest.approx(0.8 - norm.ppf(0.95) * np.sqrt(2e-4), rel=1e-5)
    assert breakdown(interval, 0.8, 0.01) == 0.0


def test_singular_covariance_is_refused():
    sigma = SIGMA.copy()
    sigma[3] = sigma[:, 3] = 0.0
    sigma[2] = sigma[:, 2] = 0.0
    with pytest.raises(DidError, match="no sampling variation"):
        bounds(BETAHAT, sigma, 4, 4, FIRST, "relative_magnitudes")
    with pytest.raises(DidError, match="singular"):
        bounds(BETAHAT, sigma, 4, 4, FIRST, "smoothness")
