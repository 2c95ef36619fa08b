"""Bias and coverage of the linear estimators of plneval.did with a known truth.

`python benchmarks/did_linear_coverage.py [--draws 2000] [--schools 20 60 300]` prints the table of docs/did.md.

Balanced panels of 8 years; entry in years 4, 5, 6 (a fifth of the schools each) or never; school effects, errors that
follow an AR(1) of 0.5 within schools (so the working model of CR2 is wrong, as it will be), parallel trends. Effects
grow with time and differ by group, but are constant (0.3) for two-way fixed effects, which is only right then.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from plneval import did

YEARS = np.arange(1, 9)
ESTIMATORS: dict[str, tuple[Callable[..., did.LinearEffects], tuple[str, ...]]] = {
    "twfe": (did.twfe, ("cr1", "cr2", "cr3", "wild")),
    "event_study": (did.event_study, ("cr1", "cr2", "cr3")),
    "sun_abraham": (did.sun_abraham, ("cr1", "cr2", "cr3")),
    "extended_twfe": (did.extended_twfe, ("cr1", "cr2", "cr3")),
    "imputation": (did.imputation, ("cr1", "cr3")),
    "two_stage": (did.two_stage, ("cr1", "cr3")),
}


def design(schools: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """The panel without outcomes, its effects by group and time, and constant effects."""
    entry = np.array([4, 5, 6, 0, 0])[np.arange(schools) % 5]
    frame = pd.DataFrame({"school": np.repeat(np.arange(schools), len(YEARS)), "year": np.tile(YEARS, schools)})
    frame["entry"] = entry[frame["school"]]
    since = np.where(frame["entry"] > 0, frame["year"] - frame["entry"], -1)
    varying = np.where(since >= 0, 0.2 + 0.1 * since + 0.1 * (frame["entry"] == 5), 0.0)
    return frame, varying, np.where(since >= 0, 0.3, 0.0)


def outcomes(schools: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """School effects, a common trend and AR(1) errors, one vector of outcomes a draw."""
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        error = np.empty((schools, len(YEARS)))
        error[:, 0] = rng.normal(size=schools)
        for t in range(1, len(YEARS)):
            error[:, t] = 0.5 * error[:, t - 1] + np.sqrt(0.75) * rng.normal(size=schools)
        yield (rng.normal(size=(schools, 1)) + 0.1 * YEARS + error).ravel()


def study(schools: int, draws: int) -> pd.DataFrame:
    """Bias and coverage of every estimator and kind of standard error."""
    frame, varying, constant = design(schools)
    truth = {"twfe": 0.3, "event_study": 0.3}
    overall = varying[varying > 0].mean()
    cells = did.cells(frame.assign(y=0.0), outcome="y", time="year", unit="school", entry="entry")
    estimates: dict[tuple[str, str], list[tuple[float, float, bool]]] = {}
    for noise in outcomes(schools, draws, seed=schools):
        for name, (estimator, vcovs) in ESTIMATORS.items():
            y = noise + (constant if name in truth else varying)
            drawn = replace(cells, swy=y, swyy=y**2, sxy=y[:, None])
            value = truth.get(name, overall)
            for vcov in vcovs:
                if vcov == "wild" and schools > 60:
                    continue
                options = {"draws": 399} if vcov == "wild" else {}
                found = estimator(drawn, vcov=vcov, **options)
                covered = found.ci_low <= value <= found.ci_high
                estimates.setdefault((name, vcov), []).append((found.estimate - value, found.se, covered))
    rows = []
    for (name, vcov), values in estimates.items():
        error, se, covered = np.array(values, dtype=np.float64).T
        rows.append(
            {
                "schools": schools,
                "estimator": name,
                "vcov": vcov,
                "bias": error.mean(),
                "mc_se_bias": error.std(ddof=1) / np.sqrt(draws),
                "sd": error.std(ddof=1),
                "mean_se": se.mean(),
                "coverage": covered.mean(),
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    """Run the study and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--schools", type=int, nargs="+", default=[20, 60, 300])
    given = parser.parse_args()
    print("| schools | estimator | vcov | bias (MC se) | sd | mean se | coverage |")
    print("|---|---|---|---|---|---|---|")
    for schools in given.schools:
        for row in study(schools, given.draws).itertuples():
            print(
                f"| {row.schools} | {row.estimator} | {row.vcov} | {row.bias:+.4f} ({row.mc_se_bias:.4f}) | "
                f"{row.sd:.4f} | {row.mean_se:.4f} | {row.coverage:.3f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
