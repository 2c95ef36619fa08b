"""Data in a database, through Ibis: projection, missing values, categories and the census of groups run there.

Only the columns needed leave it, sorted by group, a batch at a time. All columns are in the sort, so that the order,
and with it every sum, is the same with any number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from plneval.multilevel.blocks import Block, Drops, Needs
from plneval.multilevel.design import Design
from plneval.multilevel.encoding import Columns
from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.expressions import gather_constants, poly_constants, pooled_calls
from plneval.multilevel.formula import ModelFormula
from plneval.multilevel.frame import (
    Table,
    check_sizes,
    design_of,
    design_rows,
    encoding_of,
    no_rows,
    note_nesting,
)
from plneval.multilevel.nesting import find_nesting


class DatabaseIntake:
    """Rows of an Ibis table. Designs hold whole groups of the innermost level."""

    whole_units = True

    def __init__(self, formula: ModelFormula, table: Any, weights: str | None) -> None:
        sample = Table(table.limit(0).to_pyarrow())
        sample.check(formula, weights)
        self.formula, self.drops = formula, Drops()
        self.needs = Needs.of(formula, weights, sample.column)
        # Floating NaN and NULL are one thing here, and an id that is NaN is missing.
        self.table = _nan_to_null(table.select(*self.needs.columns))
        self.complete = self._complete()
        levels = {text: self._levels(column, text) for text, column in self.needs.categories}
        self.encoding = encoding_of(formula, levels, self._constants())
        self.columns = Columns.of(formula, self.encoding)
        self.nesting = self._nesting()
        check_sizes(self.columns, self.nesting, formula)
        note_nesting(self.nesting, self.drops)

    @property
    def dropped(self) -> pd.DataFrame:
        """What was left out or is worth telling; rows of a database have no labels."""
        return self.drops.table()

    def _complete(self) -> Any:
        """The table without rows that cannot be used; they are counted."""
        table, needs = self.table, self.needs
        schema = table.schema()
        facts: dict[str, Any] = {"rows": table.count()}
        floats = [
            name
            for name in dict.fromkeys([*needs.numbers, *([needs.weights] if needs.weights else [])])
            if schema[name].is_floating()
        ]
        for at, name in enumerate(floats):
            facts[f"infinite{at}"] = table[name].isinf().sum()
        if needs.weights is not None:
            facts["negative"] = (table[needs.weights].cast("float64") < 0).sum()
        reasons = self._reasons()
        before: Any = None
        for at, (_, where) in enumerate(reasons):
            facts[f"dropped{at}"] = (where if before is None else where & ~before).sum()
            before = where if before is None else before | where
        row = {
            name: 0 if pd.isna(value) else int(value)
            for name, value in table.aggregate(**facts).to_pandas().iloc[0].items()
        }
        for at, name in enumerate(floats):
            if row[f"infinite{at}"]:
                raise MultilevelError(
                    f"{name}: infinite values in {row[f'infinite{at}']} rows: mend them or set them to missing"
                )
        if row.get("negative"):
            raise MultilevelError(
                f"{needs.weights}: negative weights in {row['negative']} rows: weights are finite and at least 0"
            )
        for at, (reason, _) in enumerate(reasons):
            if row[f"dropped{at}"]:
                self.drops.add("rows", reason, row[f"dropped{at}"])
        if row["rows"] == sum(row[f"dropped{at}"] for at in range(len(reasons))):
            raise MultilevelError("no row can be used: " + no_rows(self.dropped))
        return table.filter(~before) if any(row[f"dropped{at}"] for at in range(len(reasons))) else table

    def _reasons(self) -> list[tuple[str, Any]]:
        table, needs = self.table, self.needs
        reasons = []
        for name in needs.numbers:
            what = f"the outcome {name}" if name in self.formula.outcome.columns else name
            reasons.append((f"{what} is missing", table[name].isnull()))
        reasons += [(f"{name} is missing", table[name].isnull()) for _, name in needs.categories]
        reasons += [(f"the group {name} is missing", table[name].isnull()) for name in needs.groups]
        if needs.weights is not None:
            weight = table[needs.weights]
            reasons.append((f"the weight {needs.weights} is missing", weight.isnull()))
            reasons.append(("the weight is 0", (weight == 0).fill_null(False)))
        return reasons

    def _levels(self, column: str, text: str) -> tuple[Any, ...]:
        found = self.complete.select(column).distinct().to_pyarrow().column(0).to_pylist()
        try:
            return tuple(sorted(found))
        except TypeError:
            raise MultilevelError(f"{text}: the categories of {column} cannot be sorted") from None

    def _constants(self) -> dict[str, tuple[float, ...]]:
        """Constants from all rows that have the columns, read in sorted order."""
        constants: dict[str, tuple[float, ...]] = {}
        for factor in self.formula.factors:
            calls = pooled_calls(factor.text) if factor.kind == "number" else []
            if factor.kind == "poly":
                constants[factor.text] = poly_constants(
                    self._sorted(factor.columns)[factor.columns[0]], factor.degree, factor.text
                )
            elif calls:
                gather_constants(factor.text, self._sorted(factor.columns), constants)
        return constants

    def _sorted(self, columns: tuple[str, ...]) -> dict[str, Any]:
        found = self.table.select(*columns).order_by(list(columns)).to_pyarrow()
        return {name: np.asarray(found.column(name).cast("float64").to_numpy(), dtype=np.float64) for name in columns}

    def _nesting(self) -> Any:
        ids = Table(self.complete.select(*self.needs.groups).distinct().order_by(list(self.needs.groups)).to_pyarrow())
        needs = Needs((), (), self.needs.groups, None)
        block = Block.read(needs, ids.column, ids.labels)
        return find_nesting(self.formula.groupings, block.grouped(self.formula.groupings), block.groups)

    def __iter__(self) -> Iterator[Design]:
        import pyarrow as pa

        names = dict(self.needs.categories)
        for batch in self._whole_batches(pa):
            table = Table(batch)
            block = Block.read(self.needs, table.column, table.labels)
            for text, each in block.categories.items():
                block.categories[text] = each.recoded(self.encoding.levels[text], names[text])
            groups = block.grouped(self.formula.groupings)
            yield design_of(self.formula, self.encoding, self.columns, self.nesting, block, groups)

    def _whole_batches(self, pa: Any) -> Iterator[Any]:
        """Arrow tables of about a design's rows, cut between groups of the innermost level."""
        inner = self.formula.groupings[self.nesting.order[0]].columns
        outer = [
            name
            for at in reversed(self.nesting.order)
            for name in reversed(self.formula.groupings[at].columns)
            if self.nesting.nested
        ]
        order = list(dict.fromkeys([*outer, *inner, *self.complete.columns]))
        rows = design_rows(self.columns)
        held: list[Any] = []
        count = 0
        for batch in _batches(self.complete.order_by(order), max(1000, rows // 4)):
            held.append(pa.Table.from_batches([batch]))
            count += batch.num_rows
            if count >= rows:
                table = pa.concat_tables(held)
                cut = _last_start(table, inner)
                if cut:
                    yield table.slice(0, cut)
                held, count = [table.slice(cut)], table.num_rows - cut
        if count:
            yield pa.concat_tables(held)


def _batches(table: Any, rows: int) -> Iterator[Any]:
    """Record batches of a table expression.

    ibis 12 asks DuckDB for a method that DuckDB 2 has no more, so DuckDB is asked by the name it has now.
    """
    backend = table.get_backend()
    if backend.name == "duckdb":
        relation = backend.con.sql(backend.compile(table))
        if hasattr(relation, "to_arrow_reader"):
            return iter(relation.to_arrow_reader(rows))
    return iter(table.to_pyarrow_batches(chunk_size=rows))


def _last_start(table: Any, columns: tuple[str, ...]) -> int:
    """Where the last group of a sorted table begins (0 if there is one group only)."""
    import pyarrow.compute as pc

    same = np.ones(table.num_rows, dtype=bool)
    for name in columns:
        column = table.column(name)
        same &= pc.equal(column, column[-1]).to_numpy()
    different = np.flatnonzero(~same)
    return int(different[-1]) + 1 if len(different) else 0


def _nan_to_null(table: Any) -> Any:
    schema = table.schema()
    floats = {
        name: table[name].isnan().ifelse(None, table[name]) for name in table.columns if schema[name].is_floating()
    }
    return table.mutate(**floats) if floats else table
