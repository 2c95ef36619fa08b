"""Report sources and executed reports without a kernel."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from plneval.report.render.embedded import render_embedded
from plneval.report.render.execute import Executed, ExecutedCell
from plneval.report.render.qmd import Cell, Document, parse

FRONT = "---\ntitle: A title\n---\n"
# 10 x 10 pixels, red.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAIAAAACUFjqAAAAEklEQVR4nGP4z8CAB+GTG8HSALfKY52fTcuYAAAAAElFTkSuQmCC"
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="10pt" height="10pt">'
    '<rect width="10" height="10" fill="#f00"/></svg>'
)


def write_source(folder: Path, body: str, front: str = FRONT) -> Path:
    """Write a report source into a folder and return its path."""
    path = folder / "report.qmd"
    path.write_text(front + body, encoding="utf-8")
    return path


def with_outputs(path: Path, outputs: dict[int, list[dict[str, Any]]] | None = None) -> Executed:
    """A report whose cells gave these outputs (cell number, from 0, to nbformat outputs), no kernel started."""
    document: Document = parse(path)
    blocks: list[Any] = []
    number = 0
    for block in document.blocks:
        if isinstance(block, Cell):
            blocks.append(ExecutedCell(block, (outputs or {}).get(number, [])))
            number += 1
        else:
            blocks.append(block)
    return Executed(document, blocks)


def printed(text: str) -> dict[str, Any]:
    """What a cell gives that prints a text."""
    return {"output_type": "stream", "name": "stdout", "text": text}


def picture(alt: str | None = None, svg: bool = True) -> dict[str, Any]:
    """What a cell gives that shows a figure."""
    data = {"image/png": PNG, "text/plain": "figure"} | ({"image/svg+xml": SVG} if svg else {})
    return {"output_type": "display_data", "data": data, "metadata": {"plneval": {"alt": alt}} if alt else {}}


def html_of(path: Path, outputs: dict[int, list[dict[str, Any]]] | None = None) -> str:
    """The embedded renderer's HTML of a report whose cells gave these outputs."""
    executed = with_outputs(path, outputs)
    folder = path.parent / "work"
    folder.mkdir()
    return render_embedded(executed, executed.document.meta, ["html"], folder)[0]["html"].decode("utf-8")


def main_of(html: str) -> str:
    """The part of a page between its header and its footer."""
    return html.split('<main id="content"', 1)[1].split("</main>", 1)[0]


def typst_of(path: Path, outputs: dict[int, list[dict[str, Any]]] | None = None) -> str:
    """The typst text behind the embedded renderer's PDF (which is set as well, so that it is valid)."""
    executed = with_outputs(path, outputs)
    folder = path.parent / "work"
    folder.mkdir()
    assert render_embedded(executed, executed.document.meta, ["pdf"], folder)[0]["pdf"].startswith(b"%PDF-")
    return (folder / "report.typ").read_text(encoding="utf-8")


def document_xml_of(path: Path, outputs: dict[int, list[dict[str, Any]]] | None = None) -> str:
    """The main part of the embedded renderer's DOCX."""
    executed = with_outputs(path, outputs)
    folder = path.parent / "work"
    folder.mkdir()
    data = render_embedded(executed, executed.document.meta, ["docx"], folder)[0]["docx"]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read("word/document.xml").decode("utf-8")
