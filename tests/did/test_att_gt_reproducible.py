"""The same rows in the same order give the same bits, whatever the threads and the hash seed."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import hashlib
import numpy as np, pandas as pd
from plneval import did
random = np.random.default_rng(0)
rows = 60_000
school, year = random.integers(0, 800, rows), random.integers(2010, 2018, rows)
entry = random.choice([0, 2012, 2014, 2016], 800)[school]
data = pd.DataFrame({"s": school, "t": year, "e": entry, "y": random.normal(size=rows), "x": random.normal(size=rows)})
digest = hashlib.sha256()
for method, covariates in (("dr", ["x"]), ("or", ["x"]), ("dr", None)):
    effects = did.att_gt(data, "y", "t", "s", "e", covariates=covariates, method=method, panel=False)
    events = effects.aggregate("dynamic")
    test = effects.pretest(bootstrap=True, draws=99, trend=0.1)
    for values in (effects.contributions, effects.vcov, events.vcov, events.bands(99).to_numpy(), [test.p, test.power]):
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
