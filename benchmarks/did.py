"""Difference-in-differences side by side with other libraries: time and memory, one thread, a process for each run.

    python benchmarks/did.py                    # every case, medians of 3, a table on standard output
    python benchmarks/did.py --case cs-5m       # one case (may be repeated)
    python benchmarks/did.py --scale 0.1        # a tenth of the rows
    python benchmarks/did.py --json found.json  # the numbers too
    python benchmarks/did.py --peer-python /path/to/venv/bin/python   # where peers live that are not installed here

The two sides of a case alternate, so that a busy machine slows both. The time is that of estimation from rows in
memory, with aggregation by event time; the peak is that of the whole process, data and imports included. Data: 2,000
schools over 8 years, five entry years and never, cluster = school. Peers are looked for in this environment, then in
those of ``--peer-python`` (or ``PLNEVAL_PEER_PYTHON``, several separated by ``:``); a case whose peer is in none of
them is run on one side only, and said to be. Event times and group × time labels, which pyfixest needs as columns, are
made beforehand.
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

# Rows on which imports and compilers are warmed; smaller cases are run as they are.
WARM_ROWS = 20_000
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS")


@dataclass(frozen=True)
class Case:
    """One comparison: its data, the two sides, and what is aimed at (``times`` faster, or ``seconds``)."""

    name: str
    title: str
    rows: int
    peer: str
    module: str
    make: Callable[[int], Any]
    ours: Callable[[Any], float]
    theirs: Callable[[Any], float] | None
    aim: str


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


def pupils_with_labels(rows: int) -> pd.DataFrame:
    """The cross-sections with event time (-1 for never), and group × time (0 for never and the year before entry)."""
    data = pupils(rows, 0, schools=min(2000, max(100, rows // 100)))
    data["event"] = np.where(data["entry"] > 0, data["year"] - data["entry"], -1)
    data["cell"] = np.where(data["event"] == -1, 0, data["entry"] * 10000 + data["year"])
    return data


def event_effects(_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Four effects before and four after the reference, correlated as in an event study, and their covariance."""
    lead = np.array([-4, -3, -2, -1, 1, 2, 3, 4])
    together = (lead[:, None] * lead > 0) * np.minimum(abs(lead[:, None]), abs(lead))
    return np.array([0.01, -0.02, 0.015, 0.0, 0.25, 0.3, 0.28, 0.35]), 0.05**2 * (
        0.5 + np.eye(8) * 0.5 + 0.2 * together
    )


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


def our_event_study(data: pd.DataFrame) -> float:
    """Two-way fixed effects by event time, CR1 by school."""
    from plneval import did

    names = {"outcome": "y", "time": "year", "unit": "school", "entry": "entry"}
    found = did.event_study(data, **names, panel=False, vcov="cr1")
    return float(found.table.set_index("event_time").loc[0, "estimate"])


def pyfixest_event_study(data: pd.DataFrame) -> float:
    """The same with pyfixest."""
    import pyfixest

    found = pyfixest.feols("y ~ i(event, ref=-1) | school + year", data, vcov={"CRV1": "school"})
    estimates = found.tidy()["Estimate"]
    return float(next(value for term, value in estimates.items() if term.endswith(("::0", "[0]"))))


def our_sun_abraham(data: pd.DataFrame) -> float:
    """Sun and Abraham's regression and its averages by event time, CR1 by school."""
    from plneval import did

    names = {"outcome": "y", "time": "year", "unit": "school", "entry": "entry"}
    found = did.sun_abraham(data, **names, panel=False, vcov="cr1")
    return float(found.table.set_index("event_time").loc[0, "estimate"])


def pyfixest_sun_abraham(data: pd.DataFrame) -> float:
    """The saturated regression with pyfixest, and the average at entry by rows."""
    import re

    import pyfixest

    found = pyfixest.feols("y ~ i(cell, ref=0) | school + year", data, vcov={"CRV1": "school"})
    estimates = {int(re.findall(r"\d+", term)[-1]): value for term, value in found.tidy()["Estimate"].items()}
    rows = data.loc[data["event"] == 0, "cell"].value_counts()
    return float(sum(estimates[cell] * count for cell, count in rows.items()) / rows.sum())


def our_randomization(statistic: str) -> Callable[[pd.DataFrame], float]:
    """Randomisation test of the headline, 9,999 draws, from rows."""

    def run(data: pd.DataFrame) -> float:
        from plneval import did

        names = {"outcome": "y", "time": "year", "unit": "school", "entry": "entry"}
        return did.randomization_test(data, **names, panel=False, statistic=statistic).ci_low

    return run


def our_magnitudes(effects: tuple[np.ndarray, np.ndarray]) -> float:
    """Upper end for relative magnitudes of 1, first period after the reference."""
    from plneval.did.honest import bounds

    interval = bounds(*effects, 4, 4, np.array([1.0, 0, 0, 0]), "relative_magnitudes", alpha=0.05)
    return float(interval(1.0)[1])


def moderndid_magnitudes(effects: tuple[np.ndarray, np.ndarray]) -> float:
    """The same with moderndid, on 100 points (its ends are points of the grid)."""
    from moderndid.didhonest import compute_conditional_cs_rm

    beta, sigma = effects
    found = compute_conditional_cs_rm(
        betahat=beta,
        sigma=sigma,
        num_pre_periods=4,
        num_post_periods=4,
        l_vec=np.array([[1.0], [0], [0], [0]]),
        m_bar=1.0,
        alpha=0.05,
        hybrid_flag="LF",
        grid_points=100,
    )
    return float(np.asarray(found["grid"])[np.asarray(found["accept"]) > 0].max())


def cross_sections(covariates: int) -> Callable[[int], pd.DataFrame]:
    """Rows with so many covariates; fewer schools where there are few rows."""
    return lambda rows: pupils(rows, covariates, schools=min(2000, max(100, rows // 100)))


CASES = [
    Case(
        "cs-5m",
        "Callaway–Sant'Anna (cross-sections)",
        5_000_000,
        "diff-diff",
        "diff_diff",
        cross_sections(0),
        our_group_time,
        diff_diff_group_time,
        "10 times",
    ),
    Case(
        "cs-1m-covariates",
        "doubly robust, 2 pupil-level covariates",
        1_000_000,
        "diff-diff",
        "diff_diff",
        cross_sections(2),
        our_group_time,
        diff_diff_group_time,
        "4 times",
    ),
    Case(
        "event-study-5m",
        "event study, two-way fixed effects",
        5_000_000,
        "pyfixest",
        "pyfixest",
        pupils_with_labels,
        our_event_study,
        pyfixest_event_study,
        "20 times",
    ),
    Case(
        "sun-abraham-5m",
        "Sun and Abraham",
        5_000_000,
        "pyfixest",
        "pyfixest",
        pupils_with_labels,
        our_sun_abraham,
        pyfixest_sun_abraham,
        "20 times",
    ),
    Case(
        "randomization-200k",
        "randomisation test of the headline, 9,999 draws",
        200_000,
        "",
        "",
        cross_sections(0),
        our_randomization("headline"),
        None,
        "10 s",
    ),
    Case(
        "randomization-t-200k",
        "the same, studentised",
        200_000,
        "",
        "",
        cross_sections(0),
        our_randomization("t"),
        None,
        "10 s",
    ),
    Case(
        "honest",
        "HonestDiD, relative magnitudes of 1, 4 + 4 periods",
        8,
        "moderndid (100 points)",
        "moderndid",
        event_effects,
        our_magnitudes,
        moderndid_magnitudes,
        "8 times",
    ),
]


def run_side(case: Case, side: str, rows: int) -> dict[str, Any]:
    """Run one side here and say how long it took and what it found. Imports are warmed on a small sample first."""
    function = case.ours if side == "ours" else case.theirs
    if function is None:
        raise SystemExit(f"{case.name} has no peer")
    if case.rows > WARM_ROWS:
        function(case.make(WARM_ROWS))
    data = case.make(rows)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started = time.perf_counter()
    answer = function(data)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "peak_mb": peak, "before_mb": held, "answer": answer}


def interpreter(case: Case, pythons: list[str]) -> str | None:
    """The first interpreter that has the case's peer; ``None`` without one."""
    if case.theirs is None:
        return None
    for python in [sys.executable, *pythons]:
        probe = [
            python,
            "-c",
            f"import importlib.util, sys; sys.exit(importlib.util.find_spec({case.module!r}) is None)",
        ]
        if subprocess.run(probe, check=False, capture_output=True).returncode == 0:
            return python
    return None


def in_own_process(case: Case, side: str, rows: int, python: str) -> dict[str, Any]:
    """One run in a process of its own, on one thread."""
    environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
    here = str(Path(__file__).resolve())
    command = [python, here, "--worker", side, "--case", case.name, "--rows", str(rows)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"{case.name}, {side}: {run.stderr.strip()}")
    found: dict[str, Any] = json.loads(run.stdout.strip().splitlines()[-1])
    return found


def compare(case: Case, repeats: int, scale: float, pythons: list[str]) -> dict[str, Any]:
    """Alternate the sides and take medians."""
    rows = round(case.rows * scale) if case.rows > WARM_ROWS else case.rows
    peer = interpreter(case, pythons)
    runs: dict[str, list[dict[str, Any]]] = {"ours": []} if peer is None else {"ours": [], "theirs": []}
    for _ in range(repeats):
        for side, found in runs.items():
            found.append(in_own_process(case, side, rows, sys.executable if side == "ours" else str(peer)))
    median = {
        side: {
            key: statistics.median(run[key] for run in found) for key in ("seconds", "peak_mb", "before_mb", "answer")
        }
        for side, found in runs.items()
    }
    result = {"case": case.name, "title": case.title, "rows": rows, "peer": case.peer, "aim": case.aim, **median}
    if peer is None:
        return result
    return result | {
        "faster": median["theirs"]["seconds"] / median["ours"]["seconds"],
        "memory_share": median["ours"]["peak_mb"] / median["theirs"]["peak_mb"],
        "difference": abs(median["ours"]["answer"] - median["theirs"]["answer"]),
    }


def as_markdown(results: list[dict[str, Any]]) -> str:
    """The table of the documentation."""
    lines = [
        "| case | rows | plneval.did, s / MB | peer | s / MB | times faster | aim | share of memory | difference |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for found in results:
        ours, theirs = found["ours"], found.get("theirs")
        line = f"| {found['title']} | {found['rows']:,} | {ours['seconds']:.2f} / {ours['peak_mb']:.0f} "
        if theirs is None:
            line += (
                f"| {found['peer'] + ' (not installed)' if found['peer'] else '–'} | – | – | {found['aim']} | – | – |"
            )
        else:
            line += f"| {found['peer']} | {theirs['seconds']:.2f} / {theirs['peak_mb']:.0f} | {found['faster']:.1f} "
            line += f"| {found['aim']} | {found['memory_share']:.2f} | {found['difference']:.1e} |"
        lines.append(line)
    return "\n".join(lines)


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=[case.name for case in CASES], action="append")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--peer-python", action="append", help="interpreter with peers; may be repeated")
    parser.add_argument("--worker", choices=["ours", "theirs"], help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    chosen = [case for case in CASES if asked.case is None or case.name in asked.case]
    if asked.worker:
        print(json.dumps(run_side(chosen[0], asked.worker, asked.rows)))
        return
    from_environment = os.environ.get("PLNEVAL_PEER_PYTHON", "")
    pythons = [*(asked.peer_python or []), *filter(None, from_environment.split(os.pathsep))]
    results = [compare(case, asked.repeats, asked.scale, pythons) for case in chosen]
    print(as_markdown(results))
    if asked.json:
        asked.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
