"""The digest of a stage's code changes when that code, or code below it, changes; and only then."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import pytest

from plneval.config.provenance import BELOW, sources_digest, stage_digest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name in ("ingest", "estimate"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "stage.py").write_text(f"# {name}\n")
    (tmp_path / "errors.py").write_text("# errors\n")
    return tmp_path


def test_digest_is_that_of_names_and_contents(package: Path) -> None:
    expected = hashlib.sha256(b"9:errors.py9:# errors\n15:ingest/stage.py9:# ingest\n").hexdigest()
    assert sources_digest(package, ("errors.py", "ingest")) == expected


def test_change_below_reaches_the_stage_and_change_above_does_not(package: Path) -> None:
    before = {part: sources_digest(package, part) for part in [("ingest",), ("ingest", "estimate")]}
    (package / "estimate" / "stage.py").write_text("# changed\n")
    assert sources_digest(package, ("ingest",)) == before[("ingest",)]
    assert sources_digest(package, ("ingest", "estimate")) != before[("ingest", "estimate")]


def test_data_files_count_and_compiled_files_do_not(package: Path) -> None:
    before = sources_digest(package, ("ingest",))
    (package / "ingest" / "__pycache__").mkdir()
    (package / "ingest" / "__pycache__" / "stage.cpython-311.pyc").write_bytes(b"x")
    assert sources_digest(package, ("ingest",)) == before
    (package / "ingest" / "limits.yaml").write_text("limit: 1\n")
    assert sources_digest(package, ("ingest",)) != before


def test_renamed_file_changes_the_digest(package: Path) -> None:
    before = sources_digest(package, ("ingest",))
    (package / "ingest" / "stage.py").rename(package / "ingest" / "stages.py")
    assert sources_digest(package, ("ingest",)) != before


def test_stage_above_holds_all_that_a_stage_below_holds_as_the_import_contract_says() -> None:
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]["layers"]
    flat = [name.strip("() ").removeprefix("plneval.") for layer in contract for name in layer.split("|")]
    position = {name: place for place, name in enumerate(flat)}
    for stage in ("ingest", "prepare", "describe", "estimate", "challenge", "release", "report"):
        own = {part.removesuffix(".py") for part in BELOW[stage]}
        beside = {"describe", "estimate"} - {stage} if stage in {"describe", "estimate"} else set()
        below = {name for name in flat if position[name] >= position[stage]} - beside
        assert own == below | {stage}


def test_stages_have_digests_of_64_digits_and_unknown_stages_none() -> None:
    assert all(len(stage_digest(stage)) == 64 for stage in BELOW)
    with pytest.raises(KeyError):
        stage_digest("cooking")
