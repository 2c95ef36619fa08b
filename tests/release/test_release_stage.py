"""The released set as files: whole or not at all, the same bytes, scanned before it is shown."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from restricted_by_hand import PSEUDONYM, cohort, frames, spec, write_restricted

from plneval.artifacts import read_json, read_table, write_json, write_table, write_text
from plneval.config.layout import Layout
from plneval.config.project import Project
from plneval.config.report import Branding, Disclosure, Report
from plneval.errors import UserError
from plneval.release.csv_copy import csv_text
from plneval.release.door import TABLES
from plneval.release.prose import reworded
from plneval.release.scan import scan
from plneval.release.stage import release
from plneval.release.study import study_document

SPECS = {"cs_maths": spec(), "cs_all": spec(headline=False), "cs_dis": spec(headline=False, subgroup="disadvantaged")}
REPORT = Report(branding=Branding(organisation="The evaluation team"))


def run(layout: Layout, report: Report = REPORT) -> Path:
    release(Project(cohorts=["hill"], seed=7), cohort(), "hill", report, layout, Path("data"), SPECS)
    return layout.released_tables


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "results", "hill")
    write_restricted(made)
    return made


@pytest.fixture(scope="module")
def released_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A released set that tests copy before they spoil it."""
    made = Layout(tmp_path_factory.mktemp("once") / "results", "hill")
    write_restricted(made)
    return run(made)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_every_table_of_the_contract_is_released_as_parquet_and_csv(layout: Layout) -> None:
    names = {path.name for path in run(layout).iterdir()}
    tables = {*TABLES, "standards"}
    documents = {"study.json", "verdict.json", "reproducibility.json", "manifest.json"}
    assert names == {f"{table}.{ending}" for table in tables for ending in ("parquet", "csv")} | documents
    # Nothing else stands in release/: no temporary folder is left.
    assert [path.name for path in layout.release.iterdir()] == ["tables"]


def test_manifest_holds_the_digest_of_every_file(layout: Layout) -> None:
    folder = run(layout)
    manifest = read_json(folder / "manifest.json")
    found = {
        name: hashlib.sha256(data).hexdigest() for name, data in contents(folder).items() if name != "manifest.json"
    }
    assert {name: entry["sha256"] for name, entry in manifest["files"].items()} == found
    assert manifest["files"]["trends.csv"]["rows"] == 5
    assert manifest["rules"]["minimum_count"] == 10
    assert manifest["suppressed"] == sum(
        entry["suppressed"] for name, entry in manifest["files"].items() if name.endswith(".parquet")
    )


def test_two_runs_give_the_same_bytes(layout: Layout, tmp_path: Path) -> None:
    first = contents(run(layout))
    other = Layout(tmp_path / "elsewhere", "hill")
    write_restricted(other)
    assert contents(run(other)) == first
    assert contents(run(layout)) == first


def test_headline_of_the_verdict_is_the_released_record(layout: Layout) -> None:
    folder = run(layout)
    headline = read_json(folder / "verdict.json")["headline"]
    record = read_table(folder / "records.parquet").query("headline").iloc[0]
    assert headline["estimate"] == record["estimate"] == 0.123
    assert headline["n_pupils"] == record["n_pupils"] == 30125
    assert headline["event_time"] is None


def test_headline_on_too_few_schools_is_taken_out_of_the_verdict_too(layout: Layout) -> None:
    tables = frames()
    tables["records"].loc[tables["records"]["headline"], "n_schools"] = 2
    write_restricted(layout, tables)
    verdict = read_json(run(layout) / "verdict.json")
    assert verdict["category"] == "not_causal"
    assert verdict["headline"]["estimate"] is None
    assert "0.12" not in json.dumps(verdict)


def test_study_and_reproducibility_say_what_was_declared_and_used(layout: Layout) -> None:
    folder = run(layout)
    study = read_json(folder / "study.json")
    assert (study["headline_model"], study["level"], study["simulated"]) == ("cs_maths", "pupil", False)
    assert study["outcomes"]["maths"]["label"] == "Mathematics"
    assert study["outcomes"]["maths"]["years"] == [2014, 2015, 2016, 2017, 2019, 2020]
    made = read_json(folder / "reproducibility.json")
    assert made["data"] == {"results_2014.csv": "d" * 64}
    assert made["seeds"] == {"project": 7}
    assert made["id_key"] == "default"
    assert made["packages"]["pandas"] == pd.__version__
    assert set(made["code"]) == {"ingest", "prepare", "describe", "estimate", "challenge", "release"}
    standards = read_table(folder / "standards.parquet").set_index("name")
    assert standards.at["months_trial", "used"]
    assert not standards.at["months_toolkit", "used"]
    assert standards.at["gate_limits", "status"] == "own"


def test_table_that_is_not_there_is_named_with_its_stage(layout: Layout) -> None:
    (layout.measures / "trends.parquet").unlink()
    with pytest.raises(UserError, match=r"trends.parquet: there is no such file; run the cohort again from describe"):
        run(layout)


def test_violation_leaves_the_release_before_as_it_was(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(run(layout))

    def refuse(*_: object) -> None:
        raise UserError("release: trends.n_pupils, row 1: a count of people from 1 to 9; nothing was released.")

    monkeypatch.setattr("plneval.release.stage.scan", refuse)
    with pytest.raises(UserError, match="nothing was released"):
        run(layout, REPORT.model_copy(update={"disclosure": Disclosure(digits=2)}))
    assert contents(layout.released_tables) == before
    assert [path.name for path in layout.release.iterdir()] == ["tables"]


def change_cell(table: str, column: str, value: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        frame = read_table(folder / f"{table}.parquet")
        frame.loc[0, column] = value
        write_table(folder / f"{table}.parquet", frame)

    return change


def add_column(folder: Path) -> None:
    write_table(folder / "flow.parquet", read_table(folder / "flow.parquet").assign(pupil="x"))


def show_suppressed(folder: Path) -> None:
    frame = read_table(folder / "trends.parquet")
    frame.loc[frame["n_pupils_suppressed"], "n_pupils"] = 20
    write_table(folder / "trends.parquet", frame)


def result_of_two_schools(folder: Path) -> None:
    frame = read_table(folder / "intraclass.parquet")
    write_table(folder / "intraclass.parquet", frame.assign(n_schools=2))


def true_headline(folder: Path) -> None:
    verdict = read_json(folder / "verdict.json")
    write_json(folder / "verdict.json", {**verdict, "headline": {**verdict["headline"], "n_pupils": 30123}})


def identifier_in_csv(folder: Path) -> None:
    write_text(folder / "flow.csv", f"step\n{PSEUDONYM}\n")


@pytest.mark.parametrize(
    ("violate", "words"),
    [
        (change_cell("baseline", "n_pupils_member", 5), "a count of people from 1 to 9"),
        (change_cell("baseline", "n_pupils_member", 9001), "no multiple of 5"),
        (change_cell("records", "n_treated", 3), "no multiple of 5"),
        (change_cell("gates", "statement", f"In {PSEUDONYM}."), "gates.parquet holds an identifier"),
        (add_column, "flow.pupil is not on the list"),
        (show_suppressed, "holds a value that is marked as suppressed"),
        (result_of_two_schools, "a result rests on fewer than 3 schools"),
        (true_headline, "headline.n_pupils is not the released one"),
        (identifier_in_csv, "flow.csv holds an identifier"),
    ],
)
def test_scan_finds_what_must_not_leave(
    released_once: Path, tmp_path: Path, violate: Callable[[Path], None], words: str
) -> None:
    folder = tmp_path / "tables"
    shutil.copytree(released_once, folder)
    scan(folder, cohort(), Disclosure())
    violate(folder)
    with pytest.raises(UserError, match=words):
        scan(folder, cohort(), Disclosure())


def test_scan_knows_the_smallest_count_that_rounding_leaves() -> None:
    from plneval.release.scan import _count_problem

    eight = Disclosure(minimum_count=8, round_to=5)
    assert _count_problem(10, eight) == ""
    assert "1 to 7" in _count_problem(5, eight)
    # A true 12 is shown as 10 where the minimum is 12 and counts are rounded to tens.
    assert _count_problem(10, Disclosure(minimum_count=12, round_to=10)) == ""
    assert _count_problem(0, eight) == ""


def test_csv_copies_are_safe_in_a_spreadsheet() -> None:
    table = pd.DataFrame(
        {
            "label": ["=HYPERLINK(1)", "+1", "-1", "@x", "\tx", "plain", 'a "quoted", one', None],
            "estimate": [-0.5, 0.1, float("nan"), 1.0, 2.0, 3.0, 4.0, 5.0],
            "n": pd.array([-1, 2, None, 4, 5, 6, 7, 8], dtype="Int64"),
            "flag": [True, False] * 4,
        }
    )
    lines = csv_text(table).split("\n")
    assert lines[0] == "label,estimate,n,flag"
    assert lines[1] == "'=HYPERLINK(1),-0.5,-1,true"
    assert [line[:2] for line in lines[2:6]] == ["'+", "'-", "'@", "'\t"]
    assert lines[3] == "'-1,,,true"
    assert lines[7] == '"a ""quoted"", one",4.0,7,true'
    assert lines[8] == ",5.0,8,false"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7 pupils left out", "fewer than 10 pupils left out"),
        ("1,204 missing scores", "about 1,205 missing scores"),
        (
            "12 pupil-years left out: no grade; 3 schools left out",
            "about 10 pupil-years left out: no grade; 3 schools left out",
        ),
        ("3 years, 0 pupils, 14.5 pupils a school", "3 years, 0 pupils, 14.5 pupils a school"),
        ("n = 104 pupils a school and year", "n = 104 pupils a school and year"),
    ],
)
def test_sentences_count_people_by_the_rule(text: str, expected: str) -> None:
    assert reworded(text, Disclosure()) == expected


def test_a_cohort_may_name_its_own_organisation() -> None:
    branding = [
        study_document(study, "hill", REPORT, SPECS)["branding"]["organisation"]
        for study in (cohort(), cohort().model_copy(update={"organisation": "The school office"}))
    ]
    assert branding == ["The evaluation team", "The school office"]
