"""Restricted tables through the door: what leaves, what is suppressed, rounded and withheld."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from restricted_by_hand import PSEUDONYM, cohort, frames, spec

from plneval.config.report import Disclosure
from plneval.errors import UserError
from plneval.release.control import Controlled, control
from plneval.release.door import TABLES

RULE = Disclosure()
SPECS = {"cs_maths": spec(), "cs_all": spec(headline=False), "cs_dis": spec(headline=False, subgroup="disadvantaged")}


def released(tables: dict[str, pd.DataFrame] | None = None, rule: Disclosure = RULE, **changes: Any) -> Controlled:
    return control(tables or frames(), cohort(**changes), "hill", SPECS, rule, school_names=["Hillside Primary School"])


def one(frame: pd.DataFrame, **where: Any) -> pd.Series:
    rows = frame
    for column, value in where.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1
    return rows.iloc[0]


def test_unlisted_column_never_leaves() -> None:
    tables = frames()
    tables["composition"]["pupil_id"] = PSEUDONYM
    tables["records"]["school_names"] = "Hillside Primary School"
    found = released(tables)
    assert "pupil_id" not in found.frames["composition"].columns
    assert found.left_behind == {"composition": ["pupil_id"], "records": ["school_names"]}
    assert not any(PSEUDONYM in frame.to_csv() for frame in found.frames.values())


def test_listed_column_that_is_missing_is_an_error() -> None:
    tables = frames()
    tables["trends"] = tables["trends"].drop(columns="n_pupils")
    with pytest.raises(UserError, match=r"trends.parquet: no column 'n_pupils'; run the cohort again from describe"):
        released(tables)


@pytest.mark.parametrize(
    ("table", "column", "value", "words"),
    [
        ("trends", "group", "Hillside Primary School", "not in the column's vocabulary"),
        ("baseline", "covariate", "St Mary's", "not a name as the program writes it"),
        ("gates", "statement", "In Hillside Primary School it was larger.", "the name of a school"),
        ("records", "warnings", f"dropped {PSEUDONYM}", "an identifier"),
        ("records", "term", "<script>", "not a term as the program writes it"),
        ("flow", "reason", "a\x00b", "control characters"),
    ],
)
def test_value_of_the_raw_data_in_a_column_of_words_stops_the_release(
    table: str, column: str, value: str, words: str
) -> None:
    tables = frames()
    tables[table].loc[0, column] = value
    with pytest.raises(UserError, match=words) as caught:
        released(tables)
    assert f"{table}.{column}, row 1" in str(caught.value)
    assert value not in str(caught.value)


def test_flow_suppresses_a_small_exclusion_of_pupils_and_what_would_give_it_back() -> None:
    flow = released().frames["flow"]
    pupils = flow[flow["unit"] == "pupils"].set_index("step")
    # 1013 - 42 = 971, - 4 = 967, - 61 = 906. The 4 goes, with it the 967, and the 61 that would give that back.
    assert pupils["excluded_suppressed"].tolist() == [False, False, True, True]
    assert pupils["remaining_suppressed"].tolist() == [False, False, True, False]
    # 971 stands beside hidden counts and is rounded by itself; 970 + 40 = 1010.
    assert pupils["remaining"].dropna().tolist() == [1010, 970, 905]
    assert pupils["excluded"].dropna().tolist() == [0, 40]


def test_counts_of_schools_are_neither_suppressed_nor_rounded() -> None:
    flow = released().frames["flow"]
    schools = flow[flow["unit"] == "schools"]
    assert schools["remaining"].tolist() == [52, 51]
    assert schools["excluded"].tolist() == [0, 1]
    assert one(released().frames["ledger"], table="schools")["rejected"] == 7


def test_ledger_of_people_cannot_be_subtracted_back() -> None:
    found = released().frames
    pupils = one(found["ledger"], table="pupils")
    # 5000 = 4900 + 93 + 7: the 7 goes, and with it the 93; the rule of the only rejection says the same 7.
    assert pd.isna(pupils["rejected"])
    assert pd.isna(pupils["merged"])
    assert (pupils["read"], pupils["kept"]) == (5000, 4900)
    assert pd.isna(one(found["rejections"], table="pupils")["count"])
    # 9000 + 500 + (500 + 10): read is the sum of what is shown, not 10012 rounded.
    outcomes = one(found["ledger"], table="outcomes")
    assert (outcomes["rejected"], outcomes["read"]) == (510, 10010)


def test_notes_do_not_repeat_a_count_in_their_sentence() -> None:
    notes = released().frames["ingest_notes"].set_index("rule")
    assert notes.at["recycled_identifier", "text"] == "about 35 pupil numbers were given to more than one pupil."
    assert notes.at["recycled_identifier", "count"] == 35
    assert notes.at["merged_by_key", "text"].startswith("fewer than 10 records")
    # A count of files and one of spells of schools are no counts of people.
    assert notes.at["encoding_detected", "count"] == 1
    assert notes.at["encoding_detected", "text"].endswith("results_2014.csv.")


def test_counts_of_people_in_sentences_follow_the_rule() -> None:
    records = released().frames["records"]
    assert one(records, estimand="pretrend")["warnings"] == "fewer than 10 pupil-years left out: no grade"


def test_result_of_fewer_than_three_schools_is_withheld_with_its_reason() -> None:
    trends = released().frames["trends"].set_index("group")
    assert pd.isna(trends.at["2017", "mean_z"])
    assert trends.at["2017", "mean_z_suppressed"]
    assert pd.isna(trends.at["2017", "n_pupils"])
    # Member = 2015 + 2016 + 2017, so one of them hides the 7.
    assert trends.loc[["member", "2015", "2016"], "n_pupils_suppressed"].tolist() == [False, False, True]
    assert trends.at["comparison", "mean_z"] == 0.0
    records = released().frames["records"]
    thin = one(records, term="g2017:t2019")
    assert thin["withheld"] == "fewer than 3 schools"
    assert pd.isna(thin["estimate"])
    assert pd.isna(thin["n_treated"])
    assert thin["estimate_suppressed"]


def test_withheld_effect_cannot_be_worked_out_from_the_average_over_its_event_time() -> None:
    records = released().frames["records"]
    second = one(records, term="g2016:t2018")
    assert second["withheld"] == "could be worked out from another effect that is withheld"
    assert pd.isna(second["estimate"])
    assert one(records, term="g2015:t2017")["withheld"] == ""
    assert one(records, term="e2")["estimate"] == 0.123


def test_complement_of_a_subgroup_is_protected_across_models() -> None:
    # 2006 pupils in all and 2000 disadvantaged leave 6 others.
    records = released().frames["records"]
    pair = records[records["model"].isin(["cs_all", "cs_dis"])]
    assert pair["n_treated"].isna().any()
    assert pair["n_pupils"].isna().any()
    hidden = pair[pair["n_pupils"].isna()]
    assert (hidden["withheld"] != "").all()


def test_estimates_are_rounded_to_the_declared_digits() -> None:
    headline = one(released().frames["records"], headline=True)
    assert (headline["estimate"], headline["se"], headline["p"]) == (0.123, 0.031, 0.001)
    two = released(rule=Disclosure(digits=2)).frames
    assert one(two["records"], headline=True)["estimate"] == 0.12
    assert two["intraclass"]["intraclass_correlation"].tolist() == [0.14]
    assert two["recomputed"]["difference"].tolist() == [1e-10]


def test_rates_are_worked_out_from_rounded_counts() -> None:
    tables = frames()
    tables["attrition"] = pd.DataFrame(
        {
            "unit": ["pupils", "schools"],
            "arm": ["member", "member"],
            "start": [1013, 50],
            "remaining": [902, 48],
            "rate": [111 / 1013, 0.04],
        }
    )
    attrition = released(tables).frames["attrition"].set_index("unit")
    assert (attrition.at["pupils", "start"], attrition.at["pupils", "remaining"]) == (1015, 900)
    assert attrition.at["pupils", "rate"] == round(1 - 900 / 1015, 3) == 0.113
    assert attrition.loc["schools", ["start", "remaining", "rate"]].tolist() == [50, 48, 0.04]


def test_difference_of_two_counts_is_protected_like_a_count() -> None:
    tables = frames()
    tables["missingness"] = tables["missingness"].assign(expected=[1000, 2000], observed=[996, 1900])
    missing = released(tables).frames["missingness"].set_index("arm")
    # 4 missing of 1000: the observed are not shown, nor the share.
    assert pd.isna(missing.at["member", "observed"])
    assert pd.isna(missing.at["member", "missing_share"])
    assert missing.at["comparison", "missing_share"] == 0.05


def test_share_that_gives_away_a_small_count_is_withheld() -> None:
    tables = frames()
    tables["composition"] = tables["composition"].assign(
        n_pupils=100, share_disadvantaged=[0.04, 0.5, 0.96, 0.5, 0.1, 0.0]
    )
    shares = released(tables).frames["composition"]
    # 4 of 100, and all but 4 of 100; none of 100 may be said.
    assert shares["share_disadvantaged"].isna().tolist() == [True, False, True, False, False, False]


def test_type_of_network_with_few_schools_is_pooled() -> None:
    networks = released().frames["networks"]
    assert networks["type"].tolist() == ["lesson study", "other types"]
    assert networks["n_schools"].tolist() == [30, 2]


def test_published_and_suppressed_cells_obey_the_rule_in_every_table() -> None:
    found = released()
    for name, frame in found.frames.items():
        for column, kind in TABLES[name].columns.items():
            if f"{column}_suppressed" in frame:
                assert frame.loc[frame[f"{column}_suppressed"], column].isna().all()
            if kind == "people" and name not in ("flow", "attrition", "ledger", "rejections", "ingest_notes"):
                shown = frame[column].dropna()
                assert ((shown % 5 == 0) & ((shown == 0) | (shown >= 10))).all(), (name, column)
    assert sum(found.suppressed.values()) > 20


def test_school_level_study_treats_its_scores_as_those_of_schools() -> None:
    tables = frames()
    tables["missingness"] = tables["missingness"].assign(expected=[23, 437], observed=[19, 431])
    found = released(tables, study={"level": "school"}, design={"weight": "schools"}).frames
    assert found["missingness"]["observed"].tolist() == [19, 431]
    # Enrolled pupils are people all the same.
    assert found["baseline"]["n_pupils_member"].tolist() == [9000, 9000]
    assert found["records"]["n_pupils"].iloc[0] == 30125
    assert one(found["records"], term="e2")["n_treated"] == 7416


def test_one_pupil_more_moves_no_released_number_by_one() -> None:
    before = released().frames
    tables = frames()
    tables["trends"].loc[tables["trends"]["group"].isin(["member", "2015"]), "n_pupils"] += 1
    after = released(tables).frames["trends"]
    change = (after["n_pupils"] - before["trends"]["n_pupils"]).dropna()
    assert set(change.tolist()) <= {-5, 0, 5}
    pd.testing.assert_series_equal(after["n_pupils_suppressed"], before["trends"]["n_pupils_suppressed"])


def test_order_of_rows_in_a_restricted_table_changes_no_released_cell() -> None:
    tables = frames()
    turned = {name: frame.iloc[::-1].reset_index(drop=True) for name, frame in tables.items()}
    first, second = released(tables).frames, released(turned).frames
    for name in ("flow", "ledger", "trends", "records"):
        key = list(TABLES[name].columns)[:13] if name == "records" else list(TABLES[name].columns)[:5]
        key = [column for column in key if first[name][column].notna().all() or name != "flow"]
        left = first[name].sort_values(key, kind="stable", ignore_index=True)
        right = second[name].sort_values(key, kind="stable", ignore_index=True)
        pd.testing.assert_frame_equal(left, right)
