"""What report cells print: tables, text, callouts, headings and figures, with every value escaped.

All but :func:`figure` print markdown and belong into cells with ``#| output: asis``. What is handed in is plain text:
nothing in it can become markup, in any renderer or format.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from plneval.report.render.subset import CALLOUT_KINDS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# Marks a table whose relative widths are the author's, not a guess from its text.
GIVEN_WIDTHS = "given-widths"

Align = Literal["left", "right", "center"]

# Characters that can begin or end markup somewhere in pandoc's or Quarto's markdown.
_ACTIVE = re.compile(r"""[\\`*_{}\[\]<>()#+!|~^$@&"':=]|\.(?!\d)|(?<!\d)\.|-(?![A-Za-z0-9])|(?<=-)-|/(?=/)|%(?=\})""")
# Blanks that hold a number and its unit together stay.
_BLANK = re.compile(r"[^\S\u00a0\u202f]+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_PIXELS_PER_INCH = 200


def escape(text: object) -> str:
    """One line of plain text as markdown that shows exactly that text.

    Line breaks become blanks (non-breaking ones stay); control characters and marks that change the writing direction
    are dropped.
    """
    plain = _BLANK.sub(" ", _CONTROL.sub("", str(text))).strip()
    return _ACTIVE.sub(lambda match: f"\\{match.group()}", plain)


def text(*sentences: object) -> None:
    """Print one paragraph of plain text; several arguments are joined by blanks."""
    print(f"\n{escape(' '.join(str(sentence) for sentence in sentences))}\n")


def bullets(items: Sequence[object]) -> None:
    """Print a bullet list of plain texts."""
    lines = [f"- {escape(item)}" for item in items]
    print("\n" + "\n".join(lines) + "\n")


def heading(title: object, level: int = 2, label: str | None = None, numbered: bool = True) -> None:
    """Print a heading of the given level (1 to 6), with a ``sec-`` label if it is to be referred to.

    Raises
    ------
    ValueError
        If the level or the label is not allowed.
    """
    if not 1 <= level <= 6:
        raise ValueError(f"heading level must be 1 to 6, got {level}")
    if label is not None and not re.fullmatch(r"sec(-[a-z0-9]+)+", label):
        raise ValueError(f"a section label is 'sec-' and lower-case words, got {label!r}")
    attributes = [f"#{label}"] * (label is not None) + [".unnumbered"] * (not numbered)
    tail = f" {{{' '.join(attributes)}}}" if attributes else ""
    print(f"\n{'#' * level} {escape(title)}{tail}\n")


def callout(kind: str, title: object, text: object | Sequence[object]) -> None:
    """Print a callout box.

    Parameters
    ----------
    kind:
        ``note``, ``tip``, ``warning``, ``caution`` or ``important``.
    title:
        Its title.
    text:
        One paragraph, or several.

    Raises
    ------
    ValueError
        If the kind is none of these.
    """
    if kind not in CALLOUT_KINDS:
        raise ValueError(f"callout kind must be one of {', '.join(CALLOUT_KINDS)}, got {kind!r}")
    paragraphs = [text] if isinstance(text, str) or not isinstance(text, Sequence) else list(text)
    body = "\n\n".join(escape(paragraph) for paragraph in paragraphs)
    # The title is a heading at the head of the box, not an attribute: attribute values have no safe way to hold quotes
    # in every renderer.
    print(f"\n::: {{.callout-{kind}}}\n\n## {escape(title)}\n\n{body}\n\n:::\n")


def table(
    frame: pd.DataFrame,
    *,
    align: Mapping[str, Align] | None = None,
    widths: Mapping[str, float] | None = None,
    missing: str = "–",
    caption: object | None = None,
    label: str | None = None,
) -> None:
    """Print a table as a pipe table; caption and label come from the cell's ``tbl-cap`` and ``label``, or from here.

    Values are shown as ``str`` gives them, so numbers come formatted as text. The index is not shown.

    Parameters
    ----------
    frame:
        Columns in order; column names are the header.
    align:
        Alignment by column name. Default: left for text, right for numbers and for texts that are all numbers.
    widths:
        Relative width of every column by name, for tables with long texts. Default: by content.
    missing:
        What stands for a missing value.
    caption, label:
        Caption (plain text) and ``tbl-`` label, both or none, for tables that are printed only where they have rows,
        and for cells that print several.

    Raises
    ------
    ValueError
        If the table has no columns or no rows, a column name occurs twice, ``align`` or ``widths`` name a column that
        is not there, or the label is not allowed or has no caption.
    """
    if (caption is None) != (label is None) or not re.fullmatch(r"tbl(-[a-z0-9]+)+", label or "tbl-none"):
        raise ValueError(f"a table has a caption and a label 'tbl-' and lower-case words, or neither; got {label!r}")
    names = [str(name) for name in frame.columns]
    if not names or not len(frame):
        raise ValueError("a table needs at least one column and one row; say in words that there is nothing to show")
    if len(set(names)) != len(names):
        raise ValueError(f"a column name occurs twice: {names}")
    for what, given in (("align", align), ("widths", widths)):
        if unknown := sorted(set(given or {}) - set(names)):
            raise ValueError(f"{what} names a column that is not there: {unknown}; there are {names}")
    if widths is not None and set(widths) != set(names):
        raise ValueError(f"widths must give every column, missing: {sorted(set(names) - set(widths))}")
    columns = [_column(frame.iloc[:, i], missing) for i in range(len(names))]
    aligns = [(align or {}).get(name) or _default_align(columns[i]) for i, name in enumerate(names)]
    dashes = _dashes(names, columns, widths)
    rules = [_rule(aligns[i], dashes[i]) for i in range(len(names))]
    lines = [_row([escape(name) for name in names]), _row(rules)]
    lines += [_row([escape(value) for value in row]) for row in zip(*columns, strict=True)]
    if caption is not None:
        lines += ["", f": {escape(caption)} {{#{label}}}"]
    if widths is not None:
        lines = [f"::: {{.{GIVEN_WIDTHS}}}", "", *lines, "", ":::"]
    print("\n" + "\n".join(lines) + "\n")


def figure(figure: Figure, alt: str | None = None) -> None:
    """Show a matplotlib figure, as SVG for pages and as PNG for word processors, the same bytes every time.

    Parameters
    ----------
    figure:
        The figure; it is closed afterwards.
    alt:
        Text for readers who cannot see it, where it is computed; it takes the place of the cell's ``fig-alt``.
    """
    import matplotlib as mpl
    from IPython.display import display
    from matplotlib import pyplot

    svg, png = io.BytesIO(), io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "plneval", "svg.fonttype": "path"}):
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
        figure.savefig(png, format="png", dpi=_PIXELS_PER_INCH, metadata={"Software": None}, bbox_inches="tight")
    pyplot.close(figure)
    shown = {"image/svg+xml": svg.getvalue().decode("utf-8"), "image/png": png.getvalue(), "text/plain": "figure"}
    note = {"plneval": {"alt": alt}} if alt else {}
    display(shown, raw=True, metadata=note)  # type: ignore[no-untyped-call]


def _column(values: pd.Series, missing: str) -> list[str]:
    absent = values.isna()
    return [missing if absent.iloc[i] else str(values.iloc[i]) for i in range(len(values))]


# A number with its sign, unit, interval or mark; an interval alone; what stands for a number that is not shown.
_NUMBER = re.compile(
    r"[<>≤≥=~≈]?\s?[-−+]?[£$€]?\d[\d\s,.]*( ?(%|pp|SD))?( ?[(\[].*[)\]])?[*†‡]*|[(\[].*\d.*[)\]]|[–—-]|n/a|[zxc]|low|",
    re.ASCII,
)


def _default_align(values: Sequence[str]) -> Align:
    return "right" if all(_NUMBER.fullmatch(value.strip()) for value in values) else "left"


def _dashes(names: Sequence[str], columns: Sequence[Sequence[str]], widths: Mapping[str, float] | None) -> list[int]:
    """How many dashes stand under each column: pandoc takes them as relative widths where a line is long."""
    if widths is not None:
        total = sum(widths.values())
        return [max(3, round(96 * widths[name] / total)) for name in names]
    return [max(3, *(min(len(value), 40) for value in (*columns[i], *names[i].split()))) for i in range(len(names))]


def _rule(align: Align, dashes: int) -> str:
    # The colons count: relative widths are the lengths of these marks.
    line = "-" * (dashes - (2 if align == "center" else 1))
    return {"left": f":{line}", "right": f"{line}:", "center": f":{line}:"}[align]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


__all__ = ["bullets", "callout", "escape", "figure", "heading", "table", "text"]
