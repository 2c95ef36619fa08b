"""Means by year: comparison schools, members, and each entry group."""

from __future__ import annotations

import numpy as np
import pandas as pd

from plneval.describe.sample import Sample

COLUMNS = {
    "outcome": "str",
    "subgroup": "str",
    "group": "str",
    "year": "Int64",
    "mean_z": "float64",
    "se": "float64",
    "n_schools": "Int64",
    "n_pupils": "Int64",
}


def trends(sample: Sample) -> pd.DataFrame:
    """Mean of the modelled column by outcome, subgroup, group and year.

    ``group`` is 'comparison', 'member' (all that join) or an entry year. Means are over pupils where the design weighs
    by pupils and their numbers are known, over schools otherwise; ``mean_z`` of an outcome that is not standardised is
    in raw points. ``se`` is clustered by the unit of inference, missing with one cluster.
    """
    cells = sample.school
    groups = [
        cells.assign(group=cells["arm"]),
        cells.loc[cells["arm"] == "member"].assign(group=lambda rows: rows["entry_year"].astype("str")),
    ]
    stacked = pd.concat(groups, ignore_index=True)
    rows = []
    for (outcome, subgroup, group, year), part in stacked.groupby(["outcome", "subgroup", "group", "year"], sort=True):
        values = part.dropna(subset=[sample.modelled(str(outcome))])
        if values.empty:
            continue
        counted = bool(values["n"].notna().all())
        by_pupils = counted and sample.cohort.design.weight == "pupils"
        weight = values["n"].to_numpy(float) if by_pupils else np.ones(len(values))
        value = values[sample.modelled(str(outcome))].to_numpy(float)
        mean, se = clustered_mean(value, weight, values["cluster"].to_numpy("int64"))
        pupils = round(float(values["n"].sum())) if counted else None
        # The reference group's own mean is zero up to rounding, which may come out as -1e-17: that is zero.
        rows.append((outcome, subgroup, group, year, round(mean, 12) + 0.0, se, values["school"].nunique(), pupils))
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def clustered_mean(
    values: np.ndarray[tuple[int], np.dtype[np.float64]],
    weights: np.ndarray[tuple[int], np.dtype[np.float64]],
    clusters: np.ndarray[tuple[int], np.dtype[np.int64]],
) -> tuple[float, float]:
    """Weighted mean and its standard error clustered by cluster.

    SE² = G/(G − 1) Σ_g (Σ_{i in g} w_i (y_i − ȳ))² / (Σ w)²; NaN with one cluster. With clusters of one and equal
    weights this is s/√n.
    """
    mean = float(np.average(values, weights=weights))
    _, code = np.unique(clusters, return_inverse=True)
    sums = np.bincount(code, weights * (values - mean))
    number = len(sums)
    if number < 2:
        return mean, float("nan")
    return mean, float(np.sqrt(number / (number - 1) * (sums**2).sum()) / weights.sum())
