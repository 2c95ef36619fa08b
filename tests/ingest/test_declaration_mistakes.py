"""Mistakes in a cohort's sources: one clear line each, with file and line, all at once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ingest_study import Study

from plneval.errors import UserError, UserErrors
from plneval.ingest.files import resolve
from plneval.ingest.stage import check


def problems(study: Study) -> list[str]:
    with pytest.raises(UserError) as caught:
        study.load()
    return str(caught.value).splitlines()


def line_of(study: Study, text: str) -> int:
    lines = (study.root / "study.yaml").read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)


def test_a_missing_column_names_line_file_and_the_likely_one(study: Study) -> None:
    study.sources["outcomes"][0]["outcomes"] = {"maths": "mathz"}
    found = problems(study)
    assert found == [
        f"{study.root}/study.yaml:{line_of(study, 'mathz')}: sources.outcomes.0.outcomes.maths: no column 'mathz' in "
        "scores.csv; it has 'pupil', 'year', 'maths'. Did you mean 'maths'?"
    ]


def test_the_long_form_of_a_wide_outcome_names_its_key(study: Study) -> None:
    study.sources["outcomes"][0]["outcomes"] = {"maths": {"score": "maths", "n": "count"}}
    assert "sources.outcomes.0.outcomes.maths.n: no column 'count' in scores.csv" in problems(study)[0]


def test_a_first_row_of_data_is_not_shown_as_if_it_were_a_header(study: Study) -> None:
    study.files["scores.csv"] = "A0042,2015,maths result\nA0043,2015,99\n"
    found = "\n".join(problems(study))
    assert "nor any other that is mapped; row 1 looks like data, not like column names" in found
    assert "Are header_row and delimiter right?" in found
    assert "A0042" not in found
    study.files["scores.csv"] = "upn A1,upn A2,maths result\nA0043,2015,99\n"
    found = "\n".join(problems(study))
    assert "nor any other that is mapped; row 1 has 'maths result'" in found
    assert "A1" not in found


def test_all_mistakes_of_all_files_are_told_at_once(study: Study) -> None:
    study.sources["schools"][0]["columns"]["name"] = "title"
    study.sources["pupils"][0]["columns"]["grade"] = ["klass", "form"]
    study.sources["networks"][0]["files"] = "network.csv"
    study.sources["outcomes"][0]["columns"]["scor"] = "maths"
    study.files["members.csv"] = ""
    found = problems(study)
    assert len(found) == 5
    together = "\n".join(found)
    assert "no column 'title' in schools.csv" in together
    assert "no column 'klass' or 'form' in pupils.csv" in together
    assert "no file matches 'network.csv'" in together
    assert "Nearest files: networks.csv" in together
    assert "the table 'outcomes' has no column 'scor'. Did you mean 'score'?" in together
    assert "members.csv: the file is empty" in together


@pytest.mark.parametrize(
    ("table", "changes", "message"),
    [
        ("schools", {"columns": {"school": "id"}}, "has no column 'school'. Did you mean 'school_id'?"),
        ("schools", {"columns": {"name": "name"}}, "the table 'schools' needs 'school_id'; map it under columns"),
        ("schools", {"year": {"value": 2015}}, "year: the table 'schools' has no year"),
        ("pupils", {"year": None}, "the table 'pupils' has a year for every row"),
        ("pupils", {"constants": {"year": 2015}}, "constants.year: say where the year comes from under 'year:'"),
        ("pupils", {"constants": {"disadvantaged": "maybe"}, "columns": {"pupil_id": "pupil", "school_id": "school"}},
         "'maybe' is not a flag"),
        ("pupils", {"recode": {"disadvantaged": {"yes": "often"}}}, "recode.disadvantaged.yes: 'often' is not a flag"),
        ("pupils", {"recode": {"gender": {"1": "F"}}}, "the column 'gender' is recoded and not mapped"),
        ("pupils", {"recode": {"grad": {"1": "F"}}}, "has no column 'grad'. Did you mean 'grade'?"),
        ("pupils", {"outcomes": {"maths": "maths"}}, "only sources of the table 'outcomes' take this"),
        ("pupils", {"items": {"a": "b"}}, "only sources of the table 'surveys' take this"),
        ("pupils", {"status": {"column": "a", "members": {"x": "N1"}}}, "only sources of the table 'memberships'"),
        ("memberships", {"constants": {"entry_unknown": 1}}, "has no column 'entry_unknown'"),
        ("outcomes", {"columns": {}, "constants": {"grade": 3}},
         "the table 'outcomes' needs 'pupil_id' (study.level is 'pupil')"),
        ("outcomes", {"outcomes": {}}, "the table 'outcomes' needs 'outcome'; map it under columns"),
        ("outcomes", {"outcomes": {"maths": {"score": "maths", "years": [1999]}}}, "1999 is outside the study years"),
        ("outcomes", {"outcomes": {}, "columns": {"pupil_id": "pupil", "score": "maths"},
                      "constants": {"outcome": "math"}},
         "the outcome 'math' is not declared under outcomes. Did you mean 'maths'?"),
        ("outcomes", {"year": {"file_name": r"_(\d{4})"}}, "finds no year of 2 or 4 digits in the file"),
        ("outcomes", {"year": {"by_file": {"score.csv": 2015}}}, "no file of this source is called 'score.csv'"),
        ("outcomes", {"year": {"column": "yeer"}}, "year.column: no column 'yeer' in scores.csv"),
        ("outcomes", {"files": "../scores.csv"}, "'../scores.csv' leaves the data folder"),
        ("outcomes", {"files": "/etc/passwd"}, "leaves the data folder"),
        ("outcomes", {"columns": {"pupil_id": ["pupil", "maths"]}}, "'pupil' and 'maths'; one of them must be chosen"),
    ],
)  # fmt: skip
def test_a_wrong_declaration_is_one_line_that_says_what_to_do(
    study: Study, table: str, changes: dict[str, Any], message: str
) -> None:
    source = study.sources[table][0]
    for key, value in changes.items():
        if value is None:
            source.pop(key)
        else:
            source[key] = value
    found = problems(study)
    assert any(message in line for line in found), found
    assert all(line.startswith(f"{study.root}/study.yaml:") for line in found)


def test_a_study_of_schools_takes_no_outcomes_of_pupils(study: Study) -> None:
    study.declared["study"]["level"] = "school"
    assert any("needs 'school_id' (study.level is 'school')" in line for line in problems(study))
    assert any("these outcomes are of pupils" in line for line in problems(study))


def test_a_covariate_that_looks_like_a_mistyped_column_is_refused(study: Study) -> None:
    study.files["years.csv"] = "school,roll\n001,200\n"
    study.sources["school_years"] = [
        {"files": "years.csv", "year": {"value": 2015}, "columns": {"school_id": "school", "enrollment": "roll"}}
    ]
    assert "Did you mean 'enrolment'?" in problems(study)[0]


def test_sources_of_a_table_must_agree_about_keep_and_pupil_identity_must_be_mapped(study: Study) -> None:
    study.sources["schools"].append({"rows": [{"school_id": "009"}], "keep": "last"})
    # Rows written in the configuration take constants only.
    with pytest.raises(UserErrors, match="keep says how files are read"):
        study.load()
    study.sources["schools"][1] = {**study.sources["schools"][0], "keep": "last"}
    study.declared["design"] = {"pupil_identity": ["birth", "brith"]}
    found = problems(study)
    assert any("all sources of a table must say the same under 'keep'" in line for line in found)
    assert any("a source of the table 'pupils' does not map 'birth'" in line for line in found)
    assert any("has no column 'brith' beside its key. Did you mean 'birth'?" in line for line in found)


def test_a_missing_data_folder_says_where_the_data_come_from(study: Study) -> None:
    cohort, source = study.cohort()
    with pytest.raises(UserError, match=r"data\.folder: there is no folder '.*data'.*Ask the office"):
        check(cohort, "study", study.data, source)


def test_messages_without_the_read_file_still_name_it(study: Study) -> None:
    study.sources["outcomes"][0]["outcomes"] = {"maths": "mathz"}
    study.write()
    cohort, _ = study.cohort()
    with pytest.raises(
        UserError, match=r"^config/cohorts/study\.yaml: sources\.outcomes\.0\.outcomes\.maths: no column"
    ):
        check(cohort, "study", study.data)


def test_patterns_give_sorted_files_without_hidden_ones_and_lock_files(study: Study) -> None:
    for name in ("s/b_2016.csv", "s/a_2015.csv", "s/.c_2017.csv", "s/~$d_2018.csv", "s/e.txt"):
        study.files[name] = "pupil,maths\nP1,1\n"
    study.sources["outcomes"][0]["files"] = ["s/*_*.csv", "s/a_*.csv"]
    study.write()
    cohort, _ = study.cohort()
    assert resolve(cohort, study.data)["outcomes"] == [(0, [study.data / "s/a_2015.csv", study.data / "s/b_2016.csv"])]
    assert list(resolve(cohort, study.data)) == ["schools", "networks", "memberships", "pupils", "outcomes"]


def test_a_link_out_of_the_data_folder_is_refused(study: Study, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("pupil,year,maths\nP1,2015,1\n", encoding="utf-8")
    study.write()
    (study.data / "scores.csv").unlink()
    os.symlink(outside, study.data / "scores.csv")
    assert "'scores.csv' is a link to a file outside the data folder" in problems(study)[0]


def test_a_table_of_which_nothing_is_left_is_a_mistake(study: Study) -> None:
    study.files["scores.csv"] = "pupil,year,maths\nQ1,2015,1\nQ2,1999,1\n"
    assert problems(study)[0].endswith(
        "sources.outcomes: every one of the 2 records was rejected (year_outside_study 1, unknown_pupil 1)."
    )


def test_check_counts_what_ingest_would_write_and_writes_nothing(study: Study) -> None:
    study.files["scores.csv"] = "pupil,year,maths\nP1,2015,1\nP1,2015,1\nP1,2016,x\n"
    study.write()
    cohort, source = study.cohort()
    before = sorted(study.root.rglob("*"))
    result = check(cohort, "study", study.data, source)
    outcome = next(count for count in result.counts if count.table == "outcomes")
    assert (outcome.read, outcome.kept, outcome.rejected, outcome.merged) == (3, 1, 1, 1)
    assert "outcomes: 1 record rejected by bad_type (first: scores.csv, row 4, column score)" in result.warnings
    assert sorted(study.root.rglob("*")) == before
