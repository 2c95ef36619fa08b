"""An outcome of which less is better: the same numbers with words for the other direction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from page_text import alternative_texts, html_text

from plneval.report import (
    equity_tables,
    exposure_words,
    figures,
    lasting_tables,
    membership_tables,
    model_tables,
    sample_wording,
    spread_tables,
    spread_wording,
    tables,
    wording,
)
from plneval.report.load import Released


@pytest.fixture
def absence(released: Callable[[str], Released]) -> Released:
    return released("absence")


def plain(text: object) -> str:
    return str(text).replace("\N{NO-BREAK SPACE}", " ")


def turned(study: Released) -> Released:
    """The same study with every number of its records on the other side of zero."""
    records = study["records"].copy()
    estimate, low, high = (-records[name] for name in ("estimate", "ci_high", "ci_low"))
    records = records.assign(estimate=estimate, ci_low=low, ci_high=high)
    return replace(study, tables={**study.tables, "records": records})


def test_a_rise_is_worse_for_participants_pupils_and_a_fall_better(absence: Released) -> None:
    first, second = exposure_words.funder(absence)
    assert "were 0.10 standard deviations higher in days of absence (which is worse) than pupils of comparison" in first
    assert "ahead" not in first + second
    assert second.startswith("How much of it reached the pupils of colleagues cannot be said.")
    first, second = exposure_words.funder(turned(absence))
    assert "were 0.10 standard deviations lower in days of absence (which is better) than pupils of comparison" in first
    assert "other pupils of their schools were lower by 0.41 points" in second


def test_disadvantaged_pupils_rise_widens_the_gap(absence: Released) -> None:
    gap = plain(equity_tables.funder(absence)[0])
    assert "widened by 0.06 standard deviations more in member schools" in gap
    assert "compatible with a widening by" in gap
    assert "(minus would be a narrowing)" in gap
    fall = plain(equity_tables.funder(turned(absence))[0])
    assert "narrowed by 0.06 standard deviations more in member schools" in fall
    table = equity_tables.equity(absence)
    assert table["What"].tolist() == ["Effect on disadvantaged pupils", *["Widening of the gap"] * 3]
    assert table["Estimate"].tolist() == ["+0.162", "+0.060", "+0.080", "+0.070"]
    assert "so that the gap widens" in equity_tables.gap_reading(absence)
    assert equity_tables.gap_parts_caption(absence).startswith("Widening of the gap")
    parts = model_tables.estimates(absence, "gap_parts_maths")["Estimand"].tolist()
    assert "Widening of the gap, member schools: gaps within schools" in parts


def test_an_interval_beyond_zero_says_which_way_the_gap_went(absence: Released) -> None:
    records = absence["records"].copy()
    gap = (records["subgroup"] == "gap") & (records["estimand"] == "att_third_year_on")
    for name, value in (("estimate", 0.08), ("ci_low", 0.02), ("ci_high", 0.14)):
        records[name] = records[name].mask(gap, value)
    grew = replace(absence, tables={**absence.tables, "records": records})
    assert equity_tables.funder(grew)[0].endswith("The gap grew by more than chance would make it.")
    assert equity_tables.funder(turned(grew))[0].endswith("The interval excludes that nothing happened.")


def test_networks_below_zero_are_those_on_the_better_side(
    absence: Released, released: Callable[[str], Released]
) -> None:
    spread = plain(spread_wording.for_funders(absence)[0])
    assert "below zero, which is the better side here, lies between 0 % and 31 %" in spread
    assert "in all others results moved to the worse side" in spread
    assert "Share of networks below zero (the better side)" in set(spread_tables.spread(absence)["Quantity"])
    assert "Share of networks below zero" in set(spread_tables.spread(released("benefit"))["Quantity"])


def test_a_condition_with_a_positive_slope_is_less_favourable(absence: Released) -> None:
    before = absence.tables["moderation_conditions"]
    found = before.assign(p_holm=pd.Series([0.01, None, None], dtype="float64"))
    study = replace(absence, tables={**absence.tables, "moderation_conditions": found})
    assert "Where shared focus stood higher, effects were less favourable." in spread_wording.for_funders(study)[1]


def test_the_headline_says_how_it_is_read_and_months_turn_round(absence: Released) -> None:
    first, months = wording.headline(absence)
    assert "less is better: a number below zero is on the good side" in first
    assert "2 months of lost progress" in plain(months)
    rows = dict(tables.key_figures(absence).itertuples(index=False, name=None))
    assert plain(rows["In months of progress"]).startswith("−2 months")
    assert "less is better" in rows["How to read it"]
    caption = wording.other_results_caption(absence)
    assert caption.endswith("Less is better in days of absence: there a number below zero is on the good side.")
    assert "In days of absence less is better" in sample_wording.results_note(absence)


def test_the_scorecard_has_effects_turned_round_and_says_so(absence: Released) -> None:
    criteria = lasting_tables.scorecard(absence)["Criterion"].tolist()
    assert "Pupils' results are better from the third year on" in criteria
    assert not any("achieve more" in words for words in criteria)
    (said,) = lasting_tables.turned(absence)
    assert "plus is better" in said


def test_what_leaving_costs_is_positive_where_less_is_better(absence: Released) -> None:
    records = absence["records"]
    row = records[records["estimand"] == "att_third_year_on"].iloc[[0]]
    row = row.assign(estimand="att_after_leaving", estimator="networks.after_leaving")
    whole = pd.concat([records, row], ignore_index=True)
    study = replace(absence, tables={**absence.tables, "records": whole})
    assert "above zero, the worse side here" in membership_tables.after_leaving(study)
    assert "positive in Days of absence, where less is better" in membership_tables.leaving_reading(study)


@pytest.mark.parametrize(
    "figure",
    [
        figures.effect_by_year,
        figures.effect_by_year_and_model,
        figures.estimates_by_estimator,
        figures.direct_and_indirect,
        figures.dose_bands,
        figures.network_caterpillar,
        figures.moderation_slopes,
        figures.splits,
    ],
)
def test_figures_and_their_texts_say_that_lower_is_better(
    absence: Released, figure: Callable[..., figures.Drawn]
) -> None:
    drawn = figure(absence)
    words = [text for axes in drawn.figure.axes for text in (axes.get_xlabel(), axes.get_ylabel())]
    words.append(drawn.figure.get_supylabel())
    assert any("lower is better" in " ".join(text.split()) for text in words)
    assert "lower is better" in drawn.alt


@pytest.mark.slow
def test_pages_of_absence_never_call_a_rise_good(rendered: Callable[..., Path], absence: Released) -> None:
    release = rendered("absence", "html")
    funder, technical = (html_text(release / f"{name}.html") for name in ("funder", "technical"))
    assert absence.verdict["sentence"] in funder
    for words in ("ahead of", "narrowed by", "of additional progress", "achieve more"):
        assert words not in funder
    for words in ("Plus means that the gap narrows", "Narrowing of the gap", "members gained on others. Interv"):
        assert words not in technical
    assert any("lower is better" in (text or "") for text in alternative_texts(release / "funder.html"))
