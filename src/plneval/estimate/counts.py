"""How many pupils, schools, networks and scores stand behind an estimate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from plneval.estimate.fit import Basis
from plneval.estimate.sample import SchoolSample


class PupilCounts:
    """Distinct pupils in any set of school-years of one outcome and subgroup.

    Parameters
    ----------
    pupils : columns school, year, pupil; empty for school-level studies.
    """

    def __init__(self, pupils: pd.DataFrame) -> None:
        self.known = not pupils.empty
        key = school_years(pupils)
        order = np.argsort(key, kind="stable")
        self._key = key[order]
        self._pupil = pupils["pupil"].to_numpy(dtype=np.int64)[order]

    @classmethod
    def read(cls, panel: Path, outcome: str, subgroup: str) -> PupilCounts:
        """Read the pupils of an outcome and a subgroup (``gap``: of both) from ``panel_pupil.parquet``."""
        columns = ["school", "year", "pupil", "outcome", "disadvantaged"]
        table = pq.read_table(
            panel / "panel_pupil.parquet", columns=columns, filters=[("outcome", "==", outcome)]
        ).to_pandas()
        if subgroup == "gap":
            table = table.loc[table["disadvantaged"].notna()]
        elif subgroup != "all":
            table = table.loc[table["disadvantaged"] == (1 if subgroup == "disadvantaged" else 0)]
        return cls(table[["school", "year", "pupil"]])

    def distinct(self, keys: np.ndarray) -> int | None:
        """Distinct pupils within the school-years (see :func:`school_years`); missing for school-level studies."""
        if not self.known:
            return None
        return int(np.unique(self._pupil[np.isin(self._key, keys)]).size)


def school_years(table: pd.DataFrame) -> np.ndarray:
    """One number for each row's school and year."""
    return np.asarray(table["school"].to_numpy(dtype=np.int64) * 10_000 + table["year"].to_numpy(dtype=np.int64))


def basis_of(
    sample: SchoolSample, pupils: PupilCounts, used: pd.Series, treated: pd.Series, clusters: tuple[int, int]
) -> Basis:
    """Count what stands behind an estimate.

    Parameters
    ----------
    used : boolean over ``sample.rows``: the school-years that enter the estimate.
    treated : boolean: the school-years whose outcome the estimate is about (treated schools in the effect's years).
    clusters : treated and comparison clusters of the estimate.
    """
    rows = sample.rows
    member = used & rows["entry_year"].notna()
    counts = rows.loc[used, "n"]
    treated_pupils = pupils.distinct(school_years(rows.loc[treated]))
    if treated_pupils is None and rows.loc[treated, "n"].notna().all():
        # School-level counts know scores, not persons: the mean over years is the number of pupils in a year.
        per_year = rows.loc[treated].groupby("year")["n"].sum()
        treated_pupils = round(float(per_year.mean())) if len(per_year) else None
    return Basis(
        n_scores=int(counts.sum()) if counts.notna().all() and len(counts) else None,
        n_pupils=pupils.distinct(school_years(rows.loc[used])),
        n_schools=int(rows.loc[used, "school"].nunique()),
        n_networks=int(rows.loc[member, "network"].nunique()),
        clusters_treated=clusters[0],
        clusters_comparison=clusters[1],
        n_treated=treated_pupils if sample.weight == "pupils" else int(rows.loc[treated, "school"].nunique()),
    )
