"""Attrition: schools and pupils of the first outcome year that are not seen again when they could have been."""

from __future__ import annotations

import pandas as pd

from plneval.describe.sample import ARMS, Sample

COLUMNS = {"unit": "str", "arm": "str", "start": "Int64", "remaining": "Int64", "rate": "float64"}


def attrition(sample: Sample) -> pd.DataFrame:
    """Units of the first outcome year, those seen again in the last year expected, and the share lost.

    Schools are expected in the last outcome year. Pupils are expected in the last outcome year in which their grade is
    still tested; those whose grade is tested in the first year only cannot be followed and are not counted. Where no
    pupil is seen in more than one year (repeated cross-sections), or grades are not numbers, there are no rows for
    pupils. Arm: that of the first year's school.
    """
    cells = sample.school.drop_duplicates(["school", "year"])
    years = sorted({int(year) for year in cells["year"]})
    start = cells.loc[cells["year"] == years[0], ["school", "arm"]]
    seen = set(cells.loc[cells["year"] == years[-1], "school"])
    rows = _rates("schools", start["arm"], start["school"].isin(seen))
    if sample.pupil_level:
        followed = followed_pupils(sample.pupil)
        rows += _rates("pupils", followed["arm"], followed["remains"])
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def followed_pupils(pupil: pd.DataFrame) -> pd.DataFrame:
    """Pupils of the first outcome year that can be followed: pupil, arm, remains (boolean).

    Parameters
    ----------
    pupil
        The pupil panel: pupil, year, grade, arm; one or more rows for each pupil and year.
    """
    rows = pupil.drop_duplicates(["pupil", "year"])[["pupil", "year", "grade", "arm"]]
    grade = pd.to_numeric(rows["grade"], errors="coerce")
    years = sorted({int(year) for year in rows["year"]})
    empty = pd.DataFrame({"pupil": [], "arm": [], "remains": []})
    if grade.isna().any() or not rows["pupil"].duplicated().any():
        return empty
    first = rows.assign(grade=grade).loc[rows["year"] == years[0]]
    tested = {(int(year), float(level)) for year, level in zip(rows["year"], grade, strict=True)}
    expected = {
        level: max((year for year in years[1:] if (year, level + year - years[0]) in tested), default=None)
        for level in sorted(first["grade"].unique())
    }
    first = first.assign(expected=first["grade"].map(expected)).dropna(subset=["expected"])
    seen = pd.MultiIndex.from_frame(rows[["pupil", "year"]].astype("int64"))
    wanted = pd.MultiIndex.from_arrays([first["pupil"].astype("int64"), first["expected"].astype("int64")])
    return pd.DataFrame({"pupil": first["pupil"], "arm": first["arm"], "remains": wanted.isin(seen)})


def _rates(unit: str, arm: pd.Series, remains: pd.Series) -> list[tuple[str, str, int, int, float]]:
    found = []
    for name in ARMS:
        of_arm = arm == name
        start, left = int(of_arm.sum()), int((of_arm & remains.astype(bool)).sum())
        if start:
            found.append((unit, name, start, left, 1 - left / start))
    return found
