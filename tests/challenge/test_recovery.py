"""Estimates against planted effects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from plneval.challenge.recovery import COLUMNS, planted_effect, recovery
from plneval.errors import UserError

TRUTH = {
    "headline": {
        "maths": {
            "effect": 0.10,
            "equal_event_times": 0.12,
            "subgroups": {"disadvantaged": {"effect": 0.20, "equal_event_times": 0.22}},
        }
    },
    "effects": {
        "gap": {"maths": {"disadvantaged": 0.2, "not_disadvantaged": 0.07, "difference": 0.13}},
        "after_leaving": {"maths": {"effect": 0.02}},
        "event_time": {"maths": {"0": {"all": 0.01}, "2": {"all": 0.10}}},
    },
}


def record(**values: Any) -> dict[str, Any]:
    plain = {
        "model": "cs",
        "estimator": "did.att_gt",
        "estimand": "att_third_year_on",
        "outcome": "maths",
        "subgroup": "all",
        "event_time": None,
        "estimate": 0.15,
        "se": 0.04,
        "ci_low": 0.07,
        "ci_high": 0.23,
    }
    return plain | values


def recovered(tmp_path: Path, *records: dict[str, Any]) -> pd.DataFrame:
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(TRUTH))
    return recovery(path, pd.DataFrame(records).astype({"event_time": "Int64", "se": "float64"}))


def test_headlines_are_held_against_their_own_truth(tmp_path: Path) -> None:
    table = recovered(
        tmp_path,
        record(),
        record(estimand="att_third_year_on_equal"),
        record(subgroup="disadvantaged"),
        record(subgroup="not_disadvantaged"),
        record(outcome="reading"),
    )
    assert list(table.columns) == list(COLUMNS)
    assert table["truth"].tolist() == [0.10, 0.12, 0.20]
    assert table["z"].tolist() == pytest.approx([1.25, 0.75, -1.25])
    assert table["covered"].tolist() == [True, True, True]


def test_a_missed_truth_is_not_covered(tmp_path: Path) -> None:
    row = recovered(tmp_path, record(estimate=0.25, ci_low=0.17, ci_high=0.33)).iloc[0]
    assert row["z"] == pytest.approx(3.75)
    assert not row["covered"]


def test_event_times_are_compared_for_group_time_effects_only(tmp_path: Path) -> None:
    table = recovered(
        tmp_path,
        record(estimand="att_event_time", event_time=2),
        record(estimand="att_event_time", event_time=-2),
        record(estimand="att_event_time", event_time=2, estimator="did.event_study", model="twfe"),
        record(estimand="att_group_time", event_time=2),
    )
    assert table[["event_time", "truth"]].to_numpy().tolist() == [[2, 0.10]]


def test_the_gap_is_held_against_the_planted_difference_only(tmp_path: Path) -> None:
    gap = {"subgroup": "gap", "estimator": "did.triple_difference"}
    table = recovered(
        tmp_path,
        record(**gap),
        record(**gap, estimand="att_third_year_on_equal"),
        record(**gap, estimand="att_event_time", event_time=2),
        record(estimand="att_leaving", estimator="did.leaving"),
    )
    assert table[["estimand", "truth"]].to_numpy().tolist() == [["att_third_year_on", 0.13]]


def test_effects_after_leaving_are_held_against_those_of_all_pupils_of_schools_that_left(tmp_path: Path) -> None:
    left = {"estimand": "att_after_leaving", "estimator": "networks.after_leaving"}
    table = recovered(tmp_path, record(**left), record(**left, subgroup="disadvantaged"))
    assert table[["estimand", "truth"]].to_numpy().tolist() == [["att_after_leaving", 0.02]]


def test_without_a_standard_error_distance_and_cover_are_missing(tmp_path: Path) -> None:
    row = recovered(tmp_path, record(se=None, ci_low=None, ci_high=None)).iloc[0]
    assert pd.isna(row["z"])
    assert pd.isna(row["covered"])
    assert row["truth"] == 0.10


def test_a_real_study_has_nothing_to_recover() -> None:
    table = recovery(None, pd.DataFrame([record()]))
    assert table.empty
    assert list(table.columns) == list(COLUMNS)


def test_a_missing_or_foreign_truth_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run `plneval simulate` again"):
        recovery(tmp_path / "none.json", pd.DataFrame([record()]))
    (tmp_path / "truth.json").write_text("[]")
    with pytest.raises(UserError, match="no planted effects found"):
        recovery(tmp_path / "truth.json", pd.DataFrame([record()]))


def test_parts_gaps_and_interactions_are_held_against_their_own_truth() -> None:
    split = {"network_type": {"maths": {"lesson study": 0.11}}}
    gap = {"maths": {"difference": 0.04, "within_schools": 0.03}}
    planted = {"headline": {}, "effects": {"split": split, "gap": gap}}
    of_part = {"estimator": "networks.split", "outcome": "maths", "subgroup": "all", "estimand": "att_split"}
    assert planted_effect(planted, {**of_part, "term": "network_type:lesson study"}) == 0.11
    assert planted_effect(planted, {**of_part, "term": "network_type:other"}) is None
    assert planted_effect(planted, {**of_part, "term": "deprivation:low"}) is None
    of_gap = {"estimator": "networks.gap", "outcome": "maths", "subgroup": "gap", "estimand": "gap_narrowed"}
    assert planted_effect(planted, {**of_gap, "term": "total"}) == 0.04
    assert planted_effect(planted, {**of_gap, "term": "within_schools"}) == 0.03
    assert planted_effect(planted, {**of_gap, "term": "sorting"}) is None
    growth = {"estimator": "multilevel", "outcome": "maths", "subgroup": "all", "estimand": "coefficient"}
    assert planted_effect(planted, {**growth, "term": "treated_year_3:disadvantaged"}) == 0.04
    assert planted_effect(planted, {**growth, "term": "treated_year_3"}) is None
