"""Treatments that switch on and off: the path of each unit, its first switch, and what cannot be known about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.did.cells import Cells, as_cells, dropped_table
from plneval.did.columns import Floats, Integers, available_columns, codes_of, numbers, read_columns
from plneval.did.errors import DidError, name_rows

Mask = NDArray[np.bool_]

# Name of the column that stands for an entry, which treatments that switch do not have.
NO_ENTRY = "plneval.did: no entry"
# Relative spread of a treatment within a cell that counts as rounding.
ROUNDING = 1e-9


@dataclass(frozen=True)
class TreatmentData:
    """What was read (U units, T periods, K controls), as in :class:`TreatmentPaths`; all outcomes and treatments."""

    cells: Cells
    times: Floats
    outcome: Floats
    weight: Floats
    controls: Floats
    treatment: Floats


@dataclass(frozen=True)
class TreatmentPaths:
    """Outcomes, weights and treatments by unit and period. U units, T periods, K controls.

    Attributes
    ----------
    cells
        The cells behind ``outcome`` (labels of units and clusters, names, the weights).
    times
        (T,) periods in which some unit's treatment is known.
    outcome, weight
        (U, T) cell means and Σw; NaN and 0 where nothing can be used.
    controls
        (U, T, K) cell means of the controls.
    treatment
        (U, T); NaN where unknown.
    first
        (U,) treatment in the first period it is known.
    switch
        (U,) position of the first period with another treatment; T for units that never switch, or whose first switch
        falls in a gap.
    stratum
        (U,) units are compared within strata: by their first treatment, or finer.
    dropped
        What was not used and why.
    """

    cells: Cells
    times: Floats
    outcome: Floats
    weight: Floats
    controls: Floats
    treatment: Floats
    first: Floats
    switch: Integers
    stratum: Floats
    dropped: pd.DataFrame

    @property
    def to(self) -> Floats:
        """(U,) treatment at the first switch; NaN for units without one."""
        n_times = self.treatment.shape[1]
        value = self.treatment[np.arange(len(self.switch)), np.minimum(self.switch, n_times - 1)]
        return np.where(self.switch < n_times, value, np.nan)


def read_treatment(
    data: Any,
    outcome: str | None,
    time: str | None,
    unit: str | None,
    treatment: str | None,
    controls: Sequence[str] | None,
    weights: str | None,
    cluster: str | None,
    panel: bool | None,
) -> TreatmentData:
    """Collapse the data, and read the treatment also of rows whose outcome is missing.

    Raises
    ------
    DidError
        As :func:`plneval.did.cells.cells`; a treatment that is no number, infinite, or varies within a unit and period.
    """
    if treatment is None:
        raise DidError("name the column of the treatment")
    listed = [controls] if isinstance(controls, str) else list(controls or ())
    if treatment in listed:
        raise DidError(f"controls: the treatment {treatment!r} cannot be a control")
    wanted = [treatment, *listed]
    if isinstance(data, Cells):
        cells = as_cells(data, outcome, time, unit, None, wanted, weights, cluster, panel=panel)
        path = None
    else:
        frame = _with_no_entry(data, [outcome, time, unit, *wanted, weights, cluster])
        cells = as_cells(
            frame, outcome, time, unit, NO_ENTRY, wanted, weights, cluster, panel=False if panel is None else panel
        )
        in_memory = isinstance(frame, pd.DataFrame)
        path = (path_of_rows if in_memory else path_in_database)(frame, str(time), str(unit), treatment)
    _check_constant(cells, treatment)
    times = cells.times if path is None else np.union1d(cells.times, path["time"].to_numpy(dtype=np.float64))
    shape = (len(cells.units), len(times))
    at = (cells.unit, np.searchsorted(times, cells.times)[cells.time])
    mean = cells.covariate_mean
    values = np.full(shape, np.nan)
    values[at] = _snapped(mean[:, 1])
    if path is not None:
        known = path[path["unit"].isin(cells.units)]
        where = (cells.units.get_indexer(pd.Index(known["unit"])), np.searchsorted(times, known["time"].to_numpy()))
        values[where] = known["treatment"].to_numpy()
    y, weight, x = np.full(shape, np.nan), np.zeros(shape), np.full((*shape, len(listed)), np.nan)
    y[at], weight[at], x[at] = cells.mean, cells.sw, mean[:, 2:]
    return TreatmentData(cells, times, y, weight, x, values)


def _with_no_entry(data: Any, named: Sequence[str | None]) -> Any:
    """The named columns, and one that says that no unit has an entry."""
    used = list(dict.fromkeys(name for name in named if name is not None))
    if type(data).__module__.split(".")[0] == "ibis":
        import ibis

        return data.mutate(**{NO_ENTRY: ibis.literal(0)})
    available = available_columns(data)
    missing = [name for name in used if name not in available]
    if missing:
        raise DidError(
            f"no column {', '.join(map(repr, missing))} in the data; it has {', '.join(map(repr, available[:30]))}"
        )
    return read_columns(data, used)[used].assign(**{NO_ENTRY: np.inf})


def path_of_rows(frame: pd.DataFrame, time: str, unit: str, treatment: str) -> pd.DataFrame:
    """The treatment of each unit and period, from all rows in which it is known, also where the outcome is missing."""
    value = numbers(frame, treatment, "treatment")
    if np.isinf(value).any():
        rows = frame.index[np.flatnonzero(np.isinf(value))]
        raise DidError(f"{treatment}: infinite values in {name_rows(rows)}: mend them or set them to missing")
    when = numbers(frame, time, "time")
    code, units = codes_of(frame[unit], unit, "unit")
    known = np.isfinite(value) & np.isfinite(when) & (code >= 0)
    times, period = np.unique(when[known], return_inverse=True)
    key = code[known].astype(np.intp) * len(times) + period.reshape(-1)
    found, first, cell = np.unique(key, return_index=True, return_inverse=True)
    cell = cell.reshape(-1)
    level = value[known][first]
    differs = value[known] != level[cell]
    if differs.any():
        which = cell[np.flatnonzero(differs)[0]]
        rows = frame.index[known][np.flatnonzero(cell == which)]
        other = np.flatnonzero(value[known][cell == which] != level[which])[0]
        raise DidError(
            f"{treatment}: the treatment varies within a {unit} and {time}, first in "
            f"{name_rows([rows[0], rows[other]])}: it belongs to the unit; name the unit that is treated"
        )
    return pd.DataFrame({"unit": units[found // len(times)], "time": times[found % len(times)], "treatment": level})


def path_in_database(table: Any, time: str, unit: str, treatment: str) -> pd.DataFrame:
    """The same from an Ibis table; a treatment that varies is found by the two values."""
    known = table.filter(table[treatment].notnull(), table[time].notnull(), table[unit].notnull())
    pairs = known.group_by([unit, time]).aggregate(low=known[treatment].min(), high=known[treatment].max())
    found = pairs.order_by([unit, time]).to_pandas()
    low, high = numbers(found, "low", "treatment"), numbers(found, "high", "treatment")
    if (low != high).any():
        raise DidError(
            f"{treatment}: the treatment varies within {int(np.sum(low != high))} pairs of {unit} and {time}: it "
            "belongs to the unit; name the unit that is treated"
        )
    return pd.DataFrame({"unit": found[unit], "time": numbers(found, time, "time"), "treatment": low})


def _check_constant(cells: Cells, treatment: str) -> None:
    """Refuse cells in which the treatment varies (where there are rows, they have been named before)."""
    mean = cells.covariate_mean[:, 1]
    square = cells.sxx[:, 1, 1] / cells.sw
    varies = square - mean**2 > ROUNDING * np.maximum(square, 1e-300)
    if varies.any():
        c = int(np.flatnonzero(varies)[0])
        raise DidError(
            f"{treatment}: the treatment varies within {int(varies.sum())} pairs of {cells.names.unit} and "
            f"{cells.names.time}, one of them at {cells.times[cells.time[c]]:g}: it belongs to the unit; name the unit "
            "that is treated"
        )


def _snapped(values: Floats) -> Floats:
    """Means of equal numbers differ from them in the last digits: give numbers that close the same value."""
    order = np.unique(values)
    apart = np.diff(order) > ROUNDING * np.maximum(np.abs(order[1:]), 1.0)
    level = np.r_[0, np.cumsum(apart)][np.searchsorted(order, values)] if len(order) else np.zeros(0, dtype=np.intp)
    representative = np.round(order[np.r_[True, apart]], 12)
    return np.asarray(representative[level], dtype=np.float64)


def follow(
    data: TreatmentData, treatment: str, stratum: Floats | None = None, first_seen: bool = True
) -> TreatmentPaths:
    """Find each unit's first treatment and first switch, and take out what cannot be used.

    Gaps are treated as DIDmultiplegtDYN does. The first treatment is that of the first period a unit is seen in. If
    the period before the first switch is missing, the switch cannot be dated: the unit is no switcher, and compared
    with only until the gap. A treatment missing after the switch is taken for the one at the switch. A unit that
    switches above its first treatment and later below it (or the reverse) is used until then.

    Units are compared within ``stratum`` (U,), by default their first treatment. ``first_seen`` says whether units
    first seen after the first period are listed.

    Raises
    ------
    DidError
        No switch at all.
    """
    cells, values = data.cells, data.treatment
    y, weight = data.outcome, data.weight
    n_units, n_times = values.shape
    known = ~np.isnan(values)
    start = np.argmax(known, axis=1)
    first = values[np.arange(n_units), start]
    with np.errstate(invalid="ignore"):
        above, below = values > first[:, None], values < first[:, None]
    crossed = np.maximum.accumulate(above, axis=1) & np.maximum.accumulate(below, axis=1)
    has_crossed = np.asarray(crossed.any(axis=1), dtype=bool)
    entries: list[tuple[str, str, int, Sequence[Any]]] = []
    _list(entries, cells, "units", "treatment both above and below the first one: not used from then on", has_crossed)
    usable = ~crossed & known
    values = np.where(crossed, np.nan, values)
    changed = usable & (above | below)
    switch = np.where(changed.any(axis=1), np.argmax(changed, axis=1), n_times).astype(np.intp)
    if not (switch < n_times).any():
        raise DidError(f"{treatment}: no unit's treatment changes: there is nothing to estimate")
    position = np.arange(n_times)
    before = usable & (position < switch[:, None])
    last = n_times - 1 - np.argmax(before[:, ::-1], axis=1)
    unknown = (switch < n_times) & (last < switch - 1)
    _list(
        entries,
        cells,
        "units",
        "not seen in the period before the first switch, which cannot be dated: no switchers, compared with until then",
        unknown,
    )
    _list(
        entries,
        cells,
        "assumptions",
        "first seen after the first period: taken to have had that treatment before",
        (start > 0) & first_seen,
    )
    usable &= ~(unknown[:, None] & (position > last[:, None]))
    switch = np.where(unknown, n_times, switch)
    at_switch = values[np.arange(n_units), np.minimum(switch, n_times - 1)]
    after = (position > switch[:, None]) & np.isnan(values) & ~crossed
    values = np.where(after, at_switch[:, None], values)
    y, weight = np.where(usable, y, np.nan), np.where(usable & ~np.isnan(y), weight, 0.0)
    table = pd.concat([cells.dropped, dropped_table(entries)], ignore_index=True) if entries else cells.dropped
    return TreatmentPaths(
        cells=cells,
        times=data.times,
        outcome=y,
        weight=weight,
        controls=data.controls,
        treatment=values,
        first=first,
        switch=switch,
        stratum=first if stratum is None else stratum,
        dropped=table,
    )


def _list(
    entries: list[tuple[str, str, int, Sequence[Any]]], cells: Cells, kind: str, reason: str, which: Mask
) -> None:
    found = np.flatnonzero(which)
    if len(found):
        entries.append((kind, reason, len(found), list(cells.units[found[:5]])))
