"""Networks and programmes outside the evaluated one: which schools take part in them, and when."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plneval.config.cohort import Simulation, Study
from plneval.simulate.calendar import joining_day, leaving_day
from plneval.simulate.memberships import Memberships
from plneval.simulate.streams import stream

PROGRAMMES = ("County Reading Circle", "Numbers First Alliance")
COMPARISON_SHARE = 1 / 8
"""Share of comparison schools that are in another programme at some time."""
MEMBER_SHARE = 1 / 14
"""Share of schools that join within the study that are in another programme at some time."""


@dataclass(frozen=True)
class OtherSpell:
    """A school's time in a programme outside the evaluated one."""

    school: int
    programme: int
    first_year: int
    """First school year that counts by the rule for late joining."""
    last_year: int | None
    """Last school year, None for those that go on."""
    joined: dt.date
    left: dt.date | None


def make_other_programmes(simulation: Simulation, study: Study, memberships: Memberships) -> list[OtherSpell]:
    """Draw who is in another programme, at random among comparison schools and among joiners.

    # ASSUME: another programme does nothing to pupils: leaving such schools out changes an estimate by chance alone.
    """
    rng = stream(simulation.seed, "other_programmes")
    comparison = _chosen(rng, np.flatnonzero(memberships.entry_year == 0), COMPARISON_SHARE)
    members = _chosen(rng, np.flatnonzero(memberships.joiner), MEMBER_SHARE)
    spells = [_spell(rng, study, school, number % 2) for number, school in enumerate([*comparison, *members])]
    # Two of them join the other one too.
    for spell in spells[:2]:
        spells.append(_spell(rng, study, spell.school, 1 - spell.programme, spell.first_year))
    return spells


def years_in_others(memberships: Memberships, spells: list[OtherSpell]) -> NDArray[np.bool_]:
    """Whether a school is in another programme, a row a school and a column a study year."""
    years = np.array(memberships.years)
    inside = np.zeros(memberships.member.shape, dtype=np.bool_)
    for spell in spells:
        last = spell.last_year if spell.last_year is not None else memberships.years[-1]
        inside[spell.school] |= (years >= spell.first_year) & (years <= last)
    return inside


def _chosen(rng: np.random.Generator, schools: NDArray[np.int64], share: float) -> list[int]:
    size = min(len(schools), max(1, round(share * len(schools))))
    return sorted(int(school) for school in rng.choice(schools, size=size, replace=False))


def _spell(
    rng: np.random.Generator, study: Study, school: int, programme: int, from_year: int | None = None
) -> OtherSpell:
    """Two to four years within the study, one in four of them begun late in the year before the first that counts."""
    latest = study.last_year - 1
    first = int(rng.integers(study.first_year + 1, latest + 1)) if from_year is None else min(from_year + 1, latest)
    last = first + int(rng.integers(1, 4))
    late = bool(rng.random() < 0.25)
    joined = joining_day(study, first - 1, late=True) if late else joining_day(study, first)
    if last >= study.last_year:
        return OtherSpell(school, programme, first, None, joined, None)
    return OtherSpell(school, programme, first, last, joined, leaving_day(study, last))
