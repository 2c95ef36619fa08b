"""Tables ready to print."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from plneval.report import model_tables, model_wording, provenance_tables, sample_tables, tables, wording
from plneval.report.load import Released
from plneval.standards import load as standard

SOURCES = Path(__file__).parents[2] / "reports"
VARIANTS = ("benefit", "not_causal", "inconclusive")
PRINTED = [
    *(tables.design, tables.programme, tables.costs, tables.key_figures, tables.checks, tables.checks_in_full),
    *(
        tables.other_results,
        tables.participants,
        sample_tables.ledger,
        sample_tables.rejections,
        sample_tables.ingest_notes,
    ),
    *(
        sample_tables.entry_groups,
        sample_tables.membership,
        sample_tables.baseline,
        sample_tables.composition,
        sample_tables.attrition,
    ),
    *(
        sample_tables.missingness,
        sample_tables.intraclass,
        sample_tables.clusters,
        sample_tables.mdes,
        tables.how_to_read,
    ),
    *(model_tables.models, model_tables.group_times, model_tables.recomputation, tables.threshold_sources),
    *(model_tables.standards, provenance_tables.provenance, provenance_tables.disclosure),
]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("table", PRINTED, ids=lambda table: table.__name__)
def test_every_cell_is_text_without_a_trace_of_missing_values(
    released: Callable[[str], Released], table: Callable[[Released], pd.DataFrame], variant: str
) -> None:
    frame = table(released(variant))
    for column in frame.columns:
        for value in frame[column]:
            assert isinstance(value, str)
            assert value
            assert not re.search(r"\b(nan|NaN|None|NaT)\b|<NA>", value)


def test_key_figures_are_the_released_headline(released: Callable[[str], Released]) -> None:
    shown = dict(tables.key_figures(released("benefit")).itertuples(index=False))
    assert shown["Effect from the third year on"] == "0.12 standard deviations"
    assert "0.05\u00a0to\u00a00.18 standard deviations" in shown.values()
    assert shown["In months of progress"] == "2 months (interval 1 to 3)"
    assert shown["Pupils that it rests on"] == "30,120"


def test_a_refused_headline_is_called_a_difference_and_has_no_months(released: Callable[[str], Released]) -> None:
    shown = dict(tables.key_figures(released("not_causal")).itertuples(index=False))
    assert shown["Difference found from the third year on (not an effect)"] == "0.05 school-level SDs"
    assert not any("month" in name.lower() for name in shown)


def test_a_study_without_headline_says_no_estimate(released: Callable[[str], Released]) -> None:
    assert list(tables.key_figures(released("inconclusive"))["Finding"]) == ["no estimate"]


def test_suppressed_counts_are_shown_as_c(released: Callable[[str], Released]) -> None:
    frame = released("inconclusive")["records"]
    assert set(tables.counts(frame, "n_pupils")) == {"c"}
    assert set(tables.counts(frame, "n_schools")) == {"14"}


def test_failed_checks_come_first_with_a_word_beside_the_symbol(released: Callable[[str], Released]) -> None:
    shown = tables.checks(released("not_causal"))
    assert shown["Result"].iloc[0] == "✗\u00a0Not\u00a0met"
    assert shown["Check"].iloc[0] == "Similar before joining"
    assert list(shown["Result"].iloc[1:3]) == ["!\u00a0Caution"] * 2


def test_flows_set_the_arms_side_by_side_and_keep_what_was_excluded(released: Callable[[str], Released]) -> None:
    flows = {label: frame for label, _, frame in sample_tables.flows(released("benefit"))}
    assert list(flows) == ["tbl-flow-schools", "tbl-flow-schools-maths", "tbl-flow-scores-maths"]
    schools = flows["tbl-flow-schools"].set_index("Step")
    assert schools.loc["Entry observed", "Members"] == "54 (\u22126)"
    assert schools.loc["Analysed", "Comparison"] == "64 (\u22122)"
    assert schools.loc["Analysed", "All"] == "118 (\u22122)"
    # A step that excluded nothing is left out; the first and the last step stand in any case.
    assert list(schools.index) == ["In the register", "Entry observed", "Analysed"]


def test_estimates_of_a_model_put_the_average_first_and_event_times_in_order(
    released: Callable[[str], Released],
) -> None:
    shown = model_tables.estimates(released("benefit"), "cs_maths")
    assert shown["Estimand"].iloc[0] == "From the third year on"
    assert shown["Estimate"].iloc[0] == "0.117"
    events = [name for name in shown["Estimand"] if name.startswith("Event time")]
    assert events == [f"Event time {k}" for k in ("\u22123", "\u22122", "0", "1", "2", "3")]


def test_group_times_read_the_group_and_year_from_the_term(released: Callable[[str], Released]) -> None:
    shown = model_tables.group_times(released("benefit"))
    assert ("2016", "2020", "4") in set(zip(shown["Joined in"], shown["Year"], shown["Event time"], strict=True))


def test_planted_effects_stand_beside_their_estimates_by_model(released: Callable[[str], Released]) -> None:
    ((label, caption, shown),) = model_tables.recoveries(released("benefit"))
    assert label == "tbl-recovery-cs-maths"
    assert "Mathematics, group-time effects" in caption
    assert list(shown["Planted"]) == ["0.110", "0.020"]
    assert list(shown["Estimand"]) == ["From the third year on", "Event time 0"]
    assert model_tables.recoveries(released("not_causal")) == []


def test_a_warning_names_the_numbers_that_it_is_about(released: Callable[[str], Released]) -> None:
    records = released("inconclusive")["records"]
    notes = model_wording.model_notes(records[records["model"] == "cs_maths"])
    assert notes == ["Event time 1: fewer than 3 schools."]
    growth = model_wording.model_notes(records[records["model"] == "growth_maths"])
    assert growth == ["The model did not converge; its numbers are shown for completeness."]


def test_thresholds_from_memory_are_marked_with_the_checks_that_use_them(released: Callable[[str], Released]) -> None:
    shown = tables.threshold_sources(released("benefit")).set_index("Source of the threshold")
    assert shown.loc["wwc", "Status"].startswith("†")
    assert shown.loc["wwc", "Checks"] == "Similar before joining and Length of follow-up"


def test_unused_standards_are_left_out_and_those_from_memory_are_marked(released: Callable[[str], Released]) -> None:
    shown = model_tables.standards(released("benefit")).set_index("Standard")["Status"]
    assert "Attrition boundary" not in shown.index
    assert shown["Baseline equivalence of the analytic sample"].startswith("†")


def test_the_trend_appendix_lists_the_items_of_the_standard() -> None:
    source = (SOURCES / "technical.qmd").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| ([^|]+?) \| ([^|]+?) \|$", source, re.MULTILINE)
    assert [(int(number), name) for number, name, _ in rows] == [
        (item.number, item.name) for item in standard("trend").items
    ]
    sections = set(re.findall(r"\{#(sec-[a-z-]+)\}", source))
    assert {name for _, _, where in rows for name in re.findall(r"@(sec-[a-z-]+)", where)} <= sections


def test_the_programme_table_has_the_twelve_items_of_tidier(released: Callable[[str], Released]) -> None:
    assert list(tables.TIDIER) == [item.key for item in standard("tidier").items]
    assert len(tables.programme(released("benefit"))) == 12


CAUSAL = re.compile(
    r"\b(caus|impact|improve|led to|thanks to|effects? (of|on)|because of the (programme|network))", re.I
)


def test_own_sentences_of_a_refused_verdict_use_no_causal_words(released: Callable[[str], Released]) -> None:
    study = released("not_causal")
    own = [
        *wording.headline(study),
        wording.trends_sentence(study),
        wording.other_results_caption(study),
        wording.participants(study),
        *(text for row in wording.how_to_read(study) for text in row),
    ]
    assert [sentence for sentence in own if CAUSAL.search(sentence)] == []


def test_lost_months_are_not_called_additional(released: Callable[[str], Released]) -> None:
    study = released("benefit")
    record = dict(study.verdict["headline"])
    study.verdict["headline"] = {**record, "months": -1, "months_low": -3, "months_high": 0}
    try:
        text = " ".join(wording.headline(study))
    finally:
        study.verdict["headline"] = record
    assert "about 1 month of lost progress" in text
    assert "additional" not in text


def test_checks_are_counted_by_result(released: Callable[[str], Released]) -> None:
    assert wording.checks_summary(released("benefit")) == (
        "The finding was put through 9 checks: 6 are met, 3 call for caution and none failed."
    )


def test_the_mark_of_suppressed_numbers_is_explained_where_it_stands(released: Callable[[str], Released]) -> None:
    study = released("benefit")
    networks = study["networks"].assign(n_schools_suppressed=True)
    suppressed = replace(study, tables={**study.tables, "networks": networks})
    assert "c" in list(tables.participants(suppressed)["Schools"])
    assert [list(tables.how_to_read(one)["Word"]).count("c") for one in (study, suppressed)] == [0, 1]
