"""Reading the released tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from released_study import write_released

from plneval.errors import UserError
from plneval.report.load import Released, load


def test_every_missing_released_file_is_named(tmp_path: Path) -> None:
    write_released(tmp_path, "benefit")
    (tmp_path / "gates.parquet").unlink()
    (tmp_path / "verdict.json").unlink()
    with pytest.raises(UserError) as error:
        load(tmp_path)
    lines = str(error.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == [str(tmp_path / "gates.parquet"), str(tmp_path / "verdict.json")]
    assert "plneval run" in lines[0]


def test_units_follow_the_scale_that_was_modelled(released: Callable[[str], Released]) -> None:
    pupils, schools = released("benefit"), released("not_causal")
    assert pupils.unit("cs_maths") == "standard deviations"
    assert schools.unit("isp_cs_maths") == "school-level SDs"
    pupils.study["outcomes"]["maths"]["standardise"] = "none"
    try:
        assert pupils.unit("cs_maths") == "points"
        assert pupils.unit("growth_maths") == "standard deviations"
    finally:
        pupils.study["outcomes"]["maths"]["standardise"] = "year_grade"


def test_causal_reading_follows_the_verdict(released: Callable[[str], Released]) -> None:
    assert released("benefit").is_causal
    assert not released("not_causal").is_causal
