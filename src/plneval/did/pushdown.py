"""The collapse of an Ibis table: it runs where the data are, and only cells come back.

Sums of floating-point numbers depend on the order of the rows, and a database with several threads has none. Each
product is therefore rounded once to a multiple of 2^-k and added up as a wide integer: the same bits with any number
of threads, and at least as near the true sum as adding floats.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from plneval.did.cells import Cells, dropped_table
from plneval.did.columns import ColumnNames, codes_of
from plneval.did.errors import DidError

# Bits a sum may take: decimal(38, 0) holds 126; two are left for the sign and for rounding.
SUM_BITS = 124


def collapse_in_database(table: Any, names: ColumnNames, *, panel: bool, missing_entry: str) -> Cells:
    """Collapse an Ibis table; see :func:`plneval.did.cells.cells`.

    Rows are counted, not named, in errors and in ``dropped``: a table in a database has no row labels.
    """
    _check_types(table, names)
    table = _with_parts(table, names)
    facts = _facts(table, names)
    _check_facts(facts, names, missing_entry)
    dropped, table = _usable(table, facts, names)
    grouped = _group(table, facts, names)
    return _as_cells(grouped, names, panel, dropped)


def _check_types(table: Any, names: ColumnNames) -> None:
    schema = table.schema()
    parts = {names.outcome: "outcome", names.time: "time", names.entry: "entry"}
    parts |= dict.fromkeys(names.covariates, "covariate")
    if names.weights is not None:
        parts[names.weights] = "weights"
    for name, part in parts.items():
        if not (schema[name].is_numeric() or schema[name].is_boolean()):
            raise DidError(f"the {part} column {name!r} is of type {schema[name]}, not a number: convert it first")


def _with_parts(table: Any, names: ColumnNames) -> Any:
    """The table with a column for each part, under names of their own, NaN turned into NULL."""
    columns: dict[str, Any] = {}
    named = {"y": names.outcome, "t": names.time, "e": names.entry}
    named |= {f"x{i}": name for i, name in enumerate(names.covariates, start=1)}
    if names.weights is not None:
        named["w"] = names.weights
    for part, name in named.items():
        number = table[name].cast("float64")
        columns[part] = number.isnan().ifelse(None, number)
    columns["u"] = table[names.unit]
    if names.cluster is not None:
        columns["c"] = table[names.cluster]
    if names.subgroup is not None:
        columns["s"] = table[names.subgroup]
    return table.select(**columns)


def _numbers_of(names: ColumnNames) -> list[str]:
    return ["y", *(f"x{i}" for i in range(1, 1 + len(names.covariates))), *(["w"] if names.weights else [])]


def _facts(table: Any, names: ColumnNames) -> dict[str, Any]:
    """Counts of what is missing or wrong, and the largest magnitudes, in one query."""
    asked: dict[str, Any] = {"rows": table.count()}
    for column in table.columns:
        asked[f"missing_{column}"] = table[column].isnull().sum()
    for column in [*_numbers_of(names), "t"]:
        asked[f"infinite_{column}"] = table[column].isinf().sum()
        asked[f"largest_{column}"] = table[column].abs().max()
    asked["least_t"] = table.t.min()
    asked["zero_e"] = (table.e == 0).sum()
    asked["minus_e"] = (table.e == float("-inf")).sum()
    if names.weights is not None:
        asked["negative_w"] = (table.w < 0).sum()
    row = table.aggregate(**asked).to_pandas().iloc[0]
    return {name: 0 if pd.isna(row[name]) else row[name] for name in asked}


def _check_facts(facts: dict[str, Any], names: ColumnNames, missing_entry: str) -> None:
    def refuse(count: Any, name: str | None, found: str, remedy: str) -> None:
        if count:
            raise DidError(f"{name}: {found} in {int(count)} rows: {remedy}")

    if not facts["rows"]:
        raise DidError("the data have no rows")
    if missing_entry == "error":
        refuse(facts["missing_e"], names.entry, "the entry is missing", 'fill them in, or pass missing_entry="never"')
    refuse(facts["minus_e"], names.entry, "the entry is minus infinity", "give a period, or 0 for never")
    if facts["least_t"] < 0:
        remedy = "0 means never: write infinity for never treated, or count the periods from 1"
        refuse(facts["zero_e"], names.entry, "the entry is 0 while periods are negative", remedy)
    refuse(facts["missing_u"], names.unit, "the unit is missing", "name the unit or leave the rows out")
    refuse(facts["missing_t"] + facts["infinite_t"], names.time, "the time is missing or infinite", "give the period")
    for column, name in zip(_numbers_of(names), [names.outcome, *names.covariates, names.weights], strict=False):
        refuse(facts[f"infinite_{column}"], name, "infinite values", "mend them or set them to missing")
    if names.weights is not None:
        refuse(facts["missing_w"], names.weights, "the weight is missing", "fill it in or leave the rows out")
        refuse(facts["negative_w"], names.weights, "negative weights", "weights are finite and at least 0")
    for part, column in (("cluster", "c"), ("subgroup", "s")):
        if f"missing_{column}" in facts:
            refuse(facts[f"missing_{column}"], getattr(names, part), f"the {part} is missing", "fill it in")


def _usable(table: Any, facts: dict[str, Any], names: ColumnNames) -> tuple[pd.DataFrame, Any]:
    reasons: list[tuple[str, str | None, Any]] = [(f"the outcome {names.outcome} is missing", "y", table.y.isnull())]
    for i, name in enumerate(names.covariates, start=1):
        reasons.append((f"the covariate {name} is missing", f"x{i}", table[f"x{i}"].isnull()))
    if names.weights is not None:
        reasons.append(("the weight is 0", None, table.w == 0))
    entries: list[tuple[str, str, int, list[Any]]] = []
    usable = table
    for reason, column, where in reasons:
        if column is not None and not facts[f"missing_{column}"]:
            continue
        count = int(usable.filter(where).count().execute())
        if count:
            entries.append(("rows", reason, count, []))
            usable = usable.filter(~where)
    if sum(entry[2] for entry in entries) == facts["rows"]:
        raise DidError("no row can be used: " + "; ".join(f"{entry[1]} in {entry[2]} rows" for entry in entries))
    return dropped_table(entries), usable


def _bits(magnitude: float, rows: int) -> int:
    """The k of 2^-k: so fine that a sum over all rows still fits."""
    return SUM_BITS - math.frexp(magnitude or 1.0)[1] - math.ceil(math.log2(rows + 1))


def _group(table: Any, facts: dict[str, Any], names: ColumnNames) -> pd.DataFrame:
    """One row for each unit, time, subgroup, entry and cluster, with exact sums."""
    import ibis

    rows = int(facts["rows"])
    scale = {column: float(facts[f"largest_{column}"]) for column in _numbers_of(names)} | {"1": 1.0}

    def total(*factors: str) -> Any:
        used = [factor for factor in factors if factor != "1"]
        product: Any = ibis.literal(1.0)
        for position, factor in enumerate(used):
            product = table[factor] if position == 0 else product * table[factor]
        k = _bits(math.prod(scale[factor] for factor in used), rows)
        return (product * 2.0**k).cast("decimal(38, 0)").sum().cast("float64") / 2.0**k

    weight = "w" if names.weights is not None else "1"
    x = ["1", *(f"x{i}" for i in range(1, 1 + len(names.covariates)))]
    asked: dict[str, Any] = {"n": table.count()}
    if names.weights is not None:
        asked |= {"sww": total("w", "w"), "least_w": table.w.min(), "largest_w": table.w.max()}
    asked["swyy"] = total(weight, "y", "y")
    for i, first in enumerate(x):
        asked[f"xy{i}"] = total(weight, first, "y")
        for j in range(i, len(x)):
            if (i, j) != (0, 0) or names.weights is not None:
                asked[f"xx{i}_{j}"] = total(weight, first, x[j])
        if i:
            asked[f"least_{first}"] = table[first].min()
            asked[f"largest_{first}"] = table[first].max()
    by = [column for column in ("u", "t", "s", "e", "c") if column in table.columns]
    found: pd.DataFrame = table.group_by(by).aggregate(**asked).to_pandas()
    return found


def _as_cells(grouped: pd.DataFrame, names: ColumnNames, panel: bool, dropped: pd.DataFrame) -> Cells:
    grouped = grouped.copy()
    entry = grouped["e"].to_numpy(dtype="float64", na_value=np.nan)
    grouped["e"] = np.where(np.isnan(entry) | (entry == 0), np.inf, entry)
    for name, part in (("e", "entry"), ("c", "cluster")):
        varying = int((grouped.groupby("u", observed=True)[name].nunique() > 1).sum()) if name in grouped else 0
        if varying:
            raise DidError(f"{getattr(names, part)}: the {part} varies within {varying} units: it belongs to the unit")
    unit, units = codes_of(grouped["u"], names.unit, "unit")
    times, time = np.unique(grouped["t"].to_numpy(dtype="float64"), return_inverse=True)
    subgroups, subgroup = pd.Index([None], dtype=object), np.zeros(len(grouped), dtype=np.int32)
    if names.subgroup is not None:
        subgroup, subgroups = codes_of(grouped["s"], names.subgroup, "subgroup")
    order = np.lexsort((subgroup, time, unit))
    grouped = grouped.iloc[order].reset_index(drop=True)
    unit, time, subgroup = unit[order], time[order], subgroup[order]
    # Missing and infinite entries (or 0) of one unit are groups of their own in the database, and one cell here.
    key = (unit.astype(np.intp) * len(times) + time) * len(subgroups) + subgroup
    start = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])

    def column(name: str) -> Any:
        return np.add.reduceat(grouped[name].to_numpy(dtype="float64"), start)

    count = np.add.reduceat(grouped["n"].to_numpy(dtype=np.intp), start)
    if panel and (count > 1).any():
        raise DidError(
            f"panel=True, but {int(count[count > 1].sum())} rows share their {names.unit} and {names.time} with "
            "another: leave one of each, or pass panel=False if units are groups of rows"
        )
    k = 1 + len(names.covariates)
    sxx, sxy = np.empty((len(start), k, k)), np.empty((len(start), k))
    for i in range(k):
        sxy[:, i] = column(f"xy{i}")
        for j in range(i, k):
            sxx[:, i, j] = sxx[:, j, i] = column(f"xx{i}_{j}") if f"xx{i}_{j}" in grouped else count
    entry_of_unit = np.empty(len(units))
    entry_of_unit[unit] = grouped["e"]
    cluster, clusters = np.arange(len(units), dtype=np.intp), units
    if names.cluster is not None and names.cluster != names.unit:
        code, clusters = codes_of(grouped["c"], names.cluster, "cluster")
        cluster[unit] = code
    return Cells(
        names=names,
        panel=panel,
        n_rows=int(count.sum()),
        units=units,
        times=np.asarray(times, dtype=np.float64),
        subgroups=subgroups,
        clusters=clusters,
        entry=entry_of_unit,
        cluster=cluster,
        unit=unit[start].astype(np.intp),
        time=time[start].astype(np.intp),
        subgroup=subgroup[start].astype(np.intp),
        n=count,
        sw=sxx[:, 0, 0].copy(),
        sww=column("sww") if names.weights else count.astype(np.float64),
        swy=sxy[:, 0].copy(),
        swyy=column("swyy"),
        sxx=sxx,
        sxy=sxy,
        constant_covariates=all(_same(grouped, f"x{i}", key) for i in range(1, k)),
        constant_weights=names.weights is None or _same(grouped, "w", unit),
        dropped=dropped,
    )


def _same(grouped: pd.DataFrame, column: str, code: Any) -> bool:
    """Whether a column takes one value within each code (sorted)."""
    first = np.flatnonzero(np.r_[True, code[1:] != code[:-1]])
    least = np.minimum.reduceat(grouped[f"least_{column}"].to_numpy(dtype="float64"), first)
    largest = np.maximum.reduceat(grouped[f"largest_{column}"].to_numpy(dtype="float64"), first)
    return bool((least == largest).all())
