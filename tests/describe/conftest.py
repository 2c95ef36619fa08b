"""Samples made by hand: panels in the columns of prepare, with as few rows as a hand calculation can bear."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from plneval.config.cohort import Cohort
from plneval.describe.sample import Sample

TIDIER = [
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
]


def cohort(**changes: Any) -> Cohort:
    """A cohort of 2014 to 2017 with maths; ``study``, ``design`` and ``outcomes`` take changes."""
    source = [{"files": "x.csv", "columns": {"school_id": "school"}}]
    return Cohort.model_validate(
        {
            "title": "A small study",
            "programme": "Small network",
            "data": {"folder": "data", "origin": "made by hand"},
            "study": {"first_year": 2014, "last_year": 2017, **changes.get("study", {})},
            "design": changes.get("design", {}),
            "outcomes": changes.get("outcomes", {"maths": {"label": "Mathematics"}}),
            "models": ["cs_maths"],
            "sources": dict.fromkeys(["schools", "networks", "outcomes", "pupils", "memberships"], source),
            "tidier": dict.fromkeys(TIDIER, "x"),
        }
    )


SCHOOLS = pd.DataFrame(
    {
        "school": [1, 2, 3, 4],
        "arm": ["member", "member", "comparison", "comparison"],
        "entry_year": pd.array([2015, 2016, None, None], dtype="Int64"),
        "network": pd.array([1, 2, None, None], dtype="Int64"),
        "network_type": ["lesson study", "data use team", None, None],
        "cluster": [1, 2, 3, 4],
        "status": "analysed",
    }
)


def sample(
    pupil: list[dict[str, Any]] | None = None,
    school: list[dict[str, Any]] | None = None,
    schools: pd.DataFrame = SCHOOLS,
    register: list[dict[str, Any]] | None = None,
    memberships: pd.DataFrame | None = None,
    standardised_by: str = "pupil",
    sd: float = 1.0,
    **changes: Any,
) -> Sample:
    """A sample of the four schools; rows of the panels take what their school has, and maths for their outcome."""
    own = schools.set_index("school")

    def filled(rows: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
        frame = pd.DataFrame(rows, columns=columns)
        for name in ("arm", "entry_year", "network", "cluster"):
            frame[name] = frame["school"].map(own[name])
        frame["event_time"] = frame["year"].astype("Int64") - frame["entry_year"].astype("Int64")
        for name, word in (("outcome", "maths"), ("subgroup", "all")):
            frame[name] = frame[name].astype("str").fillna(word)
        return frame

    covariates = ["deprivation", "enrolment"]
    people = ["pupil", "school", "year", "outcome", "subgroup", "grade", "disadvantaged", "z", "score"]
    cells = ["school", "year", "outcome", "subgroup", "z", "score", "n", "sd", *covariates]
    registered = pd.DataFrame(register or [], columns=["pupil", "year", "attended", "grade", "disadvantaged"])
    panel = filled(school or [], cells)
    return Sample(
        cohort=cohort(**changes),
        pupil=filled(pupil or [], people),
        school=panel,
        schools=schools,
        standardisers=pd.DataFrame({"outcome": ["maths"], "subgroup": ["all"], "column": ["z"], "sd": [sd]}),
        notes={"standardised_by": {"maths": standardised_by}, "cluster_unit": "network"},
        register=registered.assign(school=registered["attended"]),
        school_years=panel[["school", "year", *covariates]],
        memberships=memberships if memberships is not None else pd.DataFrame(),
    )


@pytest.fixture
def make_sample() -> Callable[..., Sample]:
    return sample


@pytest.fixture
def make_cohort() -> Callable[..., Cohort]:
    return cohort
