"""How alike and how near the schools of a network are: Gower similarity and mean distance."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.networks.contamination import haversine_km
from plneval.networks.study_tables import StudyTables

COVARIATES = ("phase", "enrolment", "n_teachers", "deprivation")
"""What schools are compared in, each with the same weight."""


def gower_distances(table: pd.DataFrame) -> NDArray[np.float64]:
    r"""Gower's (1971) distances between the rows of mixed covariates, 0 (equal) to 1.

    :math:`d_{ij} = \sum_k w_{ijk} d_{ijk} / \sum_k w_{ijk}` with :math:`d_{ijk} = |x_{ik} - x_{jk}| / \text{range}_k`
    for numbers (0 where a column does not vary), 0 or 1 for words (equal or not), and :math:`w_{ijk} = 0` where a value
    is missing. As ``daisy(metric = "gower")`` of R's cluster package for numbers and unordered factors.

    Returns
    -------
    numpy.ndarray
        (n, n), symmetric, with a zero diagonal; NaN for pairs without a covariate that both have.
    """
    n = len(table)
    total, weight = np.zeros((n, n)), np.zeros((n, n))
    for name in table.columns:
        column = table[name]
        known = column.notna().to_numpy()
        if not known.any():
            continue
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            value = column.to_numpy(dtype="float64", na_value=np.nan)
            spread = np.nanmax(value) - np.nanmin(value)
            apart = np.abs(value[:, None] - value) / (spread if spread > 0 else 1.0)
        else:
            code = pd.factorize(column)[0]
            apart = (code[:, None] != code).astype(float)
        both = known[:, None] & known
        total += np.where(both, apart, 0.0)
        weight += both
    with np.errstate(invalid="ignore"):
        result: NDArray[np.float64] = total / weight
    np.fill_diagonal(result, 0.0)
    return result


def school_distances(tables: StudyTables, year: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Between all schools of the register: Gower distance in ``COVARIATES`` of a year, and km.

    Ranges are those of all schools, so that similarity means the same in every network.

    Returns
    -------
    Two tables with schools as index and columns.
    """
    schools = tables.schools.set_index("school").sort_index()
    of_year = tables.school_years.loc[tables.school_years["year"] == year].set_index("school")
    covariates = schools[["phase"]].join(of_year[["enrolment", "n_teachers", "deprivation"]])
    gower = gower_distances(covariates[list(COVARIATES)])
    place = schools[["latitude", "longitude"]].to_numpy(float)
    km = haversine_km(place[:, :1], place[:, 1:], place[:, 0], place[:, 1])
    names = schools.index
    return pd.DataFrame(gower, index=names, columns=names), pd.DataFrame(km, index=names, columns=names)


def mean_of_pairs(distances: pd.DataFrame, schools: list[int]) -> float:
    """Mean over pairs of some schools; NaN with fewer than two, or where no pair has a distance."""
    within = distances.loc[schools, schools].to_numpy()
    pairs = within[np.triu_indices(len(schools), k=1)]
    known = pairs[~np.isnan(pairs)]
    return float(known.mean()) if len(known) else float("nan")
