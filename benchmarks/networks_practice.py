"""Practice over waves: coverage of the interval of a change, and of a mean, by cluster and with answers as independent.

    python benchmarks/networks_practice.py                # 1,000 draws of each study
    python benchmarks/networks_practice.py --draws 200    # fewer

Practice rises by 0.3 points on average. Networks differ in level (SD 0.3) and in change (0.15), schools in level (0.4)
and in change (0.2), people in level (0.6); an answer's own error is 0.5. From 2 to 10 people of a school are asked, the
same ones in both waves, and four in five answer. Several networks have one to five schools each. ``by cluster`` is
:mod:`plneval.networks.lasting_change`: by network, of one network by school (its own change, whatever it is, is the
truth). ``by school`` of several networks takes schools, ``independent`` (Welch) answers as independent, as they are
not. The Monte Carlo standard error of 0.95 is 0.007 with 1,000 draws.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from plneval.networks.cluster_means import cluster_mean
from plneval.networks.lasting_change import last_level, lasting_change
from plneval.standards import load

LEVEL, CHANGE = 3.0, 0.3
RULES = load("sustainability")


class Answers(NamedTuple):
    """Scores, and the true level of the second wave and change that they are drawn around."""

    scores: pd.DataFrame
    level: float
    change: float


def draw(random: np.random.Generator, networks: int, schools: int) -> Answers:
    """Answers of one study: several networks of one to five schools, or one of so many."""
    rows = []
    level = change = 0.0
    for network in range(networks):
        level, change = LEVEL + 0.3 * random.normal(), CHANGE + 0.15 * random.normal()
        for school in range(schools if networks == 1 else int(random.integers(1, 6))):
            own, moved = 0.4 * random.normal(), 0.2 * random.normal()
            people = 0.6 * random.normal(size=int(random.integers(2, 11)))
            for wave in (0, 1):
                here = people[random.random(len(people)) < 0.8]
                score = level + own + wave * (change + moved) + here + 0.5 * random.normal(size=len(here))
                rows += [(network, 100 * network + school, str(wave + 1), one) for one in score]
    scores = pd.DataFrame(rows, columns=["network", "school", "wave", "score"])
    return Answers(scores, level + change, change) if networks == 1 else Answers(scores, LEVEL + CHANGE, CHANGE)


def by_school(scores: pd.DataFrame) -> tuple[float, float]:
    """Interval of the second wave's mean with schools as clusters."""
    sums = scores.loc[scores["wave"] == "2"].groupby("school")["score"].agg(["size", "sum"]).to_numpy(float)
    found = cluster_mean(sums[:, :1], sums[:, 1:], level=0.95)
    return found.low, found.high


def covered(made: Answers, overall: bool) -> dict[str, bool]:
    """Whether each interval holds the truth; nothing where there is none."""
    change, level = lasting_change(made.scores, overall, RULES), last_level(made.scores, overall, RULES)
    if change is None or level is None or np.isnan([change.change.ci_low, level[0].ci_low]).any():
        return {}
    first, last = (made.scores.loc[made.scores["wave"] == wave, "score"] for wave in "12")
    welch = stats.ttest_ind(last, first, equal_var=False).confidence_interval(0.95)
    alone = last.mean() + np.array([-1, 1]) * stats.t.ppf(0.975, len(last) - 1) * last.std() / np.sqrt(len(last))
    ends = {
        "change by cluster": (change.change.ci_low, change.change.ci_high),
        "change independent": (welch.low, welch.high),
        "mean by cluster": (level[0].ci_low, level[0].ci_high),
        "mean by school": by_school(made.scores),
        "mean independent": tuple(alone),
    }
    truth = {name: made.change if name.startswith("change") else made.level for name in ends}
    return {name: bool(low <= truth[name] <= high) for name, (low, high) in ends.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=1000)
    draws = parser.parse_args().draws
    columns = ["change by cluster", "change independent", "mean by cluster", "mean by school", "mean independent"]
    print(f"| study | {' | '.join(columns)} | no interval |\n|---|{'---|' * (len(columns) + 1)}")
    for networks, schools in ((1, 3), (1, 5), (1, 10), (8, 0), (18, 0)):
        random = np.random.default_rng([83, networks, schools])
        every = [covered(draw(random, networks, schools), networks > 1) for _ in range(draws)]
        found = [one for one in every if one]
        study = f"{networks} networks" if networks > 1 else f"1 network, {schools} schools"
        shares = " | ".join(f"{np.mean([one[name] for one in found]):.3f}" for name in columns)
        print(f"| {study} | {shares} | {1 - len(found) / draws:.3f} |", flush=True)


if __name__ == "__main__":
    main()
