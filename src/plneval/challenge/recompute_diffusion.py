"""Effects on participants' and on colleagues' pupils again: means of schools by group, effects by statsmodels."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

import numpy as np
import pandas as pd

from plneval.challenge.recompute import Recomputed
from plneval.challenge.recompute_group_time import long_differences, stacked
from plneval.config.models import GroupTime
from plneval.config.network_models import Diffusion
from plneval.networks.exposure import taught_share
from plneval.networks.study import NetworkStudy
from plneval.standards import load

SIDES: Final = ("direct", "indirect")


def diffusion_again(study: NetworkStudy, spec: Diffusion) -> list[Recomputed]:
    """Both effects from the third year on, their difference and ratio, and the contrast within schools.

    Pupils are put into groups anew from the panel's membership and exposure; who stands for the time before joining,
    where it is not all pupils, is read from the lessons. The errors of the two effects are computed again where both
    arms have clusters enough for the sandwich, that of the contrast within schools always; those of difference and
    ratio are not.
    """
    scores = _scores(study, spec)
    third = load("follow_up").headline_from_event_time
    by = f"statsmodels {version('statsmodels')}, long differences of schools' means by group"
    found: list[Recomputed] = []
    value: dict[str, float] = {}
    for side in SIDES:
        rows, size = _school_years(scores, side, study.cohort.design.weight)
        late = [cell for cell in long_differences(rows, size, GroupTime.of(spec)) if cell.year - cell.group >= third]
        if late:
            value[side], se = stacked(late)
            found.append(Recomputed(f"att_{side}", "", value[side], se, by))
    if len(value) == len(SIDES):
        found.append(Recomputed("att_direct_less_indirect", "", value["direct"] - value["indirect"], None, by))
        if value["direct"]:
            found.append(Recomputed("mobilisation_ratio", "", value["indirect"] / value["direct"], None, by))
    return found + _within_schools(scores.loc[scores["event_time"] >= third])


def _scores(study: NetworkStudy, spec: Diffusion) -> pd.DataFrame:
    """Scores with ``y`` and ``group``: comparison, before (direct, indirect or both), direct, indirect, or neither."""
    panel = study.pupil
    column = "score" if study.cohort.outcomes[spec.outcome].standardise == "none" else "z"
    rows = panel[(panel["outcome"] == spec.outcome) & panel[column].notna()].reset_index(drop=True)
    if spec.subgroup != "all":
        rows = rows[rows["disadvantaged"] == int(spec.subgroup == "disadvantaged")].reset_index(drop=True)
    joined, inside = rows["treated"] == 1, rows["member"] == 1
    before = np.full(len(rows), "before", dtype=object)
    if spec.before == "later_participants":
        shares = taught_share(study.tables, "any_time").set_index(["pupil", "year", "outcome"])["share_direct"]
        share = shares.reindex(pd.MultiIndex.from_frame(rows[["pupil", "year", "outcome"]])).to_numpy(dtype="float64")
        before = np.select([np.isnan(share), share > 0], ["", "before_direct"], "before_indirect").astype(object)
    after = rows["exposure"].where(inside, "").to_numpy(dtype=object)
    group = np.select([rows["arm"] == "comparison", joined], ["comparison", after], before)
    return rows.assign(y=rows[column].astype("float64"), group=group).astype({"year": "int64", "school": "int64"})


def _school_years(scores: pd.DataFrame, side: str, weight: str) -> tuple[pd.DataFrame, pd.Series]:
    """School-years of one group of pupils, and the weight of each school."""
    own = scores[scores["group"].isin(["comparison", "before", f"before_{side}", side])]
    rows = own.groupby(["school", "year"], as_index=False).agg(
        y=("y", "mean"), n=("y", "size"), entry_year=("entry_year", "first"), cluster=("cluster", "first")
    )
    counted = rows[rows["entry_year"].isna() | (rows["year"] >= rows["entry_year"]).fillna(False)]
    size = counted.groupby("school")["n"].mean().astype("float64")
    return rows[rows["school"].isin(size.index)], size if weight == "pupils" else size * 0 + 1


def _within_schools(scores: pd.DataFrame) -> list[Recomputed]:
    """Mean of the two groups' difference over school-years, n_d n_i / (n_d + n_i) their weights.

    Regressed on a constant, a row a cluster, whose variance then is that of the sandwich by cluster: HC2 with few
    clusters (each cluster's part by what its own weight leaves), HC0 with enough.
    """
    import statsmodels.api as sm

    means, sizes = [], []
    for side in SIDES:
        y = scores[scores["group"] == side].groupby(["cluster", "school", "year"])["y"]
        means.append(y.mean())
        sizes.append(y.size().astype("float64"))
    both = pd.concat([*means, *sizes], axis=1, join="inner", keys=["mean_d", "mean_i", "n_d", "n_i"])
    if both.empty:
        return []
    weight = both["n_d"] * both["n_i"] / (both["n_d"] + both["n_i"])
    mass = weight.groupby("cluster").sum()
    mean = (weight * (both["mean_d"] - both["mean_i"])).groupby("cluster").sum() / mass
    few = len(mass) < load("cluster_rules").small_sample_below
    fit = sm.WLS(mean.to_numpy(), np.ones((len(mass), 1)), weights=mass.to_numpy()).fit(cov_type="HC0")
    se = float(fit.HC2_se[0] if few else fit.HC0_se[0]) if len(mass) > 1 else None
    by = f"statsmodels {version('statsmodels')}, weighted mean of clusters' differences"
    return [Recomputed("within_school", "", float(fit.params[0]), se or None, by)]
