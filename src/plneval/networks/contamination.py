"""Contamination: comparison schools near members, in other networks, or that join a network after the study."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from plneval.networks.other_programmes import others_by_year
from plneval.networks.registry import school_network_years
from plneval.networks.study_tables import StudyTables

EARTH_RADIUS_KM = 6371.0088
"""Mean radius of the earth (IUGG)."""
DISTANCES = {
    "school": "Int64",
    "year": "Int64",
    "nearest_member_km": "float64",
    "nearest_joined_km": "float64",
    "near": "boolean",
    "joins_after_study": "bool",
}


def haversine_km(
    latitude: ArrayLike, longitude: ArrayLike, other_latitude: ArrayLike, other_longitude: ArrayLike
) -> NDArray[np.float64]:
    r"""Great-circle distance in km between points in degrees; the arguments broadcast.

    :math:`2 R \arcsin\sqrt{\sin^2(\Delta\phi/2) + \cos\phi_1 \cos\phi_2 \sin^2(\Delta\lambda/2)}` with
    R = 6371.0088 km; off by up to 0.5 % because the earth is no sphere.
    """
    phi, other_phi = np.radians(np.asarray(latitude, float)), np.radians(np.asarray(other_latitude, float))
    across = np.radians(np.asarray(other_longitude, float)) - np.radians(np.asarray(longitude, float))
    half = np.sin((other_phi - phi) / 2) ** 2 + np.cos(phi) * np.cos(other_phi) * np.sin(across / 2) ** 2
    distance: NDArray[np.float64] = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(half, 0, 1)))
    return distance


def member_distances(tables: StudyTables, radius_km: float | None = None) -> pd.DataFrame:
    """Distance of every comparison school to the nearest member school, by study year.

    Parameters
    ----------
    radius_km
        Below this a comparison school is ``near``; the design's ``neighbour_distance_km`` when left out. Where neither
        is given, ``near`` is missing: no distance is harmless by itself.

    Returns
    -------
    pandas.DataFrame
        school, year, nearest_member_km (to a school that is a member in that year), nearest_joined_km (to a school
        that has joined by then, also if it left), near, joins_after_study. Distances are missing without coordinates,
        and in years without members. ``near`` looks at schools that have joined: what was learnt does not go with the
        membership. Members count whether or not they are analysed.
    """
    radius = radius_km if radius_km is not None else tables.cohort.design.neighbour_distance_km
    schools = tables.schools
    comparison = schools.loc[(schools["arm"] == "comparison") & (schools["status"] == "analysed")]
    # Entries of left-censored members lie before the study; schools that join after it have no entry year.
    members = schools.loc[schools["arm"] == "member"]
    place = ["latitude", "longitude"]
    own, theirs = comparison[place].to_numpy(float), members[place].to_numpy(float)
    apart = haversine_km(own[:, :1], own[:, 1:], theirs[:, 0], theirs[:, 1])
    inside = school_network_years(tables)
    after = tables.spells.loc[tables.spells["entry"] > tables.calendar.last_year, "school"]
    entry = members["entry_year"].to_numpy(float)
    parts = []
    for year in tables.years:
        now = members["school"].isin(inside.loc[inside["year"] == year, "school"]).to_numpy()
        nearest_joined = _nearest(apart, entry <= year)
        near = pd.array(nearest_joined < (np.nan if radius is None else radius), dtype="boolean")
        near[np.isnan(nearest_joined) | (radius is None)] = pd.NA
        if radius is not None and not (entry <= year).any():
            near[:] = False
        parts.append(
            pd.DataFrame(
                {
                    "school": comparison["school"].to_numpy(),
                    "year": year,
                    "nearest_member_km": _nearest(apart, now),
                    "nearest_joined_km": nearest_joined,
                    "near": near,
                    "joins_after_study": comparison["school"].isin(after).to_numpy(),
                }
            )
        )
    table = pd.concat(parts, ignore_index=True).astype(DISTANCES)
    return table.sort_values(["school", "year"], ignore_index=True)


def _nearest(apart: NDArray[np.float64], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Smallest distance of each row to the chosen columns; NaN where there is none."""
    distances = np.where(chosen & ~np.isnan(apart), apart, np.inf).min(axis=1, initial=np.inf)
    result: NDArray[np.float64] = np.where(np.isinf(distances), np.nan, distances)
    return result


def contamination(tables: StudyTables, radius_km: float | None = None) -> pd.DataFrame:
    """Comparison schools by study year and by how near members are.

    Returns
    -------
    pandas.DataFrame
        year, n_comparison, n_located (with a distance), median_km, minimum_km (to the nearest school that has joined),
        radius_km, n_near, n_joins_after_study, other_networks (what the cohort declares of comparison schools in other
        networks: 'none', 'some', 'unknown'), and the counts of both arms in other programmes of
        :func:`plneval.networks.other_programmes.others_by_year`. n_near is missing where no radius is declared.
    """
    radius = radius_km if radius_km is not None else tables.cohort.design.neighbour_distance_km
    distances = member_distances(tables, radius_km)
    by = distances.groupby("year")
    table = pd.DataFrame(
        {
            "n_comparison": by.size(),
            "n_located": by["nearest_joined_km"].count(),
            "median_km": by["nearest_joined_km"].median(),
            "minimum_km": by["nearest_joined_km"].min(),
            "radius_km": np.nan if radius is None else radius,
            "n_near": by["near"].sum(min_count=1).astype("Int64"),
            "n_joins_after_study": by["joins_after_study"].sum(),
            "other_networks": tables.cohort.design.comparison_in_other_networks,
        }
    )
    return table.reset_index().merge(others_by_year(tables), on="year", validate="one_to_one")


def neighbours(tables: StudyTables, radius_km: float | None = None) -> list[int]:
    """Comparison schools that are near a school that has joined in some year: those to leave out for a check.

    Raises
    ------
    ValueError
        If no radius is given or declared.
    """
    distances = member_distances(tables, radius_km)
    if radius_km is None and tables.cohort.design.neighbour_distance_km is None:
        raise ValueError("no radius: give one, or declare design.neighbour_distance_km")
    near = distances.loc[distances["near"].fillna(False).astype(bool), "school"]
    return sorted({int(school) for school in near})
