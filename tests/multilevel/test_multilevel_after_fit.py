"""What follows from a fit, against lme4 1.1-31: effects, fitted values, profiles, comparisons, shares, bootstrap."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from multilevel_reference import as_list, cases, comparisons, study
from scipy.stats import chi2

from plneval.multilevel.bootstrap import Simulation
from plneval.multilevel.compare import ComparedModel as Compared
from plneval.multilevel.compare import likelihood_ratio
from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.fit import fit, statistics
from plneval.multilevel.random_effects import apart
from plneval.multilevel.result import Fit
from plneval.multilevel.shares import RowMoments, moments_of_fit

CROSSED = ("movers", "movers_slopes", "crossed")
EVERY = sorted(cases())
NESTED = [name for name in EVERY if name not in CROSSED]


@cache
def fitted(name: str) -> Fit:
    case = cases()[name]
    return fit(case["formula"], study(case["study"]), reml=case["reml"], weights=case["weights"])


@pytest.mark.parametrize("name", EVERY)
def test_group_effects_and_their_errors_are_lme4s(name: str) -> None:
    m = fitted(name)
    # Predictions move with the square root of the criterion's precision; singular fits of lme4 stop a little high.
    tolerance = 2e-4 if cases()[name]["singular"] else 2e-5
    for group, expected in cases()[name]["random_effects"].items():
        table = m.random_effects(group)
        labels = as_list(expected["labels"])
        values = np.array(expected["values"], dtype=float).reshape(len(labels), -1)
        errors = np.array(expected["se"], dtype=float).reshape(values.shape)
        scale = np.sqrt(np.array(as_list(expected["sum_of_squares"])) / m.groups[group])
        for at, effect in enumerate(table["name"].unique()):
            found = table[table["name"] == effect].set_index(table.columns[0])
            found.index = found.index.astype(str)
            np.testing.assert_allclose(found.loc[labels, "estimate"], values[:, at], atol=tolerance * scale[at] + 1e-6)
            np.testing.assert_allclose(found.loc[labels, "se"], errors[:, at], rtol=10 * tolerance, atol=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_fitted_values_residuals_and_the_fixed_part_are_lme4s(name: str) -> None:
    m, case = fitted(name), cases()[name]
    data = study(case["study"])
    spread = float(data["score"].std())
    np.testing.assert_allclose(m.fitted()[:10], case["fitted"], atol=1e-4 * spread)
    np.testing.assert_allclose((m.residuals() ** 2).sum(), case["residual_sum_of_squares"], rtol=1e-4)
    rows = data.drop(columns="score")
    np.testing.assert_allclose(m.predict(rows, random=False)[:10], case["fixed_part"], atol=1e-4 * spread)
    np.testing.assert_allclose(m.predict(rows), m.fitted(), atol=1e-10 * spread)


def test_fitted_values_keep_the_rows_labels_and_leave_out_what_was_dropped() -> None:
    data = study("growth").sample(frac=1.0, random_state=2)
    data.loc[data.index[:7], "score"] = np.nan
    m = fit("score ~ year + (1|school/pupil)", data)
    assert list(m.fitted().index) == list(data.index[7:])
    np.testing.assert_allclose(m.fitted() + m.residuals(), data["score"][7:])
    pieces = fit("score ~ year + (1|school/pupil)", [data[:500], data[500:]])
    np.testing.assert_allclose(pieces.fitted(), m.fitted(), rtol=1e-8)


def test_new_groups_are_refused_or_get_the_mean_of_the_population() -> None:
    m = fitted("slopes")
    rows = study("growth").head(4).drop(columns="score").assign(school=["s00", "new", "new", "s01"])
    rows["pupil"] = ["p001", "x", "y", "z"]
    with pytest.raises(MultilevelError, match="3 groups of pupil are not among those of the fit"):
        m.predict(rows)
    found = m.predict(rows, allow_new_groups=True)
    np.testing.assert_allclose(found[[1, 2]], m.predict(rows, random=False)[[1, 2]])
    assert abs(found[0] - m.fitted()[0]) < 1e-12


def test_predictions_are_missing_where_a_column_is_and_know_the_categories() -> None:
    m = fitted("intercepts")
    rows = study("growth").head(3).drop(columns="score").assign(year=[0.0, np.nan, 2.0])
    assert m.predict(rows).isna().tolist() == [False, True, False]
    with pytest.raises(MultilevelError, match="the category 'Other' is in 3 rows but not among those known"):
        m.predict(rows.assign(year=1.0, sex="Other"))
    with pytest.raises(MultilevelError, match="no column 'sex'"):
        m.predict(rows.drop(columns="sex"))


def test_constants_of_scale_are_those_of_the_fit() -> None:
    m = fitted("classes_transforms")
    data = study("classes")
    np.testing.assert_allclose(m.predict(data[:5]), m.fitted()[:5], rtol=1e-12)


def test_rows_that_are_gone_say_so() -> None:
    m = fit(statistics("score ~ year + (year|pupil) + (1|school)", study("growth")))
    assert len(m.random_effects("school")) == 40
    for asked in (m.fitted, m.residuals, m.bootstrap, lambda: m.random_effects("pupil")):
        with pytest.raises(MultilevelError, match=r"fit to statistics|added up"):
            asked()
    with pytest.raises(MultilevelError, match="no random effects of 'class'; there are 'pupil', 'school'"):
        m.random_effects("class")


def test_a_caterpillar_plot_is_the_table_by_rank() -> None:
    table = fitted("intercepts").random_effects("school", level=0.9).sort_values("rank")
    assert (table["estimate"].diff().dropna() >= 0).all()
    np.testing.assert_allclose(table["ci_high"] - table["estimate"], 1.6448536 * table["se"], rtol=1e-7)


@pytest.mark.parametrize(
    "name", ["intercepts", "recurring_ids", "classes", "crossed", pytest.param("slopes", marks=pytest.mark.slow)]
)
def test_profile_intervals_are_lme4s(name: str) -> None:
    found = fitted(name).profile()
    expected = cases()[name]["profile"]
    # lme4 interpolates its profile by splines: five digits of an interval's length.
    length = np.array(expected["high"]) - np.array(expected["low"])
    np.testing.assert_array_less(np.abs(found["ci_low"] - expected["low"]), 1e-4 * length)
    np.testing.assert_array_less(np.abs(found["ci_high"] - expected["high"]), 1e-4 * length)


def test_a_profile_ends_where_the_deviance_has_risen_by_the_quantile() -> None:
    m = fitted("intercepts")
    table = m.profile(level=0.9, reml=True).set_index("group")
    sigma, school = table.loc["Residual", "estimate"], table.loc["school", "ci_high"]
    np.testing.assert_allclose([sigma, table.loc["pupil", "estimate"]], m.variance["sd"].iloc[[2, 0]], rtol=1e-6)
    # The school SD held at the end, the two others on a grid around their profile values.
    least = np.inf
    root = m.engine_used
    for log_sigma in np.linspace(-0.02, 0.02, 21):
        for log_pupil in np.linspace(-0.03, 0.03, 21):
            s, p = sigma * np.exp(log_sigma), table.loc["pupil", "estimate"] * np.exp(log_pupil)
            found = root.eliminate([np.array([[p / s]]), np.array([[school / s]])]).root
            value = found.log_det + found.log_det_information + found.residual / s**2
            least = min(least, value + root.freedom * np.log(2 * np.pi * s**2))
    assert least - m.criterion == pytest.approx(chi2.ppf(0.9, 1), abs=0.01)


def test_a_variance_that_may_be_zero_has_an_interval_from_zero() -> None:
    table = fitted("singular_intercept").profile().set_index("group")
    assert table.loc["school", "ci_low"] == 0.0
    assert 0 < table.loc["school", "ci_high"] < 1


def test_comparisons_are_those_of_anova() -> None:
    for expected in comparisons():
        for one, other in (("larger", "smaller"), ("smaller", "larger")):
            found = fitted(expected[one]).compare(fitted(expected[other]))
            assert found.chi_squared == pytest.approx(expected["chi_squared"], abs=1e-5)
            assert found.df == expected["df"]
            assert found.p_unmixed == pytest.approx(expected["p"], rel=1e-5)


def test_reml_fits_with_other_fixed_effects_are_compared_by_maximum_likelihood() -> None:
    data = study("growth")
    smaller = fit("score ~ year + sex + (year|pupil) + (year|school)", data)
    found = fitted("slopes").compare(smaller)
    expected = next(each for each in comparisons() if each["larger"] == "slopes_ml")
    assert found.chi_squared == pytest.approx(expected["chi_squared"], abs=1e-5)
    assert "maximum likelihood" in found.method


def model(criterion: float, terms: str, *blocks: tuple[str, str]) -> Compared:
    return Compared(criterion, tuple(terms.split()), tuple((group, tuple(names.split())) for group, names in blocks))


@pytest.mark.parametrize(
    ("larger", "smaller", "expected"),
    [
        # A variance: ½χ²(0) + ½χ²(1), 2.705543 is the 5 % point.
        (model(0, "1", ("p", "1"), ("s", "1")), model(2.705543, "1", ("p", "1")), 0.05),
        # A slope and its covariance with the intercept: ½χ²(1) + ½χ²(2), 5 % point 5.138396 (Stram and Lee 1994).
        (model(0, "1", ("p", "1 x")), model(5.138396, "1", ("p", "1")), 0.05),
        # A covariance alone is inside: χ²(1).
        (model(0, "1", ("p", "1 x")), model(3.841459, "1", ("p", "1"), ("p", "x")), 0.05),
        # Two variances of different terms: ¼χ²(0) + ½χ²(1) + ¼χ²(2).
        (model(0, "1", ("p", "1"), ("s", "1"), ("n", "1")), model(4.230603, "1", ("p", "1")), 0.05),
        # A variance and a fixed effect (ML): ½χ²(1) + ½χ²(2).
        (model(0, "1 x", ("p", "1"), ("s", "1")), model(5.138396, "1", ("p", "1")), 0.05),
        # Two effects at once: conservative χ²(3).
        (model(0, "1", ("p", "1"), ("s", "1 x")), model(7.814728, "1", ("p", "1")), 0.05),
    ],
)
def test_a_variance_is_tested_by_the_boundary_mixture(larger: Compared, smaller: Compared, expected: float) -> None:
    assert likelihood_ratio(larger, smaller, reml=False).p == pytest.approx(expected, abs=1e-6)


def test_a_variance_of_zero_has_p_one() -> None:
    assert likelihood_ratio(model(5, "1", ("p", "1"), ("s", "1")), model(5, "1", ("p", "1")), reml=True).p == 1.0


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        (model(0, "1 x", ("p", "1")), model(1, "1 z", ("p", "1"), ("s", "1 x")), "only the smaller one has the fixed"),
        (
            model(0, "1", ("p", "1 x")),
            model(1, "1", ("s", "1")),
            r"only the smaller one has the random effects \(1 \| s\)",
        ),
        (model(0, "1 x", ("p", "1")), model(1, "1", ("p", "1")), "fit with reml=False"),
        (model(0, "1", ("p", "1")), model(1, "1", ("p", "1")), "equally many parameters"),
        (model(2, "1", ("p", "1 x")), model(1, "1", ("p", "1")), "has the higher criterion"),
    ],
)
def test_models_that_cannot_be_compared_are_refused(one: Compared, other: Compared, message: str) -> None:
    with pytest.raises(MultilevelError, match=message):
        likelihood_ratio(one, other, reml=True)


def test_fits_to_other_rows_are_not_compared() -> None:
    data = study("growth")
    formula = "score ~ year + (1|pupil)"
    with pytest.raises(MultilevelError, match="not of the same rows"):
        fitted("intercepts").compare(fit(formula, data[:-1]))
    with pytest.raises(MultilevelError, match="other sums of squares"):
        fitted("intercepts").compare(fit(formula, data.assign(score=data["score"] * 2)))
    with pytest.raises(MultilevelError, match="fit both alike"):
        fitted("intercepts").compare(fit(formula, data, reml=False))


@pytest.mark.parametrize("name", sorted(name for name in NESTED if "shares" in cases()[name]))
def test_r_squared_and_shares_are_nakagawas(name: str) -> None:
    m, expected = fitted(name), cases()[name]["shares"]
    assert m.r_squared["marginal"] == pytest.approx(expected["r2_marginal"], rel=1e-5)
    assert m.r_squared["conditional"] == pytest.approx(expected["r2_conditional"], rel=1e-5)
    table = m.variance_shares()
    variances = table[table["quantity"] == "variance"].set_index("group")["estimate"]
    np.testing.assert_allclose(variances[list(m.groups)], as_list(expected["random"]), rtol=1e-4)
    share = table[table["quantity"] == "share"].set_index("group")
    np.testing.assert_allclose(share["estimate"], variances / variances.sum(), rtol=1e-12)
    inside = table[table["estimate"] > 0]
    assert (inside["ci_low"] < inside["estimate"]).all()
    assert (inside["ci_high"] > inside["estimate"]).all()


def test_shares_of_crossed_levels_are_those_of_the_variances_and_r_squared_of_the_rows() -> None:
    m, case = fitted("crossed"), cases()["crossed"]
    variances = np.array(case["variance"]["vcov"])
    table = m.variance_shares().set_index(["quantity", "group"])["estimate"]
    np.testing.assert_allclose(table["share"], variances / variances.sum(), rtol=1e-4)
    np.testing.assert_allclose(table["intraclass correlation"], variances[:2] / variances.sum(), rtol=1e-4)
    fixed = float(np.var(case["beta"][1] * study("crossed")["x"], ddof=1))
    assert m.r_squared["marginal"] == pytest.approx(fixed / (fixed + variances.sum()), rel=1e-5)
    assert m.r_squared["conditional"] == pytest.approx(
        (fixed + variances[:2].sum()) / (fixed + variances.sum()), rel=1e-5
    )


def test_means_over_the_rows_are_the_same_from_rows_and_from_sums() -> None:
    for name in ("slopes", "weights", "classes_slope"):
        m = fitted(name)
        design = m.intake.design(slice(None))  # type: ignore[union-attr]
        rows, sums = RowMoments.of_rows(design, m.statistics, m.kept), moments_of_fit(m)
        np.testing.assert_allclose(rows.fixed, sums.fixed, atol=1e-12 * np.abs(sums.fixed).max())
        for one, other in zip(rows.squares, sums.squares, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-12 * np.abs(other).max())


def test_the_error_of_an_intraclass_correlation_is_the_balanced_designs() -> None:
    # Balanced one-way design: Var(ρ̂) = 2(1−ρ)²(1+(k−1)ρ)² / (k(k−1)(J−1)) (Donner and Koval 1980, eq. 3).
    random = np.random.default_rng(7)
    groups, k = 400, 6
    data = pd.DataFrame({"g": np.repeat(np.arange(groups), k)})
    data["y"] = 0.6 * random.standard_normal(groups)[data["g"]] + random.standard_normal(len(data))
    table = fit("y ~ 1 + (1|g)", data).variance_shares().set_index(["group", "quantity"])
    rho, se = table.loc[("g", "intraclass correlation"), ["estimate", "se"]]
    expected = np.sqrt(2 * (1 - rho) ** 2 * (1 + (k - 1) * rho) ** 2 / (k * (k - 1) * (groups - 1)))
    assert se == pytest.approx(expected, rel=5e-3)


def test_shares_of_a_singular_fit_are_those_without_what_is_zero() -> None:
    data = study("singular")
    whole, part = fit("score ~ year + (1|pupil) + (1|school)", data), fit("score ~ year + (1|pupil)", data)
    assert whole.singular
    zero = whole.variance.set_index("group").loc["school", "variance"]
    assert zero == pytest.approx(0, abs=1e-8)
    table, expected = (m.variance_shares().set_index(["group", "quantity"]) for m in (whole, part))
    for column in ("estimate", "se", "ci_low", "ci_high"):
        for row in (("pupil", "share"), ("pupil", "intraclass correlation"), ("Residual", "variance")):
            assert table.loc[row, column] == pytest.approx(expected.loc[row, column], rel=1e-4)
    assert table.loc[("school", "intraclass correlation"), ["ci_low", "ci_high"]].isna().all()


def moments_of(problems: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    drawn = np.array([np.r_[p.cross[:, p.outcome].sum(0)] for p in problems])
    return drawn.mean(axis=0), drawn.std(axis=0, ddof=1)


@pytest.mark.parametrize(
    "name",
    [
        "weights_ml",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("slopes", "weights", "four_levels_slopes")),
    ],
)
def test_drawn_sums_have_the_moments_of_drawn_rows(name: str) -> None:
    """Sums U'y drawn from the statistics against the same sums of rows drawn one by one."""
    m = fitted(name)
    _, engine = apart(m, "")
    simulation = Simulation(engine.problem, m.optimum.factors, m.optimum.root.coefficients, m.sigma)
    random = np.random.default_rng(3)
    draws = 1500
    mean, spread = moments_of([simulation.draw(random) for _ in range(draws)])
    # Rows: the working columns of the whole design, and effects by group.
    from plneval.multilevel.working import working_rows

    design = m.intake.design(slice(None))  # type: ignore[union-attr]
    working = m.statistics.model.working
    columns = working_rows(design, working, m.statistics.centre, None)
    x, y = working.fixed, working.outcome
    drawn = []
    for _ in range(draws):
        outcome = columns[:, x] @ m.optimum.root.coefficients + m.sigma * random.standard_normal(len(columns))
        for level, places, factor in zip(design.levels, working.random, m.optimum.factors, strict=True):
            effects = m.sigma * random.standard_normal((len(level.labels), len(places))) @ factor.T
            outcome += (columns[:, places] * effects[level.codes]).sum(axis=1)
        drawn.append(np.r_[columns[:, :y].T @ outcome, outcome @ outcome])
    expected, expected_spread = np.mean(drawn, axis=0), np.std(drawn, axis=0, ddof=1)
    # Four standard errors of a mean of 1,500 draws, and of a standard deviation.
    np.testing.assert_array_less(np.abs(mean - expected), 4 * expected_spread * np.sqrt(2 / draws))
    np.testing.assert_allclose(spread, expected_spread, rtol=4 / np.sqrt(draws))


def test_the_bootstrap_is_seeded_and_near_the_models_own_errors() -> None:
    m = fitted("intercepts")
    found = m.bootstrap(80, seed=4)
    again = m.bootstrap(3, seed=4)
    pd.testing.assert_frame_equal(found.replicates[:3], again.replicates, check_exact=True)
    assert found.converged.all()
    table = found.intervals().set_index("quantity")
    # A standard deviation of 80 draws is known to 8 %; three of them.
    np.testing.assert_allclose(table.loc[m.terms, "se"], m.fixed["se"], rtol=0.24)
    profile = m.profile().set_index("group")
    for group in ("pupil", "school"):
        length = profile.loc[group, "ci_high"] - profile.loc[group, "ci_low"]
        found_length = np.diff(table.loc[f"sd(Intercept | {group})", ["ci_low", "ci_high"]].to_numpy(dtype=float))[0]
        assert found_length == pytest.approx(length, rel=0.35)
    with pytest.raises(MultilevelError, match="too few"):
        m.bootstrap(1)
