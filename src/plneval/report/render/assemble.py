"""From an executed report to one markdown text, with every cell's outputs in their place."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from plneval.report.render.execute import Executed, ExecutedCell
from plneval.report.render.outputs import Picture, shown_outputs, write_picture

_OPTION_LINE = re.compile(r"^#\|.*\n?", re.MULTILINE)


@dataclass
class Assembled:
    """A report as pandoc markdown.

    ``alternatives`` gives the alternative text of every image file a cell made; captions of labelled cells stand as
    the last paragraph of a block with the cell's label, as in Quarto's own notation.
    """

    markdown: str
    alternatives: dict[str, str] = field(default_factory=dict)


def assemble(executed: Executed, folder: Path) -> Assembled:
    """Write a report's figures into ``folder``/figures and its text as one markdown text.

    Parameters
    ----------
    executed:
        The executed report.
    folder:
        Where the figures go; their paths in the text are relative to it.

    Raises
    ------
    UserError
        If an output cannot stand on the page.
    """
    result = Assembled("")
    parts: list[str] = []
    number = 0
    for block in executed.blocks:
        if isinstance(block, ExecutedCell):
            number += 1
            parts.append(_cell(block, number, folder, result))
        else:
            parts.append(block.text)
    result.markdown = "\n\n".join(part for part in parts if part.strip()) + "\n"
    return result


def _cell(executed: ExecutedCell, number: int, folder: Path, result: Assembled) -> str:
    options = executed.cell.options
    parts = []
    if options.include and options.echo:
        source = _OPTION_LINE.sub("", executed.cell.source).strip("\n")
        if source:
            parts.append(_fenced(source, "python"))
    pictures: list[str] = []
    texts: list[str] = []
    for item in shown_outputs(executed):
        if isinstance(item, Picture):
            name = f"figures/{options.label or 'cell'}-{number}-{len(pictures) + 1}"
            file = write_picture(item, folder, name)
            result.alternatives[file] = item.alt
            pictures.append(f"![]({file})")
        else:
            texts.append(item.text if item.is_markdown else _fenced(item.text.rstrip("\n"), "output"))
    shown = _layout(pictures, options.layout_ncol) + texts if pictures else texts
    caption = options.fig_cap if options.is_figure else options.tbl_cap
    if caption is not None and shown:
        kind = "figure" if options.is_figure else "table"
        identifier = f"#{options.label} " if options.label else ""
        shown = [f"::: {{{identifier}.plneval-{kind}}}", *shown, caption, ":::"]
    return "\n\n".join([*parts, *shown])


def _layout(pictures: list[str], columns: int | None) -> list[str]:
    if columns is None or len(pictures) == 1:
        return pictures
    return [f'::: {{.plneval-layout columns="{columns}"}}', *pictures, ":::"]


def _fenced(text: str, language: str) -> str:
    """A code block whose fence is longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence} {{.{language}}}\n{text}\n{fence}"
