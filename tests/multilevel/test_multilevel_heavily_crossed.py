"""Heavily crossed fits (engine mixedlm): what follows from them, against lme4 and against the dense engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from multilevel_reference import as_list, cases, study

from plneval.multilevel import Fit, fit

CROSSED = ("movers", "movers_slopes", "crossed")


@pytest.fixture
def handed_on(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Fits a case as if it were too crossed for the dense engine."""

    def fitted(name: str) -> Fit:
        monkeypatch.setattr("plneval.multilevel.crossed_rows.EFFECTS", 3)
        m = fit(cases()[name]["formula"], study(cases()[name]["study"]))
        assert m.engine == "mixedlm"
        return m

    return fitted


@pytest.mark.parametrize("name", CROSSED)
def test_group_effects_and_their_errors_are_lme4s(name: str, handed_on: Any) -> None:
    m = handed_on(name)
    for group, expected in cases()[name]["random_effects"].items():
        table = m.random_effects(group)
        labels = as_list(expected["labels"])
        values = np.array(expected["values"], dtype=float).reshape(len(labels), -1)
        errors = np.array(expected["se"], dtype=float).reshape(values.shape)
        for at, effect in enumerate(table["name"].unique()):
            found = table[table["name"] == effect].set_index(table.columns[0])
            found.index = found.index.astype(str)
            np.testing.assert_allclose(found.loc[labels, "estimate"], values[:, at], atol=2e-5)
            np.testing.assert_allclose(found.loc[labels, "se"], errors[:, at], rtol=2e-4)


@pytest.mark.parametrize("name", CROSSED)
def test_fitted_values_and_predictions_are_lme4s(name: str, handed_on: Any) -> None:
    m, case = handed_on(name), cases()[name]
    data = study(case["study"])
    spread = float(data["score"].std())
    np.testing.assert_allclose(m.fitted()[:10], case["fitted"], atol=1e-4 * spread)
    np.testing.assert_allclose((m.residuals() ** 2).sum(), case["residual_sum_of_squares"], rtol=1e-4)
    np.testing.assert_allclose(m.predict(data.drop(columns="score")), m.fitted(), atol=1e-10 * spread)


def test_blocks_of_effects_do_not_depend_on_how_many_are_held_at_once(
    handed_on: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    m = handed_on("movers_slopes")
    whole = m.engine_used.effects(m.optimum.factors)
    monkeypatch.setattr("plneval.multilevel.heavily_crossed.BLOCK", 1_000)
    parts = m.engine_used.effects(m.optimum.factors)
    for (mean, covariance), (own_mean, own_covariance) in zip(whole, parts, strict=True):
        np.testing.assert_allclose(own_mean, mean, atol=1e-14)
        np.testing.assert_allclose(own_covariance, covariance, atol=1e-12)


def test_shares_and_r_squared_are_those_of_the_dense_engine(handed_on: Any) -> None:
    m = handed_on("movers_slopes")
    case = cases()["movers_slopes"]
    with pytest.MonkeyPatch.context() as dense:
        dense.setattr("plneval.multilevel.crossed_rows.EFFECTS", 3_000)
        other = fit(case["formula"], study(case["study"]))
    assert other.engine == "crossed"
    one, two = m.variance_shares(), other.variance_shares()
    np.testing.assert_allclose(one["estimate"], two["estimate"], rtol=1e-5)
    np.testing.assert_allclose(one["se"], two["se"], rtol=1e-3)
    np.testing.assert_allclose(m.r_squared, other.r_squared, rtol=1e-5)
