"""A study of networks small enough for a hand calculation, in the form that ingest and prepare write."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from plneval.config.cohort import Cohort, Tidier
from plneval.ingest.tables import CONTRACTS
from plneval.networks.study_tables import TABLES, StudyTables, number_study_tables


def cohort(**changes: Any) -> Cohort:
    """A cohort of 2014 to 2017 with maths; ``study``, ``design`` and ``outcomes`` take changes."""
    source = [{"files": "x.csv", "columns": {"school_id": "school"}}]
    return Cohort.model_validate(
        {
            "title": "A small study",
            "programme": "Small networks",
            "data": {"folder": "data", "origin": "made by hand"},
            "study": {"first_year": 2014, "last_year": 2017, **changes.get("study", {})},
            "design": changes.get("design", {}),
            "outcomes": changes.get("outcomes", {"maths": {"label": "Mathematics"}}),
            "models": ["cs_maths"],
            "sources": dict.fromkeys(["schools", "networks", "outcomes", "pupils", "memberships"], source),
            "tidier": dict.fromkeys(Tidier.model_fields, "x"),
        }
    )


def table(name: str, rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """A canonical table from rows, in the contract's columns and types; what a row leaves out is missing."""
    columns = {column.name: column.dtype for column in CONTRACTS[name].columns}
    frame = pd.DataFrame([{key: row.get(key) for key in columns} for row in rows], columns=list(columns))
    for column, kind in columns.items():
        if kind.startswith("datetime"):
            frame[column] = pd.to_datetime(frame[column])
        if kind == "bool":
            frame[column] = frame[column].map(bool)
    return frame.astype(columns)


def schools_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Prepare's schools from rows: school, arm, entry_year and what else a test needs."""
    frame = pd.DataFrame(rows)
    for column, default in (("area", "north"), ("arm", "comparison"), ("status", "analysed"), ("phase", "primary")):
        frame[column] = frame.get(column, pd.Series(default, index=frame.index)).fillna(default).astype("str")
    for column in ("school", "entry_year", "exit_year", "network", "cluster"):
        frame[column] = pd.array(frame.get(column, pd.Series(None, index=frame.index)).to_numpy(), dtype="Int64")
    for column in ("latitude", "longitude"):
        frame[column] = frame.get(column, pd.Series(None, index=frame.index)).astype("float64")
    for column in ("ever_left", "returned"):
        frame[column] = frame.get(column, pd.Series(0, index=frame.index)).fillna(0).astype("Int64")
    return frame


def study(
    schools: list[dict[str, Any]],
    rejections: list[tuple[str, str, str]] = (),
    config: Cohort | None = None,
    **rows: Any,
) -> StudyTables:
    """Numbered tables; ``rejections`` are (table, column, rule)."""
    raw = {name: table(name, rows.get(name, [])) for name in TABLES if name != "schools"}
    raw["schools"] = table("schools", [{"school_id": row["school_id"]} for row in schools])
    numbered = [{**row, "school": number} for number, row in enumerate(schools, start=1)]
    lost = pd.DataFrame(
        [(name, "x.csv", 1, column, rule) for name, column, rule in rejections],
        columns=["table", "file", "row", "column", "rule"],
    )
    return number_study_tables(config or cohort(), raw, schools_table(numbered), lost)


def spell(
    network: str, school: str, joined: str, left: str | None = None, teacher: str | None = None
) -> dict[str, Any]:
    return {"network_id": network, "school_id": school, "joined": joined, "left": left, "teacher_id": teacher}


def four_schools(**changes: Any) -> StudyTables:
    """Three networks and four schools, 2014 to 2017; joining after 31 January counts for the next year.

    Schools 1 to 4 are A, B, C, D; networks 1 to 3 are alpha, beta, gamma.
    A: alpha from 2013-10-01 (counts from 2014) to 2014-11-30 (2015 is out), and again from 2015-10-01 (2016 on).
    B: alpha from 2015-03-01 (late: 2016 on), beta from 2016-09-15 (2017 on). C: gamma from 2012-09-10 (2013, before
    the study), alone in it. D never joins. Teachers a1 and a2 are on A's staff, b1 to b3 on B's, c1 on C's, d1 on D's;
    a1 takes part with A, b1 with B in alpha, b2 with B in beta, c1 with C.
    """
    staff = {"A": ["a1", "a2"], "B": ["b1", "b2", "b3"], "C": ["c1"], "D": ["d1"]}
    given: dict[str, Any] = {
        "schools": [
            {"school_id": "A", "area": "north", "arm": "member", "entry_year": 2014, "network": 1},
            {"school_id": "B", "area": "north", "arm": "member", "entry_year": 2016, "network": 1},
            {
                "school_id": "C",
                "area": "south",
                "arm": "member",
                "entry_year": 2013,
                "status": "left_censored",
                "network": 3,
            },
            {"school_id": "D", "area": "south"},
        ],
        "networks": [
            {"network_id": "alpha", "type": "lesson study", "lead": "Office", "partner": "", "started": 2013},
            {"network_id": "beta", "type": "data use team", "partner": "University"},
            {"network_id": "gamma"},
        ],
        "memberships": [
            spell("alpha", "A", "2013-10-01", "2014-11-30"),
            spell("alpha", "A", "2013-10-01", "2014-11-30", "a1"),
            spell("alpha", "A", "2015-10-01"),
            spell("alpha", "A", "2015-10-01", None, "a1"),
            spell("alpha", "B", "2015-03-01"),
            spell("alpha", "B", "2015-03-01", None, "b1"),
            spell("beta", "B", "2016-09-15"),
            spell("beta", "B", "2016-09-15", None, "b2"),
            spell("gamma", "C", "2012-09-10"),
            spell("gamma", "C", "2012-09-10", None, "c1"),
        ],
        "teachers": [
            {"teacher_id": teacher, "year": year, "school_id": school}
            for school, teachers in staff.items()
            for teacher in teachers
            for year in range(2014, 2018)
        ],
    }
    return study(**{**given, **changes})
