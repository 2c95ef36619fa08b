"""Data that come in chunks: nothing but one chunk is held at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from plneval.multilevel.blocks import Block, Drops, Needs
from plneval.multilevel.census import Census
from plneval.multilevel.design import Design
from plneval.multilevel.encoding import Columns
from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.expressions import Moments, evaluate, pooled_calls
from plneval.multilevel.formula import ModelFormula
from plneval.multilevel.frame import (
    DESIGN_ROWS,
    Table,
    check_sizes,
    design_of,
    encoding_of,
    no_rows,
    note_nesting,
)
from plneval.multilevel.nesting import Nesting
from plneval.multilevel.reading import Categories

# Rows of a dataset read at a time; its own batches may be very small.
DATASET_ROWS = 400_000


def chunked_intake(
    formula: ModelFormula, data: Any, weights: str | None, *, keep_categories: bool = False
) -> ChunksIntake:
    """The intake of an iterable of chunks; what can be iterated anew is read twice, an iterator once."""
    if hasattr(data, "to_batches") and hasattr(data, "scanner"):
        columns = list(dict.fromkeys([*formula.columns, *([weights] if weights else [])]))
        formula.check_columns(data.schema.names)
        return ReadTwice(formula, lambda: _batches(data, columns), weights, keep_categories=keep_categories)
    first = iter(data)
    if first is data:
        return ReadOnce(formula, first, weights)
    return ReadTwice(formula, lambda: iter(data), weights, keep_categories=keep_categories)


def _batches(dataset: Any, columns: list[str]) -> Iterator[Any]:
    """Tables of at least ``DATASET_ROWS`` rows of an Arrow dataset, with little read ahead: memory stays bounded."""
    import pyarrow as pa

    held: list[Any] = []
    for batch in dataset.to_batches(columns=columns, batch_readahead=2, fragment_readahead=1):
        held.append(batch)
        if sum(len(each) for each in held) >= DATASET_ROWS:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)


class ChunksIntake:
    """What both ways share: chunks become blocks of complete rows, and blocks designs."""

    def __init__(self, formula: ModelFormula, weights: str | None) -> None:
        self.formula, self.weights = formula, weights
        self.needs: Needs | None = None
        self.drops, self.notes = Drops(), Drops()
        self.whole_units = False

    @property
    def dropped(self) -> pd.DataFrame:
        """What was left out or is worth telling; complete once iterated."""
        tables = [table for table in (self.drops.table(), self.notes.table()) if len(table)]
        return pd.concat(tables, ignore_index=True) if tables else self.drops.table()

    def __iter__(self) -> Iterator[Design]:
        raise NotImplementedError

    def blocks(self, chunks: Iterator[Any]) -> Iterator[Block]:
        """Read each chunk, cut to the size of a design."""
        for chunk in chunks:
            for table in _cut(chunk):
                table.check(self.formula, self.weights)
                needs = Needs.of(self.formula, self.weights, table.column)
                if self.needs is not None and needs != self.needs:
                    raise MultilevelError(
                        "a column is of numbers in one chunk and of categories in another: give every chunk the same "
                        "types"
                    )
                self.needs = needs
                yield Block.read(needs, table.column, table.labels)

    def lay_out(self, levels: dict[str, tuple[Any, ...]], constants: dict[str, tuple[float, ...]]) -> None:
        """Fix the columns for all chunks."""
        self.encoding = encoding_of(self.formula, levels, constants)
        self.columns = Columns.of(self.formula, self.encoding)

    def design(self, block: Block, nesting: Nesting) -> Design:
        """The design of complete rows."""
        assert self.needs is not None
        names = dict(self.needs.categories)
        for text, each in block.categories.items():
            block.categories[text] = each.recoded(self.encoding.levels[text], names[text])
        groups = block.grouped(self.formula.groupings)
        return design_of(self.formula, self.encoding, self.columns, nesting, block, groups)


class ReadTwice(ChunksIntake):
    """Chunks that can be iterated anew. The first pass finds categories, constants and how groups are nested."""

    def __init__(
        self,
        formula: ModelFormula,
        chunks: Callable[[], Iterator[Any]],
        weights: str | None,
        *,
        keep_categories: bool = False,
    ) -> None:
        super().__init__(formula, weights)
        self.chunks = chunks
        census, drops, rows = Census(formula), Drops(), 0
        moments = {call: (argument, Moments()) for call, argument in _pooled(formula)}
        found: dict[str, list[Categories]] = {}
        for block in self.blocks(chunks()):
            assert self.needs is not None
            for argument, each in moments.values():
                each.add(evaluate(argument, block.numbers, {}))
            block = block.complete(formula, self.needs, drops)
            rows += block.n
            census.add(block)
            for text, categories in block.categories.items():
                found.setdefault(text, []).append(_seen(categories))
        if not rows:
            raise MultilevelError("no row can be used: " + no_rows(drops.table()))
        levels = {text: _union(parts, text, keep_categories) for text, parts in found.items()}
        self.lay_out(levels, {call: each.constants(call) for call, (_, each) in moments.items()})
        self.nesting = census.nesting()
        self.whole_units = census.whole_units(self.nesting)
        check_sizes(self.columns, self.nesting, formula)
        note_nesting(self.nesting, self.notes)

    def __iter__(self) -> Iterator[Design]:
        self.drops = Drops()
        for block in self.blocks(self.chunks()):
            assert self.needs is not None
            block = block.complete(self.formula, self.needs, self.drops)
            if block.n:
                yield self.design(block, self.nesting)


class ReadOnce(ChunksIntake):
    """An iterator. What the first pass would find must be declared, or is checked at the end."""

    rereadable = False

    def __init__(self, formula: ModelFormula, chunks: Iterator[Any], weights: str | None) -> None:
        super().__init__(formula, weights)
        if calls := _pooled(formula):
            raise MultilevelError(
                f"{calls[0][0]} needs all rows before the first can be used, and the data are an iterator that can be "
                "read only once: give chunks that can be read again (a list, a dataset), or compute the column first"
            )
        blocks = self.blocks(chunks)
        held, nesting, levels = self._look_ahead(blocks)
        self.lay_out(levels, {})
        self.nesting = nesting
        check_sizes(self.columns, nesting, formula)
        self.rest: Iterator[Block] | None = chain(held, blocks)

    def _look_ahead(self, blocks: Iterator[Block]) -> tuple[list[Block], Nesting, dict[str, tuple[Any, ...]]]:
        """Hold blocks until the numbers of groups tell which lie within which."""
        held: list[Block] = []
        census, drops = Census(self.formula), Drops()
        nesting: Nesting | None = None
        levels: dict[str, tuple[Any, ...]] = {}
        for block in blocks:
            assert self.needs is not None
            held.append(block)
            for text, each in block.categories.items():
                levels.setdefault(text, self._declared(text, each))
            complete = block.complete(self.formula, self.needs, drops)
            if complete.n:
                census.add(complete)
            nesting = census.nesting()
            if 0 not in nesting.sizes and len(set(nesting.sizes)) == len(nesting.sizes):
                break
            if sum(each.n for each in held) >= DESIGN_ROWS:
                break
        if nesting is None or not nesting.sizes[0]:
            raise MultilevelError("no row can be used: " + no_rows(drops.table()))
        return held, nesting, levels

    def _declared(self, text: str, each: Categories) -> tuple[Any, ...]:
        factor = next(factor for factor in self.formula.factors if factor.text == text)
        if not each.declared and factor.levels is None:
            name = factor.columns[0]
            raise MultilevelError(
                f"{name}: the categories must be known before all rows are read, and the data are an iterator that can "
                f"be read only once: make {name} a pandas.Categorical with every category, write "
                f"C({name}, levels=[...]), or give chunks that can be read again (a list, a dataset)"
            )
        return each.levels

    def __iter__(self) -> Iterator[Design]:
        if self.rest is None:
            raise MultilevelError("the chunks are an iterator and have been read: give them anew")
        rest, self.rest = self.rest, None
        census = Census(self.formula)
        for block in rest:
            assert self.needs is not None
            block = block.complete(self.formula, self.needs, self.drops)
            if block.n:
                census.add(block)
                yield self.design(block, self.nesting)
        found = census.nesting()
        if found.nested != self.nesting.nested or (found.nested and not _same_order(found, self.nesting)):
            raise MultilevelError(
                "later chunks show other nesting of the groups than the first did ("
                + "; ".join(f"{note}: {count}" for note, count in found.notes)
                + "): give chunks that can be read again (a list, a dataset), or all rows at once"
            )
        note_nesting(found, self.notes)


def _same_order(found: Nesting, assumed: Nesting) -> bool:
    """Whether the order assumed is one that the final numbers of groups allow."""
    size = dict(zip(found.order, found.sizes, strict=True))
    sizes = [size[at] for at in assumed.order]
    return sizes == sorted(sizes, reverse=True)


def _pooled(formula: ModelFormula) -> list[tuple[str, str]]:
    """Calls whose constants need all rows; refused where one pass is not enough."""
    calls: dict[str, str] = {}
    for factor in formula.factors:
        if factor.kind == "poly":
            raise MultilevelError(f"{factor.text} needs all rows at once, and the data come in chunks: use I(x**2)")
        if factor.kind == "number":
            calls |= dict(pooled_calls(factor.text))
    for call, argument in calls.items():
        if pooled_calls(argument):
            raise MultilevelError(f"{call} is nested too deeply for data that come in chunks: compute it first")
    return list(calls.items())


def _seen(categories: Categories) -> Categories:
    """The levels declared and, without codes of rows, which of them occurred."""
    return Categories(np.unique(categories.codes), categories.levels, categories.declared)


def _union(parts: list[Categories], text: str, keep: bool) -> tuple[Any, ...]:
    """All levels: as declared if every part declares the same, else sorted."""
    used = {part.levels[code] for part in parts for code in part.codes}
    if all(part.declared and part.levels == parts[0].levels for part in parts):
        return tuple(level for level in parts[0].levels if keep or level in used)
    try:
        return tuple(sorted(used))
    except TypeError:
        raise MultilevelError(f"{text}: texts and numbers are mixed in one column of categories") from None


def _cut(chunk: Any) -> Iterator[Table]:
    """A chunk as tables of at most as many rows as a design has."""
    table = Table(chunk)
    if len(table) <= DESIGN_ROWS:
        yield table
        return
    for start in range(0, len(table), DESIGN_ROWS):
        if isinstance(chunk, pd.DataFrame):
            yield Table(chunk.iloc[start : start + DESIGN_ROWS])
        else:
            yield Table(chunk.slice(start, DESIGN_ROWS))
