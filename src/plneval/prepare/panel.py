"""The analysis panels, in the columns of :mod:`plneval.config.panel_columns`."""

from __future__ import annotations

import numpy as np
import pandas as pd

from plneval.config.panel_columns import PUPIL_PANEL, SCHOOL_COLUMNS, SCHOOL_PANEL

SUBGROUPS = {"disadvantaged": 1, "not_disadvantaged": 0}
"""Subgroups of pupils and the value of ``disadvantaged`` that makes them."""
WORDS = {"area", "phase", "network_type", "arm", "grade", "gender", "exposure", "outcome", "subgroup", "status"}
NUMBERS = {"deprivation", "enrolment", "n_teachers", "score", "z", "z_fixed", "n", "sd", "latitude", "longitude"}

SCHOOLS_TABLE = [
    "school",
    "area",
    "phase",
    "network",
    "network_type",
    "cluster",
    "arm",
    "entry_year",
    "exit_year",
    "ever_left",
    "returned",
    "late_joiner",
    "entry_uncertain",
    "status",
    "latitude",
    "longitude",
]


def with_derived_columns(panel: pd.DataFrame) -> pd.DataFrame:
    """A panel with ``ever_member`` and the columns of :data:`~plneval.config.panel_columns.DERIVED_COLUMNS`."""
    return panel.assign(comparison_arm=1 - panel["ever_member"])


def schools_table(
    schools: pd.DataFrame, networks: pd.DataFrame, membership: pd.DataFrame, cluster: pd.Series, status: pd.Series
) -> pd.DataFrame:
    """One row for each school of the register, in the order of its numbers; columns ``SCHOOLS_TABLE``."""
    table = schools.set_index("school")[["area", "phase", "latitude", "longitude"]]
    own = membership.drop(columns=["left_censored", "joins_after_study"])
    table = table.join(own).join(cluster.rename("cluster")).join(status.rename("status")).reset_index()
    kinds = networks.set_index("network")["type"]
    table["network_type"] = table["network"].map(kinds)
    return typed(table.sort_values("school", ignore_index=True), SCHOOLS_TABLE)


def school_year_columns(
    keys: pd.DataFrame,
    schools: pd.DataFrame,
    school_years: pd.DataFrame,
    member_years: pd.DataFrame,
    first_year: int,
) -> pd.DataFrame:
    """Add to rows with ``school`` and ``year`` what is known of the school and of the school in that year.

    Parameters
    ----------
    keys
        Rows with school and year, any further columns.
    schools
        Result of :func:`schools_table`.
    school_years
        Numbered school_years table: school, year, enrolment, n_teachers, deprivation.
    member_years
        school, year of membership.
    first_year
        First study year, the origin of ``time``.
    """
    wanted = [name for name in SCHOOL_COLUMNS if name != "school"]
    rows = keys.merge(schools[["school", *wanted]], on="school", how="left", validate="many_to_one")
    covariates = school_years[["school", "year", "enrolment", "n_teachers", "deprivation"]]
    rows = rows.merge(covariates, on=["school", "year"], how="left", validate="many_to_one")
    members = member_years.assign(member=1)
    rows = rows.merge(members, on=["school", "year"], how="left", validate="many_to_one")
    rows["member"] = rows["member"].fillna(0)
    event_time = rows["year"].astype("Int64") - rows["entry_year"]
    since = event_time.fillna(-1)
    rows["ever_member"] = rows["arm"] == "member"
    rows["time"] = rows["year"] - first_year
    rows["event_time"] = event_time
    rows["exposure_time"] = since.clip(lower=0)
    rows["treated"] = since >= 0
    rows["treated_year_1"] = since == 0
    rows["treated_year_2"] = since == 1
    rows["treated_year_3"] = since >= 2
    return rows


def pupil_panel(rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each pupil, year and outcome, typed and sorted; ``rows`` carry all its columns."""
    ordered = rows.sort_values(["outcome", "school", "pupil", "year"], kind="stable", ignore_index=True)
    return typed(ordered, list(PUPIL_PANEL))


def subgroup_rows(scores: pd.DataFrame) -> pd.DataFrame:
    """Pupils' scores once for all pupils and once more for each subgroup that they belong to."""
    parts = [scores] + [
        scores.loc[(scores["disadvantaged"] == value).fillna(False).astype(bool)].assign(subgroup=name)
        for name, value in SUBGROUPS.items()
    ]
    return pd.concat(parts, ignore_index=True)


def school_cells(scores: pd.DataFrame) -> pd.DataFrame:
    """Means of a school, year, outcome and subgroup.

    Means are over pupils: rows count by ``n``, and where a row of the cell has no ``n`` all its rows count alike.

    Parameters
    ----------
    scores
        outcome, school, year, subgroup, score, z, z_fixed, n, sd; pupils' rows have n = 1.

    Returns
    -------
    pandas.DataFrame
        outcome, school, year, subgroup, score, z, z_fixed, n (missing where a row has none), sd (of pupils' raw scores
        within the cell, missing where it is not known).
    """
    keys = ["outcome", "school", "year", "subgroup"]
    rows = scores.sort_values(keys, kind="stable", ignore_index=True)
    by = [rows[name] for name in keys]
    counted = rows["n"].notna().groupby(by).transform("all")
    weight = rows["n"].where(counted, 1.0).astype(float)
    total = weight.groupby(by).transform("sum")
    size = weight.groupby(by).sum()
    means = {name: (weight * rows[name]).groupby(by).sum(min_count=1) / size for name in ("score", "z", "z_fixed")}
    mean = (weight * rows["score"]).groupby(by).transform("sum") / total
    single = weight == 1
    within = ((weight - 1) * rows["sd"].astype(float) ** 2).where(~single, 0.0)
    squares = (within + weight * (rows["score"] - mean) ** 2).groupby(by).sum(skipna=False)
    pooled = np.sqrt(squares / (size - 1).where(size > 1))
    only = rows["sd"].astype(float).groupby(by).first().where(rows["sd"].groupby(by).size() == 1)
    known = rows["n"].notna().groupby(by).all()
    cells = pd.DataFrame({**means, "n": size.where(known), "sd": pooled.where(known, only)})
    return cells.reset_index()


def school_panel(rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each school, year, outcome and subgroup, typed and sorted; ``rows`` carry all its columns."""
    ordered = rows.sort_values(["outcome", "school", "year", "subgroup"], kind="stable", ignore_index=True)
    columns = list(SCHOOL_PANEL)
    columns.insert(columns.index("outcome") + 1, "subgroup")
    return typed(ordered, columns)


def typed(table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """The columns in their order and types: words ``str``, measures ``float64``, everything else ``Int64``."""
    kinds = {name: "str" if name in WORDS else "float64" if name in NUMBERS else "Int64" for name in columns}
    return table[columns].astype(kinds)


def empty_pupil_panel() -> pd.DataFrame:
    """The pupil panel of a study with school-level outcomes: its columns, no rows."""
    return typed(pd.DataFrame({name: [] for name in PUPIL_PANEL}), list(PUPIL_PANEL))
