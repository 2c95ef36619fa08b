"""CR2, CR3, Satterthwaite's df and the wild bootstrap against R's clubSandwich, N × N matrices and full enumeration."""

from __future__ import annotations

import itertools
from pathlib import Path

import did_data
import numpy as np
import pandas as pd
import pytest

from plneval import did
from plneval.did.linear_sample import linear_sample

CLUB = pd.read_csv(Path(__file__).parent / "reference" / "clubsandwich_values.csv")
UNITS = {"outcome": "y", "time": "year", "unit": "unit", "entry": "entry"}
SCHOOLS = {"outcome": "y", "time": "year", "unit": "school", "entry": "entry", "panel": False}
CASES = {
    "twfe": (did.twfe, "panel", UNITS),
    "twfe_cluster": (did.twfe, "panel", {**UNITS, "cluster": "network"}),
    "twfe_weights": (did.twfe, "panel", {**UNITS, "cluster": "network", "weights": "w_varying"}),
    "twfe_covariate": (did.twfe, "panel", {**UNITS, "cluster": "network", "covariates": ["x"]}),
    "event_study": (did.event_study, "panel", UNITS),
    "rows": (did.twfe, "pupils", SCHOOLS),
    "rows_covariates": (did.twfe, "pupils", {**SCHOOLS, "covariates": ["x", "female"]}),
    "rows_weights": (did.twfe, "pupils", {**SCHOOLS, "covariates": ["x"], "weights": "w"}),
}


def data(name: str) -> pd.DataFrame:
    return did_data.panel(60) if name == "panel" else did_data.pupils(16)


@pytest.mark.parametrize("kind", ["CR2", "CR3"])
@pytest.mark.parametrize("name", sorted(CASES))
def test_adjusted_standard_errors_and_df_are_clubsandwichs(name: str, kind: str) -> None:
    """To 1e-10. With weights clubSandwich's CR2 takes another root of the same unbiasedness condition: 1 %."""
    estimator, source, options = CASES[name]
    found = estimator(data(source), **options, vcov=kind.lower()).table.dropna(subset="se")
    expected = CLUB[(CLUB["case"] == name) & (CLUB["type"] == kind)].iloc[: len(found)]
    loose = 1e-2 if "weights" in name else 1e-10
    np.testing.assert_allclose(found["estimate"], expected["estimate"], rtol=1e-10)
    np.testing.assert_allclose(found["se"], expected["se"], rtol=loose if kind == "CR2" else 1e-10)
    np.testing.assert_allclose(found["df"], expected["df"], rtol=loose)


def dense(frame: pd.DataFrame, cluster: str, weights: str | None, power: float) -> tuple[float, float, float]:
    """Estimate, standard error and df with all dummies, from N × N matrices of √w-transformed rows."""
    treated = ((frame["entry"] > 0) & (frame["year"] >= frame["entry"])).to_numpy(float)
    dummies = [pd.get_dummies(frame[name]).to_numpy(float) for name in ("unit", "year")]
    root = np.sqrt(frame[weights].to_numpy()) if weights else np.ones(len(frame))
    x = np.column_stack([treated, *dummies]) * root[:, None]
    y = frame["y"].to_numpy() * root
    pseudo = np.linalg.pinv(x, rcond=1e-10)
    residual = np.eye(len(x)) - x @ pseudo
    rows = [np.flatnonzero(frame[cluster] == label) for label in np.unique(frame[cluster])]
    scores, directions = [], []
    for own in rows:
        values, vectors = np.linalg.eigh(residual[np.ix_(own, own)])
        values = np.where(values > 1e-9, np.maximum(values, 1e-300) ** power, 0.0)
        weight = vectors @ (values * (vectors.T @ pseudo[0, own]))
        scores.append(weight @ (residual @ y)[own])
        directions.append(residual[:, own] @ weight)
    gram = np.array(directions) @ np.array(directions).T
    return float(pseudo[0] @ y), float(np.linalg.norm(scores)), float(np.trace(gram) ** 2 / np.sum(gram**2))


@pytest.mark.parametrize(("kind", "power"), [("cr2", -0.5), ("cr3", -1.0)])
@pytest.mark.parametrize("weights", [None, "w_varying"])
def test_adjusted_standard_errors_are_those_of_the_full_matrices(kind: str, power: float, weights: str | None) -> None:
    frame = did_data.unbalanced(36)
    found = did.twfe(frame, **UNITS, cluster="network", weights=weights, vcov=kind)
    np.testing.assert_allclose([found.estimate, found.se, found.df], dense(frame, "network", weights, power), rtol=1e-9)


def test_cr3_is_the_sum_of_squared_changes_when_a_cluster_is_left_out() -> None:
    frame = did_data.panel(48)
    found = did.twfe(frame, **UNITS, cluster="network", vcov="cr3")
    without = [did.twfe(frame[frame["network"] != g], **UNITS).estimate for g in np.unique(frame["network"])]
    np.testing.assert_allclose(found.se, np.sqrt(np.sum((np.array(without) - found.estimate) ** 2)), rtol=1e-10)


@pytest.mark.parametrize("estimator", [did.imputation, did.two_stage])
def test_cr3_of_imputation_is_the_jackknife(estimator: object) -> None:
    frame = did_data.pupils(40)
    options = {**SCHOOLS, "covariates": ["x"]}
    found = estimator(frame, **options, vcov="cr3")
    without = [estimator(frame[frame["school"] != s], **options) for s in np.unique(frame["school"])]
    changes = np.array([one.estimate for one in without]) - found.estimate
    np.testing.assert_allclose(found.se, np.sqrt(39 / 40 * np.sum(changes**2)), rtol=1e-9)
    at_zero = [one.table.set_index("event_time").loc[0, "estimate"] for one in without]
    changes = np.array(at_zero) - found.table.set_index("event_time").loc[0, "estimate"]
    expected = np.sqrt(39 / 40 * np.sum(changes**2))
    np.testing.assert_allclose(found.table.set_index("event_time").loc[0, "se"], expected, rtol=1e-9)


def small() -> pd.DataFrame:
    """Twelve clusters of two units, six of them treated from 2015 on."""
    frame = did_data.panel(24).assign(network=lambda d: d["unit"] // 2)
    return frame.assign(entry=np.where(frame["network"] % 2 == 0, 2015, 0))


def by_hand(frame: pd.DataFrame, null: float, points: list[float], multipliers: np.ndarray | None = None) -> float:
    """The wild cluster bootstrap p value with the null imposed: regressions on all dummies, one for each draw."""
    treated = ((frame["entry"] > 0) & (frame["year"] >= frame["entry"])).to_numpy(float)
    dummies = [pd.get_dummies(frame[name]).to_numpy(float) for name in ("unit", "year")]
    rest = np.column_stack(dummies)
    annihilate = np.eye(len(rest)) - rest @ np.linalg.pinv(rest, rcond=1e-10)
    codes = np.unique(frame["network"], return_inverse=True)[1]
    d = annihilate @ treated

    def t_of(y: np.ndarray, value: float) -> float:
        beta = d @ y / (d @ d)
        scores = np.bincount(codes, d * (annihilate @ y - d * beta))
        return abs((beta - value) / (np.linalg.norm(scores) / (d @ d)))

    y = frame["y"].to_numpy()
    residual = annihilate @ (y - null * treated)
    fitted = y - residual
    observed = t_of(y, null)
    if multipliers is None:
        multipliers = np.array(list(itertools.product(points, repeat=codes.max() + 1)))
    beyond = [t_of(fitted + v[codes] * residual, null) >= observed * (1 - 1e-9) for v in multipliers]
    return float(np.mean(beyond))


def test_wild_bootstrap_of_few_clusters_is_the_full_enumeration() -> None:
    """All 4,096 sign changes, one by one, for the hypotheses of no effect and of 0.3."""
    frame = small()
    found = did.twfe(frame, **UNITS, cluster="network", vcov="wild")
    assert found.p == pytest.approx(by_hand(frame, 0.0, [-1, 1]), abs=1e-12)
    shifted = frame.assign(y=frame["y"] - 0.3 * ((frame["entry"] > 0) & (frame["year"] >= frame["entry"])))
    assert did.twfe(shifted, **UNITS, cluster="network", vcov="wild").p == pytest.approx(
        by_hand(frame, 0.3, [-1, 1]), abs=1e-12
    )


def test_wild_interval_holds_the_values_that_are_not_rejected() -> None:
    frame = small()
    found = did.twfe(frame, **UNITS, cluster="network", vcov="wild")
    treated = (frame["entry"] > 0) & (frame["year"] >= frame["entry"])
    for limit, inside in ((found.ci_low, 1), (found.ci_high, -1)):
        for step, rejected in ((1e-6 * inside, False), (-1e-6 * inside, True)):
            shifted = frame.assign(y=frame["y"] - (limit + step) * treated)
            p = did.twfe(shifted, **UNITS, cluster="network", vcov="wild").p
            assert (p <= 0.05) == rejected


def test_webb_draws_are_regressions_with_the_same_multipliers() -> None:
    frame = small()
    found = did.twfe(frame, **UNITS, cluster="network", vcov="wild", wild_weights="webb", draws=199, seed=7)
    points = np.array([-np.sqrt(1.5), -1, -np.sqrt(0.5), np.sqrt(0.5), 1, np.sqrt(1.5)])
    multipliers = points[np.random.default_rng(7).integers(6, size=(199, 12))]
    share = by_hand(frame, 0.0, [], multipliers)
    assert found.p == pytest.approx((1 + 199 * share) / 200, abs=1e-12)
    again = did.twfe(frame, **UNITS, cluster="network", vcov="wild", wild_weights="webb", draws=199, seed=7)
    assert (again.p, again.ci_low, again.ci_high) == (found.p, found.ci_low, found.ci_high)


def test_rule_looks_at_the_smaller_arm() -> None:
    few = did.twfe(did_data.panel(60), **UNITS)
    many = did.twfe(did_data.panel(400), **UNITS)
    assert few.vcov_type == "cr2"
    assert few.n_comparison_clusters < 40 <= few.n_treated_clusters
    assert "smaller arm" in few.vcov_reason
    assert many.vcov_type == "cr1"
    assert did.imputation(did_data.panel(60), **UNITS).vcov_type == "cr2"


def test_wild_bootstrap_is_refused_below_six_clusters_in_an_arm() -> None:
    frame = small()
    frame = frame[~frame["network"].isin([0, 2])]
    with pytest.raises(did.DidError, match=r"4 treated and 6 comparison clusters.*randomization_test"):
        did.twfe(frame, **UNITS, cluster="network", vcov="wild")


def test_arms_count_clusters_not_units() -> None:
    sample = linear_sample(did.cells(small(), **UNITS, cluster="network"))
    assert sample.arms() == (6, 6)


@pytest.mark.slow
def test_cr2_covers_with_few_clusters_where_cr1_does_not() -> None:
    """16 clusters, 4 of them treated, no effect, 400 draws: CR1 rejects too often, CR2 within Monte Carlo error of 5 %.

    Monte Carlo standard error of a 5 % rate at 400 draws: 1.1 percentage points.
    """
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"unit": np.repeat(np.arange(16), 4), "year": np.tile([1, 2, 3, 4], 16)})
    frame["entry"] = np.where(frame["unit"] < 4, 3, 0)
    rejected = {"cr1": 0, "cr2": 0}
    for _ in range(400):
        frame["y"] = rng.normal(size=64)
        for kind in rejected:
            rejected[kind] += did.twfe(frame, **UNITS, vcov=kind).p < 0.05
    assert abs(rejected["cr2"] / 400 - 0.05) < 3 * 0.011
    assert rejected["cr1"] / 400 > 0.08
