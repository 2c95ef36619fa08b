"""Figure of effects by part of the member schools."""

from __future__ import annotations

import pandas as pd

from plneval.report import equity_data, equity_names, formats, theme
from plneval.report.direction import axis_units
from plneval.report.drawn import Drawn, notice, wrapped
from plneval.report.load import Released, rows_of
from plneval.report.render.theme import MUTED

_ROW = 0.3
"""Height of a line, in inches."""


def splits(released: Released) -> Drawn:
    """Effects from the third year on by part, under a heading for what schools are split by; the headline dashed."""
    data = equity_data.splits(released)
    if data.empty:
        return notice("No effect of a part of the member schools may be shown.")
    groups = [(str(model), own) for model, own in data.groupby("model", sort=False)]
    lines = len(data) + len(groups)
    with theme.themed():
        figure, axes = theme.canvas(0.7 + _ROW * lines)
        theme.zero_line(axes, horizontal=False)
        overall = data["overall"].dropna()
        if len(overall):
            axes.axvline(overall.iloc[0], color=theme.MEMBER, linewidth=1.0, linestyle=(0, (4, 3)))
        place, ticks, names, headings = lines - 1, [], [], []
        for _, own in groups:
            by = str(own["by"].iloc[0])
            ticks.append(place)
            names.append(equity_names.BY.get(by, formats.word(by)))
            headings.append(len(names) - 1)
            place -= 1
            for row in rows_of(own):
                if pd.notna(row.ci_low):
                    axes.plot([row.ci_low, row.ci_high], [place, place], color=theme.MEMBER, linewidth=1.8)
                axes.plot(row.estimate, place, "o", color=theme.MEMBER, markersize=5)
                ticks.append(place)
                names.append(wrapped(equity_names.part(by, str(row.part)), 34))
                place -= 1
        axes.set_yticks(ticks, names, fontsize=8)
        for number in headings:
            label = axes.get_yticklabels()[number]
            label.set_fontweight("bold")
            label.set_color(MUTED)
        axes.set_ylim(-0.7, lines - 0.3)
        axes.grid(True, axis="x")
        axes.grid(False, axis="y")
        axes.set_xlabel(f"From the third year on ({axis_units(released, data)}); dashed: all member schools")
    return Drawn(figure, _alt(data, axis_units(released, data)))


def _alt(data: pd.DataFrame, unit: str) -> str:
    parts = []
    for by, own in data.groupby("by", sort=False):
        values = "; ".join(
            f"{equity_names.part(str(by), str(row.part))} {formats.number(row.estimate)} "
            f"({formats.interval(row.ci_low, row.ci_high)})"
            for row in rows_of(own)
        )
        parts.append(f"{equity_names.BY.get(str(by), formats.word(by))}: {values}")
    return f"Points with confidence intervals: effect from the third year on by part, in {unit}. {'. '.join(parts)}."
