"""Bias and coverage of synthetic difference-in-differences with few treated schools, by simulation with a known truth.

    python benchmarks/did_synthetic_coverage.py                  # 2,000 draws of each design
    python benchmarks/did_synthetic_coverage.py --draws 200

20 schools over 10 years, of which 1 or 3 enter in year 7. Outcomes have school levels, a common trend, a factor with
loadings of their own and AR(1) errors of 0.3; the effect is 0.3. Treated schools are like the others, or have loadings
larger by 0.3 (then trends are not parallel, plain difference-in-differences is biased, and six years before entry tell
only part of the loadings). Intervals: placebo standard errors, 50 replications.

Weights of many draws are looked for side by side (outcomes are divided by their noise first, which changes no weight);
a check at the start compares the first draw with ``did.synthetic``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri

from plneval import did
from plneval.did.simplex import OwnGram, SimplexProblems, normalized, sparse_weights
from plneval.did.synthetic_fit import GroupPanel, GroupWeights, effect_curves, time_problems, unit_problems

YEARS, ENTRY, EFFECT, REPLICATIONS = 10, 7, 0.3, 50
BEFORE, AFTER = np.arange(ENTRY - 1), np.arange(ENTRY - 1, YEARS)


def outcomes(rng: np.random.Generator, schools: int, treated: int, ahead: float) -> np.ndarray:
    """(schools, years), the treated last, whose loadings are ``ahead``."""
    loading = rng.uniform(0, 1, size=(schools, 1))
    loading[schools - treated :] += ahead
    error = rng.normal(size=(schools, YEARS))
    for t in range(1, YEARS):
        error[:, t] = 0.3 * error[:, t - 1] + np.sqrt(1 - 0.09) * error[:, t]
    y = rng.normal(size=(schools, 1)) + 0.1 * np.arange(YEARS) + loading * np.linspace(0, 2, YEARS) + 0.3 * error
    y[schools - treated :, AFTER] += EFFECT
    return y


@dataclass(frozen=True)
class Sample:
    """A draw: its panel (outcomes over noise), the noise, and R samples of comparison units and treated means."""

    panel: GroupPanel
    noise: float
    units: np.ndarray
    treated: np.ndarray


def joined(problems: list[SimplexProblems]) -> SimplexProblems:
    """Problems of several draws as one lot."""
    grams = [problem.gram for problem in problems]
    first = problems[0]
    return SimplexProblems(
        OwnGram(np.concatenate([gram.matrix for gram in grams if isinstance(gram, OwnGram)])),
        np.concatenate([problem.target for problem in problems]),
        np.concatenate([problem.allowed for problem in problems]),
        first.n_rows,
        first.zeta,
    )


def estimates(samples: list[Sample], start: list[GroupWeights]) -> tuple[list[np.ndarray], list[GroupWeights]]:
    """(R,) estimates of each draw, and its weights."""
    everyone = [np.ones(sample.units.shape, dtype=bool) for sample in samples]
    lot = list(zip(samples, everyone, strict=True))
    units = joined([unit_problems(one.panel, one.treated, one.units, allowed) for one, allowed in lot])
    times = joined([time_problems(one.panel, one.units, allowed) for one, allowed in lot])
    unit = sparse_weights(units, np.concatenate([one.unit for one in start]), 1e-5)
    time = sparse_weights(times, np.concatenate([one.time for one in start]), 1e-5)
    size = len(samples[0].units)
    weights = [GroupWeights(unit[k : k + size], time[k : k + size]) for k in range(0, len(unit), size)]
    curves = [
        effect_curves(sample.panel, sample.treated, sample.units, found).mean(axis=1) * sample.noise
        for sample, found in zip(samples, weights, strict=True)
    ]
    return curves, weights


def study(schools: int, treated: int, ahead: float, draws: int, lot: int = 50) -> pd.DataFrame:
    """Estimate, placebo standard error and plain difference-in-differences of every draw."""
    rng = np.random.default_rng([20261, schools, treated, round(10 * ahead)])
    n = schools - treated
    rows = []
    for begin in range(0, draws, lot):
        data = [outcomes(rng, schools, treated, ahead) for _ in range(min(lot, draws - begin))]
        samples, placebos, start = [], [], []
        for y in data:
            noise = float(np.std(np.diff(y[:n][:, BEFORE], axis=1), ddof=1))
            panel = GroupPanel.of(y[:n] / noise, BEFORE, AFTER, treated, "synthetic_did")
            samples.append(Sample(panel, noise, np.arange(n)[None, :], y[n:].mean(axis=0)[None, :] / noise))
            order = rng.permuted(np.tile(np.arange(n), (REPLICATIONS, 1)), axis=1)
            pseudo = panel.comparison[order[:, n - treated :]].mean(axis=1)
            placebos.append(Sample(panel, noise, np.ascontiguousarray(order[:, : n - treated]), pseudo))
            start.append(GroupWeights(np.full((1, n), 1 / n), np.full((1, len(BEFORE)), 1 / len(BEFORE))))
        found, weights = estimates(samples, start)
        again = [
            GroupWeights(
                normalized(weight.unit[0][placebo.units], np.ones(placebo.units.shape, dtype=bool)),
                np.repeat(weight.time, REPLICATIONS, axis=0),
            )
            for weight, placebo in zip(weights, placebos, strict=True)
        ]
        spread = [float(np.std(values)) for values in estimates(placebos, again)[0]]
        for y, estimate, se in zip(data, found, spread, strict=True):
            change = y[:, AFTER].mean(axis=1) - y[:, BEFORE].mean(axis=1)
            rows.append((float(estimate[0]), se, float(change[n:].mean() - change[:n].mean())))
        if begin == 0:
            check(data[0], n, rows[0][0])
    return pd.DataFrame(rows, columns=["estimate", "se", "plain"])


def check(y: np.ndarray, n: int, expected: float) -> None:
    """The estimates here are those of ``did.synthetic``."""
    schools = len(y)
    data = pd.DataFrame({"school": np.repeat(np.arange(schools), YEARS), "year": np.tile(np.arange(YEARS), schools)})
    data["entry"], data["y"] = np.where(data["school"] >= n, ENTRY - 1, 0), y.ravel()
    found = did.synthetic(data, outcome="y", time="year", unit="school", entry="entry", replications=50)
    if abs(found.estimate - expected) > 1e-6:
        raise SystemExit(f"the estimates differ from did.synthetic's: {expected} and {found.estimate}")


def main() -> None:
    """Print the table of docs/did.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=2000)
    asked = parser.parse_args()
    print("| schools | treated | loadings | bias (MC se) | sd | mean placebo se | coverage | bias of plain DiD |")
    print("|---|---|---|---|---|---|---|---|")
    for schools, treated, ahead in ((20, 1, 0.0), (20, 3, 0.0), (20, 3, 0.3)):
        found = study(schools, treated, ahead, asked.draws)
        error, sd = found["estimate"] - EFFECT, float(found["estimate"].std())
        covered = float((error.abs() <= ndtri(0.975) * found["se"]).mean())
        print(
            f"| {schools} | {treated} | +{ahead:g} | {error.mean():+.4f} ({sd / np.sqrt(len(found)):.4f}) | {sd:.4f} "
            f"| {found['se'].mean():.4f} | {covered:.3f} | {(found['plain'] - EFFECT).mean():+.4f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
