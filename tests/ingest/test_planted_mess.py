"""Every wrong row that a simulated study plants is found, by its rule, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plneval.config.base import validate
from plneval.config.cohort import Cohort
from plneval.config.yaml_source import read_yaml
from plneval.ingest.stage import Tables, load
from plneval.simulate.study import simulate

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tables, dict[str, Any]]:
    source = read_yaml(PROJECT / "config" / "cohorts" / "demo.yaml")
    cohort = validate(source, Cohort)
    assert cohort.simulate is not None
    folder = tmp_path_factory.mktemp("demo")
    small = cohort.simulate.model_copy(update={"schools": 60, "networks": 9, "pupils_per_grade": 12.0})
    simulate(small, cohort.study, folder)
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    return load(cohort, "demo", folder, source), truth["ledger"]


def test_rejections_by_table_and_rule_are_those_planted(study: tuple[Tables, dict[str, Any]]) -> None:
    tables, planted = study
    found = {table: tables.ledger.rejected_by_rule(table) for table in tables.ledger.counts}
    assert {table: rules for table, rules in found.items() if rules} == {
        table: rules for table, rules in planted["rejected"].items() if rules
    }


def test_merged_duplicates_and_recycled_numbers_are_those_planted(study: tuple[Tables, dict[str, Any]]) -> None:
    tables, planted = study
    merged = {table: tables.ledger.total(table, "merged") for table in tables.ledger.counts}
    assert merged == {table: planted["merged"].get(table, 0) for table in merged}
    notes = {note.rule: note.count for note in tables.ledger.notes}
    assert notes["recycled_identifier"] == planted["notes"]["recycled_identifier"]
    assert notes["movers"] == planted["notes"]["movers"]
