"""Disclosure control of counts of people: what is suppressed, what is suppressed with it, and how the rest is rounded.

Pure functions on integers; they know of cells and of sums that hold between cells, and of no table or file.
The order matters: counts are suppressed first, on their true values, and rounded afterwards. Rounding first would turn
a true 8 into a 10 and let it through.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from plneval.config.report import Disclosure

Cell = Hashable
"""Whatever names a count, such as ``("flow", 3, "excluded")``."""


@dataclass(frozen=True)
class Identity:
    """A sum that a reader knows to hold: ``total = Σ parts``."""

    total: Cell
    parts: tuple[Cell, ...]

    @property
    def cells(self) -> tuple[Cell, ...]:
        return (self.total, *self.parts)

    def holds(self, counts: Mapping[Cell, int]) -> bool:
        """Whether all its cells have a count and the sum is right: otherwise nobody can subtract by it."""
        return all(cell in counts for cell in self.cells) and counts[self.total] == sum(
            counts[part] for part in self.parts
        )


def is_small(count: int, rule: Disclosure) -> bool:
    """Whether a count of people must not be shown: from 1 to below the minimum, or anything that rounding makes 0."""
    return 1 <= count < rule.minimum_count or (count > 0 and round_count(count, rule.round_to) == 0)


def round_count(count: int, base: int) -> int:
    """The nearest multiple of ``base``; a count halfway between two goes up.

    Raises
    ------
    ValueError
        If the count is negative or the base is not positive.
    """
    if count < 0 or base < 1:
        raise ValueError(f"a count of {count} cannot be rounded to multiples of {base}.")
    return (2 * count + base) // (2 * base) * base


def suppressed(
    counts: Mapping[Cell, int],
    identities: Iterable[Identity],
    rule: Disclosure,
    also: Collection[Cell] = (),
    keep: Collection[Cell] = (),
) -> set[Cell]:
    """Cells that must not be shown: small counts, and those from which a small count could be worked out.

    A small count is protected when a reader who knows every visible count exactly, every identity and the rules could
    still not exclude any value from 1 to below the minimum. As long as one is not, the smallest visible count beside it
    (above zero; the first of equals) is suppressed too: the usual complementary suppression in a row with a total,
    carried through chains and two-way tables.

    Parameters
    ----------
    counts : true counts by cell. Cells that are not published but can be read off as a difference belong here too.
    identities : sums between cells; those that do not hold are no help to anybody and are left aside.
    rule : the minimum count.
    also : cells that must not be shown for another reason, such as too few schools; the range that remains for one of
        them must be as wide.
    keep : cells that readers need most: suppressed to protect others only where nothing else does.
    """
    known = [identity for identity in identities if identity.holds(counts)]
    beside: dict[Cell, list[Identity]] = {}
    for identity in known:
        for cell in identity.cells:
            beside.setdefault(cell, []).append(identity)
    position = {cell: place for place, cell in enumerate(counts)}
    withheld, kept = frozenset(also), frozenset(keep)
    small = [cell for cell, count in counts.items() if is_small(count, rule) or (cell in withheld and count > 0)]
    hidden = set(small)
    at_risk = [cell for cell in small if cell in beside]
    for cell in at_risk:
        while not _protected(cell, counts, hidden, beside, rule):
            candidates = _visible_neighbours(_connected(cell, hidden, beside), counts, hidden, beside)
            # Without a visible count above zero beside it, only zeros are left to subtract.
            if not candidates:
                break
            hidden.add(min(candidates, key=lambda other: (other in kept, counts[other], position[other])))
    order = sorted(hidden - set(small), key=lambda other: (other not in kept, -counts[other], position[other]))
    return _without_needless(hidden, order, at_risk, counts, beside, rule)


def rounded(
    counts: Mapping[Cell, int], hidden: Collection[Cell], identities: Iterable[Identity], rule: Disclosure
) -> dict[Cell, int]:
    """Published counts: visible cells rounded; a total whose parts are all visible is the sum of the rounded parts.

    Identities are used in the order given, so a total that is a part of another one must come first. A total beside a
    hidden part is rounded by itself: the sum of the visible parts would understate it.
    """
    published = {cell: round_count(count, rule.round_to) for cell, count in counts.items() if cell not in hidden}
    for identity in identities:
        if identity.holds(counts) and all(cell in published for cell in identity.cells):
            published[identity.total] = sum(published[part] for part in identity.parts)
    return published


def _connected(cell: Cell, hidden: Collection[Cell], beside: Mapping[Cell, Sequence[Identity]]) -> list[Cell]:
    """Hidden cells that are tied to a hidden cell through identities, in the order in which they are met."""
    found = {cell: None}
    waiting = [cell]
    while waiting:
        for identity in beside.get(waiting.pop(), ()):
            for other in identity.cells:
                if other in hidden and other not in found:
                    found[other] = None
                    waiting.append(other)
    return list(found)


def _without_needless(
    hidden: set[Cell],
    order: Sequence[Cell],
    at_risk: Sequence[Cell],
    counts: Mapping[Cell, int],
    beside: Mapping[Cell, Sequence[Identity]],
    rule: Disclosure,
) -> set[Cell]:
    """The hidden cells without those of ``order``, in turn, whose showing leaves every count as protected as before."""
    safe = [cell for cell in at_risk if _protected(cell, counts, hidden, beside, rule)]
    for cell in order:
        tied = set(_connected(cell, hidden, beside))
        fewer = hidden - {cell}
        if all(_protected(other, counts, fewer, beside, rule) for other in safe if other in tied):
            hidden = fewer
    return hidden


def _visible_neighbours(
    cells: Iterable[Cell],
    counts: Mapping[Cell, int],
    hidden: Collection[Cell],
    beside: Mapping[Cell, Sequence[Identity]],
) -> list[Cell]:
    return [
        other
        for cell in cells
        for identity in beside.get(cell, ())
        for other in identity.cells
        if other not in hidden and counts[other] > 0
    ]


def _protected(
    cell: Cell,
    counts: Mapping[Cell, int],
    hidden: Collection[Cell],
    beside: Mapping[Cell, Sequence[Identity]],
    rule: Disclosure,
) -> bool:
    """Whether the range that remains for a hidden cell covers 1 to the largest small count.

    The range is found by two linear programmes: the hidden cells are unknowns of at least 1 (a zero would be shown),
    the identities are equations.
    """
    low, high = _range(cell, _connected(cell, hidden, beside), counts, hidden, beside)
    if not is_small(counts[cell], rule):
        return high - low >= rule.minimum_count - 2 - 1e-6
    return low <= _least(cell, counts, beside) + 1e-6 and high >= rule.minimum_count - 1 - 1e-6


def _least(cell: Cell, counts: Mapping[Cell, int], beside: Mapping[Cell, Sequence[Identity]]) -> int:
    """The least that a hidden count can be: 1, or the sum of the least that its parts above zero can be."""
    return max(
        1,
        *(
            sum(_least(part, counts, beside) for part in identity.parts if counts[part] > 0)
            for identity in beside.get(cell, ())
            if identity.total == cell
        ),
        1,
    )


def _range(
    cell: Cell,
    group: Sequence[Cell],
    counts: Mapping[Cell, int],
    hidden: Collection[Cell],
    beside: Mapping[Cell, Sequence[Identity]],
) -> tuple[float, float]:
    """Smallest and largest value of a hidden cell that fits all visible counts."""
    equations = []
    for identity in dict.fromkeys(identity for other in group for identity in beside.get(other, ())):
        signs: dict[Cell, int] = {}
        constant = 0
        for other, sign in ((identity.total, 1), *((part, -1) for part in identity.parts)):
            if other in hidden:
                signs[other] = signs.get(other, 0) + sign
            else:
                constant -= sign * counts[other]
        equations.append((signs, constant))
    if len(equations) == 1:
        return _range_in_one_sum(cell, *equations[0])
    return _range_by_programme(cell, group, equations)


def _range_in_one_sum(cell: Cell, signs: Mapping[Cell, int], constant: int) -> tuple[float, float]:
    """The range where all hidden cells stand in one sum, ``Σ sign · x = constant`` with every x at least 1."""
    others = [sign for other, sign in signs.items() if other != cell]
    # sign · x = constant - Σ others; the others can be as large as they like in the direction of their own sign.
    least, most = -inf if -1 in others else sum(others), inf if 1 in others else sum(others)
    ends = sorted(signs[cell] * (constant - end) for end in (least, most))
    return max(1.0, ends[0]), float(ends[1])


def _range_by_programme(
    cell: Cell, group: Sequence[Cell], equations: Sequence[tuple[Mapping[Cell, int], int]]
) -> tuple[float, float]:
    """The range where hidden cells are tied through several sums."""
    import numpy as np
    from scipy.optimize import linprog

    matrix = np.array([[float(signs.get(other, 0)) for other in group] for signs, _ in equations])
    right = np.array([float(constant) for _, constant in equations])
    ends = []
    for direction in (1.0, -1.0):
        objective = np.array([direction if other == cell else 0.0 for other in group])
        solution = linprog(objective, A_eq=matrix, b_eq=right, bounds=(1, None), method="highs")
        if solution.status == 3:
            ends.append(direction * -inf)
        elif solution.status == 0:
            ends.append(direction * float(solution.fun))
        else:
            raise ArithmeticError(f"the range of a suppressed count could not be worked out: {solution.message}")
    return ends[0], ends[1]
