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
from plneval.networks.study import NetworkStudy
from plneval.standards import load

OF_PANEL: Final = ("area", "phase", "network_type")
"""What the panel itself holds of a school; a network's focus and composition are not in it."""


def split_again(cohort: Cohort, spec: Split, panel: Path, study: NetworkStudy | None = None) -> list[Recomputed]:
    """Every part's effect from the third year on by the regressions of :mod:`plneval.challenge.recompute_group_time`.

    Parts by focus and composition, rare values that were taken together, and models with covariates are not computed
    again. By type, schools count for the networks that the study's rule gives them (for their first one, the panel's,
    without a study), with that part of their weight.
    """
    if spec.covariates or spec.by not in (*OF_PANEL, "deprivation", "disadvantaged_share"):
        return []
    as_cells = GroupTime.of(spec, spec.comparison)
    rows = school_rows(cohort, as_cells, panel, spec.subgroup)
    size = weights(cohort, rows)
    if spec.by == "network_type":
        shares = _shares_by_type(rows, study)
    else:
        part = rows[spec.by] if spec.by in OF_PANEL else rows["school"].map(_thirds(panel, spec.by))
        shares = pd.DataFrame({"school": rows["school"], "part": part, "share": 1.0}).dropna().drop_duplicates("school")
    third = load("follow_up").headline_from_event_time
    by = f"statsmodels {version('statsmodels')}, long differences"
    found = []
    never = rows["entry_year"].isna()
    for name in sorted(shares.loc[shares["school"].isin(rows.loc[~never, "school"]), "part"].unique()):
        share = shares.loc[shares["part"] == name].groupby("school")["share"].sum()
        own = rows["school"].isin(share.index) | (never if spec.by == "network_type" else False)
        cells = long_differences(rows[own], size * share.reindex(size.index).fillna(1.0), as_cells)
        late = [cell for cell in cells if cell.year - cell.group >= third]
        if late:
            value, se = stacked(late)
            found.append(Recomputed("att_split", f"{spec.by}:{name}", value, se, by))
    return found


def _shares_by_type(rows: pd.DataFrame, study: NetworkStudy | None) -> pd.DataFrame:
    """Types of the networks that member schools count for: school, part (the type), share of the school's weight."""
    if study is None:
        first = rows.loc[rows["entry_year"].notna(), ["school", "network_type"]].drop_duplicates("school")
        return first.rename(columns={"network_type": "part"}).dropna().assign(share=1.0)
    networks = study.tables.networks
    kinds = dict(zip(networks["network"], networks["type"], strict=True)) if "type" in networks else {}
    table = study.school_networks.rename(columns={"part": "share"})
    return table.assign(part=table["network"].map(kinds).astype("object")).dropna(subset=["part"])


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
