"""Counts of people and the sums between them, as they are gathered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from plneval.release.disclosure import Cell, Identity


@dataclass
class Sums:
    """Counts and the sums between them, as they are gathered.

    Attributes
    ----------
    counts : true count by cell, ``(table, row, column)`` for published cells.
    protecting : all sums that a reader could use.
    adding : those by which totals are worked out from rounded parts, parts before totals.
    keep : cells that readers need most: the ends of a flow, totals, groups of all members.
    """

    counts: dict[Cell, int]
    protecting: list[Identity] = field(default_factory=list)
    adding: list[Identity] = field(default_factory=list)
    keep: set[Cell] = field(default_factory=set)

    def add(self, total: Cell, parts: Sequence[Cell], *, recompute: bool = False) -> None:
        """Note a sum; what the parts leave of the total becomes a cell of its own."""
        if total not in self.counts or any(part not in self.counts for part in parts):
            return
        rest = self.counts[total] - sum(self.counts[part] for part in parts)
        if rest < 0:
            return
        if rest > 0:
            remainder = ("rest", total, tuple(parts))
            self.counts[remainder] = rest
            parts = (*parts, remainder)
        identity = Identity(total, tuple(parts))
        self.protecting.append(identity)
        if recompute and rest == 0:
            self.adding.append(identity)
