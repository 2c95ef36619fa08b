"""The stage on files, as ingest and prepare leave them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plneval.artifacts import read_table, write_json, write_table
from plneval.describe.stage import describe
from plneval.ingest.tables import CONTRACTS
from plneval.prepare.stage import prepare
from plneval.release.door import TABLES


def canonical(name: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """A table as ingest writes it: every column of its contract, typed."""
    columns = {column.name: column.dtype for column in CONTRACTS[name].columns}
    frame = pd.DataFrame([{column: row.get(column) for column in columns} for row in rows], columns=list(columns))
    if "entry_unknown" in columns:
        frame["entry_unknown"] = False
    return frame.astype(columns)


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Eight schools, two of them members from 2016 on, 12 pupils each a year, 2014 to 2018."""
    rng = np.random.default_rng(4)
    years = range(2014, 2019)
    pupils, outcomes = [], []
    for school in range(8):
        for year in years:
            for k in range(12):
                pupil = f"p{school}-{year - (k % 3)}-{k // 3}"
                grade = 3 + k % 3
                pupils.append(
                    {
                        "pupil_id": pupil,
                        "year": year,
                        "school_id": f"s{school}",
                        "grade": grade,
                        "disadvantaged": k // 3 % 2,
                    }
                )
                score = 100 + 5 * rng.standard_normal() + school
                outcomes.append({"pupil_id": pupil, "year": year, "outcome": "maths", "score": score})
    written = {
        "schools": [{"school_id": f"s{school}", "area": "north"} for school in range(8)],
        "school_years": [
            {"school_id": f"s{school}", "year": year, "enrolment": 300 + 10 * school, "deprivation": school / 10}
            for school in range(8)
            for year in years
        ],
        "networks": [{"network_id": "n1", "type": "lesson study"}, {"network_id": "n2", "type": "data use team"}],
        "memberships": [
            {"network_id": f"n{school}", "school_id": f"s{school}", "joined": pd.Timestamp("2015-10-01")}
            for school in (1, 2)
        ],
        "pupils": pupils,
        "outcomes": outcomes,
    }
    for name in CONTRACTS:
        write_table(tmp_path / "tables" / f"{name}.parquet", canonical(name, written.get(name, [])))
    counts = {
        name: {"read": len(rows), "kept": len(rows), "merged": 0, "rejected": {}} for name, rows in written.items()
    }
    rejected = {"table": "str", "file": "str", "row": "int64", "column": "str", "rule": "str"}
    nothing = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in rejected.items()})
    write_table(tmp_path / "tables" / "ledger.parquet", nothing)
    write_json(tmp_path / "tables" / "ledger.json", {"tables": counts, "sources": [], "notes": []})
    return tmp_path / "tables"


def test_every_measure_is_written_in_the_columns_that_the_door_knows(
    tables: Path, make_cohort: Callable[..., Any]
) -> None:
    cohort = make_cohort(study={"first_year": 2014, "last_year": 2018})
    panel, out = tables.parent / "panel", tables.parent / "out"
    prepare(cohort, tables, panel)
    describe(cohort, tables, panel, out)
    expected = {name: list(table.columns) for name, table in TABLES.items() if table.stage == "describe"}
    written = {path.stem: list(read_table(path).columns) for path in out.iterdir()}
    assert {name: written[name] for name in expected} == expected
    # What the gate network_data is formed from stays inside: its counts are told in the gate's words.
    assert set(written) == {*expected, "flow", "network_checks"}
    baseline = read_table(out / "baseline.parquet").set_index("covariate")
    assert baseline.loc["maths", "n_pupils_member"] == 24
    assert baseline.loc["maths", "year"] == 2015
    assert set(baseline.index) == {"maths", "disadvantaged", "deprivation", "enrolment"}
    assert baseline.loc["disadvantaged", "hedges_g"] == 0  # half of the pupils of every school
    assert baseline.loc["disadvantaged", "category"] == "satisfied"
    attrition = read_table(out / "attrition.parquet")
    # Pupils of grades 3 and 4 can be followed: 8 a school, none is lost.
    assert attrition.loc[attrition["unit"] == "pupils", "start"].tolist() == [16, 48]
    assert (attrition["rate"] == 0).all()
    assert read_table(out / "mdes.parquet")["mdes"].between(0.01, 5).all()


def test_two_runs_write_the_same_bytes(tables: Path, make_cohort: Callable[..., Any]) -> None:
    cohort = make_cohort(study={"first_year": 2014, "last_year": 2018})
    found = []
    for run in ("one", "two"):
        prepare(cohort, tables, tables.parent / run)
        describe(cohort, tables, tables.parent / run, tables.parent / run)
        found.append({path.name: path.read_bytes() for path in (tables.parent / run).iterdir()})
    assert found[0] == found[1]
