"""Tables of multilevel models in the technical report."""

from __future__ import annotations

from collections.abc import Callable

from plneval.report import model_tables, multilevel_tables
from plneval.report.load import Released

GROWTH = "growth_maths"


def test_the_spread_between_networks_stands_with_its_interval(released: Callable[[str], Released]) -> None:
    frame = model_tables.estimates(released("benefit"), GROWTH).set_index("Estimand")
    row = frame.loc["Standard deviation of the effect between networks"]
    assert row["Estimate"] == "0.061"
    assert row["Interval"].replace("\N{NO-BREAK SPACE}", " ") == "0.000 to 0.108"
    assert frame.loc["Share of networks with an effect below zero", "Estimate"] == "0.044"


def test_shares_of_variance_stand_with_their_intervals(released: Callable[[str], Released]) -> None:
    frame = multilevel_tables.shares(released("benefit"), GROWTH)
    assert frame["Quantity"].tolist() == [
        "Intraclass correlation, school",
        "R², fixed effects",
        "R², fixed and random effects",
    ]
    assert frame["Estimate"].tolist() == ["0.152", "0.188", "0.720"]
    assert frame["Interval"].iloc[0].replace("\N{NO-BREAK SPACE}", " ") == "0.121 to 0.188"


def test_networks_come_by_their_effect_and_those_withheld_last(released: Callable[[str], Released]) -> None:
    frame = multilevel_tables.network_effects(released("benefit"), GROWTH)
    assert frame["Network"].tolist() == ["4", "1", "2", "3"]
    assert frame["Effect"].tolist()[:2] == ["0.082", "0.151"]
    assert frame["Schools"].tolist() == ["3", "9", "4", "2"]


def test_value_added_is_a_row_for_each_part_and_a_column_for_each_quantile(released: Callable[[str], Released]) -> None:
    frame = multilevel_tables.value_added(released("benefit"), GROWTH)
    assert list(frame.columns) == ["Member schools", "10 %", "50 %", "90 %"]
    assert frame["Member schools"].tolist() == ["Before joining", "After joining", "Change"]
    assert frame.iloc[2].tolist()[1:] == ["\N{MINUS SIGN}0.210", "0.090", "0.390"]


def test_models_without_networks_have_no_table_of_them(released: Callable[[str], Released]) -> None:
    study = released("inconclusive")
    assert multilevel_tables.models(study) == [GROWTH]
    assert multilevel_tables.network_effects(study, GROWTH).empty
    assert multilevel_tables.value_added(study, GROWTH).empty
    assert multilevel_tables.shares(study, GROWTH).empty
