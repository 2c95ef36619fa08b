"""One column of a pandas DataFrame or an Arrow table as numbers, as categories, or as groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.multilevel.design import Integers
from plneval.multilevel.errors import MultilevelError

# Whole-numbered ids are looked up in a table if their range is at most this many times the rows.
DENSE_RANGE = 2

Numbers = NDArray[Any]
"""(n,) values of any real type; NaN where missing."""


@dataclass(frozen=True)
class Categories:
    """A column of categories: (n,) codes into ``levels``, -1 where missing.

    ``declared`` says that the levels come from the column's type and not from the rows.
    """

    codes: NDArray[Any]
    levels: tuple[Any, ...]
    declared: bool = False

    def used(self) -> Categories:
        """The same without levels that no row has."""
        present = np.zeros(len(self.levels) + 1, dtype=bool)
        present[self.codes] = True
        present = present[:-1]
        if present.all():
            return self
        renumbered = np.append(np.cumsum(present) - 1, -1)
        levels = tuple(level for level, here in zip(self.levels, present, strict=True) if here)
        return Categories(renumbered[self.codes], levels, self.declared)

    def recoded(self, levels: tuple[Any, ...], name: str) -> Categories:
        """The same with other levels.

        Raises
        ------
        MultilevelError
            A row has a category that is not among them.
        """
        if levels == self.levels:
            return self
        place = {level: at for at, level in enumerate(levels)}
        lookup = np.array([*(place.get(level, -2) for level in self.levels), -1], dtype=np.int32)
        codes = lookup[self.codes]
        if (codes == -2).any():
            unknown = next(level for level, at in zip(self.levels, lookup, strict=False) if at == -2)
            raise MultilevelError(
                f"{name}: the category {unknown!r} is in {int((codes == -2).sum())} rows but not among those known "
                f"({', '.join(map(repr, levels[:10]))}): declare every category (pandas.Categorical, or "
                f"C({name}, levels=[...]))"
            )
        return Categories(codes, levels, declared=True)


@dataclass(frozen=True)
class Groups:
    """A column of groups: (n,) codes into ``labels``, -1 where missing; not every label need have rows."""

    codes: NDArray[Any]
    labels: pd.Index

    def take(self, rows: NDArray[Any] | slice) -> Groups:
        """Some of the rows."""
        return Groups(self.codes[rows], self.labels)


def is_arrow(column: Any) -> bool:
    """Whether a column is one of Arrow's."""
    return type(column).__module__.split(".")[0] == "pyarrow"


def holds_numbers(column: Any, name: str) -> bool:
    """Whether a column is of numbers (truth values among them) rather than of categories.

    Raises
    ------
    MultilevelError
        It is neither: dates, complex numbers, lists.
    """
    if is_arrow(column):
        import pyarrow as pa

        kind = column.type
        if pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return False
        if any(test(kind) for test in (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)):
            return True
        if pa.types.is_decimal(kind) or pa.types.is_null(kind):
            return True
    else:
        kind = column.dtype
        if isinstance(kind, pd.CategoricalDtype | pd.StringDtype):
            return False
        if pd.api.types.is_complex_dtype(kind):
            raise MultilevelError(f"{name}: complex numbers cannot be used")
        if pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind):
            return True
        if pd.api.types.is_object_dtype(kind):
            found = pd.api.types.infer_dtype(column, skipna=True)
            if found in ("floating", "integer", "mixed-integer-float", "decimal", "boolean", "empty"):
                return True
            if found == "string":
                return False
            raise MultilevelError(f"{name}: the column mixes kinds of values ({found}): make it numbers or texts")
        if isinstance(kind, pd.ArrowDtype) and pd.api.types.is_string_dtype(kind):
            return False
    raise MultilevelError(
        f"{name}: a column of type {kind} is neither numbers nor categories: convert it, or use C({name})"
    )


def read_numbers(column: Any, name: str) -> Numbers:
    """The values of a column of numbers.

    Raises
    ------
    MultilevelError
        The column holds something else.
    """
    if not holds_numbers(column, name):
        raise MultilevelError(f"{name}: numbers are needed here, and the column holds categories or texts")
    if is_arrow(column):
        import pyarrow as pa

        if pa.types.is_decimal(column.type) or pa.types.is_null(column.type) or pa.types.is_float16(column.type):
            column = column.cast(pa.float64())
        values = column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy()
        if values.dtype == object:  # truth values with some missing
            return np.asarray(pd.Series(values, dtype="float64"), dtype=np.float64)
        return np.asarray(values)
    if column.dtype == object or pd.api.types.is_extension_array_dtype(column.dtype):
        return np.asarray(
            column.astype("Float64" if column.dtype != object else "float64").to_numpy(dtype="float64", na_value=np.nan)
        )
    return np.asarray(column.to_numpy())


def read_categories(column: Any, name: str) -> Categories:
    """The categories of a column: as declared, else the distinct values in sorted order.

    Raises
    ------
    MultilevelError
        Values that cannot be sorted.
    """
    if is_arrow(column):
        import pyarrow as pa

        declared = pa.types.is_dictionary(column.type)
        column = column.to_pandas()
        if declared and not isinstance(column.dtype, pd.CategoricalDtype):
            column = column.astype("category")
    if isinstance(column.dtype, pd.CategoricalDtype):
        return Categories(column.cat.codes.to_numpy(), tuple(column.cat.categories.tolist()), declared=True)
    try:
        codes, levels = pd.factorize(column, sort=True)
    except TypeError:
        raise MultilevelError(f"{name}: texts and numbers are mixed in one column of categories") from None
    return Categories(codes, tuple(pd.Index(levels).tolist()))


def read_groups(column: Any) -> Groups:
    """The groups of a column of ids of any kind."""
    if is_arrow(column):
        column = column.to_pandas()
    kind = column.dtype
    if isinstance(kind, pd.CategoricalDtype):
        return Groups(column.cat.codes.to_numpy(), pd.Index(column.cat.categories))
    if isinstance(kind, np.dtype) and kind.kind in "iu" and len(column):
        values = column.to_numpy()
        low, high = int(values.min()), int(values.max())
        if high - low < max(DENSE_RANGE * len(values), 1000) and high < 2**62:
            codes = values if low == 0 and kind.itemsize >= 4 else values.astype(np.int64) - low
            return Groups(
                codes.astype(np.int32 if high - low < 2**31 else np.int64, copy=False), pd.RangeIndex(low, high + 1)
            )
    codes, labels = pd.factorize(column)
    found = np.asarray(labels) if isinstance(kind, np.dtype) and kind.kind == "f" else None
    if found is not None and len(found) and (found == np.floor(found)).all() and np.abs(found).max() < 2**53:
        # Whole-numbered ids are floats only because some are missing.
        return Groups(codes, pd.Index(found.astype(np.int64)))
    return Groups(codes, pd.Index(labels))


def combine(parts: list[Groups]) -> Groups:
    """The groups that are the combinations of several columns, labelled ``a:b`` in the order given.

    Raises
    ------
    MultilevelError
        Labels with colons in them that make two combinations look alike.
    """
    key = np.zeros(len(parts[0].codes), dtype=np.int64)
    missing = np.zeros(len(key), dtype=bool)
    for part in parts:
        missing |= part.codes < 0
        if len(key) and float(key.max()) * len(part.labels) > 2**62:
            key = pd.factorize(key)[0].astype(np.int64)
        key = key * len(part.labels) + part.codes
    key[missing] = -1
    codes, first = _numbered(key)
    texts = [_texts(part.labels.take(part.codes[first])) for part in parts]
    joined = texts[0]
    for text in texts[1:]:
        joined = joined + ":" + text
    labels = pd.Index(joined)
    if not labels.is_unique:
        raise MultilevelError(
            "ids with ':' in them make two groups look alike when ids of several columns are joined: write them "
            "otherwise"
        )
    return Groups(codes, labels)


def _texts(labels: pd.Index) -> pd.Series:
    return pd.Series(labels).astype("str").reset_index(drop=True)


def _numbered(key: Integers) -> tuple[Integers, Integers]:
    """Codes of distinct keys (-1 stays -1), and for each code a row that has it."""
    codes, distinct = pd.factorize(key)
    codes = np.asarray(codes, dtype=np.int64)
    gone = np.flatnonzero(distinct == -1)
    if len(gone):
        codes = np.where(codes == gone[0], -1, codes - (codes > gone[0]))
    first = np.empty(len(distinct) - len(gone), dtype=np.int64)
    here = np.flatnonzero(codes >= 0)[::-1]
    first[codes[here]] = here
    return codes, first
