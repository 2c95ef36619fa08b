"""The criterion of heavily crossed levels (students × lecturers), with the sparse Cholesky factors of mixedlm.

H = I + Λ'Z'ZΛ over the effects of all levels is factored as a whole (Bates et al. 2015, J. Stat. Softw. 67(1),
section 3); its pattern is analysed once. Derivatives in theta are central differences: there are few parameters, and
an inverse of H would be dense.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse

from plneval.multilevel.crossed_rows import compact
from plneval.multilevel.design import Design, Floats, Integers
from plneval.multilevel.engine import Root, criterion_of_root, factored_root
from plneval.multilevel.statistics import Statistics
from plneval.multilevel.working import working_rows

# Step of the differences, in relative standard deviations.
DIFFERENCE = 1e-4
# Numbers of a block of H⁻¹ that are held at once.
BLOCK = 1 << 23


class SparseCriterion:
    """The criterion of levels crossed in any way, as a function of the factors Λ of every level.

    Parameters
    ----------
    design
        All rows.
    statistics
        Their sums without groups, which say how columns are centred.
    kept
        Positions among the columns of X of those that are estimated.
    reml
        Restricted or full maximum likelihood.
    """

    name = "mixedlm"

    def __init__(self, design: Design, statistics: Statistics, kept: Integers, *, reml: bool) -> None:
        # Effects are those of the groups that have rows, in the order of the statistics' labels.
        design = compact(design)
        working = statistics.model.working
        self.statistics = statistics
        self.reml = reml
        self.evaluations = 0
        self.widths = tuple(len(columns) for columns in working.random)
        self.sizes = tuple(len(level.labels) for level in design.levels)
        rows = working_rows(design, working, statistics.centre, None)
        self.fixed = kept
        dense = rows[:, np.append(working.fixed, working.outcome)]
        self._squares = [np.asarray((rows[:, columns] ** 2).sum(axis=0)) for columns in working.random]
        z = _effects(design, rows, working.random)
        self._gram = (z.T @ z).tocsc()
        self._right = np.asarray(z.T @ dense)
        self._cross = dense.T @ dense

    def by(self, *, reml: bool) -> SparseCriterion:
        """The same data by restricted or full maximum likelihood."""
        other = copy(self)
        other.reml = reml
        return other

    @property
    def large(self) -> bool:
        """An evaluation takes so long that one start has to do."""
        return True

    @property
    def freedom(self) -> int:
        """ν: n − p (REML) or n (ML)."""
        return self.statistics.n - (len(self.fixed) if self.reml else 0)

    @cached_property
    def column_scales(self) -> list[Floats]:
        """For each level one over the root mean square of its columns of Z."""
        n = self.statistics.n
        return [np.sqrt(n / np.where(square > 0, square, n)) for square in self._squares]

    def sample(self) -> None:
        """No subsample: crossed groups do not come apart."""

    def _factor(self, scales: Sequence[Floats]) -> Any:
        """(E, E) Λ of all groups of all levels; zeros are stored, so that the pattern is always the same."""
        blocks = [
            scipy.sparse.kron(scipy.sparse.eye(size), _stored(scale), format="csc")
            for size, scale in zip(self.sizes, scales, strict=True)
        ]
        return scipy.sparse.block_diag(blocks, format="csc")

    @cached_property
    def _pattern(self) -> tuple[Any, Any, Integers]:
        """The analysed pattern of H: its lower triangle, the symbolic factor, and the keys of its entries."""
        from mixedlm import SparseCholeskySymbolic

        full = self._factor([np.ones((width, width)) for width in self.widths])
        structure = self._gram.copy()
        structure.data = np.ones_like(structure.data)
        lower = scipy.sparse.tril(full.T @ structure @ full + scipy.sparse.eye(full.shape[0]), format="csc")
        lower.sort_indices()
        symbolic = SparseCholeskySymbolic(
            lower.indices.astype(np.int64), lower.indptr.astype(np.int64), lower.shape[0], ordering="amd"
        )
        return lower, symbolic, _keys(lower)

    def root(self, scales: Sequence[Floats]) -> Root:
        """Eliminate all random effects together."""
        return self._eliminate(scales)[0]

    def _eliminate(self, scales: Sequence[Floats]) -> tuple[Root, Any, Any]:
        """The root, Λ of all effects, and the Cholesky factor of H."""
        self.evaluations += 1
        lower, symbolic, keys = self._pattern
        factor = self._factor(scales)
        inner = scipy.sparse.tril(factor.T @ self._gram @ factor + scipy.sparse.eye(factor.shape[0]), format="csc")
        inner.sort_indices()
        data = np.zeros(len(lower.data))
        data[np.searchsorted(keys, _keys(inner))] = inner.data
        try:
            cholesky = symbolic.factor(data)
        except (ValueError, RuntimeError) as error:
            raise np.linalg.LinAlgError(str(error)) from error
        right = np.asarray(factor.T @ self._right)
        solved = np.asarray(cholesky.solve(right))
        left = self._cross - right.T @ solved
        root = factored_root((left + left.T) / 2.0, self.fixed, len(left) - 1, float(cholesky.logdet()))
        return root, factor, cholesky

    def effects(self, scales: Sequence[Floats]) -> list[tuple[Floats, Floats]]:
        """For each level means (groups, q) and covariances (groups, q, q) of the effects given the data, over σ².

        û = ΛH⁻¹Λ'Z'(y − Xβ), and the covariance is the blocks on the diagonal of ΛH⁻¹Λ' (Bates et al. 2015, eq. 58),
        which takes one solution for every effect.
        """
        root, factor, cholesky = self._eliminate(scales)
        score = self._right[:, -1] - self._right[:, self.fixed] @ root.coefficients
        mean = np.asarray(factor @ cholesky.solve(np.asarray(factor.T @ score)[:, None])).ravel()
        total = factor.shape[0]
        transposed = factor.T.tocsc()
        found, start = [], 0
        for width, size in zip(self.widths, self.sizes, strict=True):
            covariance = np.empty((size, width, width))
            step = max(1, BLOCK // (total * width))
            for first in range(0, size, step):
                last = min(size, first + step)
                own = slice(start + first * width, start + last * width)
                columns = transposed[:, own].toarray()
                rows = np.asarray(factor.tocsr()[own] @ cholesky.solve(columns))
                blocks = rows.reshape(last - first, width, last - first, width)
                at = np.arange(last - first)
                covariance[first:last] = blocks[at, :, at, :]
            found.append((mean[start : start + size * width].reshape(size, width), covariance))
            start += size * width
        return found

    def value(self, scales: Sequence[Floats]) -> float:
        """The criterion; infinite where X'V⁻¹X cannot be factored."""
        try:
            return self._of_root(self.root(scales))
        except np.linalg.LinAlgError:
            return np.inf

    def _of_root(self, root: Root, sigma: float | None = None) -> float:
        return criterion_of_root(root, self.freedom, self.statistics.sum_log_weights, reml=self.reml, sigma=sigma)

    def value_and_gradient(
        self, scales: Sequence[Floats], sigma: float | None = None
    ) -> tuple[float, list[Floats], Root]:
        """The criterion, its derivative in every entry of every Λ by central differences, and the root.

        With ``sigma`` σ is held there.
        """
        root = self.root(scales)
        gradient = []
        for level, width in enumerate(self.widths):
            of_level = np.zeros((width, width))
            for i in range(width):
                step = DIFFERENCE * self.column_scales[level][i]
                # Entries above the diagonal are no parameters; they matter where columns were centred.
                for j in range(width):
                    sides = []
                    for sign in (step, -step):
                        moved = [np.array(scale, dtype=np.float64) for scale in scales]
                        moved[level][i, j] += sign
                        sides.append(self._of_root(self.root(moved), sigma))
                    of_level[i, j] = (sides[0] - sides[1]) / (2.0 * step)
            gradient.append(of_level)
        return self._of_root(root, sigma), gradient, root


def _stored(scale: Floats) -> Any:
    """A sparse matrix that stores every entry, zeros too."""
    width = len(scale)
    rows, columns = np.divmod(np.arange(width * width), width)
    return scipy.sparse.coo_matrix((np.asarray(scale, dtype=np.float64).ravel(), (rows, columns)), shape=(width, width))


def _keys(lower: Any) -> Integers:
    """One number for each entry of a canonical column-compressed matrix, in its order."""
    columns = np.repeat(np.arange(lower.shape[1], dtype=np.int64), np.diff(lower.indptr))
    return np.asarray(columns * lower.shape[0] + lower.indices)


def _effects(design: Design, rows: Floats, random: Sequence[Integers]) -> Any:
    """(n, E) Z over the effects of all levels, level by level and group by group."""
    n = len(rows)
    parts = []
    for level, columns in zip(design.levels, random, strict=True):
        width = len(columns)
        places = np.asarray(level.codes, dtype=np.int64)[:, None] * width + np.arange(width)
        pointers = np.arange(0, n * width + 1, width)
        shape = (n, len(level.labels) * width)
        parts.append(scipy.sparse.csr_matrix((rows[:, columns].ravel(), places.ravel(), pointers), shape=shape))
    return scipy.sparse.hstack(parts, format="csr")
