"""Growth models side by side with other libraries: CPU time and memory, one thread, a process for each run.

    python benchmarks/multilevel.py                              # 200k and 1M rows, mixedlm, and lme4 where R has it
    python benchmarks/multilevel.py --size 20m --model M2        # parts (options may be repeated)
    python benchmarks/multilevel.py --size 200k --peer statsmodels          # minutes, therefore only when asked for
    python benchmarks/multilevel.py --size 1m --model M2 --peer lme4        # the same
    python benchmarks/multilevel.py --json found.json            # keeps the numbers; a later run adds to them

Time is CPU time (user and system) from a Parquet file to the table of fixed effects, imports warmed on a small file;
the peak is that of the whole process. lme4 reads no Parquet: it is given the same columns as raw vectors, written
beforehand, and runs with its defaults. The sides of a case alternate, so that a busy machine slows both. The criterion
is the REML criterion each engine ends at; for statsmodels, whose constants differ, ours at its variances.

Data: pupils in schools (210 each, half of them treated), two cohorts, each observed in four of five successive years,
5 % of occasions missing; a file sorted by school, pupil and year. Fixed effects: year × treatment, 10. M1: random
intercepts of pupil and school. M2: correlated intercept and slope of both.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

SIZES = {"200k": 200_000, "1m": 1_000_000, "5m": 5_000_000, "20m": 20_000_000}
MODELS = {"M1": "(1|pupil) + (1|school)", "M2": "(year|pupil) + (year|school)"}
PEERS = ("mixedlm", "lme4", "statsmodels")
# Sizes and models a peer is run on unless asked for by name, and those it can be run on at all.
USUAL = {
    "mixedlm": {(size, model) for size in ("200k", "1m") for model in MODELS},
    "lme4": {("200k", "M1"), ("200k", "M2"), ("1m", "M1")},
    "statsmodels": set(),
}
POSSIBLE = {
    "mixedlm": {(size, model) for size in SIZES for model in MODELS},
    "lme4": {(size, model) for size in SIZES for model in MODELS},
    "statsmodels": {("200k", "M1")},
}
WARM_ROWS = 4_000
PUPILS_PER_SCHOOL = 210
SCHOOLS_AT_A_TIME = 500
# From this many rows on, the file is read in chunks.
CHUNKED_ROWS = 2_000_000
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS")
R_TYPES = {"school": "integer", "pupil": "integer", "year": "integer", "treated": "integer", "y": "double"}

R_SCRIPT = """
arguments <- commandArgs(trailingOnly = TRUE)
suppressPackageStartupMessages(library(lme4))
rows <- as.integer(arguments[2])
started <- proc.time()
column <- function(name, what) readBin(file.path(arguments[1], name), what, rows)
data <- data.frame(school = factor(column("school", "integer")), pupil = factor(column("pupil", "integer")),
                   year = column("year", "integer"), treated = column("treated", "integer"), y = column("y", "double"))
data$wave <- factor(data$year)
fit <- lmer(as.formula(paste("y ~ wave*treated +", arguments[3])), data)
table <- coef(summary(fit))
used <- sum((proc.time() - started)[1:2])
status <- readLines("/proc/self/status")
peak <- as.numeric(gsub("[^0-9]", "", status[startsWith(status, "VmHWM")])) / 1024
cat(sprintf('{"seconds": %.4f, "peak_mb": %.1f, "criterion": %.10f, "version": "lme4 %s"}\\n',
            used, peak, REMLcrit(fit), packageVersion("lme4")))
"""


def schools_of(rows: int) -> int:
    """How many schools give about so many rows: four occasions of a pupil, 5 % of them missing."""
    return max(4, round(rows / (PUPILS_PER_SCHOOL * 4 * 0.95)))


def made(first: int, schools: int) -> dict[str, np.ndarray]:
    """The rows of some schools."""
    random = np.random.default_rng([20264, first])
    pupils = schools * PUPILS_PER_SCHOOL
    school = np.repeat(np.arange(schools), PUPILS_PER_SCHOOL)
    of_school = random.normal(size=(schools, 2)) @ np.array([[0.40, 0.03], [0.0, 0.08]])
    of_pupil = random.normal(size=(pupils, 2)) @ np.array([[0.80, 0.05], [0.0, 0.15]])
    year = (random.integers(0, 2, pupils)[:, None] + np.arange(4)).ravel()
    pupil, school = np.repeat(np.arange(pupils), 4), np.repeat(school, 4)
    treated = (school + first) % 2
    y = 0.3 * year + 0.05 * treated * year + 0.5 * random.normal(size=len(year))
    y += of_school[school, 0] + of_school[school, 1] * year + of_pupil[pupil, 0] + of_pupil[pupil, 1] * year
    seen = random.random(len(y)) >= 0.05
    return {
        "school": (school[seen] + first).astype(np.int32),
        "pupil": (pupil[seen] + first * PUPILS_PER_SCHOOL).astype(np.int32),
        "year": year[seen].astype(np.int32),
        "treated": treated[seen].astype(np.int32),
        "y": y[seen],
    }


def write(folder: Path, rows: int, raw: bool) -> tuple[Path, int]:
    """Write a Parquet file, some schools at a time; with ``raw`` a file for each column too. Its path and rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    path, schools, writer, total = folder / "rows.parquet", schools_of(rows), None, 0
    for name in R_TYPES:
        (folder / name).unlink(missing_ok=True)
    for first in range(0, schools, SCHOOLS_AT_A_TIME):
        columns = made(first, min(SCHOOLS_AT_A_TIME, schools - first))
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
        total += len(table)
        for name in R_TYPES if raw else ():
            with (folder / name).open("ab") as file:
                columns[name].tofile(file)
    assert writer is not None
    writer.close()
    return path, total


def fit_ours(path: Path, model: str) -> tuple[float, Any]:
    """From the file to the table of fixed effects with plneval.multilevel."""
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    from plneval import multilevel

    chunked = pq.read_metadata(path).num_rows >= CHUNKED_ROWS
    data = ds.dataset(path) if chunked else pq.read_table(path, use_threads=False)
    fit = multilevel.fit(f"y ~ C(year)*treated + {MODELS[model]}", data)
    return fit.criterion, fit.fixed


def fit_mixedlm(path: Path, model: str) -> tuple[float, Any]:
    """The same with mixedlm."""
    import pandas as pd
    from mixedlm import lmer

    data = pd.read_parquet(path)
    data["wave"] = data["year"].astype("category")
    fit = lmer(f"y ~ wave*treated + {MODELS[model]}", data)
    return float(fit.deviance), (fit.fixef(), fit.vcov())


def fit_statsmodels(path: Path, model: str) -> tuple[np.ndarray, Any]:
    """Random intercepts with statsmodels; returns lme4's theta in place of the criterion."""
    import pandas as pd
    import statsmodels.formula.api as smf

    assert model == "M1"
    parts = {"groups": "school", "re_formula": "1", "vc_formula": {"pupil": "0 + C(pupil)"}}
    fit = smf.mixedlm("y ~ C(year)*treated", pd.read_parquet(path), **parts).fit(reml=True)
    variances = np.array([fit.vcomp[0], fit.cov_re.iloc[0, 0]])
    return np.sqrt(variances / fit.scale), (fit.params, fit.bse)


def run_here(side: str, path: Path, model: str, warm: Path) -> dict[str, Any]:
    """One run in this process: its CPU time, peak memory and criterion."""
    from importlib.metadata import version

    import pyarrow as pa

    pa.set_cpu_count(1)
    function: Any = {"ours": fit_ours, "mixedlm": fit_mixedlm, "statsmodels": fit_statsmodels}[side]
    function(warm, model)
    started, clock = time.process_time(), time.perf_counter()
    criterion, _ = function(path, model)
    seconds, wall = time.process_time() - started, time.perf_counter() - clock
    status = Path("/proc/self/status").read_text()
    peak = next(float(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    if side == "statsmodels":
        import pyarrow.parquet as pq

        from plneval import multilevel

        fit = multilevel.fit(f"y ~ C(year)*treated + {MODELS[model]}", pq.read_table(path))
        criterion = fit.criterion_at(criterion)
    name = "plneval" if side == "ours" else side
    found = {"seconds": seconds, "wall": wall, "peak_mb": peak, "criterion": float(criterion)}
    return found | {"version": f"{name} {version(name)}"}


def in_own_process(side: str, path: Path, rows: int, model: str, warm: Path) -> dict[str, Any]:
    """One run in a process of its own, on one thread."""
    environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
    if side == "lme4":
        script = path.parent / "lme4.R"
        script.write_text(R_SCRIPT)
        command = ["Rscript", "--vanilla", str(script), str(path.parent), str(rows), MODELS[model]]
    else:
        here = str(Path(__file__).resolve())
        command = [sys.executable, here, "--worker", side, "--model", model, "--file", str(path), "--warm", str(warm)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"{side}, {model}, {rows:,} rows: {run.stderr.strip()}")
    found: dict[str, Any] = json.loads(run.stdout.strip().splitlines()[-1])
    return found


def lme4_is_here() -> bool:
    """Whether R and lme4 are installed."""
    if shutil.which("Rscript") is None:
        return False
    probe = ["Rscript", "--vanilla", "-e", "quit(status = !requireNamespace('lme4', quietly = TRUE))"]
    return subprocess.run(probe, check=False, capture_output=True).returncode == 0


def chosen_peers(size: str, model: str, asked: list[str] | None) -> list[str]:
    """The peers of a case: those asked for, or the usual."""
    if asked is None:
        return [peer for peer in PEERS if (size, model) in USUAL[peer]]
    return [peer for peer in PEERS if peer in asked and (size, model) in POSSIBLE[peer]]


def compare(size: str, model: str, peers: list[str], repeats: tuple[int, int], folder: Path) -> list[dict[str, Any]]:
    """Run ours ``repeats[0]`` times, and each peer ``repeats[1]`` times in between; medians."""
    warm, _ = write(folder / "warm", WARM_ROWS, raw=False)
    path, rows = write(folder / size, SIZES[size], raw="lme4" in peers)
    runs: dict[str, list[dict[str, Any]]] = {"ours": [], **{peer: [] for peer in peers}}
    for turn in range(max(repeats)):
        for side, found in runs.items():
            if turn < repeats[side != "ours"]:
                found.append(in_own_process(side, path, rows, model, warm))
                print(f"{size} {model} {side}: {found[-1]}", file=sys.stderr, flush=True)
    shutil.rmtree(folder / size)
    results = []
    for side, found in runs.items():
        median = {key: statistics.median(run[key] for run in found) for key in ("seconds", "peak_mb", "criterion")}
        case = {"size": size, "rows": rows, "model": model, "side": side, "runs": len(found)}
        results.append(case | median | {"version": found[0]["version"]})
    return results


def as_markdown(results: list[dict[str, Any]]) -> str:
    """The table of the documentation; ratios and differences of the criterion are to ours."""
    ours = {(found["size"], found["model"]): found for found in results if found["side"] == "ours"}
    lines = [
        "| rows | model | engine | CPU s | MB | times ours | criterion − ours | runs |",
        "|---|---|---|---|---|---|---|---|",
    ]
    order = ["ours", *PEERS]
    place = {size: at for at, size in enumerate(SIZES)}
    for found in sorted(results, key=lambda each: (place[each["size"]], each["model"], order.index(each["side"]))):
        line = f"| {found['rows']:,} | {found['model']} | {found['version']} | {found['seconds']:.2f} "
        line += f"| {found['peak_mb']:.0f} "
        base = ours[found["size"], found["model"]]
        if found is base:
            line += "| 1 | – "
        else:
            line += f"| {found['seconds'] / base['seconds']:.0f} | {found['criterion'] - base['criterion']:.1e} "
        lines.append(f"{line}| {found['runs']} |")
    return "\n".join(lines)


def merged(before: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Earlier results, replaced where run again."""
    found = {(each["size"], each["model"], each["side"]): each for each in [*before, *new]}
    return list(found.values())


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=list(SIZES), action="append", help="200k and 1m unless given")
    parser.add_argument("--model", choices=list(MODELS), action="append")
    parser.add_argument("--peer", choices=[*PEERS, "none"], action="append")
    parser.add_argument("--repeats", type=int, default=3, help="runs of ours")
    parser.add_argument("--peer-repeats", type=int, default=1, help="runs of each peer")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", choices=["ours", *PEERS], help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--warm", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    models = asked.model or list(MODELS)
    if asked.worker:
        print(json.dumps(run_here(asked.worker, asked.file, models[0], asked.warm)))
        return
    results: list[dict[str, Any]] = json.loads(asked.json.read_text()) if asked.json and asked.json.exists() else []
    with_r = lme4_is_here()
    if not with_r:
        print("R or lme4 is not installed: lme4 is left out.", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        for size in asked.size or ["200k", "1m"]:
            for model in models:
                peers = [peer for peer in chosen_peers(size, model, asked.peer) if peer != "lme4" or with_r]
                found = compare(size, model, peers, (asked.repeats, asked.peer_repeats), Path(folder))
                results = merged(results, found)
                if asked.json:
                    asked.json.write_text(json.dumps(results, indent=1) + "\n")
    print(as_markdown(results))


if __name__ == "__main__":
    main()
