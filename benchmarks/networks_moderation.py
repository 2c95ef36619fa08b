"""Moderation by a condition measured with error: bias and coverage of the naive and the adjusted slope.

    python benchmarks/networks_moderation.py                # 2,000 draws at 10, 18 and 40 networks
    python benchmarks/networks_moderation.py --draws 200    # fewer

The effect rises by 0.06 SD for each standard deviation of a network's true condition; 0.03 SD of spread is left.
Standard errors of the networks' estimates are drawn from 0.03 to 0.06. From 3 to 13 members of each network answer,
with an error that gives their mean a reliability of about 0.6 or 0.8. Reliability is estimated from the same answers
(ICC(1), ICC(2)). ``bounds`` is three Monte Carlo standard errors around 95 %; ``not given`` the share of draws whose
reliability is found too low for an adjusted slope.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from plneval.networks.agreement import agreement, mean_reliability
from plneval.networks.moderation import Moderation, moderation

SLOPE, LEFT = 0.06, 0.03


def draw(random: np.random.Generator, k: int, reliability: float) -> Moderation:
    """One study."""
    condition = random.normal(size=k)
    sizes = random.integers(3, 14, k)
    error = np.sqrt(8 * (1 - reliability) / reliability)
    network = np.repeat(np.arange(k), sizes)
    answers = pd.Series(condition[network] + error * random.normal(size=len(network)))
    found = agreement(answers, pd.Series(network))
    se = random.uniform(0.03, 0.06, k)
    effects = pd.DataFrame(
        {
            "estimate": 0.1 + SLOPE * condition + LEFT * random.normal(size=k) + se * random.normal(size=k),
            "se": se,
            "condition": answers.groupby(network).mean().to_numpy(),
            "reliability": mean_reliability(found, sizes.astype(float)),
            "measured": 2015,
            "entered": 2015,
            "outcome_from": 2017,
        }
    )
    return moderation(effects, "condition", reliability_se=found.icc2_se)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=2000)
    draws = parser.parse_args().draws
    names = "| reliability | networks | naive: median | covers | adjusted: median | covers | bounds | not given |"
    print(f"{names}\n|---|---|---|---|---|---|---|---|")
    for reliability in (0.6, 0.8):
        for k in (10, 18, 40):
            random = np.random.default_rng([71, k, int(10 * reliability)])
            found = [draw(random, k, reliability) for _ in range(draws)]
            given = [one for one in found if not np.isnan(one.slope)]
            naive = np.mean([one.naive_low <= SLOPE <= one.naive_high for one in found])
            covers = np.mean([one.low <= SLOPE <= one.high for one in given])
            half = 3 * np.sqrt(0.95 * 0.05 / len(given))
            print(
                f"| {reliability} | {k} | {np.median([one.naive_slope for one in found]):.3f} | {naive:.3f} "
                f"| {np.median([one.slope for one in given]):.3f} | {covers:.3f} | {0.95 - half:.3f}–{0.95 + half:.3f} "
                f"| {1 - len(given) / len(found):.3f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
