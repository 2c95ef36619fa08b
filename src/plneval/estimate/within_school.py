"""Pupils of participants against other pupils of the same school and year: the contrast within schools."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval.estimate.fit import Basis, Estimate
from plneval.standards import load

Array = npt.NDArray[np.float64]


def within_school(rows: pd.DataFrame, group: pd.Series, column: str) -> list[tuple[Estimate, pd.Series | None]]:
    r"""Mean difference within school-years, from the third year on and by event time.

    For school-years s in which both groups have scores, :math:`\hat\delta = \sum_s w_s (\bar y_{s,direct} -
    \bar y_{s,indirect}) / \sum_s w_s` with :math:`w_s = n_d n_i / (n_d + n_i)`, the inverse of its variance but for a
    factor. The variance is summed over clusters; with few, each cluster's part is divided by
    :math:`\sqrt{1 - w_g/w}`, which makes it unbiased where clusters' variances are as 1/w_g, and t has Kish's
    effective number of clusters less 1.

    Parameters
    ----------
    rows : scores of one outcome: school, year, cluster, network, event_time, pupil and ``column``.
    group : 'direct' or 'indirect' for the scores that count; others are left out.

    Returns
    -------
    list
        ``within_school`` and ``within_school_event_time`` with their influence by cluster (None without an error).
    """
    kept = rows.loc[group.isin(["direct", "indirect"]) & rows[column].notna()].assign(group=group)
    keys = ["school", "year", "event_time", "cluster", "network"]
    by = kept.groupby([*keys, "group"])[column].agg(["mean", "size"]).unstack("group").dropna()
    if by.empty or by.columns.nlevels < 2 or len(by["mean"].columns) < 2:
        return []
    n = by["size"].astype("float64")
    table = pd.DataFrame(
        {
            "difference": by["mean"]["direct"] - by["mean"]["indirect"],
            "weight": n["direct"] * n["indirect"] / (n["direct"] + n["indirect"]),
        }
    ).reset_index()
    third = load("follow_up").headline_from_event_time
    found = []
    late = table.loc[table["event_time"] >= third]
    if len(late):
        found.append(_average(late, kept, "within_school", None))
    for time in sorted({int(time) for time in table["event_time"]}):
        found.append(_average(table.loc[table["event_time"] == time], kept, "within_school_event_time", time))
    return found


def _average(
    table: pd.DataFrame, scores: pd.DataFrame, estimand: str, time: int | None
) -> tuple[Estimate, pd.Series | None]:
    weight = table["weight"].to_numpy(dtype=np.float64)
    value = float(weight @ table["difference"].to_numpy(dtype=np.float64) / weight.sum())
    part = (weight / weight.sum() * (table["difference"] - value)).groupby(table["cluster"]).sum()
    share = pd.Series(weight / weight.sum()).groupby(table["cluster"].to_numpy()).sum()
    rules = load("cluster_rules")
    clusters = len(part)
    warnings: tuple[str, ...] = ()
    se, df, vcov, influence = None, None, "none", None
    if clusters < 2:
        warnings = ("no standard error: fewer than two clusters",)
    else:
        if clusters < rules.wild_bootstrap_minimum_treated:
            warnings = (f"only {clusters} clusters: the interval is unreliable",)
        few = clusters < rules.small_sample_below
        influence = part / np.sqrt(1 - share.reindex(part.index)) if few else part
        influence = pd.Series(influence.to_numpy(dtype=np.float64), index=pd.Index(part.index.astype("Int64")))
        se = math.sqrt(float((influence**2).sum()))
        df = max(1 / float((share**2).sum()) - 1, 1.0) if few else None
        vcov = f"small sample, t({df:.1f})" if df is not None else "cluster, normal"
        if se == 0:
            se, df, vcov, influence = None, None, "none", None
            warnings = ("no standard error: the data cannot give one",)
    return (
        Estimate(
            estimand,
            "" if time is None else f"e{time}",
            time,
            value,
            se,
            df,
            vcov,
            _basis(table, scores, clusters),
            warnings=warnings,
        ),
        influence,
    )


def _basis(table: pd.DataFrame, scores: pd.DataFrame, clusters: int) -> Basis:
    """Pupils of both groups of the school-years used; there are no comparison schools."""
    used = scores.merge(table[["school", "year"]], on=["school", "year"], how="inner")
    direct = used.loc[used["group"] == "direct", "pupil"]
    return Basis(
        n_scores=len(used),
        n_pupils=int(used["pupil"].nunique()),
        n_schools=int(table["school"].nunique()),
        n_networks=int(table["network"].nunique()),
        clusters_treated=clusters,
        clusters_comparison=None,
        n_treated=int(direct.nunique()),
    )
