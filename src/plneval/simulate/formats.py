"""Raw files as they come from different offices: text in several shapes, and Excel; the same bytes every time."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from plneval.artifacts import write_bytes


@dataclass(frozen=True)
class TextFormat:
    """Encoding, column separator and line end of a text file, and whether it is gzipped."""

    encoding: str = "utf-8"
    delimiter: str = ","
    line_end: str = "\n"
    gzipped: bool = False

    @property
    def ending(self) -> str:
        """The ending that such a file has."""
        return (".tsv" if self.delimiter == "\t" else ".csv") + (".gz" if self.gzipped else "")


def write_text_table(path: Path, table: pd.DataFrame, form: TextFormat) -> None:
    """Write a table of text cells."""
    text = table.to_csv(index=False, sep=form.delimiter, lineterminator=form.line_end)
    data = text.encode(form.encoding)
    # Neither a time nor a file name goes into the gzip header.
    write_bytes(path, gzip.compress(data, 6, mtime=0) if form.gzipped else data)


def write_excel_table(path: Path, table: pd.DataFrame, sheet: str, title: Sequence[str]) -> None:
    """Write a table to an Excel sheet below lines of title; no time of writing goes into the file."""
    from openpyxl import Workbook

    workbook = Workbook()
    page = workbook.active
    if page is None:
        raise RuntimeError("a new workbook has no sheet")
    page.title = sheet
    for line in [*([text] for text in title), list(table.columns), *table.itertuples(index=False, name=None)]:
        page.append([None if cell == "" else cell for cell in line])
    stream = io.BytesIO()
    workbook.save(stream)
    write_bytes(path, _without_times(stream.getvalue()))


def _without_times(workbook: bytes) -> bytes:
    """Replace the clock's times in a workbook's archive and in its properties by a fixed one."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as old, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as new:
        for name in sorted(old.namelist()):
            data = old.read(name)
            if name == "docProps/core.xml":
                data = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2000-01-01T00:00:00Z", data)
            entry = zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            new.writestr(entry, data)
    return result.getvalue()
