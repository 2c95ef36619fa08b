"""What networks made: an inventory by network, product and year, and what is wrong in one."""

from __future__ import annotations

import pandas as pd
import pytest
from ingest_study import Study

HEADER = "net,product,year,kind,used,improved\n"


def with_products(study: Study, rows: str, **changes: object) -> Study:
    study.files["products.csv"] = HEADER + rows
    names = {"network_id": "net", "product_id": "product", "kind": "kind", "used": "used", "improved": "improved"}
    study.sources["products"] = [{"files": "products.csv", "year": {"column": "year"}, "columns": names, **changes}]
    return study


def test_an_inventory_is_read_typed_and_sorted_by_network_product_and_year(study: Study) -> None:
    found = with_products(
        study,
        "N2,01,2016,policy,1,0\nN1,02,2016-17,lesson plan,TRUE,\nN1,01,2016,tool,,1\nN1,01,2015,tool,0,1\n",
    ).load()
    table = found.frames["products"]
    assert table[["network_id", "product_id", "year"]].to_numpy().tolist() == [
        ["N1", "01", 2015],
        ["N1", "01", 2016],
        ["N1", "02", 2017],
        ["N2", "01", 2016],
    ]
    assert table["used"].tolist()[::2] == [0.0, 1.0]
    assert table["used"].isna().tolist() == [False, True, False, False]
    assert table["improved"].isna().tolist() == [False, False, True, False]
    assert found.ledger.rejected_by_rule("products") == {}


@pytest.mark.parametrize(
    ("row", "column", "rule"),
    [
        (",02,2016,tool,1,1", "network_id", "missing_key"),
        ("N1,,2016,tool,1,1", "product_id", "missing_key"),
        ("N1,02,,tool,1,1", "year", "missing_key"),
        ("N1,02,16,tool,1,1", "year", "bad_type"),
        ("N1,02,2014,tool,1,1", "year", "year_outside_study"),
        ("N1,02,2019,tool,1,1", "year", "year_outside_study"),
        ("N9,02,2016,tool,1,1", "network_id", "unknown_network"),
        # What is no 0 or 1 cannot be read as one: a 2 is not out of range, and words need a recode.
        ("N1,02,2016,tool,2,1", "used", "bad_type"),
        ("N1,02,2016,tool,1,partly", "improved", "bad_type"),
        ("N1,02,2016,tool,yes,1", "used", "bad_type"),
        ("N1,02,2016,tool,1", "", "bad_row"),
    ],
)
def test_a_wrong_row_is_rejected_by_its_rule(study: Study, row: str, column: str, rule: str) -> None:
    found = with_products(study, f"N1,01,2016,tool,1,1\n{row}\nN2,01,2016,tool,0,0\n").load()
    assert found.ledger.rejected_by_rule("products") == {rule: 1}
    assert found.ledger.frame()[["row", "column", "rule"]].to_numpy().tolist() == [[3, column, rule]]
    assert len(found.frames["products"]) == 2


def test_exact_duplicates_are_merged_and_two_states_of_one_year_both_rejected(study: Study) -> None:
    found = with_products(
        study,
        "N1,01,2016,tool,1,1\nN1,01,2016,tool,1,1\nN2,01,2016,tool,1,1\nN1,02,2016,tool,1,1\nN1,02,2016,tool,0,1\n",
    ).load()
    assert found.ledger.total("products", "merged") == 1
    assert found.ledger.rejected_by_rule("products") == {"conflicting_duplicate": 2}
    assert found.frames["products"]["network_id"].tolist() == ["N1", "N2"]


def test_words_for_used_and_improved_are_mapped_as_for_other_indicators(study: Study) -> None:
    recode = {"used": {"yes": 1, "no": 0}, "improved": {"j": 1, "n": 0}}
    rows = "N1,01,2015,tool,yes,n\nN1,01,2016,tool,no,n\nN1,01,2017,tool,?,j\n"
    table = with_products(study, rows, recode=recode, missing=["?"]).load().frames["products"]
    assert table["used"].tolist()[:2] == [1.0, 0.0]
    assert pd.isna(table["used"].iloc[2])
    assert table["improved"].tolist() == [0.0, 0.0, 1.0]


def test_a_cohort_without_an_inventory_has_an_empty_table(study: Study) -> None:
    found = study.load()
    assert found.frames["products"].empty
    assert "products" not in found.ledger.counts
