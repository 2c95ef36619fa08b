"""From text to typed values; what cannot be read is marked, never guessed."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval.ingest.tables import IDENTIFIERS, Kind
from plneval.ingest.years import parse_year

Mask = npt.NDArray[np.bool_]

_NUMBER = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"
_TIME = r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?"
_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})" + _TIME)
_DOTTED = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})" + _TIME)
_SLASHED = re.compile(r"([0-9]{1,2})[/-]([0-9]{1,2})[/-]([0-9]{4})" + _TIME)
_FLAGS = {"0": 0.0, "1": 1.0, "0.0": 0.0, "1.0": 1.0, "false": 0.0, "true": 1.0}


def parse(text: pd.Series, kind: Kind, dates: str = "iso", decimal: str = ".") -> tuple[pd.Series, Mask]:
    """Read a column of texts as its type.

    Parameters
    ----------
    text : texts, NaN where missing.
    kind : what the column holds.
    dates : order of the parts of slashed dates: 'iso' (none is read), 'day_first', 'month_first'.
    decimal : the decimal sign, '.' or ','.

    Returns
    -------
    The typed values (missing where the text is missing or cannot be read), and a mask of the texts that cannot be read.
    """
    present = text.notna().to_numpy(dtype=bool)
    if kind in IDENTIFIERS or kind == "word":
        return text, np.zeros(len(text), dtype=bool)
    values: pd.Series
    if kind == "number":
        values = pd.Series(_numbers(text, decimal), index=text.index)
    elif kind == "year":
        values = _by_distinct(text, parse_year).astype("Int64")
    elif kind == "date":
        values = _by_distinct(text, lambda one: parse_date(one, dates)).astype("datetime64[us]")
    else:
        values = _by_distinct(text, lambda one: _FLAGS.get(one.lower())).astype("float64")
    return values, present & values.isna().to_numpy(dtype=bool)


def parse_date(text: str, dates: str = "iso") -> dt.datetime | None:
    """A date, or None where the text is none or the order of its parts would have to be guessed.

    ``2019-09-01`` and ``01.09.2019`` are read in any case; a time of day behind the date is left out. ``01/09/2019``
    and ``01-09-2019`` are read only where the order is declared.
    """
    if match := _ISO.fullmatch(text):
        year, month, day = match.groups()
    elif match := _DOTTED.fullmatch(text):
        day, month, year = match.groups()
    elif dates != "iso" and (match := _SLASHED.fullmatch(text)):
        first, second, year = match.groups()
        day, month = (first, second) if dates == "day_first" else (second, first)
    else:
        return None
    try:
        return dt.datetime(int(year), int(month), int(day))
    except ValueError:
        return None


def _numbers(text: pd.Series, decimal: str) -> npt.NDArray[np.float64]:
    """Finite numbers; NaN for everything else, also for the words nan and inf."""
    import pyarrow as pa

    if decimal == ",":
        # A point would be a thousands separator here, and is refused rather than guessed.
        text = text.where(~text.str.contains(".", regex=False, na=False)).str.replace(",", ".", regex=False)
    readable = text.where(text.str.fullmatch(_NUMBER, na=False))
    values = pa.array(readable.str.removeprefix("+"), type=pa.large_string(), from_pandas=True).cast(pa.float64())
    numbers: npt.NDArray[np.float64] = values.to_numpy(zero_copy_only=False).astype("float64")
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _by_distinct(text: pd.Series, read: Callable[[str], Any]) -> pd.Series:
    """Read each distinct text once."""
    codes, distinct = pd.factorize(text)
    values = np.empty(len(distinct) + 1, dtype=object)
    values[:-1] = [read(one) for one in distinct]
    # Code -1 (missing) takes the last place.
    values[-1] = None
    return pd.Series(values[codes], index=text.index, dtype=object)
