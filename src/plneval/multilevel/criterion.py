"""The (RE)ML criterion of a nested model and its exact gradient, from sufficient statistics.

Groups are eliminated level by level: with M = U'V⁻¹U of the working columns U inside a group, A = Z'V⁻¹Z and
W = (Ψ⁻¹ + A)⁻¹, the group hands M − M_z'W M_z on to its parent and log|I + ΨA| to the determinant. What arrives at the
root holds X'V⁻¹X, X'V⁻¹y and y'V⁻¹y, with β and σ² profiled out (Bates et al. 2015, J. Stat. Softw. 67(1), eq. 34, 41).
The gradient goes the same way back (reverse mode).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse

from plneval.multilevel.batched import Shrinkage, multiply, scale_gradient, shrinkage, times_parent
from plneval.multilevel.design import Floats, Integers
from plneval.multilevel.engine import Root, criterion_of_root, factored_root, root_adjoint
from plneval.multilevel.problem import Problem
from plneval.multilevel.segments import gram_runs, pack, packing, run_pointers, sum_by_code, unpack

# Problems of more numbers than this take starting values from a subsample of groups.
LARGE = 400_000
SAMPLE_GROUPS = 200
# Units eliminated at once.
UNIT_BATCH = 8_192


@dataclass(frozen=True)
class Elimination:
    """One pass up the levels, with what the way back needs.

    Attributes
    ----------
    shrunk
        For the second and further levels the shrinkage of their groups.
    cross
        For the second and further levels (groups, r, r) M before the level is eliminated.
    root
        What arrives.
    """

    shrunk: tuple[Shrinkage, ...]
    cross: tuple[Floats, ...]
    root: Root


class Criterion:
    """The criterion of a problem as a function of the factors Λ of every level (innermost first; any square matrices).

    Parameters
    ----------
    problem
        The data.
    reml
        Restricted or full maximum likelihood.
    """

    name = "nested"

    def __init__(self, problem: Problem, *, reml: bool) -> None:
        self.problem = problem
        self.reml = reml
        self.evaluations = 0

    @property
    def large(self) -> bool:
        """Whether an evaluation takes so long that one start has to do."""
        problem = self.problem
        return problem.cells.products.size + problem.units.products.size + problem.cross.size > LARGE

    def sample(self) -> Criterion | None:
        """The same criterion of some groups, for starting values; ``None`` if the data are not large."""
        sample = self.problem.sample(SAMPLE_GROUPS) if self.large else None
        return None if sample is None else Criterion(sample, reml=self.reml)

    @cached_property
    def column_scales(self) -> list[Floats]:
        """For each level one over the root mean square of its columns of Z."""
        problem = self.problem
        cells, units, own = problem.cells, problem.units, problem.own
        squares = np.einsum("jaa->a", units.products[:, :, own]) if len(units) else np.zeros(len(own))
        if len(cells):
            squares = squares + np.einsum("j,jaa->a", self._pattern_count, cells.patterns)
        total = problem.cross.sum(axis=0)
        every = [squares, *(np.diagonal(total)[columns] for columns in problem.random)]
        return [np.sqrt(problem.n / np.where(square > 0, square, problem.n)) for square in every]

    @property
    def freedom(self) -> int:
        """ν: n − p (REML) or n (ML)."""
        return self.problem.n - (len(self.problem.fixed) if self.reml else 0)

    def value(self, scales: Sequence[Floats]) -> float:
        """The criterion, with the constants that lme4 prints; infinite where X'V⁻¹X cannot be factored."""
        try:
            return self.of_root(self.eliminate(scales).root)
        except np.linalg.LinAlgError:
            return np.inf

    def by(self, *, reml: bool) -> Criterion:
        """The same data by restricted or full maximum likelihood."""
        return Criterion(self.problem, reml=reml)

    def of_root(self, root: Root, sigma: float | None = None) -> float:
        """The criterion of what arrived at the root."""
        return criterion_of_root(root, self.freedom, self.problem.sum_log_weights, reml=self.reml, sigma=sigma)

    def value_and_gradient(
        self, scales: Sequence[Floats], sigma: float | None = None
    ) -> tuple[float, list[Floats], Root]:
        """The criterion, its derivative in every entry of every Λ, and the root; with ``sigma`` σ is held there.

        Raises
        ------
        numpy.linalg.LinAlgError
            X'V⁻¹X or the residual cannot be factored.
        """
        passed = self.eliminate(scales)
        return self.of_root(passed.root, sigma), self._back(passed, scales, sigma), passed.root

    def eliminate(self, scales: Sequence[Floats]) -> Elimination:
        """Eliminate all levels, the innermost first."""
        self.evaluations += 1
        problem = self.problem
        cross, log_det = self.without_innermost(scales[0])
        shrunk: list[Shrinkage] = []
        kept: list[Floats] = []
        for level, columns in enumerate(problem.random):
            kept.append(cross)
            own = cross[:, columns[:, None], columns]
            here = shrinkage(own, scales[level + 1])
            shrunk.append(here)
            log_det += float(here.log_det.sum())
            rooted = multiply(here.root, cross[:, columns])
            cross = self._passed_on(level, cross, rooted)
        return Elimination(tuple(shrunk), tuple(kept), factored_root(cross[0], problem.fixed, problem.outcome, log_det))

    def _passed_on(self, level: int, cross: Floats, rooted: Floats) -> Floats:
        """(parents, r, r) sums over the groups of a parent of M − M_z'WM_z, with the rows of C M_z given."""
        r, q = cross.shape[1], rooted.shape[1]
        flat = rooted.reshape(-1, r)
        pointers = self._pointers[level]
        if len(pointers) == 2:
            return np.asarray((cross.sum(axis=0) - flat.T @ flat)[None])
        sums = sum_by_code(cross, self.problem.parents[level], len(pointers) - 1)
        return np.asarray(sums - gram_runs(flat, pointers * q))

    @cached_property
    def _pointers(self) -> list[Integers]:
        """For the second and further levels the runs of groups of each parent."""
        problem = self.problem
        sizes = [len(parent) for parent in problem.parents]
        return [run_pointers(parent, size) for parent, size in zip(problem.parents, [*sizes[1:], 1], strict=False)]

    @cached_property
    def _unit_pointers(self) -> Integers:
        return run_pointers(self.problem.units.parent, len(self.problem.cross))

    @cached_property
    def _adding(self) -> Any:
        """The sparse matrix (J, cells × pairs) that adds up cells; its entries are written anew each time."""
        cells = self.problem.cells
        pairs = cells.products.shape[1]
        pointers = run_pointers(cells.parent, len(self.problem.cross)) * pairs
        columns = np.arange(len(cells) * pairs)
        shape = (len(self.problem.cross), len(columns))
        return scipy.sparse.csr_matrix((np.zeros(len(columns)), columns, pointers), shape=shape)

    @cached_property
    def _pattern_count(self) -> Floats:
        cells = self.problem.cells
        return np.bincount(cells.pattern, cells.count, len(cells.patterns)).astype(np.float64)

    def without_innermost(self, scale: Floats) -> tuple[Floats, float]:
        """(J, r, r) M of the second level's groups with the innermost eliminated, and log|I + ΨA| of the innermost."""
        problem = self.problem
        r = problem.cross.shape[1]
        cells = problem.cells
        shrunk = shrinkage(cells.patterns, scale)
        log_det = float(shrunk.log_det @ self._pattern_count)
        cross = problem.cross
        if len(cells):
            first, second = packing(len(problem.own))
            adding = self._adding
            adding.data[:] = shrunk.weight[:, first, second][cells.pattern].ravel()
            cross = cross - unpack(adding @ cells.products.reshape(adding.shape[1], -1), r)
        for part in self._unit_parts():
            here = shrinkage(problem.units.products[part][:, :, problem.own], scale)
            log_det += float(here.log_det.sum())
            rooted = multiply(here.root, problem.units.products[part][:, :, :r])
            parents, pointers = self._runs(part)
            cross = cross.copy() if cross is problem.cross else cross
            cross[parents] -= gram_runs(rooted.reshape(-1, r), pointers * rooted.shape[1])
        return cross, log_det

    def _unit_parts(self) -> list[slice]:
        n = len(self.problem.units)
        return [slice(start, min(start + UNIT_BATCH, n)) for start in range(0, n, UNIT_BATCH)]

    def _runs(self, part: slice) -> tuple[slice, Integers]:
        """The parents of a batch of units, and where their runs begin in it."""
        parent = self.problem.units.parent
        parents = slice(int(parent[part.start]), int(parent[part.stop - 1]) + 1)
        pointers = self._unit_pointers[parents.start : parents.stop + 1]
        return parents, np.clip(pointers - part.start, 0, part.stop - part.start)

    def _back(self, passed: Elimination, scales: Sequence[Floats], sigma: float | None) -> list[Floats]:
        problem = self.problem
        adjoint = self._root_adjoint(passed.root, problem.cross.shape[1], sigma)[None]
        gradient: list[Floats] = [np.zeros(0)] * problem.levels
        for level in range(len(problem.random) - 1, -1, -1):
            adjoint, gradient[level + 1] = self._back_level(level, passed, adjoint)
        gradient[0] = self.innermost_gradient(adjoint, scales[0])
        return gradient

    def _root_adjoint(self, root: Root, r: int, sigma: float | None) -> Floats:
        """(r, r) derivative of the criterion in the entries of M at the root."""
        problem = self.problem
        return root_adjoint(root, problem.fixed, problem.outcome, r, self.freedom, reml=self.reml, sigma=sigma)

    def _back_level(self, level: int, passed: Elimination, adjoint: Floats) -> tuple[Floats, Floats]:
        """Derivatives in the M of the groups of a level, and in Λ, from those in the M of their parents."""
        columns = self.problem.random[level]
        parent, pointers = self.problem.parents[level], self._pointers[level]
        shrunk = passed.shrunk[level]
        rows = passed.cross[level][:, columns]
        own = rows[:, :, columns]
        through = times_parent(rows, adjoint, parent, pointers)
        inner = np.einsum("jar,jbr->jab", through, rows)
        weighted = multiply(shrunk.weight, through)
        corner = shrunk.weight + multiply(multiply(shrunk.weight, inner), shrunk.weight)
        below = adjoint[parent]
        for place, at in enumerate(columns):
            below[:, at, :] -= weighted[:, place]
            below[:, :, at] -= weighted[:, place]
        for place, at in enumerate(columns):
            for other, also in enumerate(columns):
                below[:, at, also] += corner[:, place, other]
        return below, scale_gradient(shrunk, own, inner)

    def innermost_gradient(self, adjoint: Floats, scale: Floats) -> Floats:
        """(q, q) derivative in the innermost Λ, from that in the cross-products of the second level's groups."""
        problem = self.problem
        cells, own = problem.cells, problem.own
        r, q = problem.cross.shape[1], len(own)
        gradient = np.zeros((q, q))
        if len(cells):
            first, second = packing(r)
            doubled = pack(adjoint) * np.where(first == second, 1.0, 2.0)
            of_cell = np.matmul(cells.products, doubled[cells.parent][:, :, None])[:, :, 0]
            sums = [np.bincount(cells.pattern, pair, len(cells.patterns)) for pair in of_cell.T]
            packed = np.asarray(np.stack(sums, axis=1), dtype=np.float64)
            a, b = packing(q)
            inner = unpack(packed * np.where(a == b, 1.0, 0.5), q)
            gradient += scale_gradient(shrinkage(cells.patterns, scale), cells.patterns, inner, self._pattern_count)
        for part in self._unit_parts():
            products = problem.units.products[part]
            rows, gram = products[:, :, :r], products[:, :, own]
            parents, pointers = self._runs(part)
            through = times_parent(rows, adjoint[parents], problem.units.parent[part] - parents.start, pointers)
            inner = np.einsum("jar,jbr->jab", through, rows)
            gradient += scale_gradient(shrinkage(gram, scale), gram, inner)
        return gradient
