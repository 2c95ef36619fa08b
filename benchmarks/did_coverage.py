"""Bias and coverage of group-time estimators, and the size of the test before entry, by simulation with known truth.

    python benchmarks/did_coverage.py                 # 2,000 draws at 20, 60 and 300 schools
    python benchmarks/did_coverage.py --draws 200     # fewer

Schools are drawn at random: entry in period 4, 5 or 6 of 8 with probability 0.2 each, never with 0.4. The outcome has a
school level, a common trend, errors that depend on one another over time, and an effect of 0.2 + 0.1 for each period
since entry; ``confounded`` data have a trend that follows a covariate which differs between groups, and the doubly
robust estimator is told of it. The truth is that of the population the schools are drawn from.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from plneval import did

PERIODS = 8
ENTRIES = np.array([4, 5, 6, 0])
SHARES = np.array([0.2, 0.2, 0.2, 0.4])
NAMES: dict[str, Any] = {"outcome": "y", "time": "year", "unit": "school", "entry": "entry"}


def effect(event_time: np.ndarray) -> np.ndarray:
    """The true effect at an event time."""
    return np.where(event_time >= 0, 0.2 + 0.1 * event_time, 0.0)


def truth(kind: str) -> float:
    """What an aggregate estimates in the population."""
    years = np.arange(1, PERIODS + 1)
    after = [years[years >= entry] - entry for entry in ENTRIES[:3]]
    if kind == "simple":
        return float(effect(np.concatenate(after)).mean())  # groups of equal size
    if kind == "third period on":
        return float(effect(np.concatenate([events[events >= 2] for events in after])).mean())
    return float(effect(np.array(float(kind.removeprefix("event time ")))))


def schools(random: np.random.Generator, count: int, *, confounded: bool = False) -> pd.DataFrame:
    """A panel of schools."""
    entry = random.choice(ENTRIES, count, p=SHARES)
    x = random.normal(size=count) + 0.5 * (entry > 0)
    years = np.arange(1, PERIODS + 1)
    error = np.empty((count, PERIODS))
    error[:, 0] = random.normal(size=count)
    for t in range(1, PERIODS):
        error[:, t] = 0.6 * error[:, t - 1] + 0.8 * random.normal(size=count)
    y = random.normal(size=(count, 1)) + 0.05 * years + 0.4 * error
    y += np.where((entry > 0)[:, None], effect(years - np.where(entry > 0, entry, 99)[:, None]), 0.0)
    if confounded:
        y += 0.1 * x[:, None] * years
    return pd.DataFrame(
        {
            "school": np.repeat(np.arange(count), PERIODS),
            "year": np.tile(years, count),
            "entry": np.repeat(entry, PERIODS),
            "x": np.repeat(x, PERIODS),
            "y": y.ravel(),
        }
    )


def pupils(random: np.random.Generator, count: int) -> pd.DataFrame:
    """Cross-sections of 5 to 14 pupils a school and year."""
    panel = schools(random, count)
    data = panel.loc[panel.index.repeat(random.integers(5, 15, len(panel)))].reset_index(drop=True)
    return data.assign(y=data["y"] + random.normal(size=len(data)))


Fit = Callable[[np.random.Generator, int], did.GroupTimeEffects]
ESTIMATORS: dict[str, Fit] = {
    "never treated": lambda r, n: did.att_gt(schools(r, n), **NAMES),
    "not yet treated": lambda r, n: did.att_gt(schools(r, n), **NAMES, comparison="not_yet"),
    "doubly robust, confounded": lambda r, n: did.att_gt(schools(r, n, confounded=True), **NAMES, covariates=["x"]),
    "outcome regression, confounded": lambda r, n: did.att_gt(
        schools(r, n, confounded=True), **NAMES, covariates=["x"], method="or"
    ),
    "weighting, confounded": lambda r, n: did.att_gt(
        schools(r, n, confounded=True), **NAMES, covariates=["x"], method="ipw"
    ),
    "cross-sections of pupils": lambda r, n: did.att_gt(pupils(r, n), **NAMES, panel=False),
}
ESTIMANDS = ("simple", "third period on", "event time 0", "event time 2")


def estimates(effects: did.GroupTimeEffects) -> dict[str, tuple[float, float]]:
    """Estimate and standard error of each estimand."""
    simple = effects.aggregate("simple")
    third = effects.aggregate("simple", min_event=2)
    events = effects.aggregate("dynamic").table.set_index("event_time")
    found = {"simple": (simple.estimate, simple.se), "third period on": (third.estimate, third.se)}
    for event in (0, 2):
        found[f"event time {event}"] = (float(events.loc[event, "estimate"]), float(events.loc[event, "se"]))
    return found


def coverage(draws: int, sizes: list[int]) -> list[str]:
    """Rows of the table of bias and coverage."""
    rows = []
    for name, fit in ESTIMATORS.items():
        for count in sizes:
            found: dict[str, list[tuple[float, float]]] = defaultdict(list)
            failed = 0
            random = np.random.default_rng([2026, count, len(name)])
            for _ in range(draws):
                try:
                    values = estimates(fit(random, count))
                except (did.DidError, KeyError):
                    failed += 1
                    continue
                for estimand, pair in values.items():
                    found[estimand].append(pair)
            for estimand in ESTIMANDS:
                values = np.array(found[estimand])
                error = values[:, 0] - truth(estimand)
                bias, noise = error.mean(), error.std(ddof=1) / np.sqrt(len(error))
                covered = np.mean(np.abs(error) <= 1.959964 * values[:, 1])
                spread = np.sqrt(0.05 * 0.95 / len(error))
                rows.append(
                    f"| {name} | {count} | {estimand} | {bias:+.4f} ({bias / noise:+.1f}) | {error.std(ddof=1):.4f} | "
                    f"{values[:, 1].mean():.4f} | {100 * covered:.1f} ({(covered - 0.95) / spread:+.1f}) | {failed} |"
                )
    return rows


def size(draws: int, sizes: list[int]) -> list[str]:
    """Rows of the table of the test before entry under parallel trends."""
    rows = []
    for count in sizes:
        random = np.random.default_rng([2027, count])
        plain, bootstrap, failed = [], [], 0
        for _ in range(draws):
            try:
                effects = did.att_gt(schools(random, count), **NAMES)
                tests = effects.pretest(), effects.pretest(bootstrap=True, draws=199)
            except did.DidError:
                failed += 1
                continue
            plain.append(tests[0].p <= 0.05)
            bootstrap.append(tests[1].p <= 0.05)
        rows.append(f"| {count} | {100 * np.mean(plain):.1f} | {100 * np.mean(bootstrap):.1f} | {failed} |")
    return rows


def main() -> None:
    """Read the arguments and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--schools", type=int, nargs="+", default=[20, 60, 300])
    asked = parser.parse_args()
    print(
        "| estimator | schools | estimand | bias (in its Monte Carlo se) | sd | mean se | coverage % (in se) | failed |"
    )
    print("|---|---|---|---|---|---|---|---|")
    print("\n".join(coverage(asked.draws, asked.schools)))
    print("\n| schools | chi-squared rejects % | bootstrap rejects % | not testable |")
    print("|---|---|---|---|")
    print("\n".join(size(asked.draws, asked.schools)))


if __name__ == "__main__":
    main()
