"""First and second derivatives of X'V⁻¹X and log|V| in the entries of every Ψ: exact, in forward mode.

With V linear in Ψ these hold what Kenward and Roger's adjustment needs: X'V⁻¹G_rV⁻¹X, X'V⁻¹G_rV⁻¹G_sV⁻¹X and
tr(V⁻¹G_rV⁻¹G_s), with G_r the derivative of V. Eliminating a level (see :mod:`plneval.multilevel.criterion`) uses
dW = (I − WA) dΨ (I − AW) − W dA W.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse

from plneval.multilevel.batched import multiply, shrinkage
from plneval.multilevel.design import Floats, Integers
from plneval.multilevel.problem import Problem
from plneval.multilevel.segments import packing, run_pointers, sum_by_code, unpack
from plneval.multilevel.units import Cells, compress

# Numbers held at once; outermost groups are taken in parts where more are needed.
NUMBERS = 40_000_000


@dataclass(frozen=True)
class Direction:
    """A change of one level's Ψ (centred columns): symmetric (q, q)."""

    level: int
    change: Floats


@dataclass
class Expansion:
    """Cross-products of a level's groups with their derivatives, and log|V| of what lies inside.

    Attributes
    ----------
    cross
        (J, r, r) M.
    first
        For each direction (J, r, r), or ``None`` while it does not bear on M.
    second
        (J, r, r) for pairs of directions a ≤ b.
    log_first, log_second
        (m,) and (m, m) derivatives of the log-determinant.
    """

    cross: Floats
    first: list[Floats | None]
    second: dict[tuple[int, int], Floats]
    log_first: Floats
    log_second: Floats


@dataclass(frozen=True)
class InformationDerivatives:
    """At the root: (p, p) X'V⁻¹X, (m, p, p) and (m, m, p, p) derivatives, and those of log|V|. V is relative to σ²."""

    information: Floats
    first: Floats
    second: Floats
    log_first: Floats
    log_second: Floats


def information_derivatives(
    problem: Problem, factors: Sequence[Floats], directions: Sequence[Direction]
) -> InformationDerivatives:
    """Differentiate X'V⁻¹X and log|V| at the given Λ (centred columns, innermost first) in the given directions."""
    m, p = len(directions), len(problem.fixed)
    at = np.ix_(problem.fixed, problem.fixed)
    information, first, second = np.zeros((p, p)), np.zeros((m, p, p)), np.zeros((m, m, p, p))
    log_first, log_second = np.zeros(m), np.zeros((m, m))
    for part in _parts(problem, m):
        expansion = _innermost(part, factors[0], directions)
        for level in range(len(part.random)):
            expansion = _level(part, level, factors[level + 1], directions, expansion)
        information += expansion.cross[0][at]
        for a in range(m):
            of_one = expansion.first[a]
            assert of_one is not None
            first[a] += of_one[0][at]
            for b in range(a, m):
                second[a, b] += expansion.second[a, b][0][at]
        log_first += expansion.log_first
        log_second += expansion.log_second
    for a in range(m):
        for b in range(a):
            second[a, b], log_second[a, b] = second[b, a], log_second[b, a]
    return InformationDerivatives(information, first, second, log_first, log_second)


def _parts(problem: Problem, directions: int) -> list[Problem]:
    """The problem in parts of whole outermost groups, each small enough; units are compressed to cells."""
    groups, r = problem.cross.shape[:2]
    needed = groups * r * r * (directions + 1) ** 2 // 2
    outermost = len(problem.parents[-1]) if problem.parents else 1
    count = min(outermost, 1 + needed // NUMBERS)
    if count == 1:
        return [problem]
    found = []
    for places in np.array_split(np.arange(outermost), count):
        chosen = np.zeros(outermost, dtype=bool)
        chosen[places] = True
        found.append(problem.of_groups(len(problem.parents) - 1, chosen))
    return found


def _all_cells(problem: Problem) -> Cells:
    if not len(problem.units):
        return problem.cells
    cells = compress(problem.units, problem.own, problem.cross.shape[1], force=True)
    assert cells is not None
    return Cells.total([problem.cells, cells])


def _innermost(problem: Problem, factor: Floats, directions: Sequence[Direction]) -> Expansion:
    cells, m = _all_cells(problem), len(directions)
    groups, r = problem.cross.shape[:2]
    gram, q = cells.patterns, len(problem.own)
    weight = shrinkage(gram, factor).weight
    kept = np.eye(q) - weight @ gram
    count = np.bincount(cells.pattern, cells.count, len(gram)).astype(np.float64)
    pairs = packing(q)
    pointers = run_pointers(cells.parent, groups) * len(pairs[0])
    numbers = cells.products.reshape(-1, cells.products.shape[-1])

    def taken(weights: Floats) -> Floats:
        data = -weights[:, pairs[0], pairs[1]][cells.pattern].ravel()
        adding = scipy.sparse.csr_matrix((data, np.arange(len(data)), pointers), shape=(groups, len(data)))
        return unpack(adding @ numbers, r)

    own = [a for a in range(m) if directions[a].level == 0]
    slopes = {a: kept @ directions[a].change @ kept.transpose(0, 2, 1) for a in own}
    found = Expansion(problem.cross + taken(weight), [None] * m, {}, np.zeros(m), np.zeros((m, m)))
    left = gram - gram @ weight @ gram
    for a in own:
        change = directions[a].change
        found.first[a] = taken(slopes[a])
        found.log_first[a] = np.einsum("j,jab,ba->", count, left, change)
        for b in own[own.index(a) :]:
            half = slopes[b] @ gram @ change @ kept.transpose(0, 2, 1)
            found.second[a, b] = taken(-(half + half.transpose(0, 2, 1)))
            found.log_second[a, b] = -np.einsum("j,jab,jbc,jcd,da->", count, gram, slopes[b], gram, change)
    return found


def _level(
    problem: Problem, level: int, factor: Floats, directions: Sequence[Direction], inside: Expansion
) -> Expansion:
    """Eliminate a level together with the derivatives, and add up over the groups of each parent."""
    columns, m = problem.random[level], len(directions)
    rows = inside.cross[:, columns]
    own = rows[:, :, columns]
    weight = shrinkage(own, factor).weight
    kept = np.eye(len(columns)) - multiply(weight, own)
    weighted = multiply(weight, rows)
    through = rows - multiply(own, weighted)
    corner = through[:, :, columns]
    old = [a for a in range(m) if inside.first[a] is not None]
    new = [a for a in range(m) if directions[a].level == level + 1]
    found = Expansion(
        inside.cross - _transposed(rows) @ weighted,
        [None] * m,
        {},
        inside.log_first.copy(),
        inside.log_second.copy(),
    )
    slopes: dict[int, Floats] = {}
    moved: dict[int, Floats] = {}
    shifted: dict[int, Floats] = {}
    for a in old:
        matrix = inside.first[a]
        assert matrix is not None
        below = matrix[:, columns]
        slopes[a] = -multiply(multiply(weight, below[:, :, columns]), weight)
        moved[a] = multiply(slopes[a], rows) + multiply(weight, below)
        shifted[a] = below - multiply(below[:, :, columns], weighted)
        found.first[a] = _sandwiched(matrix, weighted, columns)
        found.log_first[a] += np.einsum("jab,jba->", weight, below[:, :, columns])
    for a in new:
        change = directions[a].change
        slopes[a] = kept @ change @ _transposed(kept)
        moved[a] = multiply(slopes[a], rows)
        found.first[a] = -_transposed(through) @ (change @ through)
        found.log_first[a] += np.einsum("jab,ba->", corner, change)
    for a in [*old, *new]:
        for b in range(a, m):
            if b in slopes:
                _second(found, inside, (a, b), directions, columns, weight, weighted, through, slopes, moved, shifted)
    parent = problem.parents[level]
    size = len(problem.parents[level + 1]) if level + 1 < len(problem.parents) else 1
    return Expansion(
        sum_by_code(found.cross, parent, size),
        [None if one is None else sum_by_code(one, parent, size) for one in found.first],
        {pair: sum_by_code(two, parent, size) for pair, two in found.second.items()},
        found.log_first,
        found.log_second,
    )


def _second(
    found: Expansion,
    inside: Expansion,
    pair: tuple[int, int],
    directions: Sequence[Direction],
    columns: Integers,
    weight: Floats,
    weighted: Floats,
    through: Floats,
    slopes: dict[int, Floats],
    moved: dict[int, Floats],
    shifted: dict[int, Floats],
) -> None:
    """The second derivatives of one pair of directions after the level."""
    a, b = pair
    if a in shifted or b in shifted:
        # At least one direction lies inside: d_b (T'dM_a T), with T = I − WB in the columns of the level.
        a, b = (a, b) if a in shifted else (b, a)
        half = _transposed(moved[b]) @ shifted[a]
        total = -(half + _transposed(half))
        below = inside.first[a]
        assert below is not None
        log = np.einsum("jab,jba->", slopes[b], below[:, columns[:, None], columns])
        if pair in inside.second:
            total += _sandwiched(inside.second[pair], weighted, columns)
            log += np.einsum("jab,jba->", weight, inside.second[pair][:, columns[:, None], columns])
    else:
        of_b = found.first[b]
        assert of_b is not None
        half = _transposed(of_b[:, columns]) @ (directions[a].change @ through)
        total = -(half + _transposed(half))
        log = np.einsum("jab,ba->", of_b[:, columns[:, None], columns], directions[a].change)
    found.second[pair] = total
    found.log_second[pair] += log


def _transposed(matrices: Floats) -> Floats:
    return matrices.transpose(0, 2, 1)


def _sandwiched(matrix: Floats, weighted: Floats, columns: Integers) -> Floats:
    """T'XT with T = I − WB in the columns of the level."""
    half = _transposed(weighted) @ matrix[:, columns]
    corner = matrix[:, columns[:, None], columns]
    return np.asarray(matrix - half - _transposed(half) + _transposed(weighted) @ corner @ weighted)
