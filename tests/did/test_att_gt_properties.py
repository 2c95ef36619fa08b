"""What must hold of group-time effects whatever the data, and what is said when they cannot be estimated."""

from __future__ import annotations

from typing import Any

import did_data
import numpy as np
import pandas as pd
import pytest

from plneval import did

NAMES: dict[str, Any] = {"outcome": "y", "time": "year", "unit": "unit", "entry": "entry"}
SCHOOLS: dict[str, Any] = {"outcome": "y", "time": "year", "unit": "school", "entry": "entry", "panel": False}


def both(effects: did.GroupTimeEffects) -> np.ndarray:
    return np.concatenate([effects.att, effects.table["se"]])


def test_two_groups_and_two_periods_are_a_difference_of_differences() -> None:
    data = pd.DataFrame(
        {
            "unit": [1, 1, 2, 2, 3, 3, 4, 4, 5, 5],
            "year": [1, 2] * 5,
            "entry": [2, 2, 2, 2, 0, 0, 0, 0, 0, 0],
            "y": [1.0, 4.0, 2.0, 7.0, 0.0, 1.0, 3.0, 6.0, 5.0, 7.0],
        }
    )
    # Changes: treated 3 and 5, comparison 1, 3 and 2. Effect 4 - 2; variance Σ(d - mean)² / n² in each arm.
    table = did.att_gt(data, **NAMES).table
    assert table.columns.tolist() == [
        "group",
        "time",
        "event_time",
        "att",
        "se",
        "ci_low",
        "ci_high",
        "n_treated",
        "n_comparison",
    ]
    assert table.loc[0, ["group", "time", "event_time", "n_treated", "n_comparison"]].tolist() == [2, 2, 0, 2, 3]
    assert table.loc[0, "att"] == pytest.approx(2.0, abs=1e-14)
    assert table.loc[0, "se"] == pytest.approx(np.sqrt(2 / 4 + 2 / 9), abs=1e-14)
    plain = did.att_gt(data, **NAMES, inference="influence").table
    assert plain.loc[0, "ci_high"] == pytest.approx(2 + 1.959963984540054 * np.sqrt(2 / 4 + 2 / 9), abs=1e-12)


def test_outcome_regression_is_the_comparison_groups_prediction() -> None:
    data = did_data.panel()
    effects = did.att_gt(data, **NAMES, covariates=["z"], method="or")
    wide = data.pivot(index="unit", columns="year", values="y")
    unit = data.groupby("unit")[["entry", "z"]].first()
    change = (wide[2016] - wide[2013]).to_numpy()  # group 2015: the last period before is 2013, 2014 is a gap
    never = (unit["entry"] == 0).to_numpy()
    design = np.column_stack([np.ones(len(unit)), unit["z"]])
    fitted = design @ np.linalg.lstsq(design[never], change[never], rcond=None)[0]
    group = (unit["entry"] == 2015).to_numpy()
    table = effects.table.set_index(["group", "time"])
    assert table.loc[(2015, 2016), "att"] == pytest.approx((change - fitted)[group].mean(), abs=1e-12)


@pytest.mark.parametrize("method", ["dr", "ipw", "or"])
@pytest.mark.parametrize("options", [{}, {"comparison": "not_yet", "base_period": "universal", "cluster": "network"}])
def test_cells_give_what_rows_give_in_a_panel(method: str, options: dict[str, Any]) -> None:
    data = did_data.panel()
    covariates = {"covariates": ["x", "z"], "weights": "w"}
    collapse = {name: value for name, value in options.items() if name == "cluster"}
    cells = did.cells(data, **NAMES, **covariates, **collapse)
    from_rows = did.att_gt(data, **NAMES, **covariates, **options, method=method)
    from_cells = did.att_gt(cells, covariates=["x", "z"], method=method, **{**options, "cluster": None})
    assert np.array_equal(both(from_rows), both(from_cells), equal_nan=True)


def test_cells_give_what_rows_give_in_cross_sections() -> None:
    data = did_data.pupils()
    cells = did.cells(data, **SCHOOLS, covariates=["x", "female"], weights="w")
    for covariates in (None, ["x", "female"]):
        from_rows = did.att_gt(data, **SCHOOLS, covariates=covariates, weights="w", method="or")
        from_cells = did.att_gt(cells, covariates=covariates, method="or")
        np.testing.assert_allclose(both(from_cells), both(from_rows), rtol=1e-12)


@pytest.mark.parametrize("method", ["dr", "ipw", "or"])
def test_covariates_constant_within_cells_need_no_rows(method: str) -> None:
    # A school-level covariate: rows and cells are the same model, whatever the method.
    data = did_data.pupils()
    data["size"] = np.sin(data["school"] * 7.0 + data["year"])
    cells = did.cells(data, **SCHOOLS, covariates=["size"])
    assert cells.constant_covariates
    by_row = did.att_gt(
        data.assign(row=np.arange(len(data))), **{**SCHOOLS, "unit": "row"}, covariates=["size"], method=method
    )
    by_cell = did.att_gt(cells, covariates=["size"], method=method)
    np.testing.assert_allclose(by_cell.att, by_row.att, rtol=1e-9)
    assert by_cell.propensity == (None if method == "or" else "unit")


def test_the_level_of_the_propensity_model_is_recorded() -> None:
    data = did_data.pupils()
    options = {"covariates": ["x"], "method": "ipw"}
    assert did.att_gt(data, **SCHOOLS, **options).propensity == "row"
    cells = did.cells(data, **SCHOOLS, covariates=["x"])
    unit_level = did.att_gt(cells, **options)
    assert unit_level.propensity == "unit"
    # At unit level, the weights are those of a logit of the schools' mean covariates, weighted by their pupils.
    means = did.att_gt(data.assign(x=data.groupby(["school", "year"])["x"].transform("mean")), **SCHOOLS, **options)
    np.testing.assert_allclose(unit_level.att, means.att, rtol=1e-9)


@pytest.mark.parametrize("kind", ["panel", "pupils"])
@pytest.mark.parametrize("method", ["dr", "or"])
def test_row_order_does_not_matter(kind: str, method: str) -> None:
    data, names = (did_data.panel(), NAMES) if kind == "panel" else (did_data.pupils(), SCHOOLS)
    options = {"covariates": ["x"], "weights": "w", "method": method}
    first = did.att_gt(data, **names, **options)
    again = did.att_gt(data, **names, **options)
    assert np.array_equal(both(first), both(again))
    shuffled = did.att_gt(data.sample(frac=1, random_state=3), **names, **options)
    np.testing.assert_allclose(both(shuffled), both(first), rtol=1e-10, atol=1e-11)


def test_names_of_units_and_a_constant_do_not_matter() -> None:
    data = did_data.panel()
    expected = both(did.att_gt(data, **NAMES, covariates=["x"], weights="w"))
    renamed = data.assign(unit=[f"school {(7919 * unit) % 10007}" for unit in data["unit"]])
    np.testing.assert_allclose(both(did.att_gt(renamed, **NAMES, covariates=["x"], weights="w")), expected, rtol=1e-9)
    moved = data.assign(y=data["y"] + 1000)
    found = both(did.att_gt(moved, **NAMES, covariates=["x"], weights="w"))
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("method", ["dr", "ipw", "or"])
def test_a_row_twice_is_a_row_of_weight_two(method: str) -> None:
    data = did_data.pupils()
    twice = data["row"] % 3 == 0
    doubled = pd.concat([data, data[twice]])
    weighted = data.assign(w=1.0 + twice)
    options = {**SCHOOLS, "covariates": ["x"], "method": method}
    np.testing.assert_allclose(
        did.att_gt(doubled, **options).att, did.att_gt(weighted, **options, weights="w").att, rtol=1e-9
    )


def test_scaling_the_weights_changes_nothing() -> None:
    data = did_data.panel()
    scaled = data.assign(w=1000 * data["w"])
    for kind in ("simple", "group", "dynamic", "calendar"):
        first, second = (
            did.att_gt(frame, **NAMES, covariates=["x"], weights="w").aggregate(kind) for frame in (data, scaled)
        )
        assert second.estimate == pytest.approx(first.estimate, rel=1e-9)
        assert second.se == pytest.approx(first.se, rel=1e-9)


def test_influence_gives_the_standard_errors_and_sums_to_zero() -> None:
    effects = did.att_gt(did_data.panel(), **NAMES, covariates=["x"], cluster="network")
    influence = effects.influence
    assert influence.shape == (30, len(effects.att))
    np.testing.assert_allclose(np.sqrt((influence**2).mean() / 30), effects.table["se"], rtol=1e-12)
    np.testing.assert_allclose(influence.sum(), 0, atol=1e-10)
    events = effects.aggregate("dynamic")
    np.testing.assert_allclose(np.sqrt((events.influence**2).mean() / 30).iloc[1:], events.table["se"], rtol=1e-12)
    np.testing.assert_allclose(np.sqrt(np.diag(events.vcov)), events.table["se"], rtol=1e-12)


def test_groups_treated_in_the_first_period_are_listed() -> None:
    data = did_data.panel()
    data.loc[data["unit"] < 5, "entry"] = 2011
    effects = did.att_gt(data, **NAMES)
    entry = effects.dropped.iloc[0]
    assert (entry["kind"], entry["count"], entry["first"]) == ("units", 5, (0, 1, 2, 3, 4))
    assert entry["reason"] == "already treated in the first period (2011)"
    without = did.att_gt(data[data["unit"] >= 5], **NAMES)
    np.testing.assert_allclose(both(effects), both(without), rtol=1e-12)


def test_units_missing_a_year_are_dropped_with_their_count_unless_allowed() -> None:
    data = did_data.panel().drop(index=[0, 20])
    effects = did.att_gt(data, **NAMES)
    entry = effects.dropped.iloc[0]
    assert (entry["kind"], entry["count"]) == ("units", 2)
    assert "allow_unbalanced=True" in entry["reason"]
    allowed = did.att_gt(data, **NAMES, allow_unbalanced=True)
    assert len(allowed.dropped) == 0
    assert allowed.table["n_treated"].sum() > effects.table["n_treated"].sum() - 1


def test_missing_outcomes_reach_the_result() -> None:
    data = did_data.pupils()
    data.loc[[4, 9], "y"] = np.nan
    dropped = did.att_gt(data, **SCHOOLS).dropped
    assert dropped.iloc[0].tolist() == ["rows", "the outcome y is missing", 2, (4, 9)]


def test_groups_of_one_unit_or_cluster_are_flagged() -> None:
    data = did_data.panel()
    data.loc[(data["entry"] == 2013) & (data["unit"] > data.loc[data["entry"] == 2013, "unit"].min()), "entry"] = 0
    dropped = did.att_gt(data, **NAMES).dropped
    assert dropped["kind"].tolist() == ["standard errors"]
    assert dropped["first"].tolist() == [("2013",)]


def test_cells_without_comparison_are_listed() -> None:
    # With anticipation, not-yet-treated units run out before the last period, and never-treated ones are absent then.
    data = did_data.pupils()
    data = data[~((data["entry"] == 0) & (data["year"] >= 2017))]
    dropped = did.att_gt(data, **SCHOOLS).dropped
    assert "no comparison rows at this time" in dropped["reason"].tolist()


def test_collinear_covariates_are_an_error_that_says_so() -> None:
    data = did_data.panel()
    data["copy"] = 2 * data["x"] + 1
    for method in ("dr", "ipw", "or"):
        with pytest.raises(did.DidError, match="no group and time can be estimated: collinear covariates"):
            did.att_gt(data, **NAMES, covariates=["x", "copy"], method=method)


def test_a_covariate_that_separates_the_arms_is_listed() -> None:
    data = did_data.panel()
    # Separates group 2013 from the never-treated, not the other groups.
    data["tell"] = np.where(data["entry"] == 2013, 50.0, 0.0) + data["z"]
    effects = did.att_gt(data, **NAMES, covariates=["tell"])
    assert "no overlap" in effects.dropped["reason"].iloc[0]
    assert 2013 not in effects.table["group"].tolist()
    assert 2013 in did.att_gt(data, **NAMES, covariates=["tell"], method="or").table["group"].tolist()


def only_one(data: pd.DataFrame, column: str) -> pd.DataFrame:
    first = data.loc[data["entry"] > 0, column].iloc[0]
    return data.assign(entry=data["entry"].where((data[column] == first) & (data["entry"] > 0), 0))


BAD: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no never-treated": (
        lambda d: d[d["entry"] > 0],
        {},
        "no unit is never treated.*comparison='not_yet'",
    ),
    "no treated": (lambda d: d.assign(entry=0), {}, "no unit enters by the last period"),
    "all treated at first": (
        lambda d: d.assign(entry=d["entry"].where(d["entry"] == 0, 2011)),
        {},
        "no treated unit can be used",
    ),
    "one treated unit": (lambda d: only_one(d, "unit"), {}, "a single treated unit.*synthetic"),
    "one treated cluster": (
        lambda d: d.assign(network=np.where(d["entry"] > 0, -1, d["network"]), unit=d["unit"]),
        {"cluster": "network"},
        "all treated units are in a single cluster",
    ),
    "one period": (lambda d: d[d["year"] == 2018], {}, "fewer than two periods"),
    "comparison": (lambda d: d, {"comparison": "nevertreated"}, "comparison is 'nevertreated'; it can be 'never'"),
    "method": (lambda d: d, {"method": "reg"}, "method is 'reg'; it can be 'dr' or 'ipw' or 'or'"),
    "base_period": (lambda d: d, {"base_period": "long"}, "base_period is 'long'"),
    "anticipation": (lambda d: d, {"anticipation": -1}, "anticipation is -1"),
    "level": (lambda d: d, {"level": 95}, "level is 95"),
    "unbalanced cross-sections": (lambda d: d, {"panel": False, "allow_unbalanced": True}, "belongs to panels"),
    "weights_from": (lambda d: d, {"weights": "w_varying", "weights_from": 2014}, "weights_from is 2014.*2013"),
    "weights_from without weights": (lambda d: d, {"weights_from": "first"}, "needs weights and a balanced panel"),
    "missing_entry": (lambda d: d, {"missing_entry": "drop", "panel": False}, "missing_entry is 'drop'"),
    "column not named": (lambda d: d, {"entry": None}, "name the column of entry"),
    "never balanced": (
        lambda d: d[(d["year"] == 2011) | (d["unit"] % 2 == d["year"] % 2)],
        {},
        "no unit is seen in every period: pass allow_unbalanced=True",
    ),
}


@pytest.mark.parametrize("case", sorted(BAD))
def test_what_makes_no_sense_is_refused(case: str) -> None:
    change, options, words = BAD[case]
    with pytest.raises(did.DidError, match=words):
        did.att_gt(change(did_data.panel()), **{**NAMES, **options})


@pytest.mark.parametrize("kind", ["arrow", "ibis"])
def test_other_tables_give_what_a_frame_gives(kind: str) -> None:
    panel, pupils = did_data.panel(), did_data.pupils()
    pupils["size"] = np.sin(pupils["school"] * 7.0 + pupils["year"])

    def other(data: pd.DataFrame) -> object:
        if kind == "arrow":
            import pyarrow as pa

            return pa.Table.from_pandas(data)
        import ibis

        return ibis.memtable(data)

    options: dict[str, Any] = {"covariates": ["x", "z"], "weights": "w", "cluster": "network"}
    first = did.att_gt(panel, **NAMES, **options)
    np.testing.assert_allclose(both(did.att_gt(other(panel), **NAMES, **options)), both(first), rtol=1e-10)
    for covariates, method in ((["size"], "dr"), (["x"], "or"), (None, "dr")):
        options = {"covariates": covariates, "method": method, "weights": "w"}
        first = did.att_gt(pupils, **SCHOOLS, **options)
        np.testing.assert_allclose(both(did.att_gt(other(pupils), **SCHOOLS, **options)), both(first), rtol=1e-9)


def test_clustering_by_the_unit_is_what_happens_without_a_cluster() -> None:
    cells = did.cells(did_data.panel(), **NAMES)
    expected = both(did.att_gt(cells))
    assert np.array_equal(both(did.att_gt(cells, cluster="unit")), expected)
    assert np.array_equal(both(did.att_gt(did_data.panel(), **NAMES, cluster="unit")), expected)


def test_cells_made_otherwise_are_refused() -> None:
    cells = did.cells(did_data.panel(), **NAMES)
    with pytest.raises(did.DidError, match=r"cluster='network', but the cells were made without cluster: collapse"):
        did.att_gt(cells, cluster="network")
    with pytest.raises(did.DidError, match="panel=False, but the cells were made with panel=True"):
        did.att_gt(cells, panel=False)
    with pytest.raises(did.DidError, match="hold no cross-products of 'x'"):
        did.att_gt(cells, covariates=["x"])
    assert len(did.att_gt(cells, **NAMES).att) == 18


def test_aggregates_that_make_no_sense_are_refused() -> None:
    effects = did.att_gt(did_data.panel(), **NAMES)
    for kind, options, words in (
        ("overall", {}, "kind is 'overall'"),
        ("group", {"balance": 1}, "balance belongs to the dynamic"),
        ("calendar", {"min_event": 1}, "do not go with the calendar"),
        ("simple", {"min_event": 9}, "no effect after entry lies in the window"),
        ("dynamic", {"min_event": 90}, "no event time lies in the window"),
        ("dynamic", {"balance": 20}, "no group is estimated at every event time"),
    ):
        with pytest.raises(did.DidError, match=words):
            effects.aggregate(kind, **options)
    before = effects.aggregate("dynamic", max_event=-1)
    assert np.isnan(before.estimate)
    assert np.isnan(before.se)
    assert len(before.table) > 1


def test_reference_rows_of_a_universal_base_are_zero_and_without_error() -> None:
    effects = did.att_gt(did_data.panel(), **NAMES, base_period="universal")
    table = effects.table.set_index(["group", "time"])
    assert table.loc[(2015, 2013), "att"] == 0  # 2014 is a gap year
    assert np.isnan(table.loc[(2015, 2013), "se"])
    events = effects.aggregate("dynamic")
    assert events.base_period == "universal"
    assert events.vcov.shape == (len(events.table), len(events.table))
