"""When schools leave, how leavers differ, who comes back."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from network_study import four_schools, spell, study

from plneval.networks.leaving import exit_timing, leavers_and_stayers, membership_states, returners


def test_states_tell_members_leavers_and_those_who_came_back() -> None:
    states = membership_states(four_schools()).set_index(["school", "year"])
    assert states.loc[1, "state"].tolist() == ["member", "left", "returned", "returned"]
    assert states.loc[1, "years_in"].tolist() == [1, 1, 2, 3]
    assert states.loc[1, "years_out"].tolist() == [0, 1, 0, 0]
    assert states.loc[2, "state"].tolist() == ["before", "before", "member", "member"]
    assert 3 not in states.index.get_level_values("school")  # left-censored
    (row,) = returners(four_schools()).itertuples(index=False)
    assert tuple(row) == (1, 2015, 2016, 1, 1)


def five_joiners():
    """Entry 2014: one leaves after a year, one after two years, one stays; entry 2016: one leaves after a year, one
    stays and is seen for two years only."""
    ends = {"A": "2014-08-01", "B": "2015-08-01", "C": None, "D": "2016-08-01", "E": None}
    first = {"A": 2014, "B": 2014, "C": 2014, "D": 2016, "E": 2016}
    return study(
        schools=[
            {"school_id": name, "arm": "member", "entry_year": first[name], "ever_left": int(end is not None)}
            for name, end in ends.items()
        ],
        networks=[{"network_id": "alpha"}],
        memberships=[spell("alpha", name, f"{first[name] - 1}-10-01", end) for name, end in ends.items()],
    )


def test_hazard_and_share_still_in_are_those_of_kaplan_and_meier() -> None:
    """At risk 5, 5, 2, 1 at event times 0 to 3 (D and E are seen up to event time 1); left 0, 2, 1, 0."""
    table = exit_timing(five_joiners())
    assert table["event_time"].tolist() == [0, 1, 2, 3]
    assert table["at_risk"].tolist() == [5, 5, 2, 1]
    assert table["left"].tolist() == [0, 2, 1, 0]
    assert table["hazard"].tolist() == pytest.approx([0, 2 / 5, 1 / 2, 0], abs=1e-12)
    assert table["still_in"].tolist() == pytest.approx([1, 3 / 5, 3 / 10, 3 / 10], abs=1e-12)


def test_leavers_and_stayers_are_compared_before_they_joined() -> None:
    """Leavers 1, 3, stayers 2, 2, 5: means 2 and 3; squares 2 + 6 over 3 df, SD √(8/3); g = −ω/SD, ω = 1 − 3/11."""
    tables = five_joiners()
    before = {1: 1.0, 2: 3.0, 3: 2.0, 4: 2.0, 5: 5.0}
    leavers = {1, 2}
    tables.schools["ever_left"] = [int(school in leavers) for school in before]
    panel = pd.DataFrame(
        [
            {
                "school": school,
                "entry_year": 2016,
                "year": year,
                "outcome": "maths",
                "subgroup": subgroup,
                # Values after joining are no baseline.
                "z": value if year == 2015 else 99.0,
                "deprivation": float(school),
                "enrolment": 100.0,
                "n": 1.0 if subgroup == "disadvantaged" else 3.0,
            }
            for school, value in before.items()
            for year in (2014, 2015, 2016)
            for subgroup in ("all", "disadvantaged", "not_disadvantaged")
        ]
    )
    table = leavers_and_stayers(tables, panel).set_index("covariate")
    maths = table.loc["maths"]
    assert (maths["mean_leavers"], maths["mean_stayers"], maths["difference"]) == (2, 3, -1)
    assert maths["sd"] == pytest.approx(math.sqrt(8 / 3), abs=1e-12)
    assert maths["hedges_g"] == pytest.approx(-(1 - 3 / 11) / math.sqrt(8 / 3), abs=1e-12)
    assert (maths["n_leavers"], maths["n_stayers"]) == (2, 3)
    assert table.loc["disadvantaged", "mean_leavers"] == 0.25
    assert pd.isna(table.loc["enrolment", "hedges_g"])  # all are equal
    assert table.loc["deprivation", "difference"] == pytest.approx(1.5 - 4, abs=1e-12)


def test_leavers_and_returners_are_those_planted(simulated) -> None:
    counted = simulated.truth["schools"]
    assert exit_timing(simulated.tables)["left"].sum() == counted["leavers"]
    assert len(returners(simulated.tables)) == counted["returners"]
    states = membership_states(simulated.tables)
    assert states["school"].nunique() == counted["joiners"]
    panel = simulated.pupil.drop_duplicates(["school", "year"]).merge(states, on=["school", "year"])
    assert (panel["member_x"] == panel["member_y"]).all()
    after = simulated.truth["effects"]["after_leaving"]["maths"]["school_years"]
    scored = states.merge(simulated.school.query("outcome == 'maths' and subgroup == 'all'"), on=["school", "year"])
    assert (scored["state"] == "left").sum() == after
    table = leavers_and_stayers(simulated.tables, simulated.school)
    assert (table["n_leavers"] == counted["leavers"]).all()
