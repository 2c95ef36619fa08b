"""From the modelled column's units to effect sizes and months, where an SD of pupils is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from plneval.artifacts import read_table
from plneval.estimate.fit import Estimate
from plneval.standards.months import months_of_progress

MonthsTable = Literal["trial", "toolkit"]
POOLED = "pupil SD of {column} within arm, year and grade"


@dataclass(frozen=True)
class Standardiser:
    """SD of a modelled column, pooled within arm × year × grade; missing where pupils' SDs are not known."""

    sd: float | None
    column: str

    @property
    def words(self) -> str:
        return POOLED.format(column=self.column) if self.sd is not None else ""


@dataclass(frozen=True)
class EffectSize:
    """An effect size with its interval, in SDs of pupils, and months of progress; all missing without an SD."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    standardiser: str = ""
    months: int | None = None
    months_low: int | None = None
    months_high: int | None = None
    months_table: str = ""


def read_standardiser(panel: Path, outcome: str, subgroup: str, column: str) -> Standardiser:
    """Read the SD that prepare left for an outcome, a subgroup and a column."""
    table = read_table(panel / "standardisers.parquet")
    own = table.loc[(table["outcome"] == outcome) & (table["subgroup"] == subgroup) & (table["column"] == column)]
    if len(own) > 1:
        raise ValueError(f"standardisers.parquet holds more than one SD of {column} for {outcome}, {subgroup}")
    sd = float(own["sd"].iloc[0]) if len(own) and own["sd"].notna().iloc[0] else math.nan
    return Standardiser(sd if sd > 0 else None, column)


def effect_size(
    estimate: Estimate, bounds: tuple[float | None, float | None], standardiser: Standardiser, table: MonthsTable
) -> EffectSize:
    """Divide an estimate and its interval by the SD; months only for effects from joining on.

    A difference before joining is no progress, so it has an effect size and no months.
    """
    if standardiser.sd is None or not estimate.scaled or not math.isfinite(estimate.estimate):
        return EffectSize()
    scaled = [None if bound is None else bound / standardiser.sd for bound in (estimate.estimate, *bounds)]
    if estimate.event_time is not None and estimate.event_time < 0:
        return EffectSize(scaled[0], scaled[1], scaled[2], standardiser.words)
    months = [None if bound is None else months_of_progress(bound, table).months for bound in scaled]
    return EffectSize(scaled[0], scaled[1], scaled[2], standardiser.words, months[0], months[1], months[2], table)
