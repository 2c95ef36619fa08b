"""CR2 and the wild bootstrap of imputation: against N × N matrices, full re-estimation, and extended TWFE's CR2."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import did_data
import numpy as np
import pandas as pd
import pytest

from plneval import did

UNITS: dict[str, Any] = {"outcome": "y", "time": "year", "unit": "unit", "entry": "entry"}


def by_matrices(frame: pd.DataFrame, estimator: Any, options: dict[str, Any]) -> tuple[float, float, float]:
    """Estimate, CR2 standard error and df from the matrices that take outcomes to contributions and to the estimate.

    They are found by moving one outcome after the other, with CR1, which is tested against the papers' numbers. Errors
    have variance 1 / weight.
    """
    weight = frame[options["weights"]].to_numpy() if "weights" in options else np.ones(len(frame))
    x, y = frame["x"].to_numpy(), frame["y"].to_numpy()
    cells = did.cells(frame, **options)
    contributions, estimates = [], []
    for unit_vector in np.eye(len(frame)):
        moved = weight * unit_vector
        outcome = replace(cells, swy=moved, swyy=moved, sxy=np.column_stack([moved, moved * x]))
        found = estimator(outcome, vcov="cr1", covariates=["x"])
        contributions.append(found.by_cluster[:, 0] / np.sqrt(weight[unit_vector > 0]))
        estimates.append(found.estimate)
    shown, linear = np.array(contributions).T, np.array(estimates)
    labels = frame[options["cluster"]].to_numpy()
    target = np.array([np.sum(linear[labels == c] ** 2 / weight[labels == c]) for c in np.unique(labels)])
    scaled = shown * np.sqrt(target / np.sum(shown**2, axis=1))[:, None]
    products = scaled @ scaled.T
    se = np.linalg.norm(scaled @ (y * np.sqrt(weight)))
    return float(linear @ y), float(se), float(np.trace(products) ** 2 / np.sum(products**2))


@pytest.mark.parametrize(("estimator", "weights"), [(did.imputation, "w"), (did.two_stage, None)])
def test_cr2_of_imputation_is_that_of_the_full_matrices(estimator: Any, weights: str | None) -> None:
    """An unbalanced panel with a covariate, clusters of two units that may enter apart; to 1e-8."""
    frame = did_data.unbalanced(12).assign(network=lambda d: d["unit"] // 2).reset_index(drop=True)
    options = {**UNITS, "cluster": "network", "covariates": ["x"]} | ({"weights": weights} if weights else {})
    found = estimator(frame, **options, vcov="cr2")
    np.testing.assert_allclose([found.estimate, found.se, found.df], by_matrices(frame, estimator, options), rtol=1e-8)
    assert found.vcov_type == "cr2"


def test_with_two_groups_and_two_periods_cr2_is_welch_without_the_pooling() -> None:
    """Changes: treated 3 and 5, comparison 1, 3 and 2: variance 2/2 + 1/3; df by hand (n-1 in each arm)."""
    data = pd.DataFrame({"unit": np.repeat([1, 2, 3, 4, 5], 2), "year": [1, 2] * 5, "entry": [2] * 4 + [0] * 6})
    data["y"] = [1.0, 4.0, 2.0, 7.0, 0.0, 1.0, 3.0, 6.0, 5.0, 7.0]
    found = did.imputation(data, **UNITS, vcov="cr2")
    assert found.estimate == pytest.approx(2.0)
    assert found.se == pytest.approx(np.sqrt(4 / 3), rel=1e-12)
    # Under equal variances: (1/2 + 1/3)² / ((1/2)² / 1 + (1/3)² / 2).
    assert found.df == pytest.approx((5 / 6) ** 2 / (1 / 4 + 1 / 18), rel=1e-9)


def test_the_wild_bootstrap_of_imputation_re_estimates_everything_in_every_draw() -> None:
    frame = did_data.unbalanced(24).assign(network=lambda d: d["unit"] // 2).reset_index(drop=True)
    frame = frame[(frame["entry"] != 2017) & (frame["year"] < 2017)].reset_index(drop=True)
    frame["entry"] = np.where(frame["network"] % 2 == 0, 2015, 0)
    options = {**UNITS, "cluster": "network"}
    found = did.imputation(frame, **options, vcov="wild", draws=99, seed=3)
    plain = did.imputation(frame, **options, vcov="cr1")
    # Fitted values: effects by group and time moved so that the null of no average effect holds.
    treated = ((frame["entry"] > 0) & (frame["year"] >= frame["entry"])).to_numpy()
    effects = plain.effects.set_index(["group", "time"])["estimate"]
    by_row = np.array([effects.get((e, t), 0.0) for e, t in zip(frame["entry"], frame["year"], strict=True)])
    dummies = np.column_stack([pd.get_dummies(frame[name]).to_numpy(float) for name in ("unit", "year")])
    y = frame["y"].to_numpy()
    base = dummies @ np.linalg.lstsq(dummies[~treated], y[~treated], rcond=None)[0]
    fitted = base + np.where(treated, by_row - plain.estimate, 0.0)
    points = np.random.default_rng(3).integers(2, size=(99, plain.n_clusters)) * 2.0 - 1.0
    codes = np.searchsorted(plain.clusters, frame["network"])
    beyond = 0
    cells = did.cells(frame, **options)
    for v in points:
        drawn = fitted + v[codes] * (y - fitted)
        again = did.imputation(replace(cells, swy=drawn, swyy=drawn**2, sxy=drawn[:, None]), vcov="cr1")
        beyond += abs(again.estimate / again.se) >= abs(plain.estimate / plain.se)
    assert found.p == pytest.approx((1 + beyond) / 100, abs=1e-12)
    assert found.ci_low < found.estimate < found.ci_high
    assert np.isnan(found.df)


def test_in_a_balanced_panel_cr2_is_near_extended_twfes() -> None:
    """The same working model; only the root taken of the adjustment differs: standard errors and df within 2 %."""
    frame = did_data.panel(24)
    one, other = did.imputation(frame, **UNITS, vcov="cr2"), did.extended_twfe(frame, **UNITS, vcov="cr2")
    assert one.estimate == pytest.approx(other.estimate, rel=1e-10)
    assert one.se == pytest.approx(other.se, rel=0.02)
    assert one.df == pytest.approx(other.df, rel=0.02)
