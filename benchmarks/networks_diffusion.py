"""Bias and coverage of direct and indirect effects, their difference and their ratio, on made-up studies.

`python benchmarks/networks_diffusion.py [--draws 1000] [--schools 120] [--networks 18]` prints the table of
docs/networks.md.

Each draw is a study of plneval.simulate, made in memory; the effect on directly taught pupils is 0.12 SD, on others 0.4
of it. Pupils of member schools that have left are not in it. The estimates are those of models of kind
`networks.diffusion`, from the third year on; the truth is the same average of what was planted in these very pupils
(the estimators are linear), for the ratio that of the two. A ratio is covered where Fieller's set holds it.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from made_panels import pupil_panel
from scipy import stats

from plneval.config.cohort import Design
from plneval.config.network_models import Diffusion
from plneval.estimate.diffusion import effects_by_group
from plneval.estimate.fit import Estimate
from plneval.estimate.sample import Exclusions
from plneval.networks.diffusion import exposure_groups

SPEC = Diffusion(kind="networks.diffusion", label="direct and indirect", outcome="maths")
DESIGN = Design(weight="pupils", minimum_entry_group=1)
NAMES = ("att_direct", "att_indirect", "att_direct_less_indirect", "within_school")


def panel(schools: int, networks: int, seed: int) -> pd.DataFrame:
    """The pupil panel of one study without pupils of member schools that have left: their effects fade."""
    rows = pupil_panel(schools, networks, seed)
    return rows[rows["member"] | (rows["treated"] == 0)].reset_index(drop=True)


def estimates(rows: pd.DataFrame, column: str) -> dict[str, Estimate]:
    """Estimates from the third year on, by estimand."""
    table = effects_by_group(rows, exposure_groups(rows), column, SPEC, DESIGN, Exclusions())
    return {one.estimand: one for one in table.estimates if one.event_time is None}


def covers(found: dict[str, Estimate], ratio: float) -> bool:
    """Whether Fieller's set holds a ratio: whether indirect - ratio × direct is within t standard errors of zero."""
    direct, indirect, difference = (found[name] for name in NAMES[:3])
    a, b = direct.se**2, indirect.se**2
    covariance = (a + b - difference.se**2) / 2
    error = np.sqrt(b - 2 * ratio * covariance + ratio**2 * a)
    df = found["mobilisation_ratio"].df
    t = stats.norm.ppf(0.975) if df is None else stats.t.ppf(0.975, df)
    return bool(abs(indirect.estimate - ratio * direct.estimate) <= t * error)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--schools", type=int, default=120)
    parser.add_argument("--networks", type=int, default=18)
    arguments = parser.parse_args()
    rows, without = [], 0
    for seed in range(arguments.draws):
        made = panel(arguments.schools, arguments.networks, seed)
        found, planted = estimates(made, "z"), estimates(made, "planted")
        if any(found[name].se is None for name in NAMES):
            without += 1
            continue
        for name in NAMES:
            own, truth = found[name], planted[name].estimate
            t = stats.norm.ppf(0.975) if own.df is None else stats.t.ppf(0.975, own.df)
            error = own.estimate - truth
            rows.append((name, truth, error, own.se, abs(error) <= t * own.se))
        truth = planted["att_indirect"].estimate / planted["att_direct"].estimate
        error = found["mobilisation_ratio"].estimate - truth
        rows.append(("mobilisation_ratio", truth, error, np.nan, covers(found, truth)))
    table = pd.DataFrame(rows, columns=["estimand", "planted", "error", "se", "covered"])
    by = table.groupby("estimand", sort=False)
    # The ratio has no mean: its error is told by the median and by quartiles.
    summary = by.agg(planted=("planted", "mean"), bias=("error", "mean"), sd=("error", "std"), mean_se=("se", "mean"))
    summary["median_error"] = by["error"].median()
    summary["bias_mc_se"] = summary["sd"] / by.size() ** 0.5
    summary["coverage"] = by["covered"].mean()
    summary["coverage_mc_se"] = (summary["coverage"] * (1 - summary["coverage"]) / by.size()) ** 0.5
    print(summary.to_string(float_format=lambda value: f"{value:.4f}"))
    print(f"{arguments.draws} draws, {without} without a standard error of an effect")


if __name__ == "__main__":
    main()
