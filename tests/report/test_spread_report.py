"""What reports say of differences between networks, conditions and practice."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from plneval.report import figures, long_forms, moderation_tables, spread_data, spread_tables, spread_wording
from plneval.report.load import Released
from plneval.standards import load


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
    agreed = spread_tables.agreement(study)
    assert agreed["Within"].tolist() == ["network", "school"]
    assert agreed["Standard"].tolist() == ["met", "r_wg below"]
    assert spread_tables.scales(study)["Standard"].tolist() == ["met", "below", "met"]


def test_limits_of_reliability_come_from_the_standard(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "below 0.70 a scale measures with much error" in spread_tables.reliability_words()
    assert "the uniform null" in spread_tables.reliability_words()
    other = load("survey_quality").model_copy(update={"minimum_reliability": 0.8})
    monkeypatch.setattr("plneval.standards.load", lambda _: other)
    assert "below 0.80 a scale" in spread_tables.reliability_words()


def test_the_report_counts_schools_that_were_first_asked_after_joining(released: Callable[[str], Released]) -> None:
    assert spread_tables.asked_late(released("benefit")) == (
        "The first answers about practice came after the first year of participation in 5 schools (participants) and "
        "no school (colleagues)."
    )
    assert spread_tables.asked_late(released("inconclusive")) == ""


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
    notes = moderation_tables.families(released("benefit"))[0].notes
    assert "Learning: first measured after the outcome in 3 of 16 networks: refused as a moderator." in notes
    assert "Shared focus: measured more than a year after joining." in notes


def test_the_forest_draws_both_slopes_of_every_condition(released: Callable[[str], Released]) -> None:
    study = released("benefit")
    data = spread_data.moderation_slopes(study)
    assert data["label"].tolist() == ["Shared focus", "Density of ties"]
    panels = figures.moderation_slopes(study).figure.axes
    assert [axes.get_title(loc="left") for axes in panels] == data["family"].tolist()
    points = [
        [float(line.get_xdata()[0]) for line in axes.get_lines() if len(line.get_xdata()) == 1] for axes in panels
    ]
    assert points == [[0.05, 0.03], [-0.01]]


def test_what_was_tried_together_stands_together(released: Callable[[str], Released]) -> None:
    conditions, structure = moderation_tables.families(released("benefit"))
    assert conditions.name == "Conditions (short form)"
    assert conditions.table["Condition"].tolist() == ["Shared focus", "Learning"]
    assert structure.name == "Structure of networks, as measured"
    # Structure's error is not known: one slope with its interval.
    assert structure.table.filter(["Adjusted", "Reliability"]).empty
    assert structure.table["Interval"].tolist() == ["−0.080\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}0.050"]
    assert moderation_tables.families(released("not_causal")) == []


def test_one_questionnaire_for_two_outcomes_is_two_families(released: Callable[[str], Released]) -> None:
    study = released("benefit")
    before, models = study.tables["moderation_conditions"], dict(study.study["models"])
    again = before.assign(model="moderation_reading")
    study.tables["moderation_conditions"] = pd.concat([before, again], ignore_index=True)
    study.study["models"]["moderation_reading"] = {**models["moderation_maths"], "outcome": "reading"}
    try:
        names = [family.name for family in moderation_tables.families(study)]
        told = spread_wording.for_funders(study)[1]
    finally:
        study.tables["moderation_conditions"] = before
        study.study["models"] = models
    assert [name.split(": ")[0] for name in names] == ["Mathematics", "Mathematics", "Reading", "Reading"]
    assert len(set(names)) == 4
    assert "1 condition of working in networks (shared focus)" in told


def test_a_questionnaire_with_many_scales_has_one_row_a_scale(released: Callable[[str], Released]) -> None:
    """Seven scales in two waves: the wave that most people answered, with items and agreement beside reliability."""
    study = released("benefit")
    names = ("survey_scales", "survey_items", "survey_agreement")
    before = {name: study.tables[name] for name in names}

    def long(name: str) -> pd.DataFrame:
        """Of the first scale's rows, copies for seven scales and two waves of a form of its own."""
        own = before[name][before[name]["scale"] == "focus"]
        copies = [
            own.assign(form="long", scale=f"s{k}", label=f"Scale {k}", wave=wave, n=pd.array([n] * len(own), "Int64"))
            for wave, n in (("1", 40), ("2", 70))
            for k in range(7)
        ]
        return pd.concat([before[name], *copies], ignore_index=True)

    for name in names:
        study.tables[name] = long(name)
    try:
        ((caption, table),) = long_forms.tables_of_scales(study)
        assert len(spread_tables.scales(study)) == len(before["survey_scales"])
        assert len(spread_tables.items(study)) == len(before["survey_items"])
        assert len(spread_tables.agreement(study)) == 2
    finally:
        study.tables.update(before)
    assert caption.startswith("Long, wave 2: ")
    assert list(table) == list(long_forms.WIDTHS)
    assert table["Scale"].tolist() == [f"Scale {k}" for k in range(7)]
    assert table["People"].tolist() == ["70"] * 7
    # One of the scale's two items may be shown.
    assert table["With the rest"].tolist() == ["0.67\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}0.67"] * 7
    assert table["r_wg"].tolist() == ["0.89"] * 7
    assert long_forms.tables_of_scales(released("benefit")) == []


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


def test_the_path_stands_adjusted_and_not_adjusted_side_by_side(released: Callable[[str], Released]) -> None:
    study = released("benefit")
    shown = spread_tables.path(study).set_index("Path")
    row = shown.loc["Results over practice, for a year of participation"]
    assert (row["Estimate"], row["Not adjusted"]) == ("0.010", "0.006")
    assert shown.loc["Reliability of practice, participation held fixed", "Estimate"] == "0.600"
    assert shown.loc["Results, for a year of participation", "Not adjusted"] == "–"
    assert spread_tables.path_notes(study) == [
        "What follows about an unobserved cause is of the path that is adjusted for the error in practice."
    ]
    assert "adjusted for the error in practice" in figures.path_sensitivity(study).alt


def test_an_adjusted_path_that_is_missing_says_why(released: Callable[[str], Released]) -> None:
    study = released("benefit")
    records, sensitivity = study.tables["records"], study.tables["mediation_sensitivity"]
    own = records["estimand"] == "path_indirect"
    why = "practice is too unreliable to adjust the path for its error: only the naive one is given"
    said = f"exploratory: only if; {why}"
    study.tables["records"] = records.assign(
        estimate=records["estimate"].mask(own), warnings=records["warnings"].mask(own, said)
    )
    study.tables["mediation_sensitivity"] = sensitivity.assign(path="naive")
    try:
        shown = spread_tables.path(study).set_index("Path")
        row = shown.loc["Results over practice, for a year of participation"]
        assert (row["Estimate"], row["Not adjusted"]) == ("–", "0.006")
        assert spread_tables.path_notes(study) == [
            "Practice is too unreliable to adjust the path for its error: only the naive one is given.",
            "What follows about an unobserved cause is of the path that is not adjusted.",
        ]
    finally:
        study.tables["records"], study.tables["mediation_sensitivity"] = records, sensitivity


def test_withheld_slopes_are_not_drawn(released: Callable[[str], Released]) -> None:
    study = released("benefit")
    before = study.tables["moderation_conditions"]
    study.tables["moderation_conditions"] = before.assign(naive=float("nan"), naive_suppressed=True)
    try:
        assert spread_data.moderation_slopes(study).empty
        shown = [family.table["Not adjusted"].tolist() for family in moderation_tables.families(study)]
        assert shown == [["c", "c"], ["c"]]
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
