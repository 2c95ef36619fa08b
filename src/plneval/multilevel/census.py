"""Which groups there are in data that come in parts, without keeping the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.multilevel.blocks import Block
from plneval.multilevel.formula import ModelFormula
from plneval.multilevel.nesting import Nesting, find_nesting
from plneval.multilevel.reading import Groups


class Census:
    """The distinct combinations of ids over all parts, as 64-bit hashes: 8 bytes an id column and combination."""

    def __init__(self, formula: ModelFormula) -> None:
        self.formula = formula
        self.columns = list(dict.fromkeys(name for grouping in formula.groupings for name in grouping.columns))
        self.seen: list[NDArray[np.uint64]] = []

    def add(self, block: Block) -> None:
        """Take in the groups of complete rows."""
        codes = [block.groups[name].codes for name in self.columns]
        rows = _first_rows(codes)
        hashed = [
            _hashes(block.groups[name].labels.take(code[rows])) for name, code in zip(self.columns, codes, strict=True)
        ]
        self.seen.append(np.stack(hashed, axis=1))

    def nesting(self) -> Nesting:
        """The nesting of everything taken in so far."""
        groups, columns, _ = self._groups()
        return find_nesting(self.formula.groupings, groups, columns)

    def whole_units(self, nesting: Nesting) -> bool:
        """Whether no innermost group was in two parts."""
        groups, _, part = self._groups()
        inner = groups[nesting.order[0]].codes
        first = np.full(int(inner.max(initial=-1)) + 1, -1)
        first[inner] = part
        return bool((first[inner] == part).all())

    def _groups(self) -> tuple[list[Groups], dict[str, Groups], NDArray[Any]]:
        """Groups of each grouping factor and of each column over the combinations seen, and the part of each."""
        seen = np.concatenate(self.seen) if self.seen else np.empty((0, len(self.columns)), dtype=np.uint64)
        part = np.repeat(np.arange(len(self.seen)), [len(each) for each in self.seen])
        columns = {name: _as_groups([seen[:, at]]) for at, name in enumerate(self.columns)}
        groups = [
            columns[grouping.columns[0]]
            if len(grouping.columns) == 1
            else _as_groups([seen[:, self.columns.index(name)] for name in grouping.columns])
            for grouping in self.formula.groupings
        ]
        return groups, columns, part


def _first_rows(codes: list[NDArray[Any]]) -> NDArray[Any]:
    """A row of each distinct combination of codes."""
    return np.flatnonzero(~pd.DataFrame(dict(enumerate(codes))).duplicated().to_numpy())


def _as_groups(hashes: list[NDArray[np.uint64]]) -> Groups:
    if len(hashes) == 1:
        found, distinct = pd.factorize(hashes[0])
        return Groups(found, pd.RangeIndex(len(distinct)))
    codes = pd.DataFrame(dict(enumerate(hashes))).groupby(list(range(len(hashes))), sort=False).ngroup().to_numpy()
    return Groups(codes, pd.RangeIndex(int(codes.max(initial=-1)) + 1))


def _hashes(labels: pd.Index) -> NDArray[np.uint64]:
    """Hashes that depend on the value only: a whole number is the same whatever its type."""
    if labels.dtype.kind in "iu":
        return np.asarray(pd.util.hash_array(labels.to_numpy().astype(np.int64)))
    return np.asarray(pd.util.hash_array(labels.to_numpy(dtype=object), categorize=False))
