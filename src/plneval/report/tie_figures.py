"""Figures of ties without names: a graph of groups of people, and shares of possible ties by distance and likeness."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from plneval.report import formats, theme, tie_data
from plneval.report.drawn import Drawn, notice
from plneval.report.load import Released, rows_of
from plneval.report.render.theme import INK, MUTED, RULE, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NO_TIES = "No ties between people are recorded, or too few people or networks stand behind them to be shown."
PLACES = {
    "same_school": (90, 1.3),
    "near_alike": (176, 1.38),
    "near_unlike": (4, 1.38),
    "far_alike": (236, 1.85),
    "far_unlike": (304, 1.85),
    "near": (176, 1.38),
    "far": (304, 1.85),
    "alike": (176, 1.38),
    "unlike": (4, 1.38),
}
"""Where each group stands around a participant: angle in degrees, and distance; far schools stand farther out."""
COLOURS = {"same": SERIES[0], "near": SERIES[2], "far": SERIES[1], "alike": SERIES[2], "unlike": SERIES[1]}
"""Colour by the first word of the group's name."""
_WIDEST = 17.0
"""Width of a line in points where all possible ties exist."""


def tie_blocks(released: Released) -> Drawn:
    """A graph for each wave: a participant, the groups of people around, and how many of the possible ties exist."""
    data = tie_data.tie_blocks(released)
    if data.empty:
        return notice(NO_TIES)
    waves = [int(wave) for wave in dict.fromkeys(data["wave"])]
    columns = min(3, len(waves))
    rows = -(-len(waves) // columns)
    with theme.themed():
        figure, grid = theme.canvas(2.5 * rows, rows, columns, squeeze=False)
        for axes, wave in zip(grid.flat, waves, strict=False):
            _graph(axes, data[data["wave"] == wave])
        for axes in list(grid.flat)[len(waves) :]:
            axes.set_axis_off()
    return Drawn(figure, _alt_of_blocks(data, waves))


def _graph(axes: Axes, data: pd.DataFrame) -> None:
    axes.set_axis_off()
    axes.set_aspect("equal")
    axes.set_xlim(-1.8, 1.8)
    axes.set_ylim(-2.3, 2.0)
    axes.set_title(_wave(data), fontsize=9, loc="center", pad=2)
    for row in rows_of(data):
        angle, far = PLACES[str(row.to)]
        x, y = far * math.cos(math.radians(angle)), far * math.sin(math.radians(angle))
        colour = COLOURS[str(row.to).split("_")[0]]
        _line(axes, x, y, colour, row.share)
        _people(axes, x, y, colour)
        _label(axes, x, y, tie_data.BLOCKS[str(row.to)], row.n_pairs)
    axes.plot(0, 0, "o", color="white", markeredgecolor=theme.BEFORE, markersize=14, markeredgewidth=1.4, zorder=3)
    axes.plot(0, 0, "o", color=theme.BEFORE, markersize=4.5, zorder=4)


def _label(axes: Axes, x: float, y: float, name: str, n_pairs: float) -> None:
    """What a group is, with the number of possible ties to it."""
    size = "" if formats.is_missing(n_pairs) else f"\n({formats.number(n_pairs, 0)})"
    side, place, text = (
        (0.28, "bottom", f"{name}{size.replace(chr(10), ' ')}") if y > 1 else (-0.28, "top", f"{name}{size}")
    )
    axes.text(x, y + side, text, ha="center", va=place, fontsize=7, linespacing=1.1)


def _line(axes: Axes, x: float, y: float, colour: str, share: float) -> None:
    """A line from a participant to a group, as wide as the share of possible ties, with the share beside it."""
    known = not formats.is_missing(share)
    if known:
        axes.plot([0, x], [0, y], color=colour, alpha=0.6, linewidth=_WIDEST * float(share), zorder=1)
    else:
        axes.plot([0, x], [0, y], color=MUTED, linestyle=":", linewidth=1, zorder=1)
    flat = abs(y) < 0.5
    beside = 0.5 * _WIDEST * float(share) + 3 if known else 7
    axes.annotate(
        formats.share(share, 0) if known else "not\nshown",
        (0.52 * x, (0.52 if y < 1 else 0.6) * y),
        (0 if flat else math.copysign(beside, x if abs(x) > 0.1 else 1), beside if flat else 0),
        textcoords="offset points",
        ha="center" if flat else "left" if x > -0.1 else "right",
        va="bottom" if flat else "center",
        fontsize=8.5 if known else 6.5,
        fontweight="bold" if known else "normal",
        color=MUTED if not known else INK,
    )


def _people(axes: Axes, x: float, y: float, colour: str) -> None:
    """A group: a ring with three people in it."""
    axes.plot(x, y, "o", color="white", markeredgecolor=colour, markersize=18, markeredgewidth=1.4, zorder=2)
    for angle in (90, 210, 330):
        dx, dy = 0.1 * math.cos(math.radians(angle)), 0.1 * math.sin(math.radians(angle))
        axes.plot(x + dx, y + dy, "o", color=colour, markersize=4, zorder=4)


def _wave(data: pd.DataFrame) -> str:
    wave, year = data["wave"].iloc[0], data["year"].iloc[0]
    return f"Wave {int(wave)}" if pd.isna(year) else f"Wave {int(wave)} ({int(year)})"


def _alt_of_blocks(data: pd.DataFrame, waves: list[int]) -> str:
    parts = []
    for wave in waves:
        mine = data[data["wave"] == wave]
        values = [
            f"{tie_data.BLOCKS[str(row.to)].lower()} {formats.share(row.share, 0)} of "
            f"{formats.number(row.n_pairs, 0)} possible ties"
            if not formats.is_missing(row.share)
            else f"{tie_data.BLOCKS[str(row.to)].lower()} not shown"
            for row in rows_of(mine)
        ]
        parts.append(f"{_wave(mine)}: {'; '.join(values)}")
    text = "Graphs of groups of people, one for each wave: lines from a participant to the others of the network"
    return f"{text}. {'. '.join(parts)}."


def tie_bands(released: Released) -> Drawn:
    """Shares of possible ties over all waves by school, distance and similarity, with intervals."""
    data = tie_data.tie_bands(released)
    if data.empty:
        return notice(NO_TIES)
    with theme.themed():
        figure, axes = theme.canvas(0.75 + 0.3 * (len(data) + data["basis"].nunique() - 1))
        names, places, place, before = [], [], 0.0, ""
        for row in rows_of(data):
            place -= 1.0 if row.basis == before or not before else 1.7
            before = str(row.basis)
            places.append(place)
            within = tie_data.limits(row)
            name = tie_data.BANDS[before, str(row.band)]
            names.append(f"{name} ({within})" if within else name)
            colour = SERIES[list(dict.fromkeys(data["basis"])).index(before)]
            if not formats.is_missing(row.ci_low):
                axes.plot([row.ci_low, row.ci_high], [place, place], color=colour, linewidth=1.8)
            axes.plot(row.share, place, "o", color=colour)
            axes.annotate(
                _shown(row),
                (1.02, place),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=8.5,
                annotation_clip=False,
            )
        axes.set_yticks(places, names)
        axes.set_ylim(place - 0.7, -0.3)
        top = float(data["ci_high"].fillna(data["share"]).max())
        axes.set_xlim(0, min(1.0, 1.08 * top))
        axes.xaxis.set_major_formatter(lambda value, _: formats.share(value, 0))
        axes.grid(True, axis="x")
        axes.grid(False, axis="y")
        axes.spines["left"].set_color(RULE)
        axes.set_xlabel("Possible ties that exist, all waves together")
    values = "; ".join(f"{name} {_shown(row)}" for name, row in zip(names, rows_of(data), strict=True))
    return Drawn(figure, f"Points with confidence intervals: share of possible ties that exist. {values}.")


def _shown(row: object) -> str:
    share, low, high = (getattr(row, name) for name in ("share", "ci_low", "ci_high"))
    if formats.is_missing(low):
        return f"{formats.share(share, 0)}, without interval"
    return f"{formats.share(share, 0)}  ({formats.number(100 * low, 0)} to {formats.share(high, 0)})"
