"""Reads Parquet files."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from plneval.config.sources import Source
from plneval.errors import UserError
from plneval.ingest.raw import RawTable, numbers_as_text, text_frame, tidy_name, wanted_positions


def read_parquet(path: Path, name: str, source: Source, wanted: Collection[str]) -> RawTable:  # noqa: ARG001
    """Read a Parquet file as text; see :class:`RawTable`.

    Raises
    ------
    UserError
        If the file is empty or damaged, has no rows, or a wanted column holds lists or records.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.stat().st_size == 0:
        raise UserError(f"{name}: the file is empty.")
    try:
        with pq.ParquetFile(path) as file:
            raw_names = list(file.schema_arrow.names)
            header = tuple(tidy_name(column) for column in raw_names)
            keep = wanted_positions(header, frozenset(wanted))
            table = file.read(columns=[raw_names[i] for i in keep])
    except (pa.ArrowException, OSError):
        raise UserError(f"{name}: this is not a Parquet file, or it is damaged.") from None
    if table.num_rows == 0:
        raise UserError(f"{name}: the file has columns and no rows.")
    columns = {header[i]: _text(table.column(raw_names[i]), name, header[i]) for i in keep}
    rows = np.arange(1, table.num_rows + 1, dtype=np.int64)
    return RawTable(header, text_frame(columns, table.num_rows), rows, format="parquet")


def _text(column: Any, name: str, title: str) -> pd.Series:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = kind.value_type
    if pa.types.is_floating(kind):
        return numbers_as_text(column.to_pandas())
    if pa.types.is_boolean(kind):
        column = pc.if_else(column, "TRUE", "FALSE")
    elif pa.types.is_timestamp(kind):
        column = pc.strftime(column.cast(pa.timestamp("us")), format="%Y-%m-%d %H:%M:%S")
    elif pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise UserError(f"{name}: the column '{title}' holds {kind}; a plain column is needed.")
    elif pa.types.is_null(kind):
        column = pa.chunked_array([pa.nulls(len(column), pa.string())])
    text = pc.fill_null(column.cast(pa.large_string()), "")
    return pd.Series(text.to_pandas(types_mapper=None), dtype="str")
