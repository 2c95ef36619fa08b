"""Reads Excel workbooks, .xls and .xlsx."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from plneval.config.sources import Source
from plneval.errors import UserError, did_you_mean
from plneval.ingest.raw import RawTable, text_frame, tidy_name, wanted_positions

COMPOUND_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
"""The stream in which a compound file carries a workbook (.xlsx) that a password protects."""


def read_excel(path: Path, name: str, source: Source, wanted: Collection[str]) -> RawTable:
    """Read one sheet of a workbook; see :class:`RawTable`.

    Whole numbers lose the ``.0`` that spreadsheets give them, dates become ``YYYY-MM-DD``. Rows without any content
    are no rows: workbooks carry many of them behind the last one.

    Raises
    ------
    UserError
        If the workbook is empty, damaged, protected by a password, or does not have the sheet or the header row.
    """
    if path.stat().st_size == 0:
        raise UserError(f"{name}: the file is empty.")
    sheet, grid = _grid(path, name, source.sheet)
    if len(grid) < source.header_row:
        raise UserError(
            f"{name}: the header is declared in row {source.header_row}, and the sheet '{sheet}' has {len(grid)} rows."
        )
    header = tuple(tidy_name(cell_text(cell)) for cell in grid[source.header_row - 1])
    body = [
        (number, row)
        for number, row in enumerate(grid[source.header_row :], start=source.header_row + 1)
        if any(not _is_blank(cell) for cell in row)
    ]
    if not body:
        raise UserError(f"{name}: the sheet '{sheet}' has a header and no rows below it.")
    columns = {
        header[i]: pd.Series([cell_text(row[i]) for _, row in body], dtype="str")
        for i in wanted_positions(header, frozenset(wanted))
    }
    return RawTable(
        header,
        text_frame(columns, len(body)),
        np.array([number for number, _ in body], dtype=np.int64),
        format="excel",
        detail=(("sheet", sheet),),
    )


def _grid(path: Path, name: str, wanted: str | int | None) -> tuple[str, list[list[Any]]]:
    """Name and cells of the chosen sheet, from its cell A1."""
    import python_calamine as calamine

    protected = UserError(f"{name}: the workbook is protected by a password; save it without one.")
    data = path.read_bytes()
    if data.startswith(COMPOUND_FILE) and ENCRYPTED_PACKAGE in data:
        raise protected
    try:
        # By content, not by name: an .xlsx file that is called .xls is read all the same.
        workbook = calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheet = _sheet_name(workbook.sheet_names, wanted, name)
        return sheet, workbook.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
    except UserError:
        raise
    except calamine.PasswordError:
        raise protected from None
    # The library panics (a BaseException of its own making) on some damaged files.
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError):
            raise
        raise UserError(f"{name}: this is not an Excel workbook, or it is damaged; open and save it again.") from None


def _sheet_name(names: list[str], wanted: str | int | None, name: str) -> str:
    if not names:
        raise UserError(f"{name}: the workbook has no sheets.")
    if wanted is None:
        return names[0]
    if isinstance(wanted, int):
        if not 1 <= wanted <= len(names):
            raise UserError(f"{name}: there is no sheet {wanted}; the workbook has {len(names)}: {', '.join(names)}.")
        return names[wanted - 1]
    if wanted not in names:
        raise UserError(
            f"{name}: there is no sheet '{wanted}'.{did_you_mean(wanted, names)} The workbook has: {', '.join(names)}."
        )
    return wanted


def _is_blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def cell_text(cell: Any) -> str:
    """A cell's content as text."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 2**53 else repr(cell)
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat() if cell.time() == dt.time() else cell.isoformat(sep=" ")
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    return str(cell)
