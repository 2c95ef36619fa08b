"""Coverage of the between-network spread, by simulation with a known truth.

    python benchmarks/networks_spread.py                # 1,000 draws at 8, 18 and 40 networks
    python benchmarks/networks_spread.py --draws 200    # fewer

The mean effect is 0.12 SD; true effects of networks are normal with standard deviation 0.08 (a share of 6.7 % lies
below zero) or 0.03; standard errors are drawn from 0.04 to 0.10. ``shared`` estimates have errors with a common part of
standard deviation 0.03, as where all networks are compared with the same schools, and the covariance is told.
Where no interval can be given (estimates closer than chance), the truth counts as missed.
The cover of a prediction interval is the probability with which a new network falls into it.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from scipy.special import ndtr

from plneval.networks.spread import between_network_spread

MEAN = 0.12
SCENARIOS = {"wide": (0.08, 0.0), "narrow": (0.03, 0.0), "shared": (0.08, 0.03)}


def draw(random: np.random.Generator, k: int, sd: float, shared: float) -> dict[str, float]:
    """One study: which intervals hold the truth."""
    truth = MEAN + sd * random.normal(size=k)
    se = random.uniform(0.04, 0.10, k)
    covariance = np.diag(se**2) + shared**2
    estimate = truth + se * random.normal(size=k) + shared * random.normal()
    effects = pd.DataFrame({"unit": range(k), "estimate": estimate, "se": np.sqrt(np.diag(covariance))})
    found = between_network_spread(effects, covariance)
    below = float(ndtr(-MEAN / sd))
    new, by_t = (
        ndtr((high - MEAN) / sd) - ndtr((low - MEAN) / sd)
        for low, high in (
            (found.prediction_low, found.prediction_high),
            (found.prediction_t_low, found.prediction_t_high),
        )
    )
    return {
        "mean": float(found.mean_low <= MEAN <= found.mean_high),
        "sd": float(found.sd_low <= sd <= found.sd_high),
        "share below zero": float(found.share_low <= below <= found.share_high),
        "prediction": 0.0 if np.isnan(new) else float(new),
        "prediction by t": float(by_t),
        "networks": float(((found.networks["low"] <= truth) & (truth <= found.networks["high"])).mean()),
        "mean of sd": found.sd,
        "sd is 0": float(found.sd == 0),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=1000)
    draws = parser.parse_args().draws
    columns = ["mean", "sd", "share below zero", "prediction", "prediction by t", "networks", "mean of sd", "sd is 0"]
    print("| effects | networks | " + " | ".join(columns) + " |\n|" + "---|" * (len(columns) + 2))
    for place, (name, (sd, shared)) in enumerate(SCENARIOS.items()):
        for k in (8, 18, 40):
            random = np.random.default_rng([20260, k, place])
            table = pd.DataFrame([draw(random, k, sd, shared) for _ in range(draws)]).mean()
            print(f"| {name} | {k} | " + " | ".join(f"{table[column]:.3f}" for column in columns) + " |", flush=True)


if __name__ == "__main__":
    main()
