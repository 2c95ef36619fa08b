"""The radar of the scorecard of sustainability."""

from __future__ import annotations

import math
from typing import Final

import pandas as pd

from plneval.report import equity_data, lasting_tables, theme
from plneval.report.drawn import Drawn, notice, wrapped
from plneval.report.load import Released, rows_of
from plneval.report.render.theme import INK, MUTED, SERIES

REACH: Final = {"shown": 1.0, "not_shown": 0.45, "no_data": 0.0}
"""How far a spoke reaches: to the rim where the criterion is shown, not half-way where it is not."""
MARKS: Final = {"shown": "✓", "not_shown": "✗", "no_data": "no data"}


def sustainability_radar(released: Released) -> Drawn:
    """Ten spokes, one a criterion: full where it is shown, short and hollow where not, dotted without data."""
    data = equity_data.sustainability_radar(released)
    if data.empty:
        return notice("The scorecard of sustainability may not be shown.")
    if (data["verdict"] == "no_data").all():
        return notice("No criterion could be judged, so there is nothing to draw.")
    parts = list(dict.fromkeys(data["part"]))
    step = 2 * math.pi / len(data)
    with theme.themed():
        figure, axes = theme.canvas(4.3, subplot_kw={"projection": "polar"})
        axes.set_theta_zero_location("N")
        axes.set_theta_direction(-1)
        for place, row in enumerate(rows_of(data)):
            angle, colour = place * step, SERIES[parts.index(row.part) % len(SERIES)]
            axes.plot([angle, angle], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (1, 3)), zorder=1)
            reach = REACH[str(row.verdict)]
            if reach:
                full = row.verdict == "shown"
                axes.bar(
                    angle,
                    reach,
                    width=0.72 * step,
                    color=colour if full else "white",
                    edgecolor=colour,
                    linewidth=1.4,
                    zorder=2,
                )
            name = wrapped(lasting_tables.SHORT.get(str(row.criterion), str(row.label)), 17)
            axes.text(
                angle,
                1.06 if _side(angle) == "center" else 1.12,
                f"{MARKS[str(row.verdict)]}\n{name}",
                ha=_side(angle),
                va="center" if _side(angle) != "center" else "bottom" if math.cos(angle) > 0 else "top",
                fontsize=8,
                color=INK if row.verdict != "no_data" else MUTED,
            )
        axes.set_ylim(0, 1)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.grid(False)
        axes.spines["polar"].set_color(theme.BEFORE)
        handles = [
            axes.plot(
                [], [], "s", color=SERIES[number % len(SERIES)], label=lasting_tables.PARTS.get(str(part), str(part))
            )[0]
            for number, part in enumerate(parts)
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(parts), fontsize=8)
    return Drawn(figure, _alt(data))


def _side(angle: float) -> str:
    """Labels stand outside the rim: to the right of it, to the left of it, or centred above and below."""
    across = math.sin(angle)
    return "center" if abs(across) < 0.2 else "left" if across > 0 else "right"


def _alt(data: pd.DataFrame) -> str:
    said = {"shown": "shown", "not_shown": "not shown", "no_data": "no data"}
    values = "; ".join(
        f"{lasting_tables.SHORT.get(str(row.criterion), str(row.label))}: {said[str(row.verdict)]}"
        for row in rows_of(data)
    )
    return f"Radar of {len(data)} criteria of lasting change, one spoke each. {values}."
