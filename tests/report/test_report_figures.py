"""Figures show their data, all of it, and say it in words too."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes

from plneval.report import figure_data, figures, formats, theme
from plneval.report.load import Released

VARIANTS = ("benefit", "not_causal", "inconclusive")


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    pyplot.close("all")


def _points(axes: Axes) -> set[tuple[float, float]]:
    """Single marked points of a panel."""
    found = [line.get_xydata() for line in axes.get_lines() if line.get_marker() not in ("None", None, "")]
    return {(float(x), float(y)) for points in found for x, y in np.asarray(points)}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", sorted(figure_data.FIGURES))
def test_every_figure_is_drawn_and_has_an_alternative_text(
    released: Callable[[str], Released], variant: str, name: str
) -> None:
    drawn = getattr(figures, name)(released(variant))
    drawn.figure.canvas.draw()
    assert len(drawn.alt) > 20
    assert not any(word in drawn.alt for word in ("nan", "NaN", "None", "<NA>"))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_csv_holds_the_plotted_effects(released: Callable[[str], Released], variant: str, tmp_path: Path) -> None:
    study = released(variant)
    figure_data.write_all(study, tmp_path)
    table = pd.read_csv(tmp_path / "effect_by_year.csv")
    axes = figures.effect_by_year(study).figure.axes[0]
    assert _points(axes) == set(zip(table["event_time"].astype(float), table["estimate"], strict=True))
    intervals = {tuple(line.get_ydata()) for line in axes.get_lines() if line.get_marker() in ("None", "")}
    for row in table.dropna(subset="ci_low").itertuples():
        assert (row.ci_low, row.ci_high) in intervals


def test_the_csv_holds_the_plotted_trends(released: Callable[[str], Released], tmp_path: Path) -> None:
    study = released("benefit")
    figure_data.write_all(study, tmp_path)
    table = pd.read_csv(tmp_path / "trends.csv")
    assert set(table["group"]) == {"member", "comparison"}
    assert set(table["outcome"]) == {"maths"}
    points = _points(figures.trends(study).figure.axes[0])
    assert points == set(zip(table["year"].astype(float), table["mean_z"], strict=True))


def test_the_csv_holds_the_released_estimates_of_every_model(
    released: Callable[[str], Released], tmp_path: Path
) -> None:
    study = released("benefit")
    figure_data.write_all(study, tmp_path)
    table = pd.read_csv(tmp_path / "estimates_by_estimator.csv").set_index("model")
    # The headline's model comes first; other outcomes and subgroups are another question.
    assert list(table.index) == ["cs_maths", "cs_maths_not_yet", "twfe_maths", "growth_maths"]
    assert table.loc["growth_maths", "estimate"] == 0.104
    axes = figures.estimates_by_estimator(study).figure.axes[0]
    assert {x for x, _ in _points(axes)} == set(table["estimate"])


def test_baseline_figure_shows_the_published_bands_and_every_difference(released: Callable[[str], Released]) -> None:
    study = released("not_causal")
    axes = figures.baseline_differences(study).figure.axes[0]
    edges = {round(float(value), 6) for patch in axes.patches for value in patch.get_extents().get_points()[:, 0]}
    inverse = axes.transData.inverted()
    bands = {round(float(inverse.transform((edge, 0))[0]), 3) for edge in edges}
    assert {-0.25, -0.05, 0.05, 0.25} <= bands
    assert {0.91, 0.728, -0.03} <= {x for x, _ in _points(axes)}
    low, high = axes.get_xlim()
    assert low < -0.03
    assert high > 0.91


def test_alternative_text_holds_the_drawn_numbers(released: Callable[[str], Released]) -> None:
    alt = figures.effect_by_year(released("benefit")).alt
    assert "year 3 0.11 (0.04\u00a0to\u00a00.17)" in alt
    assert "2 years before joining \u22120.01" in alt
    assert "difference found" in figures.effect_by_year(released("not_causal")).alt


def test_a_figure_without_data_says_so(released: Callable[[str], Released]) -> None:
    drawn = figures.estimates_by_estimator(released("inconclusive"))
    assert drawn.alt == "No model gives an estimate from the third year on that may be shown."


def test_suppressed_means_are_not_drawn(released: Callable[[str], Released]) -> None:
    data = figure_data.trends(released("inconclusive"))
    assert set(data["group"]) == {"comparison"}


def test_flow_figure_counts_schools_by_arm(released: Callable[[str], Released]) -> None:
    data = figure_data.sample_flow(released("benefit"))
    assert set(data["arm"]) == {"member", "comparison"}
    analysed = data[data["stage"] == "analysed"].set_index("arm")["remaining"]
    assert dict(analysed) == {"member": 54, "comparison": 64}
    words = {text.get_text() for text in figures.sample_flow(released("benefit")).figure.axes[0].texts}
    assert {"54", "64"} <= words


def test_a_csv_word_is_no_formula_for_a_spreadsheet(tmp_path: Path, released: Callable[[str], Released]) -> None:
    study = released("benefit")
    before = study.tables["baseline"]
    study.tables["baseline"] = before.assign(label="=HYPERLINK(1)")
    try:
        figure_data.write_all(study, tmp_path)
    finally:
        study.tables["baseline"] = before
    assert "'=HYPERLINK(1)" in (tmp_path / "baseline_differences.csv").read_text(encoding="utf-8")


def test_names_of_the_parts_of_the_axis_do_not_touch(released: Callable[[str], Released]) -> None:
    # Seven years before joining and three of participation: the last two parts are two years and one year wide.
    study = released("benefit")
    data = figure_data.effect_by_year(study).iloc[[0] * 9].assign(event_time=[-7, -6, -5, -4, -3, -2, 0, 1, 2])
    with theme.themed():
        figure, axes = theme.canvas(2.6)
        figures._event_time_panel(axes, data, labelled=True)
    figure.canvas.draw()
    boxes = {text.get_text(): text.get_window_extent() for text in axes.texts if text.get_text()[:1].isalpha()}
    assert set(boxes) == {"before joining", "years 1–2", "year 3 on"}
    for first, second in itertools.combinations(boxes.values(), 2):
        assert not first.overlaps(second)


def test_only_years_of_participation_carry_numbers(released: Callable[[str], Released]) -> None:
    study = released("benefit")
    data = figure_data.effect_by_year(study)
    shown = [text.get_text() for text in figures.effect_by_year(study).figure.axes[0].texts]
    numbers = [text for text in shown if not text[:1].isalpha()]
    assert numbers == [formats.number(value) for value in data.loc[data["event_time"] >= 0, "estimate"]]
