"""Bias and coverage of the linear estimators of plneval.did with a known truth.

`python benchmarks/did_linear_coverage.py [--draws 2000] [--schools 20 60 300]` prints the table of docs/did.md.

Balanced panels of 8 years; entry in years 4, 5, 6 (a fifth of the schools each) or never; school effects, errors that
follow an AR(1) of 0.5 within schools (so the working model of CR2 is wrong, as it will be), parallel trends. Effects
grow with time and differ by group, but are constant (0.3) for two-way fixed effects, which is only right then.

The design is the same in every draw, and estimates and clusters' contributions are linear in the outcomes: they are
found once, by moving the outcomes of one school of each group (schools of a group are alike), and applied to all draws
at once. The first draws are checked against the estimators themselves. The wild bootstrap runs draw by draw.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import t as t_distribution

from plneval import did

# Of the reported run; the first study, after which CR3 of imputation got its factor, had 0.
SEED = 20261122
YEARS = np.arange(1, 9)
ENTRIES = np.array([4, 5, 6, 0, 0])
KINDS = ("cr1", "cr2", "cr3")
ESTIMATORS: dict[str, Callable[..., did.LinearEffects]] = {
    "twfe": did.twfe,
    "event_study": did.event_study,
    "sun_abraham": did.sun_abraham,
    "extended_twfe": did.extended_twfe,
    "imputation": did.imputation,
    "two_stage": did.two_stage,
}
WILD = {20: ("twfe", "imputation"), 60: ("twfe",)}


def design(schools: int) -> tuple[did.Cells, np.ndarray, np.ndarray, np.ndarray]:
    """Cells without outcomes, each school's entry, effects by group and time (schools × years), and constant ones."""
    entry = ENTRIES[np.arange(schools) % 5]
    frame = pd.DataFrame({"school": np.repeat(np.arange(schools), len(YEARS)), "year": np.tile(YEARS, schools)})
    frame["entry"] = entry[frame["school"]]
    since = np.where(entry[:, None] > 0, YEARS - entry[:, None], -1)
    varying = np.where(since >= 0, 0.2 + 0.1 * since + 0.1 * (entry[:, None] == 5), 0.0)
    cells = did.cells(frame.assign(y=0.0), outcome="y", time="year", unit="school", entry="entry")
    return cells, entry, varying, np.where(since >= 0, 0.3, 0.0)


def outcomes(schools: int, draws: int, seed: int) -> np.ndarray:
    """(draws, schools, years): school effects, a common trend and AR(1) errors."""
    rng = np.random.default_rng(seed)
    error = np.empty((draws, schools, len(YEARS)))
    error[:, :, 0] = rng.normal(size=(draws, schools))
    for t in range(1, len(YEARS)):
        error[:, :, t] = 0.5 * error[:, :, t - 1] + np.sqrt(0.75) * rng.normal(size=(draws, schools))
    return rng.normal(size=(draws, schools, 1)) + 0.1 * YEARS + error


def fill(cells: did.Cells, y: np.ndarray) -> did.Cells:
    """The cells with these outcomes (schools × years)."""
    flat = y.reshape(-1)
    return replace(cells, swy=flat, swyy=flat**2, sxy=flat[:, None])


class Linear:
    """An estimator's overall effect and its standard error as functions of the outcomes."""

    def __init__(
        self, estimator: Callable[..., did.LinearEffects], cells: did.Cells, entry: np.ndarray, kind: str
    ) -> None:
        self.groups, self.group = np.unique(entry, return_inverse=True)
        size, years = len(self.groups), len(YEARS)
        self.weights = np.zeros((size, years))
        # What a school's outcome adds to its own contribution, and to those of other schools by group.
        self.own, self.other = np.zeros((size, years)), np.zeros((size, years, size))
        for h in range(size):
            moved, *rest = np.flatnonzero(self.group == h)
            for t in range(years):
                y = np.zeros((len(entry), years))
                y[moved, t] = 1.0
                found = estimator(fill(cells, y), vcov=kind)
                self.weights[h, t] = found.estimate
                self.own[h, t] = found.by_cluster[moved, 0]
                for g in range(size):
                    like = rest[0] if g == h else np.flatnonzero(self.group == g)[0]
                    self.other[h, t, g] = found.by_cluster[like, 0]
                self.df = found.df

    def __call__(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(draws,) estimates and standard errors."""
        group = self.group
        estimate = np.einsum("dst,st->d", y, self.weights[group])
        sums = np.stack([y[:, group == h].sum(axis=1) for h in range(len(self.groups))], axis=1)
        shared = np.einsum("dht,htg->dg", sums, self.other)[:, group]
        itself = np.diagonal(self.other, axis1=0, axis2=2).T  # (groups, years): a school's own group, other schools
        contribution = shared + np.einsum("dst,st->ds", y, (self.own - itself)[group])
        return estimate, np.sqrt(np.sum(contribution**2, axis=1))


def row(schools: int, name: str, kind: str, error: np.ndarray, se: np.ndarray, covered: np.ndarray) -> str:
    """A row of the table."""
    spread = error.std(ddof=1)
    distance = (covered.mean() - 0.95) / np.sqrt(0.95 * 0.05 / len(error))
    return (
        f"| {schools} | {name} | {kind} | {error.mean():+.4f} ({spread / np.sqrt(len(error)):.4f}) | {spread:.4f} | "
        f"{se.mean():.4f} | {100 * covered.mean():.1f} ({distance:+.1f}) |"
    )


def study(schools: int, draws: int) -> None:
    """Print bias and coverage of every estimator and kind of standard error."""
    cells, entry, varying, constant = design(schools)
    noise = outcomes(schools, draws, SEED + schools)
    for name, estimator in ESTIMATORS.items():
        effect = constant if name in ("twfe", "event_study") else varying
        truth = effect[effect > 0].mean()
        y = noise + effect
        for kind in KINDS:
            linear = Linear(estimator, cells, entry, kind)
            estimate, se = linear(y)
            for draw in range(3):
                direct = estimator(fill(cells, y[draw]), vcov=kind)
                np.testing.assert_allclose(
                    [estimate[draw], se[draw], linear.df], [direct.estimate, direct.se, direct.df]
                )
            covered = np.abs(estimate - truth) <= t_distribution.ppf(0.975, linear.df) * se
            print(row(schools, name, kind, estimate - truth, se, covered), flush=True)
        if name in WILD.get(schools, ()):
            found = [estimator(fill(cells, one), vcov="wild", draws=199) for one in y]
            covered = np.array([one.ci_low <= truth <= one.ci_high for one in found])
            error = np.array([one.estimate for one in found]) - truth
            print(row(schools, name, "wild", error, np.array([one.se for one in found]), covered), flush=True)


def main() -> None:
    """Run the study and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--schools", type=int, nargs="+", default=[20, 60, 300])
    given = parser.parse_args()
    print("| schools | estimator | vcov | bias (MC se) | sd | mean se | coverage % (in se) |")
    print("|---|---|---|---|---|---|---|")
    for schools in given.schools:
        study(schools, given.draws)


if __name__ == "__main__":
    main()
