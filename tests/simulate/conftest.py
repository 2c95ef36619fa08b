"""A small made-up study that the tests of this folder share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from plneval.artifacts import read_json
from plneval.config.cohort import Simulation, Study
from plneval.simulate.made import MadeStudy, make_study
from plneval.simulate.study import simulate

STUDY = Study(first_year=2012, last_year=2019, missing_outcome_years=[2014, 2017])


def small(effect: float = 0.3) -> Simulation:
    return Simulation(seed=7, schools=24, networks=5, pupils_per_grade=14, effect=effect)


@pytest.fixture(scope="session")
def study() -> Study:
    return STUDY


@pytest.fixture(scope="session")
def made() -> MadeStudy:
    return make_study(small(), STUDY)


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[float], Path]:
    """Folder of the small study's raw files, by effect."""
    folders: dict[float, Path] = {}

    def folder(effect: float = 0.3) -> Path:
        if effect not in folders:
            folders[effect] = tmp_path_factory.mktemp("raw")
            simulate(small(effect), STUDY, folders[effect])
        return folders[effect]

    return folder


@pytest.fixture(scope="session")
def raw(written: Callable[..., Path]) -> Path:
    return written(0.3)


@pytest.fixture(scope="session")
def truth(raw: Path) -> dict:
    return read_json(raw / "truth.json")
