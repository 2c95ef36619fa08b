"""Intake: rows of any source become designs, checked and with what was left out counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.multilevel.blocks import Block, Drops, Needs
from plneval.multilevel.design import Design, Intake, Level, Term
from plneval.multilevel.encoding import Columns, Encoding, Values, check_memory
from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.expressions import gather_constants, nearest, poly_constants
from plneval.multilevel.formula import ModelFormula, parse
from plneval.multilevel.nesting import Nesting, find_nesting
from plneval.multilevel.reading import Groups

DESIGN_ROWS = 1 << 20
"""Rows of one design, at most about."""

DESIGN_BYTES = 1 << 28
"""Bytes of one design's columns, at most about, where there are many columns."""


def intake(formula: str, data: Any, weights: Any = None, *, keep_categories: bool = False) -> Intake:
    """Read data for a formula; see "Contract" in ``docs/multilevel.md``.

    Parameters
    ----------
    formula
        lme4's formula language (:mod:`plneval.multilevel.formula`).
    data
        A pandas DataFrame; an Arrow table, record batch, reader or dataset; an Ibis table; or an iterable of chunks
        (DataFrames, Arrow tables or batches). An iterator that can be read only once needs its categories declared.
    weights
        The column of prior weights (for a DataFrame or an Arrow table an array will do), or ``None``.
    keep_categories
        Keep declared categories that no row has: for parts that are to be added.

    Raises
    ------
    MultilevelError
        The formula or the data cannot be used; the message says what was found and what to do.
    """
    parsed = parse(formula)
    if isinstance(data, Mapping):
        data = pd.DataFrame(data)
    if _module(data) == "ibis":
        from plneval.multilevel.pushdown import DatabaseIntake

        return DatabaseIntake(parsed, data, column_name(weights))
    if isinstance(data, pd.DataFrame) or (_module(data) == "pyarrow" and hasattr(data, "slice")):
        return RowsIntake(parsed, data, weights, keep_categories=keep_categories)
    if hasattr(data, "__iter__") or hasattr(data, "to_batches"):
        from plneval.multilevel.chunks import chunked_intake

        return chunked_intake(parsed, data, column_name(weights), keep_categories=keep_categories)
    raise MultilevelError(
        f"data is a {type(data).__name__}; give a pandas DataFrame, an Arrow table, an Ibis table or an iterable of "
        "chunks"
    )


def column_name(weights: Any) -> str | None:
    """The name of the column of weights, for sources where nothing else can be given."""
    if weights is None or isinstance(weights, str):
        return weights
    raise MultilevelError("weights: give the name of a column; an array needs a DataFrame or an Arrow table as data")


def _module(data: Any) -> str:
    return type(data).__module__.split(".")[0]


class Table:
    """Columns by name of a DataFrame, an Arrow table or a record batch."""

    def __init__(self, data: Any) -> None:
        if isinstance(data, pd.DataFrame):
            self.names = [name for name in data.columns if isinstance(name, str)]
            self.labels: Any = data.index
        elif _module(data) == "pyarrow" and hasattr(data, "schema") and hasattr(data, "column"):
            self.names = list(data.schema.names)
            self.labels = range(data.num_rows)
        else:
            raise MultilevelError(
                f"a chunk is a {type(data).__name__}; give DataFrames, Arrow tables or record batches"
            )
        self.data = data
        self.added: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self.labels)

    def add(self, name: str, values: Any) -> None:
        """Put an array beside the columns."""
        array = np.asarray(values)
        if array.shape != (len(self),):
            raise MultilevelError(f"{name}: an array of shape {array.shape} for {len(self)} rows")
        self.added[name] = pd.Series(array)

    def check(self, formula: ModelFormula, weights: str | None) -> None:
        """Raise ``MultilevelError`` unless every column needed is there, once."""
        formula.check_columns(self.names)
        if weights is not None and weights not in self.names and weights not in self.added:
            raise MultilevelError(f"weights: no column {weights!r} in the data.{nearest(weights, self.names)}")
        for name in formula.columns:
            if self.names.count(name) > 1:
                raise MultilevelError(f"the data have more than one column named {name!r}")

    def column(self, name: str) -> Any:
        """One column as the data hold it."""
        return self.added[name] if name in self.added else self.data[name]


class RowsIntake:
    """Rows held in memory. Designs hold whole groups of the innermost level."""

    whole_units = True

    def __init__(self, formula: ModelFormula, data: Any, weights: Any = None, *, keep_categories: bool = False) -> None:
        table = Table(data)
        name = weights
        if weights is not None and not isinstance(weights, str):
            name = "weights"
            while name in table.names:
                name += "_"
            table.add(name, weights)
        table.check(formula, name)
        self.formula, self.drops = formula, Drops()
        self.needs = Needs.of(formula, name, table.column)
        block = Block.read(self.needs, table.column, table.labels)
        constants = constants_of_rows(formula, block)
        self.block = block.complete(formula, self.needs, self.drops)
        if not self.block.n:
            raise MultilevelError("no row can be used: " + no_rows(self.dropped))
        levels = {
            text: each if keep_categories and each.declared else each.used()
            for text, each in self.block.categories.items()
        }
        self.encoding = encoding_of(formula, {text: each.levels for text, each in levels.items()}, constants)
        for text, each in self.block.categories.items():
            self.block.categories[text] = each.recoded(self.encoding.levels[text], dict(self.needs.categories)[text])
        self.columns = Columns.of(formula, self.encoding)
        self.groups = self.block.grouped(formula.groupings)
        self.nesting = find_nesting(formula.groupings, self.groups, self.block.groups)
        check_sizes(self.columns, self.nesting, formula)
        note_nesting(self.nesting, self.drops)

    @property
    def dropped(self) -> pd.DataFrame:
        """What was left out or is worth telling: columns ``kind``, ``reason``, ``count``, ``first``."""
        return self.drops.table()

    def __iter__(self) -> Iterator[Design]:
        for rows in self._partition():
            yield self.design(rows)

    def design(self, rows: NDArray[Any] | slice) -> Design:
        """The design of some of the complete rows."""
        whole = isinstance(rows, slice) and rows == slice(None)
        block = self.block if whole else self.block.take(rows)
        groups = self.groups if whole else [each.take(rows) for each in self.groups]
        return design_of(self.formula, self.encoding, self.columns, self.nesting, block, groups)

    def _partition(self) -> Iterator[NDArray[Any] | slice]:
        """Rows of each design: consecutive innermost groups, as many as make about one design."""
        at_most = design_rows(self.columns)
        if self.block.n <= at_most:
            yield slice(None)
            return
        inner = self.groups[self.nesting.order[0]]
        rows_until = np.cumsum(np.bincount(inner.codes, minlength=len(inner.labels)))
        part_of_group = (rows_until - 1) // at_most
        bounds = np.flatnonzero(np.diff(part_of_group, prepend=-1, append=part_of_group[-1] + 1))
        if (np.diff(inner.codes) >= 0).all():
            starts = np.searchsorted(inner.codes, bounds)
            for start, stop in pairwise(starts):
                if stop > start:
                    yield slice(int(start), int(stop))
            return
        for low, high in pairwise(bounds):
            rows = np.flatnonzero((inner.codes >= low) & (inner.codes < high))
            if len(rows):
                yield rows


def constants_of_rows(formula: ModelFormula, block: Block) -> dict[str, tuple[float, ...]]:
    """Constants of ``scale``, ``center`` and ``poly`` from all rows that have the column, as R computes them."""
    constants: dict[str, tuple[float, ...]] = {}
    for factor in formula.factors:
        if factor.kind == "poly":
            values = np.asarray(block.numbers[factor.columns[0]], dtype=np.float64)
            constants[factor.text] = poly_constants(values, factor.degree, factor.text)
        elif factor.kind == "number":
            gather_constants(factor.text, block.numbers, constants)
    return constants


def encoding_of(
    formula: ModelFormula, levels: Mapping[str, tuple[Any, ...]], constants: Mapping[str, tuple[float, ...]]
) -> Encoding:
    """The encoding, with the categories that the formula itself declares in place of those found."""
    declared = {factor.text: factor.levels for factor in formula.factors if factor.kind == "category"}
    return Encoding(
        tuple((text, declared.get(text) or found) for text, found in levels.items()), tuple(constants.items())
    )


def design_rows(columns: Columns) -> int:
    """How many rows a design may have."""
    return max(1000, min(DESIGN_ROWS, DESIGN_BYTES // (8 * (len(columns.names) + 1))))


def check_sizes(columns: Columns, nesting: Nesting, formula: ModelFormula) -> None:
    """Refuse models whose cross-products within groups would not fit in memory."""
    if not nesting.nested:
        return
    innermost = formula.groupings[nesting.order[0]].name
    outer = {
        at
        for term, places in zip(formula.random, columns.random, strict=True)
        if term.grouping.name != innermost
        for at in places
    }
    groups = nesting.sizes[1] if len(nesting.sizes) > 1 else 1
    check_memory(len(outer | set(columns.fixed)) + 1, groups)


def note_nesting(nesting: Nesting, drops: Drops) -> None:
    """Write what the nesting found into the list of what is worth telling."""
    for note, count in nesting.notes:
        drops.add("groups", note, count)


def design_of(
    formula: ModelFormula,
    encoding: Encoding,
    columns: Columns,
    nesting: Nesting,
    block: Block,
    groups: Sequence[Groups],
) -> Design:
    """The design of complete rows whose categories have the encoding's levels."""
    y, arrays = columns.compute(formula, encoding, Values(block.n, block.numbers, block.categories))
    levels = []
    for at in nesting.order:
        grouping = formula.groupings[at]
        terms = tuple(
            Term(places, term.position)
            for term, places in zip(formula.random, columns.random, strict=True)
            if term.grouping.name == grouping.name
        )
        levels.append(Level(grouping.name, groups[at].codes, groups[at].labels, terms))
    return Design(
        formula=formula.text,
        outcome=formula.outcome.text,
        y=y,
        names=columns.names,
        columns=arrays,
        fixed=columns.fixed,
        intercept=columns.intercept,
        levels=tuple(levels),
        weights=block.weights,
        nested=nesting.nested,
        encoding=encoding,
    )


def no_rows(dropped: pd.DataFrame) -> str:
    """Why no row is left."""
    rows = dropped[dropped["kind"] == "rows"]
    if not len(rows):
        return "the data have no rows"
    return "; ".join(f"{reason} in {count} rows" for reason, count in zip(rows["reason"], rows["count"], strict=True))
