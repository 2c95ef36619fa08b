r"""The gap's change and its parts again: gaps that would be, had only one thing changed.

With :math:`G(a, b)` the gap of the arm's schools had pupils been where they were at time a and scored as at time b, and
:math:`W(a, b)` the same within schools, the part of gaps within schools is the mean of W(0,1) − W(0,0) and
W(1,1) − W(1,0), that of where pupils are the mean of the same with times exchanged, and so for what lies between
schools, G − W. That is the Shapley value of two factors; the estimator multiplies changes by averages of both times.
"""

from __future__ import annotations

import math
from importlib.metadata import version

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval.challenge.recompute import Recomputed
from plneval.config.network_models import GapParts
from plneval.networks.study import NetworkStudy
from plneval.standards import load

Array = npt.NDArray[np.float64]
TERMS = ("total", "within_schools", "where_pupils_are", "schools_means", "sorting")


def gap_parts_again(study: NetworkStudy, spec: GapParts) -> list[Recomputed]:
    """How much more the gap narrowed in member than in comparison schools, by part, with jackknife errors.

    One cluster after the other is left out; only the changes of its arm are worked out anew.
    """
    column = "score" if study.cohort.outcomes[spec.outcome].standardise == "none" else "z"
    panel = study.pupil
    rows = panel[panel["outcome"] == spec.outcome].dropna(subset=[column, "disadvantaged"])
    if rows.empty:
        return []
    sums = _sums(rows, column)
    cells = _cells(sums)
    members = {cell: sums[(sums["arm"] == "member") & (sums["entry_year"] == cell[0])] for cell in cells}
    others = sums[sums["arm"] != "member"]
    of_members = {cell: _change(own, *cell[1:]) for cell, own in members.items()}
    of_others = {times: _change(others, *times) for times in {cell[1:] for cell in cells}}
    full = _mean(of_members, of_others)
    if full is None:
        return []
    without_member, without_other = [], []
    for cluster in sorted(set(sums.loc[sums["arm"] == "member", "cluster"])):
        own = {
            cell: _change(part[part["cluster"] != cluster], *cell[1:])
            if (part["cluster"] == cluster).any()
            else of_members[cell]
            for cell, part in members.items()
        }
        without_member.append(_mean(own, of_others))
    for cluster in sorted(set(others["cluster"])):
        rest = others[others["cluster"] != cluster]
        without_other.append(_mean(of_members, {times: _change(rest, *times) for times in of_others}))
    variances = [_jackknife(without_member), _jackknife(without_other)]
    by = f"statsmodels {version('statsmodels')}, gaps had one thing changed"
    found = []
    for place, term in enumerate(TERMS):
        known = [one[place] for one in variances if one is not None]
        se = math.sqrt(sum(known)) if len(known) == len(variances) else None
        found.append(Recomputed("gap_narrowed", term, float(full[place]), se, by))
    return found


def _sums(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """A row a school, year and group (0 others, 1 disadvantaged): n, y (mean), arm, entry_year, cluster."""
    keys = ["school", "year", "disadvantaged"]
    table = rows.astype({column: "float64"}).groupby(keys, as_index=False).agg(n=(column, "size"), y=(column, "mean"))
    about = rows.groupby("school")[["arm", "entry_year", "cluster"]].first()
    return table.merge(about, left_on="school", right_index=True).astype(
        {"school": "int64", "year": "int64", "disadvantaged": "int64", "cluster": "int64", "n": "float64"}
    )


def _cells(sums: pd.DataFrame) -> list[tuple[int, int, int]]:
    """Entry year, last year before it, and a year from the third on."""
    years = sorted(set(sums["year"]))
    third = load("follow_up").headline_from_event_time
    entries = sorted(set(sums.loc[sums["arm"] == "member", "entry_year"].dropna().astype("int64")))
    return [
        (entry, max(before), later)
        for entry in entries
        if (before := [year for year in years if year < entry])
        for later in years
        if later >= entry + third
    ]


def _change(schools: pd.DataFrame, before: int, later: int) -> tuple[Array, float] | None:
    """How much the gap narrowed (5,) between two years, and the pupils of the later one; None without both groups."""
    times = [schools[schools["year"] == year] for year in (before, later)]
    if any(own["disadvantaged"].nunique() < 2 for own in times):
        return None
    index = sorted(set(times[0]["school"]) | set(times[1]["school"]))
    share, score = zip(*(_of_time(own, index) for own in times), strict=True)
    known = [pair[:, 0] - pair[:, 1] for pair in score]
    score = tuple(_borrowed(score[t], np.nan_to_num(known[1 - t])) for t in (0, 1))
    score = tuple(np.where(np.isnan(score[t]), score[1 - t], score[t]) for t in (0, 1))
    within, between = np.empty((2, 2)), np.empty((2, 2))
    for a in (0, 1):
        for b in (0, 1):
            within[a, b] = _weighted_mean(score[b][:, 0] - score[b][:, 1], share[a].mean(axis=1))
            between[a, b] = _weighted_gap(score[b], share[a]) - within[a, b]
    parts = []
    for gap in (within, between):
        parts += [
            (gap[0, 1] - gap[0, 0] + gap[1, 1] - gap[1, 0]) / 2,
            (gap[1, 0] - gap[0, 0] + gap[1, 1] - gap[0, 1]) / 2,
        ]
    total = _plain_gap(times[1]) - _plain_gap(times[0])
    return -np.array([total, *parts]), float(times[1]["n"].sum())


def _of_time(own: pd.DataFrame, index: list[int]) -> tuple[Array, Array]:
    """(S, 2) where each group is, and schools' means less that of all pupils; NaN where there are none."""
    centred = own.assign(y=own["y"] - np.average(own["y"], weights=own["n"]))
    wide = [
        centred.pivot(index="school", columns="disadvantaged", values=name).reindex(index=index, columns=[0, 1])
        for name in ("n", "y")
    ]
    n = wide[0].fillna(0.0).to_numpy()
    return n / n.sum(axis=0), wide[1].to_numpy(dtype=np.float64)


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


def _plain_gap(own: pd.DataFrame) -> float:
    others, disadvantaged = (own[own["disadvantaged"] == group] for group in (0, 1))
    return float(
        np.average(others["y"], weights=others["n"]) - np.average(disadvantaged["y"], weights=disadvantaged["n"])
    )


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
