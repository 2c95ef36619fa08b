"""The collapse: rows to unit × time (× subgroup) cells that hold everything the estimators need, in one pass.

Treatment belongs to the unit, so every estimator of this package is a function of the cells' counts, weighted sums
and cross-products, exactly; the cost of a fit does not grow with the number of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.did.columns import ColumnNames, Floats, Integers, available_columns, column_names
from plneval.did.errors import DidError

DROPPED_COLUMNS = ["kind", "reason", "count", "first"]


def dropped_table(entries: Sequence[tuple[str, str, int, Sequence[Any]]] = ()) -> pd.DataFrame:
    """The list of what was not used: one row for each kind of thing and reason.

    Columns: ``kind`` (``rows``, ``units`` or ``group-times``), ``reason``, ``count``, and ``first``, a tuple of the
    labels of the first few of them (row labels of the data; unit labels; group and time).
    """
    return pd.DataFrame([(*entry[:3], tuple(entry[3])) for entry in entries], columns=DROPPED_COLUMNS)


@dataclass(frozen=True)
class Cells:
    """Rows collapsed to cells, sorted by unit, time and subgroup. U units, T times, C cells, K = 1 + covariates.

    With x = [1, covariates] of a row, w its weight (1 without weights) and y its outcome, every sum below runs over
    the rows of a cell. Only cells that hold rows exist.

    Attributes
    ----------
    names
        The columns the cells were made from.
    panel
        Whether a unit is the thing observed, at most one row a time (True), or a group of rows (False).
    n_rows
        Rows in the cells: the N of small-sample factors.
    units, times, subgroups, clusters
        The labels behind the codes, each sorted: (U,), (T,) float64, (S,), (G,). Without a subgroup or a cluster
        column, ``subgroups`` is ``[None]`` and ``clusters`` is ``units``.
    entry
        (U,) float64: the first treated period of each unit; ``inf`` for never.
    cluster
        (U,) codes into ``clusters``.
    unit, time, subgroup
        (C,) codes into ``units``, ``times``, ``subgroups``.
    n
        (C,) number of rows.
    sw, sww, swy, swyy
        (C,) Σw, Σw², Σwy, Σwy².
    sxx, sxy
        (C, K, K) and (C, K): Σwxx' and Σwxy. ``sxx[:, 0, 0]`` is ``sw``, ``sxy[:, 0]`` is ``swy``, and
        ``sxx[:, 0, 1:]`` is Σw·covariates.
    constant_covariates
        Whether the covariates are the same for all rows of every cell (then cells stand for rows in full).
    constant_weights
        Whether the weights are the same for all rows of a unit, whatever the time.
    dropped
        What was left out and why: see :func:`dropped_table`.
    rows_are_units
        Whether every row was a unit of its own and the units here are pairs of a cluster and an entry, which is all
        that group-time effects of cross-sections need; then units are counted in rows. Never so from ``cells()``.
    """

    names: ColumnNames
    panel: bool
    n_rows: int
    units: pd.Index
    times: Floats
    subgroups: pd.Index
    clusters: pd.Index
    entry: Floats
    cluster: Integers
    unit: Integers
    time: Integers
    subgroup: Integers
    n: Integers
    sw: Floats
    sww: Floats
    swy: Floats
    swyy: Floats
    sxx: Floats
    sxy: Floats
    constant_covariates: bool
    constant_weights: bool
    dropped: pd.DataFrame
    rows_are_units: bool = False

    @property
    def covariates(self) -> tuple[str, ...]:
        """Names of the covariates, in the order of the cross-products after the constant."""
        return self.names.covariates

    @property
    def mean(self) -> Floats:
        """(C,) weighted mean outcome of each cell."""
        return self.swy / self.sw

    @property
    def covariate_mean(self) -> Floats:
        """(C, K) weighted mean of [1, covariates] of each cell."""
        return np.asarray(self.sxx[:, 0, :] / self.sw[:, None])

    @property
    def single_rows(self) -> bool:
        """Whether no two rows share a cell."""
        return bool((self.n == 1).all())

    def take(self, keep: NDArray[np.bool_]) -> Cells:
        """The cells where ``keep`` (C,) is true; units, times, clusters and their codes stay as they are."""
        per_cell = ("unit", "time", "subgroup", "n", "sw", "sww", "swy", "swyy", "sxx", "sxy")
        kept = {name: getattr(self, name)[keep] for name in per_cell}
        return replace(self, n_rows=int(kept["n"].sum()), **kept)

    def pooled(self) -> Cells:
        """The cells summed over subgroups: one cell for each unit and time."""
        if len(self.subgroups) == 1:
            return self
        key = self.unit * len(self.times) + self.time
        first = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
        sums: dict[str, Any] = {
            name: np.add.reduceat(getattr(self, name), first) for name in ("n", "sw", "sww", "swy", "swyy")
        }
        covariate_mean = self.covariate_mean
        same = covariate_mean == np.repeat(covariate_mean[first], np.diff(np.r_[first, len(key)]), axis=0)
        return replace(
            self,
            names=replace(self.names, subgroup=None),
            subgroups=pd.Index([None], dtype=object),
            unit=self.unit[first],
            time=self.time[first],
            subgroup=np.zeros(len(first), dtype=np.intp),
            sxx=np.add.reduceat(self.sxx, first, axis=0),
            sxy=np.add.reduceat(self.sxy, first, axis=0),
            constant_covariates=self.constant_covariates and bool(same.all()),
            **sums,
        )

    def select(self, covariates: Sequence[str]) -> Cells:
        """The same cells with the cross-products of these covariates only, in this order.

        Raises
        ------
        DidError
            A covariate that the collapse did not gather.
        """
        unknown = [name for name in covariates if name not in self.covariates]
        if unknown:
            raise DidError(
                f"the cells hold no cross-products of {', '.join(map(repr, unknown))} (they hold "
                f"{list(self.covariates)}): name them in cells(..., covariates=[...])"
            )
        if tuple(covariates) == self.covariates:
            return self
        order = [0, *(1 + self.covariates.index(name) for name in covariates)]
        return replace(
            self,
            names=replace(self.names, covariates=tuple(covariates)),
            sxx=np.ascontiguousarray(self.sxx[:, order][:, :, order]),
            sxy=np.ascontiguousarray(self.sxy[:, order]),
            constant_covariates=self.constant_covariates or not covariates,
        )


def cells(
    data: Any,
    outcome: str,
    time: str,
    unit: str,
    entry: str,
    covariates: Sequence[str] | None = None,
    weights: str | None = None,
    cluster: str | None = None,
    subgroup: str | None = None,
    panel: bool = True,
    missing_entry: str = "error",
) -> Cells:
    """Collapse rows to unit × time (× subgroup) cells in one pass.

    Parameters
    ----------
    data
        A pandas DataFrame, an Arrow table, or an Ibis table, for which the collapse runs in the database (sums in
        fixed point: the same bits with any number of threads).
    outcome, time, unit, entry
        Columns: the outcome; the period as a number; who or what is treated; the first treated period of the unit,
        where 0 and infinity (and missing, with ``missing_entry="never"``) mean never.
    covariates
        Numeric columns whose cross-products are gathered.
    weights
        Column of non-negative sampling weights; 1 for each row without it.
    cluster
        Column with groups of units whose outcomes depend on one another; each unit by itself without it.
    subgroup
        Column that splits the cells further.
    panel
        True: each unit is seen at most once a time (× subgroup). False: units are groups of rows.
    missing_entry
        ``"error"``: a missing entry is an error; ``"never"``: it means never treated.

    Returns
    -------
    Cells
        Rows whose outcome or a covariate is missing, or whose weight is 0, are in ``dropped``.

    Raises
    ------
    DidError
        Columns that do not exist or are of the wrong type; missing units, times, weights, clusters or entries; an
        entry or a cluster that varies within a unit; negative or infinite weights; infinite values; with
        ``panel=True``, two rows of a unit at one time. The message names the rows (by label) and the remedy.
    """
    check_missing_entry(missing_entry)
    if isinstance(data, Cells):
        raise DidError("data are cells already: pass them to an estimator")
    if _is_ibis(data):
        from plneval.did.pushdown import collapse_in_database

        names = column_names(outcome, time, unit, entry, covariates, weights, cluster, subgroup, list(data.columns))
        return collapse_in_database(data, names, panel=panel, missing_entry=missing_entry)
    from plneval.did.collapse import collapse_rows

    available = available_columns(data)
    names = column_names(outcome, time, unit, entry, covariates, weights, cluster, subgroup, available)
    return collapse_rows(data, names, panel=panel, missing_entry=missing_entry)[0]


def check_missing_entry(missing_entry: str) -> None:
    """Raise ``DidError`` unless it is ``"error"`` or ``"never"``."""
    if missing_entry not in ("error", "never"):
        raise DidError(f"missing_entry is {missing_entry!r}; it can be 'error' or 'never'")


def _is_ibis(data: Any) -> bool:
    return type(data).__module__.split(".")[0] == "ibis"


def as_cells(
    data: Any,
    outcome: str | None = None,
    time: str | None = None,
    unit: str | None = None,
    entry: str | None = None,
    covariates: Sequence[str] | None = None,
    weights: str | None = None,
    cluster: str | None = None,
    subgroup: str | None = None,
    panel: bool | None = None,
    missing_entry: str = "error",
) -> Cells:
    """The cells an estimator works on: ``data`` itself where it is cells already, its collapse otherwise.

    Every estimator starts here. Given cells, the columns named must be the ones they were made from (leave them out,
    or name the same), covariates a subset of theirs; cells split by subgroup are pooled unless ``subgroup`` is named.
    ``panel=None`` means as the cells are, and a panel for rows.

    Raises
    ------
    DidError
        As :func:`cells`; names that differ from the ones the cells were made from; a column missing for rows.
    """
    if not isinstance(data, Cells):
        given = {"outcome": outcome, "time": time, "unit": unit, "entry": entry}
        absent = [part for part, name in given.items() if name is None]
        if absent:
            raise DidError(f"name the column of {', '.join(absent)}")
        return cells(
            data,
            str(outcome),
            str(time),
            str(unit),
            str(entry),
            covariates=covariates,
            weights=weights,
            cluster=cluster,
            subgroup=subgroup,
            panel=True if panel is None else panel,
            missing_entry=missing_entry,
        )
    named = {"outcome": outcome, "time": time, "unit": unit, "entry": entry, "weights": weights, "cluster": cluster}
    for part, name in named.items():
        made_from = getattr(data.names, part)
        by_unit = part == "cluster" and name == data.names.unit and made_from is None
        if name is not None and name != made_from and not by_unit:
            raise DidError(
                f"{part}={name!r}, but the cells were made "
                + (f"with {part}={made_from!r}" if made_from else f"without {part}")
                + f": collapse again with cells(..., {part}={name!r})"
            )
    if panel is not None and panel != data.panel:
        raise DidError(f"panel={panel}, but the cells were made with panel={data.panel}: collapse again")
    if subgroup is not None and subgroup != data.names.subgroup:
        raise DidError(
            f"the cells were not split by {subgroup!r}: collapse again with cells(..., subgroup={subgroup!r})"
        )
    found = data if subgroup is not None else data.pooled()
    if found.panel and not found.single_rows:
        raise DidError(
            "panel=True, but units have several rows at one time (subgroups): name subgroup=..., or collapse one "
            "subgroup only"
        )
    return found.select([covariates] if isinstance(covariates, str) else list(covariates or ()))
