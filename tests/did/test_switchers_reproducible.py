"""Switchers, leaving, triple differences and composition: the same bits, whatever the threads and the hash seed."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import hashlib
import numpy as np, pandas as pd
from plneval import did
random = np.random.default_rng(0)
rows = 20_000
school, year = random.integers(0, 300, rows), random.integers(2010, 2017, rows)
names = np.array([f"school {k}" for k in range(300)])
flips = random.random((300, 7)) < np.where(np.arange(7) > 0, 0.15, 0.3)
d = (np.cumsum(flips, axis=1) % 2)[school, year - 2010]
entry = random.choice([0, 2012, 2014], 300)[school]
part = np.where(random.random(rows) < 0.4, "yes", "no")
data = pd.DataFrame({"s": names[school], "t": year, "d": d, "e": entry, "p": part})
data = data.assign(y=random.normal(size=rows), x=random.normal(size=rows))
digest = hashlib.sha256()
one = did.switchers(data, "y", "t", "s", "d", effects=3, controls=["x"])
two = did.switchers(data, "y", "t", "s", "d", switches="all")
three = did.leaving(data, "y", "t", "s", "d")
for found in (one, one.joiners, two, three):
    digest.update(found.table.to_numpy(dtype=float).tobytes() + np.float64(found.se).tobytes())
columns = {"time": "t", "unit": "s", "entry": "e"}
gap = did.triple_difference(
    data, "y", **columns, subgroup="p", covariates=["x"], method="or", comparison="not_yet", panel=False
)
kept = did.composition(data, **columns, covariates=["x", "y"])
entered = did.first_entry(data, "s", "t", "d", undated="first_seen")
for values in (gap.att, gap.vcov, kept.vcov, [kept.p], entered):
    digest.update(np.ascontiguousarray(values, dtype=float).tobytes())
print(digest.hexdigest())
"""


def test_results_do_not_depend_on_threads_or_hash_seed() -> None:
    found = set()
    for threads in ("1", "2"):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        environment = {**os.environ, **dict.fromkeys(names, threads), "PYTHONHASHSEED": threads}
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True, timeout=120
        )
        found.add(run.stdout.strip())
    assert len(found) == 1
