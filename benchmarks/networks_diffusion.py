"""Bias and coverage of direct and indirect effects from the samples of plneval.networks.diffusion, on made-up studies.

`python benchmarks/networks_diffusion.py [--draws 1000] [--schools 60] [--networks 10]` prints the table of
docs/networks.md.

Each draw is a study of plneval.simulate, made in memory; the effect on directly taught pupils is 0.12 SD, on others 0.4
of it. Pupils of member schools that have left are not in it. Group-time effects of plneval.did against schools that
never join, clustered by network, averaged over cells from the third year on; the truth is the same average of what was
planted in these very pupils (the estimator is linear). Intervals by t with the smaller number of clusters less 1.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from scipy import stats

from plneval import did
from plneval.config.cohort import Simulation, Study
from plneval.networks.diffusion import contrast_rows, exposure_groups
from plneval.simulate.made import make_study
from plneval.simulate.truth import scored_effects

STUDY = Study(first_year=2012, last_year=2019, missing_outcome_years=[2014, 2017])
THIRD_YEAR = 2


def panel(schools: int, networks: int, seed: int) -> pd.DataFrame:
    """Scores in mathematics of one study in the columns of the pupil panel, with the planted effect on each."""
    made = make_study(Simulation(seed=seed, schools=schools, networks=networks, pupils_per_grade=20), STUDY)
    table = scored_effects(made, ~np.isnan(made.scores.points))
    table = table[(table["subject"] == "maths") & (table["member"] | ~table["treated"])].reset_index(drop=True)
    keys = [table["year"], table["grade"]]
    reference = table["points"].where(~table["treated"])
    mean, sd = (reference.groupby(keys).transform(name) for name in ("mean", "std"))
    joins = table["entry_year"] > 0
    merged = {
        int(b): int(a) for a, b in zip(made.memberships.network, made.memberships.second_network, strict=True) if b >= 0
    }
    network = table["network"].map(lambda own: merged.get(int(own), int(own)))
    return pd.DataFrame(
        {
            "school": table["school"],
            "year": table["year"],
            "entry_year": table["entry_year"].where(joins).astype("Int64"),
            "arm": np.where(joins, "member", "comparison"),
            "cluster": network.where(joins, 1000 + table["school"]),
            "treated": table["treated"].astype(int),
            "exposure": np.where(table["direct"], "direct", np.where(table["treated"], "indirect", "none")),
            "z": (table["points"] - mean) / sd,
            "planted": table["standardised"].where(table["treated"], 0.0),
        }
    )


def effect(rows: pd.DataFrame, outcome: str) -> did.Aggregate:
    cells = did.cells(
        rows, outcome, "year", "school", "entry_year", cluster="cluster", panel=False, missing_entry="never"
    )
    return did.att_gt(cells, panel=False).aggregate("simple", min_event=THIRD_YEAR)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--schools", type=int, default=60)
    parser.add_argument("--networks", type=int, default=10)
    arguments = parser.parse_args()
    found = []
    for seed in range(arguments.draws):
        rows = panel(arguments.schools, arguments.networks, seed)
        group = exposure_groups(rows)
        for contrast in ("direct", "indirect"):
            own = contrast_rows(rows, group, contrast)
            estimate, planted = effect(own, "z"), effect(own, "planted").estimate
            arms = own.drop_duplicates("cluster")["arm"].value_counts()
            half = stats.t.ppf(0.975, arms.min() - 1) * estimate.se
            error = estimate.estimate - planted
            found.append((contrast, planted, error, estimate.se, abs(error) <= half))
    table = pd.DataFrame(found, columns=["contrast", "planted", "error", "se", "covered"])
    by = table.groupby("contrast")
    summary = by.agg(planted=("planted", "mean"), bias=("error", "mean"), sd=("error", "std"), mean_se=("se", "mean"))
    summary["bias_mc_se"] = summary["sd"] / arguments.draws**0.5
    summary["coverage"] = by["covered"].mean()
    print(summary.to_string(float_format=lambda value: f"{value:.4f}"))


if __name__ == "__main__":
    main()
