"""The effect on schools that have left, against schools that never join."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from plneval.config.network_models import AfterLeaving
from plneval.estimate.after_leaving import fit_outside, outside
from plneval.estimate.counts import PupilCounts
from plneval.estimate.fit import Estimate, Fit
from plneval.estimate.sample import Exclusions, SchoolSample

YEARS = (2010, 2011, 2013, 2014)
SCORES = {
    1: [0.0, 0.1, 0.5, 0.3],
    2: [0.2, 0.0, 0.4, 0.1],
    3: [0.1, 0.3, 0.2, 0.6],
    4: [0.3, 0.2, 0.2, 0.1],
    5: [0.0, 0.1, 0.0, 0.2],
    6: [0.1, 0.0, 0.3, 0.2],
}
ENTRY = {1: 2011, 2: 2011, 3: 2013}
STATES = {
    1: {2011: ("member", 0), 2012: ("left", 1), 2013: ("left", 2), 2014: ("left", 3)},
    2: {2011: ("member", 0), 2012: ("member", 0), 2013: ("left", 1), 2014: ("returned", 0)},
    3: {2013: ("member", 0), 2014: ("member", 0)},
}
SPEC = AfterLeaving(kind="networks.after_leaving", label="After leaving", outcome="maths")
NOBODY = PupilCounts(pd.DataFrame({name: pd.Series(dtype="int64") for name in ("school", "year", "pupil")}))


def school_years(weight: dict[int, float] | None = None) -> SchoolSample:
    rows = pd.DataFrame(
        [
            {"school": s, "year": y, "cluster": s, "network": s, "entry_year": ENTRY.get(s), "y": z, "n": 10.0}
            for s, scores in SCORES.items()
            for y, z in zip(YEARS, scores, strict=True)
        ]
    ).astype({"entry_year": "Int64", "network": "Int64"})
    rows["weight"] = rows["school"].map(weight or dict.fromkeys(SCORES, 1.0))
    return SchoolSample(rows, "z", "schools", Exclusions())


def states() -> pd.DataFrame:
    rows = [(s, y, *state) for s, years in STATES.items() for y, state in years.items()]
    rows += [(s, 2010, "before", 0) for s in ENTRY]
    return pd.DataFrame(rows, columns=["school", "year", "state", "years_out"])


def fitted(weight: dict[int, float] | None = None) -> tuple[Fit, dict[str, Estimate]]:
    fit = fit_outside(outside(school_years(weight), states()), SPEC, NOBODY)
    return fit, {one.key: one for one in fit.estimates}


def others(year: int) -> float:
    """Mean change of the comparison schools from 2010."""
    return float(np.mean([SCORES[s][YEARS.index(year)] - SCORES[s][0] for s in (4, 5, 6)]))


def test_leavers_are_followed_while_they_are_out_and_compared_with_schools_that_never_join() -> None:
    fit, found = fitted()
    one_2013, one_2014, two_2013 = 0.5 - others(2013), 0.3 - others(2014), 0.2 - others(2013)
    average = found["att_after_leaving|"]
    assert average.estimate == pytest.approx((one_2013 + one_2014 + two_2013) / 3, abs=1e-12)
    assert average.basis.n_schools == 5
    assert average.basis.clusters_treated == 2
    assert "schools chose to leave" in fit.warnings[0]
    assert {"unit": "schools", "count": 1, "reason": "never seen out of their networks"} in fit.diagnostics[
        "exclusions"
    ]


def test_cells_weigh_what_their_leavers_weigh() -> None:
    _, found = fitted({1: 3.0, 2: 1.0, 3: 1.0, 4: 1.0, 5: 1.0, 6: 1.0})
    by_hand = np.average([0.5 - others(2013), 0.3 - others(2014), 0.2 - others(2013)], weights=[3, 3, 1])
    assert found["att_after_leaving|"].estimate == pytest.approx(by_hand, abs=1e-12)


def test_years_out_are_study_years_and_single_leavers_are_told_as_left_out() -> None:
    fit, found = fitted()
    # A year without outcomes counts: school 1 is in its second year out in 2013. Each year out has one leaver here.
    assert [key for key in found if "event_time" in key] == []
    told = [row for row in fit.diagnostics["exclusions"] if row["unit"] == "estimates"]
    assert [row["years_out"] for row in told] == [1, 2, 3]
    assert "a single treated school" in told[0]["reason"]


def test_variances_are_sums_of_squared_influence() -> None:
    fit, found = fitted()
    own = fit.influence.loc[fit.influence["term"] == "att_after_leaving|", "influence"]
    average = found["att_after_leaving|"]
    assert average.se == pytest.approx(float(np.sqrt((own**2).sum())), rel=1e-12)
    assert fit.covariance["covariance"].tolist() == pytest.approx([average.se**2], rel=1e-12)


def test_nobody_left_is_said() -> None:
    nobody = states().assign(state="member", years_out=0)
    fit = fit_outside(outside(school_years(), nobody), SPEC, NOBODY)
    assert fit.estimates == ()
    assert fit.diagnostics["not_estimated"] == ["no member school was out of its networks in a year with outcomes"]
