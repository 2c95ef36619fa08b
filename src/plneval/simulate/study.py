"""Writing a made-up study with a known truth: the raw files of many offices, and ``truth.json``."""

from __future__ import annotations

from pathlib import Path

from plneval.artifacts import write_json
from plneval.config.cohort import Simulation, Study
from plneval.simulate.made import make_study
from plneval.simulate.planted import PlantedErrors
from plneval.simulate.registers import write_memberships, write_networks, write_school_years, write_schools
from plneval.simulate.results import write_outcomes
from plneval.simulate.rolls import write_pupils, write_teachers, write_teaching
from plneval.simulate.truth import truth
from plneval.simulate.voices import write_activity, write_surveys, write_ties


def simulate(simulation: Simulation, study: Study, out: Path) -> None:
    """Write the raw files of a made-up study and ``truth.json`` into a folder.

    Same arguments, same bytes. Each file is written whole or not at all. The files and the errors in them are described
    in ``docs/simulate.md``; ``config/cohorts/demo.yaml`` maps them.

    Parameters
    ----------
    simulation : size, seed and effect (mean effect on directly taught pupils from the third year of participation on,
        in standard deviations).
    study : study years and the years without outcomes.
    out : folder of the raw files; made when it is not there.

    Raises
    ------
    UserError
        If the study is too short, has no pupil level, or has more networks than member schools.
    """
    made = make_study(simulation, study)
    errors = PlantedErrors()
    for write in (
        write_schools,
        write_school_years,
        write_networks,
        write_memberships,
        write_activity,
        write_teachers,
        write_pupils,
        write_teaching,
        write_surveys,
        write_ties,
    ):
        write(made, out, errors)
    kept = write_outcomes(made, out, errors)
    write_json(out / "truth.json", truth(made, kept, errors))
