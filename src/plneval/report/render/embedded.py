"""The embedded renderer: an executed report to HTML, PDF and DOCX with pandoc and typst from the Python environment."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import panflute as pf
import yaml

from plneval.errors import UserError, UserErrors
from plneval.report.render.assemble import Assembled, assemble
from plneval.report.render.crossref import is_reference, resolve
from plneval.report.render.docx import docx_blocks, write_docx
from plneval.report.render.execute import Executed
from plneval.report.render.html import html_blocks, write_html
from plneval.report.render.pandoc import READER, pandoc_version, run_pandoc
from plneval.report.render.qmd import Document
from plneval.report.render.typst_pdf import typst_blocks, typst_version, write_pdf

_TITLE_KEYS = ("title", "subtitle", "author", "date", "abstract", "description", "keywords", "lang", "toc-title")
_TOC_DEPTH = 3


def renderer_version() -> str:
    """The versions that matter for the result."""
    return f"pandoc {pandoc_version()}, typst {typst_version()}"


def renderer_line() -> str:
    """What the page says of its making."""
    return f"Rendered by plneval's embedded renderer ({renderer_version()})"


def resolved_document(executed: Executed, meta: dict[str, Any], folder: Path) -> Any:
    """The report as a panflute document, with numbers given and cross-references resolved.

    Raises
    ------
    UserError
        If an image is missing, a reference or citation leads nowhere, or a label occurs twice.
    """
    document = executed.document
    assembled = assemble(executed, folder)
    titles = {key: meta[key] for key in _TITLE_KEYS if key in meta} | {"lang": meta.get("lang", "en-GB")}
    (folder / "titles.yaml").write_text(yaml.safe_dump(titles, allow_unicode=True, sort_keys=True), encoding="utf-8")
    text = run_pandoc(["-f", READER, "-t", "json", "--metadata-file=titles.yaml"], assembled.markdown, folder)
    doc = pf.load(io.StringIO(text))
    _images(doc, assembled, document, folder)
    _citations(doc, document, folder)
    resolve(doc, document)
    return doc


def render_embedded(
    executed: Executed, meta: dict[str, Any], formats: Iterable[str], folder: Path
) -> tuple[dict[str, bytes], list[str]]:
    """Convert an executed report.

    Parameters
    ----------
    executed:
        The report with its cells' outputs.
    meta:
        Its front matter, with titles given from outside in place.
    formats:
        Of ``html``, ``pdf``, ``docx``.
    folder:
        An empty folder for this run.

    Returns
    -------
    The finished file of each format, and what the person who renders should know of them.
    """
    doc = resolved_document(executed, meta, folder)
    text = _dump(doc)
    shared = _citation_arguments(executed.document, meta)
    shared += ["--metadata", f"renderer={renderer_line()}"]
    contents = bool(meta.get("toc", False))
    toc = ["--toc", f"--toc-depth={meta.get('toc-depth', _TOC_DEPTH)}"] if contents else []
    finished: dict[str, bytes] = {}
    warnings: list[str] = []
    for name in formats:
        copy = pf.load(io.StringIO(text))
        if name == "html":
            html_blocks(copy)
            # The page's headings stand one level below its title.
            depth = ["--toc", f"--toc-depth={meta.get('toc-depth', _TOC_DEPTH) + 1}"] if contents else []
            finished[name] = write_html(_dump(copy), [*shared, *depth], folder)
        elif name == "pdf":
            typst_blocks(copy)
            finished[name], said = write_pdf(_dump(copy), [*shared, *toc], folder)
            warnings += said
        else:
            docx_blocks(copy, folder, contents, meta.get("toc-title", "Contents"), renderer_line())
            finished[name] = write_docx(_dump(copy), shared, folder)
    return finished, warnings


def _dump(doc: Any) -> str:
    stream = io.StringIO()
    pf.dump(doc, stream)
    return stream.getvalue()


def _images(doc: Any, assembled: Assembled, document: Document, folder: Path) -> None:
    """Give every image its alternative text, and copy the images that lie beside the source."""
    problems: list[str] = []
    root = document.path.parent.resolve()

    def visit(element: Any, _doc: Any) -> None:
        if not isinstance(element, pf.Image):
            return
        if element.url in assembled.alternatives:
            element.content = [pf.Str(assembled.alternatives[element.url])]
            return
        where = document.locate(element.url)
        file = (root / element.url).resolve()
        if re.match(r"[a-z]+:|//", element.url) or not file.is_relative_to(root):
            problems.append(f"{where}: image '{element.url}' is not a file in the folder of the report")
        elif not file.is_file():
            problems.append(f"{where}: image '{element.url}': no such file")
        elif not pf.stringify(element).strip() and "fig-alt" not in element.attributes:
            problems.append(f"{where}: image '{element.url}' has no alternative text; write ![text](…)")
        else:
            copy = folder / "images" / file.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
            element.url = f"images/{file.relative_to(root).as_posix()}"

    doc.walk(visit)
    if problems:
        raise UserErrors(problems)


def bibliography_files(document: Document, meta: dict[str, Any]) -> list[Path]:
    """The bibliography files of a report.

    Raises
    ------
    UserError
        If one is missing.
    """
    listed = meta.get("bibliography", [])
    files = [document.path.parent / name for name in ([listed] if isinstance(listed, str) else listed)]
    for file in files:
        if not file.is_file():
            raise UserError(f"{document.locate('bibliography')}: bibliography '{file.name}': no such file")
    return files


def _citation_arguments(document: Document, meta: dict[str, Any]) -> list[str]:
    files = bibliography_files(document, meta)
    if not files:
        return []
    arguments = ["--citeproc", *(f"--bibliography={file.resolve()}" for file in files)]
    arguments += ["--metadata", f"link-citations={str(meta.get('link-citations', True)).lower()}"]
    if "csl" in meta:
        style = document.path.parent / meta["csl"]
        if not style.is_file():
            raise UserError(f"{document.locate('csl:')}: csl '{meta['csl']}': no such file")
        arguments.append(f"--csl={style.resolve()}")
    return arguments


def _citations(doc: Any, document: Document, folder: Path) -> None:
    """Refuse citations of works that no bibliography file lists."""
    import json

    cited: list[str] = []
    doc.walk(
        lambda element, _doc: (
            cited.extend(item.id for item in element.citations) if isinstance(element, pf.Cite) else None
        )
    )
    works = sorted({name for name in cited if not is_reference(name)})
    if not works:
        return
    known: set[str] = set()
    for file in bibliography_files(document, document.meta):
        kind = {".bib": "biblatex", ".json": "csljson", ".yaml": "markdown", ".ris": "ris"}.get(file.suffix, "biblatex")
        text = run_pandoc(["-f", kind, "-t", "csljson"], file.read_text(encoding="utf-8"), folder)
        known |= {str(item["id"]) for item in json.loads(text)}
    if missing := [name for name in works if name not in known]:
        raise UserErrors(
            f"{document.locate('@' + name)}: citation @{name} is in no bibliography file" for name in missing
        )
