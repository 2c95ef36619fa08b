"""The last stage: released tables only → both reports and the data behind every figure."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from pathlib import Path

from plneval.config.layout import Layout
from plneval.config.project import Project
from plneval.config.report import Report
from plneval.errors import UserError
from plneval.report import figure_data
from plneval.report.load import Released, load

log = logging.getLogger("plneval.report")

SUBTITLES = {
    "funder": "What was found, how sure it is, and what it cannot say",
    "technical": "Technical report: design, data, every model, every check",
}
"""Both reports by the name of their source, each with its subtitle."""


def report(project: Project, name: str, report: Report, layout: Layout, sources: Path, renderer: str) -> None:
    """Write ``release/{funder,technical}.{html,pdf,docx}`` and ``release/data/<figure>.csv``: all of them, or none.

    Parameters
    ----------
    project:
        The project's settings: which formats are written.
    name:
        The cohort.
    report:
        The reports' settings.
    layout:
        Where the cohort's results stand; only ``layout.released_tables`` is read.
    sources:
        The folder of ``funder.qmd`` and ``technical.qmd``.
    renderer:
        ``auto``, ``quarto`` or ``embedded``.

    Raises
    ------
    UserError
        If a released table or a source is missing, or a report cannot be rendered; nothing is replaced then.
    """
    from plneval.report.render import render

    for stem in SUBTITLES:
        if not (sources / f"{stem}.qmd").is_file():
            raise UserError(f"{sources / f'{stem}.qmd'}: no such file; the sources of the reports stand in reports/")
    released = load(layout.released_tables)
    layout.release.mkdir(parents=True, exist_ok=True)
    # Beside the reports, so that putting finished files in place is a rename.
    building = Path(tempfile.mkdtemp(prefix=".reports-", dir=layout.release))
    try:
        written = figure_data.write_all(released, building / "data")
        for stem, subtitle in SUBTITLES.items():
            outputs: dict[str, Path | str] = {form: building / f"{stem}.{form}" for form in project.formats}
            result = render(
                sources / f"{stem}.qmd",
                outputs,
                params={"released_tables": layout.released_tables, "cohort": name},
                renderer=renderer,  # type: ignore[arg-type]  # checked by render
                metadata={**_titles(released, report), "subtitle": subtitle},
            )
            written += result.outputs.values()
            log.info("%s report rendered by %s (%s)", stem, result.renderer, result.version)
            for warning in result.warnings:
                log.warning("%s", warning)
        _put_in_place(written, building, layout.release)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _titles(released: Released, report: Report) -> dict[str, str]:
    return {
        "title": str(released.study["title"]),
        "author": str(released.study["branding"]["organisation"]),
        "lang": "en-GB" if report.language == "en" else report.language,
    }


def _put_in_place(files: list[Path], building: Path, release: Path) -> None:
    """Move finished files to their places; data files of figures that are no more go."""
    data = release / "data"
    data.mkdir(exist_ok=True)
    kept = {path.name for path in files if path.parent.name == "data"}
    for path in files:
        os.replace(path, release / path.relative_to(building))
    for old in sorted(data.glob("*.csv")):
        if old.name not in kept:
            old.unlink()
