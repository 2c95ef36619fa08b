"""The gap between disadvantaged and other pupils: how its change divides into parts within and between schools."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.standards import load

Floats = NDArray[np.float64]
PARTS = ("within_gap", "within_weight", "between_mean", "between_sorting")
"""Parts of a change of the gap, which sum to it. ``within_gap``: gaps within schools changed; ``within_weight``: more
pupils are in schools with large gaps; ``between_mean``: schools that others attend more often changed their means;
``between_sorting``: the two groups attend other schools than before."""
CHANGES = {
    "outcome": "str",
    "arm": "str",
    "part": "str",
    "change": "float64",
    "se": "float64",
    "df": "float64",
    "ci_low": "float64",
    "ci_high": "float64",
    "n_schools": "Int64",
    "n_pupils": "Int64",
    "clusters": "Int64",
    "group_times": "Int64",
}


@dataclass(frozen=True)
class SchoolMeans:
    """Means of both groups of pupils in S schools at one time; row 0 others, row 1 disadvantaged.

    Attributes
    ----------
    n, total : (2, S) number of pupils and sum of their scores.
    """

    n: Floats
    total: Floats

    @property
    def share(self) -> Floats:
        """(2, S) where each group is: its pupils in a school over all its pupils."""
        return np.asarray(self.n / self.n.sum(axis=1, keepdims=True))

    @property
    def centred(self) -> Floats:
        """(2, S) means less the mean of all pupils, NaN where a school has none of a group."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.where(self.n > 0, self.total / self.n, np.nan) - self.total.sum() / self.n.sum())

    @property
    def gap(self) -> float:
        """Mean of other pupils less mean of disadvantaged pupils."""
        means = self.total.sum(axis=1) / self.n.sum(axis=1)
        return float(means[0] - means[1])

    @property
    def complete(self) -> bool:
        """Whether both groups have pupils."""
        return bool((self.n.sum(axis=1) > 0).all())


def decompose_gap(now: SchoolMeans) -> dict[str, float]:
    r"""The gap at one time: its part within schools and its part between schools (Kitagawa 1955).

    With the share :math:`p_{gs}` of group g's pupils in school s and their mean :math:`\bar y_{gs}` (o others, d
    disadvantaged), gap = :math:`\sum_s \tfrac12 (p_{os} + p_{ds})(\bar y_{os} - \bar y_{ds})` (within) +
    :math:`\sum_s (p_{os} - p_{ds}) \tfrac12 (\bar y_{os} + \bar y_{ds})` (between).

    # ASSUME: a school without pupils of one group has no gap of its own; it counts as between schools.

    Returns
    -------
    gap, within, between; gap = within + between.
    """
    gap, mean = _filled(now.centred, np.zeros(now.n.shape[1]))
    weight, sorting = _weights(now)
    # A school without pupils has no mean, and no weight either.
    within, between = float(weight @ gap), float(sorting @ np.nan_to_num(mean))
    return {"gap": now.gap, "within": within, "between": between}


def decompose_change(before: SchoolMeans, after: SchoolMeans) -> dict[str, float]:
    r"""Change of the gap between two times, divided into ``PARTS`` (Kitagawa, twofold, averaged weights).

    With :math:`\delta_s = \bar y_{os} - \bar y_{ds}`, :math:`m_s` the mean of the two means, :math:`w_s` the mean and
    :math:`q_s` the difference of the two shares, bars for the mean of both times and Δ for the change:
    Δgap = :math:`\sum \bar w \Delta\delta + \sum \bar\delta \Delta w + \sum \bar q \Delta m + \sum \bar m \Delta q`.
    Means are taken from the mean of all pupils of their time, so that a shift of all scores is in no part.

    # ASSUME: a school whose gap is not known at one time (it has no pupil of one group) has that of the other time, or
    none; a school that is there at one time only has the means of that time. The four parts sum to the change exactly.

    Returns
    -------
    total (the change) and ``PARTS``; a positive number widens the gap.
    """
    means = before.centred, after.centred
    gap0, gap1 = (own[0] - own[1] for own in means)
    # Each time borrows from the other what it lacks.
    gap0, mean0 = _filled(means[0], np.nan_to_num(np.where(np.isnan(gap0), gap1, gap0)))
    gap1, mean1 = _filled(means[1], np.nan_to_num(np.where(np.isnan(gap1), gap0, gap1)))
    mean0, mean1 = np.where(np.isnan(mean0), mean1, mean0), np.where(np.isnan(mean1), mean0, mean1)
    (weight0, sorting0), (weight1, sorting1) = _weights(before), _weights(after)
    parts = (
        (weight0 + weight1) / 2 @ (gap1 - gap0),
        (gap0 + gap1) / 2 @ (weight1 - weight0),
        (sorting0 + sorting1) / 2 @ np.nan_to_num(mean1 - mean0),
        np.nan_to_num((mean0 + mean1) / 2) @ (sorting1 - sorting0),
    )
    return {"total": after.gap - before.gap, **{name: float(v) for name, v in zip(PARTS, parts, strict=True)}}


def _weights(now: SchoolMeans) -> tuple[Floats, Floats]:
    others, disadvantaged = now.share
    return (others + disadvantaged) / 2, others - disadvantaged


def _filled(means: Floats, gap: Floats) -> tuple[Floats, Floats]:
    """Gap of each school and the middle of its two means; a missing group's mean is put ``gap`` away from the other.

    A school without any pupils has ``gap`` and NaN.
    """
    others = np.where(np.isnan(means[0]), means[1] + gap, means[0])
    disadvantaged = np.where(np.isnan(means[1]), means[0] - gap, means[1])
    return np.where(np.isnan(others), gap, others - disadvantaged), (others + disadvantaged) / 2


def gap_change(panel: pd.DataFrame, outcome: str, column: str = "z") -> pd.DataFrame:
    """Change of the gap from before joining to the third year on, in member and in comparison schools, by part.

    For every entry group and every outcome year from the headline's event time on, the change since the group's last
    outcome year before joining is divided for the group's schools and for the schools that never join, in the same two
    years; cells are averaged with the group's pupils of the later year as weights, in both arms. ``arm`` 'difference'
    is member less comparison: the effect on the gap by part, if gaps and sorting would have moved alike. Standard
    errors are delete-one-cluster jackknife, stratified by arm; missing with one cluster in an arm. Intervals are by t,
    with the arm's clusters less 1 as ``df``, for the difference those of the arm with fewer.

    Parameters
    ----------
    panel
        Pupil panel of prepare; pupils whose disadvantage is not known are left out.
    column
        The scores: z (default), z_fixed or score.

    Returns
    -------
    pandas.DataFrame
        Columns ``CHANGES``: 5 parts ('total' and ``PARTS``) for each of 'member', 'comparison', 'difference'; negative
        numbers narrow the gap. Empty where no cell has both groups in both years and arms.
    """
    grid = _Grid.of(panel.loc[panel["outcome"] == outcome].dropna(subset=[column, "disadvantaged"]), column)
    cells = grid.group_times()
    everybody = np.ones(len(grid.cluster), dtype=bool)
    full = grid.changes(cells, everybody)
    if full is None:
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in CHANGES.items()})
    variance = np.zeros_like(full)
    for member in (True, False):
        own = np.unique(grid.cluster[grid.member == member])
        left_out = [grid.changes(cells, grid.cluster != cluster) for cluster in own]
        usable = np.array([found for found in left_out if found is not None])
        if len(own) < 2 or len(usable) < len(own):
            # A cluster without which nothing can be computed leaves the standard error unknown.
            variance[:] = np.nan
            continue
        variance += (len(own) - 1) / len(own) * ((usable - usable.mean(axis=0)) ** 2).sum(axis=0)
    arms = {"member": grid.member, "comparison": ~grid.member, "difference": everybody}
    clusters = {arm: len(np.unique(grid.cluster[chosen])) for arm, chosen in arms.items()}
    df = {arm: n - 1 for arm, n in clusters.items()} | {
        "difference": min(clusters["member"], clusters["comparison"]) - 1
    }
    rows = []
    for place, (arm, chosen) in enumerate(arms.items()):
        counts = (*grid.counted(cells, chosen), clusters[arm], len(cells))
        for number, part in enumerate(("total", *PARTS)):
            estimate, se = full[place, number], np.sqrt(variance[place, number])
            rows.append((outcome, arm, part, estimate, se, df[arm], *_interval(estimate, se, df[arm]), *counts))
    return pd.DataFrame(rows, columns=list(CHANGES)).astype(CHANGES)


def _interval(estimate: float, se: float, df: int) -> tuple[float, float]:
    from scipy import stats

    level = load("effect_size").confidence_level
    half = float(stats.t.ppf((1 + level) / 2, df)) * se
    return estimate - half, estimate + half


@dataclass(frozen=True)
class _Grid:
    """Pupils and sums of scores of both groups: n, total (2, S, T); member, cluster, entry (S,); years (T,)."""

    n: Floats
    total: Floats
    member: NDArray[np.bool_]
    cluster: NDArray[np.int64]
    entry: Floats
    years: NDArray[np.int64]

    @classmethod
    def of(cls, rows: pd.DataFrame, column: str) -> _Grid:
        schools = rows.drop_duplicates("school").sort_values("school")
        years = np.sort(rows["year"].unique().astype("int64"))
        school = np.searchsorted(schools["school"].to_numpy("int64"), rows["school"].to_numpy("int64"))
        place = np.ravel_multi_index(
            (rows["disadvantaged"].to_numpy("int64"), school, np.searchsorted(years, rows["year"].to_numpy("int64"))),
            shape := (2, len(schools), len(years)),
        )
        size = int(np.prod(shape))
        return cls(
            n=np.bincount(place, minlength=size).astype(float).reshape(shape),
            total=np.bincount(place, rows[column].to_numpy(float), minlength=size).astype(float).reshape(shape),
            member=(schools["arm"] == "member").to_numpy(),
            cluster=schools["cluster"].to_numpy("int64"),
            entry=schools["entry_year"].to_numpy(dtype="float64", na_value=np.nan),
            years=years,
        )

    def group_times(self) -> list[tuple[float, int, int]]:
        """(entry year, place of the year before joining, place of a later year) of every cell that counts."""
        start = load("follow_up").headline_from_event_time
        found = []
        for entry in np.unique(self.entry[self.member]).tolist():
            earlier = np.flatnonzero(self.years < entry)
            later = np.flatnonzero(self.years >= entry + start)
            found += [(entry, int(earlier[-1]), int(place)) for place in later if len(earlier)]
        return found

    def changes(self, cells: list[tuple[float, int, int]], keep: NDArray[np.bool_]) -> Floats | None:
        """(3, 5) changes of member, comparison and their difference by part; None where no cell can be computed."""
        sums, weights = np.zeros((2, 1 + len(PARTS))), 0.0
        for entry, before, after in cells:
            arms = [keep & self.member & (self.entry == entry), keep & ~self.member]
            times = [[self._means(arm, time) for time in (before, after)] for arm in arms]
            if not all(own.complete for pair in times for own in pair):
                continue
            weight = float(times[0][1].n.sum())
            sums += weight * np.array([list(decompose_change(*pair).values()) for pair in times])
            weights += weight
        if not weights:
            return None
        member, comparison = sums / weights
        return np.array([member, comparison, member - comparison])

    def _means(self, schools: NDArray[np.bool_], time: int) -> SchoolMeans:
        return SchoolMeans(self.n[:, schools, time], self.total[:, schools, time])

    def counted(self, cells: list[tuple[float, int, int]], chosen: NDArray[np.bool_]) -> tuple[int, int]:
        """Schools, and pupils' scores of the later years, that are in some cell."""
        used = np.zeros(self.n.shape[1:], dtype=bool)
        for entry, _, after in cells:
            used[chosen & (~self.member | (self.entry == entry)), after] = True
        used &= self.n.sum(axis=0) > 0
        return int(used.any(axis=1).sum()), int(self.n.sum(axis=0)[used].sum())
