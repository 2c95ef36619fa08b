"""The stratum of each unit, read from the rows or given by unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from plneval.did.cells import Cells
from plneval.did.columns import Integers, codes_of, read_columns
from plneval.did.errors import DidError, name_rows


def strata_of_units(
    strata: str | Mapping[Any, Any] | None, data: Any, cells: Cells, used: Integers
) -> tuple[Integers, tuple[Any, ...] | None]:
    """Stratum codes of the units in use, and their labels.

    Parameters
    ----------
    strata
        A column of ``data``, a mapping (or Series) from unit label to stratum, or ``None``: all in one.
    data
        Rows (pandas, Arrow, Ibis), or the cells.
    used
        Codes of the units in use.

    Raises
    ------
    DidError
        A column that does not exist, is named of cells, is missing for a unit in use, or varies within units.
    """
    if strata is None:
        return np.zeros(len(used), dtype=np.intp), None
    if isinstance(strata, str):
        by_unit, name = _by_unit(strata, data, cells), strata
    elif isinstance(strata, Mapping | pd.Series):
        by_unit, name = pd.Series(dict(strata.items()), dtype=object).reindex(cells.units), "strata"
    else:
        raise DidError(f"strata is a {type(strata).__name__}; name a column, or map unit labels to strata")
    found = by_unit.iloc[used].infer_objects()
    missing = found.isna().to_numpy()
    if missing.any():
        labels = ", ".join(str(label) for label in cells.units[used[missing][:5]])
        raise DidError(
            f"{name}: the stratum of {int(missing.sum())} units is missing, first {cells.names.unit} {labels}: fill it "
            "in, or leave the units out"
        )
    codes, labels_found = codes_of(found, name, "strata")
    return codes.astype(np.intp), tuple(labels_found)


def _by_unit(name: str, data: Any, cells: Cells) -> pd.Series:
    """The column's value for each unit of the cells."""
    unit = cells.names.unit
    if isinstance(data, Cells):
        raise DidError(f"cells hold no column {name!r}: pass the stratum of each unit as a mapping, or pass rows")
    columns = list(getattr(data, "column_names", None) or data.columns)
    if name not in columns:
        raise DidError(f"strata: no column {name!r}; the data have {', '.join(map(str, columns))}")
    if name == unit:
        return pd.Series(cells.units, index=cells.units)
    if type(data).__module__.split(".")[0] == "ibis":
        frame: pd.DataFrame = data.select(unit, name).distinct().to_pandas()
        counted = frame.groupby(unit, sort=True)[name].agg(lambda values: len(values))
        varying = int((counted > 1).sum())
        if varying:
            raise DidError(f"{name}: the stratum varies within {varying} units: a unit belongs to one stratum")
    else:
        rows = read_columns(data, [unit, name])[[unit, name]]
        frame = rows.drop_duplicates()
        frame = frame[frame[unit].isin(cells.units)]
        repeated = frame[unit].duplicated(keep=False)
        if repeated.any():
            first = frame.index[(frame[unit] == frame.loc[repeated, unit].iloc[0]).to_numpy()]
            varying = int(frame.loc[repeated, unit].nunique())
            raise DidError(
                f"{name}: the stratum varies within {varying} unit{'s' if varying > 1 else ''}, first in "
                f"{name_rows(first)}: a unit belongs to one stratum"
            )
    return frame.set_index(unit)[name].reindex(cells.units)
