"""The verdict's category, and the words that gates put into it."""

from __future__ import annotations

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
    schools,
    spec,
)

from plneval.challenge.document import verdict_document
from plneval.challenge.evidence import Evidence
from plneval.challenge.gates import form_gates
from plneval.challenge.verdict import Effect, categorise


def document(**changes: Any) -> dict[str, Any]:
    made = evidence(**changes)
    return verdict_document(made, form_gates(made))


def effect(low: float, high: float, scale: str = "pupil_sd") -> Effect:
    return Effect((low + high) / 2, low, high, scale)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("interval", "scale", "higher_is_better", "category"),
    [
        ((0.05, 0.19), "pupil_sd", True, "benefit"),
        ((-0.19, -0.05), "pupil_sd", True, "harm"),
        ((0.05, 0.19), "pupil_sd", False, "harm"),
        ((-0.19, -0.05), "pupil_sd", False, "benefit"),
        ((-0.04, 0.05), "pupil_sd", True, "no_difference"),
        # Excludes zero and is too small to matter.
        ((0.01, 0.05), "pupil_sd", True, "no_difference"),
        ((-0.06, 0.02), "pupil_sd", True, "inconclusive"),
        ((-0.02, 0.14), "pupil_sd", True, "inconclusive"),
        ((0.0, 0.14), "pupil_sd", True, "inconclusive"),
        # The smallest effect of interest is in SDs of pupils and says nothing of other scales.
        ((-0.04, 0.04), "school_sd", True, "inconclusive"),
        ((0.01, 0.04), "school_sd", True, "benefit"),
        ((float("nan"), float("nan")), "pupil_sd", True, "inconclusive"),
    ],
)
def test_category_follows_from_the_interval(
    interval: tuple[float, float], scale: str, higher_is_better: bool, category: str
) -> None:
    assert categorise(effect(*interval, scale), [("networks", "caution")], 0.05, higher_is_better) == category


@pytest.mark.parametrize(
    "gate",
    [
        "baseline_equivalence",
        "follow_up",
        "comparison_coverage",
        "pre_trend",
        "clusters",
        "convergence",
        "recomputation",
    ],
)
def test_failed_gate_refuses_a_causal_headline(gate: str) -> None:
    assert categorise(effect(0.05, 0.19), [(gate, "fail")], 0.05, True) == "not_causal"
    assert categorise(effect(0.05, 0.19), [(gate, "caution")], 0.05, True) == "benefit"


def test_without_a_headline_nothing_causal_is_said() -> None:
    assert categorise(None, [], 0.05, True) == "not_causal"


PASSING = {
    "records": records(headline(clusters_treated=48, se=0.01)),
    "measures": measures(mdes=measures()["mdes"].assign(mdes=[0.04])),
}
TWO_YEARS = records_table(
    [record("pretrend", term="joint", estimate=1.0, df=1.0, p=0.4), *cells((2016,), (2014, 2016, 2017))]
)


def test_benefit_is_told_with_interval_months_and_schools() -> None:
    found = document(**PASSING)
    assert found["category"] == "benefit"
    assert found["sentence"] == (
        "From the third year of taking part in the Hill Networks on, results in mathematics were 0.12 standard "
        "deviations higher than they would have been without it (95 % interval: 0.05 to 0.19), about 2 months of "
        "additional progress. This compares 50 schools in 24 networks with 60 schools that did not take part."
    )
    assert found["short"] == "Better results from the third year on."
    assert found["reasons"] == []
    assert found["gates"] == {"pass": 17, "caution": 0, "fail": 0}
    assert found["governed_by"] == "published"
    assert found["headline"]["estimate"] == 0.12
    assert found["headline"]["event_time"] is None


def test_cautions_become_named_reservations() -> None:
    found = document(schools=schools(networks=1))
    assert found["sentence"].startswith("With reservations: from the third year")
    assert found["sentence"].endswith(
        "The reservations: the number of independent units is small and it is about one network only."
    )
    assert "50 schools in this one network with 60 schools" in found["sentence"]
    assert found["short"] == "Better results from the third year on, with reservations."
    assert any("one network" in text for text in found["cannot_conclude"])
    assert len(found["reasons"]) == found["gates"]["caution"] == 3


@pytest.mark.parametrize(
    ("record", "category", "words"),
    [
        (headline(-0.12, -0.19, -0.05, months=-2), "harm", "0.12 standard deviations lower than"),
        (headline(-0.12, -0.19, -0.05, months=-2), "harm", "about 2 months of lost progress"),
        (headline(0.06, 0.051, 0.07, months=1), "benefit", "about 1 month of additional progress"),
        (headline(0.06, 0.051, 0.07, months=0), "benefit", "less than one month of progress"),
        (
            headline(0.0, -0.04, 0.04, months=0),
            "no_difference",
            "lies between −0.04 and 0.04 standard deviations, within the 0.05",
        ),
        (headline(0.06, -0.02, 0.14), "inconclusive", "the data fit anything from −0.02 to 0.14"),
        (
            headline(0.06, None, None, effect_size_low=None, effect_size_high=None),
            "inconclusive",
            "how far chance may have moved it",
        ),
    ],
)
def test_category_has_its_words(record: dict[str, Any], category: str, words: str) -> None:
    found = document(records=records(record))
    assert found["category"] == category
    assert words in found["sentence"]
    assert "nan" not in found["sentence"]


def test_open_question_has_doubts_and_no_reservations() -> None:
    found = document(records=records(headline(0.06, -0.02, 0.14)))
    assert found["sentence"].startswith("It remains open whether taking part in the Hill Networks")
    assert found["sentence"].endswith(
        "What adds to the doubt: the number of independent units is small and smaller effects could be missed."
    )
    assert found["short"] == "The evidence does not settle the question."


def test_lower_is_better_turns_the_meaning_round() -> None:
    absence = cohort(outcomes={"maths": {"label": "Days of absence", "higher_is_better": False}})
    found = document(records=records(headline(-0.12, -0.19, -0.05, months=None)), cohort=absence)
    assert found["category"] == "benefit"
    assert "results in days of absence were 0.12 standard deviations lower (which is better)" in found["sentence"]
    assert found["short"].startswith("Better results")
    fewer = document(records=records(headline(-0.12, -0.19, -0.05, months=-2)), cohort=absence)
    assert "about 2 months of additional progress" in fewer["sentence"]
    more = document(records=records(headline(0.12, 0.05, 0.19, months=2)), cohort=absence)
    assert "0.12 standard deviations higher (which is worse)" in more["sentence"]
    assert "about 2 months of lost progress" in more["sentence"]


def test_chicago_reads_as_a_refusal_that_names_the_baseline_difference() -> None:
    network = cohort(
        programme="the Independent School Principals network",
        study={"level": "school"},
        outcomes={"maths": {"label": "Mathematics attainment (NWEA MAP)"}},
    )
    found = document(
        cohort=network,
        schools=schools(networks=1),
        measures=measures(baseline=baseline(0.93, None, "school").assign(label="Mathematics attainment (NWEA MAP)")),
        records=records(headline(0.21, 0.04, 0.38, effect_size=None, effect_size_low=None, effect_size_high=None)),
    )
    assert found["category"] == "not_causal"
    assert found["sentence"] == (
        "This study cannot say whether the Independent School Principals network made a difference to mathematics "
        "attainment (NWEA MAP): before joining, member schools stood 0.93 school-level standard deviations above the "
        "comparison schools in the same measure, and above 0.25 such a comparison is not accepted as fair."
    )
    assert found["short"] == "No causal conclusion: the schools differed too much before joining."
    # No number that could be read as an effect.
    assert "0.21" not in found["sentence"]
    assert found["reasons"][0].startswith("The largest difference before joining")


def test_short_follow_up_is_the_headline() -> None:
    found = document(records=TWO_YEARS)
    assert found["category"] == "not_causal"
    assert "its schools were followed for only 2 years, and networks take at least three" in found["sentence"]
    assert found["short"].startswith("Too early to say")
    assert found["headline"] is None


def test_several_refusals_are_all_named_the_most_telling_first() -> None:
    found = document(
        measures=measures(baseline=baseline(0.4)),
        records=records(headline(), pretrend={"estimate": 9.0, "df": 2.0, "p": 0.01}),
        recomputed=recomputed(1.0),
    )
    sentence = found["sentence"]
    places = [sentence.index(words) for words in ("0.40 standard", "moved apart before joining", "do not agree")]
    assert places == sorted(places)


def test_chosen_threshold_that_is_stricter_governs() -> None:
    lenient = document(measures=measures(baseline=baseline(0.14)))
    strict = document(measures=measures(baseline=baseline(0.14)), thresholds={"baseline_max_g": 0.1})
    lax = document(measures=measures(baseline=baseline(0.14)), thresholds={"baseline_max_g": 0.4})
    assert [one["category"] for one in (lenient, strict, lax)] == ["benefit", "not_causal", "benefit"]
    assert [one["governed_by"] for one in (lenient, strict, lax)] == ["published", "chosen", "published"]


def test_effect_on_disadvantaged_pupils_names_them() -> None:
    found = document(specs={"cs_maths": spec(subgroup="disadvantaged")})
    assert "results in mathematics of disadvantaged pupils were" in found["sentence"]


VARIANTS: list[dict[str, Any]] = [
    {},
    PASSING,
    {"records": TWO_YEARS},
    {"records": records(headline(0.06, -0.02, 0.14))},
    {"records": records(headline(0.0, -0.04, 0.04))},
    {"records": records(headline(-0.12, -0.19, -0.05))},
    {"measures": measures(baseline=baseline(0.4))},
    {"schools": schools(comparison=0)},
    {"records": records(pretrend={"estimate": 9.0, "df": 2.0, "p": 0.01})},
    {"records": records(headline(clusters_treated=2))},
    {"records": records(headline(converged=False))},
    {"recomputed": recomputed(1.0)},
]


@pytest.mark.parametrize("changes", VARIANTS)
def test_words_are_for_people(changes: dict[str, Any]) -> None:
    found = document(**changes)
    assert len(found["short"].split()) <= 12
    for text in [found["sentence"], found["short"], *found["cannot_conclude"], *found["reasons"]]:
        assert text[0].isupper()
        assert text.endswith(".")
        assert ".." not in text
        assert "nan" not in text.lower().split()
    for jargon in ("p =", "p-value", "significan", "null hypothesis", "coefficient", "ATT"):
        assert jargon not in found["sentence"]
    assert len(found["cannot_conclude"]) >= 3


def test_verdict_does_not_depend_on_the_order_of_rows() -> None:
    made = evidence()
    turned = evidence(
        records=made.records.iloc[::-1].reset_index(drop=True),
        schools=made.schools.iloc[::-1].reset_index(drop=True),
        measures={name: table.iloc[::-1].reset_index(drop=True) for name, table in made.measures.items()},
    )
    assert verdict_document(turned, form_gates(turned)) == verdict_document(made, form_gates(made))


def test_headline_counts_only_schools_whose_third_year_was_seen() -> None:
    table = records_table([*cells((2015,)), headline()])
    found: Evidence = evidence(records=table)
    assert sorted(set(found.members_in_headline["entry_year"])) == [2015]
    assert pd.Series(found.members_in_headline["school"]).is_unique
