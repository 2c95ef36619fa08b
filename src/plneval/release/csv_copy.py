"""CSV copies of released tables, safe to open in a spreadsheet."""

from __future__ import annotations

import math
from typing import Final

import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
"""Characters with which a spreadsheet takes a cell for a formula."""


def csv_text(table: pd.DataFrame) -> str:
    """A table as CSV: UTF-8, ``\\n`` line ends, missing values as empty cells, true and false as words.

    A cell of words that begins like a formula gets an apostrophe before it, so that a spreadsheet shows it and does not
    run it. Numbers are left alone: a negative number is a number.
    """
    lines = [",".join(_quoted(str(column)) for column in table.columns)]
    texts = [_column(table[column]) for column in table.columns]
    lines += [",".join(row) for row in zip(*texts, strict=True)]
    return "\n".join(lines) + "\n"


def _column(values: pd.Series) -> list[str]:
    if is_bool_dtype(values.dtype):
        return ["" if pd.isna(value) else str(bool(value)).lower() for value in values]
    if is_numeric_dtype(values.dtype):
        return ["" if pd.isna(value) else _number(value) for value in values]
    return ["" if pd.isna(value) else _quoted(_guarded(str(value))) for value in values]


def _number(value: float | int) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return repr(float(value))
    return str(value)


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _quoted(text: str) -> str:
    if any(character in text for character in ',"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text
