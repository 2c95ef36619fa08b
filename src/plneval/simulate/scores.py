"""Scores: school, pupil and test differences, and on top of them the effect of participation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plneval.config.cohort import Simulation, Study
from plneval.simulate.memberships import Memberships, stages
from plneval.simulate.networks import Networks
from plneval.simulate.process import GRADES, POINTS, SCORE_RANGE, SUBJECTS, PlantedEffects, Process
from plneval.simulate.pupils import Pupils
from plneval.simulate.schools import Schools
from plneval.simulate.staff import SPECIALIST_GRADES, Staff
from plneval.simulate.streams import stream


@dataclass(frozen=True)
class Scores:
    """Scores of pupil-years with tests; arrays have a row for each and a column for each subject."""

    row: NDArray[np.int64]
    """Position of the pupil-year among the pupils' rows."""
    points: NDArray[np.float64]
    """Whole points; NaN when absent."""
    effect_points: NDArray[np.float64]
    """What participation added to the score, in points before rounding: the effect on this pupil."""
    direct: NDArray[np.bool_]
    """Taught this subject by a post that takes part, in a school that is or was a member."""


def make_scores(
    simulation: Simulation,
    study: Study,
    schools: Schools,
    memberships: Memberships,
    networks: Networks,
    staff: Staff,
    pupils: Pupils,
    process: Process,
    effects: PlantedEffects,
) -> Scores:
    """Draw every score of every outcome year."""
    rng = stream(simulation.seed, "scores")
    row = np.flatnonzero(np.isin(pupils.row_year, study.outcome_years))
    person, school, grade = pupils.row_person[row], pupils.row_school[row], pupils.row_grade[row]
    column = pupils.row_year[row] - study.first_year
    latent = _school_part(rng, schools, memberships, pupils, process)[school, column]
    centred = (grade - (len(GRADES) - 1) / 2)[:, None]
    latent = latent + pupils.level[person] + pupils.growth[person] * centred
    latent += process.disadvantage * pupils.disadvantaged[person][:, None]
    # The tests: mean growth over grades, and tests of different years and grades that are not equally hard.
    difficulty = rng.standard_normal((len(memberships.years), len(GRADES), len(SUBJECTS))) * process.grade_year_sd
    latent += process.grade_gain * centred + difficulty[column, grade]
    shared = np.sqrt(process.residual_correlation) * rng.standard_normal((len(row), 1))
    own = np.sqrt(1 - process.residual_correlation) * rng.standard_normal((len(row), len(SUBJECTS)))
    latent += process.residual_sd * (shared + own)
    direct = _direct(staff, pupils, row)
    effect = _effects(memberships, networks, schools, pupils, row, direct, effects)
    direct &= (stages(memberships, effects)[school, column] > 0)[:, None]
    mean, spread = np.array([POINTS[subject] for subject in SUBJECTS]).T
    points = np.clip(np.rint(mean + spread * (latent + effect)), *SCORE_RANGE)
    points[_absent(rng, pupils.disadvantaged[person], process)] = np.nan
    return Scores(row=row, points=points, effect_points=effect * spread, direct=direct)


def _school_part(
    rng: np.random.Generator, schools: Schools, memberships: Memberships, pupils: Pupils, process: Process
) -> NDArray[np.float64]:
    """Level, trend and shocks of each school, study year and subject.

    Members differ from comparison schools in their level only. The difference is set, not drawn: whatever a school's
    deprivation and intake give is made up for in its arm's mean, so that the planted difference is met.
    """
    count, years = schools.count, len(memberships.years)
    scale = np.sqrt(process.school_correlation), np.sqrt(1 - process.school_correlation)

    def draws(*shape: int) -> NDArray[np.float64]:
        shared, own = rng.standard_normal((*shape, 1)), rng.standard_normal((*shape, len(SUBJECTS)))
        result: NDArray[np.float64] = scale[0] * shared + scale[1] * own
        return result

    level = process.school_sd * draws(count) + (process.deprivation * schools.deprivation)[:, None]
    slope, shock = process.school_slope_sd * draws(count), process.school_year_sd * draws(count, years)
    share = np.bincount(pupils.row_school, pupils.disadvantaged[pupils.row_person], minlength=count)
    rolls = np.bincount(pupils.row_school, minlength=count)
    level_with_intake = level + (process.disadvantage * share / rolls)[:, None]
    arms = (memberships.entry_year == 0, 0.0), (memberships.joiner, process.selection), (memberships.left_censored, 0.2)
    for arm, wanted in arms:
        if arm.any():
            level[arm] += wanted - np.average(level_with_intake[arm], axis=0, weights=rolls[arm])
    time = np.arange(years) - (years - 1) / 2
    result: NDArray[np.float64] = level[:, None, :] + slope[:, None, :] * time[None, :, None] + shock
    return result


def taught_by(staff: Staff, pupils: Pupils, row: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and second post that teach each pupil-year in each subject; the second is -1 for most."""
    school, grade = pupils.row_school[row], pupils.row_grade[row]
    number = pupils.class_draw[pupils.row_person[row]] % staff.classes[school]
    first = np.repeat(staff.class_post[school, grade, number][:, None], len(SUBJECTS), axis=1)
    second = np.repeat(staff.second_post[school, grade, number][:, None], len(SUBJECTS), axis=1)
    specialist = staff.specialist_post[school]
    has_specialist = (specialist >= 0) & np.isin(np.array(GRADES)[grade], SPECIALIST_GRADES)
    maths = SUBJECTS.index("maths")
    first[has_specialist, maths] = specialist[has_specialist]
    second[has_specialist, maths] = -1
    return first, second


def _direct(staff: Staff, pupils: Pupils, row: NDArray[np.int64]) -> NDArray[np.bool_]:
    first, second = taught_by(staff, pupils, row)
    direct: NDArray[np.bool_] = staff.participates[first] | ((second >= 0) & staff.participates[second])
    return direct


def _effects(
    memberships: Memberships,
    networks: Networks,
    schools: Schools,
    pupils: Pupils,
    row: NDArray[np.int64],
    direct: NDArray[np.bool_],
    effects: PlantedEffects,
) -> NDArray[np.float64]:
    """Effect on each score in standard deviations.

    stage × direct or indirect × (mean effect + network's deviation + gap × (disadvantaged − its mean)) × subject.
    """
    school, year = pupils.row_school[row], pupils.row_year[row]
    stage = stages(memberships, effects)[school, year - memberships.years[0]]
    network = memberships.network[school]
    deviation = np.where(network >= 0, networks.deviation[network], 0.0)
    mean_share = float(np.average(schools.disadvantaged_share, weights=schools.size))
    gap = effects.gap * (pupils.disadvantaged[pupils.row_person[row]] - mean_share)
    per_subject = np.array([effects.subjects[subject] for subject in SUBJECTS])
    size = effects.direct * stage * (1 + deviation + gap)
    result: NDArray[np.float64] = size[:, None] * np.where(direct, 1.0, effects.indirect) * per_subject
    return result


def _absent(rng: np.random.Generator, disadvantaged: NDArray[np.bool_], process: Process) -> NDArray[np.bool_]:
    """Absence from both tests or from one of them."""
    probability = process.absent * np.where(disadvantaged, 1.5, 0.85)
    both = rng.random(len(disadvantaged)) < 0.7 * probability
    one = rng.random((len(disadvantaged), len(SUBJECTS))) < (0.3 * probability)[:, None]
    return both[:, None] | one
