"""The stage as files: all models' records in one table, gates and verdict beside them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from evidence_by_hand import (
    cells,
    cohort,
    evidence,
    headline,
    measures,
    recomputed,
    record,
    records,
    recovered,
    schools,
    sensitivity,
    spec,
)

from plneval.artifacts import read_json, read_table, write_table
from plneval.challenge import stage
from plneval.errors import UserError

SPECS = {"cs_maths": spec(), "twfe": spec(headline=False)}


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders of the stages before; the independent computation has tests of its own and is put in here."""
    for name, table in measures().items():
        write_table(tmp_path / "measures" / f"{name}.parquet", table)
    write_table(tmp_path / "panel" / "schools.parquet", schools())
    write_table(tmp_path / "records" / "cs_maths.records.parquet", records())
    other = records(record("att_overall", model="twfe", estimate=0.1)).query("model == 'twfe'")
    write_table(tmp_path / "records" / "twfe.records.parquet", other)
    monkeypatch.setattr(stage, "recompute_all", lambda *_: recomputed())
    monkeypatch.setattr(stage, "recovery", lambda *_: recovered())
    monkeypatch.setattr(stage, "sensitivity", lambda *_: sensitivity())
    tried = {"moderation_conditions": pd.DataFrame({"state": ["estimated"]})}
    monkeypatch.setattr(stage, "network_findings", lambda *_: tried)
    lasting = {"sustainability": pd.DataFrame({"criterion": ["policy"]})}
    monkeypatch.setattr(stage, "sustainability", lambda *_, causal: lasting if causal else {})
    return tmp_path


def run(folder: Path) -> Path:
    report = evidence().report
    inputs = (folder / "measures", folder / "records", folder / "panel", None, folder / "findings", folder / "ingest")
    stage.challenge(cohort(), "hill", SPECS, report, *inputs)
    return folder / "findings"


def test_stage_writes_records_of_all_models_in_the_order_declared(folders: Path) -> None:
    found = run(folders)
    table = read_table(found / "records.parquet")
    assert table["model"].drop_duplicates().tolist() == ["cs_maths", "twfe"]
    assert len(table) == 2 + len(cells((2015, 2016, 2017))) + 1
    assert read_json(found / "verdict.json")["category"] == "benefit"
    assert read_table(found / "gates.parquet")["gate"].tolist()[:2] == ["follow_up", "baseline_equivalence"]
    assert {path.name for path in found.iterdir()} == {
        "gates.parquet",
        "moderation_conditions.parquet",
        "records.parquet",
        "recomputed.parquet",
        "recovery.parquet",
        "sustainability.parquet",
        "verdict.json",
        *(f"{name}.parquet" for name in sensitivity()),
    }


def test_model_without_any_record_leaves_the_others(folders: Path) -> None:
    path = folders / "records" / "twfe.records.parquet"
    write_table(path, read_table(path).iloc[:0])
    assert set(read_table(run(folders) / "records.parquet")["model"]) == {"cs_maths"}


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("records/twfe.records.parquet", "no records of twfe; run the cohort 'hill' again from estimate"),
        ("measures/mdes.parquet", "mdes.parquet: there is no such file; run the cohort again from describe"),
    ],
)
def test_file_that_is_not_there_is_named_with_its_stage(folders: Path, file: str, words: str) -> None:
    (folders / file).unlink()
    with pytest.raises(UserError, match=words):
        run(folders)


def test_two_runs_write_the_same_bytes(folders: Path) -> None:
    first = {path.name: path.read_bytes() for path in run(folders).iterdir()}
    assert {path.name: path.read_bytes() for path in run(folders).iterdir()} == first
    assert pd.notna(headline()["estimate"])
