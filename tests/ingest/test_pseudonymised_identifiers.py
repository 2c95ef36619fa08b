"""Identifiers are replaced by keyed hashes that change nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from ingest_study import Study

from plneval.config.sources import TABLES
from plneval.ingest.pseudonyms import KEY_VARIABLE, identifier_key, pseudonym
from plneval.ingest.stage import check, ingest

IDENTIFIERS = ("school_id", "network_id", "pupil_id", "teacher_id", "respondent_id", "source", "target")


def with_people(study: Study) -> Study:
    """The study with teachers, a survey and ties, so that every kind of identifier occurs."""
    study.files["staff.csv"] = "who,year,school\nT1,2016,001\nT2,2016,002\n"
    study.files["survey.csv"] = "who,wave,item,answer\nT1,1,a,4\nT2,1,a,5\n"
    study.files["ties.csv"] = "wave,from,to\n1,T1,T2\n1,T2,T1\n"
    study.sources["memberships"][0]["columns"]["teacher_id"] = "who"
    study.files["members.csv"] = "net,school,who,from,to\nN1,001,,2016-09-01,\nN1,001,T1,2016-09-01,\n"
    study.sources["teachers"] = [
        {"files": "staff.csv", "year": {"column": "year"}, "columns": {"teacher_id": "who", "school_id": "school"}}
    ]
    study.sources["surveys"] = [
        {
            "files": "survey.csv",
            "constants": {"instrument": "x"},
            "columns": {
                "respondent_id": "who",
                "teacher_id": "who",
                "wave": "wave",
                "item": "item",
                "response": "answer",
            },
        }
    ]
    study.sources["ties"] = [{"files": "ties.csv", "columns": {"wave": "wave", "source": "from", "target": "to"}}]
    return study


def written(study: Study, out: Path) -> dict[str, pd.DataFrame]:
    study.write()
    cohort, source = study.cohort()
    ingest(cohort, "study", study.data, out, source)
    return {table: pd.read_parquet(out / f"{table}.parquet") for table in TABLES}


def test_a_pseudonym_is_the_start_of_an_hmac_over_kind_and_identifier() -> None:
    # Reference: printf 'school\000610229' | openssl dgst -sha256 -hmac secret (and with 'teacher').
    assert pseudonym("610229", "school", b"secret") == "seb0fbd0501a0c09c"
    assert pseudonym("610229", "teacher", b"secret") == "t86548e525116ae9f"


def test_the_key_comes_from_the_environment_and_else_from_the_cohorts_name() -> None:
    assert identifier_key("demo", {KEY_VARIABLE: "abc"}) == (b"abc", False)
    assert identifier_key("demo", {}) == (b"plneval:demo", True)
    assert identifier_key("demo", {KEY_VARIABLE: ""}) == (b"plneval:demo", True)


def test_another_key_changes_every_identifier_and_nothing_else(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_people(study)
    monkeypatch.setenv(KEY_VARIABLE, "first key")
    one = written(study, tmp_path / "one")
    monkeypatch.setenv(KEY_VARIABLE, "second key")
    two = written(study, tmp_path / "two")
    for table in TABLES:
        identifiers = [name for name in one[table].columns if name in IDENTIFIERS]
        pd.testing.assert_frame_equal(one[table].drop(columns=identifiers), two[table].drop(columns=identifiers))
        for name in identifiers:
            present = one[table][name].notna()
            assert (present == two[table][name].notna()).all()
            assert (one[table][name][present] != two[table][name][present]).all()
            # Equal stays equal: the same rows share an identifier under both keys.
            assert pd.factorize(one[table][name])[0].tolist() == pd.factorize(two[table][name])[0].tolist()


def test_tables_share_identifiers_by_kind(study: Study, tmp_path: Path) -> None:
    tables = written(with_people(study), tmp_path / "out")
    schools = set(tables["schools"]["school_id"])
    for table in ("pupils", "memberships", "teachers"):
        assert set(tables[table]["school_id"]) <= schools
    teachers = set(tables["teachers"]["teacher_id"])
    assert set(tables["memberships"]["teacher_id"].dropna()) <= teachers
    assert set(tables["ties"]["source"]) | set(tables["ties"]["target"]) == teachers
    assert set(tables["surveys"]["teacher_id"]) == teachers
    assert not set(tables["surveys"]["respondent_id"]) & teachers


def test_no_raw_identifier_is_written(study: Study, tmp_path: Path) -> None:
    tables = written(with_people(study), tmp_path / "out")
    for table in tables.values():
        for name in IDENTIFIERS:
            if name in table:
                assert table[name].dropna().map(lambda one: bool(re.fullmatch(r"[snptr][0-9a-f]{16}", one))).all()


def test_without_a_key_a_note_says_so(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    study.write()
    cohort, source = study.cohort()
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    assert any(KEY_VARIABLE in warning for warning in check(cohort, "study", study.data, source).warnings)
    monkeypatch.setenv(KEY_VARIABLE, "k")
    assert not any(KEY_VARIABLE in warning for warning in check(cohort, "study", study.data, source).warnings)


def test_two_runs_write_the_same_bytes(study: Study, tmp_path: Path) -> None:
    written(with_people(study), tmp_path / "one")
    written(study, tmp_path / "two")
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == sorted([*(f"{table}.parquet" for table in TABLES), "ledger.parquet", "ledger.json", "sources.json"])
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
