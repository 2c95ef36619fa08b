"""Disclosure control of counts of people: what is suppressed, what is suppressed with it, and how the rest is rounded.

Pure functions on integers; they know of cells and of sums that hold between cells, and of no table or file.
The order matters: counts are suppressed first, on their true values, and rounded afterwards. Rounding first would turn
a true 8 into a 10 and let it through.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

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
    counts: Mapping[Cell, int], identities: Iterable[Identity], rule: Disclosure, also: Collection[Cell] = ()
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
    """
    known = [identity for identity in identities if identity.holds(counts)]
    beside: dict[Cell, list[Identity]] = {}
    for identity in known:
        for cell in identity.cells:
            beside.setdefault(cell, []).append(identity)
    position = {cell: place for place, cell in enumerate(counts)}
    withheld = frozenset(also)
    small = [cell for cell, count in counts.items() if is_small(count, rule) or (cell in withheld and count > 0)]
    hidden = set(small)
    unsure = [cell for cell in small if cell in beside]
    while unsure:
        cell = unsure[0]
        group = _connected(cell, hidden, beside)
        if _protected(cell, group, counts, hidden, beside, rule):
            unsure.pop(0)
            continue
        candidates = _visible_neighbours([cell], counts, hidden, beside) or _visible_neighbours(
            group, counts, hidden, beside
        )
        # With no visible count left beside it every sum around the cell has only hidden cells and zeros, and the
        # only way to be unprotected then is a chain of equal cells that ends in a zero: nothing is gained by more.
        if not candidates:
            unsure.pop(0)
            continue
        hidden.add(min(candidates, key=lambda other: (counts[other], position[other])))
        # What was safe before stays safe: hiding more only widens what a reader must allow for.
    return hidden


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
    group: Sequence[Cell],
    counts: Mapping[Cell, int],
    hidden: Collection[Cell],
    beside: Mapping[Cell, Sequence[Identity]],
    rule: Disclosure,
) -> bool:
    """Whether the range that remains for a hidden cell covers 1 to the largest small count.

    The range is found by two linear programmes: the hidden cells are unknowns of at least 1 (a zero would be shown),
    the identities are equations.
    """
    low, high = _range(cell, group, counts, hidden, beside)
    if not is_small(counts[cell], rule):
        return high - low >= rule.minimum_count - 2 - 1e-6
    return low <= 1 + 1e-6 and high >= rule.minimum_count - 1 - 1e-6


def _range(
    cell: Cell,
    group: Sequence[Cell],
    counts: Mapping[Cell, int],
    hidden: Collection[Cell],
    beside: Mapping[Cell, Sequence[Identity]],
) -> tuple[float, float]:
    """Smallest and largest value of a hidden cell that fits all visible counts."""
    import numpy as np
    from scipy.optimize import linprog

    column = {other: place for place, other in enumerate(group)}
    rows, right = [], []
    for identity in dict.fromkeys(identity for other in group for identity in beside.get(other, ())):
        row = [0.0] * len(group)
        constant = 0
        for other, sign in ((identity.total, 1), *((part, -1) for part in identity.parts)):
            if other in hidden:
                row[column[other]] += sign
            else:
                constant -= sign * counts[other]
        rows.append(row)
        right.append(float(constant))
    ends = []
    for direction in (1.0, -1.0):
        objective = np.zeros(len(group))
        objective[column[cell]] = direction
        solution = linprog(objective, A_eq=np.array(rows), b_eq=np.array(right), bounds=(1, None), method="highs")
        if solution.status == 3:
            ends.append(float("inf"))
        elif solution.status == 0:
            ends.append(float(solution.x[column[cell]]))
        else:
            raise ArithmeticError(f"the range of a suppressed count could not be worked out: {solution.message}")
    return ends[0], ends[1]
