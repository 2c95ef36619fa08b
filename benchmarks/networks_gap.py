"""Bias and coverage of the gap's change by part (plneval.networks.gap) with a known truth.

`python benchmarks/networks_gap.py [--draws 1000] [--networks 6 18]` prints the first table of docs/networks.md,
`... --simulated --schools 60 --networks 10` the second.

Simulated are studies of plneval.simulate, made in memory, where the effect is half as large again on disadvantaged
pupils as on average; the truth is the same division of what was planted in these very pupils (every part is linear in
the scores). Otherwise studies are drawn here:

Networks of three schools and twice as many comparison schools; half of the networks enter in 2014, half in 2015; pupils
of 2013, 2016 and 2017, a third of them disadvantaged (between a sixth and a half by school). Schools, school-years and
schools' gaps vary; taking part raises disadvantaged pupils' scores by 0.2 SD on average, with SD 0.1 between networks:
the gap within schools narrows by 0.2, and nothing else is planted.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from made_panels import pupil_panel

from plneval.networks.gap import PARTS, gap_change

YEARS = (2013, 2016, 2017)
PUPILS = 20
EFFECT = 0.2


def study(networks: int, rng: np.random.Generator) -> pd.DataFrame:
    """One draw: a pupil panel."""
    members, schools = 3 * networks, 9 * networks
    network = np.repeat(np.arange(networks), 3)
    entry = np.where(network % 2, 2015.0, 2014.0)
    level, gap = rng.normal(0, 0.35, schools), rng.normal(0.4, 0.15, schools)
    share = rng.uniform(1 / 6, 1 / 2, schools)
    effect = np.zeros(schools)
    effect[:members] = EFFECT + rng.normal(0, 0.1, networks)[network]
    parts = []
    for year in YEARS:
        shock, gap_shock = rng.normal(0, 0.1, schools), rng.normal(0, 0.1, schools)
        poor = rng.random((schools, PUPILS)) < share[:, None]
        moved = effect * (year > 2013)
        score = (level + shock)[:, None] - poor * (gap + gap_shock - moved)[:, None] + rng.normal(0, 0.9, poor.shape)
        parts.append(
            pd.DataFrame(
                {
                    "school": np.repeat(np.arange(1, schools + 1), PUPILS),
                    "year": year,
                    "disadvantaged": poor.ravel().astype(int),
                    "z": score.ravel(),
                }
            )
        )
    panel = pd.concat(parts, ignore_index=True)
    place = panel["school"].to_numpy() - 1
    panel["arm"] = np.where(place < members, "member", "comparison")
    own = np.concatenate([network, np.arange(networks, networks + schools - members)])
    panel["cluster"] = own[place] + 1
    entries = np.concatenate([entry, np.full(schools - members, np.nan)])
    panel["entry_year"] = pd.Series(entries[place]).astype("Int64")
    return panel.assign(outcome="maths")


def coverage(networks: int, draws: int) -> pd.DataFrame:
    """Bias, standard error and coverage of every part of the difference."""
    rng = np.random.default_rng(networks)
    found = []
    for _ in range(draws):
        table = gap_change(study(networks, rng), "maths").set_index(["arm", "part"]).loc["difference"]
        found.append(table[["change", "se", "ci_low", "ci_high"]])
    stacked = pd.concat(found, keys=range(draws), names=["draw", "part"])
    truth = {part: -EFFECT if part in ("total", "within_gap") else 0.0 for part in ("total", *PARTS)}
    rows = []
    for part, planted in truth.items():
        own = stacked.xs(part, level="part")
        covered = (own["ci_low"] <= planted) & (planted <= own["ci_high"])
        error = own["change"].mean() - planted
        rows.append(
            (
                networks,
                part,
                error,
                own["change"].std() / draws**0.5,
                own["change"].std(),
                own["se"].mean(),
                covered.mean(),
            )
        )
    columns = ["networks", "part", "bias", "bias_mc_se", "sd", "mean_se", "coverage"]
    return pd.DataFrame(rows, columns=columns)


def of_simulated(schools: int, networks: int, draws: int) -> pd.DataFrame:
    """The same on studies of plneval.simulate, each held against what was planted in it."""
    found = []
    for seed in range(draws):
        rows = pupil_panel(schools, networks, seed)
        estimate, planted = (
            gap_change(rows, "maths", column).set_index(["arm", "part"]) for column in ("z", "planted")
        )
        own = estimate.loc["difference"]
        found.append(
            own.assign(truth=planted.loc["difference", "change"])[["change", "se", "ci_low", "ci_high", "truth"]]
        )
    stacked = pd.concat(found, keys=range(draws), names=["draw", "part"])
    rows = []
    for part in ("total", *PARTS):
        own = stacked.xs(part, level="part")
        error = own["change"] - own["truth"]
        covered = (own["ci_low"] <= own["truth"]) & (own["truth"] <= own["ci_high"])
        spread = error.std()
        rows.append((networks, part, own["truth"].mean(), error.mean(), spread / draws**0.5, spread, own["se"].mean()))
        rows[-1] += (covered.mean(),)
    columns = ["networks", "part", "planted", "bias", "bias_mc_se", "sd", "mean_se", "coverage"]
    return pd.DataFrame(rows, columns=columns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--networks", type=int, nargs="+", default=[6, 18])
    parser.add_argument("--simulated", action="store_true")
    parser.add_argument("--schools", type=int, default=120)
    arguments = parser.parse_args()
    if arguments.simulated:
        table = pd.concat([of_simulated(arguments.schools, n, arguments.draws) for n in arguments.networks[-1:]])
    else:
        table = pd.concat([coverage(networks, arguments.draws) for networks in arguments.networks])
    print(table.to_string(index=False, float_format=lambda value: f"{value:.4f}"))


if __name__ == "__main__":
    main()
