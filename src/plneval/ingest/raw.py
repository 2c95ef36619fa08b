"""What every reader gives: cells of text, and where each row stands in its file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd


@dataclass(frozen=True)
class RawTable:
    """A raw file's rows as text.

    Attributes
    ----------
    header : all column names as they stand in the file, blanks around them removed, in order; '' where there is none.
    cells : text of the wanted columns that stand in the header exactly once; blanks around a cell are removed and an
        empty cell is ''.
    rows : number of each row in the file (from 1, the header row counted; in Parquet files, which have no header row,
        from 1 for the first row).
    bad_rows : numbers of rows with too few or too many cells; they are not in ``cells``.
    format : 'csv', 'parquet' or 'excel'.
    detail : how it was read ('utf-8', ','), for the list of sources.
    detected : the encoding, where it was not declared and is not plain UTF-8.
    """

    header: tuple[str, ...]
    cells: pd.DataFrame
    rows: npt.NDArray[np.int64]
    bad_rows: tuple[int, ...] = ()
    format: str = "csv"
    detail: tuple[tuple[str, str], ...] = ()
    detected: str | None = None


def tidy_name(name: str) -> str:
    """A column name without the blanks, line breaks and byte order mark around and within it."""
    return " ".join(name.replace("\ufeff", "").split())


def wanted_positions(header: tuple[str, ...], wanted: frozenset[str]) -> list[int]:
    """Positions of the wanted columns that stand exactly once in a header."""
    return [i for i, name in enumerate(header) if name and name in wanted and header.count(name) == 1]


def text_frame(columns: dict[str, pd.Series], length: int) -> pd.DataFrame:
    """Text columns as one frame with blanks around cells removed."""
    frame = pd.DataFrame({name: column.str.strip() for name, column in columns.items()}, index=range(length))
    return frame


def numbers_as_text(values: pd.Series) -> pd.Series:
    """Numbers as the shortest text that gives the same number back; whole ones without ``.0``; missing as ''.

    Spreadsheets hold every number as a float: the identifier 610229 must not become '610229.0'.
    """
    numbers = values.to_numpy(dtype="float64", na_value=np.nan)
    present = ~np.isnan(numbers)
    text = np.full(len(numbers), "", dtype=object)
    # Beyond 2**53 a float does not tell neighbouring whole numbers apart, and is shown as it is.
    whole = present & (np.abs(np.where(present, numbers, 0)) < 2**53) & (numbers == np.floor(numbers))
    text[whole] = numbers[whole].astype(np.int64).astype(str)
    text[present & ~whole] = [repr(float(value)) for value in numbers[present & ~whole]]
    return pd.Series(text, dtype="str")
