"""What a cell shows: its outputs sorted into printed markdown, figures and text, and checked."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from pathlib import Path

from plneval.artifacts import write_bytes
from plneval.errors import UserError, UserErrors
from plneval.report.render.execute import Executed, ExecutedCell

_REPR = re.compile(r"^\s*[\[(]?<(matplotlib|seaborn|Figure|Axes)")


@dataclass(frozen=True)
class Picture:
    """A figure output: PNG always, SVG where the cell gave one, and the text for those who cannot see it."""

    png: bytes | None
    svg: str | None
    alt: str


@dataclass(frozen=True)
class Printed:
    """Text a cell printed: markdown to be read as part of the page, or plain text to be shown as it is."""

    text: str
    is_markdown: bool


Shown = Picture | Printed


def shown_outputs(executed: ExecutedCell) -> list[Shown]:
    """The outputs of a cell that stand on the page, in order.

    Raises
    ------
    UserError
        If an output has no form that works in HTML, PDF and DOCX, a figure has no alternative text, or a caption has
        nothing to describe.
    """
    cell = executed.cell
    if not cell.options.include or cell.options.output is False:
        return []
    where = f"{cell.path}:{cell.line}: {cell.name}"
    shown: list[Shown] = []
    pictures = 0
    for output in executed.outputs:
        if output["output_type"] == "stream":
            if output["name"] == "stdout" and output["text"].strip():
                shown.append(Printed(output["text"], cell.options.output == "asis"))
            continue
        data = output["data"]
        if "image/png" in data or "image/svg+xml" in data:
            shown.append(_picture(output, executed, pictures, where))
            pictures += 1
        elif "text/markdown" in data:
            shown.append(Printed(data["text/markdown"], True))
        elif "text/html" in data:
            raise UserError(
                f"{where} shows an HTML table or widget, which PDF and DOCX cannot hold; print tables with emit.table"
            )
        elif "text/plain" in data:
            if not _REPR.match(data["text/plain"]):
                shown.append(Printed(data["text/plain"], False))
        else:
            raise UserError(f"{where} shows {', '.join(sorted(data))}, which no page can hold")
    _check_captions(executed, shown, where)
    return shown


def _picture(output: dict[str, object], executed: ExecutedCell, position: int, where: str) -> Picture:
    data, metadata = output["data"], output.get("metadata")
    assert isinstance(data, dict)
    assert isinstance(metadata, dict)
    options = executed.cell.options
    alt = metadata.get("plneval", {}).get("alt")
    if alt is None and position < len(options.fig_alt):
        alt = options.fig_alt[position]
    if not alt:
        raise UserError(
            f"{where} shows a figure without alternative text; give `#| fig-alt:` or emit.figure(figure, alt=…)"
        )
    png = data.get("image/png")
    return Picture(base64.b64decode(png) if png else None, data.get("image/svg+xml"), " ".join(str(alt).split()))


def _check_captions(executed: ExecutedCell, shown: list[Shown], where: str) -> None:
    options = executed.cell.options
    if options.is_figure and not any(isinstance(item, Picture) for item in shown):
        raise UserError(f"{where} has a fig-cap but shows no figure; end it with emit.figure(figure)")
    if options.is_table:
        if not any(isinstance(item, Printed) for item in shown):
            raise UserError(f"{where} has a tbl-cap but prints no table; print it with emit.table(frame)")
        if not any(isinstance(item, Printed) and item.is_markdown for item in shown):
            raise UserError(f"{where} prints a table that would be shown as code; add `#| output: asis`")


def check_outputs(executed: Executed) -> None:
    """Check the outputs of every cell.

    Raises
    ------
    UserErrors
        With one line for each cell whose outputs cannot stand on the page.
    """
    problems = []
    for block in executed.blocks:
        if isinstance(block, ExecutedCell):
            try:
                shown_outputs(block)
            except UserError as error:
                problems.append(str(error))
    if problems:
        raise UserErrors(problems)


def cell_warnings(executed: Executed) -> list[str]:
    """What cells wrote to standard error: for the person who renders, never for the page."""
    found = []
    for block in executed.blocks:
        if isinstance(block, ExecutedCell):
            text = "".join(o["text"] for o in block.outputs if o["output_type"] == "stream" and o["name"] == "stderr")
            if text.strip():
                found.append(f"{block.cell.path}:{block.cell.line}: {block.cell.name}: {text.strip()}")
    return found


def write_picture(picture: Picture, folder: Path, stem: str) -> str:
    """Write a figure in the forms there are and return the file name of the best: SVG, else PNG."""
    name = ""
    if picture.png is not None:
        name = f"{stem}.png"
        write_bytes(folder / name, picture.png)
    if picture.svg is not None:
        name = f"{stem}.svg"
        write_bytes(folder / name, picture.svg.encode("utf-8"))
    return name
