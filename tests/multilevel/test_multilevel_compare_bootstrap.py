"""Likelihood-ratio tests by parametric bootstrap: the smaller model within the larger's sums, and exact p-values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from multilevel_reference import study
from scipy.stats import f as f_distribution

from plneval.multilevel import MultilevelError, fit, statistics
from plneval.multilevel.compare_bootstrap import Within, bootstrap_statistics, fixed_within, places_within
from plneval.multilevel.criterion import Criterion
from plneval.multilevel.problem import Problem
from plneval.multilevel.working import Centre

LARGER = "score ~ year*treated + sex + (year|pupil) + (year|school)"


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize(
    ("larger", "smaller"),
    [
        (LARGER, "score ~ year*treated + sex + (1|pupil) + (1|school)"),
        (LARGER, "score ~ year*treated + sex + (year||pupil) + (year|school)"),
        (LARGER, "score ~ year*treated + sex + (year|pupil) + (0 + year|school)"),
        (LARGER, "score ~ year*treated + sex + (year|pupil)"),
        (LARGER, "score ~ year + (year|school)"),
        ("score ~ year + (year||pupil) + (year||school)", "score ~ year + (1|pupil) + (0 + year|school)"),
    ],
)
def test_the_smaller_model_has_its_own_criterion_within_the_larger_models_sums(
    larger: str, smaller: str, reml: bool
) -> None:
    # Years far from 0 are centred by one model and not by the other.
    data = study("growth").assign(year=lambda rows: rows["year"] + 2010)
    large, small = fit(larger, data, reml=reml), fit(smaller, data, reml=reml)
    # The fit takes a rough fit on its own columns from the outcome; here the smaller has fewer of them.
    whole = large.statistics.centred_as(Centre(large.statistics.centre.shift, 0.0 * large.statistics.centre.slope))
    problem = Problem.of(whole, large.statistics.model.working.fixed[large.kept])
    fixed = fixed_within(large, small, problem.fixed)
    criterion = Criterion(replace(problem, fixed=fixed), reml=reml)
    within = Within(criterion, places_within(large, small), large.parameters.widths, small.engine_used.column_scales)
    value, gradient, _ = within.value_and_gradient(list(small.optimum.factors))
    assert value == pytest.approx(small.criterion, abs=1e-6)
    own = small.engine_used.value_and_gradient(list(small.optimum.factors))[1]
    for one, other in zip(gradient, own, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5 * max(1.0, float(np.abs(other).max())))


def test_the_bootstraps_p_value_is_that_of_the_f_test() -> None:
    # Classes in schools, balanced: the test of schools' variance, with classes as the level that stays. The statistic
    # grows with MS(schools)/MS(classes), which is F(J − 1, J(m − 1)) under the null where classes vary much.
    draws = np.random.default_rng(1)
    schools, classes, k = 9, 4, 6
    school = np.repeat(np.arange(schools), classes * k)
    room = np.repeat(np.arange(schools * classes), k)
    y = draws.standard_normal(schools * classes)[room] * 1.5 + draws.standard_normal(len(room))
    y += 0.9 * draws.standard_normal(schools)[school]
    frame = pd.DataFrame({"y": y, "school": school, "room": room})
    means = frame.groupby("room").agg(y=("y", "mean"), school=("school", "first"))
    centre = means.groupby("school")["y"].transform("mean")
    among = float(((centre - means["y"].mean()) ** 2).sum()) / (schools - 1)
    within = float(((means["y"] - centre) ** 2).sum()) / (schools * (classes - 1))
    exact = float(f_distribution.sf(among / within, schools - 1, schools * (classes - 1)))
    assert 0.01 < exact < 0.4
    larger, smaller = fit("y ~ 1 + (1|room) + (1|school)", frame), fit("y ~ 1 + (1|room)", frame)
    found = larger.compare(smaller, bootstrap=200, seed=3)
    assert found.replicates == 200
    # Three standard errors of 200 draws.
    assert found.p_bootstrap == pytest.approx(exact, abs=3 * np.sqrt(exact * (1 - exact) / 200) + 1 / 201)
    few = [one.compare(other, bootstrap=19, seed=3) for one, other in ((larger, smaller), (smaller, larger))]
    assert few[0] == few[1]
    assert larger.compare(smaller).p_bootstrap is None


def test_fixed_effects_are_tested_by_maximum_likelihood() -> None:
    data = study("growth")
    larger, smaller = fit("score ~ year + sex + (1|school/pupil)", data), fit("score ~ year + (1|school/pupil)", data)
    found = larger.compare(smaller, bootstrap=60, seed=2)
    assert found.replicates == 60
    assert "maximum likelihood" in found.method
    assert found.p_bootstrap == pytest.approx(found.p, abs=0.2)
    drawn = bootstrap_statistics(larger, smaller, 60, 2, reml=False)
    # One effect: the statistics' mean is about that of χ²(1).
    assert np.nanmean(drawn) == pytest.approx(1.0, abs=0.6)


def test_bootstraps_that_cannot_be_are_refused() -> None:
    data = study("growth")
    larger, smaller = fit("score ~ year + (year|school)", data), fit("score ~ year + (1|school)", data)
    with pytest.raises(MultilevelError, match="at least 19"):
        larger.compare(smaller, bootstrap=5)
    of_statistics = fit(statistics("score ~ year + (year|school)", data))
    with pytest.raises(MultilevelError, match="fit\\(formula, data\\)"):
        of_statistics.compare(smaller, bootstrap=99)
    movers = study("movers")
    crossed = fit("score ~ year + (1|pupil) + (year|school)", movers)
    with pytest.raises(MultilevelError, match="needs nested levels"):
        crossed.compare(fit("score ~ year + (1|pupil) + (1|school)", movers), bootstrap=99)
