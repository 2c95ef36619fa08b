"""Figures of the sensitivity analyses."""

from __future__ import annotations

import pandas as pd

from plneval.report import figure_data, formats, theme
from plneval.report.direction import axis_unit
from plneval.report.drawn import Drawn, notice
from plneval.report.load import Released, rows_of
from plneval.report.render.theme import MUTED

KINDS = {
    "relative_magnitudes": "Largest change, in multiples\nof the largest before joining",
    "smoothness": "Change of the trend from year to year\n(units of the estimate)",
}


def honest_bounds(released: Released) -> Drawn:
    """The interval of the effect from the third year on by how far parallel trends may be violated, both bounds."""
    data = figure_data.honest_bounds(released)
    if data.empty:
        return notice("How large violations would have to be could not be worked out.")
    kinds = [kind for kind in KINDS if kind in set(data["kind"])]
    with theme.themed():
        figure, grid = theme.canvas(2.7, 1, len(kinds), squeeze=False)
        for axes, kind in zip(grid.flat, kinds, strict=True):
            mine = data[data["kind"] == kind].reset_index(drop=True)
            theme.zero_line(axes)
            for place, row in enumerate(rows_of(mine)):
                colour = theme.MEMBER if row.excludes_zero else MUTED
                axes.plot([place, place], [row.ci_low, row.ci_high], color=colour, linewidth=2.6)
                axes.plot(place, row.estimate, "o", color=colour, markersize=4)
            axes.set_xticks(
                range(len(mine)), [formats.number(m, 1 if m in (0, 0.5, 1, 1.5, 2) else 3) for m in mine["m"]]
            )
            axes.set_xlim(-0.6, len(mine) - 0.4)
            axes.set_xlabel(KINDS[kind], fontsize=8)
        grid.flat[0].set_ylabel(f"From the third year on\n({axis_unit(released, released.headline_model)})")
    return Drawn(figure, alt(data))


def alt(data: pd.DataFrame) -> str:
    """The intervals in words."""
    parts = []
    for kind, mine in data.groupby("kind", sort=False):
        values = "; ".join(
            f"{formats.number(row.m, 3)}: {formats.interval(row.ci_low, row.ci_high)}" for row in rows_of(mine)
        )
        parts.append(f"{formats.word(kind)}, by size of the violation: {values}")
    return f"Intervals of the estimate from the third year on under violations of parallel trends. {'. '.join(parts)}."
