"""Sufficient statistics of a linear mixed model: sums over rows, gathered in one pass, that add across parts.

With W = [X, outer Z, y] (the working columns): D_j = W'W of the rows of each group of the second level, and B = Z'W of
each group of the innermost. Luo et al. (2022), Nature Communications 13, 1678, share models between sites by such sums.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.multilevel.design import Design, Floats, Intake, Integers, Level
from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.segments import counting_sort, gram_runs, pack, run_pointers, sum_runs, unpack
from plneval.multilevel.units import Cells, Units, compress
from plneval.multilevel.working import Centre, Model, working_rows

DROPPED_COLUMNS = ["kind", "reason", "count", "first"]


@dataclass(frozen=True)
class Statistics:
    """Everything a nested model needs of its rows; add them with ``+``.

    Attributes
    ----------
    model
        Names of the columns, terms and levels.
    centre
        What was taken from the columns first; parts with other shifts are transformed when added.
    n, sum_log_weights
        Rows, and the sum of the logarithms of the prior weights (0 without weights).
    labels
        For each level the labels of its groups; ``None`` for an innermost level whose groups were forgotten.
    sizes
        Number of groups of each level.
    parents
        For each level from the second to the last but one: (groups,) the group of the next level.
    rows
        (J,) rows of each group of the second level (of all rows, if there is one level).
    cross
        (J, r(r+1)/2) packed upper triangles of D_j over the r working columns that outlive the innermost level.
    units, cells
        The innermost level: groups kept apart, and groups compressed. Each group is in one of them.
    dropped
        What was left out and why: columns ``kind``, ``reason``, ``count``, ``first``.
    """

    model: Model
    centre: Centre
    n: int
    sum_log_weights: float
    labels: tuple[pd.Index | None, ...]
    sizes: tuple[int, ...]
    parents: tuple[Integers, ...]
    rows: Integers
    cross: Floats
    units: Units
    cells: Cells
    dropped: pd.DataFrame

    def __add__(self, other: Statistics) -> Statistics:
        """Statistics of both parts' rows together.

        Groups with the same label are the same group. Raises ``MultilevelError`` if the parts are not of one model, or
        a group lies in two groups of the next level.
        """
        if not isinstance(other, Statistics):
            return NotImplemented
        return total([self, other])

    def compressed(self, *, force: bool = False) -> Statistics:
        """The same with innermost groups added up by parent and pattern, where that is worth it (or ``force``).

        The labels of the innermost groups are gone then: parts added later must not have rows of the same groups.
        """
        working = self.model.working
        cells = compress(self.units, working.random[0], working.kept, force=force)
        if cells is None or not len(self.units):
            return self
        empty = Units.none(*self.units.products.shape[1:])
        return replace(self, labels=(None, *self.labels[1:]), units=empty, cells=Cells.total([self.cells, cells]))

    def cross_products(self) -> pd.DataFrame:
        """Cross-products of all fixed-effects columns and the outcome, weighted, uncentred: names × names."""
        working = self.model.working
        change = self.centre.change_to(Centre(np.zeros_like(self.centre.shift), np.zeros(len(working.fixed))), working)
        kept = slice(working.kept)
        full = change[kept, kept].T @ unpack(self.cross.sum(axis=0), working.kept) @ change[kept, kept]
        places = np.append(working.fixed, working.outcome)
        names = [*(self.model.names[column] for column in self.model.fixed), self.model.outcome]
        return pd.DataFrame(full[np.ix_(places, places)], index=names, columns=names)

    def centred_as(self, centre: Centre) -> Statistics:
        """The same statistics with the columns centred by other constants."""
        working = self.model.working
        change = self.centre.change_to(centre, working)
        if np.array_equal(change, np.eye(len(change))):
            return replace(self, centre=centre)
        own = working.random[0]
        rows = change[np.ix_(own, own)]
        kept = slice(working.kept)
        cross = change[kept, kept].T @ unpack(self.cross, working.kept) @ change[kept, kept]
        return replace(
            self,
            centre=centre,
            cross=pack(cross),
            units=self.units.changed(rows, change),
            cells=self.cells.changed(rows, change[kept, kept]) if len(self.cells) else self.cells,
        )


def gather(intake: Intake, *, keep_units: bool = False) -> Statistics:
    """Gather the statistics of all designs of an intake.

    Parameters
    ----------
    intake
        Designs of one model; see the contract in ``docs/multilevel.md``.
    keep_units
        Keep the innermost groups apart and their labels, so that parts which share groups can be added.

    Raises
    ------
    MultilevelError
        No rows; a group in two groups of the next level; designs of different models.
    """
    gathered: Statistics | None
    if keep_units or intake.whole_units:
        parts = [part if keep_units else _forgetful(part).compressed() for part in _parts(intake)]
        gathered = total(parts) if parts else None
    else:
        gathered = _gather_and_forget(intake)
    if gathered is None:
        raise MultilevelError("no row can be used: " + _reasons(intake.dropped))
    return replace(gathered, dropped=intake.dropped)


def _parts(intake: Intake) -> Iterator[Statistics]:
    """Statistics of each design, all centred alike."""
    first: Statistics | None = None
    for design in intake:
        if not len(design.y):
            continue
        part = statistics_of(design, first.centre if first else None)
        if first is None:
            first = replace(part, units=part.units.without(), cross=part.cross[:0])
        first.model.check_same(part.model)
        yield part


def _gather_and_forget(intake: Intake) -> Statistics | None:
    """Gather designs that may share innermost groups, in memory that does not grow with these if rows are sorted.

    Groups that the next design has no rows of are taken to be complete and are added up. If one comes again after all,
    the pass is done anew with every group kept.
    """
    if not getattr(intake, "rereadable", True):
        parts = list(_parts(intake))
        return total(parts) if parts else None
    closed: list[Statistics] = []
    hashes: list[NDArray[np.uint64]] = []
    open_part: Statistics | None = None
    for part in _parts(intake):
        assert part.units.labels is not None
        now = part.units.labels
        joined = part if open_part is None else total([open_part, part])
        assert joined.units.labels is not None
        complete = ~joined.units.labels.isin(now)
        _add_closed(closed, _forgetful(replace(joined, units=joined.units.take(complete))).compressed())
        hashes.append(_hashes(joined.units.labels[complete]))
        open_part = _only_units(joined, joined.units.take(~complete))
    if open_part is None:
        return None
    closed.append(_forgetful(open_part).compressed())
    assert open_part.units.labels is not None
    hashes.append(_hashes(open_part.units.labels))
    every = np.concatenate(hashes)
    if len(np.unique(every)) == len(every):
        return total(closed)
    closed.clear()
    return total(list(_parts(intake)))


def _hashes(labels: pd.Index) -> NDArray[np.uint64]:
    """Numbers for labels of any kind; two labels with one number only cost a second pass."""
    return np.asarray(pd.util.hash_pandas_object(labels, index=False, categorize=False), dtype=np.uint64)


def _add_closed(closed: list[Statistics], part: Statistics) -> None:
    """Add a part so that each sum is larger than all after it: few sums stay, and each is added seldom."""
    closed.append(part)
    while len(closed) > 1 and len(closed[-2].cells) + len(closed[-2].units) <= len(closed[-1].cells) + len(
        closed[-1].units
    ):
        last = closed.pop()
        closed.append(total([closed.pop(), last]))


def _only_units(part: Statistics, units: Units) -> Statistics:
    """The units alone, as a part to be added to: rows and their cross-products are counted elsewhere."""
    return replace(
        part,
        n=0,
        sum_log_weights=0.0,
        rows=np.zeros_like(part.rows),
        cross=np.zeros_like(part.cross),
        units=units,
        labels=(units.labels, *part.labels[1:]),
        sizes=(len(units), *part.sizes[1:]),
    )


def _reasons(dropped: pd.DataFrame) -> str:
    if not len(dropped):
        return "the data have no rows"
    return "; ".join(f"{reason} ({count})" for reason, count in zip(dropped["reason"], dropped["count"], strict=True))


def _forgetful(part: Statistics) -> Statistics:
    return replace(part, labels=(None, *part.labels[1:]), units=replace(part.units, labels=None))


def statistics_of(design: Design, centre: Centre | None = None) -> Statistics:
    """Statistics of the rows of one design, the innermost groups kept apart."""
    if not design.nested:
        raise MultilevelError("the levels are not nested: groups that cross have no nested statistics")
    model = Model.of(design)
    working = model.working
    centre = centre or Centre.of(design, working)
    codes, labels = zip(*(_present(level) for level in design.levels), strict=True)
    sizes = tuple(len(label) for label in labels)
    parents = [_parents(codes[k], codes[k + 1], sizes[k], design.levels[k : k + 2]) for k in range(len(codes) - 1)]
    # Rows are sorted by unit, units by parent, so that the rows of a parent are one run.
    parent_of_unit = parents[0] if parents else np.zeros(sizes[0], dtype=np.intp)
    unit_order = counting_sort(parent_of_unit, sizes[1] if parents else 1)
    rank = np.empty(sizes[0], dtype=np.intp)
    rank[unit_order] = np.arange(sizes[0])
    unit = rank[codes[0]]
    order = None if (unit[1:] >= unit[:-1]).all() else counting_sort(unit, sizes[0])
    rows = working_rows(design, working, centre, order)
    parent_of_unit, first_labels = parent_of_unit[unit_order], labels[0].take(unit_order)
    pointers = run_pointers(unit, sizes[0])
    own = working.random[0]
    products = np.stack([sum_runs(rows, pointers, np.ascontiguousarray(rows[:, at])) for at in own], axis=1)
    rows_of_unit = np.diff(pointers)
    rows_of_parent = np.bincount(parent_of_unit, rows_of_unit, sizes[1] if parents else 1).astype(np.intp)
    weights = design.weights
    return Statistics(
        model=model,
        centre=centre,
        n=len(design.y),
        sum_log_weights=0.0 if weights is None else float(np.log(weights).sum()),
        labels=(first_labels, *labels[1:]),
        sizes=sizes,
        parents=tuple(parents[1:]),
        rows=rows_of_parent,
        cross=pack(gram_runs(rows[:, : working.kept], np.r_[0, np.cumsum(rows_of_parent)])),
        units=Units(parent_of_unit, products, first_labels),
        cells=Cells.none(len(own), working.kept),
        dropped=pd.DataFrame(columns=DROPPED_COLUMNS),
    )


def _present(level: Level) -> tuple[Integers, pd.Index]:
    """Codes and labels of the groups that have rows."""
    codes = np.asarray(level.codes, dtype=np.intp)
    here = np.bincount(codes, minlength=len(level.labels)) > 0
    if here.all():
        return codes, level.labels
    return (np.cumsum(here) - 1)[codes], level.labels[here]


def _parents(inner: Integers, outer: Integers, size: int, levels: tuple[Level, ...]) -> Integers:
    """(size,) the outer group of each inner group."""
    parent = np.empty(size, dtype=np.intp)
    parent[inner] = outer
    if (parent[inner] != outer).any():
        count = len(np.unique(inner[parent[inner] != outer]))
        raise MultilevelError(
            f"{count} groups of {levels[0].name} lie in several groups of {levels[1].name}: they are not nested"
        )
    return parent


def total(parts: list[Statistics]) -> Statistics:
    """The sum of several statistics, in one go; see :meth:`Statistics.__add__`. The list is emptied as it is used."""
    first = parts[0]
    if len(parts) == 1:
        return first
    for part in parts[1:]:
        first.model.check_same(part.model)
    for at, part in enumerate(parts):
        parts[at] = part.centred_as(first.centre)
    levels = len(first.sizes)
    labels: list[pd.Index | None] = [None]
    sizes: list[int] = []
    codes: list[list[Integers]] = [[]]
    for k in range(1, levels):
        known = [_known(part.labels[k]) for part in parts]
        every = pd.Index(pd.unique(known[0].append(known[1:])))
        labels.append(every)
        sizes.append(len(every))
        codes.append([every.get_indexer(label) for label in known])
    parents = tuple(
        _joined_parents([part.parents[k - 1] for part in parts], codes[k], codes[k + 1], first.model, k)
        for k in range(1, levels - 1)
    )
    size = sizes[0] if levels > 1 else 1
    of_part = codes[1] if levels > 1 else [np.zeros(1, dtype=np.intp)] * len(parts)
    cross, rows = np.zeros((size, first.cross.shape[1])), np.zeros(size, dtype=np.intp)
    for part, code in zip(parts, of_part, strict=True):
        cross[code] += part.cross
        rows[code] += part.rows
    all_units, all_cells, dropped = [], [], _joined_dropped([part.dropped for part in parts])
    n, log_weights = sum(part.n for part in parts), math.fsum(part.sum_log_weights for part in parts)
    for part, code in zip(parts, of_part, strict=True):
        all_units.append(replace(part.units, parent=code[part.units.parent]))
        all_cells.append(replace(part.cells, parent=code[part.cells.parent]))
    parts.clear()
    del part
    units, cells = Units.total(all_units), Cells.total(all_cells)
    labels[0] = units.labels if not len(cells) else None
    if units.labels is not None and len(cells):
        units = replace(units, labels=None)
    return Statistics(
        model=first.model,
        centre=first.centre,
        n=n,
        sum_log_weights=log_weights,
        labels=tuple(labels),
        sizes=(len(units) + int(cells.count.sum()), *sizes),
        parents=parents,
        rows=rows,
        cross=cross,
        units=units,
        cells=cells,
        dropped=dropped,
    )


def _known(labels: pd.Index | None) -> pd.Index:
    assert labels is not None
    return labels


def _joined_parents(
    parents: list[Integers], inner: list[Integers], outer: list[Integers], model: Model, level: int
) -> Integers:
    code = np.concatenate(inner)
    parent = np.concatenate([place[of] for place, of in zip(outer, parents, strict=True)])
    joined = np.empty(int(code.max()) + 1, dtype=np.intp)
    joined[code] = parent
    if (joined[code] != parent).any():
        count = len(np.unique(code[joined[code] != parent]))
        names = model.levels[level].name, model.levels[level + 1].name
        raise MultilevelError(
            f"{count} groups of {names[0]} lie in another group of {names[1]} in another part: they are not nested"
        )
    return joined


def _joined_dropped(tables: list[pd.DataFrame]) -> pd.DataFrame:
    tables = [table for table in tables if len(table)]
    if not tables:
        return pd.DataFrame(columns=DROPPED_COLUMNS)
    every = pd.concat(tables, ignore_index=True)
    grouped = every.groupby(["kind", "reason"], sort=False)
    joined = grouped.agg(count=("count", "sum"), first=("first", "first")).reset_index()
    return joined[DROPPED_COLUMNS]
