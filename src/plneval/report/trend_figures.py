"""Figures of outcomes over the study years, by arm or by year of joining."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from plneval.report import alt_text, figure_data, theme
from plneval.report.direction import lower_is_better
from plneval.report.drawn import Drawn, notice, without_brackets, wrapped
from plneval.report.load import Released
from plneval.report.render.theme import ACCENT_DARK, MUTED, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def trends(released: Released) -> Drawn:
    """Mean outcome of member and comparison schools over the study years."""
    data = figure_data.trends(released)
    if data.empty:
        return notice("No mean by year may be shown.")
    with theme.themed():
        figure, axes = theme.canvas(2.5)
        _trend_panel(axes, data, released)
        turned = "; lower is better" if lower_is_better(released, released.headline_outcome) else ""
        axes.set_ylabel(f"{wrapped(without_brackets(released.headline_label), 32)}\n({_scale(released)}{turned})")
    return Drawn(figure, alt_text.trends(released, data))


def trends_by_entry_year(released: Released) -> Drawn:
    """Mean of every outcome over the study years, by year of joining."""
    data = figure_data.trends_by_entry_year(released)
    if data.empty:
        return notice("No mean by year may be shown.")
    outcomes = list(dict.fromkeys(data["outcome"]))
    columns = 2 if len(outcomes) > 1 else 1
    rows = -(-len(outcomes) // columns)
    with theme.themed():
        figure, grid = theme.canvas(0.3 + 2.3 * rows, rows, columns, squeeze=False)
        for axes, outcome in zip(grid.flat, outcomes, strict=False):
            _trend_panel(axes, data[data["outcome"] == outcome], released, short=True)
            axes.set_title(wrapped(without_brackets(released.outcome_label(outcome)), 36), fontsize=8.5)
        for axes in list(grid.flat)[len(outcomes) :]:
            axes.set_axis_off()
        figure.supylabel(f"Mean ({_scale(released)})", fontsize=8.5)
    return Drawn(figure, alt_text.trends(released, data))


def _trend_panel(axes: Axes, data: pd.DataFrame, released: Released, short: bool = False) -> None:
    """One line for each group with intervals and its name at its end; years without outcomes are shaded."""
    years = sorted({int(year) for year in data["year"]})
    for first, last in _runs([year for year in released.study["missing_outcome_years"] if years[0] < year < years[-1]]):
        axes.axvspan(first - 0.5, last + 0.5, color="#f0f2f4", zorder=0, linewidth=0)
        axes.annotate(
            "no data",
            ((first + last) / 2, 0.015),
            xycoords=("data", "axes fraction"),
            ha="center",
            fontsize=7.5,
            color=MUTED,
        )
    ends: list[tuple[float, str, str]] = []
    groups = sorted(dict.fromkeys(data["group"]), key=lambda group: (group != "comparison", group))
    for i, group in enumerate(groups):
        mine = data[data["group"] == group].sort_values("year")
        colour = theme.COMPARISON if group == "comparison" else theme.MEMBER if group == "member" else _entry_colour(i)
        known = mine[mine["low"].notna()]
        axes.vlines(
            known["year"],
            known["low"],
            known["high"],
            color=colour,
            linewidth=1.0 if short else 1.3,
            alpha=0.35 if short else 0.55,
        )
        style = (0, (5, 2)) if group == "comparison" else "-"
        axes.plot(mine["year"], mine["mean_z"], "o", color=colour, linestyle=style, markersize=4 if short else 5)
        ends.append((float(mine["mean_z"].iloc[-1]), _group_name(group, short), colour))
    theme.whole_years(axes, list(range(years[0], years[-1] + 1)))
    axes.margins(y=0.14)
    axes.set_xlim(years[0] - 0.3, years[-1] + 0.15)
    _label_ends(axes, ends, years[-1])


def _label_ends(axes: Axes, ends: list[tuple[float, str, str]], last: int) -> None:
    """Write names beside the ends of lines, moved apart where they would overlap."""
    bottom, top = axes.get_ylim()
    # Pixels over pixels per inch: the height of the panel in inches.
    height = axes.get_window_extent().height / axes.figure.dpi
    step = 0.165 * (top - bottom) / height
    places: list[float] = []
    for value, _, _ in sorted(ends):
        places.append(max(value, places[-1] + step) if places else value)
    for (value, name, colour), place in zip(sorted(ends), places, strict=True):
        axes.annotate(
            name,
            (last, value),
            (last + 0.3, place),
            textcoords="data",
            va="center",
            color=colour,
            fontsize=8.5,
            annotation_clip=False,
        )


def _runs(years: list[int]) -> list[tuple[int, int]]:
    """First and last of every run of consecutive years."""
    runs: list[tuple[int, int]] = []
    for year in sorted(years):
        if runs and year == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], year)
        else:
            runs.append((year, year))
    return runs


def _entry_colour(position: int) -> str:
    colours = (SERIES[0], *SERIES[2:], ACCENT_DARK)
    return colours[(position - 1) % len(colours)]


def _group_name(group: str, short: bool) -> str:
    if group == "comparison":
        return "comparison" if short else "comparison schools"
    if group == "member":
        return "members" if short else "member schools"
    return f"joined {group}"


def _scale(released: Released) -> str:
    return "school-level SDs" if released.school_scale else "standard deviations"
