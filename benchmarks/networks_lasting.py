"""Bias and coverage of the scorecard's survey criteria with a known truth.

`python benchmarks/networks_lasting.py [--draws 200]` prints the table of docs/networks.md.

The networks and memberships of the demonstration (120 schools, 18 networks) with small schools of six pupils a grade,
so fewer teachers; who answers, and what, is drawn anew each time. The truth is that of ``sustainability`` in
``truth.json``.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from plneval.config.cohort import Simulation, Study
from plneval.networks.lasting_change import last_level, lasting_change
from plneval.simulate.agency import ITEMS, agency_answers
from plneval.simulate.lasting_truth import lasting_truth
from plneval.simulate.made import MadeStudy, make_study
from plneval.simulate.process import SUBJECTS
from plneval.simulate.products import make_inventory
from plneval.simulate.voices import INSTRUMENTS, answering
from plneval.standards import load

STUDY = Study(first_year=2012, last_year=2019, missing_outcome_years=[2014, 2017])
SIMULATION = Simulation(seed=20181, schools=120, networks=18, pupils_per_grade=6, effect=0.12)
ROLES = {"participants": "participant", "colleagues": "colleague", "": "leader"}


def scores(
    made: MadeStudy, waves: Iterable[tuple[int, int, pd.DataFrame]], form: str, items: Sequence[str]
) -> pd.DataFrame:
    """Mean answer of everybody in every wave: network, wave, role, score."""
    parts = []
    for wave, _, answers in waves:
        own = [6 - answers[f"{form}:{i}"] if i.endswith("r") else answers[f"{form}:{i}"] for i in items]
        network = made.memberships.network[answers["school"].to_numpy()]
        mean = np.mean(own, axis=0)
        parts.append(pd.DataFrame({"network": network, "wave": str(wave), "role": answers["role"], "score": mean}))
    return pd.concat(parts, ignore_index=True)


def draw(base: MadeStudy, seed: int) -> list[dict[str, object]]:
    """What one draw of the surveys finds of each criterion, less the truth, and whether its interval holds it."""
    rules = load("sustainability")
    made = dataclasses.replace(base, simulation=base.simulation.model_copy(update={"seed": seed}))
    nothing = {subject: {"effect": None} for subject in SUBJECTS}
    effects = {"group_time": {subject: {} for subject in SUBJECTS}, "after_leaving": nothing}
    planted = lasting_truth(made, {"headline": nothing, "effects": effects}, make_inventory(made))
    rows = []
    for form, items in {**INSTRUMENTS, "agency": ITEMS}.items():
        own = scores(made, agency_answers(made) if form == "agency" else answering(made), form, items)
        for who, role in ROLES.items():
            criterion = f"{form}_{who}".rstrip("_")
            if criterion not in planted:
                continue
            answers = own[own["role"] == role]
            level = last_level(answers, True, rules) if form == "agency" else None
            change = lasting_change(answers, True, rules) if form != "agency" else None
            found = level[0] if level else change.change if change else None
            if found is not None:
                error = found.mean - planted[criterion]
                covered = found.ci_low <= planted[criterion] <= found.ci_high
                rows.append({"criterion": criterion, "error": error, "covered": covered})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=200)
    draws = parser.parse_args().draws
    base = make_study(SIMULATION, STUDY)
    table = pd.DataFrame([row for seed in range(draws) for row in draw(base, seed)])
    print("| criterion | bias (MC SE) | SD | covers |\n|---|---|---|---|")
    for criterion, own in table.groupby("criterion", sort=False):
        sd = own["error"].std()
        bias = f"{own['error'].mean():+.3f} ({sd / np.sqrt(len(own)):.3f})"
        print(f"| {criterion} | {bias} | {sd:.3f} | {own['covered'].mean():.3f} |")


if __name__ == "__main__":
    main()
