"""Figures of direct and indirect effects by year of participation, and of results by dose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from plneval.report import exposure_data, formats, theme
from plneval.report.direction import axis_unit
from plneval.report.drawn import Drawn, notice
from plneval.report.load import Released, rows_of
from plneval.report.render.theme import MUTED, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_APART = 0.11
"""How far the two groups stand to the left and right of their year."""
NO_DIFFUSION = "No number by who taught the pupils can be shown; the text says why."
NO_DOSE = "No number by how much schools took part can be shown; the text says why."


def direct_and_indirect(released: Released) -> Drawn:
    """Pupils taught by participants and other pupils of member schools, by year of participation, with intervals."""
    data = exposure_data.direct_and_indirect(released)
    years = data[data["year_of_participation"].notna()]
    if years.empty:
        return notice(NO_DIFFUSION)
    unit = axis_unit(released, exposure_data.diffusion_model(released))
    with theme.themed():
        figure, axes = theme.canvas(2.6)
        theme.zero_line(axes)
        for place, group in enumerate(exposure_data.SIDES):
            _series(axes, years[years["group"] == group], place)
        ticks = sorted({int(year) for year in years["year_of_participation"]})
        axes.set_xticks(ticks, [str(year) for year in ticks])
        axes.set_xlim(ticks[0] - 0.5, ticks[-1] + 0.5)
        axes.set_xlabel("Year of participation")
        axes.set_ylabel(f"Difference from comparison schools\n({unit})")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.17), ncols=2, fontsize=8.5, handletextpad=0.4)
    return Drawn(figure, _alt_of_groups(years, unit))


def _series(axes: Axes, data: pd.DataFrame, place: int) -> None:
    colour, marker = SERIES[place], "os"[place]
    at = data["year_of_participation"].astype("float64") + (-_APART, _APART)[place]
    axes.vlines(at, data["ci_low"], data["ci_high"], color=colour, linewidth=1.8)
    name = list(exposure_data.SIDES.values())[place]
    axes.plot(at, data["estimate"], marker, color=colour, label=name)


def dose_bands(released: Released) -> Drawn:
    """Differences from comparison schools from the third year on, by band of dose."""
    data = exposure_data.dose_bands(released)
    if data.empty:
        return notice(NO_DOSE)
    unit = axis_unit(released, exposure_data.dose_model(released))
    with theme.themed():
        figure, axes = theme.canvas(0.7 + 0.36 * len(data))
        theme.zero_line(axes, horizontal=False)
        places = list(range(len(data) - 1, -1, -1))
        for place, row in zip(places, rows_of(data), strict=True):
            axes.plot([row.ci_low, row.ci_high], [place, place], color=MUTED, linewidth=1.8)
            axes.plot(row.estimate, place, "o", color=SERIES[0])
            text = f"{formats.number(row.estimate)}  ({formats.interval(row.ci_low, row.ci_high)})"
            axes.annotate(
                text,
                (1.02, place),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=8.5,
                annotation_clip=False,
            )
        axes.set_yticks(places, [f"{formats.sentence_case(band)} dose" for band in data["band"]])
        axes.set_ylim(-0.6, len(data) - 0.4)
        axes.grid(True, axis="x")
        axes.grid(False, axis="y")
        axes.set_xlabel(f"From the third year on ({unit}); describes, and is not causal")
    return Drawn(figure, _alt_of_bands(data, unit))


def _alt_of_groups(data: pd.DataFrame, unit: str) -> str:
    parts = []
    for group, name in exposure_data.SIDES.items():
        values = [
            f"year {row.year_of_participation} {formats.number(row.estimate)} "
            f"({formats.interval(row.ci_low, row.ci_high)})"
            for row in rows_of(data[data["group"] == group])
        ]
        parts.append(f"{name}: {'; '.join(values)}")
    return f"Points with confidence intervals by year of participation, in {unit}. {'. '.join(parts)}."


def _alt_of_bands(data: pd.DataFrame, unit: str) -> str:
    values = [
        f"{row.band} {formats.number(row.estimate)} ({formats.interval(row.ci_low, row.ci_high)})"
        for row in rows_of(data)
    ]
    return (
        f"Points with confidence intervals: difference from comparison schools from the third year on, by dose, in "
        f"{unit}: {'; '.join(values)}."
    )
