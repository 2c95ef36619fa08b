"""The contracts of the canonical tables refuse what must not pass on."""

from __future__ import annotations

import pandas as pd
import pytest
from ingest_study import Study

from plneval.config.sources import TABLES
from plneval.ingest.tables import CONTRACTS, READING_ORDER, contract_for, empty_table, fulfil


def test_every_canonical_table_has_a_contract_and_a_table_refers_only_to_tables_before_it() -> None:
    assert list(CONTRACTS) == list(TABLES)
    assert sorted(READING_ORDER) == sorted(TABLES)
    registers = {"school": "schools", "network": "networks", "teacher": "teachers", "pupil": "pupils"}
    for contract in CONTRACTS.values():
        for name in contract.registers:
            column = contract.column(name)
            assert column is not None
            assert READING_ORDER.index(registers[column.kind]) < READING_ORDER.index(contract.name)


@pytest.mark.parametrize("table", TABLES)
def test_an_empty_table_fulfils_its_contract(table: str) -> None:
    fulfil(empty_table(CONTRACTS[table]), CONTRACTS[table])


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("pupil_id", ["P1", "P1", "P2", "P2"]),
        ("pupil_id", [None, "P1", "P2", "P3"]),
        ("score", [1, 2, 3, 4]),
        ("year", [2015.0, 2015.0, 2015.0, 2015.0]),
        ("n", [-1.0, 1.0, 1.0, 1.0]),
    ],
    ids=["key twice", "key missing", "whole numbers", "year as float", "negative count"],
)
def test_a_table_that_breaks_its_contract_is_refused(study: Study, column: str, values: list[object]) -> None:
    frame = study.load().frames["outcomes"].assign(year=2015).astype({"year": "Int64"})
    good = frame.assign(pupil_id=["P1", "P2", "P3", "P4"])
    contract = contract_for("outcomes", "pupil")
    fulfil(good, contract)
    dtype = "str" if column == "pupil_id" else None
    with pytest.raises(RuntimeError, match="the table 'outcomes' breaks its contract") as caught:
        fulfil(good.assign(**{column: pd.Series(values, dtype=dtype)}), contract)
    # The message goes to a log: no identifier may stand in it.
    assert "P1" not in str(caught.value)


def test_columns_beyond_the_contract_are_numbers_of_school_years_or_refused(study: Study) -> None:
    frames = study.load().frames
    fulfil(frames["school_years"].assign(free_meals=pd.Series(dtype="float64")), CONTRACTS["school_years"])
    with pytest.raises(RuntimeError, match="breaks its contract"):
        fulfil(frames["school_years"].assign(free_meals=pd.Series(dtype="str")), CONTRACTS["school_years"])
    with pytest.raises(RuntimeError, match="breaks its contract"):
        fulfil(frames["schools"].assign(free_meals=1.0), CONTRACTS["schools"])
