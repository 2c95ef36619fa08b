"""What must hold for the linear estimators whatever the data: closed forms, equivalences, and what is refused."""

from __future__ import annotations

import did_data
import numpy as np
import pandas as pd
import pytest

from plneval import did

UNITS = {"outcome": "y", "time": "year", "unit": "unit", "entry": "entry"}
SCHOOLS = {"outcome": "y", "time": "year", "unit": "school", "entry": "entry", "panel": False}
LINEAR = [did.twfe, did.event_study, did.sun_abraham, did.extended_twfe, did.imputation, did.two_stage]
COVARIATES = {"covariates": ["x", "female"], "weights": "w"}


def numbers(found: did.LinearEffects) -> np.ndarray:
    return np.r_[
        found.estimate, found.se, found.table["estimate"], found.table["se"].dropna(), found.table["p"].dropna()
    ]


@pytest.mark.parametrize("estimator", LINEAR)
def test_two_groups_two_periods_is_the_difference_of_differences(estimator: object) -> None:
    """Estimate by hand; standard error that of Welch's t without degrees-of-freedom correction (closed form)."""
    frame = did_data.panel(60)
    frame = frame[frame["year"].isin([2013, 2015])].assign(entry=lambda d: np.where(d["unit"] < 25, 2015, 0))
    wide = frame.pivot(index="unit", columns="year", values="y")
    change = wide[2015] - wide[2013]
    treated, other = change[change.index < 25], change[change.index >= 25]
    options = {"reference": -2} if estimator is did.event_study else {}
    found = estimator(frame, **UNITS, **options, vcov="cr1")
    assert found.estimate == pytest.approx(treated.mean() - other.mean(), rel=1e-12)
    variance = treated.var(ddof=0) / 25 + other.var(ddof=0) / 35
    factor = 1.0 if estimator in (did.imputation, did.two_stage) else 60 / 59 * 119 / (120 - 3)
    assert found.se == pytest.approx(np.sqrt(variance * factor), rel=1e-12)


@pytest.mark.parametrize("estimator", LINEAR)
def test_cells_give_the_numbers_of_rows(estimator: object) -> None:
    """Standard errors too, with pupil-level covariates and weights, to 1e-12."""
    frame = did_data.pupils(40)
    cells = did.cells(frame, **SCHOOLS, **COVARIATES)
    from_rows = estimator(frame, **SCHOOLS, **COVARIATES, vcov="cr1")
    from_cells = estimator(cells, covariates=["x", "female"], vcov="cr1")
    np.testing.assert_allclose(numbers(from_cells), numbers(from_rows), rtol=1e-12)


@pytest.mark.parametrize("estimator", LINEAR)
def test_order_of_rows_does_not_matter(estimator: object) -> None:
    frame = did_data.pupils(40)
    shuffled = frame.sample(frac=1, random_state=3)
    first = estimator(frame, **SCHOOLS, **COVARIATES)
    np.testing.assert_allclose(numbers(estimator(shuffled, **SCHOOLS, **COVARIATES)), numbers(first), rtol=1e-10)
    assert np.array_equal(numbers(estimator(frame, **SCHOOLS, **COVARIATES)), numbers(first))


@pytest.mark.parametrize("vcov", ["cr1", "cr2", "cr3"])
def test_row_level_covariates_are_those_of_regression_on_rows(vcov: str) -> None:
    """Least squares with all dummies on the rows themselves gives the same estimate and CR1 standard error."""
    frame = did_data.pupils(30)
    found = did.twfe(frame, **SCHOOLS, **COVARIATES, vcov=vcov)
    treated = ((frame["entry"] > 0) & (frame["year"] >= frame["entry"])).to_numpy(float)
    dummies = [pd.get_dummies(frame[name]).to_numpy(float) for name in ("school", "year")]
    x = np.column_stack([treated, frame[["x", "female"]], dummies[0], dummies[1][:, 1:]])
    root = np.sqrt(frame["w"].to_numpy())[:, None]
    beta, *_ = np.linalg.lstsq(x * root, frame["y"].to_numpy() * root[:, 0], rcond=None)
    assert found.estimate == pytest.approx(beta[0], rel=1e-11)
    if vcov == "cr1":
        residual = frame["y"].to_numpy() - x @ beta
        scores = pd.DataFrame(x * (frame["w"].to_numpy() * residual)[:, None]).groupby(frame["school"]).sum()
        bread = np.linalg.inv((x * root).T @ (x * root))
        count, clusters = len(frame), len(scores)
        factor = clusters / (clusters - 1) * (count - 1) / (count - (3 + 6 + 1))
        meat = scores.to_numpy().T @ scores.to_numpy()
        assert found.se == pytest.approx(np.sqrt(factor * (bread @ meat @ bread)[0, 0]), rel=1e-10)


def test_imputation_is_least_squares_on_untreated_rows_by_hand() -> None:
    frame = did_data.unbalanced(60)
    treated = ((frame["entry"] > 0) & (frame["year"] >= frame["entry"])).to_numpy()
    dummies = [pd.get_dummies(frame[name]).to_numpy(float) for name in ("unit", "year")]
    x = np.column_stack([frame["x"], *dummies])
    weight = np.sqrt(frame["w_varying"].to_numpy())
    known = ~treated
    beta = np.linalg.lstsq(x[known] * weight[known, None], frame["y"].to_numpy()[known] * weight[known], rcond=None)[0]
    seen = np.isin(frame["unit"], frame["unit"][known])
    gap = (frame["y"].to_numpy() - x @ beta)[treated & seen]
    found = did.imputation(frame, **UNITS, covariates=["x"], weights="w_varying")
    rows = frame[treated & seen]
    assert found.estimate == pytest.approx(np.average(gap, weights=rows["w_varying"]), rel=1e-10)
    event = (rows["year"] - rows["entry"]).to_numpy()
    for key, estimate in zip(found.table["event_time"], found.table["estimate"], strict=True):
        at = event == key
        assert estimate == pytest.approx(np.average(gap[at], weights=rows["w_varying"].to_numpy()[at]), rel=1e-9)


def test_imputation_two_stage_and_extended_twfe_agree_in_balanced_panels() -> None:
    frame = did_data.panel()
    tables = [
        estimator(frame, **UNITS).table["estimate"] for estimator in (did.imputation, did.two_stage, did.extended_twfe)
    ]
    np.testing.assert_allclose(tables[1], tables[0], rtol=1e-12)
    np.testing.assert_allclose(tables[2], tables[0], rtol=1e-10)


@pytest.mark.parametrize("weights", [None, "w"])
def test_saturated_regressions_are_group_time_effects(weights: str | None) -> None:
    """With the never treated as comparison the coefficients are Callaway and Sant'Anna's, universal base."""
    frame = did_data.panel()
    expected = did.att_gt(frame, **UNITS, weights=weights, base_period="universal").table
    for found in (
        did.extended_twfe(frame, **UNITS, weights=weights, comparison="never"),
        did.sun_abraham(frame, **UNITS, weights=weights),
    ):
        assert found.effects[["group", "time"]].equals(expected[["group", "time"]])
        np.testing.assert_allclose(found.effects["estimate"], expected["att"], atol=1e-12)


def test_aggregates_average_the_effects_by_treated_rows() -> None:
    frame = did_data.panel()
    found = did.extended_twfe(frame, **UNITS)
    size = frame[["unit", "entry"]].drop_duplicates()["entry"].value_counts()
    effects = found.effects.assign(size=lambda d: d["group"].map(size))
    for kind, key in (("dynamic", "event_time"), ("group", "group"), ("calendar", "time")):
        by_hand = effects.groupby(key).apply(lambda d: np.average(d["estimate"], weights=d["size"]))
        np.testing.assert_allclose(found.aggregate(kind).table["estimate"], by_hand, rtol=1e-12)
        assert found.aggregate(kind).estimate == pytest.approx(found.estimate, rel=1e-12)
    assert found.estimate == pytest.approx(np.average(effects["estimate"], weights=effects["size"]), rel=1e-12)


@pytest.mark.parametrize("estimator", LINEAR)
def test_influence_functions_and_covariance_give_the_standard_errors(estimator: object) -> None:
    found = estimator(did_data.panel(), **UNITS, cluster="network")
    se = np.sqrt((found.influence**2).mean() / found.n_clusters)
    assert se["overall"] == pytest.approx(found.se, rel=1e-10)
    np.testing.assert_allclose(np.sqrt(np.diag(found.vcov)), found.table["se"].fillna(0), rtol=1e-10)


@pytest.mark.parametrize("weights", [None, "w"])
def test_bacon_adds_up_to_the_two_way_coefficient(weights: str | None) -> None:
    """With never and always treated groups, and a gap year."""
    frame = did_data.panel(90)
    frame.loc[frame["unit"] < 9, "entry"] = 2011
    found = did.bacon(frame, **UNITS, weights=weights)
    assert found.estimate == pytest.approx(did.twfe(frame, **UNITS, weights=weights).estimate, rel=1e-10)
    assert found.table["weight"].sum() == pytest.approx(1)
    assert (found.table["weight"] > 0).all()
    assert set(found.summary["kind"]) == {
        "treated vs never treated",
        "earlier vs later treated",
        "later vs earlier treated",
        "treated vs always treated",
    }
    parts = found.table.groupby("kind").apply(lambda d: (d["weight"] * d["estimate"]).sum() / d["weight"].sum())
    np.testing.assert_allclose(found.summary.set_index("kind")["estimate"], parts[found.summary["kind"]])


def test_known_effects_are_found_where_two_way_fixed_effects_fail() -> None:
    """No noise, effects that grow by one a year and differ by group: exact for all but twfe and the event study."""
    frame = did_data.panel()
    since = np.where(frame["entry"] > 0, frame["year"] - frame["entry"], -1)
    effect = np.where(since >= 0, 1.0 + since + (frame["entry"] == 2015), 0.0)
    frame["y"] = frame["unit"] ** 0.5 + 0.3 * (frame["year"] - 2010) ** 1.5 + effect
    truth = effect[since >= 0].mean()
    for estimator in (did.sun_abraham, did.extended_twfe, did.imputation, did.two_stage):
        assert estimator(frame, **UNITS).estimate == pytest.approx(truth, rel=1e-10)
    assert abs(did.twfe(frame, **UNITS).estimate - truth) > 0.3


def test_anticipation_moves_the_reference() -> None:
    frame = did_data.panel()
    never = did.extended_twfe(frame, **UNITS, comparison="never", anticipation=1)
    expected = did.att_gt(frame, **UNITS, anticipation=1, base_period="universal").table
    np.testing.assert_allclose(never.effects["estimate"], expected["att"], atol=1e-12)
    assert did.imputation(frame, **UNITS, anticipation=1).table["event_time"].min() == -1


def test_without_never_treated_the_last_group_is_the_comparison() -> None:
    frame = did_data.panel(never=False)
    found = did.sun_abraham(frame, **UNITS)
    assert found.effects["time"].max() == 2017
    assert found.effects["group"].max() == 2017
    assert "every unit is treated" in found.dropped["reason"].iloc[0]
    kept = frame[frame["year"] < 2018].assign(entry=lambda d: d["entry"].where(d["entry"] < 2018, 0))
    np.testing.assert_allclose(found.table["estimate"], did.sun_abraham(kept, **UNITS).table["estimate"], rtol=1e-12)
    with pytest.raises(did.DidError, match="no unit is never treated"):
        did.extended_twfe(frame, **UNITS, comparison="never")
    with pytest.raises(did.DidError, match="two reference event times"):
        did.event_study(frame, **UNITS)
    assert did.event_study(frame, **UNITS, reference=[-1, -7]).table["se"].isna().sum() == 2


def test_what_is_not_used_is_listed() -> None:
    frame = did_data.panel()
    frame.loc[frame["unit"].isin([3, 4]), "entry"] = 2011
    dropped = did.imputation(frame, **UNITS).dropped
    assert dropped.loc[0, "kind"] == "units"
    assert (dropped.loc[0, "count"], dropped.loc[0, "first"]) == (2, (3, 4))
    lonely = did_data.panel()
    lonely.loc[lonely["unit"] == 5, "entry"] = 2016
    reasons = did.extended_twfe(lonely, **UNITS).dropped["reason"]
    assert reasons.str.contains("groups of a single cluster").any()
    assert reasons.str.contains("without which a coefficient").any()
    unseen = did_data.panel()
    unseen = unseen[~((unseen["entry"] == 2017) & (unseen["unit"] % 2 == 0) & (unseen["year"] < 2017))]
    lost = np.unique(unseen.loc[(unseen["entry"] == 2017) & (unseen["unit"] % 2 == 0), "unit"])
    table = did.two_stage(unseen, **UNITS).dropped
    assert table.loc[table["reason"].str.startswith("no untreated row"), "count"].tolist() == [len(lost)]


@pytest.mark.parametrize(
    ("estimator", "options", "message"),
    [
        (did.twfe, {"vcov": "hc1"}, "vcov is 'hc1'; it can be 'cr1'"),
        (did.imputation, {"vcov": "hc1"}, "vcov is 'hc1'; it can be"),
        (did.two_stage, {"vcov": "wild", "draws": 9}, "draws is 9; give at least 99"),
        (did.twfe, {"covariates": ["z"]}, "z: no variation within units"),
        (did.twfe, {"covariates": ["x", "x_again"]}, "x.*collinear"),
        (did.event_study, {"reference": -9}, "no row has event time -9"),
        (did.sun_abraham, {"anticipation": -1}, "anticipation is -1"),
        (did.extended_twfe, {"comparison": "later"}, "comparison is 'later'"),
        (did.two_stage, {"level": 95}, "level is 95"),
        (did.twfe, {"vcov": "wild", "wild_weights": "mammen"}, "'rademacher' or 'webb'"),
        (did.twfe, {"vcov": "wild", "draws": 9}, "at least 99"),
    ],
)
def test_options_that_make_no_sense_are_refused(estimator: object, options: dict[str, object], message: str) -> None:
    frame = did_data.panel().assign(x_again=lambda d: 2 * d["x"] + 1)
    with pytest.raises(did.DidError, match=message):
        estimator(frame, **UNITS, **options)


@pytest.mark.parametrize("estimator", [*LINEAR, did.bacon])
@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (lambda d: np.where(d["unit"] == 7, 2015, 0), r"a single treated unit \(unit 7\).*randomization_test"),
        (lambda d: d["unit"] * 0, "no treated unit"),
        (lambda d: d["unit"] * 0 + 2011, "treated"),
    ],
)
def test_designs_without_an_answer_are_refused(estimator: object, entry: object, message: str) -> None:
    with pytest.raises(did.DidError, match=message):
        estimator(did_data.panel().assign(entry=entry), **UNITS)


def test_treated_units_in_one_cluster_are_refused() -> None:
    frame = did_data.panel().assign(entry=lambda d: np.where(d["network"] == 2, 2015, 0))
    with pytest.raises(did.DidError, match="single cluster"):
        did.twfe(frame, **UNITS, cluster="network")


def test_bacon_refuses_unbalanced_panels_and_changing_weights() -> None:
    with pytest.raises(did.DidError, match="not seen in every period"):
        did.bacon(did_data.unbalanced(), **UNITS)
    with pytest.raises(did.DidError, match="changes over time"):
        did.bacon(did_data.panel(), **UNITS, weights="w_varying")


def test_a_period_only_one_cluster_is_untreated_in_needs_the_analytic_error() -> None:
    frame = did_data.panel().assign(entry=lambda d: np.where(d["unit"] < 60, 2015, 2018))
    frame.loc[frame["unit"] == 119, "entry"] = 0
    found = did.imputation(frame, **UNITS, vcov="cr1")
    assert np.isfinite(found.se)
    with pytest.raises(did.DidError, match=r"without cluster 119 .*vcov='cr1'"):
        did.imputation(frame, **UNITS, vcov="cr3")
