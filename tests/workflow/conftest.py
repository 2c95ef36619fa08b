"""One small study that goes the whole way once; the tests of the workflow look at what it left."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from small_study import Project, small_project


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small study after `plneval run` with two cores."""
    project = small_project(tmp_path_factory.mktemp("study"))
    project.run("--cores", "2")
    return project


@pytest.fixture(scope="session")
def another(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Project]:
    """Makes further small projects that have not run yet."""
    return lambda: small_project(tmp_path_factory.mktemp("another"))
