"""Difference-in-differences side by side with other libraries: time and memory, one thread, a process for each run.

    python benchmarks/did.py                    # every case, medians of 3, a table on standard output
    python benchmarks/did.py --case cs-5m       # one case
    python benchmarks/did.py --scale 0.1        # a tenth of the rows
    python benchmarks/did.py --json found.json  # the numbers too

The two sides of a case alternate, so that a busy machine slows both. The time is that of estimation from rows in
memory, with aggregation by event time; the peak is that of the whole process, data and imports included. Data: 2,000
schools over 8 years, five entry years and never, cluster = school.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS")


@dataclass(frozen=True)
class Case:
    """One comparison: rows, the two sides, and what is aimed at."""

    name: str
    title: str
    rows: int
    peer: str
    ours: Callable[[pd.DataFrame], float]
    theirs: Callable[[pd.DataFrame], float]
    aim: float
    covariates: int = 0


def pupils(rows: int, covariates: int, schools: int = 2000) -> pd.DataFrame:
    """Repeated cross-sections of pupils: school, year, entry, y, pupil, and covariates x1, x2, ..."""
    random = np.random.default_rng(20261)
    school = random.integers(0, schools, rows)
    year = random.integers(2010, 2018, rows)
    entry_of_school = random.choice([0, 2012, 2013, 2014, 2015, 2016], schools)
    entry = entry_of_school[school]
    y = random.normal(size=rows)
    y += (random.normal(size=(schools, 1)) + 0.05 * np.arange(8)).ravel()[school * 8 + (year - 2010)]
    y[(entry > 0) & (year >= entry)] += 0.2
    data = {"school": school, "year": year, "entry": entry, "pupil": np.arange(rows), "y": y}
    for k in range(1, covariates + 1):
        data[f"x{k}"] = random.normal(size=rows)
        y += 0.3 * data[f"x{k}"]
    # Without copies, so that making the data does not set the peak.
    return pd.DataFrame(data, copy=False)


def our_group_time(data: pd.DataFrame) -> float:
    """Group-time effects with plneval.did, event times averaged."""
    from plneval import did

    covariates = [name for name in data.columns if name.startswith("x")] or None
    effects = did.att_gt(
        data,
        outcome="y",
        time="year",
        unit="school",
        entry="entry",
        covariates=covariates,
        cluster="school",
        panel=False,
    )
    table = effects.aggregate("dynamic").table.set_index("event_time")
    return float(table.loc[0, "estimate"])


def diff_diff_group_time(data: pd.DataFrame) -> float:
    """The same with diff-diff."""
    import warnings

    from diff_diff import CallawaySantAnna

    warnings.filterwarnings("ignore")
    covariates = [name for name in data.columns if name.startswith("x")] or None
    found = CallawaySantAnna(panel=False, cluster="school").fit(
        data,
        outcome="y",
        unit="pupil",
        time="year",
        first_treat="entry",
        covariates=covariates,
        aggregate="event_study",
    )
    return float(found.event_study_effects[0]["effect"])


CASES = [
    Case(
        "cs-5m",
        "Callaway–Sant'Anna, 5M pupil rows (cross-sections)",
        5_000_000,
        "diff-diff",
        our_group_time,
        diff_diff_group_time,
        10,
    ),
    Case(
        "cs-1m-covariates",
        "Callaway–Sant'Anna, doubly robust, 2 pupil-level covariates, 1M rows",
        1_000_000,
        "diff-diff",
        our_group_time,
        diff_diff_group_time,
        4,
        covariates=2,
    ),
]


def run_side(case: Case, side: str, rows: int) -> dict[str, Any]:
    """Run one side here and say how long it took and what it found. Imports are warmed on a small sample first."""
    function = case.ours if side == "ours" else case.theirs
    function(pupils(20_000, case.covariates, schools=100))
    data = pupils(rows, case.covariates)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started = time.perf_counter()
    answer = function(data)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "peak_mb": peak, "before_mb": held, "answer": answer}


def in_own_process(case: Case, side: str, rows: int) -> dict[str, Any]:
    """One run in a process of its own, on one thread."""
    environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
    command = [
        sys.executable,
        str(Path(__file__).resolve()),
        "--worker",
        side,
        "--case",
        case.name,
        "--rows",
        str(rows),
    ]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"{case.name}, {side}: {run.stderr.strip()}")
    found: dict[str, Any] = json.loads(run.stdout.strip().splitlines()[-1])
    return found


def compare(case: Case, repeats: int, scale: float) -> dict[str, Any]:
    """Alternate the sides and take medians."""
    rows = round(case.rows * scale)
    runs: dict[str, list[dict[str, Any]]] = {"ours": [], "theirs": []}
    for _ in range(repeats):
        for side in runs:
            runs[side].append(in_own_process(case, side, rows))
    median = {
        side: {
            key: statistics.median(run[key] for run in found) for key in ("seconds", "peak_mb", "before_mb", "answer")
        }
        for side, found in runs.items()
    }
    return {
        "case": case.name,
        "title": case.title,
        "rows": rows,
        "peer": case.peer,
        "aim": case.aim,
        **median,
        "faster": median["theirs"]["seconds"] / median["ours"]["seconds"],
        "memory_share": median["ours"]["peak_mb"] / median["theirs"]["peak_mb"],
        "difference": abs(median["ours"]["answer"] - median["theirs"]["answer"]),
    }


def as_markdown(results: list[dict[str, Any]]) -> str:
    """The table of the documentation."""
    lines = [
        "| case | rows | plneval.did, s / MB | peer | s / MB | times faster (aim) | share of memory | difference |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for found in results:
        ours, theirs = found["ours"], found["theirs"]
        lines.append(
            f"| {found['title']} | {found['rows']:,} | {ours['seconds']:.2f} / {ours['peak_mb']:.0f} "
            f"| {found['peer']} | "
            f"{theirs['seconds']:.2f} / {theirs['peak_mb']:.0f} | {found['faster']:.1f} ({found['aim']:g}) | "
            f"{found['memory_share']:.2f} | {found['difference']:.1e} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=[case.name for case in CASES])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", choices=["ours", "theirs"], help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    chosen = [case for case in CASES if asked.case in (None, case.name)]
    if asked.worker:
        print(json.dumps(run_side(chosen[0], asked.worker, asked.rows)))
        return
    results = [compare(case, asked.repeats, asked.scale) for case in chosen]
    print(as_markdown(results))
    if asked.json:
        asked.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
