"""lme4's theta: which entry of which Λ each relative covariance parameter is, and in which order.

Terms come in the formula's order if their numbers of groups never increase along it; otherwise in decreasing number of
groups, where terms with equal numbers come in *reverse* order (lme4 reverses an ascending stable sort). Within a
term: the lower triangle of Λ by columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plneval.multilevel.design import Floats, Integers
from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.statistics import Statistics


@dataclass(frozen=True)
class Block:
    """One term's place: its level (0 is the innermost), the first row of its Λ there, and its number of effects."""

    level: int
    first: int
    width: int
    names: tuple[str, ...]

    @property
    def rows(self) -> slice:
        """Rows (and columns) of the level's Λ."""
        return slice(self.first, self.first + self.width)

    @property
    def size(self) -> int:
        """How many entries of theta it has."""
        return self.width * (self.width + 1) // 2

    @property
    def lower(self) -> tuple[Integers, Integers]:
        """Rows and columns, within the block, of the lower triangle by columns."""
        columns, rows = np.triu_indices(self.width)
        return rows, columns


@dataclass(frozen=True)
class Parameters:
    """The map between theta and the factors Λ of the levels, as the user's columns and as centred columns have them.

    Attributes
    ----------
    blocks
        Terms in theta's order.
    widths
        Random effects of a group at each level, innermost first.
    shifts
        For each level (q, q) T with Λ of the centred columns = T Λ: effects of the intercept move with the shift.
    """

    blocks: tuple[Block, ...]
    widths: tuple[int, ...]
    shifts: tuple[Floats, ...]

    @classmethod
    def of(cls, statistics: Statistics) -> Parameters:
        """The parameters of a model, in lme4's order."""
        model = statistics.model
        found: list[tuple[int, int, Block]] = []
        shifts = []
        for level, shape in enumerate(model.levels):
            shift = np.eye(len(shape.columns))
            first = 0
            for term in shape.terms:
                names = tuple(model.names[column] for column in term.columns)
                block = Block(level, first, len(term.columns), names)
                found.append((term.position, statistics.sizes[level], block))
                if model.intercept in term.columns:
                    row = first + term.columns.index(model.intercept)
                    for place, column in enumerate(term.columns):
                        if column != model.intercept:
                            shift[row, first + place] = statistics.centre.shift[column]
                first += len(term.columns)
            shifts.append(shift)
        found.sort(key=lambda entry: entry[0])
        if any(found[i + 1][1] > found[i][1] for i in range(len(found) - 1)):
            found = sorted(found, key=lambda entry: entry[1])[::-1]
        widths = tuple(len(shape.columns) for shape in model.levels)
        return cls(tuple(block for *_, block in found), widths, tuple(shifts))

    @property
    def size(self) -> int:
        """Length of theta."""
        return sum(block.size for block in self.blocks)

    @property
    def diagonal(self) -> Integers:
        """Positions in theta of the diagonal entries of Λ."""
        places, start = [], 0
        for block in self.blocks:
            rows, columns = block.lower
            places.extend((start + np.flatnonzero(rows == columns)).tolist())
            start += block.size
        return np.array(places, dtype=np.intp)

    def factors(self, theta: Floats) -> list[Floats]:
        """Λ of each level for the user's columns.

        Raises
        ------
        MultilevelError
            theta of another length, or not finite.
        """
        theta = np.atleast_1d(np.asarray(theta, dtype=np.float64))
        if theta.shape != (self.size,):
            raise MultilevelError(f"theta has {theta.size} entries, the model has {self.size}: {self.describe()}")
        if not np.isfinite(theta).all():
            raise MultilevelError("theta has entries that are not finite")
        factors = [np.zeros((width, width)) for width in self.widths]
        start = 0
        for block in self.blocks:
            rows, columns = block.lower
            factors[block.level][block.first + rows, block.first + columns] = theta[start : start + block.size]
            start += block.size
        return factors

    def describe(self) -> str:
        """The entries of theta in words."""
        words: list[str] = []
        for block in self.blocks:
            rows, columns = block.lower
            words.extend(
                block.names[i] if i == j else f"{block.names[i]}.{block.names[j]}"
                for i, j in zip(rows, columns, strict=True)
            )
        return ", ".join(words)

    def centred(self, factors: Sequence[Floats]) -> list[Floats]:
        """Λ for the centred columns of Λ for the user's."""
        return [shift @ factor for shift, factor in zip(self.shifts, factors, strict=True)]

    def uncentred(self, factors: Sequence[Floats]) -> list[Floats]:
        """Λ for the user's columns of Λ for the centred ones; not triangular."""
        return [
            np.asarray(np.linalg.solve(shift, factor), dtype=np.float64)
            for shift, factor in zip(self.shifts, factors, strict=True)
        ]

    def gradient(self, in_centred: Sequence[Floats]) -> Floats:
        """(theta,) derivative in theta of the derivatives in the entries of Λ of the centred columns."""
        parts = []
        for block in self.blocks:
            full = (self.shifts[block.level].T @ in_centred[block.level])[block.rows, block.rows]
            rows, columns = block.lower
            parts.append(full[rows, columns])
        return np.concatenate(parts)

    def triangular(self, factors: Sequence[Floats]) -> list[Floats]:
        """Λ of each level with every block lower triangular and its diagonal not negative: same ΛΛ'."""
        found = [np.zeros_like(factor) for factor in factors]
        for block in self.blocks:
            upper = np.asarray(np.linalg.qr(factors[block.level][block.rows, block.rows].T, mode="r"))
            signs = np.where(np.diagonal(upper) < 0, -1.0, 1.0)
            found[block.level][block.rows, block.rows] = upper.T * signs
        return found

    def theta_of(self, factors: Sequence[Floats]) -> Floats:
        """Theta with Λ lower triangular and its diagonal not negative, for any Λ of the user's columns: same ΛΛ'."""
        parts = []
        lowers = self.triangular(factors)
        for block in self.blocks:
            rows, columns = block.lower
            parts.append(lowers[block.level][block.rows, block.rows][rows, columns])
        return np.concatenate(parts)
