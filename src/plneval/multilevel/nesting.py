"""Whether groups lie within one another, and who breaks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from plneval.multilevel.formula import Grouping
from plneval.multilevel.reading import Groups


@dataclass(frozen=True)
class Nesting:
    """How the grouping factors of a formula lie within one another in the data.

    Attributes
    ----------
    order
        Positions of the grouping factors, innermost first (by decreasing number of groups).
    sizes
        Number of groups of each, in that order.
    nested
        Whether every group lies in one group of the next.
    notes
        What is worth telling, each with a count: groups that lie in several others, ids that recur.
    """

    order: tuple[int, ...]
    sizes: tuple[int, ...]
    nested: bool
    notes: tuple[tuple[str, int], ...]


def find_nesting(groupings: Sequence[Grouping], groups: Sequence[Groups], columns: Mapping[str, Groups]) -> Nesting:
    """Order grouping factors and check that they are nested.

    Parameters
    ----------
    groupings, groups
        The grouping factors and the groups of each row (or of each distinct combination of groups); none missing.
    columns
        The single columns behind them.
    """
    sizes = [group_count(each) for each in groups]
    order = sorted(range(len(groupings)), key=lambda at: (-sizes[at], at))
    notes: list[tuple[str, int]] = []
    nested = True
    for inner, outer in pairwise(order):
        if set(groupings[outer].columns) <= set(groupings[inner].columns):
            continue
        count = in_several(groups[inner], groups[outer])
        if count:
            nested = False
            name, other = groupings[inner].name, groupings[outer].name
            notes.append((f"{name}: in more than one {other}, so {name} and {other} are crossed", count))
    for at in order:
        grouping = groupings[at]
        if not grouping.from_slash:
            continue
        name = grouping.columns[0]
        count = in_several(columns[name], groups[at])
        if count:
            notes.append((f"{name}: ids that recur within other groups, counted apart as {grouping.name}", count))
    return Nesting(tuple(order), tuple(sizes[at] for at in order), nested, tuple(notes))


def group_count(groups: Groups) -> int:
    """How many groups have rows."""
    return int(np.count_nonzero(np.bincount(groups.codes, minlength=len(groups.labels))))


def in_several(inner: Groups, outer: Groups) -> int:
    """How many of the inner groups lie in more than one outer group."""
    outer_of = np.full(len(inner.labels), -1, dtype=outer.codes.dtype)
    outer_of[inner.codes] = outer.codes
    elsewhere = outer_of[inner.codes] != outer.codes
    return len(np.unique(inner.codes[elsewhere])) if elsewhere.any() else 0
