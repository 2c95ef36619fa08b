"""The engine against models written out with n × n matrices; traps of the optimisation and of the arithmetic."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from multilevel_dense import Designs, covariance, criterion, kenward_roger, made_design, pieces, taken
from multilevel_reference import study

from plneval.multilevel import MultilevelError, fit, statistics
from plneval.multilevel.criterion import Criterion
from plneval.multilevel.crossed import CrossedCriterion
from plneval.multilevel.crossed_rows import collapse, pooled_statistics
from plneval.multilevel.design import Design, Floats, Level, Term
from plneval.multilevel.heavily_crossed import SparseCriterion
from plneval.multilevel.kenward_roger import kenward_roger as adjustment
from plneval.multilevel.optimise import STARTS, ScaledObjective, optimise
from plneval.multilevel.problem import Problem, estimable
from plneval.multilevel.statistics import Statistics, gather, statistics_of
from plneval.multilevel.theta import Parameters
from plneval.multilevel.trust_region import minimise


def engine_of(found: Statistics, *, reml: bool = True) -> tuple[Criterion, Parameters]:
    fixed = found.model.working.fixed[estimable(found)]
    return Criterion(Problem.of(found, fixed), reml=reml), Parameters.of(found)


def some_factors(design: Design, seed: int = 1) -> list[Floats]:
    rng = np.random.default_rng(seed)
    factors = []
    for level in design.levels:
        width = sum(len(term.columns) for term in level.terms)
        factor = np.tril(rng.standard_normal((width, width)))
        factors.append(factor if len(level.terms) == 1 else np.diag(np.diagonal(factor)))
    return factors


def difference(engine: Any, factors: list[Floats], level: int, i: int, j: int, step: float = 1e-4) -> float:
    """Fourth-order difference of the criterion in one entry of one Λ."""

    def at(h: float) -> float:
        moved = [factor.copy() for factor in factors]
        moved[level][i, j] += h
        return float(engine.value(moved))

    near, far = (at(step) - at(-step)) / (2 * step), (at(2 * step) - at(-2 * step)) / (4 * step)
    return (4 * near - far) / 3


@pytest.mark.parametrize(
    ("levels", "weights", "continuous", "compressed"),
    list(product((1, 2, 3), (False, True), (False, True), (False, True))),
)
def test_the_criterion_is_that_of_the_written_out_model(
    levels: int, weights: bool, continuous: bool, compressed: bool
) -> None:
    design = made_design(levels, weights=weights, continuous=continuous, offset=100.0)
    found = statistics_of(design)
    if compressed:
        found = found.compressed(force=True)
        assert len(found.units) == 0
    factors = some_factors(design)
    for reml in (True, False):
        engine, parameters = engine_of(found, reml=reml)
        expected, _, _ = criterion(design, factors, reml=reml)
        assert engine.value(parameters.centred(factors)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("levels", "compressed", "reml"), list(product((1, 2, 3), (False, True), (False, True))))
def test_the_gradient_is_the_criterions(levels: int, compressed: bool, reml: bool) -> None:
    design = made_design(levels, weights=True)
    found = statistics_of(design).compressed(force=True) if compressed else statistics_of(design)
    engine, parameters = engine_of(found, reml=reml)
    factors = parameters.centred(some_factors(design))
    _, gradient, _ = engine.value_and_gradient(factors)
    for level, i, j in product(range(levels), (0, 1), (0, 1)):
        assert gradient[level][i, j] == pytest.approx(difference(engine, factors, level, i, j), abs=1e-6)


def test_the_gradient_in_theta_is_the_criterions() -> None:
    design = made_design(3)
    engine, parameters = engine_of(statistics_of(design))
    theta = np.random.default_rng(3).standard_normal(parameters.size)
    _, gradient, _ = engine.value_and_gradient(parameters.centred(parameters.factors(theta)))
    for place in range(parameters.size):
        step = np.zeros(parameters.size)
        step[place] = 1e-5
        sides = [engine.value(parameters.centred(parameters.factors(theta + sign * step))) for sign in (1, -1)]
        assert parameters.gradient(gradient)[place] == pytest.approx((sides[0] - sides[1]) / 2e-5, abs=1e-5)


@pytest.mark.parametrize("levels", [2, 3])
def test_crossed_levels_have_the_criterion_and_gradient_of_the_written_out_model(levels: int) -> None:
    design = made_design(levels, weights=True, movers=True, offset=10.0)
    design = replace(design, levels=tuple(sorted(design.levels, key=lambda level: -len(level.labels))))
    factors = some_factors(design)
    for reml in (True, False):
        found = pooled_statistics(design)
        engine = CrossedCriterion(collapse(design, found), np.arange(4), reml=reml)
        centred = Parameters.of(found).centred(factors)
        value, gradient, root = engine.value_and_gradient(centred)
        expected, _, _ = criterion(design, factors, reml=reml)
        assert value == pytest.approx(expected, abs=1e-9)
        assert root.residual > 0
        for level, i, j in product(range(levels), (0, 1), (0, 1)):
            assert gradient[level][i, j] == pytest.approx(difference(engine, centred, level, i, j), abs=1e-6)


def test_heavily_crossed_levels_have_the_criterion_of_the_written_out_model() -> None:
    design = made_design(2, weights=True, movers=True, offset=10.0)
    found = pooled_statistics(design)
    factors = some_factors(design)
    for reml in (True, False):
        engine = SparseCriterion(design, found, np.arange(4), reml=reml)
        centred = Parameters.of(found).centred(factors)
        value, gradient, _ = engine.value_and_gradient(centred)
        expected, _, _ = criterion(design, factors, reml=reml)
        assert value == pytest.approx(expected, abs=1e-9)
        for level, i, j in product((0, 1), (0, 1), (0, 1)):
            assert gradient[level][i, j] == pytest.approx(difference(engine, centred, level, i, j), abs=1e-4)


def test_what_is_too_crossed_is_handed_on_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = study("movers")
    exact = fit("score ~ year + (1|pupil) + (year|school)", frame)
    assert exact.engine == "crossed"
    monkeypatch.setattr("plneval.multilevel.crossed_rows.EFFECTS", 10)
    handed = fit("score ~ year + (1|pupil) + (year|school)", frame)
    assert handed.engine == "mixedlm"
    assert handed.converged
    assert handed.criterion == pytest.approx(exact.criterion, abs=1e-8)
    np.testing.assert_allclose(handed.theta, exact.theta, atol=1e-6)
    for column, tolerance in (("estimate", 1e-6), ("se", 1e-6), ("df", 1e-4)):
        np.testing.assert_allclose(handed.fixed[column], exact.fixed[column], rtol=tolerance)


def test_crossed_and_nested_engines_agree_where_levels_are_nested() -> None:
    design = made_design(3, weights=True)
    found = pooled_statistics(design)
    crossed = CrossedCriterion(collapse(design, found), np.arange(4), reml=True)
    nested, parameters = engine_of(statistics_of(design))
    one, other = optimise(crossed, Parameters.of(found)), optimise(nested, parameters)
    assert one.criterion == pytest.approx(other.criterion, abs=1e-9)
    np.testing.assert_allclose(one.theta, other.theta, atol=1e-6)


# --- sums ------------------------------------------------------------


def scaled_difference(one: Floats, other: Floats, diagonal: Floats) -> float:
    """The largest difference on the scale √(S_aa S_bb)."""
    return float(np.abs((one - other) / np.sqrt(np.outer(diagonal, diagonal))).max())


@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize("weights", [False, True])
def test_statistics_of_parts_add_up_to_those_of_the_whole(levels: int, weights: bool) -> None:
    design = made_design(levels, weights=weights, offset=1e4)
    rng = np.random.default_rng(5)
    # Pupils and schools have rows in every part.
    part = rng.integers(0, 3, len(design.y))
    parts = [statistics_of(taken(design, part == k)) for k in range(3)]
    whole, added = statistics_of(design), parts[0] + parts[1] + parts[2]
    assert added.n == whole.n
    assert added.sizes == whole.sizes
    one, other = added.cross_products().to_numpy(), whole.cross_products().to_numpy()
    assert scaled_difference(one, other, np.diagonal(other)) < 1e-12
    assert added.sum_log_weights == pytest.approx(whole.sum_log_weights, abs=1e-11)
    again = added.centred_as(whole.centre)
    assert (
        scaled_difference(
            np.sort(again.cross.ravel())[None],
            np.sort(whole.cross.ravel())[None],
            np.array([np.abs(whole.cross).max()]),
        )
        < 1e-12
    )
    order = [np.argsort(np.asarray(each.units.labels)) for each in (again, whole)]
    products = [each.units.products[at] for each, at in zip((again, whole), order, strict=True)]
    np.testing.assert_allclose(*products, rtol=0, atol=1e-12 * np.abs(products[1]).max())
    factors = some_factors(design)
    values = [engine.value(parameters.centred(factors)) for engine, parameters in (engine_of(added), engine_of(whole))]
    assert values[0] == pytest.approx(values[1], abs=1e-8)


def test_compressed_parts_add_where_no_group_is_in_both() -> None:
    design = made_design(3, offset=50.0)
    school = design.levels[1].codes
    parts = [statistics_of(taken(design, school % 2 == k)).compressed(force=True) for k in range(2)]
    added, whole = parts[0] + parts[1], statistics_of(design)
    assert len(added.units) == 0
    assert int(added.cells.count.sum()) == len(whole.units)
    factors = some_factors(design)
    one, other = engine_of(added), engine_of(whole)
    assert one[0].value(one[1].centred(factors)) == pytest.approx(other[0].value(other[1].centred(factors)), abs=1e-9)


def test_pupils_that_chunks_share_are_put_together_even_if_rows_are_not_sorted() -> None:
    design = made_design(2)
    n = len(design.y)
    by_pupil = np.argsort(design.levels[0].codes, kind="stable")
    factors = some_factors(design)
    expected, _, _ = criterion(design, factors, reml=True)
    for order in (by_pupil, np.arange(n)):
        chunks = [taken(design, order[start : start + 17]) for start in range(0, n, 17)]
        found = gather(Designs(*chunks))
        engine, parameters = engine_of(found)
        assert found.sizes == (len(design.levels[0].labels), 12)
        assert engine.value(parameters.centred(factors)) == pytest.approx(expected, abs=1e-9)


def test_other_models_and_other_categories_do_not_add() -> None:
    design = made_design(2)
    with pytest.raises(MultilevelError, match="columns"):
        statistics_of(design) + statistics_of(replace(design, names=("Intercept", "time", "z", "time:z")))
    with pytest.raises(MultilevelError, match="random effects"):
        statistics_of(design) + statistics_of(made_design(1))
    with pytest.raises(MultilevelError, match="weights"):
        statistics_of(design) + statistics_of(made_design(2, weights=True))


def test_a_pupil_in_another_school_of_another_part_is_told() -> None:
    design = made_design(2)
    moved = replace(design.levels[1], codes=(design.levels[1].codes + 1) % 12)
    with pytest.raises(MultilevelError, match="another group of the next level"):
        statistics_of(design) + statistics_of(replace(design, levels=(design.levels[0], moved)))


def test_a_fit_to_added_statistics_is_the_fit_to_the_pooled_rows() -> None:
    frame = growth_frame(3)
    formula = "y ~ t*x + (t|pupil) + (1|school)"
    pooled = fit(formula, frame)
    half = np.random.default_rng(0).random(len(frame)) < 0.5
    added = fit(statistics(formula, frame[half]) + statistics(formula, frame[~half]))
    assert added.criterion == pytest.approx(pooled.criterion, abs=1e-9)
    np.testing.assert_allclose(added.fixed["estimate"], pooled.fixed["estimate"], rtol=1e-9)
    np.testing.assert_allclose(added.fixed["se"], pooled.fixed["se"], rtol=1e-8)


def test_repeats_are_bit_identical() -> None:
    frame = growth_frame(4)
    one, other = (fit("y ~ t*x + (t|pupil) + (t|school)", frame) for _ in range(2))
    assert one.criterion == other.criterion
    assert one.theta.tobytes() == other.theta.tobytes()
    pd.testing.assert_frame_equal(one.fixed, other.fixed, check_exact=True)


# --- traps ------------------------------------------------------------


def growth_frame(seed: int, **sizes: Any) -> pd.DataFrame:
    design = made_design(2, seed, **sizes)
    columns = {"y": design.y, "t": design.columns[1], "x": design.columns[2]}
    return pd.DataFrame({**columns, "pupil": design.levels[0].codes, "school": design.levels[1].codes})


def test_an_outcome_far_from_zero_loses_no_digits() -> None:
    # Uncentred cross-products are wrong by 0.1 here.
    frame = growth_frame(6)
    formula = "y ~ t*x + (t|pupil) + (1|school)"
    near = fit(formula, frame)
    far = fit(formula, frame.assign(y=frame["y"] + 1e5))
    assert far.criterion == pytest.approx(near.criterion, abs=1e-7)
    np.testing.assert_allclose(far.theta, near.theta, atol=1e-6)
    assert far.fixed["estimate"][0] - 1e5 == pytest.approx(near.fixed["estimate"][0], abs=1e-8)


def test_calendar_years_are_as_good_as_years_from_zero() -> None:
    frame = growth_frame(7)
    formula = "y ~ t*x + (t|pupil) + (t|school)"
    near = fit(formula, frame)
    far = fit(formula, frame.assign(t=frame["t"] + 2015))
    # The same model: slopes, their errors and the criterion do not change.
    assert far.criterion == pytest.approx(near.criterion, abs=1e-7)
    np.testing.assert_allclose(far.fixed["estimate"][1:2], near.fixed["estimate"][1:2], rtol=1e-7)
    np.testing.assert_allclose(far.fixed["se"][[1, 3]], near.fixed["se"][[1, 3]], rtol=1e-6)
    np.testing.assert_allclose(far.fixed["df"][[1, 3]], near.fixed["df"][[1, 3]], rtol=1e-3)
    assert far.criterion_at(far.theta) == pytest.approx(far.criterion, abs=1e-6)


def test_continuous_times_fall_back_to_pupils_one_by_one() -> None:
    design = made_design(2, continuous=True)
    found = gather(Designs(design, whole_units=True))
    assert len(found.cells) == 0
    assert len(found.units) == len(design.levels[0].labels)
    annual = gather(Designs(made_design(1, schools=40), whole_units=True))
    assert len(annual.units) == 0
    assert len(annual.cells.patterns) <= 15


def test_a_minimum_is_left_where_variances_of_zero_are_a_saddle() -> None:
    # At Λ = 0 the gradient vanishes by symmetry, minimum or not: bounded optimisers stop there.
    design = made_design(2)
    engine, parameters = engine_of(statistics_of(design))
    objective = ScaledObjective(engine, parameters, engine.column_scales)
    at_zero = np.zeros(parameters.size)
    value, gradient = objective(at_zero)
    np.testing.assert_array_equal(gradient, 0.0)
    found = minimise(objective, at_zero)
    assert found.converged
    assert found.value < value - 10
    best = optimise(engine, parameters)
    assert found.value == pytest.approx(best.criterion, abs=1e-7)


def test_a_variance_of_zero_is_reported_as_singular() -> None:
    rng = np.random.default_rng(2)
    # School means are made equal: the school variance is 0.
    frame = pd.DataFrame({"school": np.repeat(np.arange(20), 10), "y": rng.standard_normal(200)})
    frame["y"] -= frame.groupby("school")["y"].transform("mean")
    m = fit("y ~ 1 + (1|school)", frame)
    assert m.singular
    assert m.converged
    assert m.theta[0] == 0.0
    assert m.variance["variance"][0] == 0.0
    # Then the residual variance is that of the sample.
    assert m.sigma**2 == pytest.approx(frame["y"].var(), rel=1e-9)


def random_study(seed: int) -> Design:
    """A small study with few groups, many of whose variances are 0."""
    rng = np.random.default_rng(seed)
    schools = int(rng.integers(3, 16))
    pupil, school, time = [], [], []
    pupils = 0
    for s in range(schools):
        for _ in range(int(rng.integers(2, 7))):
            occasions = int(rng.integers(1, 5))
            pupil += [pupils] * occasions
            school += [s] * occasions
            time += list(range(occasions))
            pupils += 1
    p, s, t = np.array(pupil), np.array(school), np.array(time, dtype=float)
    n = len(p)
    x = rng.standard_normal(n)
    z = rng.integers(0, 2, schools)[s].astype(float)
    sd = rng.choice([0.0, 0.0, 0.1, 0.5, 1.5], 5)
    effects = [rng.standard_normal(pupils)[p], rng.standard_normal(schools)[s], rng.standard_normal(schools)[s] * t]
    effects += [rng.standard_normal(pupils)[p] * t, rng.standard_normal(schools)[s] * x]
    y = rng.standard_normal(n) + sum(a * b for a, b in zip(sd, effects, strict=True))
    by_pupil = Level("p", p, pd.RangeIndex(pupils), ())
    by_school = Level("s", s, pd.RangeIndex(schools), ())
    kinds: list[tuple[Level, ...]] = [
        (replace(by_pupil, terms=(Term((0,), 0),)), replace(by_school, terms=(Term((0, 1), 1),))),
        (replace(by_school, terms=(Term((0, 1, 2), 0),)),),
        (replace(by_school, terms=(Term((0, 2), 0),)),),
        (replace(by_pupil, terms=(Term((0, 1), 0),)), replace(by_school, terms=(Term((0, 1), 1),))),
        (replace(by_pupil, terms=(Term((0,), 0),)), replace(by_school, terms=(Term((0,), 1), Term((2,), 2)))),
    ]
    columns = (np.ones(n), t, x, z)
    levels = kinds[int(rng.integers(0, 5))]
    return Design("y ~ t + x + z", "y", y, ("Intercept", "t", "x", "z"), columns, (0, 1, 2, 3), 0, levels)


def check_study(seed: int) -> None:
    found = statistics_of(random_study(seed)).compressed()
    engine, parameters = engine_of(found, reml=bool(seed % 2))
    best = optimise(engine, parameters)
    assert best.converged
    assert float(np.abs(best.gradient).max()) < 1e-3
    # No other start ends lower.
    objective = ScaledObjective(engine, parameters, engine.column_scales)
    rng = np.random.default_rng(seed)
    starts = [rng.standard_normal(parameters.size) * size for size in (0.1, 1.0, 3.0)]
    for start in [*starts, *(objective.start(size) for size in STARTS)]:
        assert best.criterion <= minimise(objective, start).value + 1e-7


@pytest.mark.parametrize("seed", range(20))
def test_no_start_ends_lower_in_small_studies(seed: int) -> None:
    check_study(seed)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_no_start_ends_lower_in_many_small_studies(block: int) -> None:
    for seed in range(1000 + 30 * block, 1030 + 30 * block):
        check_study(seed)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_the_criterion_is_never_above_that_of_mixedlms_parameters(block: int) -> None:
    from mixedlm import lmer

    compared = 0
    for seed in range(100 * block, 100 * block + 100):
        design = random_study(seed)
        frame = pd.DataFrame({"y": design.y, "t": design.columns[1], "x": design.columns[2]})
        for level in design.levels:
            frame[level.name] = level.codes
        random = "(t|s)" if len(design.levels) == 1 else "(1|p) + (t|s)"
        formula = f"y ~ t + x + {random}"
        try:
            m = fit(formula, frame, reml=bool(seed % 2))
        except MultilevelError:
            # Refused as lme4 refuses it: as many effects as rows. `compared` counts the others.
            continue
        assert m.gradient_norm < 1e-3
        try:
            other = lmer(
                formula, frame.astype({name: str for name in frame.columns if name in "ps"}), REML=bool(seed % 2)
            )
        except Exception:  # noqa: S112
            continue
        compared += 1
        assert m.criterion <= m.criterion_at(np.asarray(other.theta)) + 1e-6
    assert compared >= 80


# --- inference ------------------------------------------------------------


@pytest.mark.parametrize(("levels", "weights", "continuous"), [(2, True, False), (3, False, False), (2, True, True)])
def test_kenward_rogers_adjustment_is_that_written_out(levels: int, weights: bool, continuous: bool) -> None:
    # pbkrtest leaves prior weights out of V: with weights only this says what is right.
    design = made_design(levels, weights=weights, continuous=continuous, seed=8)
    engine, parameters = engine_of(statistics_of(design).compressed())
    optimum = optimise(engine, parameters)
    found = adjustment(engine, parameters, optimum)
    changes = []
    for block in parameters.blocks:
        z = pieces(design)[block.level][:, block.rows]
        same = design.levels[block.level].codes[:, None] == design.levels[block.level].codes[None, :]
        for i, j in zip(*block.lower, strict=True):
            both = np.outer(z[:, i], z[:, j])
            changes.append(same * (both if i == j else both + both.T))
    zero = [np.zeros((width, width)) for width in parameters.widths]
    changes.append(covariance(design, zero))
    adjusted, df = kenward_roger(design, parameters.factors(optimum.theta), changes)
    change = np.eye(4)
    change[0, 1:] = -engine_shift(design)
    np.testing.assert_allclose(change @ found.adjusted @ change.T, adjusted, rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose([found.df(row) for row in change], df, rtol=1e-6)


def engine_shift(design: Design) -> Floats:
    """(p − 1,) what centring took from each column of X but the intercept."""
    return np.asarray(statistics_of(design).centre.shift[1:4])


def test_satterthwaites_df_of_a_balanced_random_intercept_are_groups_less_one() -> None:
    rng = np.random.default_rng(1)
    school = np.repeat(np.arange(15), 8)
    frame = pd.DataFrame({"school": school, "y": rng.standard_normal(120) + rng.standard_normal(15)[school]})
    m = fit("y ~ 1 + (1|school)", frame)
    # The variance of the mean is the between-group mean square over n: J − 1 degrees of freedom.
    assert m.fixed["df"][0] == pytest.approx(14, rel=1e-5)
    means = frame.groupby("school")["y"].mean()
    assert m.fixed["se"][0] == pytest.approx(means.std() / np.sqrt(15), rel=1e-9)
    assert m.df("kenward_roger")["df"][0] == pytest.approx(14, rel=1e-6)


def test_collinear_columns_are_left_out_by_name() -> None:
    frame = growth_frame(9).assign(double=lambda f: 2 * f["t"] + 3, constant=4.0)
    m = fit("y ~ t + double + x + constant + (1|pupil)", frame)
    assert list(m.fixed["term"]) == ["Intercept", "t", "x"]
    kind = m.dropped.set_index("kind").loc["columns"]
    assert kind["first"] == ("double", "constant")
    without = fit("y ~ t + x + (1|pupil)", frame)
    assert m.criterion == pytest.approx(without.criterion, abs=1e-8)
    np.testing.assert_allclose(m.fixed["estimate"], without.fixed["estimate"], rtol=1e-8)


@pytest.mark.parametrize(
    ("change", "formula", "message"),
    [
        ({"school": 1}, "y ~ t + (1|school)", "one group only"),
        ({"y": 3.0}, "y ~ t + (1|school)", "constant"),
        ({"row": range(1000)}, "y ~ t + (1|row)", "one row a group"),
        ({}, "y ~ t + (t + x + I(t**2)|pupil)", "random effects"),
    ],
)
def test_what_cannot_be_fitted_is_told(change: dict[str, Any], formula: str, message: str) -> None:
    frame = growth_frame(10)
    frame = frame.assign(**{name: (list(v)[: len(frame)] if isinstance(v, range) else v) for name, v in change.items()})
    with pytest.raises(MultilevelError, match=message):
        fit(formula, frame)
