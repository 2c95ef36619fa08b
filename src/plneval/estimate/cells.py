"""Which group-time cells a study has, and which schools each of them compares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from plneval.estimate.sample import Exclusions

Comparison = Literal["never", "not_yet"]
Period = Literal["before", "anticipation", "after"]


@dataclass(frozen=True)
class Panel:
    """School × year matrices of one sample.

    Attributes
    ----------
    schools, years : labels of rows and columns, sorted.
    y : outcome, shape (N, T), NaN where a school has none in a year.
    entry_year : shape (N,), NaN for comparison schools.
    cluster : position of each school's cluster in ``clusters``.
    weight : shape (N,).
    covariates : shape (N, T, K); K may be 0.
    """

    schools: npt.NDArray[np.int64]
    years: tuple[int, ...]
    y: npt.NDArray[np.float64]
    entry_year: npt.NDArray[np.float64]
    cluster: npt.NDArray[np.int64]
    clusters: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float64]
    covariates: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """Group g in year t against its base year.

    Attributes
    ----------
    group, year, base : entry year of the group, the cell's year, the last observed year before joining.
    period : before joining, within the years of anticipation, or from joining on.
    treated, comparison : positions of the schools that have an outcome in both years (and covariates in the base year).
    """

    group: int
    year: int
    base: int
    period: Period
    treated: npt.NDArray[np.int64]
    comparison: npt.NDArray[np.int64]

    @property
    def event_time(self) -> int:
        return self.year - self.group

    @property
    def term(self) -> str:
        return f"g{self.group}:t{self.year}"


def base_year(group: int, years: tuple[int, ...], anticipation: int) -> int | None:
    """The last observed year before a group joins (and before the years of anticipation).

    Years without outcomes are passed over: a group that joins in such a year, or right after one, keeps the year
    before it as its base. None where nothing was observed before.
    """
    earlier = [year for year in years if year < group - anticipation]
    return earlier[-1] if earlier else None


def plan_cells(panel: Panel, comparison: Comparison, anticipation: int, exclusions: Exclusions) -> list[Cell]:
    """All cells that can be estimated, by group and year; what cannot be is noted with its reason.

    The base year is the same for all years of a group ("universal"): effects before joining are then read on the same
    scale as those after (Roth 2024, "Interpreting event-studies from recent difference-in-differences methods").
    Comparison schools are those that never join, or (``not_yet``) also those that join later than the cell's year and
    its base year, both counted from the years of anticipation on.
    """
    never = np.isnan(panel.entry_year)
    groups = sorted({int(year) for year in panel.entry_year[~never]})
    cells: list[Cell] = []
    for group in groups:
        in_group = panel.entry_year == group
        base = base_year(group, panel.years, anticipation)
        if base is None:
            exclusions.add("schools", int(in_group.sum()), "no outcome year before joining", group=group)
            continue
        if not any(year >= group for year in panel.years):
            exclusions.add("groups", 1, "no outcome year from joining on; only its years before are used", group=group)
        for year in panel.years:
            if year == base:
                continue
            eligible = never.copy()
            if comparison == "not_yet":
                eligible |= (panel.entry_year > max(year, base) + anticipation) & ~in_group
            cell = _cell(panel, group, year, base, anticipation, in_group, eligible, exclusions)
            if cell is not None:
                cells.append(cell)
    return cells


def _cell(
    panel: Panel,
    group: int,
    year: int,
    base: int,
    anticipation: int,
    in_group: npt.NDArray[np.bool_],
    eligible: npt.NDArray[np.bool_],
    exclusions: Exclusions,
) -> Cell | None:
    position = {label: index for index, label in enumerate(panel.years)}
    where = {"group": group, "year": year}
    observed_now = ~np.isnan(panel.y[:, position[year]])
    observed_base = ~np.isnan(panel.y[:, position[base]])
    complete = ~np.isnan(panel.covariates[:, position[base], :]).any(axis=1)
    for arm, of_arm in (("treated", in_group), ("comparison", eligible)):
        one_of_two = of_arm & (observed_now ^ observed_base)
        exclusions.add(
            "school × cell",
            int(one_of_two.sum()),
            "outcome in only one of the cell's two years",
            arm=arm,
            base=base,
            **where,
        )
        incomplete = of_arm & observed_now & observed_base & ~complete
        exclusions.add(
            "school × cell", int(incomplete.sum()), "no covariate in the base year", arm=arm, base=base, **where
        )
    usable = observed_now & observed_base & complete
    treated, comparison = np.flatnonzero(in_group & usable), np.flatnonzero(eligible & usable)
    if not len(treated) or not len(comparison):
        arm = "treated" if not len(treated) else "comparison"
        exclusions.add("cells", 1, f"no {arm} school with an outcome in both years", base=base, **where)
        return None
    period: Period = "after" if year >= group else "anticipation" if year >= group - anticipation else "before"
    return Cell(group, year, base, period, treated, comparison)
