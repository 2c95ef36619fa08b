"""Outcomes on a common scale: by the mean and SD of never- and not-yet-treated pupils (or schools).

A school's mean with its number of pupils and their SD carries what the pupils' rows would (sums and squares), so
pupils' scores (n = 1) and school-level summaries go through the same formulas.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from plneval.config.cohort import Cohort

CELL = ["outcome", "year", "grade"]


@dataclass(frozen=True)
class Standardised:
    """Scores with ``z``, ``z_fixed`` and ``has_reference``, and the cells that they were standardised in."""

    scores: pd.DataFrame
    cells: pd.DataFrame
    """outcome, year, grade, mean, sd, n_reference; sd missing where it is unknown or zero."""
    pupil_scale: dict[str, bool]
    """Whether an outcome's SD is that of pupils (False: that of schools)."""


def standardise(scores: pd.DataFrame, reference: pd.Series, cohort: Cohort) -> Standardised:
    r"""Standardise usable scores of analysed schools.

    ``z = (y - m_c) / s_c`` with the mean :math:`m_c` and the SD :math:`s_c` of the reference pupils of the cell (year ×
    grade); with summaries :math:`(n_i, \bar y_i, s_i)` of schools,
    :math:`s_c^2 = [\sum (n_i - 1) s_i^2 + \sum n_i (\bar y_i - m_c)^2] / (\sum n_i - 1)`.
    ``z_fixed = (y - m_0) / s_0`` with the mean of the reference pupils of the first outcome year and their SD pooled
    within grade. Outcomes with ``standardise: none`` have no ``z``.

    Parameters
    ----------
    scores
        outcome, year, grade, subgroup, score, n, sd.
    reference
        Whether a row belongs to a never- or not-yet-treated school.

    Returns
    -------
    Standardised
        ``has_reference`` is False where the cell has fewer than 2 reference pupils (schools) or no variance; such rows
        have no ``z``. With ``standardise: none`` it is always True.
    """
    scores = scores.reset_index(drop=True)
    reference = reference.reset_index(drop=True)
    pupil_scale = {name: has_pupil_sd(scores, reference, name) for name in cohort.outcomes}
    on_pupil_scale = scores["outcome"].map(pupil_scale).astype(bool)
    scores["weight"] = scores["n"].where(on_pupil_scale, 1.0).astype(float)
    within = (scores["weight"] - 1) * scores["sd"].astype(float) ** 2
    scores["within"] = within.where(on_pupil_scale & (scores["weight"] > 1), 0.0)
    basis = scores.loc[reference & (scores["subgroup"] == "all") & (scores["weight"] > 0)]
    cells = _cells(basis)
    merged = scores.merge(cells, on=CELL, how="left", validate="many_to_one")
    raw = merged["outcome"].map({n: o.standardise == "none" for n, o in cohort.outcomes.items()}).astype(bool)
    merged["z"] = ((merged["score"] - merged["mean"]) / merged["cell_sd"]).where(~raw)
    merged["has_reference"] = merged["z"].notna() | raw
    fixed = _fixed_scale(basis)
    centre, spread = merged["outcome"].map(fixed["mean"]), merged["outcome"].map(fixed["cell_sd"])
    merged["z_fixed"] = (merged["score"] - centre) / spread
    # What one standard deviation of each column is in raw points: pupils' SDs of summaries are put on it, too.
    merged["z_scale"] = merged["cell_sd"]
    merged["z_fixed_scale"] = spread
    kept = merged.drop(columns=["mean", "cell_sd", "n_reference"])
    return Standardised(kept, cells.rename(columns={"cell_sd": "sd"}), pupil_scale)


def has_pupil_sd(scores: pd.DataFrame, reference: pd.Series, outcome: str) -> bool:
    """Whether an outcome's reference rows all carry what pupils' SD needs: n, and sd where n is above 1.

    # ASSUME: one reference school without n or SD puts the whole outcome on the scale of schools; to mix both scales
    within an outcome would make its z mean different things in different schools.
    """
    rows = scores.loc[reference & (scores["outcome"] == outcome)]
    single = (rows["n"] == 1).fillna(False).astype(bool)
    return bool((rows["n"].notna() & (single | rows["sd"].notna())).all())


def pooled_within(scores: pd.DataFrame, column: str, groups: list[str]) -> tuple[float, int]:
    """SD of a column pooled within groups, and its degrees of freedom.

    ``within`` must be on the scale of ``column``. NaN when no group has two pupils.
    """
    values = scores.dropna(subset=[column])
    if values.empty:
        return float("nan"), 0
    table = _moments(values, column, groups)
    df = float((table["total"] - 1).clip(lower=0).sum())
    if df <= 0:
        return float("nan"), 0
    return float(np.sqrt(table["squares"].sum() / df)), int(df)


def _moments(rows: pd.DataFrame, column: str, groups: list[str]) -> pd.DataFrame:
    """Number of pupils, mean, sum of squares about the mean, and whether the column varies at all, by group.

    Sums run over the rows in their order, so they do not depend on threads.
    """
    grouped = rows.groupby(groups, dropna=False, sort=True)
    code = grouped.ngroup().to_numpy()
    weight, value = rows["weight"].to_numpy(float), rows[column].to_numpy(float)
    within = np.bincount(code, rows["within"].to_numpy(float))
    total = np.bincount(code, weight)
    mean = np.bincount(code, weight * value) / total
    # A second pass removes what rounding left of the mean, so that standardised means are zero to the last digits.
    mean = mean + np.bincount(code, weight * (value - mean[code])) / total
    squares = within + np.bincount(code, weight * (value - mean[code]) ** 2)
    # Equal scores leave rounding noise in the sum of squares; they do not vary all the same.
    first = value[np.unique(code, return_index=True)[1]]
    varies = (np.bincount(code, value != first[code]) > 0) | (within > 0)
    table = rows[groups].iloc[np.unique(code, return_index=True)[1]].reset_index(drop=True)
    return table.assign(total=total, mean=mean, squares=squares, varies=varies)


def _cells(basis: pd.DataFrame) -> pd.DataFrame:
    table = _moments(basis, "score", CELL)
    enough = table["total"] >= 2
    sd = (table["squares"] / (table["total"] - 1).where(enough)) ** 0.5
    return pd.DataFrame(
        {
            "outcome": table["outcome"],
            "year": table["year"],
            "grade": table["grade"],
            "mean": table["mean"],
            "cell_sd": sd.where(enough & table["varies"]),
            "n_reference": table["total"],
        }
    )


def _fixed_scale(basis: pd.DataFrame) -> pd.DataFrame:
    """Mean and SD (pooled within grade) of the reference pupils of each outcome's first year; indexed by outcome."""
    rows = []
    for outcome, of_outcome in basis.groupby("outcome", sort=True):
        first = of_outcome.loc[of_outcome["year"] == of_outcome["year"].min()]
        mean = float(np.average(first["score"], weights=first["weight"]))
        sd, _ = pooled_within(first, "score", ["grade"])
        rows.append((str(outcome), mean, sd if sd > 0 else float("nan")))
    return pd.DataFrame(rows, columns=["outcome", "mean", "cell_sd"]).set_index("outcome")
