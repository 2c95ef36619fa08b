"""Tables that fit the page: column widths and type size from what stands in the cells."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import panflute as pf

from plneval.report.render.emit import GIVEN_WIDTHS

# Characters that fit across a page at the normal type size of a table (9 pt on A4 with 2.4 cm margins).
PAGE_CHARACTERS = 104
# A column takes this many characters more than its text, for the space on both sides.
_PADDING = 2.5
# Type is never set smaller than this share of a table's normal size.
_SMALLEST = 0.6
_LONG_WORD = 12
# Height of a line and of the space between two rows, in points, at the normal type size of a table.
_LINE, _ROW_SPACE = 11.5, 8.0
# Tables up to this height in points, about 18 rows of one line, stay on one page: nobody reads halves of small tables.
_KEPT_WHOLE = 360.0
# Running text holds more characters a line than the words and numbers that PAGE_CHARACTERS is meant for.
_SET_TIGHTER = 1.15
# A row with more lines may go on to the next page: kept whole it might not fit on any.
_LONGEST_ROW = 30
# Longer texts than this are not read well in a column on a telephone.
_PROSE = 50
_BREAK = "\u200b"
_BREAKS = re.compile(r"[_/](?=\w)|(?<=[A-Za-z])-(?=[A-Za-z])")


@dataclass(frozen=True)
class Fit:
    """How a table is set: relative column widths (None: as the text needs), and the scale of its type."""

    widths: list[float] | None
    scale: float


def fit(table: Any, room: float = 1.0) -> Fit:
    """Choose widths and type size so that a table does not run off the page.

    A table whose longest lines fit keeps natural widths. Otherwise columns share the width: none gets less than its
    longest word, short columns keep what they need, long texts wrap. Where even the longest words do not fit side by
    side, the type shrinks, but never below what can be read.

    Parameters
    ----------
    table:
        A panflute table.
    room:
        The width there is, relative to an upright A4 page.
    """
    page = PAGE_CHARACTERS * room
    longest, words = _lengths(table)
    least = [length + _PADDING for length in words]
    if given := given_widths(table):
        needed = max(minimum / share for minimum, share in zip(least, given, strict=True))
        return Fit(given, min(1.0, max(_SMALLEST, page / needed)))
    natural = [length + _PADDING for length in longest]
    if sum(natural) <= page:
        return Fit(None, 1.0)
    scale = min(1.0, max(_SMALLEST, page / sum(least)))
    widths = _shares(natural, least, page / scale)
    return Fit([width / sum(widths) for width in widths], scale)


def _shares(natural: list[float], least: list[float], room: float) -> list[float]:
    """Divide the width between columns: short ones get all they need, long texts share the rest and wrap."""
    flexible = list(range(len(natural)))
    left = room
    while flexible:
        content = [i for i in flexible if natural[i] <= left / len(flexible)]
        if not content:
            break
        flexible = [i for i in flexible if i not in content]
        left -= sum(natural[i] for i in content)
    spare = left - sum(least[i] for i in flexible)
    if spare < 0:
        # Words too long for that: every column keeps its longest word, what is left goes by what each lacks.
        flexible, spare = list(range(len(natural))), max(0.0, room - sum(least))
        weights = [natural[i] - least[i] for i in flexible]
    else:
        # Square roots: a text four times as long gets twice the width and twice the lines.
        weights = [math.sqrt(natural[i]) for i in flexible]
    widths = list(natural)
    for i, weight in zip(flexible, weights, strict=True):
        widths[i] = least[i] + spare * weight / (sum(weights) or 1.0)
    return widths


@dataclass(frozen=True)
class Extent:
    """About how high a table is, and where it may break over pages."""

    whole: bool
    """The table stands on one page."""
    whole_rows: bool
    """Every row stands on one page."""


def extent(table: Any, chosen: Fit) -> Extent:
    """Estimate from the number of characters whether a table, and its rows, can be kept from breaking over pages."""
    lines = _lines(table, chosen)
    height = chosen.scale * sum(_LINE * count + _ROW_SPACE for count in lines)
    return Extent(whole=height <= _KEPT_WHOLE, whole_rows=max(lines) <= _LONGEST_ROW)


def _lines(table: Any, chosen: Fit) -> list[int]:
    """The lines of each row, header rows included."""
    columns = len(table.colspec)
    if chosen.widths is None:
        room = [math.inf] * columns
    else:
        page = PAGE_CHARACTERS * _SET_TIGHTER / chosen.scale
        room = [max(1.0, width * page - _PADDING) for width in chosen.widths]
    return [
        max(math.ceil(len(pf.stringify(cell).strip()) / room[i]) or 1 for i, cell in enumerate(row.content[:columns]))
        for row in _rows(table)
    ]


def holds_prose(table: Any) -> bool:
    """Whether a cell of the body holds more than a few words: on a telephone its rows are better read as paragraphs."""
    body = [row for part in table.content for row in part.content]
    return any(len(pf.stringify(cell)) > _PROSE for row in body for cell in row.content)


def name_cells(table: Any) -> None:
    """Give every cell of the body its column's name as an attribute, shown where rows are set as paragraphs."""
    names = [pf.stringify(cell).strip() for row in table.head.content for cell in row.content]
    for part in table.content:
        for row in part.content:
            for name, cell in zip(names, row.content, strict=False):
                cell.attributes["data-label"] = name


def given_widths(table: Any) -> list[float] | None:
    """The relative widths the author gave (``emit.table(widths=…)``), summing to 1, or None."""
    if not (isinstance(table.parent, pf.Div) and GIVEN_WIDTHS in table.parent.classes):
        return None
    widths = [float(width) for _, width in table.colspec]
    return [width / sum(widths) for width in widths]


def set_widths(table: Any, widths: list[float] | None) -> None:
    """Give a table relative column widths, or natural ones."""
    columns: list[Any] = list(widths) if widths else ["ColWidthDefault"] * len(table.colspec)
    table.colspec = [(align, width) for (align, _), width in zip(table.colspec, columns, strict=True)]


def break_long_words(element: Any, _doc: Any) -> None:
    """Let long names in tables break after an underscore or a slash (a zero-width space, invisible elsewhere)."""
    if isinstance(element, pf.Str) and len(element.text) > _LONG_WORD:
        element.text = _BREAKS.sub(rf"\g<0>{_BREAK}", element.text)


def _lengths(table: Any) -> tuple[list[int], list[int]]:
    """The longest line and the longest word of every column, in characters."""
    columns = len(table.colspec)
    longest, words = [1] * columns, [1] * columns
    for row in _rows(table):
        for i, cell in enumerate(row.content[:columns]):
            text = pf.stringify(cell).strip()
            pieces = text.replace(_BREAK, " ").split()
            longest[i] = max(longest[i], len(text.replace(_BREAK, "")))
            words[i] = max([words[i], *(len(piece) for piece in pieces)])
    return longest, words


def _rows(table: Any) -> list[Any]:
    return [*table.head.content, *(row for body in table.content for row in body.content)]
