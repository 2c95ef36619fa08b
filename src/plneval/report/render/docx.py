"""The Word document: pandoc's DOCX with our styles, its container rewritten so that the bytes repeat."""

from __future__ import annotations

import datetime
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import panflute as pf

from plneval.report.render.callouts import docx_callout
from plneval.report.render.docx_styles import reference_document
from plneval.report.render.execute import source_date_epoch
from plneval.report.render.pandoc import run_pandoc
from plneval.report.render.tables import break_long_words, fit, set_widths
from plneval.report.render.tabsets import plain_tabset

_CONTENTS_LEVELS = 3


def docx_blocks(doc: Any, folder: Path, contents: bool, contents_title: str, renderer: str) -> None:
    """Change a resolved report into the blocks the reference document has styles for (in place).

    Parameters
    ----------
    doc:
        The report.
    folder:
        Where the figures lie; bitmaps are taken where there are any.
    contents, contents_title:
        Whether a table of contents comes first, and its title.
    renderer:
        The line that says what made the document.
    """
    headings: list[Any] = []
    doc.walk(lambda element, _doc: headings.append(element) if isinstance(element, pf.Header) else None)
    doc.walk(lambda element, _doc: _bitmap(element, folder))
    doc.walk(_table)
    doc.walk(plain_tabset)
    doc.walk(docx_callout)
    doc.walk(_equation)
    doc.walk(_layout)
    if contents:
        doc.content = [*_contents(headings, contents_title), *doc.content]
    doc.content = [*doc.content, _styled("Rendered By", pf.Para(pf.Str(renderer)))]


def write_docx(json_text: str, arguments: list[str], folder: Path) -> bytes:
    """The finished Word document; the same report gives the same bytes.

    Parameters
    ----------
    json_text:
        The report as pandoc JSON, already changed by :func:`docx_blocks`.
    arguments:
        Pandoc arguments that all formats share (citations).
    folder:
        Where figures and the bibliography lie.
    """
    (folder / "reference.docx").write_bytes(reference_document())
    options = [
        "-f",
        "json",
        "-t",
        "docx",
        "--reference-doc=reference.docx",
        "--output=report.docx",
        "--syntax-highlighting=none",
    ]
    run_pandoc([*options, *arguments], json_text, folder)
    return repeatable((folder / "report.docx").read_bytes())


def repeatable(document: bytes) -> bytes:
    """The same document with sorted parts, fixed times and fixed core properties."""
    moment = datetime.datetime.fromtimestamp(max(source_date_epoch(), 315532800), tz=datetime.UTC)
    stamp = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(document)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        # The list of content types comes first, as the packaging standard recommends.
        for name in sorted(source.namelist(), key=lambda part: (part != "[Content_Types].xml", part)):
            data = source.read(name)
            if name == "docProps/core.xml":
                dated = re.sub(r"(<dcterms:(created|modified)[^>]*>)[^<]*", rf"\g<1>{stamp}", data.decode("utf-8"))
                data = dated.encode("utf-8")
            entry = zipfile.ZipInfo(name, date_time=moment.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            target.writestr(entry, data)
    return out.getvalue()


def _styled(style: str, *blocks: Any) -> Any:
    return pf.Div(*blocks, attributes={"custom-style": style})


def _bitmap(element: Any, folder: Path) -> None:
    """Word processors differ in how they draw SVG; all of them draw PNG."""
    if isinstance(element, pf.Image) and element.url.endswith(".svg"):
        png = element.url.removesuffix(".svg") + ".png"
        if (folder / png).is_file():
            element.url = png


def _table(element: Any, _doc: Any) -> Any:
    if not isinstance(element, pf.Table):
        return None
    element.walk(break_long_words)
    chosen = fit(element)
    set_widths(element, chosen.widths)
    style = "Table Text" if chosen.scale > 0.85 else "Table Text Small"
    for row in [*element.head.content, *(row for body in element.content for row in body.content)]:
        for cell in row.content:
            # As paragraphs: pandoc gives cells of plain inlines its own style, whatever stands around them.
            blocks = [pf.Para(*block.content) if isinstance(block, pf.Plain) else block for block in cell.content]
            cell.content = [_styled(style, *blocks)] if blocks else []
    return element


def _equation(element: Any, _doc: Any) -> Any:
    if isinstance(element, pf.Div) and "equation" in element.classes and "number" in element.attributes:
        number = element.attributes.pop("number")
        element.content = [pf.Para(*element.content[0].content, pf.Str(f"\u2003({number})"))]
        return element
    return None


def _layout(element: Any, _doc: Any) -> Any:
    """Figures side by side in a table without lines."""
    if not (isinstance(element, pf.Div) and "plneval-layout" in element.classes):
        return None
    columns = int(element.attributes["columns"])
    element.walk(
        lambda inner, _doc: inner.attributes.update(width=f"{96 // columns}%") if isinstance(inner, pf.Image) else None
    )
    blocks = list(element.content)
    rows = []
    for start in range(0, len(blocks), columns):
        cells = [pf.TableCell(block) for block in blocks[start : start + columns]]
        cells += [pf.TableCell() for _ in range(columns - len(cells))]
        rows.append(pf.TableRow(*cells))
    # The figures' own style centres them: an alignment of the column as well would be said twice.
    spec = [("AlignDefault", 1 / columns)] * columns
    return pf.Table(
        pf.TableBody(*rows),
        head=pf.TableHead(),
        foot=pf.TableFoot(),
        colspec=spec,
        attributes={"custom-style": "TableNormal"},
    )


def _contents(headings: list[Any], title: str) -> list[Any]:
    """A table of contents as links. A field would be empty, or ask to be filled, when the document is opened."""
    lines = [_styled("Contents Title", pf.Para(pf.Str(title)))]
    for heading in headings:
        if heading.level <= _CONTENTS_LEVELS and "unlisted" not in heading.classes:
            words = [pf.Str(pf.stringify(heading).strip())]
            lines.append(_styled(f"Contents {heading.level}", pf.Para(pf.Link(*words, url=f"#{heading.identifier}"))))
    return lines
