"""The collapse of rows held in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.did.cells import Cells, dropped_table
from plneval.did.columns import CHUNK, ColumnNames, Floats, Integers, codes_of, numbers, read_columns
from plneval.did.errors import DidError, name_rows

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Rows:
    """The rows behind the cells, for the one thing cells cannot do: a propensity model of row-level covariates.

    Attributes
    ----------
    cell
        (rows,) which cell a row belongs to.
    outcome, weight
        (rows,).
    covariates
        (rows, K) constant and covariates.
    """

    cell: Integers
    outcome: Floats
    weight: Floats
    covariates: Floats


def collapse_rows(
    data: Any, names: ColumnNames, *, panel: bool, missing_entry: str, keep_rows: bool = False, merge_rows: bool = False
) -> tuple[Cells, Rows | None]:
    """Collapse a DataFrame or an Arrow table; see :func:`plneval.did.cells.cells`.

    With ``keep_rows`` the rows are returned too where covariates vary within cells, ``None`` otherwise. With
    ``merge_rows`` cross-sections whose every row is a unit of its own are collapsed by cluster and entry instead.
    """
    frame = read_columns(data, names.used())
    if not len(frame):
        raise DidError("the data have no rows")
    outcome, x, weight = _values(frame, names)
    time_code, times = _times(frame, names)
    unit, units = codes_of(frame[names.unit], names.unit, "unit")
    if unit.min() < 0:
        _refuse(frame, unit < 0, f"{names.unit}: the unit is missing", "name the unit or leave the rows out")
    entry = numbers(frame, names.entry, "entry")
    entry_of_unit = _entry_of_unit(frame, names, entry, unit, len(units), times, missing_entry)
    del entry
    keep, dropped = _usable(frame, names, outcome, x, weight)
    index = frame.index
    if keep is not None:
        outcome, x = outcome[keep], [column[keep] for column in x]
        weight = None if weight is None else weight[keep]
        frame, index = frame.loc[keep, names.of_units()], index[keep]
        time_code, kept = _renumbered(time_code[keep], np.arange(len(times)))
        times = times[kept]
        unit, kept = _renumbered(unit[keep], np.arange(len(units)))
        units, entry_of_unit = units[kept], entry_of_unit[kept]
    cluster_of_unit, clusters = _clusters(frame, names, unit, units, index)
    subgroup_code, subgroups = _subgroups(frame, names)
    merged = merge_rows and not panel and names.cluster not in (None, names.unit) and len(units) == len(unit)
    if merged:
        unit, units, entry_of_unit, cluster_of_unit = _merge(unit, entry_of_unit, cluster_of_unit, clusters)
    key = unit.astype(np.intp)
    key *= len(times)
    key += time_code
    key *= len(subgroups)
    if subgroup_code is not None:
        key += subgroup_code
    del time_code, subgroup_code
    cell, present = _dense(key, len(units) * len(times) * len(subgroups))
    del key, frame
    count = np.bincount(cell, minlength=len(present))
    if panel and (count > 1).any():
        _refuse_duplicates(cell, count, index, names)
    constant_weights = weight is None or _is_constant(weight, unit, len(units))
    made = Cells(
        names=names,
        panel=panel,
        n_rows=len(cell),
        units=units,
        times=times,
        subgroups=subgroups,
        clusters=clusters,
        entry=entry_of_unit,
        cluster=cluster_of_unit,
        unit=present // (len(times) * len(subgroups)),
        time=(present // len(subgroups)) % len(times),
        subgroup=present % len(subgroups),
        n=count,
        **_sums(cell, count, outcome, x, weight),
        constant_covariates=all(_is_constant(column, cell, len(present)) for column in x),
        constant_weights=constant_weights,
        dropped=dropped_table(dropped),
        rows_are_units=merged,
    )
    if not keep_rows or made.constant_covariates:
        return made, None
    ones = np.ones(len(cell))
    return made, Rows(cell, outcome, ones if weight is None else weight, np.stack([ones, *x]).T)


def _values(frame: pd.DataFrame, names: ColumnNames) -> tuple[Floats, list[Floats], Floats | None]:
    outcome = numbers(frame, names.outcome, "outcome")
    x = [numbers(frame, name, "covariate") for name in names.covariates]
    weight = None if names.weights is None else numbers(frame, names.weights, "weights")
    return outcome, x, weight


def _refuse(frame: pd.DataFrame, where: Mask, found: str, remedy: str) -> None:
    labels = frame.index[np.flatnonzero(where)[:5]]
    raise DidError(f"{found} in {name_rows(labels, int(where.sum()))}: {remedy}")


def _times(frame: pd.DataFrame, names: ColumnNames) -> tuple[NDArray[np.int32], Floats]:
    column = frame[names.time]
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu":
        code, labels = codes_of(column, names.time, "time")
    else:
        time = numbers(frame, names.time, "time")
        if not np.isfinite(time).all():
            _refuse(frame, ~np.isfinite(time), f"{names.time}: the time is missing or infinite", "give the period")
        code, labels = codes_of(pd.Series(time), names.time, "time")
    return code, np.asarray(labels, dtype=np.float64)


def _entry_of_unit(
    frame: pd.DataFrame,
    names: ColumnNames,
    entry: Floats,
    unit: NDArray[np.int32],
    n_units: int,
    times: Floats,
    missing_entry: str,
) -> Floats:
    """Entry of each unit, with never written as infinity."""
    of_unit = np.empty(n_units)
    of_unit[unit] = entry
    if not _matches(of_unit, unit, entry):
        # Missing entries are equal to nothing, and 0 differs from infinity: look at every row.
        missing = np.isnan(entry)
        if missing.any() and missing_entry == "error":
            remedy = 'fill them in, or pass missing_entry="never" if they mean never treated'
            _refuse(frame, missing, f"{names.entry}: the entry is missing", remedy)
        entry = np.where(missing | (entry == 0), np.inf, entry)
        of_unit = _constant_in_unit(entry, unit, n_units, frame.index, names.entry, "entry")
    if np.isneginf(of_unit).any():
        found = f"{names.entry}: the entry is minus infinity"
        _refuse(frame, np.isneginf(of_unit)[unit], found, "give a period, or 0 for never")
    if times[0] < 0 and (numbers(frame, names.entry, "entry") == 0).any():
        zero = numbers(frame, names.entry, "entry") == 0
        remedy = "0 means never: write infinity for never treated, or count the periods from 1"
        _refuse(frame, zero, f"{names.entry}: the entry is 0 while periods are negative", remedy)
    return np.where(of_unit == 0, np.inf, of_unit)


def _usable(
    frame: pd.DataFrame, names: ColumnNames, outcome: Floats, x: Sequence[Floats], weight: Floats | None
) -> tuple[Mask | None, list[tuple[str, str, int, Sequence[Any]]]]:
    """Which rows can be used (``None``: all of them), and what is dropped; refuse numbers that cannot be."""
    reasons = []
    for what, name, column in [
        ("outcome", names.outcome, outcome),
        *(("covariate", name, column) for name, column in zip(names.covariates, x, strict=True)),
    ]:
        if np.isfinite(column).all():
            continue
        if np.isinf(column).any():
            _refuse(frame, np.isinf(column), f"{name}: infinite values", "mend them or set them to missing")
        reasons.append((f"the {what} {name} is missing", np.isnan(column)))
    if weight is not None and not (np.isfinite(weight).all() and weight.min() > 0):
        if np.isnan(weight).any():
            _refuse(
                frame, np.isnan(weight), f"{names.weights}: the weight is missing", "fill it in or leave the rows out"
            )
        wrong = (weight < 0) | np.isinf(weight)
        if wrong.any():
            _refuse(frame, wrong, f"{names.weights}: negative or infinite weights", "weights are finite and at least 0")
        reasons.append(("the weight is 0", weight == 0))
    keep: Mask | None = None
    dropped: list[tuple[str, str, int, Sequence[Any]]] = []
    for reason, where in reasons:
        fresh = where if keep is None else where & keep
        if fresh.any():
            first = frame.index[np.flatnonzero(fresh)[:5]]
            dropped.append(("rows", reason, int(fresh.sum()), list(first)))
            keep = ~fresh if keep is None else keep & ~fresh
    if keep is not None and not keep.any():
        raise DidError("no row can be used: " + "; ".join(f"{entry[1]} in {entry[2]} rows" for entry in dropped))
    return keep, dropped


def _renumbered(codes: NDArray[np.int32], labels: Integers) -> tuple[NDArray[np.int32], Integers]:
    """Number the labels anew after rows were dropped, without those that no row has any more."""
    present = np.zeros(len(labels), dtype=bool)
    present[codes] = True
    return (np.cumsum(present) - 1).astype(np.int32)[codes], labels[present]


def _constant_in_unit(
    values: NDArray[Any], unit: NDArray[np.int32], n_units: int, index: pd.Index, name: str, part: str
) -> NDArray[Any]:
    """The value of each unit, or an error that names the rows of a unit that has several."""
    of_unit = np.empty(n_units, dtype=values.dtype)
    of_unit[unit] = values
    if not _matches(of_unit, unit, values):
        differs = of_unit[unit] != values
        units_concerned = np.unique(unit[differs])
        rows = np.flatnonzero(unit == units_concerned[0])
        other = np.flatnonzero(values[rows] != values[rows[0]])[0]
        remedy = {
            "entry": "a unit enters once; for units that leave or return, take the first entry, or see switchers()",
            "cluster": "clusters are made of whole units: name a column that is constant within units",
        }[part]
        raise DidError(
            f"{name}: the {part} varies within {len(units_concerned)} unit{'s' if len(units_concerned) > 1 else ''}, "
            f"first in {name_rows([index[rows[0]], index[rows[other]]])}: {remedy}"
        )
    return of_unit


def _clusters(
    frame: pd.DataFrame, names: ColumnNames, unit: NDArray[np.int32], units: pd.Index, index: pd.Index
) -> tuple[Integers, pd.Index]:
    if names.cluster is None or names.cluster == names.unit:
        return np.arange(len(units), dtype=np.intp), units
    code, clusters = codes_of(frame[names.cluster], names.cluster, "cluster")
    if (code < 0).any():
        _refuse(frame, code < 0, f"{names.cluster}: the cluster is missing", "name it or leave the rows out")
    return _constant_in_unit(code, unit, len(units), index, names.cluster, "cluster").astype(np.intp), clusters


def _subgroups(frame: pd.DataFrame, names: ColumnNames) -> tuple[NDArray[np.int32] | None, pd.Index]:
    if names.subgroup is None:
        return None, pd.Index([None], dtype=object)
    code, subgroups = codes_of(frame[names.subgroup], names.subgroup, "subgroup")
    if (code < 0).any():
        _refuse(frame, code < 0, f"{names.subgroup}: the subgroup is missing", "fill it in or leave the rows out")
    return code, subgroups


def _merge(
    unit: NDArray[np.int32], entry: Floats, cluster: Integers, clusters: pd.Index
) -> tuple[NDArray[np.int32], pd.Index, Floats, Integers]:
    """Pairs of a cluster and an entry in place of units: code of each row, labels (clusters), entry and cluster."""
    entry_code, entries = pd.factorize(entry, sort=True)
    pair, found = _dense(cluster * len(entries) + entry_code, len(clusters) * len(entries))
    cluster_of_pair = found // len(entries)
    return pair.astype(np.int32)[unit], clusters[cluster_of_pair], entries[found % len(entries)], cluster_of_pair


def _dense(key: Integers, size: int) -> tuple[Integers, Integers]:
    """Number the keys that occur in sorted order: the cell of each row, and the key of each cell."""
    if size <= max(4 * len(key), 1_000_000):
        present = np.zeros(size, dtype=bool)
        present[key] = True
        found = np.flatnonzero(present)
        if len(found) == size:
            return key, found
        return (np.cumsum(present) - 1)[key], found
    found, cell = np.unique(key, return_inverse=True)
    return cell.astype(np.intp), found


def _refuse_duplicates(cell: Integers, count: Integers, index: pd.Index, names: ColumnNames) -> None:
    repeated = int((count[count > 1]).sum())
    first = np.flatnonzero(cell == np.flatnonzero(count > 1)[0])
    raise DidError(
        f"panel=True, but {repeated} rows share their {names.unit} and {names.time} with another, first "
        f"{name_rows(index[first])}: leave one of each, or pass panel=False if units are groups of rows"
    )


def _is_constant(values: Floats, code: NDArray[Any], size: int) -> bool:
    """Whether the values are the same within each code."""
    last = np.empty(size)
    last[code] = values
    return _matches(last, code, values)


def _matches(of_code: NDArray[Any], code: NDArray[Any], values: NDArray[Any]) -> bool:
    """Whether every value is the one of its code."""
    return all(
        bool((of_code[code[start : start + CHUNK]] == values[start : start + CHUNK]).all())
        for start in range(0, len(values), CHUNK)
    )


def _sums(
    cell: Integers, count: Integers, outcome: Floats, x: Sequence[Floats], weight: Floats | None
) -> dict[str, Floats]:
    """Every sum of a cell, chunk by chunk in row order: the same rows in the same order give the same bits."""
    size, k = len(count), 1 + len(x)
    sww = count.astype(np.float64)
    swyy = np.zeros(size)
    sxx = np.zeros((size, k, k))
    sxy = np.zeros((size, k))
    if weight is None:
        sxx[:, 0, 0] = count
    else:
        sww[:] = 0.0
    step = max(CHUNK, 4 * size)
    for start in range(0, len(cell), step):
        rows = slice(start, start + step)
        code, y = cell[rows], outcome[rows]
        w = None if weight is None else weight[rows]
        wy = y if w is None else w * y
        if w is not None:
            sxx[:, 0, 0] += np.bincount(code, w, size)
            sww += np.bincount(code, w * w, size)
        sxy[:, 0] += np.bincount(code, wy, size)
        swyy += np.bincount(code, wy * y, size)
        for i, column in enumerate(x, start=1):
            wx = column[rows] if w is None else w * column[rows]
            sxx[:, 0, i] += np.bincount(code, wx, size)
            sxy[:, i] += np.bincount(code, wx * y, size)
            for j in range(1, i + 1):
                sxx[:, j, i] += np.bincount(code, wx * x[j - 1][rows], size)
    upper = np.triu_indices(k, 1)
    sxx[:, upper[1], upper[0]] = sxx[:, upper[0], upper[1]]
    return {"sw": sxx[:, 0, 0].copy(), "sww": sww, "swy": sxy[:, 0].copy(), "swyy": swyy, "sxx": sxx, "sxy": sxy}
