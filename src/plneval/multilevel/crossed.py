"""The criterion of crossed levels: the largest eliminated group by group, all others together and densely.

After the groups of the largest level are eliminated, the effects of all other groups are one vector with
S = Z'V⁻¹Z; H = I + Λ'SΛ is factored as a whole. Cost: the cube of the number of those effects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.linalg

from plneval.multilevel.criterion import Criterion
from plneval.multilevel.crossed_rows import CrossedData
from plneval.multilevel.design import Floats, Integers
from plneval.multilevel.engine import Root, criterion_of_root, factored_root, root_adjoint

# Outer effects from which on an evaluation is slow.
LARGE = 300


@dataclass(frozen=True)
class DenseElimination:
    """The outer effects eliminated.

    Attributes
    ----------
    cross
        (T, T) U'V⁻¹U of [X, y, outer effects], the largest level eliminated.
    factor
        (E, E) lower triangle L with LL' = H = I + Λ'SΛ.
    root
        What is left.
    """

    cross: Floats
    factor: Floats
    root: Root


class CrossedCriterion:
    """The criterion of crossed levels as a function of the factors Λ of every level (the largest level first).

    Parameters
    ----------
    data
        The collapsed rows.
    kept
        Positions among the columns of X of those that are estimated.
    reml
        Restricted or full maximum likelihood.
    """

    name = "crossed"

    def __init__(self, data: CrossedData, kept: Integers, *, reml: bool) -> None:
        self.data = data
        self.reml = reml
        self.evaluations = 0
        self.fixed = kept
        self._inner = [Criterion(part.problem, reml=reml) for part in data.classes]

    @property
    def freedom(self) -> int:
        """ν: n − p (REML) or n (ML)."""
        return self.data.statistics.n - (len(self.fixed) if self.reml else 0)

    @cached_property
    def column_scales(self) -> list[Floats]:
        """For each level one over the root mean square of its columns of Z."""
        n = self.data.statistics.n
        return [np.sqrt(n / np.where(square > 0, square, n)) for square in self.data.squares]

    @property
    def large(self) -> bool:
        """Whether an evaluation takes so long that one start has to do."""
        return self.data.effects > LARGE

    def by(self, *, reml: bool) -> CrossedCriterion:
        """The same data by restricted or full maximum likelihood."""
        return CrossedCriterion(self.data, self.fixed, reml=reml)

    def sample(self) -> None:
        """No subsample: crossed groups do not come apart."""

    @property
    def _base(self) -> int:
        """Columns that are no random effects: X and y."""
        return len(self.data.statistics.model.working.fixed) + 1

    def _levels(self) -> Iterator[tuple[int, slice, int, int]]:
        """For each outer level: its number, its place among all outer effects, its groups, effects of a group."""
        start = 0
        for level, (width, size) in enumerate(zip(self.data.widths, self.data.sizes, strict=True)):
            yield level, slice(start, start + width * size), size, width
            start += width * size

    def value_and_gradient(
        self, scales: Sequence[Floats], sigma: float | None = None
    ) -> tuple[float, list[Floats], Root]:
        """The criterion, its derivative in every entry of every Λ, and the root; with ``sigma`` σ is held there."""
        passed = self.eliminate(scales)
        root = passed.root
        log_weights = self.data.statistics.sum_log_weights
        value = criterion_of_root(root, self.freedom, log_weights, reml=self.reml, sigma=sigma)
        gradient, adjoint = self._back_dense(passed, scales, sigma)
        inner = np.zeros_like(np.asarray(scales[0]))
        for part, criterion in zip(self.data.classes, self._inner, strict=True):
            of_class = adjoint[part.places[:, :, None], part.places[:, None, :]]
            inner = inner + criterion.innermost_gradient(of_class, scales[0])
        return value, [inner, *gradient], root

    def value(self, scales: Sequence[Floats]) -> float:
        """The criterion; infinite where X'V⁻¹X cannot be factored."""
        try:
            root = self.eliminate(scales).root
        except np.linalg.LinAlgError:
            return np.inf
        return criterion_of_root(root, self.freedom, self.data.statistics.sum_log_weights, reml=self.reml)

    def eliminate(self, scales: Sequence[Floats]) -> DenseElimination:
        """Eliminate the largest level, then all others together."""
        self.evaluations += 1
        base = self._base
        total = base + self.data.effects
        summed, log_det = np.zeros(total * total), 0.0
        for part, criterion in zip(self.data.classes, self._inner, strict=True):
            local, of_class = criterion.without_innermost(scales[0])
            log_det += of_class
            flat = part.places[:, :, None] * total + part.places[:, None, :]
            summed += np.bincount(flat.ravel(), local.ravel(), total * total)
        cross = summed.reshape(total, total)
        inner = self._transposed_times(scales, self._transposed_times(scales, cross[base:, base:]).T)
        inner[np.diag_indices(len(inner))] += 1.0
        try:
            factor = scipy.linalg.cholesky(inner, lower=True, overwrite_a=True, check_finite=False)
        except scipy.linalg.LinAlgError as error:
            raise np.linalg.LinAlgError(str(error)) from error
        log_det += 2.0 * float(np.log(np.diagonal(factor)).sum())
        scaled = self._transposed_times(scales, cross[base:, :base])
        rooted = scipy.linalg.solve_triangular(factor, scaled, lower=True, check_finite=False)
        left = cross[:base, :base] - rooted.T @ rooted
        root = factored_root(left, self.fixed, base - 1, log_det)
        return DenseElimination(cross, factor, root)

    def _transposed_times(self, scales: Sequence[Floats], rows: Floats) -> Floats:
        """Λ' times (E, m) rows, Λ over all outer groups."""
        return self._apply([np.asarray(scale).T for scale in scales], rows)

    def _times(self, scales: Sequence[Floats], rows: Floats) -> Floats:
        """Λ times (E, m) rows, Λ over all outer groups."""
        return self._apply(scales, rows)

    def _apply(self, scales: Sequence[Floats], rows: Floats) -> Floats:
        product = np.empty_like(rows)
        for level, place, size, width in self._levels():
            of_level = rows[place].reshape(size, width, -1)
            if width == 1:
                product[place] = rows[place] * scales[level + 1][0, 0]
            else:
                product[place] = np.einsum("ab,gbm->gam", scales[level + 1], of_level).reshape(size * width, -1)
        return product

    def _inverse(self, passed: DenseElimination) -> Floats:
        """(E, E) P = H⁻¹."""
        inverse, _ = scipy.linalg.lapack.dpotri(passed.factor, lower=1)
        lower = np.tril(inverse)
        return np.asarray(lower + np.tril(inverse, -1).T)

    def _back_dense(
        self, passed: DenseElimination, scales: Sequence[Floats], sigma: float | None
    ) -> tuple[list[Floats], Floats]:
        """Derivatives in Λ of the outer levels, and in the cross-products before they are eliminated."""
        base = self._base
        own, rows = passed.cross[base:, base:], passed.cross[base:, :base]
        at_root = root_adjoint(passed.root, self.fixed, base - 1, base, self.freedom, reml=self.reml, sigma=sigma)
        left = self._times(scales, self._inverse(passed))
        weight = self._times(scales, left.T)
        solved = left.T @ rows
        shrunk = self._times(scales, solved)
        through = rows - own @ shrunk
        gradient = []
        weighted = solved @ at_root
        for _, place, size, width in self._levels():
            first = left[:, place].reshape(-1, size, width)
            second = own[:, place].reshape(-1, size, width)
            inner = np.einsum("egj,egi->ji", first, second)
            inner -= np.einsum(
                "gjf,gif->ji", weighted[place].reshape(size, width, -1), through[place].reshape(size, width, -1)
            )
            gradient.append(2.0 * inner.T)
        adjoint = np.empty_like(passed.cross)
        adjoint[:base, :base] = at_root
        adjoint[base:, :base] = -shrunk @ at_root
        adjoint[:base, base:] = adjoint[base:, :base].T
        adjoint[base:, base:] = weight + shrunk @ at_root @ shrunk.T
        return gradient, adjoint
