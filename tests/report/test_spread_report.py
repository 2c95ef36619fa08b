"""What reports say of differences between networks, conditions and practice."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from plneval.report import figures, spread_data, spread_tables, spread_wording
from plneval.report.load import Released


def test_the_spread_stands_beside_that_of_the_growth_model(released: Callable[[str], Released]) -> None:
    table = spread_tables.spread(released("benefit"))
    sd = table[table["Quantity"] == "Standard deviation between networks"]
    assert sd["Estimated from"].tolist() == ["pupils' growth", "networks"]
    assert sd["Estimate"].tolist() == ["0.061", "0.050"]
    assert table.loc[table["Estimated from"] == "networks", "Networks"].unique().tolist() == ["9"]


def test_networks_that_may_not_be_shown_are_counted(released: Callable[[str], Released]) -> None:
    # Nine networks were estimated, six came through the door.
    assert "3 networks of 9 may not be shown" in spread_tables.spread_note(released("benefit"))


def test_one_network_has_no_spread_and_the_report_says_so(released: Callable[[str], Released]) -> None:
    study = released("not_causal")
    assert spread_tables.spread(study).empty
    assert "There is one network only" in spread_tables.no_spread(study)
    assert spread_wording.for_funders(study) == [spread_tables.no_spread(study)]
    assert "too few schools" in figures.network_caterpillar(study).alt


def test_items_are_those_of_the_wave_that_most_people_answered(released: Callable[[str], Released]) -> None:
    study = released("benefit")
    before = study.tables["survey_items"]
    later = before.assign(wave="2", n=pd.array([60, 61], dtype="Int64"), r_drop=0.5)
    study.tables["survey_items"] = pd.concat([before, later], ignore_index=True)
    try:
        assert spread_tables.items(study)["With the rest"].tolist() == ["0.50", "0.50"]
    finally:
        study.tables["survey_items"] = before
    assert spread_tables.agreement(study)["Within"].tolist() == ["network", "school"]


def test_funders_are_told_that_chance_may_explain_the_differences(released: Callable[[str], Released]) -> None:
    spread, conditions, practice = spread_wording.for_funders(released("benefit"))
    assert spread.startswith(
        "In some networks the effect on mathematics may be larger and in others smaller, but chance"
    )
    assert "up to 0.12 standard deviations" in spread
    assert "can expect −0.05\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}0.21" in spread
    assert "1 condition of working in networks (shared focus)" in conditions
    assert "no evidence that they do not matter" in conditions
    # What schools of one network share is in the spread, as the technical report says too.
    assert spread.endswith("networks are more likely to differ less than these numbers say than more.")
    assert "are upper readings" in spread_tables.spread_note(released("benefit"))
    assert practice.replace("\N{NO-BREAK SPACE}", " ") == (
        "Teachers were asked about their own teaching more than once. From a network's first wave to the last, the "
        "mean of teaching practice changed by +0.20 points of the scale among participants (interval −0.10 to 0.50) "
        "and +0.20 points of the scale among their colleagues (interval −0.10 to 0.50). This is what teachers say of "
        "their practice; nobody in comparison schools was asked, so there is nothing to compare it with."
    )


def test_without_a_second_wave_nothing_is_said_of_practice(released: Callable[[str], Released]) -> None:
    study = released("benefit")
    before = study.tables["practice_waves"]
    study.tables["practice_waves"] = before[before["wave"] == "1"]
    try:
        assert len(spread_wording.for_funders(study)) == 2
    finally:
        study.tables["practice_waves"] = before
    assert len(spread_wording.for_funders(released("not_causal"))) == 1


def test_a_condition_that_was_refused_says_why(released: Callable[[str], Released]) -> None:
    notes = spread_tables.moderation_notes(released("benefit"))
    assert "Learning: first measured after the outcome in 3 of 16 networks: refused as a moderator." in notes
    assert "Shared focus: measured more than a year after joining." in notes


def test_the_forest_draws_both_slopes_of_every_condition(released: Callable[[str], Released]) -> None:
    study = released("benefit")
    data = spread_data.moderation_slopes(study)
    assert data["label"].tolist() == ["Shared focus", "Density of ties"]
    lines = figures.moderation_slopes(study).figure.axes[0].get_lines()
    drawn = {float(line.get_xdata()[0]) for line in lines if len(line.get_xdata()) == 1}
    assert drawn == {0.05, 0.03, -0.01}


def test_the_caterpillar_has_neither_names_nor_sizes(released: Callable[[str], Released]) -> None:
    study = released("benefit")
    data = spread_data.network_caterpillar(study)
    assert set(data) == {
        "model", "position", "name", "shrunken", "ci_low", "ci_high", "mean", "new_low", "new_high", "unit",
    }  # fmt: skip
    assert data["shrunken"].is_monotonic_increasing
    assert data["mean"].unique().tolist() == [0.09]
    axes = figures.network_caterpillar(study).figure.axes[0]
    assert len(axes.get_xticks()) == 0


def test_networks_that_agreed_are_named_by_size_without_ranks(released: Callable[[str], Released]) -> None:
    study = released("benefit")
    before = study.tables["network_caterpillar"]
    names = ["Oak", "<b>A & B</b>", "=Elm", "Ash $x$ $", "Fir", ""]
    study.tables["network_caterpillar"] = before.assign(name=names)
    try:
        assert spread_data.network_caterpillar(study)["name"].tolist() == names
        drawn = figures.network_caterpillar(study)
    finally:
        study.tables["network_caterpillar"] = before
    axes = drawn.figure.axes[0]
    drawn.figure.canvas.draw()
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["Oak", "<b>A & B</b>", "=Elm", r"Ash \$x\$ \$", "Fir", "(no name recorded)"]
    assert "places are no ranks" in axes.get_xlabel()
    assert "places are no ranks. Oak −0.03" in drawn.alt


def test_practice_says_that_nobody_was_asked(released: Callable[[str], Released]) -> None:
    study = released("inconclusive")
    assert spread_tables.practice(study).empty
    assert "No answers" in figures.practice_over_waves(study).alt
    shown = spread_tables.practice(released("benefit"))
    assert shown["Change"].tolist() == ["–", "+0.20", "–", "+0.20"]


def test_withheld_slopes_are_not_drawn(released: Callable[[str], Released]) -> None:
    study = released("benefit")
    before = study.tables["moderation_conditions"]
    study.tables["moderation_conditions"] = before.assign(naive=float("nan"), naive_suppressed=True)
    try:
        assert spread_data.moderation_slopes(study).empty
        assert spread_tables.moderation(study)["Not adjusted"].tolist() == ["c", "c", "c"]
    finally:
        study.tables["moderation_conditions"] = before


@pytest.mark.parametrize("found", [True, False])
def test_conditions_are_named_where_tests_together_find_them(released: Callable[[str], Released], found: bool) -> None:
    study = released("benefit")
    before = study.tables["moderation_conditions"]
    p = pd.Series([0.01 if found else 0.06, None, None], dtype="float64")
    study.tables["moderation_conditions"] = before.assign(p_holm=p)
    try:
        said = spread_wording.for_funders(study)[1]
    finally:
        study.tables["moderation_conditions"] = before
    assert ("Where shared focus stood higher, effects were larger." in said) is found
    assert ("link, not proof" in said) is found
