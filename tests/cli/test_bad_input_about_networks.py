"""Data about networks that cannot be right, from raw files to the tables of the report: every rule by its name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml
from tiny_study import TinyStudy, pupil_study

FORM = {
    "label": "Conditions",
    "lowest": 1,
    "highest": 5,
    "roles": ["participant"],
    "minimum_respondents": 6,
    "scales": {
        "focus": {
            "label": "Focus",
            "meaning": "Shared.",
            "measures": "condition",
            "sources": ["made up"],
            "items": {f"focus_{number}": {"wording": f"Item {number}."} for number in (1, 2, 3)},
        }
    },
}
ITEMS = ("focus_1", "focus_2", "focus_3")


def spoilt(folder: Path) -> TinyStudy:
    """A study of pupils with every mistake about networks that has a rule of its own."""
    study = pupil_study(folder)
    # Network N3 has one school; a membership lacks its date; a participant is in two schools at once.
    study.files["members.csv"] = str(study.files["members.csv"]) + "N3,7,2013-09-01,\nN1,8,,\n"
    study.files["networks.csv"] = "net,name\nN1,Numeracy\nN2,Reading\nN3,Alone\n"
    study.files["people.csv"] = "net,school,teacher,from\nN1,1,T1,2013-09-01\nN1,3,T1,2013-09-01\nN2,2,T2,2013-09-01\n"
    study.sources["memberships"].append(
        {
            "files": "people.csv",
            "columns": {"network_id": "net", "school_id": "school", "teacher_id": "teacher", "joined": "from"},
        }
    )
    # In 2017 T2, who took part, teaches in school 12, which never joins; T9 stands in two registers in 2012.
    staff = [(f"T{s}", year, 12 if (s, year) == (2, 2017) else s) for year in range(2011, 2018) for s in range(1, 15)]
    staff.append(("T9", 2012, 10))
    study.files["staff.csv"] = "teacher,year,school\n" + "".join(f"{t},{y},{s}\n" for t, y, s in staff)
    columns = {"teacher_id": "teacher", "school_id": "school"}
    study.sources["teachers"] = [{"files": "staff.csv", "year": {"column": "year"}, "columns": columns}]
    # One share of teaching above 1, and one pupil whose two teachers give 0.8 each.
    study.files["lessons.csv"] = (
        "pupil,year,subject,teacher,share\n"
        "UPN77010Q,2014,maths,T1,1.4\nUPN77011Q,2014,maths,T1,0.8\nUPN77011Q,2014,maths,T2,0.8\n"
    )
    columns = {"pupil_id": "pupil", "subject": "subject", "teacher_id": "teacher", "share": "share"}
    study.sources["teaching"] = [{"files": "lessons.csv", "year": {"column": "year"}, "columns": columns}]
    # One tie to somebody whom no register knows.
    study.files["ties.csv"] = "wave,from,to\n1,T1,T2\n1,T1,T99\n"
    columns = {"wave": "wave", "source": "from", "target": "to"}
    study.sources["ties"] = [{"files": "ties.csv", "columns": columns}]
    study.declared["instrument"] = "small"
    study.files["survey.csv"] = "".join(answers())
    columns = {name: name for name in ("respondent_id", "school_id", "network_id", "role", "wave", "date")}
    items = {item: item for item in ITEMS}
    constants = {"instrument": "conditions"}
    study.sources["surveys"] = [
        {"files": "survey.csv", "constants": constants, "columns": columns, "items": items}
    ]  # fmt: skip
    study.models["by_focus"] = {
        "kind": "networks.moderation",
        "label": "Effects by focus",
        "outcome": "maths",
        "role": "exploratory",
        "conditions": ["focus"],
    }
    study.declared["models"] = ["cs", "by_focus"]
    study.project["formats"] = ["html"]
    return study


def answers() -> Iterator[str]:
    """Twelve participants in 2017, after the first outcomes as members, one of them with a 9; five in a second wave."""
    yield f"respondent_id,school_id,network_id,role,wave,date,{','.join(ITEMS)}\n"
    for wave, people, date in ((1, 12, "2017-03-01"), (2, 5, "2017-06-01")):
        for person in range(people):
            values = [1 + (person * number + wave) % 5 for number in (1, 2, 3)]
            values[0] = 9 if person == 0 and wave == 1 else values[0]
            school = 1 + person % 6
            network = f"N{2 - school % 2}"
            yield f"R{person},{school},{network},participant,{wave},{date},{','.join(map(str, values))}\n"


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> TinyStudy:
    folder = tmp_path_factory.mktemp("spoilt")
    study = spoilt(folder)
    study.write()
    path = folder / "config" / "instruments" / "small.yaml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump({"title": "Made up", "forms": {"conditions": FORM}}), encoding="utf-8")
    for stage in ("ingest", "prepare", "describe"):
        assert study.stage(stage) == 0, stage
    return study


def measure(study: TinyStudy, name: str) -> pd.DataFrame:
    return pd.read_parquet(study.results / "restricted" / "describe" / f"{name}.parquet")


@pytest.mark.parametrize(
    ("rule", "table", "count"),
    [
        ("membership_without_date", "memberships", 1),
        ("teacher_in_two_registers", "teachers", 2),
        ("teacher_in_two_schools", "memberships", 1),
        ("participant_in_comparison_school", "teachers", 1),
        ("network_of_one_school", "networks", 1),
        ("share_over_one", "teaching", 1),
        ("shares_over_one", "teaching", 1),
        ("tie_to_unknown_person", "ties", 1),
    ],
)
def test_what_cannot_be_right_is_counted_by_its_rule(described: TinyStudy, rule: str, table: str, count: int) -> None:
    found = measure(described, "network_problems").set_index("rule")
    assert (found.loc[rule, "table"], found.loc[rule, "count"]) == (table, count)
    assert found.loc[rule, "meaning"]


def test_rejected_records_stand_in_the_ledger_too(described: TinyStudy) -> None:
    found = measure(described, "rejections").set_index(["table", "rule"])["count"]
    assert found["memberships", "missing_key"] == 1
    assert found["teaching", "out_of_range"] == 1


def test_answers_outside_their_scale_and_a_wave_of_five_have_a_note(described: TinyStudy) -> None:
    found = measure(described, "survey_notes").set_index(["rule", "wave"])
    assert found.loc[("answer_outside_scale", "1"), "count"] == 1
    assert found.loc[("few_respondents", "2"), "text"] == (
        "fewer respondents in the wave than the form asks for: no reliability, no agreement"
    )


def test_a_condition_measured_after_the_outcome_is_refused_as_a_moderator(described: TinyStudy) -> None:
    assert described.stage("estimate", "--model", "by_focus") == 0
    said = (described.results / "restricted" / "estimate" / "by_focus.json").read_text(encoding="utf-8")
    records = pd.read_parquet(described.results / "restricted" / "estimate" / "by_focus.records.parquet")
    assert not records["estimand"].isin(["moderation_slope", "moderation_slope_naive"]).any()
    assert "after the outcome" in said


@pytest.fixture(scope="module")
def gate(described: TinyStudy) -> dict[str, str]:
    """What the gate about data of networks says, before and behind the door."""
    for stage, more in (("estimate", ("--model", "by_focus")), ("estimate", ("--model", "cs")), ("challenge", ())):
        assert described.stage(stage, *more) == 0, stage
    assert described.stage("release") == 0
    formed = pd.read_parquet(described.results / "restricted" / "challenge" / "gates.parquet").set_index("gate")
    left = pd.read_csv(described.tables / "gates.csv").set_index("gate")
    assert left.loc["network_data", "result"] == formed.loc["network_data", "result"] == "caution"
    return {"formed": formed.loc["network_data", "statement"], "released": left.loc["network_data", "statement"]}


FEWER = "fewer than 10"
SAID = [
    ("{} without a date of joining", "1 membership", FEWER),
    ("{} records with two schools or roles in one year", "2 teacher", FEWER),
    ("{} with memberships through two schools at once (more than 5 %)", "1 teacher", FEWER),
    ("{} who had taken part and was on the staff of a comparison school (more than 20 %)", "1 teacher", FEWER),
    ("{} with such a teacher", "1 comparison school", "1"),
    ("{} that never had two schools (more than 20 %)", "1 network", "1"),
    ("{} with a share outside 0 to 1 (more than 5 %)", "1 lesson", FEWER),
    ("{} record whose shares of teaching sum to more than 1 (more than 5 %)", "1 pupil", FEWER),
    ("{} to somebody whom no register knows (more than 5 %)", "1 tie", FEWER),
    ("{} outside its scale", "1 response", FEWER),
    ("{} of a questionnaire with too few people for a reliability (more than 20 %)", "1 wave", "1"),
    ("{} refused as measured after the outcome (more than 20 %)", "1 condition", "1"),
]


@pytest.mark.parametrize(("words", "found", "told"), SAID)
def test_every_kind_of_bad_data_about_networks_stands_in_the_gate_that_is_released(
    gate: dict[str, str], words: str, found: str, told: str
) -> None:
    """Counts of people and their records are told by the rule of the door."""
    assert words.format(found) in gate["formed"]
    noun = found.split(" ", 1)[1]
    assert words.format(f"{told} {noun}") in gate["released"]
