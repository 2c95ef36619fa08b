"""Pupil panels of made-up studies for the benchmarks, in memory: what prepare would make of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from plneval.config.cohort import Simulation, Study
from plneval.simulate.made import make_study
from plneval.simulate.truth import scored_effects

STUDY = Study(first_year=2012, last_year=2019, missing_outcome_years=[2014, 2017])


def pupil_panel(schools: int, networks: int, seed: int, pupils_per_grade: int = 20) -> pd.DataFrame:
    """Scores in mathematics of one study in the columns of the pupil panel, with the planted effect on each.

    ``planted`` is what participation added to a score in standard deviations, 0 where it added nothing; ``member`` says
    whether the school is a member in that year (schools that have left have effects that fade).
    """
    made = make_study(
        Simulation(seed=seed, schools=schools, networks=networks, pupils_per_grade=pupils_per_grade), STUDY
    )
    table = scored_effects(made, ~np.isnan(made.scores.points))
    table = table[table["subject"] == "maths"].reset_index(drop=True)
    keys = [table["year"], table["grade"]]
    reference = table["points"].where(~table["treated"])
    mean, sd = (reference.groupby(keys).transform(name) for name in ("mean", "std"))
    joins = table["entry_year"] > 0
    # Networks that share schools are one cluster.
    merged = {
        int(b): int(a) for a, b in zip(made.memberships.network, made.memberships.second_network, strict=True) if b >= 0
    }
    network = table["network"].map(lambda own: merged.get(int(own), int(own)))
    entry = table["entry_year"].where(joins).astype("Int64")
    return pd.DataFrame(
        {
            "outcome": "maths",
            "school": table["school"],
            "year": table["year"],
            "pupil": table["person"],
            "disadvantaged": table["disadvantaged"].astype(int),
            "entry_year": entry,
            "event_time": table["year"].astype("Int64") - entry,
            "arm": np.where(joins, "member", "comparison"),
            "network": network.where(joins).astype("Int64"),
            "cluster": network.where(joins, 1000 + table["school"]),
            "treated": table["treated"].astype(int),
            "member": table["member"],
            "exposure": np.where(table["direct"], "direct", np.where(table["treated"], "indirect", "none")),
            "z": (table["points"] - mean) / sd,
            "planted": table["standardised"].where(table["treated"], 0.0),
        }
    )
