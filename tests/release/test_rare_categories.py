"""Rare categories of networks are put together, and participants' counts cannot be worked out from one another."""

from __future__ import annotations

import pandas as pd
from membership_by_hand import membership_tables
from restricted_by_hand import cohort, frames, spec

from plneval.config.report import Disclosure
from plneval.release.control import control
from plneval.release.rare_categories import pool_registry, pool_timeline

RULE = Disclosure(minimum_schools=3)
SPECS = {name: spec() for name in ("cs_maths", "cs_all", "cs_dis")}


def test_categories_with_few_schools_become_one() -> None:
    tables = membership_tables()
    registry = pool_registry(tables["network_registry"], RULE)
    rest = registry.set_index("category").loc["other types"]
    assert rest[["n_networks", "n_schools", "one_school"]].tolist() == [3, 4, 1]
    assert rest["mean_years"] == (1 * 3.0 + 2 * 3.75) / 3
    timeline = pool_timeline(tables["network_timeline"], registry)
    assert set(timeline["type"]) == {"", "lesson study", "other types"}
    assert timeline.loc[timeline["type"] == "other types", "members"].tolist() == [4, 3]


def test_a_networks_own_word_does_not_leave_and_thin_results_are_withheld() -> None:
    released = control(frames(), cohort(), "hill", SPECS, RULE).frames
    words = pd.concat([released["network_registry"]["category"], released["network_timeline"]["type"]])
    assert "St Mary's own circle" not in set(words)
    structure = released["network_structure"].set_index("wave")
    assert structure.loc[1, "mean"] == 0.292
    assert pd.isna(structure.loc[2, "mean"])  # two networks, nine people
    # Quartiles of three networks are these networks' own values; from eight on they are shown.
    quartiles = structure[["quartile_1", "median", "quartile_3"]]
    assert quartiles.notna().all(axis=1).to_dict() == {1: True, 2: False, 3: False, 4: False, 5: True}
    assert quartiles.isna().all(axis=1).to_dict() == {1: False, 2: True, 3: True, 4: True, 5: False}
    assert structure.loc[[3, 4], ["mean", "sd"]].notna().all(axis=None)
    assert structure.loc[3, "median_suppressed"]
    assert pd.isna(released["network_exit_timing"].set_index("event_time").loc[5, "hazard"])
    assert pd.isna(released["network_exits"].set_index("what").loc["returned", "mean_years"])


def test_small_turnover_of_participants_cannot_be_subtracted() -> None:
    people = control(frames(), cohort(), "hill", SPECS, RULE).frames["teacher_timeline"].set_index("year")
    # Six left in 2016: with the members of both years, those who came would tell it.
    assert people["members"].notna().all()
    assert people.loc[2016, ["came", "left"]].isna().all()
    assert people.loc[2017, ["came", "left"]].tolist() == [15, 20]
