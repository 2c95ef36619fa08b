"""Bias and coverage of the effect on schools that have left (networks.after_leaving), on made-up studies.

`python benchmarks/networks_leaving.py [--draws 1000] [--schools 150] [--networks 24]` prints the table of
docs/networks.md.

Each draw is a study of plneval.simulate, made in memory with an effect of 0.12 SD on directly taught pupils; of the
effect 0.6 is left with every year after leaving. The model is that of plneval.estimate.after_leaving, its interval that
of the record. The truth is that of truth.json: the mean over the pupils of schools that have left and are not back. The
row `all` counts every draw with an interval, `6 clusters` those with leavers in six clusters or more, below which the
record says that its interval is unreliable.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from plneval.config.cohort import Simulation, Study
from plneval.config.network_models import AfterLeaving
from plneval.estimate.after_leaving import fit_outside, outside
from plneval.estimate.counts import PupilCounts
from plneval.estimate.inference import interval
from plneval.estimate.sample import Exclusions, SchoolSample, weigh
from plneval.simulate.made import MadeStudy, make_study
from plneval.simulate.truth import scored_effects

STUDY = Study(first_year=2012, last_year=2019, missing_outcome_years=[2014, 2017])
SPEC = AfterLeaving(kind="networks.after_leaving", label="After leaving", outcome="maths")
NOBODY = PupilCounts(pd.DataFrame({name: pd.Series(dtype="int64") for name in ("school", "year", "pupil")}))
RELIABLE = 6


def school_years(made: MadeStudy, table: pd.DataFrame) -> pd.DataFrame:
    """School-years of mathematics in the columns of the estimators' sample."""
    keys = [table["year"], table["grade"]]
    reference = table["points"].where(~table["treated"])
    mean, sd = (reference.groupby(keys).transform(name) for name in ("mean", "std"))
    rows = table.assign(z=(table["points"] - mean) / sd)
    by = rows.groupby(["school", "year"])
    found = by.agg(y=("z", "mean"), n=("z", "size"), entry_year=("entry_year", "first"), network=("network", "first"))
    found = found.reset_index()
    joins = found["entry_year"] > 0
    second = zip(made.memberships.network, made.memberships.second_network, strict=True)
    merged = {int(b): int(a) for a, b in second if b >= 0}
    network = found["network"].map(lambda own: merged.get(int(own), int(own)))
    return found.assign(
        cluster=network.where(joins, 1000 + found["school"]).astype("Int64"),
        network=found["network"].where(joins).astype("Int64"),
        entry_year=found["entry_year"].where(joins).astype("Int64"),
    )


def states(made: MadeStudy) -> pd.DataFrame:
    """State and years out of joiners by study year, as ``plneval.networks.leaving.membership_states`` gives them."""
    rows = []
    for school in np.flatnonzero(made.memberships.joiner).tolist():
        out = 0
        for column, year in enumerate(made.years):
            inside = bool(made.memberships.member[school, column])
            joined = year >= made.memberships.entry_year[school]
            out = 0 if inside or not joined else out + 1
            rows.append((school, year, "left" if out else "member" if joined else "before", out))
    return pd.DataFrame(rows, columns=["school", "year", "state", "years_out"])


def draw(seed: int, schools: int, networks: int) -> tuple[float, float, float, float, float, int] | None:
    """Planted effect, estimate, standard error, interval and clusters with leavers of one study; None without any."""
    made = make_study(Simulation(seed=seed, schools=schools, networks=networks, pupils_per_grade=8), STUDY)
    table = scored_effects(made, ~np.isnan(made.scores.points))
    table = table[table["subject"] == "maths"].reset_index(drop=True)
    planted = float(table.loc[table["treated"] & ~table["member"], "standardised"].mean())
    exclusions = Exclusions()
    sample = SchoolSample(weigh(school_years(made, table), "pupils", exclusions), "z", "pupils", exclusions)
    fit = fit_outside(outside(sample, states(made)), SPEC, NOBODY)
    for one in fit.estimates:
        if one.estimand == "att_after_leaving" and one.se is not None:
            low, high, _ = interval(one.estimate, one.se, one.df, SPEC.confidence)
            clusters = int(one.basis.clusters_treated or 0)
            return None if low is None or high is None else (planted, one.estimate, one.se, low, high, clusters)
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--schools", type=int, default=150)
    parser.add_argument("--networks", type=int, default=24)
    arguments = parser.parse_args()
    draws = [draw(seed, arguments.schools, arguments.networks) for seed in range(arguments.draws)]
    columns = ["planted", "estimate", "se", "low", "high", "clusters"]
    table = pd.DataFrame([one for one in draws if one is not None], columns=columns)
    summaries = []
    for which, rows in (("all", table), (f"{RELIABLE} clusters", table[table["clusters"] >= RELIABLE])):
        error = rows["estimate"] - rows["planted"]
        covered = (rows["low"] <= rows["planted"]) & (rows["planted"] <= rows["high"])
        summaries.append(
            {
                "draws": which,
                "n": len(rows),
                "planted": rows["planted"].mean(),
                "bias": error.mean(),
                "bias_mc_se": error.std() / max(len(rows), 1) ** 0.5,
                "sd": error.std(),
                "mean_se": rows["se"].mean(),
                "coverage": covered.mean(),
                "coverage_mc_se": (0.95 * 0.05 / max(len(rows), 1)) ** 0.5,
            }
        )
    print(pd.DataFrame(summaries).to_string(index=False, float_format=lambda value: f"{value:.4f}"))


if __name__ == "__main__":
    main()
