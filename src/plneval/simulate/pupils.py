"""Pupils and the years in which they are on roll: a panel of pupils who pass through the tested grades."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plneval.config.cohort import Simulation, Study
from plneval.simulate.process import GRADES, SUBJECTS, Process
from plneval.simulate.schools import Schools
from plneval.simulate.streams import distinct_codes, stream

LETTERS = "ABCDEFGHJKLMNPQRTUVWXYZ"


@dataclass(frozen=True)
class Pupils:
    """Persons (one entry each) and pupil-years (``row_*``, one entry each, by year, school, grade and person)."""

    code: list[str]
    """Pupil number; some are used again for a later pupil."""
    birth: list[str]
    """Month of birth as 2004-05."""
    disadvantaged: NDArray[np.bool_]
    girl: NDArray[np.bool_]
    level: NDArray[np.float64]
    """Pupil intercepts in standard deviations, one column a subject."""
    growth: NDArray[np.float64]
    """Pupil slopes in standard deviations per grade, one column a subject."""
    class_draw: NDArray[np.int64]
    recycled: NDArray[np.bool_]
    """Persons whose number belongs to another person as well."""
    row_person: NDArray[np.int64]
    row_year: NDArray[np.int64]
    row_school: NDArray[np.int64]
    row_grade: NDArray[np.int64]
    """Position in GRADES."""

    def movers(self) -> int:
        """Persons on roll in more than one school."""
        pairs = np.unique(np.column_stack([self.row_person, self.row_school]), axis=0)
        return int((np.bincount(pairs[:, 0]) > 1).sum())


def make_pupils(simulation: Simulation, study: Study, schools: Schools, process: Process) -> Pupils:
    """Draw every pupil who is on roll in a tested grade in some study year."""
    rng = stream(simulation.seed, "pupils")
    starts = np.arange(study.first_year - len(GRADES) + 1, study.last_year + 1)
    intake = rng.poisson(schools.size[:, None], (schools.count, len(starts)))
    home = np.repeat(np.repeat(np.arange(schools.count), len(starts)), intake.ravel())
    start = np.repeat(np.tile(starts, schools.count), intake.ravel())
    count = len(home)
    last_grade = len(GRADES) - 1
    arrives = np.where(rng.random(count) < 0.05, rng.integers(1, last_grade + 1, count), 0)
    departs = np.where(rng.random(count) < 0.05, rng.integers(0, last_grade, count), last_grade)
    departs = np.maximum(arrives, departs)
    moves = np.where(rng.random(count) < process.mover_share, rng.integers(1, last_grade + 1, count), len(GRADES))
    other = _another_school_of_the_area(rng, schools, home)
    grade = np.arange(len(GRADES))
    year = start[:, None] + grade
    on_roll = (grade >= arrives[:, None]) & (grade <= departs[:, None])
    on_roll &= (year >= study.first_year) & (year <= study.last_year)
    seen = on_roll.any(axis=1)
    school = np.where(grade >= moves[:, None], other[:, None], home[:, None])
    disadvantaged = rng.random(count) < schools.disadvantaged_share[home]
    girl = rng.random(count) < 0.49
    level = _correlated(rng, count, process.pupil_correlation) * process.pupil_sd
    growth = _correlated(rng, count, process.pupil_correlation) * process.pupil_slope_sd
    month = rng.integers(0, 12, count)
    class_draw = rng.integers(0, 2**31, count)
    number = np.cumsum(seen) - 1
    persons, grades = np.nonzero(on_roll)
    kept = np.flatnonzero(seen)
    order = np.lexsort((persons, grades, school[persons, grades], year[persons, grades]))
    persons, grades = persons[order], grades[order]
    codes, recycled = _numbers(rng, year, on_roll, kept)
    return Pupils(
        code=codes,
        birth=[_birth_month(int(s), int(m)) for s, m in zip(start[kept], month[kept], strict=True)],
        disadvantaged=disadvantaged[kept],
        girl=girl[kept],
        level=level[kept],
        growth=growth[kept],
        class_draw=class_draw[kept],
        recycled=recycled,
        row_person=number[persons],
        row_year=year[persons, grades],
        row_school=school[persons, grades],
        row_grade=grades,
    )


def _correlated(rng: np.random.Generator, count: int, correlation: float) -> NDArray[np.float64]:
    """Standard normal draws, one column a subject, with the same correlation between all."""
    shared = rng.standard_normal((count, 1))
    own = rng.standard_normal((count, len(SUBJECTS)))
    result: NDArray[np.float64] = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own
    return result


def _another_school_of_the_area(
    rng: np.random.Generator, schools: Schools, home: NDArray[np.int64]
) -> NDArray[np.int64]:
    first = np.searchsorted(schools.area, schools.area[home], side="left")
    size = np.searchsorted(schools.area, schools.area[home], side="right") - first
    step = 1 + (rng.random(len(home)) * (size - 1)).astype(np.int64)
    other: NDArray[np.int64] = first + (home - first + step) % size
    return other


def _birth_month(start: int, month: int) -> str:
    """Month of birth of a pupil who is seven when the first tested grade begins in the autumn of ``start - 1``."""
    calendar_month = 9 + month
    return f"{start - 9 + (calendar_month > 12)}-{(calendar_month - 1) % 12 + 1:02d}"


def _numbers(
    rng: np.random.Generator, year: NDArray[np.int64], on_roll: NDArray[np.bool_], kept: NDArray[np.int64]
) -> tuple[list[str], NDArray[np.bool_]]:
    """Pupil numbers; a few pupils get the number of one who left at least two years before they came."""
    count = len(kept)
    digits = distinct_codes(rng, 10**11, 10**12, count)
    letters = rng.integers(0, len(LETTERS), count).tolist()
    codes = [f"{LETTERS[letter]}{digit:012d}" for letter, digit in zip(letters, digits, strict=True)]
    years = np.where(on_roll[kept], year[kept], -1)
    last_seen = years.max(axis=1)
    first_seen = np.where(on_roll[kept], year[kept], np.iinfo(np.int64).max).min(axis=1)
    early, late = last_seen.min(), first_seen.max()
    wanted = max(1, count // 1800)
    gone = np.flatnonzero(last_seen <= (early + late) // 2 - 1)
    new = np.flatnonzero(first_seen >= (early + late) // 2 + 1)
    pairs = min(wanted, len(gone), len(new))
    recycled = np.zeros(count, dtype=np.bool_)
    for old, later in zip(rng.choice(gone, pairs, replace=False), rng.choice(new, pairs, replace=False), strict=True):
        codes[later] = codes[old]
        recycled[[old, later]] = True
    return codes, recycled
