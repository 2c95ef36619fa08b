"""One call from a report source to its finished files."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from plneval.artifacts import replacing
from plneval.errors import UserError, did_you_mean
from plneval.report.render.emit import escape
from plneval.report.render.execute import execute
from plneval.report.render.outputs import cell_warnings, check_outputs
from plneval.report.render.qmd import parse

Renderer = Literal["auto", "quarto", "embedded"]
OUTPUT_FORMATS = ("html", "pdf", "docx")
_TITLES = ("title", "subtitle", "author", "date", "description", "lang")


@dataclass(frozen=True)
class RenderResult:
    """What rendered a report, and what its cells complained about on the way."""

    renderer: str
    version: str
    outputs: dict[str, Path]
    warnings: list[str] = field(default_factory=list)


def render(
    source: Path | str,
    outputs: Mapping[str, Path | str],
    params: Mapping[str, Any] | None = None,
    renderer: Renderer = "auto",
    workdir: Path | str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> RenderResult:
    """Execute a report once and write it in every format asked for: all of them, or none.

    Parameters
    ----------
    source:
        The ``.qmd`` file.
    outputs:
        Format (``html``, ``pdf``, ``docx``) to file.
    params:
        Values for the names that the cell tagged ``parameters`` assigns. Paths are handed on as absolute paths.
    renderer:
        ``quarto`` (must be installed), ``embedded``, or ``auto``: Quarto where it is installed, else embedded.
    workdir:
        A folder in which this run's own working folder is made and kept, with the executed notebook. Default: a
        temporary folder, removed afterwards.
    metadata:
        Plain texts that take the place of front matter entries (``title``, ``subtitle``, ``author``, ``date``,
        ``description``, ``lang``).

    Raises
    ------
    UserError
        For anything in the source that is not in the declared subset, an unknown parameter, a failing cell, a
        reference that leads nowhere; no file is replaced then.
    """
    source = Path(source)
    targets = {name: Path(path) for name, path in outputs.items()}
    for name in targets:
        if name not in OUTPUT_FORMATS:
            raise UserError(
                f"output format '{name}' is not supported; allowed: {', '.join(OUTPUT_FORMATS)}."
                f"{did_you_mean(name, OUTPUT_FORMATS)}"
            )
    backend = _backend(renderer)
    document = parse(source)
    meta = document.meta | _titles(metadata or {})
    executed = execute(document, params or {})
    check_outputs(executed)
    notes: list[str] = []
    with _folder(workdir, source.stem) as folder:
        if backend == "quarto":
            from plneval.report.render.quarto_cli import quarto_version, render_quarto

            finished = render_quarto(executed, meta, list(targets), folder)
            version = quarto_version()
        else:
            from plneval.report.render.embedded import render_embedded, renderer_version

            finished, notes = render_embedded(executed, meta, list(targets), folder)
            version = renderer_version()
    _write_all(targets, finished)
    return RenderResult(backend, version, targets, [*cell_warnings(executed), *notes])


def _backend(renderer: str) -> str:
    from plneval.report.render.quarto_cli import quarto_command

    if renderer not in ("auto", "quarto", "embedded"):
        raise UserError(f"renderer '{renderer}' is not known; allowed: auto, quarto, embedded")
    if renderer == "quarto" and quarto_command() is None:
        raise UserError(
            "renderer 'quarto' was asked for, but no `quarto` is installed; "
            "install it (pip install 'plneval[quarto]') or use 'embedded'"
        )
    if renderer == "auto":
        return "quarto" if quarto_command() is not None else "embedded"
    return renderer


def _titles(metadata: Mapping[str, str]) -> dict[str, str]:
    """Front matter entries from plain texts. Front matter is markdown, so they are escaped; ``lang`` is a code."""
    for name in metadata:
        if name not in _TITLES:
            raise UserError(
                f"metadata '{name}' cannot be set from outside; allowed: {', '.join(_TITLES)}."
                f"{did_you_mean(name, _TITLES)}"
            )
    return {name: value if name == "lang" else escape(value) for name, value in metadata.items()}


@contextmanager
def _folder(workdir: Path | str | None, stem: str) -> Iterator[Path]:
    """A folder of this run's own: two renders of one source never meet in it."""
    if workdir is not None:
        Path(workdir).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{stem}-", dir=workdir))
    try:
        yield folder
    finally:
        if workdir is None:
            shutil.rmtree(folder, ignore_errors=True)


def _write_all(targets: Mapping[str, Path], finished: Mapping[str, bytes]) -> None:
    """Put all files in place once all of them are written beside their places."""
    with ExitStack() as stack:
        for name in targets:
            stack.enter_context(replacing(targets[name])).write_bytes(finished[name])
