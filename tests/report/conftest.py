"""Released studies made by hand, loaded and rendered once for all tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from released_study import write_released

from plneval.config.layout import Layout
from plneval.config.project import Project
from plneval.config.report import Branding, Report
from plneval.report.load import Released, load
from plneval.report.stage import report

SOURCES = Path(__file__).parents[2] / "reports"


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Released]:
    """The released tables of a variant."""
    made: dict[str, Released] = {}

    def of(variant: str) -> Released:
        if variant not in made:
            made[variant] = load(write_released(tmp_path_factory.mktemp(variant), variant))
        return made[variant]

    return of


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The release folder of a variant with both reports in the formats asked for."""
    made: dict[tuple[str, tuple[str, ...]], Path] = {}

    def of(variant: str, *formats: str) -> Path:
        key = (variant, formats)
        if key not in made:
            layout = Layout(tmp_path_factory.mktemp("results"), variant)
            write_released(layout.released_tables, variant)
            project = Project(cohorts=[variant], formats=list(formats))
            report(project, variant, Report(branding=Branding(organisation="Team")), layout, SOURCES, "embedded")
            made[key] = layout.release
        return made[key]

    return of
