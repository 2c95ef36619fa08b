"""How fast ingest reads a large study, and how much memory it takes, against ``pandas.read_csv`` of the same files.

    python benchmarks/ingest.py [--rows 1000000]

Writes a made-up study into a temporary folder: a pupils file and an outcomes file of the given number of rows each.
Each reader runs in a process of its own, so that the peak of memory is its own; both times include what they import.
ingest does what pandas.read_csv does not: it types and checks every column, settles keys, looks up every pupil in the
register, sorts, pseudonymises and writes Parquet.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from plneval.config.cohort import Tidier

SCHOOLS = 500
YEARS = (2015, 2016, 2017, 2018)

COHORT = {
    "title": "Benchmark",
    "programme": "the benchmark",
    "data": {"folder": ".", "origin": "made by benchmarks/ingest.py"},
    "study": {"first_year": YEARS[0], "last_year": YEARS[-1]},
    "outcomes": {"maths": {"label": "Maths", "minimum": 0, "maximum": 200}},
    "models": ["any"],
    "sources": {
        "schools": [{"rows": [{"school_id": f"{number:06d}"} for number in range(SCHOOLS)]}],
        "networks": [{"rows": [{"network_id": "N1"}]}],
        "memberships": [{"rows": [{"network_id": "N1", "school_id": "000000", "joined": "2015-10-01"}]}],
        "pupils": [
            {
                "files": "pupils.csv",
                "year": {"column": "year"},
                "columns": {"pupil_id": "pupil", "school_id": "school", "grade": "grade", "disadvantaged": "fsm"},
            }
        ],
        "outcomes": [
            {
                "files": "outcomes.csv",
                "year": {"column": "year"},
                "columns": {"pupil_id": "pupil"},
                "outcomes": {"maths": "maths"},
            }
        ],
    },
    "tidier": dict.fromkeys(Tidier.model_fields, "-"),
}


def write_study(folder: Path, rows: int) -> None:
    """Write ``pupils.csv`` and ``outcomes.csv``."""
    import numpy as np
    import pandas as pd

    draw = np.random.default_rng(1)
    pupils = -(-rows // len(YEARS))
    number = np.repeat(np.arange(pupils), len(YEARS))[:rows]
    year = np.tile(YEARS, pupils)[:rows]
    pupil = pd.Series(number).map(lambda one: f"A{one:012d}")
    register = pd.DataFrame(
        {
            "pupil": pupil,
            "year": year,
            "school": pd.Series(number % SCHOOLS).map("{:06d}".format),
            "grade": 3 + (year - YEARS[0]),
            "fsm": draw.integers(0, 2, rows),
        }
    )
    register.to_csv(folder / "pupils.csv", index=False)
    scores = pd.DataFrame({"pupil": pupil, "year": year, "maths": draw.normal(100, 15, rows).clip(0, 200).round(1)})
    scores.sample(frac=1, random_state=1).to_csv(folder / "outcomes.csv", index=False)


def run_ingest(folder: Path) -> None:
    from plneval.config.cohort import Cohort
    from plneval.ingest.stage import ingest

    ingest(Cohort.model_validate(COHORT), "benchmark", folder, folder / "out")


def run_pandas(folder: Path) -> None:
    import pandas as pd

    tables = [pd.read_csv(folder / name) for name in ("pupils.csv", "outcomes.csv")]
    assert all(len(table) for table in tables)


def measure(reader: str, folder: Path) -> dict[str, float]:
    """Seconds and peak MB of one reader in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--reader", reader, "--folder", str(folder)],
        check=True,
        capture_output=True,
        text=True,
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--reader", choices=["ingest", "pandas"])
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.reader:
        start = time.perf_counter()
        {"ingest": run_ingest, "pandas": run_pandas}[options.reader](options.folder)
        used = {"seconds": time.perf_counter() - start, "cpu": time.process_time()}
        print(json.dumps({**used, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_study(folder, options.rows)
        size = sum(path.stat().st_size for path in folder.glob("*.csv")) / 2**20
        print(f"two files of {options.rows:,} rows, {size:.0f} MB together")
        for reader in ("pandas", "ingest"):
            result = measure(reader, folder)
            rate = 2 * options.rows / result["seconds"]
            print(
                f"{reader:>7}: {result['seconds']:6.1f} s ({result['cpu']:.1f} s of processor time)  "
                f"{rate:>10,.0f} rows/s  peak {result['mb']:,.0f} MB"
            )


if __name__ == "__main__":
    main()
