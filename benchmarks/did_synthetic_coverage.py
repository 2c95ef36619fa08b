"""Bias and coverage of synthetic difference-in-differences with few treated schools, by simulation with a known truth.

    python benchmarks/did_synthetic_coverage.py                  # 2,000 draws of each design
    python benchmarks/did_synthetic_coverage.py --draws 200

Outcomes have school levels, a common trend, factors with loadings between 0 and 1 (the first rises from 0 to 2 over the
years, the second, where there is one, is a wave of 8 years) and AR(1) errors of 0.3; the effect is 0.3.

What the estimator asks for (Arkhangelsky and others 2021, assumptions 1 to 4): few factors, many comparison schools and
years before entry beside treated school-years, and a weighted comparison that follows the treated. That is the design
``long``: 40 comparison schools, 2 treated for one year after 16 years before; who is treated depends on the loadings
(with odds exp(2 × the first)), so that plain difference-in-differences is biased. The same with 280 comparison schools,
20 treated, 24 years before and 4 after, for which only the jackknife is affordable; and once more with schools treated
at random. The others are what studies of
schools are like: 20 schools, 6 years before entry, 4 after. Treated schools are like the others, or have loadings
larger by 0.3 (``ahead``), of which six years tell only part.

A last table has the bias of ``ahead`` by the number of years before entry: is it the estimator's, or a fault?

Intervals: placebo standard errors, 50 replications, and the jackknife where several are treated; both with the normal
distribution, as in the papers. Weights of many draws
are looked for side by side (outcomes are divided by their noise first, which changes no weight); the first draws of
each design are held against ``did.synthetic`` and diff-diff's ``SyntheticDiD``.
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import ndtri

from plneval import did
from plneval.did.simplex import OwnGram, SimplexProblems, normalized, sparse_weights
from plneval.did.synthetic_fit import GroupPanel, GroupWeights, effect_curves, time_problems, unit_problems
from plneval.did.synthetic_variance import FittedGroups, jackknife, jackknife_error

EFFECT, REPLICATIONS, CHECKED = 0.3, 50, 20


@dataclass(frozen=True)
class Design:
    """Who is compared with whom, for how long, and how the treated differ."""

    name: str
    comparison: int
    treated: int
    before: int
    after: int
    factors: int = 1
    ahead: float = 0.0
    selection: float = 0.0
    placebo: bool = True

    @property
    def years(self) -> int:
        """Years before and after entry."""
        return self.before + self.after

    def outcomes(self, rng: np.random.Generator) -> np.ndarray:
        """(schools, years), the treated last."""
        schools = self.comparison + self.treated
        loading = rng.uniform(0, 1, size=(schools, self.factors))
        if self.selection:
            odds = np.exp(self.selection * loading[:, 0])
            chosen = rng.choice(schools, self.treated, replace=False, p=odds / odds.sum())
            loading = loading[np.r_[np.setdiff1d(np.arange(schools), chosen), chosen]]
        loading[self.comparison :] += self.ahead
        year = np.arange(self.years)
        path = np.vstack([np.linspace(0, 2, self.years), np.sin(2 * np.pi * year / 8)])[: self.factors]
        error = rng.normal(size=(schools, self.years))
        for t in range(1, self.years):
            error[:, t] = 0.3 * error[:, t - 1] + np.sqrt(1 - 0.09) * error[:, t]
        y = rng.normal(size=(schools, 1)) + 0.1 * year + loading @ path + 0.3 * error
        y[self.comparison :, self.before :] += EFFECT
        return y


DESIGNS = (
    Design("long", 40, 2, 16, 1, factors=2, selection=2),
    Design("long, 300 schools", 280, 20, 24, 4, factors=2, selection=2, placebo=False),
    Design("long, 300 schools like each other", 280, 20, 24, 4, factors=2, placebo=False),
    Design("short, like the others", 19, 1, 6, 4),
    Design("short, like the others", 17, 3, 6, 4),
    Design("short, ahead", 17, 3, 6, 4, ahead=0.3),
)


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
    time_ = sparse_weights(times, np.concatenate([one.time for one in start]), 1e-5)
    size = len(samples[0].units)
    weights = [GroupWeights(unit[k : k + size], time_[k : k + size]) for k in range(0, len(unit), size)]
    curves = [
        effect_curves(sample.panel, sample.treated, sample.units, found).mean(axis=1) * sample.noise
        for sample, found in zip(samples, weights, strict=True)
    ]
    return curves, weights


def study(design: Design, draws: int, *, placebo: bool = True, lot: int = 50) -> pd.DataFrame:
    """Estimate, standard errors (NaN where not asked for) and plain difference-in-differences of every draw."""
    rng = np.random.default_rng([20262, design.comparison, design.treated, design.before, round(10 * design.ahead)])
    n, before = design.comparison, np.arange(design.before)
    after = np.arange(design.before, design.years)
    rows = []
    for begin in range(0, draws, lot):
        data = [design.outcomes(rng) for _ in range(min(lot, draws - begin))]
        samples, placebos, start = [], [], []
        for y in data:
            noise = float(np.std(np.diff(y[:n][:, before], axis=1), ddof=1))
            panel = GroupPanel.of(y[:n] / noise, before, after, design.treated, "synthetic_did")
            samples.append(Sample(panel, noise, np.arange(n)[None, :], y[n:].mean(axis=0)[None, :] / noise))
            order = rng.permuted(np.tile(np.arange(n), (REPLICATIONS, 1)), axis=1)
            pseudo = panel.comparison[order[:, n - design.treated :]].mean(axis=1)
            placebos.append(Sample(panel, noise, np.ascontiguousarray(order[:, : n - design.treated]), pseudo))
            start.append(GroupWeights(np.full((1, n), 1 / n), np.full((1, design.before), 1 / design.before)))
        found, weights = estimates(samples, start)
        spread = [float("nan")] * len(data)
        if placebo:
            again = [
                GroupWeights(
                    normalized(weight.unit[0][one.units], np.ones(one.units.shape, dtype=bool)),
                    np.repeat(weight.time, REPLICATIONS, axis=0),
                )
                for weight, one in zip(weights, placebos, strict=True)
            ]
            spread = [float(np.std(values)) for values in estimates(placebos, again)[0]]
        for y, sample, weight, estimate, se in zip(data, samples, weights, found, spread, strict=True):
            change = y[:, after].mean(axis=1) - y[:, before].mean(axis=1)
            plain = float(change[n:].mean() - change[:n].mean())
            rows.append((float(estimate[0]), se, left_out(y, sample, weight, n), plain))
        if begin == 0 and draws > CHECKED:
            check(design, data[:CHECKED], [row[0] for row in rows[:CHECKED]])
    return pd.DataFrame(rows, columns=["estimate", "se", "jackknife", "plain"])


def left_out(y: np.ndarray, sample: Sample, weight: GroupWeights, n: int) -> float:
    """The jackknife standard error; NaN with a single treated school."""
    if len(y) - n < 2:
        return float("nan")
    cluster = np.arange(len(y))
    fitted = FittedGroups([sample.panel], [weight], [y[n:] / sample.noise], [cluster[n:]], cluster[:n])
    return float(jackknife_error(jackknife(fitted).overall)) * sample.noise


def check(design: Design, draws: list[np.ndarray], expected: list[float]) -> None:
    """The estimates here are those of ``did.synthetic`` and of diff-diff."""
    from diff_diff import SyntheticDiD

    own = peer = 0.0
    for y, value in zip(draws, expected, strict=True):
        schools, years = y.shape
        data = pd.DataFrame(
            {"school": np.repeat(np.arange(schools), years), "year": np.tile(np.arange(years), schools)}
        )
        data["entry"], data["y"] = np.where(data["school"] >= design.comparison, design.before, 0), y.ravel()
        names = {"outcome": "y", "unit": "school", "time": "year"}
        vcov = "placebo" if design.treated == 1 else "jackknife"
        found = did.synthetic(data, **names, entry="entry", vcov=vcov, replications=50).estimate
        own = max(own, abs(found - value))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = SyntheticDiD(variance_method="jackknife", seed=1).fit(
                data.assign(member=(data["entry"] > 0).astype(int)),
                **names,
                treatment="member",
                post_periods=list(range(design.before, years)),
            )
        peer = max(peer, abs(float(theirs.att) - found))
    if own > 1e-6:
        raise SystemExit(f"the estimates differ from did.synthetic's by {own}")
    print(f"<!-- {design.name}: {len(draws)} draws, did.synthetic and diff-diff differ by at most {peer:.1e} -->")


def coverage(errors: pd.Series, se: pd.Series) -> str:
    """Coverage in percent, and its distance from 95 in Monte Carlo standard errors."""
    if se.isna().any():
        return "–"
    share = float((errors.abs() <= ndtri(0.975) * se).mean())
    return f"{100 * share:.1f} ({(share - 0.95) / np.sqrt(0.95 * 0.05 / len(se)):+.1f})"


def main() -> None:
    """Print the tables of docs/did.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--long-draws", type=int, help="draws of the long design, which take most of the time")
    parser.add_argument("--design", action="append", help="design to run, without the table by years; may be repeated")
    asked = parser.parse_args()
    print(
        "| design | comparison + treated | years | draws | bias (MC se) | sd | placebo: mean se | coverage % (in se) ",
        end="",
    )
    print("| jackknife: mean se | coverage % (in se) | bias of plain DiD |\n|" + "---|" * 11)
    for design in DESIGNS:
        if asked.design and design.name not in asked.design:
            continue
        begin = time.process_time()
        draws = asked.long_draws if asked.long_draws and design.before > 6 else asked.draws
        found = study(design, draws, placebo=design.placebo)
        error, sd = found["estimate"] - EFFECT, float(found["estimate"].std())
        means = ["–" if found[name].isna().any() else f"{found[name].mean():.4f}" for name in ("se", "jackknife")]
        print(
            f"| {design.name} | {design.comparison} + {design.treated} | {design.before} + {design.after} | {draws} "
            f"| {error.mean():+.4f} ({sd / np.sqrt(draws):.4f}) | {sd:.4f} "
            f"| {means[0]} | {coverage(error, found['se'])} | {means[1]} | {coverage(error, found['jackknife'])} "
            f"| {(found['plain'] - EFFECT).mean():+.4f} |",
            flush=True,
        )
        print(f"<!-- {time.process_time() - begin:.0f} s of processor time -->", flush=True)
    if not asked.design:
        print("\n| years before entry | bias (MC se) | bias of plain DiD |\n|---|---|---|")
    for years in () if asked.design else (6, 12, 24, 48, 96):
        found = study(replace(DESIGNS[-1], before=years), 300, placebo=False)
        error = found["estimate"] - EFFECT
        print(
            f"| {years} | {error.mean():+.3f} ({error.std() / np.sqrt(len(error)):.3f}) "
            f"| {(found['plain'] - EFFECT).mean():+.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
