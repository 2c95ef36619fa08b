"""The small study of this folder's tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from ingest_study import Study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)
