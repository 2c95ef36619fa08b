"""Reads CSV and TSV files, plain or gzipped, with encoding and delimiter declared or detected."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from plneval.config.sources import Source
from plneval.errors import UserError
from plneval.ingest.raw import RawTable, text_frame, tidy_name, wanted_positions

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_ROWS = 100
SAMPLE_CHARACTERS = 1 << 20
LONGEST_CELL_LINES = 20
"""# ASSUME: a cell with more line breaks is a quotation mark that nobody closed, not a text."""
SENTINEL = "\x1e"
"""A control character that no school's file holds; a row of it behind the last shows whether a quote stayed open."""


def read_text(path: Path, name: str, source: Source, wanted: Collection[str]) -> RawTable:
    """Read a delimited text file whose format has been decided ('csv' or 'tsv'); see :class:`RawTable`.

    Lines without any text are no rows. A row with more or fewer cells than the header is a bad row, never shifted.

    Raises
    ------
    UserError
        If the file is empty, damaged, binary, not in its encoding, has no row below its header, or leaves a quotation
        mark open.
    """
    text, encoding, detected = decode(_content(path, name), name, source.encoding)
    start = _offset_of_row(text, source.header_row, name)
    body = text[start:]
    delimiter = source.delimiter or ("\t" if source.format == "tsv" else detect_delimiter(body[:SAMPLE_CHARACTERS]))
    reader = csv.reader(io.StringIO(body[:SAMPLE_CHARACTERS], newline=""), delimiter=delimiter)
    try:
        header = tuple(tidy_name(cell) for cell in next(reader))
    except (StopIteration, csv.Error):
        raise UserError(f"{name}: there is no header in row {source.header_row}.") from None
    cells, rows, bad = _parse(body, header, delimiter, frozenset(wanted), name)
    rows = rows + (source.header_row - 1)
    if not len(rows) and not bad:
        raise UserError(f"{name}: the file has a header and no rows below it.")
    return RawTable(
        header,
        cells,
        rows,
        tuple(number + source.header_row - 1 for number in bad),
        "csv",
        (("encoding", encoding), ("delimiter", delimiter)),
        encoding if detected else None,
    )


def _content(path: Path, name: str) -> bytes:
    """The file's bytes, unpacked where they are gzipped."""
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b" or path.suffix.lower() == ".gz":
        try:
            data = gzip.decompress(data)
        except (gzip.BadGzipFile, EOFError, zlib.error):
            raise UserError(f"{name}: the gzip file is damaged or cut off; get it again.") from None
    if not data:
        raise UserError(f"{name}: the file is empty.")
    return data


def decode(data: bytes, name: str, declared: str | None) -> tuple[str, str, bool]:
    """Turn bytes into text with ``\\n`` line ends.

    Parameters
    ----------
    data : the file's bytes.
    name : the file as it is named in messages.
    declared : the encoding that the cohort declares, or None.

    Returns
    -------
    text, encoding, and whether an encoding other than UTF-8 was detected: by its byte order mark, else UTF-8 when all
    bytes are valid, else cp1252.

    Raises
    ------
    UserError
        Naming the line and the byte that cannot be read.
    """
    if declared is not None:
        try:
            encoding = codecs.lookup(declared).name
        except LookupError:
            raise UserError(f"{name}: there is no encoding '{declared}'; common ones are utf-8, cp1252.") from None
        detected = False
    elif data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        encoding, detected = "utf-32", True
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding, detected = "utf-16", True
    else:
        encoding, detected = "utf-8", False
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if declared is not None or detected:
            raise _undecodable(error, data, name, f"its encoding {encoding}", declared is not None) from None
        if b"\x00" in data:
            raise UserError(f"{name}: this is a binary file, not a table in text; check its format.") from None
        try:
            text, encoding, detected = data.decode("cp1252"), "cp1252", True
        except UnicodeDecodeError as again:
            raise _undecodable(again, data, name, "UTF-8 or cp1252", True) from None
    except (UnicodeError, LookupError):
        raise UserError(f"{name}: the file cannot be read with the encoding '{declared}'.") from None
    if "\x00" in text:
        raise UserError(f"{name}: the file holds NUL characters, so it is binary or damaged; check its format.")
    text = text.removeprefix("\ufeff")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise UserError(f"{name}: the file is empty.")
    return text, encoding, detected


def _undecodable(error: UnicodeDecodeError, data: bytes, name: str, encoding: str, hint: bool) -> UserError:
    line = data.count(b"\n", 0, error.start) + 1
    return UserError(
        f"{name}: line {line}: byte {error.start + 1} (0x{data[error.start]:02x}) is not valid in {encoding}."
        + (" Declare the file's encoding under 'encoding', or save it as UTF-8." if hint else " The file is damaged.")
    )


def detect_delimiter(text: str) -> str:
    """The delimiter that splits the first rows into the same number of cells, the larger number where several do."""
    best, best_score = ",", (0.0, 0)
    for delimiter in DELIMITERS:
        counts = []
        try:
            for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
                if row:
                    counts.append(len(row))
                if len(counts) > SAMPLE_ROWS:
                    break
        except csv.Error:
            continue
        if not counts or counts[0] < 2:
            continue
        score = (sum(count == counts[0] for count in counts) / len(counts), counts[0])
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _offset_of_row(text: str, row: int, name: str) -> int:
    """Where a line of the text begins."""
    start = 0
    for _ in range(row - 1):
        start = text.find("\n", start) + 1
        if start == 0:
            raise UserError(f"{name}: the header is declared in row {row}, and the file ends before it.")
    return start


def _parse(
    text: str, header: tuple[str, ...], delimiter: str, wanted: frozenset[str], name: str
) -> tuple[pd.DataFrame, np.ndarray[Any, np.dtype[np.int64]], list[int]]:
    """Cells of the wanted columns, the numbers of their rows and of the bad rows (header row = 1)."""
    keep = wanted_positions(header, wanted)
    table, bad = _arrow_rows(text, len(header), delimiter, keep, name)
    lines = text.count("\n") + (not text.endswith("\n"))
    suspicious = _blank(table) if keep else np.zeros(0, dtype=bool)
    if lines != len(table) + len(bad) or suspicious.any() or not keep:
        # Line breaks within cells, or rows that look empty: only all columns tell what they are.
        table, bad = _arrow_rows(text, len(header), delimiter, list(range(len(header))), name)
        _refuse_runaway_quotes(table, bad, name)
    numbers = _row_numbers(table, bad)
    body = (numbers > 1) & ~_blank(table)
    # The first row is the header itself.
    cells = table.loc[body].reset_index(drop=True)
    named = {header[i]: cells[str(i)] for i in keep}
    # Delimiters, quotation marks and blanks alone are no row, however many they are.
    short = [number for number, content in bad if content.strip(f'{delimiter}" \t\n') and number > 1]
    return text_frame(named, len(cells)), numbers[body], short


def _arrow_rows(
    text: str, width: int, delimiter: str, positions: list[int], name: str
) -> tuple[pd.DataFrame, list[tuple[int, str]]]:
    """All rows of the right width as text, and number and content of the others.

    A row of sentinels is put behind the last row: where it does not come back as a row, a quotation mark was left open
    and has swallowed the rows behind it.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    bad: list[tuple[int, str]] = []

    def note(row: Any) -> str:
        bad.append((row.number, row.text))
        return "skip"

    end = delimiter.join([SENTINEL] * width)
    payload = (text if text.endswith("\n") else text + "\n") + end + "\n"
    names = [str(i) for i in range(width)]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(payload.encode("utf-8")),
            read_options=arrow_csv.ReadOptions(use_threads=False, column_names=names, block_size=1 << 24),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=note
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types={column: pa.large_string() for column in names},
                include_columns=[names[i] for i in positions] or names[:1],
                strings_can_be_null=False,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise UserError(f"{name}: the file cannot be read as delimited text: {str(error).splitlines()[0]}") from None
    frame = table.to_pandas(types_mapper=lambda _: pd.StringDtype(na_value=np.nan))
    if not len(frame) or frame.iloc[-1, 0] != SENTINEL:
        row = len(frame) + len(bad)
        raise UserError(f"{name}: a quotation mark is opened in row {row} and never closed; close it or remove it.")
    return frame.iloc[:-1], bad


def _row_numbers(table: pd.DataFrame, bad: list[tuple[int, str]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Number of every row of the right width: all numbers but those of the bad rows."""
    everything = np.arange(1, len(table) + len(bad) + 1, dtype=np.int64)
    return np.delete(everything, [number - 1 for number, _ in bad])


def _blank(table: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which rows hold no text at all."""
    blank = np.ones(len(table), dtype=bool)
    for column in table.columns:
        blank &= (table[column].str.strip() == "").to_numpy(dtype=bool)
        if not blank.any():
            break
    return blank


def _refuse_runaway_quotes(table: pd.DataFrame, bad: list[tuple[int, str]], name: str) -> None:
    long = [number for number, content in bad if content.count("\n") > LONGEST_CELL_LINES]
    numbers = _row_numbers(table, bad)
    for column in table.columns:
        breaks = table[column].str.count("\n").to_numpy()
        long += numbers[breaks > LONGEST_CELL_LINES].tolist()
    if long:
        raise UserError(
            f"{name}: row {min(long)}: a quoted cell runs over more than {LONGEST_CELL_LINES} lines; "
            f"a closing quotation mark is missing there."
        )
