"""Size of randomisation tests under the null, by simulation.

    python benchmarks/did_randomization_size.py                  # 2,000 draws, 499 assignments each
    python benchmarks/did_randomization_size.py --draws 200

20 schools over 8 years; two enter in year 4 and three in year 5, at random within two areas that differ in trend.
``none``: nobody has an effect (the test is exact whatever the errors: school levels, AR(1), heavy tails). ``uneven``:
the effect is zero on average and differs between the treated (normal, sd 1.5), which the sharp null excludes:
"headline" need not keep its size, "t" does in large samples.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from plneval import did

SCHOOLS, YEARS, ASSIGNMENTS = 20, 8, 499
NAMES = {"outcome": "y", "time": "year", "unit": "school", "entry": "entry"}


def draw(rng: np.random.Generator, uneven: float) -> tuple[pd.DataFrame, dict[int, int]]:
    """The panel and the area of each school."""
    area = np.arange(SCHOOLS) % 2
    entry = np.zeros(SCHOOLS, dtype=int)
    for where, entries in ((0, [4, 4, 5]), (1, [5, 5])):
        entry[rng.permutation(np.flatnonzero(area == where))[: len(entries)]] = entries
    error = rng.standard_t(3, size=(SCHOOLS, YEARS))
    for t in range(1, YEARS):
        error[:, t] += 0.5 * error[:, t - 1]
    years = np.arange(1, YEARS + 1)
    y = rng.normal(size=(SCHOOLS, 1)) + np.where(area == 0, 0.1, 0.4)[:, None] * years + error
    y += uneven * rng.normal(size=(SCHOOLS, 1)) * ((entry[:, None] > 0) & (years >= entry[:, None]))
    school = np.repeat(np.arange(SCHOOLS), YEARS)
    frame = pd.DataFrame({"school": school, "year": np.tile(years, SCHOOLS), "entry": entry[school], "y": y.ravel()})
    return frame, dict(enumerate(area.tolist()))


def main() -> None:
    """Print the table of docs/did.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=2000)
    asked = parser.parse_args()
    print("| effects | statistic | rejects at 5 % (MC se) | at 10 % | interval covers 0 |")
    print("|---|---|---|---|---|")
    for name, uneven in (("none", 0.0), ("uneven, zero on average", 1.5)):
        rng = np.random.default_rng([20262, round(10 * uneven)])
        found: dict[str, list[tuple[float, bool]]] = {"headline": [], "t": []}
        for k in range(asked.draws):
            frame, area = draw(rng, uneven)
            cells = did.cells(frame, **NAMES)
            for statistic, results in found.items():
                test = did.randomization_test(cells, strata=area, statistic=statistic, draws=ASSIGNMENTS, seed=k)
                results.append((test.p, test.ci_low <= 0 <= test.ci_high))
        for statistic, results in found.items():
            p, covers = np.array([one for one, _ in results]), np.array([two for _, two in results])
            size = float((p <= 0.05).mean())
            error = np.sqrt(size * (1 - size) / len(p))
            print(
                f"| {name} | {statistic} | {size:.3f} ({error:.3f}) | {(p <= 0.1).mean():.3f} | {covers.mean():.3f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
