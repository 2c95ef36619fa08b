"""Each gate's result for a study made by hand, with what was found and what it was held against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from evidence_by_hand import (
    baseline,
    cells,
    cohort,
    evidence,
    headline,
    measures,
    recomputed,
    record,
    records,
    records_table,
    recovered,
    schools,
    sensitivity,
)

from plneval.challenge.balance_gates import (
    attrition,
    composition,
    missing_outcomes,
    pre_trend,
)
from plneval.challenge.baseline_gate import baseline_equivalence
from plneval.challenge.comparison_gate import comparison_coverage
from plneval.challenge.computation_gates import convergence, effect_scale, recomputation, recovery
from plneval.challenge.design_gates import (
    clusters,
    follow_up,
    leavers,
    membership_timing,
    networks,
    school_power,
)
from plneval.challenge.evidence import Evidence
from plneval.challenge.gate import Gate, to_table
from plneval.challenge.gates import form_gates

Form = Callable[[Evidence], Gate | None]


def changed(name: str, **columns: Any) -> dict[str, pd.DataFrame]:
    """Measures with some columns of one table replaced."""
    return measures(**{name: measures()[name].assign(**columns)})


def no_rows(name: str) -> dict[str, pd.DataFrame]:
    return measures(**{name: measures()[name].iloc[:0]})


def left_early(number: int) -> pd.DataFrame:
    table = schools()
    table.loc[: number - 1, "exit_year"] = table.loc[: number - 1, "entry_year"] + 2
    return table


def uncertain_entry(number: int) -> pd.DataFrame:
    table = schools()
    table.loc[: number - 1, "entry_uncertain"] = 1
    return table


def censored(number: int) -> pd.DataFrame:
    table = schools()
    more = pd.concat([table[table["status"] == "left_censored"].head(1)] * number, ignore_index=True)
    return pd.concat([table[table["status"] == "analysed"], more], ignore_index=True)


TWO_YEARS = records_table([*cells((2016,), (2014, 2016, 2017))])
ONE_CELL_BEFORE = records_table(
    [record("pretrend", term="joint", estimate=0.8, df=1.0, p=0.37), *cells((2016,)), headline()]
)
ONE_LATE_GROUP = records_table([*cells((2015,)), *cells((2016, 2017), (2014, 2015, 2016, 2017)), headline()])
CASES: list[tuple[str, Form, dict[str, Any], str, float | None, float | None]] = [
    # What changes, the gate, the changes, result, value, threshold.
    ("third year observed", follow_up, {}, "pass", 5, 3),
    ("two years only", follow_up, {"records": TWO_YEARS}, "fail", 2, 3),
    (
        "a third of the schools reach it",
        follow_up,
        {"records": records_table([*cells((2015,)), headline()])},
        "caution",
        5,
        3,
    ),
    ("a longer minimum is chosen and met", follow_up, {"thresholds": {"minimum_follow_up": 5}}, "pass", 5, 5),
    ("a longer minimum is chosen and missed", follow_up, {"thresholds": {"minimum_follow_up": 6}}, "fail", 5, 6),
    (
        "a shorter minimum is chosen",
        follow_up,
        {"records": TWO_YEARS, "thresholds": {"minimum_follow_up": 2}},
        "fail",
        2,
        3,
    ),
    ("alike", baseline_equivalence, {}, "pass", 0.04, 0.25),
    ("alike at the limit", baseline_equivalence, {"measures": measures(baseline=baseline(-0.05))}, "pass", 0.05, 0.25),
    (
        "adjusted for",
        baseline_equivalence,
        {"measures": measures(baseline=baseline(-0.14, 0.6))},
        "caution",
        0.14,
        0.25,
    ),
    (
        "correlation too low",
        baseline_equivalence,
        {"measures": measures(baseline=baseline(0.14, 0.59))},
        "fail",
        0.14,
        0.25,
    ),
    (
        "correlation unknown",
        baseline_equivalence,
        {"measures": measures(baseline=baseline(0.14, None))},
        "fail",
        0.14,
        0.25,
    ),
    ("just above", baseline_equivalence, {"measures": measures(baseline=baseline(0.251))}, "fail", 0.251, 0.25),
    (
        "Chicago",
        baseline_equivalence,
        {"measures": measures(baseline=baseline(0.93, standardiser="school"))},
        "fail",
        0.93,
        0.25,
    ),
    (
        "another characteristic",
        baseline_equivalence,
        {"measures": measures(baseline=baseline(0.01, share=0.2))},
        "caution",
        0.2,
        0.25,
    ),
    (
        "another far off",
        baseline_equivalence,
        {"measures": measures(baseline=baseline(0.01, share=-0.3))},
        "fail",
        0.3,
        0.25,
    ),
    ("no baseline", baseline_equivalence, {"measures": no_rows("baseline")}, "fail", None, 0.25),
    (
        "stricter limit missed",
        baseline_equivalence,
        {"measures": measures(baseline=baseline(0.14)), "thresholds": {"baseline_max_g": 0.1}},
        "fail",
        0.14,
        0.1,
    ),
    (
        "laxer limit",
        baseline_equivalence,
        {"measures": measures(baseline=baseline(0.3)), "thresholds": {"baseline_max_g": 0.4}},
        "fail",
        0.3,
        0.25,
    ),
    ("moved alike", pre_trend, {}, "pass", 0.35, 0.05),
    (
        "moved apart",
        pre_trend,
        {"records": records(pretrend={"estimate": 9.0, "df": 2.0, "p": 0.011})},
        "fail",
        0.011,
        0.05,
    ),
    (
        "at the level",
        pre_trend,
        {"records": records(pretrend={"estimate": 6.0, "df": 2.0, "p": 0.05})},
        "pass",
        0.05,
        0.05,
    ),
    (
        "stricter level",
        pre_trend,
        {"records": records(pretrend={"estimate": 5.0, "df": 2.0, "p": 0.08}), "thresholds": {"pretrend_alpha": 0.1}},
        "fail",
        0.08,
        0.1,
    ),
    (
        "laxer level",
        pre_trend,
        {"records": records(pretrend={"estimate": 8.0, "df": 2.0, "p": 0.02}), "thresholds": {"pretrend_alpha": 0.01}},
        "fail",
        0.02,
        0.05,
    ),
    ("one comparison before", pre_trend, {"records": ONE_CELL_BEFORE}, "caution", 0.37, 0.05),
    ("no test", pre_trend, {"records": records(pretrend={"p": None})}, "caution", None, 0.05),
    ("declared free", comparison_coverage, {}, "pass", 60, 1),
    (
        "not known",
        comparison_coverage,
        {"cohort": cohort(design={"comparison_in_other_networks": "unknown"})},
        "caution",
        60,
        1,
    ),
    (
        "some near",
        comparison_coverage,
        {"cohort": cohort(design={"comparison_near_members": "some"})},
        "caution",
        60,
        1,
    ),
    ("none left", comparison_coverage, {"schools": schools(comparison=0)}, "fail", 0, 1),
    ("fewer than 40", clusters, {}, "caution", 24, 40),
    ("40 and 60", clusters, {"records": records(headline(clusters_treated=40))}, "pass", 40, 40),
    ("fewer than 6", clusters, {"records": records(headline(clusters_treated=5))}, "caution", 5, 6),
    ("two", clusters, {"records": records(headline(clusters_treated=2))}, "fail", 2, 3),
    ("two to compare with", clusters, {"records": records(headline(clusters_comparison=2))}, "fail", 2, 3),
    ("two schools in many clusters", clusters, {"schools": schools(members=2)}, "fail", 2, 3),
    ("many networks", networks, {}, "pass", 24, 2),
    ("one network", networks, {"schools": schools(networks=1)}, "caution", 1, 2),
    ("joining observed", membership_timing, {}, "pass", 2 / 52, 0.2),
    ("joining declared", membership_timing, {"schools": uncertain_entry(6)}, "caution", 0.12, 0.1),
    ("many before the study", membership_timing, {"schools": censored(20)}, "caution", 20 / 70, 0.2),
    ("they stayed", leavers, {}, "pass", 0, 0.1),
    ("five of fifty left early", leavers, {"schools": left_early(5)}, "pass", 0.1, 0.1),
    ("six of fifty left early", leavers, {"schools": left_early(6)}, "caution", 0.12, 0.1),
    ("no change apart", composition, {}, "pass", 0, 0.05),
    ("no pupils known", composition, {"measures": no_rows("composition")}, "caution", None, 0.05),
    ("few missing", missing_outcomes, {}, "pass", 0.03, 0.1),
    (
        "twelve per cent missing",
        missing_outcomes,
        {"measures": changed("missingness", observed=[880, 1800])},
        "caution",
        0.12,
        0.1,
    ),
    (
        "missing in one arm",
        missing_outcomes,
        {"measures": changed("missingness", observed=[920, 1960])},
        "caution",
        0.06,
        0.05,
    ),
    (
        "more than half missing",
        missing_outcomes,
        {"measures": changed("missingness", observed=[450, 1900])},
        "fail",
        0.55,
        0.5,
    ),
    ("missing not counted", missing_outcomes, {"measures": no_rows("missingness")}, "caution", None, 0.1),
    # 280 of 3000 lost: 9.33 %, 10 against 9 %; the cautious boundary at 9 and at 10 % is 6.3.
    ("low attrition", attrition, {}, "pass", 1, 6.3),
    # 20 of 100 against 40 of 100: 30 % and 20 points, where the boundary is 4.1.
    (
        "high attrition",
        attrition,
        {"measures": changed("attrition", start=[100, 100], remaining=[80, 60])},
        "caution",
        20,
        4.1,
    ),
    ("attrition not known", attrition, {"measures": no_rows("attrition")}, "caution", None, None),
    ("could miss it", school_power, {}, "caution", 0.12, 0.05),
    # The headline's own error, 0.015 × (2.0687 + 0.8575) = 0.0439 with 23 degrees of freedom, is the smaller one.
    (
        "large enough",
        school_power,
        {"measures": changed("mdes", mdes=[0.05]), "records": records(headline(se=0.015))},
        "pass",
        0.05,
        0.05,
    ),
    # 0.05 × (2.0687 + 0.8575) = 0.14631.
    ("the headline's error says more", school_power, {"records": records(headline(se=0.05))}, "caution", 0.14631, 0.05),
    ("power not known", school_power, {"measures": no_rows("mdes")}, "caution", None, 0.05),
    ("agrees", recomputation, {}, "pass", 9.3, 6),
    ("agrees at the limit", recomputation, {"recomputed": recomputed(6.0)}, "pass", 6, 6),
    ("agrees somewhat", recomputation, {"recomputed": recomputed(4.2)}, "caution", 4.2, 6),
    ("does not agree", recomputation, {"recomputed": recomputed(2.9)}, "fail", 2.9, 3),
    ("not recomputed", recomputation, {"recomputed": recomputed().iloc[:0]}, "fail", None, 6),
    ("recomputed in vain", recomputation, {"recomputed": recomputed(float("nan"))}, "fail", None, 6),
    ("converged", convergence, {}, "pass", 1, 1),
    ("not converged", convergence, {"records": records(headline(converged=False))}, "fail", 0, 1),
    ("no estimate", convergence, {"records": TWO_YEARS}, "fail", None, 1),
    ("pupils' scale", effect_scale, {}, "pass", 1, 1),
    ("schools' scale", effect_scale, {"records": records(headline(effect_size=None))}, "caution", 0, 1),
]


@pytest.mark.parametrize(
    ("form", "changes", "result", "value", "threshold"),
    [case[1:] for case in CASES],
    ids=[f"{case[1].__name__}: {case[0]}" for case in CASES],
)
def test_gate(form: Form, changes: dict[str, Any], result: str, value: float | None, threshold: float | None) -> None:
    gate = form(evidence(**changes))
    assert gate is not None
    assert gate.gate == form.__name__
    assert gate.result == result
    assert gate.value == (None if value is None else pytest.approx(value, abs=1e-5))
    assert gate.threshold == (None if threshold is None else pytest.approx(threshold, abs=1e-9))
    assert gate.statement.endswith(".")
    assert "nan" not in gate.statement
    assert "None" not in gate.statement
    # What does not pass can be named in a verdict, and only that.
    assert bool(gate.because) == (result != "pass")


@pytest.mark.parametrize(("z", "result"), [(2.0, "pass"), (-2.5, "caution"), (3.1, "fail")])
def test_planted_effect_is_looked_for_in_made_up_studies_only(z: float, result: str) -> None:
    made_up = cohort(data={"truth": "truth.json"})
    gate = recovery(evidence(cohort=made_up, recovery=recovered(z)))
    assert gate is not None
    assert (gate.result, gate.value) == (result, abs(z))
    assert recovery(evidence(recovery=recovered(z))) is None
    missing = recovery(evidence(cohort=made_up))
    assert missing is not None
    assert missing.result == "caution"


def test_composition_takes_the_largest_gap_between_the_arms() -> None:
    table = measures()["composition"]
    # Members: 0.20 to 0.32; comparison: 0.20 to 0.26. The gap of the changes is 0.06.
    table.loc[(table["year"] == 2020) & (table["arm"] == "member"), "share_disadvantaged"] = 0.32
    gate = composition(evidence(measures=measures(composition=table)))
    assert gate.result == "caution"
    assert gate.value == pytest.approx(0.06)
    assert "6.0 percentage points" in gate.statement
    # Joiners: 350 of 5000 a year against 250 of 5000: 0.02, within the limit.
    table = measures()["composition"]
    table.loc[table["arm"] == "member", "joiners"] = 350
    gate = composition(evidence(measures=measures(composition=table)))
    assert (gate.result, gate.value) == ("pass", pytest.approx(0.02))


def test_declared_not_to_count_leaves_an_outcome_out_of_the_baseline() -> None:
    far = measures(baseline=baseline(0.01, reading=0.4))
    assert baseline_equivalence(evidence(measures=far)).result == "fail"
    left_out = cohort(
        outcomes={"maths": {"label": "Mathematics"}, "reading": {"label": "Reading", "baseline_covariate": False}}
    )
    assert baseline_equivalence(evidence(measures=far, cohort=left_out)).result == "pass"


def test_chosen_and_published_limits_are_both_stated_and_the_stricter_governs() -> None:
    gate = baseline_equivalence(
        evidence(measures=measures(baseline=baseline(0.14)), thresholds={"baseline_max_g": 0.1})
    )
    assert "chosen for this study is 0.1, the published one 0.25" in gate.statement
    assert (gate.authority.published, gate.authority.status) == (False, "chosen")
    assert gate.published_result == "caution"
    assert gate.governed_by_choice
    lax = baseline_equivalence(evidence(measures=measures(baseline=baseline(0.3)), thresholds={"baseline_max_g": 0.4}))
    assert "chosen for this study is 0.4, the published one 0.25" in lax.statement
    assert lax.authority.published
    assert not lax.governed_by_choice


def test_school_level_difference_is_named_as_such() -> None:
    gate = baseline_equivalence(evidence(measures=measures(baseline=baseline(0.93, standardiser="school"))))
    assert "member schools stood 0.93 school-level standard deviations above the comparison schools" in gate.statement
    below = baseline_equivalence(evidence(measures=measures(baseline=baseline(-0.3))))
    assert (
        "member schools stood 0.30 standard deviations below the comparison schools in mathematics" in below.statement
    )


def test_pre_trend_always_says_how_little_the_test_can_show() -> None:
    for changes in ({}, {"records": records(pretrend={"estimate": 9.0, "df": 2.0, "p": 0.0004})}):
        assert "little power" in pre_trend(evidence(**changes)).statement
    assert "p below 0.001" in pre_trend(evidence(**changes)).statement


def test_few_treated_clusters_call_for_randomisation_inference() -> None:
    gate = clusters(evidence(records=records(headline(clusters_treated=5))))
    assert "randomisation inference" in gate.statement
    small = clusters(evidence())
    assert "the wider interval for small samples was used (23 degrees of freedom)" in small.statement


def test_every_gate_is_there_even_when_all_measures_are_empty() -> None:
    empty = {name: table.iloc[:0] for name, table in measures().items()}
    nothing = evidence(
        measures=empty,
        records=records_table([record("pretrend", term="joint")]),
        recomputed=recomputed().iloc[:0],
        schools=schools().iloc[:0],
        sensitivity=sensitivity(None),
    )
    gates = form_gates(nothing)
    assert [gate.gate for gate in gates] == [gate.gate for gate in form_gates(evidence())]
    assert not [gate.gate for gate in gates if gate.result == "pass"]


def test_gates_table_has_the_contract_of_reports() -> None:
    table = to_table(form_gates(evidence()))
    assert list(table.columns) == ["gate", "result", "value", "threshold", "published", "source", "status", "statement"]
    assert table["published"].dtype == bool
    assert set(table["status"]) <= {"verified", "recall", "own", "declared", "chosen"}
    assert len(table) == 17
    assert table[table["result"] != "pass"]["gate"].tolist() == ["clusters", "school_power"]
