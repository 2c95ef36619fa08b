"""Differences by band of dose again: each band's school-years by the regressions of statsmodels."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

import pandas as pd

from plneval.challenge.recompute import Recomputed
from plneval.challenge.recompute_group_time import long_differences, school_rows, stacked, weights
from plneval.config.models import GroupTime
from plneval.config.network_models import DoseBands
from plneval.networks.attendance import school_dose
from plneval.networks.dose import dose_bands
from plneval.networks.study import NetworkStudy
from plneval.standards import load

COLUMNS: Final = {"share": "share_attended"}
"""Column of the dose of a measure where it has another name."""


def dose_again(study: NetworkStudy, spec: DoseBands) -> list[Recomputed]:
    """Every band from the third year on; the bands themselves are measures of describe and are taken as they are."""
    dose = school_dose(study.tables)
    bands = dose_bands(dose, COLUMNS.get(spec.measure, spec.measure), spec.edges or None)
    of_year = bands.set_index(["school", "year"])["band"]
    inside = dose.loc[dose["member"] == 1].set_index(["school", "year"]).index
    as_cells = GroupTime.of(spec)
    rows = school_rows(study.cohort, as_cells, study.panel, spec.subgroup)
    size = weights(study.cohort, rows)
    keys = pd.MultiIndex.from_frame(rows[["school", "year"]].astype("Int64"))
    own = of_year.reindex(keys).where(keys.isin(inside)).to_numpy(dtype=object)
    joined = (rows["year"] >= rows["entry_year"]).fillna(False).to_numpy(dtype=bool)
    third = load("follow_up").headline_from_event_time
    by = f"statsmodels {version('statsmodels')}, long differences; bands as measured"
    found = []
    for band in sorted({str(one) for one in own[joined] if isinstance(one, str)}):
        here = joined & (own == band)
        schools = set(rows.loc[here, "school"])
        kept = rows["entry_year"].isna() | (rows["school"].isin(schools) & (~joined | here))
        late = [cell for cell in long_differences(rows[kept], size, as_cells) if cell.year - cell.group >= third]
        if late:
            value, se = stacked(late)
            found.append(Recomputed("dose_third_year_on", band, value, se, by))
    return found
