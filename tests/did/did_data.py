"""Data made for the tests of plneval.did: the same numbers with any version of any library."""

from __future__ import annotations

import numpy as np
import pandas as pd

TIMES = (2011, 2012, 2013, 2015, 2016, 2017, 2018)  # 2014 is a gap year


def _uniform(seed: int, count: int) -> np.ndarray:
    """Uniform numbers of a 31-bit linear congruential generator (Park and Miller), as text-book stable as they come."""
    values = np.empty(count)
    state = seed
    for i in range(count):
        state = state * 48271 % 2147483647
        values[i] = state / 2147483647
    return values


def _normal(seed: int, count: int) -> np.ndarray:
    """Nearly normal numbers: twelve uniforms added up."""
    return _uniform(seed, 12 * count).reshape(count, 12).sum(axis=1) - 6


def panel(units: int = 120, *, never: bool = True) -> pd.DataFrame:
    """Panel with entries 2013, 2015, 2017 and never (0), covariates x (varies) and z (fixed), weights and clusters."""
    groups = np.array([0, 2013, 2015, 2017] if never else [2013, 2015, 2017, 2018])
    entry = groups[(_uniform(11, units) * 4).astype(int)]
    z = _normal(12, units) + 0.4 * (entry == 2015)
    count = len(TIMES)
    unit = np.repeat(np.arange(units), count)
    time = np.tile(TIMES, units)
    x = 0.6 * np.repeat(z, count) + 0.8 * _normal(13, units * count)
    effect = np.where((entry[unit] > 0) & (time >= entry[unit]), 0.2 + 0.1 * (time - entry[unit]), 0.0)
    level = np.repeat(_normal(14, units), count)
    y = level + 0.1 * (time - 2010) * (1 + 0.5 * np.repeat(z, count)) + 0.3 * x + effect
    y = y + 0.5 * _normal(15, units * count)
    return pd.DataFrame(
        {
            "unit": unit,
            "year": time,
            "entry": entry[unit],
            "y": y,
            "x": x,
            "z": np.repeat(z, count),
            "w": np.repeat(0.5 + _uniform(16, units), count),
            "w_varying": 0.5 + _uniform(17, units * count),
            "network": unit // 4,
        }
    )


def unbalanced(units: int = 120) -> pd.DataFrame:
    """The panel with about one row in eight missing."""
    full = panel(units)
    return full[_uniform(18, len(full)) > 0.12].reset_index(drop=True)


def pupils(schools: int = 40) -> pd.DataFrame:
    """Repeated cross-sections: 4 to 9 pupils a school and year, with pupil-level covariates and weights."""
    entry = np.array([0, 2013, 2015, 2017])[(_uniform(21, schools) * 4).astype(int)]
    count = 4 + (_uniform(22, schools * len(TIMES)) * 6).astype(int)
    school = np.repeat(np.repeat(np.arange(schools), len(TIMES)), count)
    time = np.repeat(np.tile(TIMES, schools), count)
    rows = len(school)
    x = _normal(23, rows) + 0.5 * _normal(24, schools)[school] + 0.3 * (entry[school] > 0)
    effect = np.where((entry[school] > 0) & (time >= entry[school]), 0.3, 0.0)
    y = _normal(25, schools)[school] + 0.05 * (time - 2010) + 0.5 * x + effect + _normal(26, rows)
    return pd.DataFrame(
        {
            "row": np.arange(rows),
            "school": school,
            "year": time,
            "entry": entry[school],
            "y": y,
            "x": x,
            "female": (_uniform(27, rows) < 0.5).astype(float),
            "w": 0.5 + _uniform(28, rows),
        }
    )


def switching(units: int = 60) -> pd.DataFrame:
    """Panel of eight periods whose treatment d (0/1) and level (0, 1, 2) switch on and off, with cells' weights."""
    count = 8
    rows = units * count
    turn = _uniform(31, rows).reshape(units, count) < 0.13
    start = _uniform(32, units) < 0.35
    d = (start[:, None] ^ (np.cumsum(np.where(np.arange(count) > 0, turn, False), axis=1) % 2 == 1)).astype(int)
    level = d + (_uniform(37, rows).reshape(units, count) < 0.08)
    x = _normal(35, rows)
    y = np.repeat(_normal(33, units), count) + 0.1 * np.tile(np.arange(count), units) + 0.3 * x
    y = y + (0.5 * d + 0.06 * np.cumsum(d, axis=1)).ravel() + 0.4 * _normal(34, rows)
    return pd.DataFrame(
        {
            "unit": np.repeat(np.arange(units), count),
            "year": np.tile(np.arange(2010, 2010 + count), units),
            "d": d.ravel(),
            "level": level.ravel(),
            "y": y,
            "x": x,
            "w": 0.5 + _uniform(36, rows),
            "network": np.repeat(np.arange(units) // 3, count),
        }
    )


def switching_with_gaps() -> pd.DataFrame:
    """The same with one row in ten missing and one outcome in ten missing where the treatment is known."""
    full = switching()
    full["y"] = full["y"].where(_uniform(38, len(full)) > 0.1)
    return full[_uniform(39, len(full)) > 0.1].reset_index(drop=True)


def switching_pupils() -> pd.DataFrame:
    """One to four pupils a unit and period."""
    full = switching()
    count = 1 + (_uniform(40, len(full)) * 4).astype(int)
    rows = full.loc[full.index.repeat(count)].reset_index(drop=True)
    return rows.assign(y=rows["y"] + _normal(41, len(rows)), w=0.5 + _uniform(42, len(rows)))


def panel_with_parts() -> pd.DataFrame:
    """The panel, its units of one of two kinds (``part``) with trends and effects of their own; periods from 1 on."""
    position = {year: 1 + k for k, year in enumerate(TIMES)}
    full = panel(240)
    part = (full["unit"] * 7 % 5 < 2 - (full["entry"] == 2017)).astype(int)
    effect = np.where((full["entry"] > 0) & (full["year"] >= full["entry"]), 0.3, 0.0)
    return full.assign(
        part=part,
        y=full["y"] + 0.2 * part * (full["year"] - 2010) + part * effect,
        year=full["year"].map(position),
        entry=full["entry"].map({0: 0, **position}),
    )


def pupils_with_parts(schools: int = 40) -> pd.DataFrame:
    """Cross-sections of pupils of two kinds in every school."""
    full = pupils(schools)
    part = (_uniform(29, len(full)) < 0.25 + 0.4 * _uniform(30, schools)[full["school"]]).astype(int)
    effect = np.where((full["entry"] > 0) & (full["year"] >= full["entry"]), 0.4, 0.0)
    y = full["y"] - 0.5 * part + 0.1 * part * (full["year"] - 2010) + part * effect
    return full.assign(part=part, y=y, network=full["school"] // 2)


def few_treated() -> pd.DataFrame:
    """A balanced panel of 30 units over 12 years, of which two enter in 2009 and three in 2011; two common factors."""
    units, years = 30, np.arange(2001, 2013)
    loading, factor = _normal(41, 2 * units).reshape(units, 2), np.cumsum(_normal(42, 24)).reshape(12, 2)
    entry = np.zeros(units, dtype=int)
    entry[[4, 19]], entry[[8, 11, 27]] = 2009, 2011
    y = 20 + 3 * loading[:, :1] + loading @ factor.T * 0.5 + 0.5 * _normal(43, units * 12).reshape(units, 12)
    y += (entry[:, None] > 0) & (years >= entry[:, None])
    unit = np.repeat(np.arange(units), 12)
    return pd.DataFrame({"unit": unit, "year": np.tile(years, units), "entry": entry[unit], "y": y.ravel()})
