"""What reports say of the gap, of parts of the member schools, and of what lasts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from plneval.report import equity_data, equity_tables, figures, lasting_tables, model_tables
from plneval.report.load import Released


def test_the_gap_stands_three_ways_beside_disadvantaged_pupils(released: Callable[[str], Released]) -> None:
    table = equity_tables.equity(released("benefit"))
    assert table["What"].tolist() == ["Effect on disadvantaged pupils", *["Narrowing of the gap"] * 3]
    assert table["Estimate"].tolist() == ["+0.162", "+0.060", "+0.080", "+0.070"]


def test_parts_of_the_gap_have_both_arms_and_the_interval_of_their_difference(
    released: Callable[[str], Released],
) -> None:
    table = equity_tables.gap_parts(released("benefit")).set_index("Part")
    assert table.index.tolist()[0] == "In all"
    assert table.loc["Gaps within schools", ["Members", "Comparison", "Difference"]].tolist() == [
        "+0.080",
        "+0.030",
        "+0.050",
    ]
    assert len(table) == 5
    assert equity_tables.gap_parts(released("not_causal")).empty


def test_a_withheld_part_is_a_c_and_is_told(released: Callable[[str], Released]) -> None:
    study = released("benefit")
    table = equity_tables.splits(study)
    assert table["Part"].tolist() == ["lowest third", "middle third", "highest third", "lesson study", "not shown 1"]
    assert table["Estimate"].tolist()[-1] == "c"
    deprivation, kind = equity_tables.split_notes(study)
    assert deprivation == (
        "Deprivation of the area: no difference that chance could not make (p = 0.400); highest less lowest third "
        "+0.11 (−0.04\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}0.26)."
    )
    assert kind.endswith(
        "1 part is not shown, since too few networks stand behind it or could be told from the others."
    )
    assert len(equity_data.splits(study)) == 4


def test_the_forest_draws_what_its_data_hold(released: Callable[[str], Released]) -> None:
    study = released("benefit")
    drawn = figures.splits(study)
    axes = drawn.figure.axes[0]
    points = {round(float(line.get_xdata()[0]), 3) for line in axes.get_lines() if len(line.get_xdata()) == 1}
    assert points == {0.03, 0.02, 0.14, 0.1}
    assert next(label.get_text() for label in axes.get_yticklabels()) == "Deprivation of the area"
    assert "highest third 0.14" in drawn.alt
    assert "not shown 1" not in drawn.alt
    assert "No effect of a part" in figures.splits(released("inconclusive")).alt


def test_funders_are_told_the_gap_with_its_doubt(released: Callable[[str], Released]) -> None:
    gap, parts = equity_tables.funder(released("benefit"))
    assert "narrowed by 0.06 standard deviations more in member schools" in gap
    assert "so this may be chance" in gap
    assert "no part can be told apart" in parts
    (nothing,) = equity_tables.funder(released("not_causal"))
    assert nothing == "Whether disadvantaged pupils gained more or less than others cannot be said from these data."


def test_records_about_parts_have_names_in_words(released: Callable[[str], Released]) -> None:
    table = model_tables.estimates(released("benefit"), "split_type_maths")
    assert table["Estimand"].tolist() == ["Type of network: lesson study", "Type of network: not shown 1"]
    parts = model_tables.estimates(released("benefit"), "gap_parts_maths")["Estimand"].tolist()
    assert "Narrowing of the gap, member schools: gaps within schools" in parts


def test_the_scorecard_gives_every_criterion_a_verdict_and_a_reason(released: Callable[[str], Released]) -> None:
    table = lasting_tables.scorecard(released("benefit"))
    assert len(table) == 10
    found = dict(zip(table["Criterion"], table["What was found"], strict=True))
    first = found["Participants' practice has changed, and the change lasts"]
    assert first == (
        "+0.34 points (0.06\N{NO-BREAK SPACE}to\N{NO-BREAK SPACE}0.61; 15 networks). The interval lies above 0.00."
    )
    assert found["School policy has changed, and the change lasts"] == "c"
    assert found["Pupils achieve more after their school has left"] == "The study holds nothing about this."
    assert table["Networks"].iloc[0] == "2 / 9 / 7"


def test_products_are_told_with_those_of_which_nothing_is_known(released: Callable[[str], Released]) -> None:
    table = lasting_tables.scorecard(released("benefit"))
    found = dict(zip(table["Criterion"], table["What was found"], strict=True))
    assert found["What the network made is still used"] == (
        "73\N{NO-BREAK SPACE}% of 76 products of 18 networks (not known of 2 more); "
        "at least 50\N{NO-BREAK SPACE}% needed."
    )
    by_age = lasting_tables.products(released("benefit"), "years_since_recorded")
    assert by_age["Used"].tolist() == ["95.9\N{NO-BREAK SPACE}%", "c"]
    assert by_age["Known if improved"].tolist() == ["66", "66"]
    assert lasting_tables.products(released("not_causal"), "year").empty


def test_counts_of_two_networks_show_one_sign_and_no_number(released: Callable[[str], Released]) -> None:
    full = released("benefit")
    card, degrees = full["sustainability"].copy(), full["sustainability_degrees"].copy()
    for table, columns in ((card, ["shown", "not_shown", "no_data"]), (degrees, [""])):
        for name in columns:
            column = f"networks_{name}" if name else "n_networks"
            table[column] = pd.array([None] * len(table), dtype="Int64")
            table[f"{column}_suppressed"] = True
    two = replace(full, tables={**full.tables, "sustainability": card, "sustainability_degrees": degrees})
    assert set(lasting_tables.scorecard(two)["Networks"]) == {"c"}
    assert set(lasting_tables.degrees(two)["Networks"]) == {"c"}
    assert "networks are not counted by degree" in lasting_tables.network_words(two)


def test_what_was_planted_stands_beside_what_was_found(released: Callable[[str], Released]) -> None:
    table = lasting_tables.planted(released("benefit")).set_index("Criterion")
    assert table.loc["Participants' practice", ["Planted", "Within the interval"]].tolist() == ["0.290", "yes"]
    assert table.loc["Products still used", ["Found", "Planted", "Within the interval"]].tolist() == [
        "0.725",
        "0.725",
        "–",
    ]
    assert lasting_tables.planted(released("not_causal")).empty


def test_the_degree_is_told_with_what_is_missing(released: Callable[[str], Released]) -> None:
    lines = lasting_tables.summary(released("benefit"))
    assert lines[0] == (
        "Of 10 criteria of lasting change, 3 are shown, 3 are not, and for 4 there are no data. Together this is "
        "degree 1 of 3: some criterion is shown."
    )
    assert lines[1] == "Shown: Participants' practice, results from the third year on and products still used."
    assert lasting_tables.network_words(released("benefit")).startswith(
        "Taken one by one, 3 of 18 networks show something"
    )
    assert set(lasting_tables.degrees(released("not_causal"))["Networks"]) == {"–"}
    assert set(lasting_tables.scorecard(released("not_causal"))["Networks"]) == {"–"}
    nothing = lasting_tables.summary(released("not_causal"))
    assert nothing[0].startswith("Of 10 criteria of lasting change, 0 are shown")


def test_the_radar_has_a_spoke_for_every_criterion(released: Callable[[str], Released]) -> None:
    drawn = figures.sustainability_radar(released("benefit"))
    axes = drawn.figure.axes[0]
    # Full spokes reach the rim, those that are not shown less than half of it, those without data have none.
    heights = sorted(patch.get_height() for patch in axes.patches)
    assert heights == pytest.approx([0.45, 0.45, 0.45, 1.0, 1.0, 1.0])
    assert len(axes.texts) == 10
    assert drawn.alt.count("no data") == 4
    assert np.isfinite(heights).all()


@pytest.mark.parametrize("variant", ["not_causal", "inconclusive"])
def test_without_data_on_any_criterion_no_radar_is_drawn(released: Callable[[str], Released], variant: str) -> None:
    drawn = figures.sustainability_radar(released(variant))
    assert [text.get_text() for text in drawn.figure.axes[0].texts] == [drawn.alt]
    assert drawn.alt == "No criterion could be judged, so there is nothing to draw."
