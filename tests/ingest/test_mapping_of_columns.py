"""Columns, constants, codes for missing, recodes, wide to long."""

from __future__ import annotations

import numpy as np
import pandas as pd
from ingest_study import Study

from plneval.config.sources import TABLES


def test_every_table_is_there_typed_and_in_the_order_of_its_raw_key(study: Study) -> None:
    frames = study.load().frames
    assert set(frames) == set(TABLES)
    pupils = frames["pupils"]
    assert pupils[["pupil_id", "year"]].to_numpy().tolist() == [["P1", 2015], ["P1", 2016], ["P2", 2015], ["P2", 2016]]
    assert {name: str(dtype) for name, dtype in pupils.dtypes.items()} == {
        "pupil_id": "str",
        "year": "Int64",
        "school_id": "str",
        "grade": "str",
        "disadvantaged": "float64",
        "gender": "str",
        "birth": "str",
    }
    assert pupils["gender"].isna().all()
    assert frames["memberships"]["entry_unknown"].tolist() == [False]
    empty = frames["surveys"]
    assert len(empty) == 0
    assert str(empty["date"].dtype) == "datetime64[us]"


def test_the_order_of_rows_does_not_depend_on_the_order_in_the_files(study: Study) -> None:
    before = study.load().frames["outcomes"]
    lines = str(study.files["scores.csv"]).splitlines()
    study.files["scores.csv"] = "\n".join([lines[0], *reversed(lines[1:])]) + "\n"
    pd.testing.assert_frame_equal(study.load().frames["outcomes"], before)


def test_codes_for_missing_come_before_recodes_and_types(study: Study) -> None:
    study.declared["data"]["missing"] = ["NO DATA"]
    study.files["scores.csv"] = "pupil,year,maths\nP1,2015,-9\nP1,2016,NO DATA\nP2,2015, absent \nP2,2016,-9.0\n"
    study.sources["outcomes"][0] |= {"missing": [-9, "absent"], "recode": {"score": {"-9": 100}}}
    tables = study.load()
    assert tables.frames["outcomes"]["score"].isna().all()
    assert tables.ledger.total("outcomes", "kept") == 4


def test_ordered_words_become_numbers_and_other_words_stay(study: Study) -> None:
    wide = {"maths": {"score": "maths", "recode": {"WEAK": 2, "VERY STRONG": 5}}}
    study.sources["outcomes"][0] |= {"outcomes": wide}
    study.files["scores.csv"] = "pupil,year,maths\nP1,2015,VERY STRONG\nP1,2016,WEAK\nP2,2015,weak\n"
    tables = study.load()
    assert tables.frames["outcomes"]["score"].tolist() == [5.0, 2.0]
    assert tables.ledger.rejected_by_rule("outcomes") == {"bad_type": 1}


def test_a_recode_to_nothing_but_text_keeps_what_is_not_listed(study: Study) -> None:
    study.sources["pupils"][0]["recode"] = {"grade": {"3": "Year 3"}, "disadvantaged": {"1": 0, "0": 1}}
    pupils = study.load().frames["pupils"]
    assert pupils["grade"].tolist() == ["Year 3", "4", "Year 3", "4"]
    assert pupils["disadvantaged"].tolist() == [0.0, 0.0, 1.0, 1.0]


def test_wide_outcomes_become_a_record_each_with_n_and_sd(study: Study) -> None:
    study.declared["study"]["level"] = "school"
    study.declared["sources"].pop("pupils")
    study.files["scores.csv"] = "school,year,m,m_n,m_sd,r\n001,2015,101,30,14.5,90\n002,2015,,25,,91\n"
    study.sources["outcomes"][0] |= {
        "columns": {"school_id": "school"},
        "outcomes": {"maths": {"score": "m", "n": "m_n", "sd": "m_sd"}, "reading": "r"},
    }
    tables = study.load()
    found = tables.frames["outcomes"].set_index(["school_id", "outcome"])
    assert found.loc[("001", "maths"), ["score", "n", "sd"]].tolist() == [101.0, 30.0, 14.5]
    assert found.loc[("001", "reading"), "score"] == 90.0
    # A record without a score is kept with a missing score.
    assert np.isnan(found.loc[("002", "maths"), "score"])
    assert tables.ledger.total("outcomes", "read") == 4


def test_a_wide_outcome_is_read_in_its_years_only(study: Study) -> None:
    study.files["scores_2015.csv"] = "pupil,maths\nP1,1\nP2,2\n"
    study.files["scores_2016.csv"] = "pupil,reading\nP1,3\nP2,4\n"
    study.sources["outcomes"][0] |= {
        "files": "scores_*.csv",
        "year": {"file_name": r"_(\d{4})"},
        "outcomes": {"maths": {"score": "maths", "years": [2015]}, "reading": {"score": "reading", "years": [2016]}},
    }
    tables = study.load()
    assert tables.frames["outcomes"][["pupil_id", "year", "outcome", "score"]].to_numpy().tolist() == [
        ["P1", 2015, "maths", 1.0],
        ["P1", 2016, "reading", 3.0],
        ["P2", 2015, "maths", 2.0],
        ["P2", 2016, "reading", 4.0],
    ]
    assert tables.ledger.total("outcomes", "read") == 4


def test_years_of_a_wide_outcome_follow_the_year_column_row_by_row(study: Study) -> None:
    found = study.outcomes_of(
        "pupil,year,maths\nP1,2014/15,1\nP1,2016,2\nP2,2015,3\n",
        outcomes={"maths": {"score": "maths", "years": [2015]}},
    )
    assert found[["pupil_id", "year", "score"]].to_numpy().tolist() == [["P1", 2015, 1.0], ["P2", 2015, 3.0]]


def test_a_column_goes_by_one_of_several_names_in_each_file(study: Study) -> None:
    study.files["scores_2015.csv"] = "UPN,MATHS\nP1,1\n"
    study.files["scores_2016.csv"] = "pupil_number,ma_score\nP1,2\n"
    found = study.outcomes_of(
        "unused,file\n1,2\n",
        files="scores_20*.csv",
        columns={"pupil_id": ["UPN", "pupil_number"]},
        outcomes={"maths": ["MATHS", "ma_score"]},
        year={"file_name": r"_(\d{4})"},
    )
    assert found[["year", "score"]].to_numpy().tolist() == [[2015, 1.0], [2016, 2.0]]


def test_survey_items_in_columns_of_their_own_become_records(study: Study) -> None:
    study.files["survey.csv"] = "who,wave,trust,focus\nT1,1,4,agree\nT2,1,,5\n"
    study.declared["sources"]["surveys"] = [
        {
            "files": "survey.csv",
            "constants": {"instrument": "conditions"},
            "columns": {"respondent_id": "who", "wave": "wave"},
            "items": {"trust_1": "trust", "focus_1": "focus"},
            "recode": {"response": {"agree": 4}},
        }
    ]
    found = study.load().frames["surveys"]
    assert found[["respondent_id", "instrument", "item"]].to_numpy().tolist() == [
        ["T1", "conditions", "focus_1"],
        ["T1", "conditions", "trust_1"],
        ["T2", "conditions", "focus_1"],
        ["T2", "conditions", "trust_1"],
    ]
    assert found["response"].tolist()[:3] == [4.0, 4.0, 5.0]
    assert np.isnan(found["response"][3])


def test_rows_written_in_the_configuration_are_records(study: Study) -> None:
    study.declared["sources"]["networks"] = [
        {"rows": [{"network_id": "N1", "name": "Numeracy", "started": 2014}, {"network_id": "N2"}]}
    ]
    tables = study.load()
    networks = tables.frames["networks"]
    assert networks["started"].tolist() == [2014, pd.NA]
    assert networks["name"].tolist()[0] == "Numeracy"
    assert tables.ledger.total("networks", "read") == 2


def test_a_cohort_may_add_numeric_covariates_to_school_years(study: Study) -> None:
    study.files["years.csv"] = "school,roll,meals\n001,200,55.5\n002,100,\n"
    study.declared["sources"]["school_years"] = [
        {
            "files": "years.csv",
            "year": {"value": 2015},
            "columns": {"school_id": "school", "enrolment": "roll", "free_meals": "meals"},
        }
    ]
    found = study.load().frames["school_years"]
    assert found["free_meals"].tolist()[0] == 55.5
    assert found.columns[-1] == "free_meals"
