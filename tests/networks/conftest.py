"""A small made-up study, read and prepared once, and its twin without an effect."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from plneval.artifacts import read_json, read_table
from plneval.config.cohort import Cohort, Simulation
from plneval.ingest.stage import ingest
from plneval.networks.study_tables import StudyTables, read_study_tables
from plneval.prepare.stage import prepare
from plneval.simulate.study import simulate


@dataclass(frozen=True)
class SimulatedStudy:
    """Tables, pupil panel and truth of a made-up study."""

    tables: StudyTables
    pupil: pd.DataFrame
    school: pd.DataFrame
    truth: dict[str, Any]


def make_simulated(root: Path, folder: Path, effect: float) -> SimulatedStudy:
    declared = yaml.safe_load((root / "config" / "cohorts" / "demo.yaml").read_text(encoding="utf-8"))
    cohort = Cohort.model_validate(declared)
    small = Simulation(seed=11, schools=24, networks=5, pupils_per_grade=14, effect=effect)
    simulate(small, cohort.study, folder / "raw")
    ingest(cohort, "demo", folder / "raw", folder / "ingest")
    prepare(cohort, folder / "ingest", folder / "prepare")
    return SimulatedStudy(
        tables=read_study_tables(cohort, folder / "ingest", folder / "prepare"),
        pupil=read_table(folder / "prepare" / "panel_pupil.parquet"),
        school=read_table(folder / "prepare" / "panel_school.parquet"),
        truth=read_json(folder / "raw" / "truth.json"),
    )


@pytest.fixture(scope="session")
def simulated(root: Path, tmp_path_factory: pytest.TempPathFactory) -> SimulatedStudy:
    """24 schools in 5 networks with an effect of 0.4 SD."""
    return make_simulated(root, tmp_path_factory.mktemp("simulated"), 0.4)


@pytest.fixture(scope="session")
def without_effect(root: Path, tmp_path_factory: pytest.TempPathFactory) -> SimulatedStudy:
    """The same schools, pupils and untreated scores, with no effect anywhere."""
    return make_simulated(root, tmp_path_factory.mktemp("without_effect"), 0.0)
