"""Tiny studies, written by hand in the form that ingest writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd
import pytest

from plneval.config.cohort import Cohort

COLUMNS: dict[str, dict[str, str]] = {
    "schools": {
        "school_id": "str",
        "name": "str",
        "area": "str",
        "phase": "str",
        "latitude": "float64",
        "longitude": "float64",
    },
    "school_years": {
        "school_id": "str",
        "year": "Int64",
        "enrolment": "float64",
        "n_teachers": "float64",
        "deprivation": "float64",
    },
    "networks": {"network_id": "str", "name": "str", "type": "str"},
    "memberships": {
        "network_id": "str",
        "school_id": "str",
        "teacher_id": "str",
        "joined": "datetime64[us]",
        "left": "datetime64[us]",
        "role": "str",
        "entry_unknown": "bool",
    },
    "pupils": {
        "pupil_id": "str",
        "year": "Int64",
        "school_id": "str",
        "grade": "str",
        "disadvantaged": "float64",
        "gender": "str",
        "birth": "str",
    },
    "outcomes": {
        "pupil_id": "str",
        "school_id": "str",
        "year": "Int64",
        "outcome": "str",
        "grade": "str",
        "subgroup": "str",
        "score": "float64",
        "n": "float64",
        "sd": "float64",
    },
    "teaching": {"pupil_id": "str", "year": "Int64", "subject": "str", "teacher_id": "str", "share": "float64"},
}
TIDIER = dict.fromkeys(
    [
        "name",
        "why",
        "materials",
        "procedures",
        "provider",
        "how",
        "where",
        "when_and_how_much",
        "tailoring",
        "modifications",
        "how_well_planned",
        "how_well_actual",
    ],
    "x",
)


def table(name: str, rows: Iterable[dict[str, Any]] = ()) -> pd.DataFrame:
    """A canonical table from rows; columns that a row leaves out are missing."""
    columns = COLUMNS[name]
    filled = [{column: row.get(column) for column in columns} for row in rows]
    frame = pd.DataFrame(filled, columns=list(columns))
    if name == "memberships":
        frame["entry_unknown"] = [bool(row.get("entry_unknown", False)) for row in rows]
        frame["joined"], frame["left"] = pd.to_datetime(frame["joined"]), pd.to_datetime(frame["left"])
    return frame.astype(columns)


def cohort(**changes: Any) -> Cohort:
    """A cohort of 2014 to 2017 with maths; ``study``, ``design`` and ``outcomes`` take changes."""
    source = [{"files": "x.csv", "columns": {"school_id": "school"}}]
    study = {"first_year": 2014, "last_year": 2017, **changes.get("study", {})}
    needed = ["schools", "networks", "outcomes"] + (["pupils"] if study.get("level", "pupil") == "pupil" else [])
    return Cohort.model_validate(
        {
            "title": "A small study",
            "programme": "Small network",
            "data": {"folder": "data", "origin": "made by hand"},
            "study": study,
            "design": changes.get("design", {}),
            "outcomes": changes.get("outcomes", {"maths": {"label": "Mathematics"}}),
            "models": ["cs_maths"],
            "sources": {**dict.fromkeys(needed, source), "memberships": changes.get("memberships", source)},
            "tidier": TIDIER,
        }
    )


Tables = dict[str, pd.DataFrame]


def tables(**rows: list[dict[str, Any]]) -> Tables:
    """All tables that prepare reads; those not given are empty."""
    return {name: table(name, rows.get(name, [])) for name in COLUMNS}


@pytest.fixture
def make_table() -> Callable[..., pd.DataFrame]:
    return table


@pytest.fixture
def make_tables() -> Callable[..., Tables]:
    return tables


@pytest.fixture
def make_cohort() -> Callable[..., Cohort]:
    return cohort


@pytest.fixture
def small_study() -> Tables:
    """Six schools, three networks, two pupils of one grade in each school and year, 2014 to 2017.

    A joins alpha on 2015-10-01 (entry 2016) and leaves on 2016-11-30 (member in 2016 only); B joins alpha late, on
    2016-03-01 (entry 2017); C joins beta on 2013-09-15 (entry 2014, the first outcome year: nothing before joining);
    D joined beta on 2012-10-01 (left-censored); E never joins; F joins gamma in 2018 (after the study: comparison).
    The score of pupil k (0 or 1) of school i (0 to 5) in year t (0 to 3) is 10 i + 4 k + t.
    """
    schools = "ABCDEF"
    pupils = [
        {
            "pupil_id": f"{school}{year}{k}",
            "year": year,
            "school_id": school,
            "grade": "4",
            "disadvantaged": k,
            "gender": "f",
        }
        for school in schools
        for year in range(2014, 2018)
        for k in (0, 1)
    ]
    scores = [
        {
            "pupil_id": row["pupil_id"],
            "year": row["year"],
            "outcome": "maths",
            "score": 10 * schools.index(row["school_id"]) + 4 * row["disadvantaged"] + row["year"] - 2014,
        }
        for row in pupils
    ]
    return tables(
        schools=[{"school_id": school, "area": "north", "phase": "primary"} for school in schools],
        networks=[{"network_id": name, "type": "data use team"} for name in ("alpha", "beta", "gamma")],
        memberships=[
            {"network_id": "alpha", "school_id": "A", "joined": "2015-10-01", "left": "2016-11-30"},
            {"network_id": "alpha", "school_id": "B", "joined": "2016-03-01"},
            {"network_id": "beta", "school_id": "C", "joined": "2013-09-15"},
            {"network_id": "beta", "school_id": "D", "joined": "2012-10-01"},
            {"network_id": "gamma", "school_id": "F", "joined": "2018-10-01"},
        ],
        school_years=[
            {"school_id": school, "year": year, "enrolment": 100 + year, "deprivation": 0.5}
            for school in schools
            for year in range(2014, 2018)
        ],
        pupils=pupils,
        outcomes=scores,
    )
