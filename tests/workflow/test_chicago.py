"""Chicago's Independent School Principals: what school-level data of one network show of networks, and what not."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pandas as pd
import pytest
from small_study import ROOT, Project, whole_project

DATA = ROOT.parent / "shared" / "data" / "chicago-isp"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not DATA.is_dir(), reason="the data of Chicago are not here")]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release folder of the study after `plneval run`."""
    project: Project = whole_project(tmp_path_factory.mktemp("chicago"))
    done = project.plneval("run", "--cohort", "chicago-isp", "--data", str(DATA), "--cores", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    return project.folder / "results" / "chicago-isp" / "release"


@pytest.fixture(scope="module")
def page(release: Path) -> str:
    """The words of the technical report."""
    text = re.sub(r"(?s)<(style|script|head)\b.*?</\1>", " ", (release / "technical.html").read_text(encoding="utf-8"))
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", text)))


def table(release: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(release / "tables" / f"{name}.parquet")


def test_no_causal_statement_is_made(release: Path) -> None:
    verdict = json.loads((release / "tables" / "verdict.json").read_text(encoding="utf-8"))
    assert verdict["category"] == "not_causal"


def test_members_over_time_are_those_of_the_public_lists(release: Path) -> None:
    # Counted by hand in the 20th-day files and profiles (../shared/data/README.md): 47, 67, 92, and 69 in 2021-22.
    timeline = table(release, "network_timeline")
    members = timeline.loc[timeline["type"] == ""].set_index("year")["members"]
    assert members.reindex([2017, 2018, 2019, 2022]).tolist() == [47, 67, 92, 69]


def test_leaving_is_shown(release: Path, page: str) -> None:
    exits = table(release, "network_exits").set_index("what")["n_schools"]
    assert exits["left"] > 0
    assert "Schools that left at some time and schools that stayed" in page


def test_the_collaborative_teachers_rating_is_an_outcome(release: Path, page: str) -> None:
    records = table(release, "records")
    own = records.loc[records["outcome"] == "collaborative_teachers"]
    assert {"att_third_year_on", "att_leaving", "att_after_leaving"} <= set(own["estimand"])
    assert "Collaborative Teachers rating" in page


def test_parts_without_data_are_named_and_why_spread_cannot_be_estimated(release: Path, page: str) -> None:
    available = table(release, "network_data").set_index("part")["available"].astype(bool)
    for part in ("several_networks", "teachers_in_networks", "attendance", "teaching", "surveys", "ties"):
        assert not available[part], part
    assert not (table(release, "records")["estimand"] == "between_network_sd").any()
    assert "how much results differ between networks cannot" in page
