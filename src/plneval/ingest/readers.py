"""One registry of readers: a raw file becomes a header and cells of text, with each row's number in the file.

Every cell is read as text, so that nothing is coerced on the way: identifiers keep their leading zeros and codes for
missing stay what they are until the cohort's configuration says what they mean.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from plneval.config.sources import Source
from plneval.errors import UserError
from plneval.ingest.excel import read_excel
from plneval.ingest.parquet import read_parquet
from plneval.ingest.raw import RawTable
from plneval.ingest.text import read_text

Reader = Callable[[Path, str, Source, Collection[str]], RawTable]

READERS: dict[str, Reader] = {"csv": read_text, "tsv": read_text, "excel": read_excel, "parquet": read_parquet}
"""Reader of each format."""

ENDINGS = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".xls": "excel",
    ".xlsx": "excel",
    ".xlsm": "excel",
}
"""Format of each file ending; text files may carry ``.gz`` behind it."""


def read(path: Path, name: str, source: Source, wanted: Collection[str]) -> RawTable:
    """Read a raw file in the format that is declared, or that its ending tells.

    Parameters
    ----------
    path : the file.
    name : the file as it is named in messages.
    source : how it is declared.
    wanted : raw column names whose cells are needed.

    Raises
    ------
    UserError
        If the file cannot be read; the message names it and says what to do.
    """
    chosen = source.format if source.format != "auto" else _format_by_ending(path, name)
    try:
        return READERS[chosen](path, name, source.model_copy(update={"format": chosen}), wanted)
    except OSError as error:
        raise UserError(f"{name}: the file cannot be opened: {error.strerror or 'input/output error'}.") from None


def _format_by_ending(path: Path, name: str) -> str:
    endings = [ending.lower() for ending in path.suffixes]
    if endings and endings[-1] == ".gz":
        endings.pop()
        if endings and ENDINGS.get(endings[-1]) in ("excel", "parquet"):
            raise UserError(f"{name}: only text files may be gzipped; unpack it.")
    if not endings or endings[-1] not in ENDINGS:
        raise UserError(
            f"{name}: the format cannot be told from the ending '{endings[-1] if endings else ''}'; "
            f"declare it under 'format'. Known endings: {', '.join(ENDINGS)}, text also with .gz."
        )
    return ENDINGS[endings[-1]]
