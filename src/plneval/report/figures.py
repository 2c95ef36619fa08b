"""The figures of both reports. Each draws the data of its namesake in :mod:`~plneval.report.figure_data`."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

import pandas as pd

from plneval.report import alt_text, figure_data, formats, theme
from plneval.report.direction import axis_unit, axis_units
from plneval.report.drawn import Drawn, notice, without_brackets, wrapped
from plneval.report.equity_figures import splits
from plneval.report.exposure_figures import direct_and_indirect, dose_bands
from plneval.report.flow_diagram import draw_flow
from plneval.report.lasting_figures import sustainability_radar
from plneval.report.load import Released, rows_of
from plneval.report.membership_figures import leaving_over_time, members_over_time, network_structure
from plneval.report.render.theme import MUTED, SERIES
from plneval.report.sensitivity_figures import honest_bounds
from plneval.report.spread_figures import (
    moderation_slopes,
    network_caterpillar,
    path_sensitivity,
    practice_over_waves,
)
from plneval.report.tie_figures import tie_bands, tie_blocks
from plneval.report.trend_figures import trends, trends_by_entry_year
from plneval.report.wording import article_free

if TYPE_CHECKING:
    from matplotlib.axes import Axes


__all__ = [
    "Drawn",
    "baseline_differences",
    "direct_and_indirect",
    "dose_bands",
    "effect_by_year",
    "effect_by_year_and_model",
    "estimates_by_estimator",
    "honest_bounds",
    "leaving_over_time",
    "members_over_time",
    "moderation_slopes",
    "network_caterpillar",
    "network_structure",
    "path_sensitivity",
    "practice_over_waves",
    "sample_flow",
    "show",
    "splits",
    "sustainability_radar",
    "tie_bands",
    "tie_blocks",
    "trends",
    "trends_by_entry_year",
]

_LETTER = 0.08
"""Room for a letter of 8.5 points, in inches."""
_EVENT_TIME_AXIS = "Years before joining (−), and year of participation"


def show(drawn: Drawn) -> None:
    """Show a figure in a report."""
    from plneval.report.render import emit

    emit.figure(drawn.figure, alt=drawn.alt)


def effect_by_year(released: Released) -> Drawn:
    """The headline's estimates by year of participation, with intervals, and the years before joining."""
    data = figure_data.effect_by_year(released)
    if data.empty:
        return notice("No estimate by year of participation may be shown.")
    with theme.themed():
        figure, axes = theme.canvas(2.6)
        _event_time_panel(axes, data, labelled=True)
        axes.set_xlabel(_EVENT_TIME_AXIS)
        axes.set_ylabel(_estimate_axis(released))
    return Drawn(figure, alt_text.effect_by_year(released, data))


def effect_by_year_and_model(released: Released) -> Drawn:
    """Estimates by event time of every model that has them, one panel each."""
    data = figure_data.effect_by_year_and_model(released)
    if data.empty:
        return notice("No estimate by year of participation may be shown.")
    models = list(dict.fromkeys(data["model"]))
    columns = 2 if len(models) > 1 else 1
    rows = -(-len(models) // columns)
    with theme.themed():
        figure, grid = theme.canvas(0.5 + 1.65 * rows, rows, columns, squeeze=False, sharey=data["unit"].nunique() == 1)
        for axes, model in zip(grid.flat, models, strict=False):
            mine = data[data["model"] == model]
            _event_time_panel(axes, mine, labelled=False)
            axes.set_title(wrapped(mine["label"].iloc[0], 38), fontsize=8)
            axes.tick_params(labelleft=True)
        for axes in list(grid.flat)[len(models) :]:
            axes.set_axis_off()
        figure.supylabel(f"Estimate ({axis_units(released, data)})", fontsize=8.5)
        figure.supxlabel(_EVENT_TIME_AXIS, fontsize=8.5)
    return Drawn(figure, alt_text.effect_by_year_and_model(released, data))


def baseline_differences(released: Released) -> Drawn:
    """Standardised differences before joining, over the published bands of baseline equivalence."""
    from plneval.standards import load

    data = figure_data.baseline_differences(released)
    if data.empty:
        return notice("No difference before joining may be shown.")
    limits = load("baseline_equivalence")
    with theme.themed():
        figure, axes = theme.canvas(0.9 + 0.34 * len(data))
        reach = 1.15 * max(limits.adjustment_up_to * 1.3, float(data["hedges_g"].abs().max()))
        axes.set_xlim(-reach, reach)
        axes.axvspan(-limits.adjustment_up_to, limits.adjustment_up_to, color=theme.BAND, zorder=0)
        axes.axvspan(-limits.satisfied_up_to, limits.satisfied_up_to, color="#cfe3f5", zorder=0)
        theme.zero_line(axes, horizontal=False)
        places = range(len(data) - 1, -1, -1)
        for place, row in zip(places, rows_of(data), strict=True):
            wide = abs(row.hedges_g) > limits.adjustment_up_to
            axes.plot([0, row.hedges_g], [place, place], color=theme.BEFORE, linewidth=1.2, zorder=2)
            axes.plot(row.hedges_g, place, "D" if wide else "o", color=SERIES[1] if wide else SERIES[0], zorder=3)
            side = 1 if row.hedges_g >= 0 else -1
            axes.annotate(
                formats.number(row.hedges_g, 2, signed=True),
                (row.hedges_g, place),
                (7 * side, 0),
                textcoords="offset points",
                va="center",
                ha="left" if side > 0 else "right",
                fontsize=8.5,
            )
        axes.set_yticks(list(places), ["\n".join(textwrap.wrap(str(label), 34)) for label in data["label"]])
        axes.set_ylim(-0.6, len(data) - 0.4)
        axes.grid(False)
        axes.set_xlabel("Members minus comparison schools before joining (Hedges' g)")
    return Drawn(figure, alt_text.baseline_differences(data, limits.satisfied_up_to, limits.adjustment_up_to))


def estimates_by_estimator(released: Released) -> Drawn:
    """The estimate from the third year on, by estimator, in one figure."""
    data = figure_data.estimates_by_estimator(released)
    if data.empty:
        return notice("No model gives an estimate from the third year on that may be shown.")
    with theme.themed():
        figure, axes = theme.canvas(0.65 + 0.4 * len(data))
        theme.zero_line(axes, horizontal=False)
        places = list(range(len(data) - 1, -1, -1))
        for place, row in zip(places, rows_of(data), strict=True):
            first = row.model == released.headline_model
            colour = theme.MEMBER if first else MUTED
            axes.plot([row.ci_low, row.ci_high], [place, place], color=colour, linewidth=2.4 if first else 1.6)
            axes.plot(row.estimate, place, "s" if first else "o", color=colour, markersize=7 if first else 5.5)
            text = f"{formats.number(row.estimate)}  ({formats.interval(row.ci_low, row.ci_high)})"
            axes.annotate(
                text,
                (1.02, place),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=8.5,
                annotation_clip=False,
            )
        axes.set_yticks(places, [wrapped(row.label, 36) for row in rows_of(data)], fontsize=8)
        axes.set_ylim(-0.6, len(data) - 0.4)
        axes.grid(True, axis="x")
        axes.grid(False, axis="y")
        axes.set_xlabel(f"From the third year on ({axis_unit(released, released.headline_model)})")
    return Drawn(figure, alt_text.estimates_by_estimator(released, data))


def sample_flow(released: Released) -> Drawn:
    """The schools' way from the register to the analysis."""
    data = figure_data.sample_flow(released)
    if data.empty:
        return notice("No number of schools may be shown.")
    with theme.themed():
        figure = draw_flow(data)
    return Drawn(figure, alt_text.sample_flow(data))


def _event_time_panel(axes: Axes, data: pd.DataFrame, labelled: bool) -> None:
    """Points with intervals by event time; before joining hollow and grey, from the headline's year on in a band."""
    from plneval.standards import load

    times = [int(time) for time in data["event_time"]]
    low, high = min(times), max(times)
    headline_from = load("follow_up").headline_from_event_time
    if high >= headline_from:
        axes.axvspan(headline_from - 0.5, high + 0.5, color=theme.BAND, zorder=0)
    theme.zero_line(axes)
    if low < 0 <= high:
        axes.axvline(-0.5, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
    for row in rows_of(data):
        before = row.event_time < 0
        colour = theme.BEFORE if before else theme.MEMBER
        if not pd.isna(row.ci_low):
            axes.plot(
                [row.event_time, row.event_time],
                [row.ci_low, row.ci_high],
                color=colour,
                linewidth=1.8,
                solid_capstyle="butt",
            )
        axes.plot(
            row.event_time,
            row.estimate,
            "o",
            color=colour,
            markerfacecolor="white" if before else colour,
            markeredgewidth=1.6,
        )
        if labelled and not before:
            below = row.estimate < 0
            axes.annotate(
                formats.number(row.estimate),
                (row.event_time, row.estimate),
                (5, -3 if below else 3),
                textcoords="offset points",
                va="top" if below else "bottom",
                fontsize=8.5,
                # A label on the line of no difference stays readable.
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6},
            )
    _event_time_ticks(axes, times, labelled)
    axes.set_xlim(low - 0.6, high + 0.7)
    axes.margins(y=0.18)
    if labelled:
        _regions(axes, low, high, headline_from)


def _event_time_ticks(axes: Axes, times: list[int], labelled: bool) -> None:
    """Label the years before joining and of participation, as many as there is room for."""
    ticks = list(range(min(times), max(times) + 1))
    room = theme.WIDTH * (0.85 if labelled else 0.4)
    step = math.ceil(len(ticks) * (0.34 if labelled else 0.26) / room)
    shown = [time for time in ticks if (time if time < 0 else time + 1) % step == 0]
    # The last year before joining is the base of all comparisons: it has no estimate of its own.
    names = ["base" if time == -1 and time not in times else _tick(time, labelled) for time in shown]
    axes.set_xticks(shown, names, fontsize=8.0 if labelled else 7.5)


def _regions(axes: Axes, low: int, high: int, headline_from: int) -> None:
    """Name the parts of the axis above the panel."""
    marks: list[tuple[float, str]] = []
    if low < 0:
        marks.append(((low - 0.5) / 2 - 0.25, "before joining"))
    if high >= 0:
        middle = (min(high, headline_from - 1)) / 2
        marks.append((middle, f"years 1–{headline_from}" if high >= headline_from else "participation"))
    if high >= headline_from:
        marks.append(((headline_from + high) / 2, f"year {headline_from + 1} on"))
    inches = 0.85 * theme.WIDTH / (high - low + 1.3)
    above, end = 0, -math.inf
    for place, words in marks:
        half = 0.5 * _LETTER * len(words)
        # A name that would touch the one before it stands a line higher.
        above = 11 if place * inches - half < end + _LETTER and not above else 0
        end = place * inches + half
        axes.annotate(
            words,
            (place, 1.0),
            (0, 4 + above),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            fontsize=8.5,
            color=MUTED,
        )


def _tick(event_time: int, ordinal: bool) -> str:
    if event_time < 0:
        return f"{formats.MINUS}{-event_time}"
    year = event_time + 1
    if not ordinal:
        return str(year)
    ending = {1: "st", 2: "nd", 3: "rd"}.get(year % 10 if year % 100 not in (11, 12, 13) else 0, "th")
    return f"{year}{ending}"


def _estimate_axis(released: Released) -> str:
    unit = axis_unit(released, released.headline_model)
    label = article_free(without_brackets(released.headline_label))
    if released.is_causal:
        return f"{wrapped(f'Effect on {label}', 36)}\n({unit})"
    return f"{wrapped(f'Change in {label}', 36)}\n({unit})"
