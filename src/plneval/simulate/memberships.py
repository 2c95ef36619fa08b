"""Who joins which network, when, and for how long; and which part of the effect each school-year carries."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plneval.config.cohort import Simulation, Study
from plneval.errors import UserError
from plneval.simulate.calendar import entry_years, joining_day, leaving_day
from plneval.simulate.process import PlantedEffects, Process
from plneval.simulate.schools import Schools
from plneval.simulate.streams import stream


@dataclass(frozen=True)
class Spell:
    """One membership of a school in a network, from one day to another (or still going on)."""

    school: int
    network: int
    first_year: int
    """First school year that counts by the rule for late joining."""
    last_year: int | None
    """Last school year of the membership."""
    joined: dt.date
    left: dt.date | None


@dataclass(frozen=True)
class Memberships:
    """Memberships of all schools; arrays have one entry a school, or one row a school and one column a study year."""

    network: NDArray[np.int64]
    """First network, -1 for schools that never join."""
    entry_year: NDArray[np.int64]
    """First year that counts as membership, 0 for schools that never join."""
    left_censored: NDArray[np.bool_]
    late: NDArray[np.bool_]
    ever_left: NDArray[np.bool_]
    returned: NDArray[np.bool_]
    second_network: NDArray[np.int64]
    """A second network, -1 for most."""
    spells: list[Spell]
    years: list[int]
    member: NDArray[np.bool_]

    @property
    def joiner(self) -> NDArray[np.bool_]:
        """Schools that join within the study: the treated schools of the analysis."""
        return (self.entry_year > 0) & ~self.left_censored

    @property
    def analysed(self) -> NDArray[np.bool_]:
        """Schools that joined within the study or never."""
        return ~self.left_censored


def make_memberships(simulation: Simulation, study: Study, schools: Schools, process: Process) -> Memberships:
    """Draw networks' schools, joining years, leavers, returners and second networks.

    Raises
    ------
    UserError
        If there are more networks than member schools.
    """
    rng = stream(simulation.seed, "memberships")
    members = _member_schools(rng, schools, process.member_share)
    if simulation.networks > len(members):
        raise UserError(
            f"simulate.networks: {simulation.networks} networks need as many member schools, and {schools.count} "
            f"schools give {len(members)}. Choose fewer networks or more schools."
        )
    network = _networks_of(rng, schools, members, simulation.networks)
    entry = _entry_years(rng, network, entry_years(study), simulation.networks)
    left_censored = _left_censored(network, round(0.035 * schools.count))
    entry[left_censored] = study.outcome_years[0] - 1
    joiners = np.flatnonzero((entry > 0) & ~left_censored)
    late = np.zeros(schools.count, dtype=np.bool_)
    late[rng.choice(joiners, size=round(0.1 * len(joiners)), replace=False)] = True
    last_year, return_year = _leavers(rng, np.setdiff1d(joiners, np.flatnonzero(late)), entry, study)
    second = _second_networks(network, entry, last_year, study, simulation.networks)
    spells = _spells(study, network, entry, late, last_year, return_year, second)
    years = list(range(study.first_year, study.last_year + 1))
    return Memberships(
        network=network,
        entry_year=entry,
        left_censored=left_censored,
        late=late,
        ever_left=last_year > 0,
        returned=return_year > 0,
        second_network=second,
        spells=spells,
        years=years,
        member=_member_years(schools.count, spells, years),
    )


def stages(memberships: Memberships, effects: PlantedEffects) -> NDArray[np.float64]:
    """Part of the full effect for each school and study year.

    In a year of membership it is ``ramp`` of the years of participation so far (this one included); after leaving it
    fades by ``fade`` a year; a school that returns goes on where it left. Years without tests count.
    """
    stage = np.zeros(memberships.member.shape)
    first = memberships.years[0]
    for school in np.flatnonzero(memberships.entry_year > 0).tolist():
        entry = int(memberships.entry_year[school])
        participated, current = max(0, first - entry), 0.0
        for column, year in enumerate(memberships.years):
            if year < entry:
                continue
            if memberships.member[school, column]:
                participated += 1
                current = effects.ramp[min(participated, len(effects.ramp)) - 1]
            else:
                current *= effects.fade
            stage[school, column] = current
    return stage


def _member_schools(rng: np.random.Generator, schools: Schools, share: float) -> NDArray[np.int64]:
    """A systematic sample over area and deprivation: members and others hardly differ in these."""
    # Up in one area and down in the next, so that a late start of the sample does not favour deprived schools.
    order = np.lexsort((schools.deprivation * np.where(schools.area % 2, -1, 1), schools.area))
    count = max(2, round(share * schools.count))
    steps = (np.arange(count) + rng.random()) * schools.count / count
    return np.sort(order[steps.astype(np.int64)])


def _networks_of(
    rng: np.random.Generator, schools: Schools, members: NDArray[np.int64], networks: int
) -> NDArray[np.int64]:
    """Networks of neighbouring schools, of somewhat different sizes."""
    sizes = np.full(networks, len(members) // networks)
    sizes[rng.choice(networks, size=len(members) % networks, replace=False)] += 1
    for giving, taking in rng.integers(0, networks, size=(networks // 2, 2)).tolist():
        if giving != taking and sizes[giving] > 2:
            sizes[giving] -= 1
            sizes[taking] += 1
    shuffled = members[np.lexsort((rng.random(len(members)), schools.area[members]))]
    network = np.full(schools.count, -1, dtype=np.int64)
    network[shuffled] = np.repeat(np.arange(networks), sizes)
    return network


def _entry_years(
    rng: np.random.Generator, network: NDArray[np.int64], years: list[int], networks: int
) -> NDArray[np.int64]:
    """Networks start in all entry years alike; some of their schools join in the next one."""
    start = rng.permutation(np.arange(networks) % len(years))
    entry = np.zeros(len(network), dtype=np.int64)
    for number in range(networks):
        for position, school in enumerate(np.flatnonzero(network == number).tolist()):
            later = position > 0 and rng.random() < 0.2
            entry[school] = years[min(int(start[number]) + int(later), len(years) - 1)]
    return entry


def _left_censored(network: NDArray[np.int64], wanted: int) -> NDArray[np.bool_]:
    """One school each of the largest networks was a member before outcomes began; its network keeps others."""
    left_censored = np.zeros(len(network), dtype=np.bool_)
    sizes = np.bincount(network[network >= 0])
    for number in np.argsort(-sizes, kind="stable")[:wanted].tolist():
        if sizes[number] >= 3:
            left_censored[np.flatnonzero(network == number)[0]] = True
    return left_censored


def _leavers(
    rng: np.random.Generator, candidates: NDArray[np.int64], entry: NDArray[np.int64], study: Study
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Last year of the first membership and year of return for each school, 0 for none."""
    last_year, return_year = np.zeros_like(entry), np.zeros_like(entry)
    shuffled = rng.permutation(candidates)
    leaving = [school for school in shuffled.tolist() if entry[school] + 2 <= study.last_year]
    leaving = leaving[: round(0.17 * len(candidates))]
    can_return = [school for school in leaving if entry[school] + 3 <= study.last_year]
    returning = set(can_return[: round(0.06 * len(candidates))])
    for school in leaving:
        stay_longer = school not in returning and entry[school] + 3 <= study.last_year and rng.random() < 0.5
        last_year[school] = entry[school] + (2 if stay_longer else 1)
        if school in returning:
            return_year[school] = last_year[school] + 2
    return last_year, return_year


def _second_networks(
    network: NDArray[np.int64], entry: NDArray[np.int64], last_year: NDArray[np.int64], study: Study, networks: int
) -> NDArray[np.int64]:
    """Up to two schools of one network also join one neighbouring network: these two become one cluster."""
    second = np.full(len(network), -1, dtype=np.int64)
    if networks < 2:
        return second
    largest = int(np.argmax(np.bincount(network[network >= 0], minlength=networks)))
    neighbour = largest + 1 if largest + 1 < networks else largest - 1
    able = (network == largest) & (last_year == 0) & (entry >= study.first_year) & (entry < study.last_year)
    second[np.flatnonzero(able)[:2]] = neighbour
    return second


def _spells(
    study: Study,
    network: NDArray[np.int64],
    entry: NDArray[np.int64],
    late: NDArray[np.bool_],
    last_year: NDArray[np.int64],
    return_year: NDArray[np.int64],
    second: NDArray[np.int64],
) -> list[Spell]:
    spells = []
    for school in np.flatnonzero(entry > 0).tolist():
        first, number, last = int(entry[school]), int(network[school]), int(last_year[school])
        # A late joiner joins in the year before the one that counts.
        joined = joining_day(study, first - 1, late=True) if late[school] else joining_day(study, first)
        left = leaving_day(study, last) if last else None
        spells.append(Spell(school, number, first, last or None, joined, left))
        again = int(return_year[school])
        if again:
            spells.append(Spell(school, number, again, None, joining_day(study, again), None))
        if second[school] >= 0:
            spells.append(Spell(school, int(second[school]), first + 1, None, joining_day(study, first + 1), None))
    return spells


def _member_years(schools: int, spells: list[Spell], years: list[int]) -> NDArray[np.bool_]:
    member = np.zeros((schools, len(years)), dtype=np.bool_)
    span = np.array(years)
    for spell in spells:
        last = spell.last_year if spell.last_year is not None else years[-1]
        member[spell.school] |= (span >= spell.first_year) & (span <= last)
    return member
