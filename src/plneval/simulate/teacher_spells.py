"""When each participating teacher took part in their school's network."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from plneval.simulate.calendar import leaving_day, start_of
from plneval.simulate.made import MadeStudy
from plneval.simulate.memberships import Spell


@dataclass(frozen=True)
class TeacherSpell:
    """One teacher's participation."""

    network: int
    school: int
    teacher: int
    role: str
    joined: dt.date
    left: dt.date | None


def teacher_spells(made: MadeStudy) -> list[TeacherSpell]:
    """Spells of the holders of participating posts within their school's memberships of its first network."""
    memberships, staff = made.memberships, made.staff
    spells = []
    for spell in memberships.spells:
        if spell.network != memberships.network[spell.school]:
            continue
        for post in np.flatnonzero((staff.post_school == spell.school) & staff.participates).tolist():
            spells += _spells_of_post(made, spell, post)
    return spells


def _spells_of_post(made: MadeStudy, spell: Spell, post: int) -> list[TeacherSpell]:
    study, years, holders = made.study, made.years, made.staff.teacher[post].tolist()
    # A late joiner's teachers begin in the year before the one that counts.
    begins = spell.first_year - (spell.joined < start_of(study, spell.first_year))
    ends = spell.last_year if spell.last_year is not None else years[-1]
    result = []
    for teacher in dict.fromkeys(holders):
        held = [year for year, holder in zip(years, holders, strict=True) if holder == teacher]
        # Whoever holds the post in the first study year held it before.
        first = min(begins, held[0]) if held[0] == years[0] else held[0]
        last = held[-1]
        if last < begins or first > ends:
            continue
        joined = spell.joined if first <= begins else start_of(study, first)
        left = leaving_day(study, last) if last < ends else spell.left
        result.append(TeacherSpell(spell.network, spell.school, teacher, "participant", joined, left))
    return result
