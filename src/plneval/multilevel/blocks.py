"""Rows read once: the columns a formula needs, checked, and without rows that cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.formula import Grouping, ModelFormula
from plneval.multilevel.reading import (
    Categories,
    Groups,
    Numbers,
    combine,
    holds_numbers,
    read_categories,
    read_groups,
    read_numbers,
)

DROPPED_COLUMNS = ["kind", "reason", "count", "first"]
LABELS_SHOWN = 5


@dataclass
class Drops:
    """What was left out, or is worth telling, and why; counts of one reason add up."""

    entries: dict[tuple[str, str], tuple[int, tuple[Any, ...]]] = field(default_factory=dict)

    def add(self, kind: str, reason: str, count: int, first: Sequence[Any] = ()) -> None:
        """Count so many more; ``first`` are labels of the first of them."""
        before, labels = self.entries.get((kind, reason), (0, ()))
        self.entries[kind, reason] = (before + count, (*labels, *first)[:LABELS_SHOWN])

    def table(self) -> pd.DataFrame:
        """Columns ``kind`` (``rows``, ``groups``), ``reason``, ``count``, ``first``."""
        rows = [(*key, *entry) for key, entry in self.entries.items()]
        return pd.DataFrame(rows, columns=DROPPED_COLUMNS)


@dataclass(frozen=True)
class Needs:
    """What is read of the data.

    Attributes
    ----------
    numbers
        Columns read as numbers.
    categories
        Factors read as categories, each with its column.
    groups
        Columns of ids.
    weights
        The column of prior weights.
    """

    numbers: tuple[str, ...]
    categories: tuple[tuple[str, str], ...]
    groups: tuple[str, ...]
    weights: str | None

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column, once."""
        named = [*self.numbers, *(column for _, column in self.categories), *self.groups]
        return tuple(dict.fromkeys([*named, *([self.weights] if self.weights is not None else [])]))

    @classmethod
    def of(cls, formula: ModelFormula, weights: str | None, column: Callable[[str], Any]) -> Needs:
        """Decide from the columns' types which are numbers and which are categories.

        Raises
        ------
        MultilevelError
            A column of another type than the formula asks for.
        """
        numbers: dict[str, None] = {}
        categories: dict[str, str] = {}
        for factor in formula.factors:
            name = factor.columns[0]
            may_be_category = factor.kind == "column" and factor is not formula.outcome
            if factor.kind in ("category", "dummy") or (may_be_category and not holds_numbers(column(name), name)):
                categories[factor.text] = name
            else:
                numbers |= dict.fromkeys(factor.columns)
        for name in [*numbers, *([weights] if weights is not None else [])]:
            if not holds_numbers(column(name), name):
                part = "the outcome" if name in formula.outcome.columns else name
                raise MultilevelError(f"{name}: {part} must be numbers, and the column holds categories or texts")
        groups = dict.fromkeys(name for grouping in formula.groupings for name in grouping.columns)
        return cls(tuple(numbers), tuple(categories.items()), tuple(groups), weights)


@dataclass(frozen=True)
class Block:
    """Some rows: numbers by column, categories by factor, groups by column, weights, and the rows' labels."""

    n: int
    numbers: dict[str, Numbers]
    categories: dict[str, Categories]
    groups: dict[str, Groups]
    weights: Numbers | None
    labels: Any

    @classmethod
    def read(cls, needs: Needs, column: Callable[[str], Any], labels: Any) -> Block:
        """Read the columns; ``labels`` are the rows' labels (an Index or a range)."""
        return cls(
            n=len(labels),
            numbers={name: read_numbers(column(name), name) for name in needs.numbers},
            categories={text: read_categories(column(name), name) for text, name in needs.categories},
            groups={name: read_groups(column(name)) for name in needs.groups},
            weights=None if needs.weights is None else read_numbers(column(needs.weights), needs.weights),
            labels=labels,
        )

    def take(self, rows: NDArray[Any] | slice) -> Block:
        """Some of the rows, by mask, positions or slice."""
        labels = self.labels[rows] if isinstance(rows, slice) else np.asarray(self.labels)[rows]
        return Block(
            n=len(labels),
            numbers={name: values[rows] for name, values in self.numbers.items()},
            categories={text: replace(each, codes=each.codes[rows]) for text, each in self.categories.items()},
            groups={name: each.take(rows) for name, each in self.groups.items()},
            weights=None if self.weights is None else self.weights[rows],
            labels=labels,
        )

    def complete(self, formula: ModelFormula, needs: Needs, drops: Drops) -> Block:
        """Without rows where something is missing or the weight is 0, as lme4 leaves them out; they are counted.

        Raises
        ------
        MultilevelError
            Infinite values, or weights that are negative or infinite.
        """
        keep: NDArray[np.bool_] | None = None
        for reason, where in self._unusable(formula, needs):
            fresh = where if keep is None else where & keep
            count = int(fresh.sum())
            if count:
                drops.add("rows", reason, count, _labels_at(self.labels, fresh))
                keep = ~fresh if keep is None else keep & ~fresh
        return self if keep is None else self.take(keep)

    def _unusable(self, formula: ModelFormula, needs: Needs) -> list[tuple[str, NDArray[np.bool_]]]:
        found: list[tuple[str, NDArray[np.bool_]]] = []
        for name, values in self.numbers.items():
            if values.dtype.kind != "f" or np.isfinite(values).all():
                continue
            self._refuse(np.isinf(values), f"{name}: infinite values", "mend them or set them to missing")
            what = f"the outcome {name}" if name in formula.outcome.columns else name
            found.append((f"{what} is missing", np.isnan(values)))
        for text, each in self.categories.items():
            if each.codes.size and each.codes.min() < 0:
                found.append((f"{dict(needs.categories)[text]} is missing", each.codes < 0))
        for name, ids in self.groups.items():
            if ids.codes.size and ids.codes.min() < 0:
                found.append((f"the group {name} is missing", ids.codes < 0))
        if self.weights is not None and self.n:
            found += self._unusable_weights(needs)
        return found

    def _unusable_weights(self, needs: Needs) -> list[tuple[str, NDArray[np.bool_]]]:
        assert self.weights is not None
        weights = self.weights
        if weights.dtype.kind in "fi":
            wrong = (weights < 0) | np.isinf(weights)
            self._refuse(wrong, f"{needs.weights}: negative or infinite weights", "weights are finite and at least 0")
        found = [(f"the weight {needs.weights} is missing", np.isnan(weights))] if weights.dtype.kind == "f" else []
        return [*found, ("the weight is 0", weights == 0)]

    def _refuse(self, where: NDArray[np.bool_], found: str, remedy: str) -> None:
        count = int(where.sum())
        if count:
            raise MultilevelError(f"{found} in {name_rows(_labels_at(self.labels, where), count)}: {remedy}")

    def grouped(self, groupings: Sequence[Grouping]) -> list[Groups]:
        """The groups of each grouping factor."""
        return [
            self.groups[grouping.columns[0]]
            if len(grouping.columns) == 1
            else combine([self.groups[name] for name in grouping.columns])
            for grouping in groupings
        ]


def _labels_at(labels: Any, where: NDArray[np.bool_]) -> list[Any]:
    return [labels[at] for at in np.flatnonzero(where)[:LABELS_SHOWN]]


def name_rows(labels: Sequence[Any], count: int) -> str:
    """Return ``row 3``, ``rows 3, 7`` or ``rows 3, 7, 9, 12, 15 and 20 more``; ``20 rows`` without labels."""
    if not labels:
        return f"{count} rows"
    more = f" and {count - len(labels)} more" if count > len(labels) else ""
    return f"row{'s' if count > 1 else ''} {', '.join(str(label) for label in labels)}{more}"
