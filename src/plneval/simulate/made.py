"""A made-up study before it becomes raw files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from plneval.config.cohort import Simulation, Study
from plneval.config.sources import TABLES
from plneval.errors import UserError
from plneval.simulate.memberships import Memberships, make_memberships
from plneval.simulate.networks import Networks, make_networks
from plneval.simulate.other_programmes import OtherSpell, make_other_programmes
from plneval.simulate.planted import Typist
from plneval.simulate.process import PlantedEffects, Process
from plneval.simulate.pupils import Pupils, make_pupils
from plneval.simulate.schools import Schools, make_schools
from plneval.simulate.scores import Scores, make_scores
from plneval.simulate.staff import Staff, make_staff
from plneval.simulate.streams import stream


@dataclass(frozen=True)
class MadeStudy:
    """Everything that is true about a made-up study, the hidden effects among it."""

    simulation: Simulation
    study: Study
    process: Process
    effects: PlantedEffects
    schools: Schools
    memberships: Memberships
    networks: Networks
    staff: Staff
    pupils: Pupils
    scores: Scores
    other_spells: list[OtherSpell]

    @property
    def years(self) -> list[int]:
        return self.memberships.years

    @cached_property
    def school_codes(self) -> set[str]:
        return set(self.schools.code)

    @cached_property
    def pupil_codes(self) -> set[str]:
        return set(self.pupils.code)

    @cached_property
    def teacher_codes(self) -> set[str]:
        return set(self.staff.code)

    def typist(self, table: str) -> Typist:
        """The typist of one table, whose mistakes do not depend on those in other tables."""
        return Typist(stream(self.simulation.seed, "mess", TABLES.index(table)))


def make_study(
    simulation: Simulation,
    study: Study,
    process: Process | None = None,
    effects: PlantedEffects | None = None,
) -> MadeStudy:
    """Draw a study: schools, networks, staff, pupils and scores.

    Parameters
    ----------
    process, effects : what differs from the process and the effects that ``simulation`` asks for.

    Raises
    ------
    UserError
        If the study has no pupil level, is too short, or has more networks than member schools.
    """
    if study.level != "pupil":
        raise UserError("study.level: a made-up study has pupils; write 'pupil' or leave out the section 'simulate'.")
    process = process or Process()
    effects = effects or PlantedEffects(direct=simulation.effect)
    schools = make_schools(simulation)
    memberships = make_memberships(simulation, study, schools, process)
    networks = make_networks(simulation, schools, memberships, effects)
    staff = make_staff(simulation, schools, memberships, process)
    pupils = make_pupils(simulation, study, schools, process)
    scores = make_scores(simulation, study, schools, memberships, networks, staff, pupils, process, effects)
    others = make_other_programmes(simulation, study, memberships)
    return MadeStudy(simulation, study, process, effects, schools, memberships, networks, staff, pupils, scores, others)
