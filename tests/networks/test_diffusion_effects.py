"""Direct and indirect effects, their difference and ratio: by hand, and against a twin study without effects."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from network_study import cohort, spell, study
from scipy import stats

from plneval.config.network_models import Diffusion
from plneval.estimate.diffusion import diffusion
from plneval.estimate.fit import Fit

SPEC = Diffusion(kind="networks.diffusion", label="l", outcome="maths")
# Changes since the year before joining, in the third year: participants' pupils, other pupils, comparison schools.
DIRECT = {"A": 0.5, "B": 0.3, "C": 0.1}
INDIRECT = {"A": 0.2, "B": 0.15, "C": -0.05}
OTHERS = {"K": 0.0, "L": 0.1, "M": 0.05}


def by_hand(left: bool = False, teaching: bool = True) -> SimpleNamespace:
    """Three schools that join in 2015, each in a network of its own, and three that never do; two pupils a group."""
    members, schools = list(DIRECT), [*DIRECT, *OTHERS]
    tables = study(
        schools=[{"school_id": s, "arm": "member" if s in members else "comparison"} for s in schools],
        config=cohort(design={"weight": "schools"}),
        networks=[{"network_id": f"n{s}"} for s in members],
        memberships=[spell(f"n{s}", s, "2014-09-10", teacher=f"t{s}") for s in members],
        teaching=[{"pupil_id": "p", "year": 2017, "subject": "maths", "teacher_id": "tA"}] if teaching else [],
        pupils=[{"pupil_id": "p", "year": 2017, "school_id": "A"}],
    )
    rows: list[dict[str, Any]] = []
    for number, school in enumerate(schools, start=1):
        member = school in members
        for year in (2014, 2015, 2017):
            treated = member and year >= 2015
            gone = left and school == "C" and year == 2017
            grown = (year - 2014) / 3
            for side, change in (("direct", DIRECT), ("indirect", INDIRECT)):
                rise = (change if member else OTHERS)[school] * grown
                rows += [
                    {
                        "school": number,
                        "year": year,
                        "pupil": 100 * number + 10 * (side == "direct") + one,
                        "z": 0.4 * number + rise + (0.1 if one else -0.1),
                        "arm": "member" if member else "comparison",
                        "entry_year": 2015 if member else None,
                        "event_time": year - 2015 if member else None,
                        "treated": int(treated),
                        "member": int(treated and not gone),
                        "exposure": side if treated else "none",
                    }
                    for one in (0, 1)
                ]
    panel = pd.DataFrame(rows).assign(outcome="maths", disadvantaged=0)
    panel["cluster"] = panel["network"] = panel["school"].astype("Int64")
    panel = panel.astype({"entry_year": "Int64", "event_time": "Int64", "exposure": "str"})
    return SimpleNamespace(cohort=tables.cohort, tables=tables, pupil=panel)


def estimates(fit: Fit) -> dict[tuple[str, str], Any]:
    return {(one.estimand, one.term): one for one in fit.estimates}


def test_effects_are_differences_of_changes_and_their_errors_are_welchs() -> None:
    found = estimates(diffusion(by_hand(), SPEC))
    others = list(OTHERS.values())
    for side, changes in (("direct", DIRECT), ("indirect", INDIRECT)):
        own = found[f"att_{side}", ""]
        welch = stats.ttest_ind(list(changes.values()), others, equal_var=False)
        assert own.estimate == pytest.approx(np.mean(list(changes.values())) - np.mean(others), abs=1e-12)
        assert own.estimate / own.se == pytest.approx(welch.statistic, rel=1e-10)
        assert found[f"att_{side}_event_time", "e2"].estimate == pytest.approx(own.estimate, abs=1e-12)
        assert found[f"att_{side}_event_time", "e0"].estimate == pytest.approx(own.estimate / 3, abs=1e-12)
    direct = found["att_direct", ""].basis
    assert (direct.n_schools, direct.n_networks, direct.clusters_treated, direct.clusters_comparison) == (6, 3, 3, 3)
    # Two years: all four pupils of a member school before joining, its two directly taught ones in the third year.
    assert direct.n_scores == 3 * (4 + 2) + 3 * (4 + 4)


def test_what_both_effects_are_compared_with_cancels_in_their_difference() -> None:
    """The difference and the contrast within schools are then the mean of DIRECT - INDIRECT, with its error."""
    fit = diffusion(by_hand(), SPEC)
    found = estimates(fit)
    apart = np.array([DIRECT[s] - INDIRECT[s] for s in DIRECT])
    for name in ("att_direct_less_indirect", "within_school"):
        assert found[name, ""].estimate == pytest.approx(apart.mean(), abs=1e-12)
        assert found[name, ""].se == pytest.approx(apart.std(ddof=1) / np.sqrt(3), rel=1e-10)
    assert found["within_school", ""].df == pytest.approx(2)
    assert found["within_school", ""].basis.n_scores == 3 * 4
    matrix = fit.covariance.pivot(index="row_term", columns="column_term", values="covariance")
    a, b, c = "att_direct|", "att_indirect|", "att_direct_less_indirect|"
    assert matrix.loc[c, c] == pytest.approx(matrix.loc[a, a] + matrix.loc[b, b] - 2 * matrix.loc[a, b], abs=1e-15)
    assert matrix.loc[c, a] == pytest.approx(matrix.loc[a, a] - matrix.loc[a, b], abs=1e-15)
    assert np.linalg.eigvalsh(matrix.to_numpy()).min() > -1e-12
    squares = (fit.influence["influence"] ** 2).groupby(fit.influence["term"]).sum()
    assert squares[a] == pytest.approx(matrix.loc[a, a], rel=1e-10)
    assert squares[c] == pytest.approx(matrix.loc[c, c], rel=1e-10)


def test_the_ratio_has_fiellers_limits() -> None:
    """Limits are the ratios at which indirect - ratio × direct is t standard errors from zero."""
    fit = diffusion(by_hand(), SPEC.model_copy(update={"confidence": 0.6}))
    found = estimates(fit)
    ratio, direct, indirect = (found[name, ""] for name in ("mobilisation_ratio", "att_direct", "att_indirect"))
    assert ratio.estimate == pytest.approx(indirect.estimate / direct.estimate, rel=1e-12)
    assert ratio.vcov == "Fieller, bounded"
    matrix = fit.covariance.set_index(["row_term", "column_term"])["covariance"]
    t = stats.t.ppf(0.8, ratio.df)
    for limit in ratio.bounds:
        variance = (
            matrix["att_indirect|", "att_indirect|"]
            - 2 * limit * matrix["att_direct|", "att_indirect|"]
            + limit**2 * matrix["att_direct|", "att_direct|"]
        )
        assert abs(indirect.estimate - limit * direct.estimate) == pytest.approx(t * np.sqrt(variance), rel=1e-9)
    # At 99.9 % the direct effect cannot be told from zero: no interval, and the set's kind says so.
    wide = estimates(diffusion(by_hand(), SPEC.model_copy(update={"confidence": 0.999})))["mobilisation_ratio", ""]
    assert wide.bounds == (None, None)
    assert wide.vcov == "Fieller, unbounded"
    assert wide.warnings == ("no interval: the direct effect cannot be told from zero",)


def test_pupils_of_schools_that_have_left_are_in_neither_group() -> None:
    fit = diffusion(by_hand(left=True), SPEC)
    found = estimates(fit)
    assert found["att_direct_event_time", "e2"].estimate == pytest.approx((0.5 + 0.3) / 2 - 0.05, abs=1e-12)
    excluded = {row["reason"]: row["count"] for row in fit.diagnostics["exclusions"]}
    assert sum(count for reason, count in excluded.items() if reason.startswith("school has left")) == 4


def test_without_a_teacher_link_the_effects_cannot_be_told_apart() -> None:
    fit = diffusion(by_hand(teaching=False), SPEC)
    assert fit.estimates == ()
    assert fit.diagnostics["not_estimated"] == [
        "Mathematics: effects on pupils of participating teachers and on pupils of their colleagues cannot be told "
        "apart, because no data say which teacher taught which pupil."
    ]


@pytest.mark.parametrize("before", ["all_pupils", "later_participants"])
def test_planted_effects_are_the_difference_to_a_twin_without_effects(simulated, without_effect, before: str) -> None:
    """The same schools, pupils and teachers, so that errors cancel. Schools have one weight for all years here, and in
    the truth weigh by their pupils: 0.03 is a fifth of the direct effect, and less than half of the difference."""
    spec = SPEC.model_copy(update={"before": before})
    both = [
        estimates(diffusion(SimpleNamespace(cohort=s.tables.cohort, tables=s.tables, pupil=s.pupil), spec))
        for s in (simulated, without_effect)
    ]
    planted = simulated.truth["effects"]["exposure"]["maths"]
    apart = planted["direct"] - planted["indirect"]
    truths = {
        "att_direct": planted["direct"],
        "att_indirect": planted["indirect"],
        "att_direct_less_indirect": apart,
        "within_school": apart,
    }
    assert planted["direct"] > 0.2
    for name, truth in truths.items():
        assert both[0][name, ""].estimate - both[1][name, ""].estimate == pytest.approx(truth, abs=0.03)
