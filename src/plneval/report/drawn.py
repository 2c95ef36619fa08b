"""A drawn figure with its text, and what stands in a figure's place where there is nothing to draw."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plneval.report import theme
from plneval.report.render.theme import INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawn:
    """A figure and its text for readers who cannot see it, built from the same data."""

    figure: Figure
    alt: str


def notice(sentence: str) -> Drawn:
    """A sentence in a figure's place: why there is nothing to draw."""
    with theme.themed():
        figure, axes = theme.canvas(0.8)
        axes.set_axis_off()
        axes.text(0.5, 0.5, wrapped(sentence, 70), ha="center", va="center", color=INK, fontsize=9.5)
    return Drawn(figure, sentence)


def wrapped(text: Any, width: int) -> str:
    """A text in lines of so many letters."""
    return "\n".join(textwrap.wrap(str(text), width))


def without_brackets(label: str) -> str:
    """A label without a remark in brackets at its end, for an axis."""
    return re.sub(r"\s*\([^()]*\)$", "", label) or label
