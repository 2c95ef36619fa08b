"""Groups of the innermost level: kept apart, or compressed to parent × occasion-pattern cells.

Eliminating pupil i takes B'W(G)B from its school's cross-products, with B = Z'U and G = Z'Z. W depends on the pupil
through G only, the occasion pattern, and the expression is linear in W: pupils of one school with one pattern add up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.multilevel.design import Floats, Integers
from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.segments import counting_sort, gram_runs, pack, packing, run_pointers, sum_by_code, unpack

# Patterns are told apart to this fraction of the largest entry of G: order of addition must not make new ones.
PATTERN_BITS = 40
# Cells are preferred to units up to this multiple of the units' numbers: a cell's number is cheaper to use.
CELL_PREFERENCE = 1.5
# Numbers held at once while cells are made.
BATCH_NUMBERS = 16_000_000


@dataclass(frozen=True)
class Units:
    """Groups of the innermost level, one by one.

    Attributes
    ----------
    parent
        (N,) the group of the next level (0 throughout if there is none).
    products
        (N, q, c) B = Z'U with the working columns U, of which Z itself is part.
    labels
        (N,) labels of the groups; ``None`` if they were forgotten: then no other part has rows of these groups.
    """

    parent: Integers
    products: Floats
    labels: pd.Index | None

    def __len__(self) -> int:
        return len(self.parent)

    @classmethod
    def none(cls, q: int, c: int) -> Units:
        """No units."""
        return cls(np.zeros(0, dtype=np.intp), np.zeros((0, q, c)), None)

    def without(self) -> Units:
        """No units, of the same shape."""
        return Units.none(*self.products.shape[1:])

    def take(self, keep: NDArray[np.bool_]) -> Units:
        """The units where ``keep`` (N,) is true."""
        return Units(self.parent[keep], self.products[keep], None if self.labels is None else self.labels[keep])

    def by_parent(self) -> Units:
        """The units sorted by parent."""
        if (np.diff(self.parent) >= 0).all():
            return self
        order = counting_sort(self.parent, int(self.parent.max()) + 1)
        return Units(self.parent[order], self.products[order], None if self.labels is None else self.labels.take(order))

    def changed(self, rows: Floats, columns: Floats) -> Units:
        """The units with T₁'B T in place of B: other centring of Z and of U."""
        return replace(self, products=rows.T @ self.products @ columns)

    @classmethod
    def total(cls, parts: list[Units]) -> Units:
        """All units of all parts; rows of one group add up where labels are known. The list is emptied on the way.

        Raises
        ------
        MultilevelError
            A group that has another parent in another part; parts that know their groups with parts that do not.
        """
        present = [part for part in parts if len(part)] or parts[:1]
        parts.clear()
        if len(present) == 1:
            return present[0]
        parent = np.concatenate([part.parent for part in present])
        known = [part.labels for part in present if part.labels is not None]
        if known and len(known) < len(present):
            raise MultilevelError(
                "some parts keep the groups of the innermost level apart and others have added them up: gather all of "
                "them in the same way"
            )
        code, labels = np.arange(len(parent)), None
        if known:
            every = known[0].append(known[1:])
            code, unique = pd.factorize(every)
            labels = pd.Index(unique)
        parent_of = np.empty(len(parent) if labels is None else len(labels), dtype=np.intp)
        parent_of[code] = parent
        if (parent_of[code] != parent).any():
            count = len(np.unique(code[parent_of[code] != parent]))
            raise MultilevelError(
                f"{count} groups of the innermost level lie in another group of the next level in another part: "
                "fit the pooled rows, which can be crossed"
            )
        products = np.zeros((len(parent_of), *present[0].products.shape[1:]))
        start = 0
        for at in range(len(present)):
            part = present[at]
            # No group is twice in a part. Each part is let go once added: there may be millions of groups.
            present[at] = cls(part.parent[:0], part.products[:0].copy(), None)
            products[code[start : start + len(part)]] += part.products
            start += len(part)
        return cls(parent_of, products, labels)


@dataclass(frozen=True)
class Cells:
    """Groups of the innermost level added up by parent and occasion pattern.

    Attributes
    ----------
    patterns
        (P, q, q) the different G = Z'Z.
    parent, pattern
        (C,) the parent and the pattern of each cell; sorted by parent.
    count
        (C,) groups in the cell.
    products
        (C, q(q+1)/2, r(r+1)/2): for each pair of columns a ≤ b of Z, the packed upper triangle of the sum over groups
        of B_a B_b' (a = b) or B_a B_b' + B_b B_a', over the r columns that outlive the level.
    """

    patterns: Floats
    parent: Integers
    pattern: Integers
    count: Integers
    products: Floats

    def __len__(self) -> int:
        return len(self.parent)

    @classmethod
    def none(cls, q: int, kept: int) -> Cells:
        """No cells."""
        empty = np.zeros(0, dtype=np.intp)
        shape = (0, q * (q + 1) // 2, kept * (kept + 1) // 2)
        return cls(np.zeros((0, q, q)), empty, empty, empty, np.zeros(shape))

    def changed(self, rows: Floats, columns: Floats) -> Cells:
        """The cells with T₁'B T in place of B, for T over the kept columns."""
        q, kept = rows.shape[0], columns.shape[0]
        first, second = packing(q)
        full = columns.T @ unpack(self.products, kept) @ columns
        # Σ_ab w_ab S_ab for w = T₁ v T₁' : coefficients of the new pairs in the old ones.
        mixed = np.zeros((len(first), len(first)))
        for new, (a, b) in enumerate(zip(first, second, strict=True)):
            v = np.zeros((q, q))
            v[a, b] = v[b, a] = 1.0
            mixed[new] = (rows @ v @ rows.T)[first, second]
        return replace(
            self,
            patterns=rows.T @ self.patterns @ rows,
            products=pack(np.einsum("no,coij->cnij", mixed, full)),
        )

    @classmethod
    def total(cls, parts: list[Cells]) -> Cells:
        """All cells of all parts; cells of one parent and pattern add up. The list is emptied on the way."""
        present = [part for part in parts if len(part)] or parts[:1]
        parts.clear()
        if len(present) == 1:
            return present[0]
        code, first = pattern_codes(np.concatenate([part.patterns for part in present]))
        offset = np.cumsum([0, *(len(part.patterns) for part in present)])
        keys = [
            part.parent * len(first) + code[start + part.pattern] for part, start in zip(present, offset, strict=False)
        ]
        found = np.unique(np.concatenate(keys))
        products = np.zeros((len(found), *present[0].products.shape[1:]))
        count = np.zeros(len(found), dtype=np.intp)
        patterns = np.concatenate([part.patterns for part in present])[first]
        for key in keys:
            part = present.pop(0)
            # Patterns of one part can become one pattern of all.
            own, place = _number(key)
            at = np.searchsorted(found, place)
            same = len(place) == len(own)
            order = np.argsort(own)
            products[at] += part.products[order] if same else sum_by_code(part.products, own, len(place))
            count[at] += np.bincount(own, part.count, len(place)).astype(np.intp)
        return cls(patterns, found // len(first), found % len(first), count, products)


def _number(key: Integers) -> tuple[Integers, Integers]:
    found, code = np.unique(key, return_inverse=True)
    return code.astype(np.intp), found


def pattern_codes(patterns: Floats) -> tuple[Integers, Integers]:
    """Number the different matrices among (N, q, q): the code of each, and the first place of each code."""
    n = len(patterns)
    code = np.zeros(n, dtype=np.int64)
    size = 1
    for entry in pack(patterns).T if n else ():
        largest = float(np.abs(entry).max())
        step = 2.0 ** (np.frexp(largest)[1] - PATTERN_BITS)
        value, values = pd.factorize(np.rint(entry / step).astype(np.int64))
        if len(values) == 1:
            continue
        code, combined = pd.factorize(code * len(values) + value)
        size = len(combined)
    first = np.empty(size, dtype=np.intp)
    first[code[::-1]] = np.arange(n - 1, -1, -1)
    return code.astype(np.intp), first[: size if n else 0]


def compress(units: Units, own: Integers, kept: int, *, force: bool = False) -> Cells | None:
    """Add up units by parent and occasion pattern; ``None`` if that would not be worth it (many patterns).

    Parameters
    ----------
    own
        (q,) the working columns that are Z of the level.
    kept
        How many working columns outlive the level.
    force
        Compress whatever it costs.
    """
    n, q, c = units.products.shape
    if n == 0:
        return Cells.none(q, kept)
    pattern, first = pattern_codes(units.products[:, :, own])
    cell, found = _number(units.parent * len(first) + pattern)
    numbers_of_cell = q * (q + 1) // 2 * (kept * (kept + 1) // 2)
    if not force and len(found) * numbers_of_cell > CELL_PREFERENCE * n * q * c:
        return None
    order = counting_sort(cell, len(found))
    pointers = run_pointers(cell, len(found))
    a, b = packing(q)
    products = np.empty((len(found), len(a), kept * (kept + 1) // 2))
    step = max(1, BATCH_NUMBERS // (q * q * kept * kept))
    for start in range(0, len(found), step):
        part = pointers[start : start + step + 1]
        rows = units.products[order[part[0] : part[-1]], :, :kept].reshape(part[-1] - part[0], q * kept)
        grams = gram_runs(rows, part - part[0]).reshape(-1, q, kept, q, kept).transpose(0, 1, 3, 2, 4)
        for pair, (i, j) in enumerate(zip(a, b, strict=True)):
            both = grams[:, i, j] if i == j else grams[:, i, j] + grams[:, j, i]
            products[start : start + step, pair] = pack(both)
    patterns = units.products[first][:, :, own]
    return Cells(patterns, found // len(first), found % len(first), np.diff(pointers), products)
