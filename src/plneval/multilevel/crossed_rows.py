"""Rows of crossed levels, collapsed for repeated evaluation: the level with most groups is eliminated group by group.

A group of that level (a pupil) touches few groups of the others (the schools it went to): its profile. Groups with one
profile share their columns [X, y, Z of the profile's groups], so they are to the profile what pupils are to a school.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from plneval.multilevel.design import Design, Floats, Integers, Level
from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.problem import Problem
from plneval.multilevel.segments import counting_sort, gram_runs, pack, run_pointers, sum_runs
from plneval.multilevel.statistics import DROPPED_COLUMNS, Statistics
from plneval.multilevel.units import Cells, Units, compress
from plneval.multilevel.working import Centre, Model, working_rows

# Most outer groups that one group may touch, and most outer effects, for the crossed engine.
TOUCHED = 60
EFFECTS = 3_000


@dataclass(frozen=True)
class ProfileClass:
    """All profiles with as many groups of each outer level.

    Attributes
    ----------
    problem
        One level, with a parent for each profile; columns are [X, y, Z of each touched group].
    places
        (profiles, r) where each of these columns is among [X, y, all outer effects].
    """

    problem: Problem
    places: Integers


@dataclass(frozen=True)
class CrossedData:
    """The rows of crossed levels, collapsed.

    Attributes
    ----------
    statistics
        Their sums, without groups: what does not depend on the groups (columns, counts) is read from here.
    classes
        The profiles.
    widths, sizes
        For each outer level the effects of a group and the number of groups.
    squares
        For each level the sums of squares of its columns of Z.
    """

    statistics: Statistics
    classes: tuple[ProfileClass, ...]
    widths: tuple[int, ...]
    sizes: tuple[int, ...]
    squares: tuple[Floats, ...]

    @property
    def effects(self) -> int:
        """Random effects of the outer levels."""
        return sum(width * size for width, size in zip(self.widths, self.sizes, strict=True))


class TooCrossedError(MultilevelError):
    """Levels so crossed that this engine would need too much memory or time."""


def pooled(designs: list[Design]) -> Design:
    """All designs as one, with labels in common."""
    if len(designs) == 1:
        return designs[0]
    first = designs[0]
    levels = []
    for k, level in enumerate(first.levels):
        each = [design.levels[k].labels.take(np.asarray(design.levels[k].codes)) for design in designs]
        codes, labels = pd.factorize(each[0].append(each[1:]))
        levels.append(replace(level, codes=codes, labels=pd.Index(labels)))
    columns = [np.concatenate([np.asarray(d.columns[i]) for d in designs]) for i in range(len(first.names))]
    weights = None if first.weights is None else np.concatenate([np.asarray(d.weights) for d in designs])
    y = np.concatenate([np.asarray(d.y) for d in designs])
    return replace(first, y=y, columns=tuple(columns), levels=tuple(levels), weights=weights)


def collapse(design: Design, statistics: Statistics) -> CrossedData:
    """Collapse the rows of crossed levels, centred as their pooled statistics are.

    Raises
    ------
    TooCrossedError
        A group touches very many groups of the others, or these have very many effects.
    """
    design = compact(design)
    model = Model.of(design)
    working = model.working
    outer = design.levels[1:]
    widths = tuple(len(columns) for columns in working.random[1:])
    sizes = tuple(len(level.labels) for level in outer)
    if sum(width * size for width, size in zip(widths, sizes, strict=True)) > EFFECTS:
        raise TooCrossedError(f"the crossed levels have more than {EFFECTS} random effects")
    rows = working_rows(design, working, statistics.centre, None)
    unit, units = np.asarray(design.levels[0].codes, dtype=np.intp), len(design.levels[0].labels)
    touched = [_touched(unit, units, np.asarray(level.codes, dtype=np.intp), len(level.labels)) for level in outer]
    if max(int(groups.shape[1]) for groups, _ in touched) > TOUCHED:
        raise TooCrossedError(f"a group of {design.levels[0].name} lies in more than {TOUCHED} groups of another level")
    base = np.append(working.fixed, working.outcome)
    starts = len(base) + np.cumsum([0, *(width * size for width, size in zip(widths, sizes, strict=True))])
    counts = np.stack([(groups >= 0).sum(axis=1) for groups, _ in touched], axis=1)
    kinds, kind = np.unique(counts, axis=0, return_inverse=True)
    classes = []
    for at, slots in enumerate(kinds):
        chosen = kind.ravel() == at
        classes.append(_class_of(rows, unit, chosen, slots, touched, base, model, starts))
    squares = tuple(np.asarray((rows[:, columns] ** 2).sum(axis=0), dtype=np.float64) for columns in working.random)
    return CrossedData(statistics, tuple(classes), widths, sizes, squares)


def compact(design: Design) -> Design:
    """The design with codes that count the groups that have rows."""
    return replace(design, levels=tuple(_compact(level) for level in design.levels))


def _compact(level: Level) -> Level:
    """The level without labels that no row has."""
    codes = np.asarray(level.codes, dtype=np.intp)
    here = np.bincount(codes, minlength=len(level.labels)) > 0
    if here.all():
        return replace(level, codes=codes)
    return replace(level, codes=(np.cumsum(here) - 1)[codes], labels=level.labels[here])


def _touched(unit: Integers, units: int, code: Integers, size: int) -> tuple[Integers, Integers]:
    """(units, most) groups that each unit touches (−1: no more), and for each row which of its unit's it is in."""
    pairs, pair = np.unique(unit * size + code, return_inverse=True)
    of_pair = pairs // size
    pointers = run_pointers(of_pair, units)
    slot = np.arange(len(pairs)) - pointers[of_pair]
    groups = np.full((units, int(np.diff(pointers).max())), -1, dtype=np.intp)
    groups[of_pair, slot] = pairs % size
    return groups, slot[pair.ravel()]


def _class_of(
    rows: Floats,
    unit: Integers,
    chosen: Integers,
    slots: Integers,
    touched: list[tuple[Integers, Integers]],
    base: Integers,
    model: Model,
    starts: Integers,
) -> ProfileClass:
    """The profiles of the chosen units, which touch ``slots`` groups of each outer level."""
    working = model.working
    places = np.flatnonzero(chosen)
    keys = np.concatenate([groups[places, :count] for (groups, _), count in zip(touched, slots, strict=True)], axis=1)
    profiles, profile = np.unique(keys, axis=0, return_inverse=True)
    profile = profile.ravel()
    # Units by profile, rows by unit.
    order = counting_sort(profile, len(profiles))
    rank = np.full(len(chosen), -1, dtype=np.intp)
    rank[places[order]] = np.arange(len(places))
    taken = np.flatnonzero(chosen[unit])
    taken = taken[counting_sort(rank[unit[taken]], len(places))]
    own = working.random[0]
    local = [rows[taken][:, base]]
    columns = [np.broadcast_to(np.arange(len(base)), (len(profiles), len(base)))]
    first = 0
    for level, ((_, slot), count) in enumerate(zip(touched, slots, strict=True)):
        z = rows[taken][:, working.random[level + 1]]
        for s in range(count):
            local.append(z * (slot[taken] == s)[:, None])
            start = starts[level] + profiles[:, first + s, None] * z.shape[1]
            columns.append(start + np.arange(z.shape[1]))
        first += count
    r = sum(part.shape[1] for part in local)
    # Z of the level itself stands last: it is needed for B = Z'U only.
    numbers = np.concatenate([*local, rows[taken][:, own]], axis=1)
    pointers = run_pointers(rank[unit[taken]], len(places))
    products = np.stack([sum_runs(numbers, pointers, np.ascontiguousarray(rows[taken][:, at])) for at in own], axis=1)
    sorted_profile = profile[order]
    rows_of = np.bincount(sorted_profile, np.diff(pointers), len(profiles)).astype(np.intp)
    units = Units(sorted_profile, products, None)
    own_local = r + np.arange(len(own))
    cells = compress(units, own_local, r)
    empty = Units.none(len(own), r + len(own))
    return ProfileClass(
        Problem(
            n=len(taken),
            sum_log_weights=0.0,
            fixed=np.arange(len(base) - 1),
            outcome=len(base) - 1,
            own=own_local,
            random=(),
            units=units if cells is None else empty,
            cells=Cells.none(len(own), r) if cells is None else cells,
            rows=rows_of,
            cross=gram_runs(numbers[:, :r], np.r_[0, np.cumsum(rows_of)]),
            parents=(),
            orders=(),
        ),
        np.concatenate(columns, axis=1),
    )


def pooled_statistics(design: Design) -> Statistics:
    """The sums of crossed rows that do not depend on their groups."""
    design = compact(design)
    model = Model.of(design)
    working = model.working
    centre = Centre.of(design, working)
    kept = working_rows(design, working, centre, None)[:, : working.kept]
    weights = design.weights
    return Statistics(
        model=model,
        centre=centre,
        n=len(design.y),
        sum_log_weights=0.0 if weights is None else float(np.log(weights).sum()),
        labels=tuple(level.labels for level in design.levels),
        sizes=tuple(len(level.labels) for level in design.levels),
        parents=(),
        rows=np.array([len(design.y)]),
        cross=pack(kept.T @ kept)[None],
        units=Units.none(len(working.random[0]), len(working.sources)),
        cells=Cells.none(len(working.random[0]), working.kept),
        dropped=pd.DataFrame(columns=DROPPED_COLUMNS),
    )
