"""The flow diagram: a column of boxes for each arm, with what was excluded on the way beside the arrows."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import pandas as pd

from plneval.report import formats, theme
from plneval.report.load import rows_of
from plneval.report.render.theme import ACCENT, MUTED, RULE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BOX = 1.75
_BOX_HEIGHT = 0.46
_STEP = 0.86
_TITLES = {"member": "Member schools", "comparison": "Comparison schools", "all": "Schools"}


def draw_flow(data: pd.DataFrame) -> Figure:
    """Draw the steps of :func:`plneval.report.figure_data.sample_flow` from top to bottom, in inches."""
    from matplotlib import pyplot

    arms = [arm for arm in ("member", "comparison") if (data["arm"] == arm).any()]
    steps = list(dict.fromkeys(data["step"]))
    height = 0.35 + _STEP * len(steps)
    figure = pyplot.figure(figsize=(theme.WIDTH, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, theme.WIDTH)
    axes.set_ylim(height, 0)
    axes.set_axis_off()
    left = {arm: 0.05 + i * theme.WIDTH / 2 for i, arm in enumerate(arms)}
    left["all"] = theme.WIDTH / 2 - _BOX / 2 if arms else 0.05
    previous: set[str] = set()
    for position, step in enumerate(steps):
        top = 0.3 + position * _STEP
        rows = data[data["step"] == step]
        for row in rows_of(rows):
            _step(axes, row, left[row.arm], top, previous)
        previous = set(rows["arm"])
    for arm in arms:
        first = steps.index(int(data.loc[data["arm"] == arm, "step"].min()))
        axes.text(left[arm], 0.22 + first * _STEP, _TITLES[arm], fontsize=9, fontweight="bold", va="bottom")
    return figure


def _step(axes: Axes, row: Any, left: float, top: float, previous: set[str]) -> None:
    """One box, the arrow that leads to it, and what was excluded before it."""
    from matplotlib.patches import FancyBboxPatch

    last = previous and row.stage.lower().startswith("analysed")
    box = FancyBboxPatch(
        (left, top),
        _BOX,
        _BOX_HEIGHT,
        boxstyle="round,pad=0,rounding_size=0.05",
        facecolor=theme.BAND if last else "white",
        edgecolor=ACCENT if last else RULE,
    )
    axes.add_patch(box)
    axes.text(
        left + 0.1,
        top + _BOX_HEIGHT / 2,
        formats.count(row.remaining),
        fontsize=11,
        fontweight="bold",
        va="center",
        ha="left",
    )
    lines = textwrap.wrap(str(row.stage), 21)[:3]
    axes.text(
        left + 0.6, top + _BOX_HEIGHT / 2, "\n".join(lines), fontsize=7.6, va="center", ha="left", linespacing=1.15
    )
    if row.arm in previous:
        middle = left + 0.3
        start, end = top - (_STEP - _BOX_HEIGHT) + 0.02, top - 0.02
        axes.annotate(
            "", (middle, end), (middle, start), arrowprops={"arrowstyle": "-|>", "color": MUTED, "linewidth": 0.9}
        )
    if not pd.isna(row.excluded) and row.excluded > 0:
        words = textwrap.wrap(f"{formats.MINUS}{formats.count(row.excluded)}: {row.reason}", 40)
        axes.text(
            left + 0.45, top - (_STEP - _BOX_HEIGHT) / 2, "\n".join(words[:2]), fontsize=8, va="center", color=MUTED
        )
