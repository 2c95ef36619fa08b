"""Effects by part of the member schools again: parts cut anew from the panel, effects by statsmodels."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Final

import pandas as pd

from plneval.challenge.recompute import Recomputed
from plneval.challenge.recompute_group_time import long_differences, school_rows, stacked, weights
from plneval.config.cohort import Cohort
from plneval.config.models import GroupTime
from plneval.config.network_models import Split
from plneval.standards import load

OF_PANEL: Final = ("area", "phase", "network_type")
"""What the panel itself holds of a school; a network's focus and composition are not in it."""


def split_again(cohort: Cohort, spec: Split, panel: Path) -> list[Recomputed]:
    """Every part's effect from the third year on by the regressions of :mod:`plneval.challenge.recompute_group_time`.

    Parts by focus and composition, rare values that were taken together, and models with covariates are not computed
    again.
    """
    if spec.covariates or spec.by not in (*OF_PANEL, "deprivation", "disadvantaged_share"):
        return []
    as_cells = GroupTime.of(spec, spec.comparison)
    rows = school_rows(cohort, as_cells, panel, spec.subgroup)
    size = weights(cohort, rows)
    part = rows[spec.by] if spec.by in OF_PANEL else rows["school"].map(_thirds(panel, spec.by))
    third = load("follow_up").headline_from_event_time
    by = f"statsmodels {version('statsmodels')}, long differences"
    found = []
    for name in sorted(part[rows["entry_year"].notna()].dropna().unique()):
        own = part == name
        if spec.by == "network_type":
            own |= rows["entry_year"].isna()
        cells = long_differences(rows[own.fillna(False).astype(bool)], size, as_cells)
        late = [cell for cell in cells if cell.year - cell.group >= third]
        if late:
            value, se = stacked(late)
            found.append(Recomputed("att_split", f"{spec.by}:{name}", value, se, by))
    return found


def _thirds(panel: Path, by: str) -> pd.Series:
    """Thirds of the analysed schools in the first outcome year, by number of the school."""
    schools = pd.read_parquet(panel / "schools.parquet")
    table = pd.read_parquet(panel / "panel_school.parquet")
    table = table[table["year"] == table["year"].min()]
    table = table[table["outcome"] == table["outcome"].min()]
    if by == "deprivation":
        value = table.groupby("school")["deprivation"].first()
    else:
        pupils = table[table["subgroup"] != "all"].pivot(index="school", columns="subgroup", values="n").fillna(0)
        value = pupils["disadvantaged"] / (pupils["disadvantaged"] + pupils["not_disadvantaged"])
    value = value.reindex(schools.loc[schools["status"] == "analysed", "school"]).astype("float64").dropna()
    cut: pd.Series = pd.qcut(value, 3, labels=["low", "middle", "high"]).astype("str")
    return cut
