"""The flow of schools, pupils and scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plneval.prepare.flow import Step, assemble, chain
from plneval.prepare.stage import make_panels


def broken_identities(flow: pd.DataFrame) -> list[str]:
    """Chains in which what remains is not what remained before minus what was excluded."""
    broken = []
    for key, part in flow.sort_values("step").groupby(["unit", "arm", "outcome"]):
        left = part["remaining"].astype("int64").to_numpy()
        out = part["excluded"].astype("int64").to_numpy()
        if out[0] != 0 or (left[1:] != left[:-1] - out[1:]).any() or (left < 0).any():
            broken.append(str(key))
    return broken


def counts(flow: pd.DataFrame, unit: str, arm: str, outcome: str = "") -> list[int]:
    part = flow.loc[(flow["unit"] == unit) & (flow["arm"] == arm) & (flow["outcome"] == outcome)]
    return [int(value) for value in part.sort_values("step")["remaining"]]


def test_a_unit_is_excluded_by_the_first_step_that_it_fails() -> None:
    arm = pd.Series(["member", "member", "comparison", None])
    first, second = pd.Series([True, False, True, True]), pd.Series([True, False, False, False])
    flow = assemble([chain("schools", "", "start", arm, [Step("a", "why", first), Step("b", "why not", second)])])
    assert counts(flow, "schools", "member") == [2, 1, 1]
    assert counts(flow, "schools", "comparison") == [1, 1, 0]
    assert counts(flow, "schools", "all") == [4, 3, 1]
    assert broken_identities(flow) == []


def test_the_flow_of_the_small_study_is_that_counted_by_hand(
    small_study: dict[str, pd.DataFrame], make_cohort: Callable[..., Any]
) -> None:
    study = dict(small_study)
    outcomes = study["outcomes"].copy()
    outcomes.loc[outcomes["pupil_id"] == "E20140", "score"] = None  # one score of E missing
    outcomes.loc[outcomes["pupil_id"].isin(["F20150", "F20151"]), "score"] = None  # F without any score in 2015
    study["outcomes"] = outcomes
    flow = make_panels(make_cohort(), study).flow
    # 4 joiners: D left-censored, C without an outcome before joining; 2 comparison schools.
    assert counts(flow, "schools", "member") == [4, 3, 3, 2, 2]
    assert counts(flow, "schools", "comparison") == [2, 2, 2, 2, 2]
    # Register, with maths, three kinds of exclusion, before joining, in all four years (F lacks 2015).
    assert counts(flow, "schools", "all", "maths") == [6, 6, 5, 4, 4, 4, 3]
    assert counts(flow, "pupils", "all") == [48, 45, 29, 29]
    assert counts(flow, "scores", "comparison", "maths") == [16, 16, 16, 13, 13, 13, 13, 13, 13, 13]
    assert counts(flow, "scores", "member", "maths") == [32, 32, 32, 32, 32, 32, 24, 24, 16, 16]
    assert broken_identities(flow) == []


def messy_study(seed: int) -> dict[str, list[dict[str, Any]]]:
    """Schools that join any time or never; pupils who move; scores missing, doubled or in a year without tests.

    Three schools are sound (two that never join, one that joins in 2016), so that there always is a study.
    """
    rng = np.random.default_rng(seed)
    days = [None, "2012-10-01", "2013-10-01", "2015-10-01", "2016-03-01", "2016-10-01", "2019-10-01"]
    joined = {"c1": None, "c2": None, "m1": "2015-10-01"}
    joined |= {f"s{k}": days[rng.integers(len(days))] for k in range(rng.integers(0, 6))}
    pupils, outcomes = [], []
    for school in joined:
        sound = school[0] != "s"
        for year in range(2014, 2018):
            for k in range(3 if sound else int(rng.integers(0, 4))):
                pupil, grade = f"{school}{k}", None if not sound and rng.random() < 0.1 else "34"[k % 2]
                home = school if sound or rng.random() < 0.8 else "s0"
                pupils.append({"pupil_id": pupil, "year": year, "school_id": home, "grade": grade})
                score = None if not sound and rng.random() < 0.3 else float(rng.integers(0, 6))
                record = {"pupil_id": pupil, "year": year, "outcome": "maths", "score": score}
                outcomes += [record] * (1 if sound else int(rng.choice([0, 1, 1, 1, 2])))
    memberships = [
        {"network_id": f"n{rng.integers(1, 3)}", "school_id": school, "joined": day}
        for school, day in joined.items()
        if day is not None
    ]
    return {
        "schools": [{"school_id": school} for school in joined],
        "networks": [{"network_id": "n1"}, {"network_id": "n2"}],
        "memberships": memberships,
        "pupils": pupils,
        "outcomes": outcomes,
    }


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
def test_what_remains_and_what_is_excluded_always_add_up(
    seed: int, make_tables: Callable[..., Any], make_cohort: Callable[..., Any]
) -> None:
    tables = make_tables(**messy_study(seed))
    prepared = make_panels(make_cohort(study={"missing_outcome_years": [2015]}), tables)
    flow = prepared.flow
    assert broken_identities(flow) == []
    assert counts(flow, "scores", "all", "maths")[0] == len(tables["outcomes"])
    assert counts(flow, "scores", "all", "maths")[-1] == len(prepared.pupil)
    assert counts(flow, "schools", "all")[0] == len(tables["schools"])
    assert counts(flow, "schools", "all")[-1] == prepared.pupil["school"].nunique()
    assert counts(flow, "schools", "all")[-1] == int((prepared.schools["status"] == "analysed").sum())
    assert counts(flow, "pupils", "all")[-1] == prepared.pupil["pupil"].nunique()
    assert not prepared.pupil.duplicated(["pupil", "year", "outcome"]).any()
    assert prepared.pupil["year"].isin([2014, 2016, 2017]).all()
