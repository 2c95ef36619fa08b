"""Calling pandoc: the one that comes with the package, in its own folder, with every warning an error."""

from __future__ import annotations

import functools
import os
import subprocess
from pathlib import Path

from plneval.errors import UserError
from plneval.report.render.execute import source_date_epoch

# Quarto's markdown without the ways to reach a format's own markup (raw_*), and without a second place for metadata.
READER = (
    "markdown-raw_html-raw_tex-raw_attribute-native_divs-native_spans-latex_macros-markdown_in_html_blocks"
    "-yaml_metadata_block-pandoc_title_block-example_lists-implicit_figures"
)


@functools.cache
def pandoc_path() -> str:
    """The pandoc executable that is installed with plneval; another one on the computer is the second choice."""
    import pypandoc

    bundled = Path(pypandoc.__file__).parent / "files" / ("pandoc.exe" if os.name == "nt" else "pandoc")
    return str(bundled) if bundled.is_file() else str(pypandoc.get_pandoc_path())


@functools.cache
def pandoc_version() -> str:
    """The version, such as ``3.9``."""
    first = subprocess.run([pandoc_path(), "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[
        0
    ]
    return first.split()[-1]


def run_pandoc(arguments: list[str], text: str, folder: Path) -> str:
    """Run pandoc on ``text`` inside ``folder`` and return what it prints.

    Raises
    ------
    UserError
        With pandoc's words, if it fails or warns: a missing image, an unknown citation or broken math is a mistake in
        the report, not something to leave out of a page.
    """
    # An empty data folder, so that templates in a person's home do not change the pages.
    data = folder / "pandoc-data"
    data.mkdir(exist_ok=True)
    command = [pandoc_path(), f"--data-dir={data}", "--fail-if-warnings", *arguments]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(source_date_epoch()), "TZ": "UTC", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        command, input=text.encode("utf-8"), capture_output=True, cwd=folder, env=environment, check=False
    )
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace").replace("Failing because there were warnings.", "").strip()
        raise UserError(f"the report cannot be converted: {words.replace(f'{folder}/', '')}")
    return done.stdout.decode("utf-8")
