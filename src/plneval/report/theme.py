"""The one theme of all figures: colours from the pages' palette, DejaVu Sans, sizes for a page that is 16 cm wide."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from plneval.report.render.theme import INK, MUTED, RULE, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 5.9
"""Width of a figure in inches: less than the text width of the PDF, so that type is still readable on a telephone."""

MEMBER = SERIES[0]
COMPARISON = SERIES[1]
BEFORE = "#7b8794"
BAND = "#eaf2fa"

_YEAR_LABEL = 0.42
"""Room that the label of a year takes, in inches."""

_SETTINGS: dict[str, Any] = {
    # Shipped with matplotlib: the same letters on every computer.
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.labelsize": 8.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": RULE,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": "#e4e7eb",
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "text.color": INK,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    # Labels are people's own words: a dollar sign in them begins no formula.
    "text.parse_math": False,
    "svg.hashsalt": "plneval",
    "svg.fonttype": "path",
    "legend.frameon": False,
}


@contextmanager
def themed() -> Iterator[None]:
    """Draw with the theme, whatever the reader's own matplotlib settings say."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.use("Agg")
        settings: Any = mpl.rcParams
        settings.update(_SETTINGS)
        yield


def canvas(height: float, rows: int = 1, columns: int = 1, width: float = WIDTH, **options: Any) -> tuple[Figure, Any]:
    """A figure of the page's width with its axes; a single axes comes as itself, several as an array."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(rows, columns, figsize=(width, height), layout="constrained", **options)
    return figure, axes


def zero_line(axes: Axes, horizontal: bool = True) -> None:
    """The line of no difference."""
    draw = axes.axhline if horizontal else axes.axvline
    draw(0, color=MUTED, linewidth=1.0, zorder=1)


def whole_years(axes: Axes, years: list[int]) -> None:
    """Label an axis of study years with every year, or as many as there is room for."""
    room = axes.get_position().width * WIDTH
    step = max(1, math.ceil(len(years) * _YEAR_LABEL / room))
    axes.set_xticks(years[::step], [str(year) for year in years[::step]])
