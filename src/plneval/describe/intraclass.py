r"""Intraclass correlation of pupils in schools, by one-way random effects analysis of variance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.describe.sample import Sample

COLUMNS = {
    "outcome": "str",
    "level": "str",
    "intraclass_correlation": "float64",
    "ci_low": "float64",
    "ci_high": "float64",
    "n_pupils": "Int64",
    "n_schools": "Int64",
    "method": "str",
}
METHOD = (
    "one-way random effects analysis of variance of the first outcome year, scores centred within grade; "
    "95 % interval by F (Searle 1971; unequal school sizes: Thomas and Hultquist 1978)"
)


@dataclass(frozen=True)
class OneWay:
    """A one-way random effects analysis of variance.

    Attributes
    ----------
    between, within : mean squares.
    n_groups, n_units : groups J and units N.
    n_0 : the group size that takes the place of n where groups are unequal.
    """

    between: float
    within: float
    n_groups: int
    n_units: float
    n_0: float

    @property
    def intraclass_correlation(self) -> float:
        r"""ρ = (MSB − MSW) / (MSB + (n₀ − 1) MSW); negative where groups differ less than chance would have it."""
        return (self.between - self.within) / (self.between + (self.n_0 - 1) * self.within)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Interval of ρ: limits (F/F_q − 1)/(F/F_q + n₀ − 1) with the quantiles q = (1 ± level)/2 of F(J − 1, N − J).

        Exact for equal groups and normal effects (Searle 1971, Linear Models, ch. 9); with n₀ for unequal ones
        (Thomas and Hultquist 1978, Annals of Statistics 6, 582-587; Donner 1979).
        """
        from scipy.special import fdtri

        ratio = self.between / self.within
        df = (self.n_groups - 1, self.n_units - self.n_groups)
        limits = [ratio / fdtri(*df, quantile) for quantile in ((1 + level) / 2, (1 - level) / 2)]
        low, high = ((limit - 1) / (limit + self.n_0 - 1) for limit in limits)
        return float(low), float(high)


def one_way(sizes: NDArray[np.float64], means: NDArray[np.float64], within: NDArray[np.float64]) -> OneWay:
    """Analysis of variance from group sizes, means and sums of squares about the group's mean, each of shape (J,).

    n₀ = (N − Σn²/N)/(J − 1).

    Raises
    ------
    ValueError
        If there are fewer than 2 groups, no group has 2 units, or nothing varies within groups.
    """
    groups, total = len(sizes), float(sizes.sum())
    if groups < 2 or total <= groups:
        raise ValueError(f"{groups} groups with {total:g} units leave no variance between or within groups")
    grand = float((sizes * means).sum() / total)
    between = float((sizes * (means - grand) ** 2).sum() / (groups - 1))
    inside = float(within.sum() / (total - groups))
    if inside <= 0:
        raise ValueError("nothing varies within groups")
    return OneWay(between, inside, groups, total, (total - float((sizes**2).sum()) / total) / (groups - 1))


def first_year_analysis(sample: Sample, outcome: str) -> OneWay | None:
    """Analysis of variance of an outcome's first year; None where pupils' spread within schools is not known.

    # ASSUME: the first outcome year, in which nobody has joined and every pupil counts once, stands for all years.
    """
    column = sample.modelled(outcome)
    if sample.pupil_level:
        rows = sample.scores(outcome)
        rows = rows.loc[rows["year"] == rows["year"].min()]
        value = rows[column] - rows.groupby("grade", dropna=False)[column].transform("mean")
        by_school = value.groupby(rows["school"])
        sizes = by_school.size().to_numpy(float)
        means = by_school.mean().to_numpy(float)
        inside = ((value - by_school.transform("mean")) ** 2).groupby(rows["school"]).sum().to_numpy(float)
    elif sample.has_pupil_sd(outcome):
        cells = sample.cells(outcome)
        cells = cells.loc[cells["year"] == cells["year"].min()].dropna(subset=["n", "score"])
        sizes, means = cells["n"].to_numpy(float), cells["score"].to_numpy(float)
        inside = ((cells["n"] - 1) * cells["sd"].fillna(0.0) ** 2).to_numpy(float)
    else:
        return None
    if len(sizes) < 2 or sizes.sum() <= len(sizes) or inside.sum() <= 0:
        return None
    return one_way(sizes, means, inside)


def intraclass(sample: Sample) -> pd.DataFrame:
    """Intraclass correlation of pupils in schools for every outcome whose spread between pupils is known."""
    rows = []
    for name in sample.cohort.outcomes:
        found = first_year_analysis(sample, name)
        if found is None:
            continue
        low, high = found.interval()
        rows.append(
            {
                "outcome": name,
                "level": "school",
                "intraclass_correlation": found.intraclass_correlation,
                "ci_low": low,
                "ci_high": high,
                "n_pupils": round(found.n_units),
                "n_schools": found.n_groups,
                "method": METHOD,
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
