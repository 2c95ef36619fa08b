"""Parts of the member schools cut and estimated a second time: the numbers of the estimator, by other code."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent / "estimate"))

from estimate_panels import cohort, school_panel, write_panel

from plneval.challenge.recompute_split import split_again
from plneval.config.network_models import Split
from plneval.estimate.network_effects import first_networks
from plneval.estimate.split import split


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Sixty schools, half of which join in 2012 or 2013, with pupils of both groups; seeded."""
    rng = np.random.default_rng(20)
    rows = []
    for school in range(1, 61):
        entry = None if school > 30 else 2012 + school % 2
        about = {"entry_year": entry, "cluster": (school + 2) // 3 if entry else school, "deprivation": rng.normal()}
        about |= {"network_type": ["lesson study", "data use team", "circle"][school % 3], "area": f"area {school % 2}"}
        poor = int(rng.integers(3, 20))
        for year in (2010, 2011, 2012, 2014, 2015):
            z = rng.normal() + 0.3 * (entry is not None and year >= entry)
            for subgroup, n in (("all", 40), ("disadvantaged", poor), ("not_disadvantaged", 40 - poor)):
                rows.append({"school": school, "year": year, "z": z, "subgroup": subgroup, "n": float(n), **about})
    frame = pd.DataFrame(rows).astype({"entry_year": "Int64"})
    table = school_panel(frame)
    panel = write_panel(tmp_path_factory.mktemp("panel"), table, sds={"z": 1.0})
    schools = frame.drop_duplicates("school").assign(status="analysed", phase="primary")
    schools["arm"] = np.where(schools["entry_year"].notna(), "member", "comparison")
    schools["network"] = schools["cluster"].where(schools["arm"] == "member")
    schools.to_parquet(panel / "schools.parquet")
    described = schools.dropna(subset=["network"]).drop_duplicates("network")
    # Every network has schools of each type: the first school's counts.
    types = pd.DataFrame({"network": described["network"].astype("int64"), "type": described["network_type"]})
    return SimpleNamespace(
        cohort=cohort("pupils", minimum_entry_group=1),
        panel=panel,
        school=table,
        schools=schools,
        school_networks=first_networks(schools),
        tables=SimpleNamespace(networks=types),
    )


@pytest.mark.parametrize("by", ["deprivation", "disadvantaged_share", "area"])
@pytest.mark.parametrize("comparison", ["never", "not_yet"])
def test_parts_agree_to_ten_digits(study: Any, by: str, comparison: str) -> None:
    spec = Split.model_validate(
        {"kind": "networks.split", "label": "l", "outcome": "maths", "by": by, "comparison": comparison}
    )
    fitted = {one.term: one.estimate for one in split(study, spec).estimates if one.estimand == "att_split"}
    again = {one.term: one.value for one in split_again(study.cohort, spec, study.panel)}
    assert set(again) == set(fitted)
    assert len(again) == (2 if by == "area" else 3)
    for term, value in fitted.items():
        assert again[term] == pytest.approx(value, abs=1e-10)


def test_types_are_compared_with_all_schools_that_never_join(study: Any) -> None:
    spec = Split(kind="networks.split", label="l", outcome="maths", by="network_type")
    by_school = study.schools.set_index("school")["network_type"].where(
        study.schools.set_index("school")["arm"] == "member"
    )
    own = SimpleNamespace(**{**vars(study), "schools": study.schools.assign(network=study.schools["school"])})
    own.school_networks = first_networks(own.schools[own.schools["arm"] == "member"])
    own.tables = SimpleNamespace(networks=by_school.rename("type").rename_axis("network").reset_index())
    fitted = {one.term: one.estimate for one in split(own, spec).estimates if one.estimand == "att_split"}
    again = {one.term: one.value for one in split_again(study.cohort, spec, study.panel)}
    assert again == pytest.approx(fitted, abs=1e-10)
    assert len(again) == 3


def test_what_the_panel_does_not_hold_is_not_computed_again(study: Any) -> None:
    spec = Split(kind="networks.split", label="l", outcome="maths", by="network_focus")
    assert split_again(study.cohort, spec, study.panel) == []
