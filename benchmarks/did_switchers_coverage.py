"""Bias and coverage of switchers, of leaving, of triple differences and of the composition test, with a known truth.

    python benchmarks/did_switchers_coverage.py                 # 2,000 draws at 20, 60 and 300 schools
    python benchmarks/did_switchers_coverage.py --draws 200     # fewer

Schools are drawn at random, with a level of their own and errors that depend on one another over 8 years. Switchers:
three in ten are members in the first year, and each year one in eight joins or leaves; the effect is that of being a
member now (0.3 on average, it differs between schools), or builds up by 0.15 a year of membership (normalised effects).
Leaving: schools join in years 1 to 3, and one in six members leaves each year; leaving costs 0.2. Triple differences:
entry in year 4, 5 or 6, or never; trends of their own by entry and by subgroup; the gap changes by 0.25. Composition:
shares of two kinds of pupils that entry leaves alone.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pandas as pd

from plneval import did

PERIODS = 8
Found = dict[str, tuple[float, float, float, float]]  # error of the estimate, se, and the interval around it
PARTS, SHIFTS = ("estimate", "se", "ci_low", "ci_high"), (0.25, 0.0, 0.25, 0.25)  # of triple differences
NAMES = {"outcome": "y", "time": "year", "unit": "school", "treatment": "d"}


def errors(random: np.random.Generator, count: int) -> np.ndarray:
    """(count, PERIODS) errors with autocorrelation 0.6."""
    found = random.normal(size=(count, PERIODS))
    for t in range(1, PERIODS):
        found[:, t] = 0.6 * found[:, t - 1] + 0.8 * found[:, t]
    return 0.4 * found


def frame(count: int, **columns: np.ndarray) -> pd.DataFrame:
    """Schools by years."""
    school, year = np.repeat(np.arange(count), PERIODS), np.tile(np.arange(1, PERIODS + 1), count)
    return pd.DataFrame({"school": school, "year": year, **{name: part.ravel() for name, part in columns.items()}})


def member_paths(random: np.random.Generator, count: int) -> np.ndarray:
    """(count, PERIODS) membership that switches on and off."""
    flips = random.random((count, PERIODS)) < 0.125
    flips[:, 0] = random.random(count) < 0.3
    return np.cumsum(flips, axis=1) % 2


def from_table(table: pd.DataFrame, effect: int, truth: float, normalized: bool = False) -> tuple[float, ...]:
    """Error, se and interval of one effect, less the truth."""
    row = table.set_index("effect").loc[effect]
    if normalized:
        half = row["normalized_se"] * (row["ci_high"] - row["estimate"]) / row["se"]
        error, se = row["normalized"] - truth, row["normalized_se"]
        return error, se, error - half, error + half
    return row["estimate"] - truth, row["se"], row["ci_low"] - truth, row["ci_high"] - truth


def overall(effects: did.SwitcherEffects, truth: float) -> tuple[float, ...]:
    """The same of the average total effect."""
    return effects.estimate - truth, effects.se, effects.ci_low - truth, effects.ci_high - truth


def switching(random: np.random.Generator, count: int) -> Found:
    """First switches and all switches."""
    d = member_paths(random, count)
    x = random.normal(size=(count, PERIODS)).cumsum(axis=1)
    base = random.normal(size=(count, 1)) + 0.05 * np.arange(PERIODS) + errors(random, count)
    gain = 0.3 + 0.1 * random.normal(size=(count, 1))
    data = frame(count, d=d, x=x, y=base + gain * d + 0.2 * x)
    plain = data.assign(y=(base + gain * d).ravel())
    growing = data.assign(y=(base + 0.15 * np.cumsum(d, axis=1)).ravel())
    first = did.switchers(plain, **NAMES, effects=3, placebos=2)
    every = did.switchers(plain, **NAMES, switches="all", placebos=0)
    slow = did.switchers(growing, **NAMES, effects=3, placebos=0)
    adjusted = did.switchers(data, **NAMES, effects=1, placebos=0, controls=["x"])
    return {
        "switchers: average total effect": overall(first, 0.3),
        "switchers: effect 1": from_table(first.table, 1, 0.3),
        "switchers: placebo 1": from_table(first.table, -1, 0.0),
        "joiners: effect 1": from_table(first.joiners.table, 1, 0.3),
        "leavers: effect 1": from_table(first.leavers.table, 1, 0.3),
        "switchers: normalised effect 3": from_table(slow.table, 3, 0.15, normalized=True),
        "switchers with a control: effect 1": from_table(adjusted.table, 1, 0.3),
        "every switch": overall(every, 0.3),
        "every switch: joiners": overall(every.joiners, 0.3),
    }


def leaving(random: np.random.Generator, count: int) -> Found:
    """Leavers among members."""
    entry = random.integers(1, 4, count)
    years = np.arange(1, PERIODS + 1)
    out = np.cumsum((random.random((count, PERIODS)) < 1 / 6) & (years > entry[:, None] + 1), axis=1) > 0
    d = ((years >= entry[:, None]) & ~out).astype(int)
    growth = 0.1 * entry[:, None] * np.maximum(years - entry[:, None] + 1, 0)
    y = random.normal(size=(count, 1)) + 0.05 * years + growth - 0.2 * out + errors(random, count)
    found = did.leaving(frame(count, d=d, y=y), **NAMES, effects=3, placebos=1)
    return {f"leaving: effect {k}": from_table(found.table, k, -0.2 if k > 0 else 0.0) for k in (1, 3, -1)}


def triple(random: np.random.Generator, count: int) -> Found:
    """The gap between two subgroups of unequal size."""
    entry = random.choice([4, 5, 6, 0], count, p=[0.2, 0.2, 0.2, 0.4])
    years = np.arange(1, PERIODS + 1)
    after = (entry[:, None] > 0) & (years >= np.where(entry > 0, entry, 99)[:, None])
    shared = random.normal(size=(count, 1)) + 0.1 * (entry[:, None] > 4) * years + errors(random, count)
    rows = []
    for part in (0, 1):
        own = 0.08 * part * years + 0.5 * errors(random, count) + (0.2 + 0.25 * part) * after
        data = frame(count, y=shared + own).assign(part=part, entry=np.repeat(entry, PERIODS))
        size = random.integers(3, 9, count) if part else random.integers(8, 20, count) - 2 * (entry == 4)
        rows.append(data.loc[data.index.repeat(np.repeat(size, PERIODS))])
    data = pd.concat(rows, ignore_index=True)
    data["y"] += random.normal(size=len(data))
    columns = {"outcome": "y", "time": "year", "unit": "school", "entry": "entry", "subgroup": "part", "panel": False}
    found = {}
    for comparison in ("never", "not_yet"):
        effects = did.triple_difference(data, **columns, comparison=comparison)
        simple, dynamic = effects.aggregate("simple"), effects.aggregate("dynamic")
        for inference in ("influence", "small_sample"):
            whole = simple.intervals(inference)
            first = dynamic.intervals(inference).table.set_index("event_time").loc[0]
            label = f"triple difference, {comparison}, {inference}"
            found[f"{label}: simple"] = tuple(
                getattr(whole, name) - shift for name, shift in zip(PARTS, SHIFTS, strict=True)
            )
            found[f"{label}: event time 0"] = tuple(
                float(first[name]) - shift for name, shift in zip(PARTS, SHIFTS, strict=True)
            )
    return found


def composition(random: np.random.Generator, count: int) -> Found:
    """Whether the joint test rejects: the error is 0, the interval the p-value less 0.05 and 1."""
    entry = random.choice([4, 5, 6, 0], count, p=[0.2, 0.2, 0.2, 0.4])
    data = frame(count).assign(entry=np.repeat(entry, PERIODS))
    share = 0.3 + 0.1 * random.random(count) + 0.0 * entry
    data = data.loc[data.index.repeat(random.integers(8, 20, len(data)))].reset_index(drop=True)
    yearly = 0.05 * random.normal(size=(count, PERIODS))
    chance = share[data["school"]] + yearly[data["school"], data["year"] - 1]
    data["one"] = (random.random(len(data)) < chance).astype(float)
    data["two"] = ((random.random(len(data)) < 0.5) & (data["one"] == 0)).astype(float)
    columns = {"time": "year", "unit": "school", "entry": "entry", "covariates": ["one", "two"]}
    p = did.composition(data, **columns).p
    return {"composition: joint test keeps the null": (0.0, np.nan, 0.05 - p, 1.0)}


Study = Callable[[np.random.Generator, int], Found]
STUDIES: dict[str, Study] = {"switching": switching, "leaving": leaving, "triple": triple, "composition": composition}


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--schools", type=int, nargs="+", default=[20, 60, 300])
    parser.add_argument("--studies", nargs="+", choices=sorted(STUDIES), default=list(STUDIES))
    asked = parser.parse_args()
    print("| estimate | schools | bias (in its Monte Carlo se) | sd | mean se | coverage % (in se) | draws |")
    print("|---|---|---|---|---|---|---|")
    for name in asked.studies:
        for count in asked.schools:
            random = np.random.default_rng([2028, count, len(name)])
            found: dict[str, list[tuple[float, ...]]] = defaultdict(list)
            for _ in range(asked.draws):
                try:
                    for label, values in STUDIES[name](random, count).items():
                        found[label].append(values)
                except (did.DidError, KeyError):
                    continue
            for label, drawn in found.items():
                values = np.array(drawn, dtype=float)
                values = values[np.isfinite(values[:, 2])]
                error = values[:, 0]
                noise = error.std(ddof=1) / np.sqrt(len(error))
                covered = np.mean((values[:, 2] <= 0) & (values[:, 3] >= 0))
                spread = np.sqrt(0.05 * 0.95 / len(error))
                print(
                    f"| {label} | {count} | {error.mean():+.4f} ({error.mean() / max(noise, 1e-12):+.1f}) | "
                    f"{error.std(ddof=1):.4f} | {values[:, 1].mean():.4f} | "
                    f"{100 * covered:.1f} ({(covered - 0.95) / spread:+.1f}) | {len(error)} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
