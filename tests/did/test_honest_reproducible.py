"""Sensitivity analyses give the same bits whatever the threads and the hash seed."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import hashlib
import numpy as np, pandas as pd
from plneval import did
class Events:
    base_period, level = "universal", 0.95
    table = pd.DataFrame({"event_time": range(-7, 6), "estimate": np.sin(np.arange(13.0)) * (np.arange(13) != 6)})
    vcov = (0.6 * np.eye(13) + 0.4) * np.outer(np.arange(13) != 6, np.arange(13) != 6)
digest = hashlib.sha256()
for kind in ("smoothness", "relative_magnitudes"):
    digest.update(did.honest(Events, kind, grid=[0, 0.5]).table.iloc[:, :3].to_numpy(dtype=float).tobytes())
power = did.pretrend_power(Events, trend=0.1)
digest.update(power.table.to_numpy(dtype=float).tobytes())
digest.update(np.array([power.power, power.bayes_factor, power.detectable_slope]).tobytes())
print(digest.hexdigest())
"""


def test_sensitivity_does_not_depend_on_threads_or_hash_seed() -> None:
    found = set()
    for threads in ("1", "2"):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        environment = {**os.environ, **dict.fromkeys(names, threads), "PYTHONHASHSEED": threads}
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True, timeout=120
        )
        found.add(run.stdout.strip())
    assert len(found) == 1
