"""Change of composition: pupils who join, leave and change school, disadvantage and deprivation, by arm and year."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from plneval.describe.sample import ARMS, Sample

COLUMNS = {
    "year": "Int64",
    "arm": "str",
    "n_schools": "Int64",
    "n_pupils": "Int64",
    "joiners": "Int64",
    "leavers": "Int64",
    "movers": "Int64",
    "share_disadvantaged": "float64",
    "mean_deprivation": "float64",
}


def composition(sample: Sample) -> pd.DataFrame:
    """Analysed schools and their pupils by year and arm.

    Pupil-level studies count the pupils of the register. ``joiners`` are pupils seen for the first time although their
    grade could have been seen the year before, ``leavers`` pupils seen for the last time although their grade could
    have been seen the year after, ``movers`` pupils who came from another school of the register. They are missing
    where that cannot be known: in the first (last) year, and without numbered grades. School-level studies have
    enrolment as pupils, missing where a school's is missing. ``mean_deprivation`` is the mean over schools.
    """
    if sample.pupil_level:
        people = turnover(sample.register)
        people["arm"] = sample.arm_of(people["attended"])
        people["school"] = people["attended"]
    else:
        people = sample.school.drop_duplicates(["school", "year"])[["school", "year", "arm", "enrolment"]]
    rows = []
    for (year, arm), part in people.groupby(["year", "arm"], sort=True):
        schools = part["school"].unique()
        covariates = sample.school_years.loc[
            (sample.school_years["year"] == year) & sample.school_years["school"].isin(schools)
        ]
        row = {
            "year": year,
            "arm": arm,
            "n_schools": len(schools),
            "mean_deprivation": float(covariates["deprivation"].mean()) if len(covariates) else np.nan,
        }
        if sample.pupil_level:
            row |= {"n_pupils": part["pupil"].nunique(), "share_disadvantaged": float(part["disadvantaged"].mean())}
            row |= {name: _count(part[name]) for name in ("joiners", "leavers", "movers")}
        else:
            known = part["enrolment"].notna().all()
            row["n_pupils"] = round(float(part["enrolment"].sum())) if known else None
        rows.append(row)
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    order = table["arm"].map({arm: place for place, arm in enumerate(ARMS)})
    return table.assign(order=order).sort_values(["year", "order"], ignore_index=True)[list(COLUMNS)]


def turnover(register: pd.DataFrame) -> pd.DataFrame:
    """Mark joiners, leavers and movers in a register of pupils.

    Parameters
    ----------
    register
        pupil, year, attended, grade (words); one row for each pupil and year.

    Returns
    -------
    pandas.DataFrame
        The rows with ``joiners``, ``leavers`` and ``movers`` (boolean, missing where unknown).

    # ASSUME: pupils go up one grade a year, so a pupil of grade g was of grade g - k, k years before; grades
    between the lowest and the highest of the register could have been seen.
    """
    rows = register.sort_values(["pupil", "year"], kind="stable", ignore_index=True)
    years = sorted({int(year) for year in rows["year"]})
    after = dict(itertools.pairwise(years))
    before = {later: earlier for earlier, later in after.items()}
    grade = pd.to_numeric(rows["grade"], errors="coerce")
    year = rows["year"].astype("int64")
    lowest, highest = grade.min(), grade.max()
    first = ~rows["pupil"].duplicated(keep="first")
    last = ~rows["pupil"].duplicated(keep="last")
    earlier = grade - (year - year.map(before))
    later = grade + (year.map(after) - year)
    previous = rows.groupby("pupil")["attended"].shift()
    unknown = bool(grade.isna().any())
    joined = (first & (earlier >= lowest)).astype("boolean").mask(year.map(before).isna() | unknown)
    left = (last & (later <= highest)).astype("boolean").mask(year.map(after).isna() | unknown)
    moved = (previous.notna() & (previous != rows["attended"])).fillna(False).astype("boolean")
    return rows.assign(joiners=joined, leavers=left, movers=moved.mask(year.map(before).isna()))


def _count(marks: pd.Series) -> int | None:
    return None if marks.isna().all() else int(marks.sum())
