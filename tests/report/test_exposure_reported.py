"""Direct and indirect effects, dose and doubtful comparison schools as readers meet them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

from plneval.report import exposure_data, exposure_figures, exposure_tables, exposure_words, model_tables
from plneval.report.load import Released


def test_the_funder_reads_both_effects_their_difference_and_what_they_rest_on(
    released: Callable[[str], Released],
) -> None:
    """By hand: 0.10, 0.05 and their difference; Fieller's set of the third year on reaches below zero."""
    first, second = exposure_words.funder(released("benefit"))
    assert "were 0.10 standard deviations ahead of pupils of comparison schools (interval 0.06 to 0.14)" in plain(first)
    assert "same schools were 0.05 standard deviations ahead of pupils of comparison schools (interval 0.03" in plain(
        first
    )
    assert "is more than chance alone would often bring" in first
    assert "ahead by 0.41 points (the data allow for anything from nothing at all to 0.90)" in second
    assert "exploratory" in second


def test_an_effect_below_zero_is_behind_and_no_ratio_is_made_of_it(released: Callable[[str], Released]) -> None:
    study = released("benefit")
    records = study["records"].copy()
    records.loc[records["estimand"] == "att_direct", ["estimate", "ci_low", "ci_high"]] = [-0.04, -0.09, 0.01]
    changed = replace(study, tables={**study.tables, "records": records})
    first, second = exposure_words.funder(changed)
    assert "0.04 standard deviations behind pupils of comparison schools" in first
    assert second.startswith("How much of it reached the pupils of colleagues cannot be said.")


def test_where_the_verdict_refuses_neither_effect_is_the_work_of_the_programme(
    released: Callable[[str], Released],
) -> None:
    study = released("benefit")
    (text,) = exposure_words.funder(replace(study, verdict={**study.verdict, "category": "not_causal"}))
    assert text.endswith(exposure_words.REFUSED)
    assert "refuse to call any of these numbers the work of the programme" in text
    assert "gained" not in text
    assert "ahead by 0.41" not in text


def test_without_a_teacher_link_the_reports_say_that_effects_cannot_be_told_apart(
    released: Callable[[str], Released],
) -> None:
    study = released("not_causal")
    assert exposure_words.funder(study) == [
        "In a network a few teachers learn on behalf of their whole school. Whether more reached their own pupils than "
        "the pupils of their colleagues cannot be said, because results are known of schools only."
    ]
    assert "cannot be told apart" in exposure_words.separability(study)[0]
    assert "cannot be told apart" in exposure_words.no_model(study)
    assert exposure_data.direct_and_indirect(study).empty


def test_fiellers_sets_stand_in_words(released: Callable[[str], Released]) -> None:
    table = exposure_tables.mobilisation(released("benefit"), "diffusion_maths")
    assert [plain(text) for text in table.iloc[:, 2]] == [
        "−0.20 to 0.90",
        "all but −1.20 to 3.40",
        "all: the direct effect cannot be told from zero",
    ]


def test_what_is_drawn_is_what_was_released(released: Callable[[str], Released]) -> None:
    study = released("benefit")
    data = exposure_data.direct_and_indirect(study)
    after = data[data["year_of_participation"].notna()]
    assert after["estimate"].tolist() == pytest.approx([0, 0.04, 0.06, 0, 0.02, 0.03])
    drawn = exposure_figures.direct_and_indirect(study)
    assert "year 3 0.04" in drawn.alt
    assert exposure_data.dose_bands(study)["band"].tolist() == ["low", "high"]
    assert "dose" in exposure_figures.dose_bands(study).alt


def test_nearness_tells_what_was_declared_beside_what_was_measured(released: Callable[[str], Released]) -> None:
    declared, others, measured = exposure_words.nearness(released("benefit"))
    assert "near members, not known" in declared
    assert plain(others).startswith("By 2020, 8 of 61 comparison schools (13 %) and 4 of 50 member schools (8 %) had")
    assert plain(measured).startswith("By 2020, 25 of 61 comparison schools (41 %) stood less than 3.0 km")
    without = exposure_words.nearness(released("not_causal"))
    assert without[1].startswith("No data say which schools were in networks outside the programme")
    assert "No distance was declared" in without[2]
    table = exposure_tables.doubtful_comparison(released("benefit"))
    assert table["Estimate"].tolist() == ["0.117", "0.125", "no school to leave out", "0.121", "0.118"]
    assert table["Members left out"].tolist() == ["0", "0", "0", "0", "4"]
    assert exposure_tables.other_networks(released("benefit"))["Members in one so far"].tolist() == ["2", "4"]
    assert exposure_tables.other_networks(released("not_causal")).empty
    assert (
        "no data on other networks" in exposure_tables.doubtful_comparison(released("not_causal"))["Estimate"].tolist()
    )


def test_funders_are_told_of_a_variant_only_where_it_would_be_read_otherwise(
    released: Callable[[str], Released],
) -> None:
    study = released("benefit")
    assert exposure_words.without_doubtful(study) == []
    table = study["doubtful_comparison"].copy()
    table.loc[table["variant"] == "without_other", ["estimate", "ci_low"]] = [0.06, -0.02]
    (told,) = exposure_words.without_doubtful(replace(study, tables={**study.tables, "doubtful_comparison": table}))
    assert plain(told) == (
        "Which schools are compared matters to this finding: without comparison schools in other networks it is 0.06 "
        "standard deviations (interval −0.02 to 0.18)."
    )
    assert exposure_words.without_doubtful(released("inconclusive")) == []


def test_every_assumption_stands_once_with_what_needs_it() -> None:
    table = exposure_tables.assumptions()
    assert not table["Assumption"].duplicated().any()
    assert table["Needed for"].str.len().min() > 0
    sorting = table[table["Assumption"].str.startswith("Joining does not change which pupils")]
    assert sorting["Needed for"].tolist() == ["all of them"]


def test_a_study_without_such_data_says_so(released: Callable[[str], Released]) -> None:
    study = released("inconclusive")
    for table in (exposure_tables.exposure, exposure_tables.own_exposure, exposure_tables.dose):
        assert table(study).empty
    assert "No data say how much schools took part" in exposure_words.dose(study)[0]


def plain(text: object) -> str:
    return str(pd.Series([text]).str.replace("\N{NO-BREAK SPACE}", " ").iloc[0])


def test_second_computations_of_other_models_are_named_by_model_and_by_what_was_computed(
    released: Callable[[str], Released],
) -> None:
    study = released("benefit")
    first = study["recomputed"].head(1)
    rows = [
        ("diffusion_maths", "att_direct_less_indirect", ""),
        ("dose_maths", "dose_third_year_on", "low"),
        ("gap_parts_maths", "gap_narrowed", "sorting"),
    ]
    added = [first.assign(model=model, estimand=estimand, term=term) for model, estimand, term in rows]
    changed = replace(study, tables={**study.tables, "recomputed": pd.concat([first, *added], ignore_index=True)})
    assert model_tables.recomputation(changed)["Estimand"].tolist() == [
        "From the third year on",
        "diffusion maths: difference of the two, from the third year on",
        "dose maths: dose low: from the third year on",
        "gap parts maths: Narrowing of the gap, members less comparison schools: who attends which school",
    ]
