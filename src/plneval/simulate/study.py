"""Writing a made-up study with a known truth: the raw files of many offices, and ``truth.json``."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

from plneval.artifacts import read_json, write_json
from plneval.config.cohort import Simulation, Study
from plneval.simulate.agency import write_agency
from plneval.simulate.facets import write_long_form
from plneval.simulate.lasting_truth import lasting_truth
from plneval.simulate.made import make_study
from plneval.simulate.planted import PlantedErrors
from plneval.simulate.products import write_products
from plneval.simulate.registers import (
    write_memberships,
    write_networks,
    write_other_programmes,
    write_school_years,
    write_schools,
)
from plneval.simulate.results import write_outcomes
from plneval.simulate.rolls import write_pupils, write_teachers, write_teaching
from plneval.simulate.truth import truth
from plneval.simulate.voices import write_activity, write_surveys, write_ties

TRUTH: Final = "truth.json"


def simulate(simulation: Simulation, study: Study, out: Path) -> None:
    """Write the raw files of a made-up study and ``truth.json`` into a folder.

    Same arguments, same bytes. Each file is written whole or not at all, and files of an earlier simulation that this
    one does not write are removed. The files and the errors in them are described
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
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".simulate-", dir=out) as name:
        fresh = Path(name)
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
            write_agency,
            write_ties,
            write_other_programmes,
            write_long_form,
        ):
            write(made, fresh, errors)
        products = write_products(made, fresh, errors)
        kept = write_outcomes(made, fresh, errors)
        files = sorted(path.name for path in fresh.iterdir())
        told = truth(made, kept, errors)
        told["sustainability"] = lasting_truth(made, told, products)
        write_json(fresh / TRUTH, {**told, "files": files})
        _take_place(fresh, files, out)


def _take_place(fresh: Path, files: list[str], out: Path) -> None:
    """Move a finished study to its folder; files of an earlier study that this one does not have go.

    Only what an earlier ``truth.json`` names is removed: whatever else lies in the folder stays.
    """
    before = read_json(out / TRUTH).get("files", []) if (out / TRUTH).is_file() else []
    for stale in sorted(set(before) - set(files)):
        if Path(stale).name == stale:
            (out / stale).unlink(missing_ok=True)
    # The truth comes last: while it is old or missing, the files are not those that it tells of.
    for file in [*files, TRUTH]:
        os.replace(fresh / file, out / file)
