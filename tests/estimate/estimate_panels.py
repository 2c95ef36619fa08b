"""Small panels with the columns of ``plneval.config.panel_columns``, as prepare writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plneval.artifacts import read_json
from plneval.config.cohort import Cohort, Tidier
from plneval.config.models import ModelSpec
from plneval.config.panel_columns import PUPIL_PANEL, SCHOOL_PANEL
from plneval.estimate.stage import estimate

MPDTA = Path(__file__).resolve().parents[3] / "shared" / "data" / "reference" / "mpdta.csv"
needs_mpdta = pytest.mark.skipif(not MPDTA.exists(), reason="reference data are not there")

WORDS = {"area", "phase", "network_type", "arm", "grade", "gender", "exposure", "outcome", "subgroup"}
NUMBERS = {"y", "z", "z_fixed", "score", "sd", "n", "deprivation", "enrolment", "n_teachers"}


def cohort(weight: str = "schools", standardise: str = "year_grade", **design: Any) -> Cohort:
    """A cohort with one outcome, maths; only what estimate reads matters."""
    source = [{"files": "x.csv", "columns": {"school_id": "school"}}]
    return Cohort.model_validate(
        {
            "title": "A study",
            "programme": "A programme",
            "data": {"folder": "data", "origin": "made up"},
            "study": {"first_year": 2003, "last_year": 2030},
            "design": {"weight": weight, **design},
            "outcomes": {"maths": {"label": "Mathematics", "standardise": standardise}},
            "models": ["m"],
            "sources": dict.fromkeys(("schools", "networks", "memberships", "outcomes", "pupils"), source),
            "tidier": dict.fromkeys(Tidier.model_fields, "made up"),
        }
    )


def fitted(cohort_: Cohort, spec: ModelSpec, panel: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Run the stage; the records, indexed by estimand and term, and the diagnostics."""
    out = panel / "records"
    estimate(cohort_, "study", "m", spec, panel, out, seed=1)
    records = pd.read_parquet(out / "m.records.parquet")
    return records.set_index(["estimand", "term"]), read_json(out / "m.json")


def school_panel(rows: pd.DataFrame) -> pd.DataFrame:
    """Fill the columns that a test does not care about.

    Needs school, year, entry_year (missing for comparison schools) and z; cluster is the school when left out.
    """
    rows = rows.copy()
    entry = rows["entry_year"].astype("Int64")
    member = entry.notna()
    after = (rows["year"] >= entry).fillna(False).astype(bool)
    event_time = (rows["year"] - entry).astype("Int64")
    defaults: dict[str, Any] = {
        "area": "north",
        "phase": "primary",
        "cluster": rows["school"],
        "network": rows.get("cluster", rows["school"]),
        "network_type": "lesson study",
        "arm": np.where(member, "member", "comparison"),
        "ever_member": member.astype("Int64"),
        "exit_year": pd.NA,
        "time": rows["year"] - rows["year"].min(),
        "event_time": event_time,
        "exposure_time": event_time.where(after, 0),
        "treated": after.astype("Int64"),
        "treated_year_1": (event_time == 0).fillna(False).astype("Int64"),
        "treated_year_2": (event_time == 1).fillna(False).astype("Int64"),
        "treated_year_3": (event_time >= 2).fillna(False).astype("Int64"),
        "member": after.astype("Int64"),
        "deprivation": np.nan,
        "enrolment": np.nan,
        "n_teachers": np.nan,
        "outcome": "maths",
        "subgroup": "all",
        "score": rows["z"],
        "z_fixed": rows["z"],
        "n": np.nan,
        "sd": np.nan,
    }
    for name, value in defaults.items():
        if name not in rows:
            rows[name] = value
    rows.loc[~member, "network"] = pd.NA
    return typed(rows[[*SCHOOL_PANEL, "subgroup"]])


def pupil_panel(rows: pd.DataFrame) -> pd.DataFrame:
    """A pupil panel from school, pupil, year, entry_year and z; grade, disadvantaged and the rest when left out."""
    whole = school_panel(rows.drop(columns=["pupil", "grade", "disadvantaged", "mover"], errors="ignore"))
    for name, default in (("grade", "4"), ("disadvantaged", 0), ("gender", "f"), ("exposure", "none"), ("mover", 0)):
        whole[name] = rows[name].to_numpy() if name in rows else default
    whole["pupil"] = rows["pupil"].to_numpy()
    return typed(whole[list(PUPIL_PANEL)])


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """Dtypes of the panels: words str, numbers float64, the rest Int64."""
    dtypes = {name: "str" if name in WORDS else "float64" if name in NUMBERS else "Int64" for name in table}
    return table.astype(dtypes)


def write_panel(
    folder: Path, schools: pd.DataFrame, pupils: pd.DataFrame | None = None, sds: dict[str, float] | None = None
) -> Path:
    """Write the three files that estimate reads; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    schools.sort_values(["outcome", "school", "year"], kind="stable").to_parquet(folder / "panel_school.parquet")
    empty = typed(pd.DataFrame({name: [] for name in PUPIL_PANEL}))
    (empty if pupils is None else pupils).to_parquet(folder / "panel_pupil.parquet")
    outcomes = sorted(schools["outcome"].unique())
    rows = [
        {"outcome": outcome, "subgroup": subgroup, "column": column, "sd": sd, "sd_total": sd, "n_pupils": 100}
        for outcome in outcomes
        for subgroup in ("all", "disadvantaged", "not_disadvantaged")
        for column, sd in (sds or {}).items()
    ]
    columns = ["outcome", "subgroup", "column", "sd", "sd_total", "n_pupils"]
    pd.DataFrame(rows, columns=columns).to_parquet(folder / "standardisers.parquet")
    return folder


def mpdta(folder: Path) -> Path:
    """County teen employment as a school panel: counties are schools, first.treat is the entry year."""
    data = pd.read_csv(MPDTA)
    rows = pd.DataFrame(
        {
            "school": data["countyreal"],
            "year": data["year"],
            "entry_year": data["first.treat"].where(data["first.treat"] > 0).astype("Int64"),
            "z": data["lemp"],
            "deprivation": data["lpop"],
        }
    )
    return write_panel(folder, school_panel(rows))
