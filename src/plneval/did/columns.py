"""Reading the columns a design names from a pandas DataFrame or an Arrow table, with their types checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.did.errors import DidError

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

# Rows worked on in one go: small enough for the cache, and memory does not grow with the number of rows.
CHUNK = 1 << 17


@dataclass(frozen=True)
class ColumnNames:
    """Which column plays which part; ``None`` where the part is not played."""

    outcome: str
    time: str
    unit: str
    entry: str
    covariates: tuple[str, ...] = ()
    weights: str | None = None
    cluster: str | None = None
    subgroup: str | None = None

    def of_units(self) -> list[str]:
        """The columns of units that are read after rows were dropped: unit, cluster and subgroup."""
        return list(dict.fromkeys(name for name in (self.unit, self.cluster, self.subgroup) if name is not None))

    def used(self) -> list[str]:
        """Every column named, once, in a fixed order."""
        named = [self.outcome, self.time, self.unit, self.entry, *self.covariates]
        named += [name for name in (self.weights, self.cluster, self.subgroup) if name is not None]
        return list(dict.fromkeys(named))


def column_names(
    outcome: str,
    time: str,
    unit: str,
    entry: str,
    covariates: Sequence[str] | None,
    weights: str | None,
    cluster: str | None,
    subgroup: str | None,
    available: Sequence[str],
) -> ColumnNames:
    """Check that every named column exists, and gather the names.

    Raises
    ------
    DidError
        A column that does not exist, a covariate named twice, or the outcome named as a covariate.
    """
    listed = [covariates] if isinstance(covariates, str) else list(covariates or ())
    names = ColumnNames(outcome, time, unit, entry, tuple(listed), weights, cluster, subgroup)
    missing = [name for name in names.used() if name not in available]
    if missing:
        raise DidError(
            f"no column {', '.join(repr(name) for name in missing)} in the data; it has "
            f"{', '.join(repr(name) for name in list(available)[:30])}"
        )
    if len(set(listed)) < len(listed):
        raise DidError(
            f"covariates: {sorted({name for name in listed if listed.count(name) > 1})} named more than once"
        )
    if outcome in listed:
        raise DidError(f"covariates: the outcome {outcome!r} cannot be a covariate of itself")
    return names


def read_columns(data: Any, used: Sequence[str]) -> pd.DataFrame:
    """Return a DataFrame as it is, and the named columns of an Arrow table as one: selecting would copy them."""
    if isinstance(data, pd.DataFrame):
        if not data.columns.is_unique:
            repeated = sorted({str(name) for name in data.columns[data.columns.duplicated()]} & set(used))
            if repeated:
                raise DidError(f"the data have more than one column named {', '.join(map(repr, repeated))}")
        return data
    frame: pd.DataFrame = data.select(list(used)).to_pandas()
    return frame


def available_columns(data: Any) -> list[str]:
    """The column names of a DataFrame or an Arrow table.

    Raises
    ------
    DidError
        ``data`` is neither.
    """
    if isinstance(data, pd.DataFrame):
        return [str(name) for name in data.columns]
    if hasattr(data, "column_names") and hasattr(data, "to_pandas"):
        return list(data.column_names)
    raise DidError(
        f"data is a {type(data).__name__}; give a pandas DataFrame, an Arrow table, an Ibis table or the result of "
        "cells()"
    )


def numbers(frame: pd.DataFrame, name: str, part: str) -> Floats:
    """Return one column as float64 with NaN where it is missing.

    Raises
    ------
    DidError
        The column holds text, dates, categories or objects.
    """
    column = frame[name]
    remedy = {
        "entry": "give the period of entry as a number (0, missing or infinity for never)",
        "time": "give the period as a number, such as the year",
        "covariate": "make numeric (indicator) columns of it first",
    }.get(part, "convert it to numbers first")
    if not (pd.api.types.is_numeric_dtype(column.dtype)):
        kinds = ("integer", "floating", "mixed-integer-float", "decimal", "empty")
        if pd.api.types.is_object_dtype(column.dtype) and pd.api.types.infer_dtype(column, skipna=True) in kinds:
            return np.asarray(column.astype("float64").to_numpy(), dtype=np.float64)
        raise DidError(f"the {part} column {name!r} is of type {column.dtype}, not a number: {remedy}")
    if pd.api.types.is_complex_dtype(column.dtype):
        raise DidError(f"the {part} column {name!r} is of type {column.dtype}: {remedy}")
    if pd.api.types.is_extension_array_dtype(column.dtype):
        return np.asarray(column.to_numpy(dtype="float64", na_value=np.nan), dtype=np.float64)
    return np.asarray(column.to_numpy(), dtype=np.float64)


def codes_of(values: pd.Series, name: str, part: str) -> tuple[NDArray[np.int32], pd.Index]:
    """Number the distinct values of a column in sorted order, so that the numbering does not depend on row order.

    Returns
    -------
    codes : (rows,) int32
        -1 where the value is missing.
    labels : Index
        The distinct values, sorted.

    Raises
    ------
    DidError
        Values that cannot be sorted (text and numbers mixed in one column).
    """
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "iu" and len(values):
        array = values.to_numpy()
        low, high = int(array.min()), int(array.max())
        if high - low <= max(4 * len(array), 1_000_000):
            return _codes_of_integers(array, low, high)
    try:
        codes, labels = pd.factorize(values, sort=True)
    except TypeError:
        raise DidError(f"the {part} column {name!r} mixes values that cannot be sorted (text and numbers?)") from None
    return codes.astype(np.int32), pd.Index(labels)


def _codes_of_integers(array: NDArray[Any], low: int, high: int) -> tuple[NDArray[np.int32], pd.Index]:
    """Codes of integers in a narrow range, by looking them up, chunk by chunk."""
    present = np.zeros(high - low + 1, dtype=bool)
    chunks = [slice(start, start + CHUNK) for start in range(0, len(array), CHUNK)]
    for chunk in chunks:
        present[array[chunk].astype(np.intp) - low] = True
    lookup = (np.cumsum(present) - 1).astype(np.int32)
    codes = np.empty(len(array), dtype=np.int32)
    for chunk in chunks:
        codes[chunk] = lookup[array[chunk].astype(np.intp) - low]
    return codes, pd.Index(np.flatnonzero(present) + low)
