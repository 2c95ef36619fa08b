"""Fits against stored values of R: lme4 1.1-31, lmerTest, pbkrtest, clubSandwich; the better of two tight optimisers.

The made studies are in ``reference/data``. mlmRev's data sets are not ours to store: their tests run where the folder
with their CSV files (``reference/make_reference.R public folder`` writes them) is named in PLNEVAL_REFERENCE_DATA.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from multilevel_reference import as_list, cases, public_study, study

from plneval.multilevel.fit import fit
from plneval.multilevel.result import Fit

# lme4's optimisers leave theta with an error of about 1e-6, which is 1e-12 in the criterion.
FIVE_DIGITS = 5e-6
EVERY: list[Any] = [("made", name) for name in cases("made")] + [("public", name) for name in cases("public")]
CROSSED = {"movers", "movers_slopes", "crossed", "scotssec", "star_crossed", "star_teachers"}
REGULAR = [(kind, name) for kind, name in EVERY if not cases(kind)[name]["singular"]]


def case_of(kind: str, name: str) -> dict[str, Any]:
    return cases(kind)[name]


@cache
def fitted(kind: str, name: str) -> Fit:
    case = case_of(kind, name)
    data = study(case["study"]) if kind == "made" else public_study(case["study"])
    if data is None:
        pytest.skip(f"no {case['study']}.csv in PLNEVAL_REFERENCE_DATA")
    return fit(case["formula"], data, reml=case["reml"], weights=case["weights"])


def having(part: str, among: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(kind, name) for kind, name in among if part in case_of(kind, name)]


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_the_criterion_is_lme4s_or_lower(kind: str, name: str) -> None:
    m, case = fitted(kind, name), case_of(kind, name)
    assert m.n == case["n"]
    assert m.groups == case["groups"]
    assert m.criterion <= case["criterion"] + 1e-7
    assert m.criterion >= case["criterion"] - 2e-5
    assert m.converged
    assert m.singular == case["singular"]
    assert m.log_likelihood == pytest.approx(case["log_likelihood"], abs=1e-5)
    assert m.aic == pytest.approx(case["aic"], abs=2e-5)


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_the_criterion_at_other_parameters_is_lme4s(kind: str, name: str) -> None:
    m, case = fitted(kind, name), case_of(kind, name)
    # Uncentred lme4 loses digits where covariates are far from 0 (classes): about 1e-8.
    for point in case["criterion_at"]:
        expected = pytest.approx(point["criterion"], abs=1e-6)
        assert m.criterion_at(np.array(as_list(point["theta"]), dtype=float)) == expected


@pytest.mark.parametrize(("kind", "name"), EVERY)
def test_fixed_effects_and_their_errors_are_lme4s(kind: str, name: str) -> None:
    m, case = fitted(kind, name), case_of(kind, name)
    se = np.array(case["se"])
    # Five significant digits of the standard error; effects to that fraction of their standard error.
    slack = 20 if case["singular"] else 1
    np.testing.assert_allclose(m.fixed["se"], se, rtol=slack * FIVE_DIGITS)
    np.testing.assert_array_less(np.abs(m.fixed["estimate"] - case["beta"]), slack * FIVE_DIGITS * se + 1e-12)
    np.testing.assert_allclose(m.vcov, case["vcov"], atol=3 * slack * FIVE_DIGITS * np.outer(se, se).max())


@pytest.mark.parametrize(("kind", "name"), REGULAR)
def test_variances_are_lme4s(kind: str, name: str) -> None:
    m, case = fitted(kind, name), case_of(kind, name)
    expected = case["variance"]
    # lme4 calls the second term of a group g.1.
    assert list(m.variance["group"]) == [group.split(".")[0] for group in expected["group"]]
    size = np.abs(m.variance["variance"]).max()
    np.testing.assert_allclose(m.variance["variance"], expected["vcov"], rtol=5e-5, atol=1e-6 * size)
    np.testing.assert_allclose(m.variance["sd"], expected["sdcor"], rtol=5e-5, atol=2e-5)


@pytest.mark.parametrize(("kind", "name"), having("satterthwaite", REGULAR))
def test_satterthwaites_degrees_of_freedom_are_lmertests(kind: str, name: str) -> None:
    m, case = fitted(kind, name), case_of(kind, name)
    expected = case["satterthwaite"]
    np.testing.assert_allclose(m.fixed["df"], expected["df"], rtol=1e-4)
    np.testing.assert_allclose(m.fixed["t"], expected["t"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(m.fixed["p"], expected["p"], rtol=2e-3, atol=1e-12)
    if "contrast" in case:
        weights = dict(zip(m.terms, case["contrast"]["weights"], strict=True))
        row = m.contrast(weights).iloc[0]
        assert row["estimate"] == pytest.approx(case["contrast"]["estimate"], rel=1e-4)
        assert row["se"] == pytest.approx(case["contrast"]["se"], rel=2e-5)
        assert row["df"] == pytest.approx(case["contrast"]["df"], rel=1e-4)


def test_satterthwaites_degrees_of_freedom_where_a_variance_is_nearly_zero() -> None:
    # lmerTest's own steps lose three digits here (theta 0.0015); these are its formula with numDeriv's steps of 0.01.
    expected = [331.4543, 329.6141, 343.4156, 331.2232, 712.6516]
    np.testing.assert_allclose(fitted("made", "classes_transforms").fixed["df"], expected, rtol=1e-5)


@pytest.mark.parametrize(("kind", "name"), [at for at in having("kenward_roger", REGULAR) if at[1] not in CROSSED])
def test_kenward_and_rogers_adjustment_is_pbkrtests(kind: str, name: str) -> None:
    m, case = fitted(kind, name), case_of(kind, name)
    table = m.df("kenward_roger")
    np.testing.assert_allclose(table["df"], case["kenward_roger"]["df"], rtol=1e-4)
    errors = np.sqrt(np.diagonal(np.array(case["kenward_roger"]["vcov"])))
    np.testing.assert_allclose(table["se"], errors, rtol=1e-5)


@pytest.mark.parametrize("vcov", ["CR0", "CR1", "CR3"])
@pytest.mark.parametrize(("kind", "name"), having("robust", REGULAR))
def test_cluster_robust_errors_are_clubsandwichs(kind: str, name: str, vcov: str) -> None:
    m, case = fitted(kind, name), case_of(kind, name)
    expected = case["robust"].get(vcov)
    if expected is None:
        pytest.skip("not computed by clubSandwich")
    found = m.robust(vcov, cluster=case["robust"]["cluster"])
    np.testing.assert_allclose(found["se"], expected["se"], rtol=1e-5)


@pytest.mark.parametrize(("kind", "name"), having("robust", REGULAR))
def test_cr2_with_satterthwaites_degrees_of_freedom_is_clubsandwichs(kind: str, name: str) -> None:
    m, case = fitted(kind, name), case_of(kind, name)
    expected = case["robust"].get("CR2")
    if expected is None:
        pytest.skip("not computed by clubSandwich")
    found = m.robust("CR2", cluster=case["robust"]["cluster"])
    np.testing.assert_allclose(found["se"], expected["se"], rtol=1e-5)
    np.testing.assert_allclose(found["df"], expected["df"], rtol=1e-4)
