"""Bad input, one kind a test: a message with file, line and remedy, or a row of the ledger and a gate in the report."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tiny_study import JOINED, TinyStudy, members, pupil_number, pupil_study, school_scores

Capture = pytest.CaptureFixture[str]
PLACE = "config/cohorts/tiny.yaml"


@pytest.fixture
def study(tmp_path: Path) -> TinyStudy:
    return TinyStudy(tmp_path)


def rescored(study: TinyStudy, change: Callable[[list[str]], list[str]]) -> None:
    """Change every row of the scores: school, year, score, pupils, SD."""
    for name in [name for name in study.files if name.startswith("scores_")]:
        head, *rows = str(study.files[name]).splitlines()
        study.files[name] = "\n".join([head, *(",".join(change(row.split(","))) for row in rows), ""])


def gates(study: TinyStudy) -> dict[str, str]:
    table = pd.read_parquet(study.tables / "gates.parquet")
    return dict(zip(table["gate"], table["result"], strict=True))


def verdict(study: TinyStudy) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((study.tables / "verdict.json").read_text(encoding="utf-8"))
    return found


# Files


def test_a_missing_file(study: TinyStudy, capsys: Capture) -> None:
    del study.files["schools.csv"]
    message = study.refused_by_check(capsys)
    assert message.startswith(
        f"{PLACE}:{study.line_of('files: schools.csv')}: sources.schools.0.files: no file matches"
    )
    assert "Nearest files: " in message


def test_a_pattern_without_a_match(study: TinyStudy, capsys: Capture) -> None:
    study.sources["outcomes"][0]["files"] = "score_*.csv"
    message = study.refused_by_check(capsys)
    assert f"{PLACE}:{study.line_of('score_*.csv')}: sources.outcomes.0.files: no file matches 'score_*.csv'" in message
    assert "scores_2017.csv" in message


def test_a_column_that_is_not_there_is_told_once_for_all_files(study: TinyStudy, capsys: Capture) -> None:
    study.sources["outcomes"][0]["outcomes"]["maths"]["score"] = "mathz"
    message = study.refused_by_check(capsys)
    assert message.splitlines() == [
        f"{PLACE}:{study.line_of('mathz')}: sources.outcomes.0.outcomes.maths.score: no column 'mathz' in "
        "scores_2011.csv; it has 'school', 'year', 'maths', 'pupils', 'spread'. Did you mean 'maths'? "
        "The same in scores_2012.csv, scores_2013.csv, scores_2014.csv and 3 more."
    ]


CUT_GZIP = gzip.compress(b"id\n1\n" * 40, mtime=0)[:-9]


@pytest.mark.parametrize(
    ("content", "encoding", "told"),
    [
        (b"id,name\n1,A\n2,\x81\x8d\n", None, "schools.csv: line 3: byte 15 (0x81) is not valid in UTF-8 or cp1252."),
        ("id,name\n1,Äsh\n".encode("cp1252"), "utf-8", "schools.csv: line 2: byte 11 (0xc4) is not valid in"),
        (b"id,name\n1,A\n", "utf-99", "there is no encoding 'utf-99'; common ones are utf-8, cp1252"),
        (b"\x00\x01\x02id,name", None, "schools.csv: the file holds NUL characters, so it is binary or damaged"),
    ],
)  # fmt: skip
def test_an_unreadable_encoding(
    study: TinyStudy, capsys: Capture, content: bytes, encoding: str | None, told: str
) -> None:
    study.files["schools.csv"] = content
    if encoding:
        study.sources["schools"][0]["encoding"] = encoding
    message = study.refused_by_check(capsys)
    assert message.startswith(f"{PLACE}:{study.line_of('files: schools.csv')}: sources.schools.0.files: ")
    assert told in message


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "schools.csv: the file is empty."),
        ("id,name\n", "schools.csv: the file has a header and no rows below it."),
    ],
)
def test_an_empty_file_and_one_with_a_header_only(study: TinyStudy, capsys: Capture, content: str, told: str) -> None:
    study.files["schools.csv"] = content
    assert told in study.refused_by_check(capsys)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("schools.csv.gz", CUT_GZIP, "the gzip file is damaged or cut off; get it again"),
        ("schools.csv.gz", b"\x1f\x8b\x08 no gzip", "the gzip file is damaged or cut off; get it again"),
        ("schools.xlsx", b"PK\x03\x04 no workbook", "this is not an Excel workbook, or it is damaged"),
        ("schools.xls", b"id,name\n1,A\n", "this is not an Excel workbook, or it is damaged"),
        ("schools.parquet", b"PAR1 no table", "this is not a Parquet file, or it is damaged"),
    ],
)  # fmt: skip
def test_damaged_files(study: TinyStudy, capsys: Capture, name: str, content: bytes, told: str) -> None:
    study.files[name] = content
    study.sources["schools"][0]["files"] = name
    message = study.refused_by_check(capsys)
    assert message.startswith(f"{PLACE}:{study.line_of(name)}: sources.schools.0.files: {name}: {told}")


def test_a_folder_where_a_file_is_expected(study: TinyStudy, capsys: Capture) -> None:
    del study.files["schools.csv"]
    study.files["schools.csv/all.csv"] = "id,name\n1,A\n"
    message = study.refused_by_check(capsys)
    assert (
        "sources.schools.0.files: 'schools.csv' is a folder; name the files in it, such as 'schools.csv/*.csv'"
        in message
    )


def test_a_folder_or_nothing_where_the_cohorts_file_is_expected(study: TinyStudy, capsys: Capture) -> None:
    study.write()
    study.cohort_file.unlink()
    assert "there is no cohort 'tiny'" in study.command(capsys, "check")[2]
    study.cohort_file.mkdir()
    code, _, told = study.command(capsys, "check")
    assert (code, told) == (2, f"{PLACE}: this is a folder; a YAML file is needed.\n")


# Declarations


@pytest.mark.parametrize(
    ("section", "key", "value", "told"),
    [
        ("study", "first_yaer", 2011, "study.first_yaer: there is no such key. Did you mean 'first_year'?"),
        ("study", "first_year", "2011/12", "study.first_year: a whole number is needed here; found '2011/12'."),
        ("study", "last_year", 2010, "last_year 2010 must be later than first_year 2011."),
        ("study", "missing_outcome_years", 2014, "study.missing_outcome_years: a list is needed here; found 2014."),
        ("design", "weight", "pupil", "Did you mean 'pupils'?"),
        ("data", "folder", None, "folder: text (numbers and dates in quotation marks) is needed here; found nothing"),
        (None, "outcomes", ["maths"], "outcomes: a section (lines 'key: value', indented) is needed here; found"),
        (None, "sources", [], "sources: a section (lines 'key: value', indented) is needed here; found a list."),
        (None, "models", "cs", "models: a list is needed here; found 'cs'."),
        (None, "models", ["cs", "twef"], "there is no model 'twef' in config/models.yaml. Did you mean 'twfe'?"),
    ],
)  # fmt: skip
def test_unknown_keys_and_wrong_types(
    study: TinyStudy, capsys: Capture, section: str | None, key: str, value: object, told: str
) -> None:
    (study.declared[section] if section else study.declared)[key] = value
    message = study.refused_by_check(capsys)
    assert len(message.splitlines()) == 1
    assert told in message
    found = re.match(rf"{re.escape(PLACE)}:(\d+): ", message)
    assert found is not None
    lines = study.cohort_file.read_text(encoding="utf-8").splitlines()
    # The line of the key, of its item, or of the section that holds it.
    assert (
        key in lines[int(found[1]) - 1]
        or str(section) in lines[int(found[1]) - 1]
        or "twef" in lines[int(found[1]) - 1]
    )


def test_a_value_of_no_form_that_an_outcome_takes_is_one_line(study: TinyStudy, capsys: Capture) -> None:
    study.sources["outcomes"][0]["outcomes"]["maths"] = 3
    message = study.refused_by_check(capsys)
    assert len(message.splitlines()) == 1
    assert "sources.outcomes.0.outcomes.maths: " in message
    assert message.strip().endswith("or a list is needed here; found 3.")


@pytest.mark.parametrize(
    ("bend", "told"),
    [
        (lambda s: s["outcomes"][0]["outcomes"]["maths"].update(recode={"high": "lots"}),
         "sources.outcomes.0.outcomes.maths.recode.high: a number is needed here; found 'lots'."),
        (lambda s: s["memberships"][0].update(recode={"joined": {"long ago": "once"}}),
         "sources.memberships.0.recode.joined.long ago: 'once' is not a date, which the column 'joined' holds."),
    ],
)  # fmt: skip
def test_a_recode_to_a_wrong_type_is_one_line(
    study: TinyStudy, capsys: Capture, bend: Callable[[dict[str, Any]], None], told: str
) -> None:
    bend(study.sources)
    message = study.refused_by_check(capsys)
    assert len(message.splitlines()) == 1
    assert told in message


# Rows


def test_rows_of_a_year_outside_the_study_are_a_row_of_the_released_ledger(study: TinyStudy) -> None:
    study.files["scores_2019.csv"] = school_scores(2019)
    study.walk("release")
    ledger = pd.read_parquet(study.results / "restricted" / "ingest" / "ledger.parquet")
    assert set(ledger["rule"]) == {"year_outside_study"}
    assert ledger["file"].tolist() == ["scores_2019.csv"] * 14
    assert ledger["row"].tolist() == list(range(2, 16))
    released = pd.read_parquet(study.tables / "rejections.parquet")
    row = released.loc[released["rule"] == "year_outside_study"].iloc[0]
    assert (row["table"], row["meaning"]) == ("outcomes", "its year lies outside the study years")
    # Rows of schools are no people: their number is neither rounded nor suppressed.
    assert row["count"] == 14


def test_a_membership_that_ends_before_it_begins_is_a_row_of_the_ledger(study: TinyStudy) -> None:
    study.files["members.csv"] = members(JOINED) + "N1,9,2015-09-01,2014-09-01\n"
    study.walk("prepare")
    ledger = pd.read_parquet(study.results / "restricted" / "ingest" / "ledger.parquet")
    assert ledger[["table", "file", "row", "rule"]].to_numpy().tolist() == [
        ["memberships", "members.csv", 8, "spell_reversed"]
    ]
    schools = pd.read_parquet(study.results / "restricted" / "prepare" / "schools.parquet")
    # School 9 stays a comparison school: 6 members and 8 others.
    assert schools["arm"].value_counts().to_dict() == {"comparison": 8, "member": 6}


def test_check_names_the_first_row_of_a_rule_what_it_means_and_what_is_left(study: TinyStudy, capsys: Capture) -> None:
    study.files["members.csv"] = members(JOINED) + "N1,9,2015-09-01,2014-09-01\n"
    study.write()
    _, told, _ = study.command(capsys, "check")
    assert "memberships: 1 record rejected by spell_reversed (first: members.csv, row 8, column left)" in told
    assert "spell_reversed means: a membership ends before it begins" in told
    assert "tiny: 6 member schools and 8 comparison schools can be analysed." in told


# Studies that cannot be


def test_a_study_year_without_outcomes_that_is_not_declared(study: TinyStudy, capsys: Capture) -> None:
    del study.files["scores_2014.csv"]
    message = study.refused_by_prepare(capsys)
    assert message.startswith(f"{PLACE}:{study.line_of('study:')}: study: no outcome has a score in 2014.")
    assert "list it under study.missing_outcome_years" in message


def test_no_comparison_school_left(study: TinyStudy, capsys: Capture) -> None:
    study.files["members.csv"] = members(dict.fromkeys(range(1, 15), "2013-09-01"))
    message = study.refused_by_prepare(capsys)
    assert message.startswith(
        f"{PLACE}:{study.line_of('  schools:')}: sources.schools: all 14 schools of the register join"
    )
    assert "Add schools that never join" in message


def test_no_member_school(study: TinyStudy, capsys: Capture) -> None:
    study.files["members.csv"] = members(dict.fromkeys(range(1, 7), "2023-09-01"))
    message = study.refused_by_prepare(capsys)
    assert message.startswith(f"{PLACE}:{study.line_of('  memberships:')}: sources.memberships: none of the 14 schools")
    study.files["members.csv"] = members({99: "2013-09-01"})
    study.write()
    code, _, told = study.command(capsys, "check")
    assert code == 2
    assert "sources.memberships: every one of the 1 records was rejected (unknown_school 1)." in told


def test_all_members_joined_before_the_first_outcome(study: TinyStudy, capsys: Capture) -> None:
    study.files["members.csv"] = members(dict.fromkeys(JOINED, "2009-09-01"))
    message = study.refused_by_prepare(capsys)
    assert (
        "of the 6 member schools of the register none can be used (6: member before the first outcome year" in message
    )
    assert "add outcomes of years before 2011, or members that join later." in message


def test_one_single_school(study: TinyStudy, capsys: Capture) -> None:
    study.files["schools.csv"] = "id,name\n1,Ash\n"
    study.files["members.csv"] = members({1: "2013-09-01"})
    assert "sources.schools: the register holds one single school" in study.refused_by_prepare(capsys)


def test_an_outcome_without_variance(study: TinyStudy, capsys: Capture) -> None:
    rescored(study, lambda row: [*row[:2], "100", row[3], "0"])
    message = study.refused_by_prepare(capsys)
    assert message.startswith(f"{PLACE}:{study.line_of('  maths:')}: outcomes.maths: all 98 scores are equal")


def test_an_outcome_with_no_score_at_all(study: TinyStudy, capsys: Capture) -> None:
    rescored(study, lambda row: [*row[:2], "", row[3], ""])
    message = study.refused_by_prepare(capsys)
    assert message.startswith(f"{PLACE}:{study.line_of('  maths:')}: outcomes.maths: no score can be used (98 records")
    assert "0 with a score" in message


# Studies that can be read and cannot be believed


def test_one_single_member_school_is_withheld(study: TinyStudy) -> None:
    study.files["members.csv"] = members({1: "2013-09-01"})
    study.walk("release")
    assert gates(study)["clusters"] == "fail"
    assert verdict(study)["category"] == "not_causal"
    records = pd.read_parquet(study.tables / "records.parquet")
    assert (records["withheld"] != "").all()
    assert records[["estimate", "se", "ci_low", "ci_high", "p", "effect_size", "months"]].isna().all(axis=None)


def test_two_years_of_follow_up_have_no_headline_and_the_verdict_says_so(study: TinyStudy) -> None:
    study.files["members.csv"] = members(dict.fromkeys(JOINED, "2015-09-01"))
    study.walk("release")
    assert gates(study)["follow_up"] == "fail"
    found = verdict(study)
    assert found["category"] == "not_causal"
    assert found["headline"] is None
    assert "its schools were followed for only 2 years, and networks take at least three" in found["sentence"]


def test_joining_in_a_year_without_tests(study: TinyStudy) -> None:
    del study.files["scores_2014.csv"]
    study.declared["study"]["missing_outcome_years"] = [2014]
    study.walk("release")
    schools = pd.read_parquet(study.results / "restricted" / "prepare" / "schools.parquet")
    assert sorted(schools["entry_year"].dropna().unique()) == [2014, 2015]
    records = pd.read_parquet(study.tables / "records.parquet")
    headline = records.loc[records["headline"]].iloc[0]
    # The effect of 4 points on pupils' SD of 10 begins in the third year of joining.
    assert headline["effect_size_low"] < 0.4 < headline["effect_size_high"]
    cells = records.loc[(records["model"] == "cs") & (records["estimand"] == "att_group_time")]
    assert len(cells) > 0
    assert 2014 not in set(cells["term"].str.extract(r"(\d{4})\D*$")[0].dropna().astype(int))


# What is written, and what is not


def test_results_that_cannot_be_written(study: TinyStudy) -> None:
    study.write()
    (study.folder / "results").write_text("a file where the folder should be", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "plneval.cli.stage", "ingest", "--cohort", "tiny"],
        cwd=study.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert re.search(r"results\S*: Not a directory", done.stderr)


def test_no_identifier_and_no_value_of_a_row_is_told(
    tmp_path: Path, capsys: Capture, caplog: pytest.LogCaptureFixture
) -> None:
    study = pupil_study(tmp_path)
    study.files["scores.csv"] = str(study.files["scores.csv"]) + (
        f"{pupil_number(1, 1)},2012,8888\n"  # out of range, and its key a second time
        f"{pupil_number(1, 2)},2012,about7777\n"  # not a number
        f"UPN77Unknown,2012,101\n{pupil_number(2, 1)},1999,101\n{pupil_number(2, 2)}\n"
    )
    study.walk("prepare")
    rules = set(pd.read_parquet(study.results / "restricted" / "ingest" / "ledger.parquet")["rule"])
    assert rules >= {"out_of_range", "bad_type", "unknown_pupil", "year_outside_study", "bad_row"}
    told = caplog.text
    # And messages of mistakes: a mapped column that is not there, a file without a header, scores that are all equal.
    study.sources["outcomes"][0]["outcomes"]["maths"] = "mathz"
    told += study.refused_by_check(capsys)
    study.sources["outcomes"][0]["outcomes"]["maths"] = "maths"
    rows = str(study.files["scores.csv"]).splitlines()[1:]
    study.files["scores.csv"] = "\n".join(rows)
    told += study.refused_by_check(capsys)
    study.files["scores.csv"] = "pupil,year,maths\n" + "\n".join(
        f"{pupil_number(s, 1)},{year},87.25" for s in range(1, 15) for year in range(2011, 2018)
    )
    study.write()
    assert study.stage("ingest") == 0
    assert study.stage("prepare") == 2
    told += study.problem("prepare") + caplog.text
    for path in (study.results / "restricted" / "ingest").glob("*.json"):
        told += path.read_text(encoding="utf-8")
    assert "all 98 scores are equal" in told
    for secret in ("UPN77", "8888", "7777", "87.25"):
        assert secret not in told
