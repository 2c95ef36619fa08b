"""The path over practice: coefficients and standard errors of statsmodels, sensitivity in closed form, coverage."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plneval.errors import UserError
from plneval.networks.mediation import mediation


def schools(random: np.random.Generator, clusters: int = 40, size: int = 3, confounding: float = 0.0) -> pd.DataFrame:
    """Planted: participation moves practice by 0.5, practice pupils by 0.2, and 0.05 goes directly."""
    n = clusters * size
    cluster = np.repeat(np.arange(clusters), size)
    participation = (np.arange(n) // size % 2).astype(float)
    common, x = random.normal(size=n), random.normal(size=n)
    group = random.normal(size=(2, clusters))[:, cluster] * 0.3
    practice = 0.5 * participation + 0.3 * x + group[0] + 0.7 * random.normal(size=n) + confounding * common
    outcome = 0.05 * participation + 0.2 * practice + 0.2 * x + 0.3 * group[1] + 0.3 * random.normal(size=n)
    return pd.DataFrame(
        {
            "participation": participation,
            "practice": practice,
            "outcome": outcome + confounding * common,
            "x": x,
            "cluster": [f"c{number:02d}" for number in cluster],
            "practice_year": 2015,
            "outcome_year": 2017,
        }
    )


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return schools(np.random.default_rng(4))


def test_coefficients_and_standard_errors_are_those_of_statsmodels(data: pd.DataFrame) -> None:
    import statsmodels.formula.api as smf

    found = mediation(data, covariates=["x"], draws=50)
    codes = pd.factorize(data["cluster"])[0]

    def fit(formula: str) -> Any:
        return smf.ols(formula, data).fit(cov_type="cluster", cov_kwds={"groups": codes})

    to_practice, to_outcome = fit("practice ~ participation + x"), fit("outcome ~ participation + practice + x")
    assert found.on_practice == pytest.approx(to_practice.params["participation"], abs=1e-10)
    assert found.on_practice_se == pytest.approx(to_practice.bse["participation"], abs=1e-10)
    assert found.adjusted.slope.value == pytest.approx(to_outcome.params["practice"], abs=1e-10)
    assert found.adjusted.slope.se == pytest.approx(to_outcome.bse["practice"], abs=1e-10)
    assert (found.adjusted.direct.value, found.adjusted.direct.se) == pytest.approx(
        (to_outcome.params["participation"], to_outcome.bse["participation"]), abs=1e-10
    )
    total = smf.ols("outcome ~ participation + x", data).fit()
    assert found.adjusted.indirect.value + found.adjusted.direct.value == pytest.approx(
        total.params["participation"], abs=1e-10
    )
    assert found.total == pytest.approx(total.params["participation"], abs=1e-10)
    unexplained = (1 - to_practice.rsquared) * (1 - to_outcome.rsquared)
    assert found.r2_of_all_at_zero == pytest.approx(found.rho_at_zero**2 * unexplained, abs=1e-10)
    assert (found.role, found.warnings) == ("exploratory", ())


def test_the_error_of_the_product_agrees_between_delta_method_and_bootstrap() -> None:
    found = mediation(schools(np.random.default_rng(9), clusters=300), covariates=["x"], draws=4000)
    width = (found.adjusted.indirect.high - found.adjusted.indirect.low) / (2 * 1.959964)
    assert width == pytest.approx(found.adjusted.indirect.se, rel=0.06)
    assert found.adjusted.indirect.low < 0.1 < found.adjusted.indirect.high


@pytest.mark.parametrize("rho", [-0.4, 0.3, 0.6])
def test_sensitivity_returns_the_true_path_at_the_true_correlation_of_errors(rho: float) -> None:
    # Errors with exactly this correlation in the sample, uncorrelated with participation: theorem 4 is then exact.
    n = 240
    raw = np.random.default_rng(2).normal(size=(n, 3))
    participation = np.tile([0.0, 1.0], n // 2)
    basis = np.linalg.qr(np.column_stack([np.ones(n), participation, raw]))[0][:, 2:4] * math.sqrt(n)
    practice = 0.5 * participation + 0.8 * basis[:, 0]
    outcome = 0.1 * participation + 0.25 * practice
    outcome = outcome + 0.6 * (rho * basis[:, 0] + math.sqrt(1 - rho**2) * basis[:, 1])
    table = pd.DataFrame(
        {"participation": participation, "practice": practice, "outcome": outcome, "cluster": np.arange(n) // 4}
    )
    found = mediation(table, draws=50)
    assert found.adjusted.slope.value == pytest.approx(0.25 + 0.6 * rho / 0.8)  # biased by ρ σ₃/σ₂
    at = found.sensitivity.set_index("rho")["indirect"]
    assert at[rho] == pytest.approx(0.5 * 0.25, abs=1e-10)
    assert at[0.0] == pytest.approx(found.adjusted.indirect.value, abs=1e-12)
    # Errors of practice (0.8 e₁) and of the outcome without practice (0.25 · 0.8 e₁ + 0.6 (...)).
    first, second = 0.2 + 0.6 * rho, 0.6 * math.sqrt(1 - rho**2)
    assert found.rho_at_zero == pytest.approx(first / math.hypot(first, second), abs=1e-10)
    assert found.r2_at_zero == pytest.approx(found.rho_at_zero**2)
    assert found.warnings == ("order_not_known",)


def test_an_unobserved_common_cause_makes_a_path_and_its_correlation_takes_it_away() -> None:
    honest = mediation(schools(np.random.default_rng(5), clusters=400), covariates=["x"], draws=300)
    confounded = mediation(
        schools(np.random.default_rng(5), clusters=400, confounding=0.5), covariates=["x"], draws=300
    )
    assert abs(honest.adjusted.indirect.value - 0.1) < 3 * honest.adjusted.indirect.se
    assert confounded.adjusted.indirect.value > 0.1 + 3 * confounded.adjusted.indirect.se
    # Given participation and x: Var(ε₂) = 0.09 + 0.49 + 0.25, Var(ε₃) = 0.0081 + 0.09 + 0.25, covariance 0.25.
    rho = 0.25 / math.sqrt(0.83 * 0.3481)
    curve = confounded.sensitivity
    assert np.interp(rho, curve["rho"], curve["indirect"]) == pytest.approx(0.1, abs=0.03)


def test_the_range_of_correlations_at_which_the_path_could_be_zero(data: pd.DataFrame) -> None:
    found = mediation(data, covariates=["x"], draws=500)
    curve = found.sensitivity.set_index("rho")
    assert found.adjusted.indirect.low > 0
    assert found.rho_low == float("-inf")
    assert 0 < found.rho_high <= found.rho_at_zero
    assert curve.loc[found.rho_high, "low"] <= 0 <= curve.loc[found.rho_high, "high"]
    assert curve.loc[round(found.rho_high - 0.05, 2), "low"] > 0
    nothing = data.assign(outcome=np.random.default_rng(1).normal(size=len(data)))
    unclear = mediation(nothing, covariates=["x"], draws=500)
    assert (unclear.rho_low, unclear.rho_high) == (0.0, 0.0)


def test_the_same_seed_gives_the_same_interval_in_any_order_of_rows(data: pd.DataFrame) -> None:
    first = mediation(data, covariates=["x"], draws=200, seed=3)
    again = mediation(data.sample(frac=1, random_state=1), covariates=["x"], draws=200, seed=3)
    assert first.adjusted.indirect.low == pytest.approx(again.adjusted.indirect.low, abs=1e-12)
    assert first.adjusted.indirect.low != mediation(data, covariates=["x"], draws=200, seed=4).adjusted.indirect.low


@pytest.mark.slow
def test_the_interval_covers_the_planted_path() -> None:
    random, draws = np.random.default_rng(77), 1000
    found = [mediation(schools(random), covariates=["x"], draws=400) for _ in range(draws)]
    covered = np.mean([one.adjusted.indirect.low <= 0.1 <= one.adjusted.indirect.high for one in found])
    assert covered == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / draws))


def test_few_clusters_missing_values_and_order_are_named(data: pd.DataFrame) -> None:
    few = mediation(data.head(15), draws=50)
    assert (few.state, few.n_clusters, few.warnings) == ("not_estimable", 5, ("few_clusters",))
    assert math.isnan(few.adjusted.indirect.value)
    some = mediation(data.head(45), draws=50)
    assert "few_clusters" in some.warnings
    gaps = mediation(data.assign(practice=data["practice"].where(data.index > 3)), draws=50)
    assert (gaps.n_left_out, "schools_left_out" in gaps.warnings) == (4, True)


def test_practice_measured_after_the_outcome_is_refused_unless_forced(data: pd.DataFrame) -> None:
    late = data.assign(practice_year=[2018, *[2015] * (len(data) - 1)])
    with pytest.raises(UserError, match="practice was measured after the outcome in 1 of 120 schools"):
        mediation(late)
    assert "practice_after_outcome" in mediation(late, draws=50, force=True).warnings


@pytest.mark.parametrize("column", ["participation", "practice"])
def test_a_path_without_variation_is_refused(column: str, data: pd.DataFrame) -> None:
    with pytest.raises(UserError, match="does not vary between schools"):
        mediation(data.assign(**{column: 1.0}), draws=50)


def test_a_missing_column_is_named(data: pd.DataFrame) -> None:
    with pytest.raises(UserError, match="no column practice, z"):
        mediation(data.drop(columns="practice"), covariates=["z"])
