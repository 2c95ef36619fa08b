"""Synthetic difference-in-differences again: diff-diff's effects and weights, one entry group at a time.

diff-diff knows one date of entry; groups are put together here, by treated school-years. Event times and the jackknife,
which leaves clusters out, are worked out by hand from diff-diff's weights.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval.challenge.recompute import Recomputed
from plneval.config.cohort import Cohort
from plneval.config.models import Synthetic
from plneval.standards import load

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Group:
    """One entry group: (years, schools) outcomes of its schools and the others, diff-diff's weights and clusters."""

    events: npt.NDArray[np.int64]
    before: npt.NDArray[np.bool_]
    own: Array
    others: Array
    by_school: Array
    by_year: Array
    own_cluster: npt.NDArray[np.int64]
    other_cluster: npt.NDArray[np.int64]
    att: float

    def effects(self, out: int | None = None) -> tuple[Array, int]:
        """(periods,) effects without the schools of cluster ``out``, and how many treated schools are left."""
        stays, kept = self.own_cluster != out, self.other_cluster != out
        weight = self.by_school * kept
        gap = self.own[:, stays].mean(axis=1) - self.others @ (weight / weight.sum())
        effects: Array = gap[~self.before] - float(self.by_year @ gap[self.before])
        return effects, int(stays.sum())


def synthetic_again(cohort: Cohort, spec: Synthetic, panel: Path, records: pd.DataFrame) -> list[Recomputed]:
    """The averages and the event times; standard errors of records that are jackknife ones.

    Parameters
    ----------
    records : of the model.
    """
    table = _table(cohort, spec, panel)
    third = load("follow_up").headline_from_event_time
    kinds = dict(zip(records["estimand"], records["vcov"].astype(str), strict=True))
    found: list[Recomputed] = []
    by = f"diff-diff {version('diff-diff')}"
    for estimand, start in (("att_overall", 0), ("att_third_year_on", third)):
        groups = _groups(table, start)
        if not groups:
            continue
        with_se = kinds.get(estimand, "").startswith("jackknife")
        found.append(_again(groups, estimand, "", None, by, with_se=with_se))
        if start == 0:
            events = sorted({int(event) for one in groups for event in one.events})
            found += [_again(groups, "att_event_time", f"e{e}", e, by, with_se=with_se) for e in events]
    return found


def _again(groups: list[_Group], estimand: str, term: str, event: int | None, by: str, *, with_se: bool) -> Recomputed:
    """An average over treated school-years, of all or of one event time."""

    def value(out: int | None) -> float:
        total = mass = 0.0
        for one in groups:
            effects, size = one.effects(out)
            if event is None and out is None:
                effects = np.full(len(effects), one.att)
            about = np.ones(len(effects), dtype=bool) if event is None else one.events == event
            total, mass = total + size * float(effects[about].sum()), mass + size * int(about.sum())
        return total / mass

    se = None
    if with_se:
        clusters = sorted({int(c) for one in groups for c in (*one.own_cluster, *one.other_cluster)})
        left = np.array([value(cluster) for cluster in clusters])
        se = math.sqrt((len(left) - 1) / len(left) * float(np.sum((left - left.mean()) ** 2)))
    return Recomputed(estimand, term, value(None), se, by)


def _table(cohort: Cohort, spec: Synthetic, panel: Path) -> pd.DataFrame:
    """School-years of schools seen in every outcome year, with y, entry (0: never) and cluster."""
    table = pd.read_parquet(panel / "panel_school.parquet")
    column = "score" if cohort.outcomes[spec.outcome].standardise == "none" else "z"
    rows = table[(table["outcome"] == spec.outcome) & (table["subgroup"] == spec.subgroup) & table[column].notna()]
    rows = rows.assign(y=rows[column].astype("float64"), entry=rows["entry_year"].astype("float64").fillna(0))
    if cohort.design.weight == "pupils":
        rows = rows[rows.groupby("school")["n"].transform("mean").astype("float64") > 0]
    rows = rows[rows["entry"] <= rows["year"].max()]
    rows = rows[rows.groupby("school")["year"].transform("size") == rows["year"].nunique()]
    whole: pd.DataFrame = rows[["school", "year", "y", "entry", "cluster"]]
    return whole.astype({"school": "int64", "year": "int64", "entry": "int64", "cluster": "int64"})


def _groups(table: pd.DataFrame, start: int) -> list[_Group]:
    """Every entry group with two years before it, and one from ``start`` years after it on."""
    years = np.sort(table["year"].unique())
    cluster = table.groupby("school")["cluster"].first()
    wide = table.pivot(index="year", columns="school", values="y")
    entry = table.groupby("school")["entry"].first()
    groups = []
    for year in sorted(set(entry[entry > 0])):
        used = years[(years < year) | (years >= year + start)]
        before = used < year
        if before.sum() < 2 or before.all():
            continue
        own, others = entry.index[entry == year], entry.index[entry == 0]
        by_school, by_year, att = _diff_diff(table, year, used)
        groups.append(
            _Group(
                (used[~before] - year).astype(np.int64),
                before,
                wide.loc[used, own].to_numpy(),
                wide.loc[used, others].to_numpy(),
                np.array([by_school.get(int(school), 0.0) for school in others]),
                np.array([by_year.get(int(one), 0.0) for one in used[before]]),
                cluster[own].to_numpy(),
                cluster[others].to_numpy(),
                att,
            )
        )
    return groups


def _diff_diff(
    table: pd.DataFrame, entry: int, used: npt.NDArray[np.int64]
) -> tuple[dict[int, float], dict[int, float], float]:
    """Weights by school and by year, and the effect, of one entry group."""
    from diff_diff import SyntheticDiD

    rows = table[table["entry"].isin([0, entry]) & table["year"].isin(used)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = SyntheticDiD(variance_method="jackknife", seed=1).fit(
            rows.assign(member=(rows["entry"] > 0).astype(int)),
            outcome="y",
            treatment="member",
            unit="school",
            time="year",
            post_periods=[int(year) for year in used[used >= entry]],
        )
    by_school = {int(school): float(weight) for school, weight in found.unit_weights.items()}
    by_year = {int(year): float(weight) for year, weight in found.time_weights.items()}
    return by_school, by_year, float(found.att)
