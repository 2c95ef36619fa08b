"""Every rule of the ledger, and what is merged."""

from __future__ import annotations

import pytest
from ingest_study import Study

HEADER = "pupil,year,maths\n"


def outcomes_ledger(study: Study, rows: str) -> tuple[dict[str, int], list[list[object]]]:
    study.files["scores.csv"] = HEADER + rows
    ledger = study.load().ledger
    frame = ledger.frame()
    return ledger.rejected_by_rule("outcomes"), frame[["row", "column", "rule"]].to_numpy().tolist()


@pytest.mark.parametrize(
    ("row", "column", "rule"),
    [
        (",2015,100", "pupil_id", "missing_key"),
        ("P1,,100", "year", "missing_key"),
        ("P1,15,100", "year", "bad_type"),
        ("P1,2015,12a", "score", "bad_type"),
        ("P1,2015,200.5", "score", "out_of_range"),
        ("P1,2015,-1", "score", "out_of_range"),
        ("P1,2014,100", "year", "year_outside_study"),
        ("P1,2019,100", "year", "year_outside_study"),
        ("P9,2015,100", "pupil_id", "unknown_pupil"),
        # A pupil is looked up in the year of the score.
        ("P1,2017,100", "pupil_id", "unknown_pupil"),
        ("P1,2015", "", "bad_row"),
        # The first rule that a record breaks takes it.
        (",2030,12a", "pupil_id", "missing_key"),
        ("P9,2030,500", "year", "year_outside_study"),
    ],
)
def test_a_wrong_score_is_rejected_by_its_rule_with_row_and_column(
    study: Study, row: str, column: str, rule: str
) -> None:
    rules, rows = outcomes_ledger(study, f"P2,2015,99\n{row}\nP2,2016,98\n")
    assert rules == {rule: 1}
    assert rows == [[3, column, rule]]


def test_exact_duplicates_are_merged_and_conflicting_ones_all_rejected(study: Study) -> None:
    rows = "P1,2015,100\nP1,2015,100\nP1,2015,100.0\nP2,2015,99\nP2,2015,98\nP2,2015,98\n"
    study.files["scores.csv"] = HEADER + rows
    tables = study.load()
    ledger = tables.ledger
    assert tables.frames["outcomes"][["pupil_id", "score"]].to_numpy().tolist() == [["P1", 100.0]]
    # Two merged into P1's first; of P2's three, one merged into its like and two conflicting.
    assert ledger.total("outcomes", "merged") == 3
    assert ledger.frame()[["row", "rule"]].to_numpy().tolist() == [
        [5, "conflicting_duplicate"],
        [6, "conflicting_duplicate"],
    ]


def test_duplicates_across_files_are_merged_and_counted_where_they_were_left_out(study: Study) -> None:
    study.files["more.csv"] = HEADER + "P1,2015,101\nP2,2017,1\n"
    study.sources["outcomes"].append({**study.sources["outcomes"][0], "files": "more.csv"})
    sources = study.load().ledger.summary()["sources"]
    counts = {
        s["file"]: (s["read"], s["kept"], s["rejected"], s["merged"]) for s in sources if s["table"] == "outcomes"
    }
    assert counts == {"scores.csv": (4, 4, 0, 0), "more.csv": (2, 0, 1, 1)}


@pytest.mark.parametrize(("keep", "kept"), [("first", "Ash"), ("last", "Ash School")])
def test_keep_says_which_record_of_a_key_stays_and_the_others_are_merged(study: Study, keep: str, kept: str) -> None:
    study.files["schools_1.csv"] = "id,name\n001,Ash\n002,Birch\n"
    study.files["schools_2.csv"] = "id,name\n001,Ash\n003,Cedar\n"
    study.files["schools_3.csv"] = "id,name\n001,Ash School\n002,Birch\n"
    study.sources["schools"][0] |= {"files": "schools_*.csv", "keep": keep}
    tables = study.load()
    assert tables.frames["schools"]["name"].tolist() == [kept, "Birch", "Cedar"]
    assert tables.ledger.total("schools", "merged") == 3
    note = next(note for note in tables.ledger.notes if note.rule == "merged_by_key")
    # Exact duplicates are not among them: one record of school 001 differs.
    assert note.count == 1


def test_without_keep_a_school_with_two_names_is_rejected_and_its_pupils_with_it(study: Study) -> None:
    study.files["schools.csv"] = "id,name\n001,Ash\n001,Oak\n002,Birch\n"
    study.files["members.csv"] = "net,school,from,to\nN1,002,2016-09-01,\n"
    ledger = study.load().ledger
    assert ledger.rejected_by_rule("schools") == {"conflicting_duplicate": 2}
    assert ledger.rejected_by_rule("pupils") == {"unknown_school": 2}
    assert ledger.rejected_by_rule("outcomes") == {"unknown_pupil": 2}


def test_memberships_are_checked_for_order_and_references(study: Study) -> None:
    study.files["staff.csv"] = "who,school\nT1,001\n"
    study.declared["sources"]["teachers"] = [
        {"files": "staff.csv", "year": {"value": 2016}, "columns": {"teacher_id": "who", "school_id": "school"}}
    ]
    study.sources["memberships"][0]["columns"]["teacher_id"] = "who"
    study.files["members.csv"] = (
        "net,school,who,from,to\n"
        "N1,001,T1,2016-09-01,2016-08-31\n"
        "N1,001,T1,2016-09-01,2016-09-01\n"
        "N3,001,,2016-09-01,\n"
        "N1,009,,2016-09-01,\n"
        "N1,001,T9,2016-09-01,\n"
        "N1,001,,,\n"
        "N1,002,,2017-03-01,\n"
        "N1,002,,2017-31-01,\n"
    )
    tables = study.load()
    assert tables.ledger.frame()[["row", "column", "rule"]].to_numpy().tolist() == [
        [2, "left", "spell_reversed"],
        [4, "network_id", "unknown_network"],
        [5, "school_id", "unknown_school"],
        [6, "teacher_id", "unknown_teacher"],
        [7, "joined", "missing_key"],
        [9, "joined", "bad_type"],
    ]
    # Joining on 1 March lies behind the cut-off of 31 January.
    late = next(note for note in tables.ledger.notes if note.rule == "late_joining")
    assert (late.table, late.count) == ("memberships", 1)


@pytest.mark.parametrize(
    ("joined", "late"),
    [("2016-09-01", 0), ("2016-12-31", 0), ("2017-01-31", 0), ("2017-02-01", 1), ("2017-08-31", 1)],
)
def test_late_joining_begins_the_day_after_the_cutoff(study: Study, joined: str, late: int) -> None:
    study.files["members.csv"] = f"net,school,from,to\nN1,001,{joined},\n"
    notes = {note.rule: note.count for note in study.load().ledger.notes}
    assert notes.get("late_joining", 0) == late


def test_shares_counts_and_coordinates_have_ranges(study: Study) -> None:
    study.files["schools.csv"] = "id,name,lat\n001,Ash,51.5\n002,Birch,91\n003,Cedar,-90\n"
    study.sources["schools"][0]["columns"]["latitude"] = "lat"
    study.files["teaching.csv"] = "pupil,subject,who,share\nP1,maths,T1,1\nP1,maths,T2,1.01\nP1,reading,T1,-0.1\n"
    study.declared["sources"]["teaching"] = [
        {
            "files": "teaching.csv",
            "year": {"value": 2015},
            "columns": {"pupil_id": "pupil", "subject": "subject", "teacher_id": "who", "share": "share"},
        }
    ]
    ledger = study.load().ledger
    assert ledger.rejected_by_rule("schools") == {"out_of_range": 1}
    assert ledger.rejected_by_rule("teaching") == {"out_of_range": 2}


def test_an_outcome_in_the_data_that_is_not_declared_is_rejected(study: Study) -> None:
    study.files["scores.csv"] = "pupil,year,what,score\nP1,2015,maths,1\nP1,2015,music,2\nP1,2015,,3\n"
    study.sources["outcomes"][0].pop("outcomes")
    study.sources["outcomes"][0]["columns"] = {"pupil_id": "pupil", "outcome": "what", "score": "score"}
    assert study.load().ledger.rejected_by_rule("outcomes") == {"missing_key": 1, "undeclared_outcome": 1}


def test_one_number_of_two_pupils_is_told_apart_by_what_the_cohort_declares(study: Study) -> None:
    study.declared["design"] = {"pupil_identity": ["birth"]}
    study.sources["pupils"][0]["columns"]["birth"] = "birth"
    study.files["pupils.csv"] = (
        "pupil,year,school,grade,fsm,birth\n"
        "P1,2015,001,6,1,2004-01\n"
        "P1,2018,002,3,0,2009-07\n"
        "P1,2017,002,3,0,\n"
        "P2,2015,002,3,0,2007-05\n"
        "P2,2016,002,4,0,2007-05\n"
    )
    study.files["scores.csv"] = HEADER + "P1,2015,1\nP1,2018,2\nP1,2017,3\nP2,2015,4\nP2,2016,5\n"
    tables = study.load()
    outcomes = tables.frames["outcomes"]
    persons = outcomes.groupby("pupil_id", sort=False)["score"].apply(list).tolist()
    assert persons == [[1.0], [2.0], [4.0, 5.0]]
    assert set(outcomes["pupil_id"]) == set(tables.frames["pupils"]["pupil_id"])
    assert next(note.count for note in tables.ledger.notes if note.rule == "recycled_identifier") == 1
    # Whose the year without a birth is, nothing tells; its score has no pupil then.
    assert tables.ledger.rejected_by_rule("pupils") == {"missing_key": 1}
    assert tables.ledger.rejected_by_rule("outcomes") == {"unknown_pupil": 1}


def test_without_declared_identity_a_number_is_a_pupil_whatever_its_birth(study: Study) -> None:
    study.sources["pupils"][0]["columns"]["birth"] = "birth"
    study.files["pupils.csv"] = "pupil,year,school,grade,fsm,birth\nP1,2015,001,6,1,2004-01\nP1,2018,002,3,0,2009-07\n"
    study.files["scores.csv"] = HEADER + "P1,2015,1\nP1,2018,2\n"
    tables = study.load()
    assert tables.frames["pupils"]["pupil_id"].nunique() == 1
    assert {note.rule: note.count for note in tables.ledger.notes}["movers"] == 1


def test_the_ledger_holds_neither_identifiers_nor_values(study: Study) -> None:
    study.files["scores.csv"] = HEADER + "SECRETPUPIL,2015,99\nP1,2015,SECRETVALUE\nP2,2015,98\n"
    tables = study.load()
    text = tables.ledger.frame().to_csv() + str(tables.ledger.summary())
    assert "SECRET" not in text


def test_memberships_in_other_programmes_are_checked_like_those_in_the_evaluated_one(study: Study) -> None:
    study.files["others.csv"] = (
        "programme,school,from,to\n"
        "Circle,001,2016-09-01,2016-08-31\n"
        "Circle,009,2016-09-01,\n"
        ",001,2016-09-01,\n"
        "Circle,001,,\n"
        "Circle,001,2017-31-01,\n"
        "Circle,002,2017-03-01,\n"
        "Circle,002,2017-03-01,\n"
        "Circle,003,2016-09-01,2017-07-01\n"
        "Circle,003,2016-09-01,2018-07-01\n"
    )
    columns = {"programme": "programme", "school_id": "school", "joined": "from", "left": "to"}
    study.sources["other_memberships"] = [{"files": "others.csv", "columns": columns}]
    tables = study.load()
    found = tables.ledger.frame()
    assert found.loc[found["table"] == "other_memberships", ["row", "column", "rule"]].to_numpy().tolist() == [
        [2, "left", "spell_reversed"],
        [3, "school_id", "unknown_school"],
        [4, "programme", "missing_key"],
        [5, "joined", "missing_key"],
        [6, "joined", "bad_type"],
        [9, "school_id", "conflicting_duplicate"],
        [10, "school_id", "conflicting_duplicate"],
    ]
    assert tables.ledger.total("other_memberships", "merged") == 1
    kept = tables.frames["other_memberships"]
    assert kept[["school_id", "programme"]].to_numpy().tolist() == [["002", "Circle"]]
    # 1 March lies behind the cut-off, as it does for memberships.
    late = [note for note in tables.ledger.notes if note.rule == "late_joining"]
    assert [(note.table, note.count) for note in late] == [("other_memberships", 1)]


def test_a_cohort_without_other_programmes_has_an_empty_table_of_them(study: Study) -> None:
    tables = study.load()
    assert list(tables.frames["other_memberships"].columns) == ["school_id", "programme", "joined", "left"]
    assert tables.frames["other_memberships"].empty
    assert "other_memberships" not in tables.ledger.counts
