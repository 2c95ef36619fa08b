"""Tables and sentences about networks, their members and leaving."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

from plneval.report import membership_data, membership_figures, membership_tables
from plneval.report.load import Released

Study = Callable[[str], Released]


def test_one_network_is_said_to_have_no_spread_and_what_is_not_recorded_is_named(released: Study) -> None:
    one = released("not_causal")
    notes = " ".join(membership_tables.registry_notes(one))
    assert "how far effects differ between networks cannot be estimated" in notes
    missing = membership_tables.not_recorded(one)
    assert missing.startswith("Not in the data")
    for part in ("the teachers who take part", "attendance at meetings", "ties between people", "surveys"):
        assert part in missing
    assert membership_tables.participants(one).empty
    assert membership_tables.structure(one).empty
    assert membership_tables.timeline_by_type(one).empty


def test_many_networks_are_told_by_type_year_and_group(released: Study) -> None:
    many = released("benefit")
    assert membership_tables.not_recorded(many) == ""
    overlap = membership_tables.overlap(many)
    assert overlap.startswith("2 schools took part in several networks at once (8 school-years); as declared")
    assert "the effect on such a school counts for the network joined first, wherever effects are told by" in overlap
    assert "By the network with most hours, 1 of these schools would count for another one." in overlap
    table = many["network_overlap"].assign(declared=[False, False, True])
    by_all = membership_tables.overlap(replace(many, tables={**many.tables, "network_overlap": table}))
    assert "counts for all of them in equal parts" in by_all
    assert "2 of these schools count for another network than the one joined first, or not for it alone." in by_all
    registry = membership_tables.registry(many)
    assert registry["Networks by"].tolist() == ["All networks", "Type", "", "Focus"]
    by_type = membership_tables.timeline_by_type(many)
    assert by_type["Lesson study"].tolist() == ["6", "10", "13"]
    assert membership_tables.timeline(many)["Member schools"].tolist() == ["31", "40", "52"]
    waves = membership_tables.structure_waves(many)
    assert "wave 1: 105 participants of 40 schools with 190 ties" in waves


def test_members_before_the_study_count_as_come_in_the_figure(released: Study) -> None:
    data = membership_data.members_over_time(released("benefit"))
    whole = data[data["type"] == ""]
    assert (whole["members"].diff().dropna() == (whole["joined"] + whole["returned"] - whole["left"]).iloc[1:]).all()
    assert whole["joined"].iloc[0] == whole["members"].iloc[0]
    alt = membership_figures.members_over_time(released("benefit")).alt
    assert "2017: 52 members, 14 came, 2 left" in alt


def test_the_share_still_in_is_drawn_by_year_of_participation(released: Study) -> None:
    data = membership_data.leaving_over_time(released("benefit"))
    # Two schools are too few to be shown.
    assert data["year_of_participation"].tolist() == [1, 2, 3]
    assert data["still_in"].tolist() == [1.0, 1.0, 0.88]


def test_funders_read_how_many_left_and_what_is_not_known(released: Study) -> None:
    many = membership_tables.after_leaving(released("benefit"))
    assert many.startswith("8 of 50 schools left at some time; 2 of them came back.")
    assert many.endswith("was not estimated, or cannot be shown.")
    assert "No school is known to have left" in membership_tables.after_leaving(released("inconclusive"))


@pytest.mark.parametrize(
    ("low", "high", "words"), [(-0.17, 0.16, "too uncertain"), (0.01, 0.2, "above zero"), (-0.3, -0.1, "below zero")]
)
def test_funders_read_what_is_left_with_its_interval(released: Study, low: float, high: float, words: str) -> None:
    study = released("benefit")
    row = study.headline_rows[study.headline_rows["estimand"] == "att_third_year_on"].head(1)
    row = row.assign(estimand="att_after_leaving", estimate=(low + high) / 2, ci_low=low, ci_high=high)
    records = pd.concat([study["records"], row], ignore_index=True)
    told = membership_tables.after_leaving(replace(study, tables={**study.tables, "records": records}))
    assert words in told
    assert "Schools choose to leave" in told
    shown = membership_tables.leaving_effects(replace(study, tables={**study.tables, "records": records}))
    assert shown["What"].tolist() == ["After leaving, against schools that never join"]


def test_few_networks_are_drawn_by_mean_and_sd(released: Study) -> None:
    many = released("benefit")
    quartiles = ["quartile_1", "median", "quartile_3"]
    before = many.tables["network_structure"]
    few = before.assign(**{name: before[name].mask(before["wave"] == 2) for name in quartiles})
    many.tables["network_structure"] = few.assign(**{f"{name}_suppressed": few[name].isna() for name in quartiles})
    try:
        data = membership_data.network_structure(many)
        drawn = membership_figures.network_structure(many)
        table = membership_tables.structure(many)
    finally:
        many.tables["network_structure"] = before
    assert len(data) == 6
    assert "Density: wave 1 0.25 (0.17" in drawn.alt
    assert "wave 2 mean 0.27 (SD 0.11)" in drawn.alt
    assert table.loc[table["Wave"] == "2", "Median"].unique().tolist() == ["c"]
