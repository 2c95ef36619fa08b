"""Coverage of plneval.did's honest intervals where trends are not parallel, but within the bound.

`python benchmarks/did_honest_coverage.py [--draws 2000]` prints the table of docs/did.md.

Estimates by event time (three before the reference, four from entry on) are drawn from the normal distribution with the
covariance of att_gt on a simulated panel of 300 schools, which the method takes as known. The effect is the mean over
event times from 0 on. Violations: none; a straight line; and the one that moves the effect most: for smoothness the
slope changes by M every period, always the same way; for relative magnitudes each change after the reference is M times
the largest before it, in one direction (that largest change being the first one, or each, of two standard errors).
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from plneval import did
from plneval.did.honest import bounds

SEED = 20261122
BEFORE, AFTER = 3, 4


def covariance() -> np.ndarray:
    """Of the effects by event time, reference left out, for 300 schools of which a third enter in year 5 of 8."""
    random = np.random.default_rng(SEED)
    schools, years = 300, np.arange(1, 9)
    error = random.normal(size=(schools, len(years)))
    for t in range(1, len(years)):
        error[:, t] = 0.6 * error[:, t - 1] + 0.8 * error[:, t]
    frame = pd.DataFrame({"school": np.repeat(np.arange(schools), len(years)), "year": np.tile(years, schools)})
    frame["entry"] = np.where(frame["school"] % 3 == 0, 5, 0)
    frame["y"] = error.ravel()
    names = {"outcome": "y", "time": "year", "unit": "school", "entry": "entry"}
    events = did.att_gt(frame, **names, base_period="universal").aggregate("dynamic")
    keep = events.table["event_time"].to_numpy() != -1
    return np.asarray(events.vcov[np.ix_(keep, keep)])


def path(changes: np.ndarray) -> np.ndarray:
    """Violations by event time (reference left out) from changes between consecutive event times."""
    level = np.concatenate([[0.0], np.cumsum(changes)])
    return np.delete(level - level[BEFORE], BEFORE)


def violations(kind: str, bound: float, se: float) -> dict[str, np.ndarray]:
    """Violations of parallel trends within the bound."""
    line = path(np.full(BEFORE + AFTER, 0.5 * se))
    if kind == "smoothness":
        bent = {"most": path(bound * np.arange(BEFORE + AFTER))} if bound else {}
        return {"none": 0 * line, "straight line": line, **bent}
    found = {"none": 0 * line}
    for name, which in {"first": [0], "each": list(range(BEFORE))}.items():
        changes = np.zeros(BEFORE + AFTER)
        changes[which] = 2 * se
        changes[BEFORE:] = bound * 2 * se
        found[f"most, largest change before: {name}"] = path(changes)
    return found


def smoothness(drawn: np.ndarray, sigma: np.ndarray, weights: np.ndarray, bound: float) -> np.ndarray:
    """(draws, 2) intervals: of fixed length, around a middle that is linear in the estimates."""
    ends = [bounds(one, sigma, BEFORE, AFTER, weights, "smoothness")(bound) for one in np.eye(len(sigma))]
    half = (ends[0][1] - ends[0][0]) / 2
    middle = drawn @ np.mean(ends, axis=1)
    direct = bounds(drawn[0], sigma, BEFORE, AFTER, weights, "smoothness")(bound)
    np.testing.assert_allclose([middle[0] - half, middle[0] + half], direct, rtol=1e-6)
    return np.column_stack([middle - half, middle + half])


def main() -> None:
    """Run the study and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=2000)
    given = parser.parse_args()
    sigma = covariance()
    weights = np.full(AFTER, 1 / AFTER)
    se = float(np.sqrt(weights @ sigma[BEFORE:, BEFORE:] @ weights))
    root = np.linalg.cholesky(sigma)
    print("| restriction | M | violation | coverage % (in se) | mean width, in standard errors |")
    print("|---|---|---|---|---|")
    for kind, values in (("smoothness", (0.0, 0.25 * se)), ("relative_magnitudes", (0.5, 1.0))):
        for bound in values:
            for name, violation in violations(kind, bound, se).items():
                random = np.random.default_rng([SEED, BEFORE])
                drawn = violation + random.normal(size=(given.draws, len(sigma))) @ root.T
                if kind == "smoothness":
                    ends = smoothness(drawn, sigma, weights, bound)
                else:
                    ends = np.array([bounds(one, sigma, BEFORE, AFTER, weights, kind)(bound) for one in drawn])
                share = np.mean((ends[:, 0] <= 0) & (ends[:, 1] >= 0))
                distance = (share - 0.95) / np.sqrt(0.95 * 0.05 / given.draws)
                shown = f"{bound / se:g} se" if kind == "smoothness" else f"{bound:g}"
                print(
                    f"| {kind} | {shown} | {name} | {100 * share:.1f} ({distance:+.1f}) | "
                    f"{np.mean(ends[:, 1] - ends[:, 0]) / se:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
