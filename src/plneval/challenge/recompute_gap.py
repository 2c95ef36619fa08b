r"""The gap's change and its parts again: gaps that would be, had only one thing changed.

With :math:`G(a, b)` the gap of the arm's schools had pupils been where they were at time a and scored as at time b, and
:math:`W(a, b)` the same within schools, the part of gaps within schools is the mean of W(0,1) − W(0,0) and
W(1,1) − W(1,0), that of where pupils are the mean of the same with times exchanged, and so for what lies between
schools, G − W. That is the Shapley value of two factors; the estimator multiplies changes by averages of both times.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.metadata import version
from itertools import product

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval.challenge.recompute import Recomputed
from plneval.config.network_models import GapParts
from plneval.networks.study import NetworkStudy
from plneval.standards import load

Array = npt.NDArray[np.float64]
TERMS = ("total", "within_schools", "where_pupils_are", "schools_means", "sorting")


@dataclass(frozen=True)
class _Arm:
    """S schools: cluster (S,), and by year (S, 2) pupils and mean scores of others and of disadvantaged pupils."""

    cluster: npt.NDArray[np.int64]
    n: dict[int, Array]
    y: dict[int, Array]

    def without(self, cluster: int) -> _Arm:
        kept = self.cluster != cluster
        return _Arm(
            self.cluster[kept], *({year: rows[kept] for year, rows in part.items()} for part in (self.n, self.y))
        )


def gap_parts_again(study: NetworkStudy, spec: GapParts) -> list[Recomputed]:
    """How much more the gap narrowed in member than in comparison schools, by part, with jackknife errors.

    One cluster after the other is left out; only the changes of its arm are worked out anew.
    """
    column = "score" if study.cohort.outcomes[spec.outcome].standardise == "none" else "z"
    panel = study.pupil
    rows = panel[panel["outcome"] == spec.outcome].dropna(subset=[column, "disadvantaged"])
    rows = rows.astype({"year": "int64", "disadvantaged": "int64", column: "float64"})
    cells = _cells(rows)
    if not cells:
        return []
    years = sorted(set(rows["year"]))
    inside = rows["arm"] == "member"
    members = {
        entry: _arm(rows[inside & (rows["entry_year"] == entry)], column, years)
        for entry in {cell[0] for cell in cells}
    }
    others = _arm(rows[~inside], column, years)
    of_members = {cell: _change(members[cell[0]], *cell[1:]) for cell in cells}
    of_others = {times: _change(others, *times) for times in {cell[1:] for cell in cells}}
    full = _mean(of_members, of_others)
    if full is None:
        return []
    without_member: list[Array | None] = []
    for cluster in sorted(set(rows.loc[inside, "cluster"].astype("int64"))):
        anew = {
            cell: _change(members[cell[0]].without(cluster), *cell[1:])
            for cell in cells
            if cluster in members[cell[0]].cluster
        }
        without_member.append(_mean({**of_members, **anew}, of_others))
    without_other: list[Array | None] = []
    for cluster in sorted(set(others.cluster.tolist())):
        rest = others.without(cluster)
        without_other.append(_mean(of_members, {times: _change(rest, *times) for times in of_others}))
    variances = [_jackknife(without_member), _jackknife(without_other)]
    by = f"statsmodels {version('statsmodels')}, gaps had one thing changed"
    found = []
    for place, term in enumerate(TERMS):
        known = [one[place] for one in variances if one is not None]
        se = math.sqrt(sum(known)) if len(known) == len(variances) else None
        found.append(Recomputed("gap_narrowed", term, float(full[place]), se, by))
    return found


def _cells(rows: pd.DataFrame) -> list[tuple[int, int, int]]:
    """Entry year, last year before it, and a year from the third on."""
    years = sorted(set(rows["year"]))
    third = load("follow_up").headline_from_event_time
    entries = sorted(set(rows.loc[rows["arm"] == "member", "entry_year"].dropna().astype("int64")))
    return [
        (entry, max(before), later)
        for entry in entries
        if (before := [year for year in years if year < entry])
        for later in years
        if later >= entry + third
    ]


def _arm(rows: pd.DataFrame, column: str, years: list[int]) -> _Arm:
    by = rows.groupby(["school", "year", "disadvantaged"])[column]
    cluster = rows.groupby("school")["cluster"].first()
    n: dict[int, Array] = {}
    y: dict[int, Array] = {}
    for year in years:
        index = pd.MultiIndex.from_product([cluster.index, [year], [0, 1]])
        n[year] = np.asarray(by.size().reindex(index, fill_value=0), dtype=np.float64).reshape(-1, 2)
        y[year] = by.mean().reindex(index).to_numpy(dtype=np.float64).reshape(-1, 2)
    return _Arm(cluster.to_numpy(dtype=np.int64), n, y)


def _change(arm: _Arm, before: int, later: int) -> tuple[Array, float] | None:
    """How much the gap narrowed (5,) between two years, and the pupils of the later one; None without both groups."""
    n, y = (arm.n[before], arm.n[later]), (arm.y[before], arm.y[later])
    if any((own.sum(axis=0) == 0).any() for own in n):
        return None
    share = [own / own.sum(axis=0) for own in n]
    # Less the mean of all pupils of the time, so that a shift of all scores is in no part.
    score = [own - np.average(np.nan_to_num(own), weights=size) for own, size in zip(y, n, strict=True)]
    known = [own[:, 0] - own[:, 1] for own in score]
    score = [_borrowed(score[t], np.nan_to_num(known[1 - t])) for t in (0, 1)]
    score = [np.where(np.isnan(score[t]), score[1 - t], score[t]) for t in (0, 1)]
    # Schools without pupils at either time have no weight.
    score = [np.nan_to_num(own) for own in score]
    within, between = np.empty((2, 2)), np.empty((2, 2))
    for a, b in product((0, 1), repeat=2):
        within[a, b] = _weighted_mean(score[b][:, 0] - score[b][:, 1], share[a].mean(axis=1))
        between[a, b] = _weighted_gap(score[b], share[a]) - within[a, b]
    parts = []
    for gap in (within, between):
        parts.append((gap[0, 1] - gap[0, 0] + gap[1, 1] - gap[1, 0]) / 2)
        parts.append((gap[1, 0] - gap[0, 0] + gap[1, 1] - gap[0, 1]) / 2)
    total = _plain_gap(y[1], n[1]) - _plain_gap(y[0], n[0])
    return -np.array([total, *parts]), float(n[1].sum())


def _borrowed(score: Array, gap: Array) -> Array:
    """A group without pupils stands ``gap`` away from the other one of its school."""
    filled = score.copy()
    filled[:, 0] = np.where(np.isnan(score[:, 0]), score[:, 1] + gap, score[:, 0])
    filled[:, 1] = np.where(np.isnan(score[:, 1]), score[:, 0] - gap, score[:, 1])
    return filled


def _weighted_mean(values: Array, weight: Array) -> float:
    import statsmodels.api as sm

    return float(sm.WLS(values, np.ones((len(values), 1)), weights=weight).fit().params[0])


def _weighted_gap(score: Array, share: Array) -> float:
    """Others' mean less that of the disadvantaged: the coefficient of being neither, schools and groups as rows."""
    import statsmodels.api as sm

    group = np.repeat([1.0, 0.0], len(score))
    design = np.column_stack([np.ones(len(group)), group])
    return float(sm.WLS(score.T.ravel(), design, weights=share.T.ravel()).fit().params[1])


def _plain_gap(y: Array, n: Array) -> float:
    others, disadvantaged = (np.average(np.nan_to_num(y[:, group]), weights=n[:, group]) for group in (0, 1))
    return float(others - disadvantaged)


def _mean(
    of_members: dict[tuple[int, int, int], tuple[Array, float] | None],
    of_others: dict[tuple[int, int], tuple[Array, float] | None],
) -> Array | None:
    """Members less comparison over the cells that both arms have, weighted by members' pupils of the later year."""
    differences, weights = [], []
    for cell, own in of_members.items():
        other = of_others[cell[1:]]
        if own is not None and other is not None:
            differences.append(own[0] - other[0])
            weights.append(own[1])
    return np.average(differences, axis=0, weights=weights) if weights else None


def _jackknife(left_out: list[Array | None]) -> Array | None:
    """Variance (5,) from the results without one cluster of an arm each; None where one cluster cannot be spared."""
    usable = np.array([one for one in left_out if one is not None])
    if len(left_out) < 2 or len(usable) < len(left_out):
        return None
    n = len(usable)
    return np.asarray((n - 1) * usable.var(axis=0))
