"""The reference renderer: real Quarto, where it is installed, converts the executed notebook."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from plneval.errors import UserError
from plneval.report.render.embedded import bibliography_files, resolved_document
from plneval.report.render.execute import Executed, ExecutedCell, source_date_epoch
from plneval.report.render.notebook import code_cell, notebook, text_cell, write_notebook
from plneval.report.render.outputs import Picture, shown_outputs

# PDF by way of typst: Quarto brings typst along, while LaTeX would be another installation.
_FORMATS = {"html": "html", "pdf": "typst", "docx": "docx"}
_RENDER_SECONDS = 600
_PASSED_ON = (
    "title",
    "subtitle",
    "author",
    "date",
    "abstract",
    "description",
    "keywords",
    "lang",
    "link-citations",
    "toc-title",
)


@functools.cache
def quarto_command() -> str | None:
    """The ``quarto`` executable: on the PATH, or beside the running interpreter (package quarto-cli); None without."""
    beside = Path(sys.executable).parent / ("quarto.exe" if os.name == "nt" else "quarto")
    return shutil.which("quarto") or (str(beside) if beside.is_file() else None)


@functools.cache
def quarto_version() -> str:
    """The version of the installed Quarto, such as ``1.9.37``.

    Raises
    ------
    UserError
        If there is no Quarto or it cannot be run.
    """
    command = quarto_command()
    if command is None:
        raise UserError("no `quarto` is installed")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
    if done.returncode != 0 or not done.stdout.strip():
        raise UserError(f"`{command} --version` does not work: {done.stderr.strip() or 'no answer'}")
    return done.stdout.strip().splitlines()[-1]


def renderer_line() -> str:
    """What the page says of its making."""
    return f"Rendered by Quarto {quarto_version()}"


def render_quarto(executed: Executed, meta: dict[str, Any], formats: Iterable[str], folder: Path) -> dict[str, bytes]:
    """Convert an executed report with Quarto, each format in a folder of its own.

    Parameters and return value are those of :func:`plneval.report.render.embedded.render_embedded`. References are
    checked first: Quarto itself only warns and prints ``?@fig-x``.

    Raises
    ------
    UserError
        If a reference leads nowhere, or Quarto fails: with its words.
    """
    check = folder / "check"
    check.mkdir()
    resolved_document(executed, meta, check)
    finished = {}
    for name in formats:
        place = folder / name
        place.mkdir()
        _copy_resources(executed, meta, place)
        write_notebook(place / "report.ipynb", quarto_notebook(executed, meta, name))
        finished[name] = _run(place, name)
    return finished


def quarto_notebook(executed: Executed, meta: dict[str, Any], output_format: str) -> Any:
    """An executed notebook in Quarto's form: front matter in a raw cell, markdown as it is, cells with ``#|`` options.

    Parameters cells are left out (they show nothing), and so is what cells wrote to standard error.
    """
    head = f"---\n{yaml.safe_dump(front_matter(meta), allow_unicode=True, sort_keys=True)}---"
    cells = [text_cell("raw", head, "front-matter")]
    for position, block in enumerate(executed.blocks):
        identifier = f"block-{position}"
        if not isinstance(block, ExecutedCell):
            cells.append(text_cell("markdown", block.text, identifier))
        elif not block.cell.options.parameters:
            cells.append(code_cell(_source(block), identifier, _outputs(block, output_format)))
    cells.append(text_cell("markdown", f"::: {{.rendered-by}}\n{renderer_line()}\n:::", "rendered-by"))
    return notebook(cells)


def front_matter(meta: dict[str, Any]) -> dict[str, Any]:
    """The front matter for Quarto: titles and citations of the source, and the settings every render uses."""
    shared: dict[str, Any] = {
        "toc": meta.get("toc", False),
        "toc-depth": meta.get("toc-depth", 3),
        "number-sections": True,
    }
    front = {key: meta[key] for key in _PASSED_ON if key in meta}
    front["lang"] = meta.get("lang", "en-GB")
    if "bibliography" in meta:
        listed = meta["bibliography"]
        front["bibliography"] = [Path(name).name for name in ([listed] if isinstance(listed, str) else listed)]
        # Pandoc's citations in every format: typst's own would put the list at the end, wherever `#refs` stands.
        front["citeproc"] = True
    if "csl" in meta:
        front["csl"] = Path(meta["csl"]).name
    front["execute"] = {"enabled": False, **meta.get("execute", {})}
    front["format"] = {
        "html": {**shared, "embed-resources": True, "html-math-method": "mathml"},
        "typst": {**shared, "papersize": "a4"},
        "docx": shared,
    }
    return front


def _source(executed: ExecutedCell) -> str:
    """The cell's source with its options written anew: the alternative texts may come from the figures themselves."""
    options = executed.cell.options
    texts = [item.alt for item in shown_outputs(executed) if isinstance(item, Picture)]
    values: dict[str, Any] = {
        "echo": options.echo,
        "include": options.include,
        "output": options.output,
        "label": None if _is_printed_table(executed) else options.label,
        "fig-cap": options.fig_cap,
        "fig-alt": (texts[0] if len(texts) == 1 else texts) or None,
        "tbl-cap": None if _is_printed_table(executed) else options.tbl_cap,
        "layout-ncol": options.layout_ncol,
    }
    # A JSON value is a YAML value, whatever stands in the text.
    lines = [f"#| {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in values.items() if value is not None]
    code = [line for line in executed.cell.source.splitlines() if not line.startswith("#|")]
    return "\n".join([*lines, *code])


def _outputs(executed: ExecutedCell, output_format: str) -> list[Any]:
    """The cell's outputs; word processors get bitmaps only."""
    kept = []
    for output in executed.outputs:
        if output["output_type"] == "stream" and output["name"] == "stderr":
            continue
        copy = json.loads(json.dumps(output))
        if output["output_type"] == "stream" and _is_printed_table(executed):
            copy["text"] = _captioned(executed, "".join(output["text"]))
        if "data" in copy:
            copy["metadata"] = {}
            if output_format == "docx" and "image/png" in copy["data"]:
                copy["data"].pop("image/svg+xml", None)
        kept.append(copy)
    return kept


def _is_printed_table(executed: ExecutedCell) -> bool:
    """Whether the cell prints a table as markdown and names its caption and label as options."""
    return executed.cell.options.output == "asis" and executed.cell.options.is_table


def _captioned(executed: ExecutedCell, printed: str) -> str:
    """A printed table in Quarto's division for a cross-reference: of a cell whose output goes in as it is, Quarto takes
    neither label nor caption (its issue 3770)."""
    options = executed.cell.options
    return f"\n::: {{#{options.label}}}\n\n{printed.strip()}\n\n{options.tbl_cap}\n\n:::\n"


def _copy_resources(executed: Executed, meta: dict[str, Any], place: Path) -> None:
    """Lay bibliography, citation style and images where the notebook expects them."""
    document = executed.document
    for file in bibliography_files(document, meta):
        shutil.copyfile(file, place / file.name)
    if "csl" in meta:
        shutil.copyfile(document.path.parent / meta["csl"], place / Path(meta["csl"]).name)
    # The check has copied every image the text names, under the same relative path.
    images = place.parent / "check" / "images"
    if images.is_dir():
        shutil.copytree(images, place, dirs_exist_ok=True)


def _run(place: Path, name: str) -> bytes:
    command = [
        str(quarto_command()),
        "render",
        "report.ipynb",
        "--no-execute",
        "--to",
        _FORMATS[name],
        "--output",
        f"report.{name}",
    ]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(source_date_epoch()), "TZ": "UTC"}
    try:
        done = subprocess.run(
            command, cwd=place, env=environment, capture_output=True, text=True, timeout=_RENDER_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"Quarto takes longer than {_RENDER_SECONDS} seconds for {name}") from None
    output = place / f"report.{name}"
    if done.returncode != 0 or not output.is_file():
        words = "\n".join((done.stderr or done.stdout).strip().splitlines()[-15:])
        raise UserError(f"Quarto cannot make {name} (exit code {done.returncode}): {words}")
    return output.read_bytes()
