"""The same rows in the same order give the same bits, whatever the threads and the hash seed: every estimator.

All in one program, run in a process for each setting: starting and importing is what costs.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

START = """
import hashlib
import numpy as np, pandas as pd
from plneval import did
"""
PARTS = {
    "group-time effects": """
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
    small = events.small_sample()
    for values in (effects.contributions, effects.vcov, events.vcov, events.bands(99).to_numpy(), [test.p, test.power],
                   small.vcov, small.table["df"]):
        digest.update(np.ascontiguousarray(values, dtype=float).tobytes())
""",
    "sensitivity": """
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
""",
    "switchers": """
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
""",
    "linear estimators": """
# Enough cells for a threaded BLAS to split its sums.
rng = np.random.default_rng(1)
unit, year = np.repeat(np.arange(5000), 8), np.tile(np.arange(1, 9), 5000)
entry = rng.choice([0, 4, 5, 6], 5000)[unit]
d = pd.DataFrame({"unit": unit, "year": year, "entry": entry, "y": rng.normal(size=40000) + year})
k = dict(outcome="y", time="year", unit="unit", entry="entry")
digest = hashlib.sha256()
for r in (did.event_study(d, **k, vcov="cr2"), did.sun_abraham(d, **k), did.extended_twfe(d, **k),
          did.imputation(d, **k, vcov="cr3"), did.two_stage(d, **k), did.twfe(d, **k, vcov="wild", draws=199)):
    digest.update(repr(r.table.to_dict("list")).encode())
""",
    "special designs": """
random = np.random.default_rng(2)
school, year = np.repeat(np.arange(400), 8), np.tile(np.arange(8), 400)
entry = random.choice([0, 4, 5, 6], 400)
data = pd.DataFrame({"s": school, "t": year, "e": entry[school], "y": random.normal(size=3200), "area": school % 3})
digest = hashlib.sha256()
for statistic in ("headline", "t"):
    test = did.randomization_test(data, "y", "t", "s", "e", strata="area", statistic=statistic, draws=199)
    digest.update(np.r_[test.distribution, test.ci_low, test.ci_high].tobytes())
few = data[(data["e"] == 0) | data["s"].isin(np.flatnonzero(entry == 5)[:3])]
found = did.synthetic(few, "y", "t", "s", "e", vcov="jackknife")
digest.update(np.r_[found.estimate, found.se, found.unit_weights["weight"], found.time_weights["weight"]].tobytes())
""",
}


@pytest.fixture(scope="module")
def printed() -> list[dict[str, str]]:
    """The digest of each part, on one thread and on two."""
    program = START + "".join(f"{code}\nprint({name!r}, digest.hexdigest(), sep=':')\n" for name, code in PARTS.items())
    found = []
    for threads in ("1", "2"):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        environment = {**os.environ, **dict.fromkeys(names, threads), "PYTHONHASHSEED": threads}
        run = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False, timeout=600
        )
        assert run.returncode == 0, run.stderr
        found.append(dict(line.split(":") for line in run.stdout.split("\n") if line))
    return found


@pytest.mark.parametrize("part", PARTS)
def test_results_do_not_depend_on_threads_or_hash_seed(printed: list[dict[str, str]], part: str) -> None:
    one, two = printed
    assert len(one[part]) == 64
    assert one[part] == two[part]
