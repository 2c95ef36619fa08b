"""What a reader sees on a finished report, as plain text."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import pytest


class _Visible(HTMLParser):
    """Collects text outside styles, scripts and pictures, and the alternative texts of pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.alternatives: list[str | None] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("style", "script", "svg"):
            self._hidden += 1
        if tag == "img":
            self.alternatives.append(dict(attrs).get("alt"))
        self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("style", "script", "svg"):
            self._hidden -= 1
        self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def html_text(path: Path) -> str:
    """The visible text of a page, blanks collapsed."""
    parser = _Visible()
    parser.feed(path.read_text(encoding="utf-8"))
    return _collapsed("".join(parser.parts))


def alternative_texts(path: Path) -> list[str | None]:
    """The alternative text of every picture of a page."""
    parser = _Visible()
    parser.feed(path.read_text(encoding="utf-8"))
    return parser.alternatives


def docx_text(path: Path) -> str:
    """The text of a Word document."""
    with zipfile.ZipFile(path) as archive:
        xml = archive.read("word/document.xml").decode("utf-8")
    return _collapsed(html.unescape(re.sub(r"<[^>]+>", "", re.sub(r"</w:p>|<w:tab/>", " ", xml))))


def pdf_text(path: Path) -> str:
    """The text of a PDF, by poppler; the test is skipped where it is not installed."""
    command = shutil.which("pdftotext")
    if command is None:
        pytest.skip("pdftotext is not installed")
    done = subprocess.run([command, "-layout", str(path), "-"], capture_output=True, text=True, check=True)
    return _collapsed(done.stdout)


def _collapsed(text: str) -> str:
    return re.sub(r"\s+", " ", text)
