"""Which assignments of entry are equally likely: all of them, or a random sample, for randomisation tests."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from plneval.did.columns import Floats, Integers
from plneval.did.errors import DidError

# Numbers of one column worked on in one go: they stay in the cache, and memory does not grow with the draws.
CHUNK = 1 << 16
PERMUTE = ("unit", "cluster")


@dataclass(frozen=True)
class Exchange:
    """Items (units, or clusters of one entry) and who may change places with whom.

    Attributes
    ----------
    group
        (I,) the group each item is in, as observed.
    blocks
        Arrays (m, z) of items: m sets of z items. Sets of a block change places with one another, and items change
        places within their set. Each item is in one block.
    scheme
        ``"unit"``, ``"cluster"`` or ``"pattern"``: see :func:`exchange`.
    """

    group: Integers
    blocks: tuple[Integers, ...]
    scheme: str

    @property
    def largest(self) -> int:
        """The group with most items."""
        return int(np.argmax(np.bincount(self.group)))

    @property
    def order(self) -> Integers:
        """(I,) items sorted by group, the largest group last: slot s holds the group label of item ``order[s]``."""
        return self._sorted(self.group)

    def _sorted(self, group: Integers) -> Integers:
        return np.argsort(np.where(group == self.largest, len(group), group), axis=-1, kind="stable")

    @property
    def n_assignments(self) -> int:
        """How many different assignments there are, the observed one included."""
        return math.prod(_arrangements(self.group[block]) for block in self.blocks)

    def fixed(self) -> Integers:
        """Items of blocks with a single arrangement: their entry never changes."""
        found = [block.ravel() for block in self.blocks if _arrangements(self.group[block]) == 1]
        return np.sort(np.concatenate(found)) if found else np.array([], dtype=np.intp)

    def sample(self, draws: int, seed: int) -> Iterator[Integers]:
        """Batches of (draws, I) assignments: the item that gets the group label of each slot of ``order``."""
        rng = np.random.default_rng(seed)
        order = self.order
        slot = np.empty_like(order)
        slot[order] = np.arange(len(order))
        batch = max(1, CHUNK // len(order))
        for start in range(0, draws, batch):
            size = min(batch, draws - start)
            placed = np.empty((size, len(order)), dtype=np.intp)
            for block in self.blocks:
                rows = np.broadcast_to(np.arange(len(block)), (size, len(block)))
                found = block[rng.permuted(rows, axis=1)]
                if block.shape[1] > 1:
                    found = rng.permuted(found, axis=2)
                placed[:, slot[block.ravel()]] = found.reshape(size, -1)
            yield placed

    def enumerate(self) -> Iterator[Integers]:
        """Every assignment once, in batches as :meth:`sample`."""
        per_block = [_all_arrangements(self.group[block]) for block in self.blocks]
        batch = max(1, CHUNK // len(self.group))
        held: list[Integers] = []
        for combination in product(*per_block):
            group = self.group.copy()
            for block, found in zip(self.blocks, combination, strict=True):
                group[block.ravel()] = found
            held.append(self._sorted(group))
            if len(held) == batch:
                yield np.array(held)
                held = []
        if held:
            yield np.array(held)


def _patterns(group: Integers) -> list[tuple[int, ...]]:
    """The groups in each set of a block (m, z), sorted: what sets exchange."""
    return [tuple(int(one) for one in np.sort(row)) for row in group]


def _orders(values: Sequence[object]) -> int:
    """Different orders of values some of which are equal."""
    return math.factorial(len(values)) // math.prod(math.factorial(count) for count in Counter(values).values())


def _arrangements(group: Integers) -> int:
    patterns = _patterns(group)
    return _orders(patterns) * math.prod(_orders(pattern) for pattern in patterns)


def _distinct_orders(values: Sequence[tuple[int, ...]]) -> Iterator[list[tuple[int, ...]]]:
    """Every different order of values some of which are equal, in a fixed sequence."""
    left = Counter(values)
    keys = sorted(left)
    chosen: list[tuple[int, ...]] = []

    def extend() -> Iterator[list[tuple[int, ...]]]:
        if len(chosen) == len(values):
            yield list(chosen)
            return
        for key in keys:
            if left[key]:
                left[key] -= 1
                chosen.append(key)
                yield from extend()
                chosen.pop()
                left[key] += 1

    return extend()


def _all_arrangements(group: Integers) -> list[Integers]:
    """Every different way to fill a block with its groups, flattened."""
    found = []
    for patterns in _distinct_orders(_patterns(group)):
        within = [[[one[0] for one in order] for order in _distinct_orders([(g,) for g in p])] for p in patterns]
        found += [np.array(choice, dtype=np.intp).ravel() for choice in product(*within)]
    return found


def exchange(
    group: Integers, cluster: Integers, stratum: Integers, permute: str, names: tuple[str, str]
) -> tuple[Exchange, Integers]:
    """Decide what changes places.

    Parameters
    ----------
    group, cluster, stratum
        (U,) the group (entry), cluster and stratum of each unit.
    permute
        ``"unit"``: units change places within strata. ``"cluster"``: where every cluster holds one group only,
        clusters change places within strata, whatever their sizes (scheme ``"cluster"``); otherwise the clusters of
        a stratum that have the same number of units exchange their patterns (how many units enter when), and units
        change places within their cluster (scheme ``"pattern"``).
    names
        What units and clusters are called in messages.

    Returns
    -------
    Exchange, item : (U,)
        ``item`` is the item each unit belongs to.

    Raises
    ------
    DidError
        Clusters that reach over several strata, or a single possible assignment.
    """
    if permute == "unit":
        members = [np.flatnonzero(stratum == s)[:, None] for s in np.unique(stratum)]
        return _checked(Exchange(group, tuple(members), "unit"), names), np.arange(len(group))
    n_clusters = int(cluster.max()) + 1
    low, high = _range(stratum, cluster, n_clusters)
    if np.any(low != high):
        raise DidError(
            f"{names[1]}: {int(np.sum(low != high))} clusters reach over several strata: whole clusters are permuted "
            f"within strata; use coarser strata, or permute='unit' to permute {names[0]} one by one"
        )
    low_group, high_group = _range(group, cluster, n_clusters)
    if np.array_equal(low_group, high_group):
        members = [np.flatnonzero(low == s)[:, None] for s in np.unique(low)]
        return _checked(Exchange(low_group, tuple(members), "cluster"), names), cluster
    size = np.bincount(cluster, minlength=n_clusters)
    by_cluster = np.argsort(cluster, kind="stable")
    start = np.cumsum(size) - size
    blocks = []
    for s in np.unique(low):
        for z in np.unique(size[low == s]):
            first = start[(low == s) & (size == z)]
            blocks.append(by_cluster[first[:, None] + np.arange(z)])
    return _checked(Exchange(group, tuple(blocks), "pattern"), names), np.arange(len(group))


def _range(values: Integers, code: Integers, size: int) -> tuple[Integers, Integers]:
    """Smallest and largest value of each code."""
    low = np.full(size, np.iinfo(np.intp).max, dtype=np.intp)
    high = np.full(size, -1, dtype=np.intp)
    np.minimum.at(low, code, values)
    np.maximum.at(high, code, values)
    return low, high


def _checked(found: Exchange, names: tuple[str, str]) -> Exchange:
    if found.n_assignments == 1:
        remedy = "use coarser strata" if found.scheme == "unit" else f"permute='unit' permutes {names[0]} one by one"
        raise DidError(
            "there is only one way to assign the entries (no stratum, or no cluster size in it, holds two different "
            f"ones), so nothing can be compared with the one observed: {remedy}"
        )
    return found


def share_interval(count: int, draws: int, level: float = 0.95) -> Floats:
    """(2,) Clopper and Pearson's interval for a probability seen ``count`` times in ``draws``."""
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = betaincinv(count, draws - count + 1, tail) if count else 0.0
    high = betaincinv(count + 1, draws - count, 1 - tail) if count < draws else 1.0
    return np.array([low, high])
