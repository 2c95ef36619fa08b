"""Made studies that the stored R values belong to. Usage: python make_data.py writes data/*.csv next to this file.

Each study is made of random numbers with a fixed seed; the CSV files are what the tests and R read.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

FOLDER = Path(__file__).parent / "data"


def growth() -> pd.DataFrame:
    """Unbalanced occasions in pupils in schools: correlated slopes at both levels, weights, missing occasions."""
    rng = np.random.default_rng(20240501)
    rows = []
    pupil = 0
    for school in range(40):
        treated = school % 2
        u = np.linalg.cholesky([[0.16, 0.02], [0.02, 0.015]]) @ rng.standard_normal(2)
        for _ in range(rng.integers(3, 18)):
            pupil += 1
            sex = rng.choice(["Female", "Male"])
            v = np.linalg.cholesky([[0.6, 0.05], [0.05, 0.03]]) @ rng.standard_normal(2)
            years = np.flatnonzero(rng.random(4) < 0.8)
            for year in years:
                score = 0.2 + 0.5 * year - 0.1 * (sex == "Male") + 0.05 * treated * year
                score += u[0] + u[1] * year + v[0] + v[1] * year + 0.55 * rng.standard_normal()
                rows.append((f"s{school:02d}", f"p{pupil:03d}", year, sex, treated, score, rng.integers(1, 5) / 2))
    return pd.DataFrame(rows, columns=["school", "pupil", "year", "sex", "treated", "score", "weight"])


def four_levels() -> pd.DataFrame:
    """Occasions in pupils in schools in networks in areas; pupils are numbered anew in each school."""
    rng = np.random.default_rng(20240502)
    rows = []
    for area in range(10):
        a = 0.35 * rng.standard_normal()
        for network in range(rng.integers(2, 4)):
            b, slope = 0.3 * rng.standard_normal(), 0.15 * rng.standard_normal()
            for school in range(rng.integers(2, 4)):
                c = 0.4 * rng.standard_normal()
                for pupil in range(rng.integers(3, 9)):
                    d = 0.7 * rng.standard_normal()
                    for year in range(rng.integers(2, 5)):
                        score = 1 + (0.4 + slope) * year + a + b + c + d + 0.5 * rng.standard_normal()
                        rows.append((area + 1, f"{area + 1}-{network + 1}", school + 1, pupil + 1, year, score))
    return pd.DataFrame(rows, columns=["area", "network", "school", "pupil", "year", "score"])


def singular() -> pd.DataFrame:
    """No variance of pupils' slopes, none of schools: estimates on the boundary."""
    rng = np.random.default_rng(20240503)
    rows = []
    for pupil in range(120):
        u = 0.8 * rng.standard_normal()
        for year in range(3):
            rows.append((pupil // 6 + 1, pupil + 1, year, 0.3 * year + u + rng.standard_normal()))
    frame = pd.DataFrame(rows, columns=["school", "pupil", "year", "score"])
    # Schools differ by less than chance: their means are pulled together.
    mean = frame.groupby("school")["score"].transform("mean")
    frame["score"] += 0.6 * (frame["score"].mean() - mean)
    return frame


def movers() -> pd.DataFrame:
    """Pupils of whom one in ten changes school on the way."""
    rng = np.random.default_rng(20240504)
    school_effect = 0.5 * rng.standard_normal(25)
    rows = []
    for pupil in range(300):
        school = pupil // 12
        moves = rng.integers(1, 4) if rng.random() < 0.1 else 9
        to = rng.integers(0, 25)
        u = 0.7 * rng.standard_normal()
        for year in range(4):
            where = to if year >= moves else school
            score = 0.4 * year + school_effect[where] + u + 0.6 * rng.standard_normal()
            rows.append((where + 1, pupil + 1, year, score))
    return pd.DataFrame(rows, columns=["school", "pupil", "year", "score"])


def continuous() -> pd.DataFrame:
    """Times of testing that differ from pupil to pupil, and a covariate of the school."""
    rng = np.random.default_rng(20240505)
    rows = []
    for pupil in range(240):
        school = pupil // 10
        x = np.random.default_rng(school).standard_normal()
        s = np.random.default_rng(1000 + school).standard_normal(2) * [0.4, 0.1]
        u = rng.standard_normal(2) * [0.7, 0.2]
        for time in np.sort(rng.uniform(0, 3, rng.integers(1, 6))):
            score = 0.5 * x + (0.6 + u[1] + s[1]) * time + u[0] + s[0] + 0.5 * rng.standard_normal()
            rows.append((school + 1, pupil + 1, round(time, 4), round(x, 6), score))
    return pd.DataFrame(rows, columns=["school", "pupil", "time", "x", "score"])


def classes() -> pd.DataFrame:
    """Pupils in schools, once each: categories of several levels, a covariate far from zero."""
    rng = np.random.default_rng(20240506)
    rows = []
    for school in range(30):
        sector = ["church", "private", "state"][school % 3]
        effect = rng.standard_normal(3) * [0.5, 0.3, 0.2]
        for _ in range(rng.integers(4, 40)):
            grade, sex = int(rng.integers(4, 8)), rng.choice(["F", "M"])
            prior = 500 + 100 * rng.standard_normal()
            score = 250 + (20 + 6 * effect[1]) * (prior - 500) / 100 + 12 * effect[0] + 8 * effect[2] * (sex == "M")
            score += 3 * (grade - 4) + 5 * (sector == "private") + 15 * rng.standard_normal()
            rows.append((school + 1, sector, grade, sex, round(prior, 2), round(score, 4)))
    return pd.DataFrame(rows, columns=["school", "sector", "grade", "sex", "prior", "score"])


def crossed() -> pd.DataFrame:
    """Pupils' primary and secondary schools, crossed throughout."""
    rng = np.random.default_rng(20240507)
    primary_effect, secondary_effect = 0.5 * rng.standard_normal(30), 0.3 * rng.standard_normal(9)
    primary, secondary = rng.integers(0, 30, 700), rng.integers(0, 9, 700)
    x = rng.standard_normal(700)
    score = 0.4 * x + primary_effect[primary] + secondary_effect[secondary] + rng.standard_normal(700)
    return pd.DataFrame({"primary": primary + 1, "secondary": secondary + 1, "x": x.round(6), "score": score})


STUDIES = (growth, four_levels, singular, movers, continuous, classes, crossed)

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for study in STUDIES:
        frame = study()
        if "score" in frame:
            frame["score"] = frame["score"].round(6)
        frame.to_csv(FOLDER / f"{study.__name__}.csv", index=False, lineterminator="\n")
