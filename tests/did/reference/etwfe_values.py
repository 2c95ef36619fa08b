"""Values of the extended two-way regression with a covariate, by plain least squares, for test_linear_reference.py.

    python etwfe_values.py [mpdta.csv]     # needs statsmodels

One dummy variable for each unit, period and treated group and period, the covariate (fixed within units) times periods,
and, less its mean in the group, times treated group and period: the formula of R's etwfe. The overall effect averages
the treated rows. Standard errors are the cluster sandwich without a factor, times sqrt(G/(G-1) (N-1)/(N-K)) with K the
coefficients that are not unit effects, as fixest counts them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.api as sm

sys.path.insert(0, str(Path(__file__).parents[1]))
import did_data


def values(data: pd.DataFrame, outcome: str, unit: str, time: str, entry: str, covariate: str) -> dict[str, float]:
    """Overall effect and standard error."""
    years = sorted(data[time].unique())
    x = data[covariate] - data.groupby(entry)[covariate].transform("mean")
    treated = [(g, t) for g in sorted(data[entry].unique()) if g > 0 for t in years if t >= g]
    cells = [((data[entry] == g) & (data[time] == t)).astype(float) for g, t in treated]
    own = [*cells, *(cell * x for cell in cells)]
    own += [(data[time] == t).astype(float) for t in years[1:]]
    own += [(data[time] == t) * data[covariate] for t in years[1:]]
    design = np.column_stack([*own, pd.get_dummies(data[unit]).to_numpy(dtype=float)])
    groups = {"groups": pd.factorize(data[unit])[0], "use_correction": False}
    fit = sm.OLS(data[outcome].to_numpy(), design).fit(cov_type="cluster", cov_kwds=groups)
    share = np.zeros(design.shape[1])
    share[: len(cells)] = [cell.sum() for cell in cells]
    share /= share.sum()
    clusters, rows = data[unit].nunique(), len(data)
    parameters = len(own) + 1  # one period is in the unit effects' span; fixest counts all periods
    factor = clusters / (clusters - 1) * (rows - 1) / (rows - parameters)
    return {"estimate": float(share @ fit.params), "se": float(np.sqrt(factor * share @ fit.cov_params() @ share))}


if __name__ == "__main__":
    found = {"panel": values(did_data.panel(), "y", "unit", "year", "entry", "z")}
    if len(sys.argv) > 1:
        found["mpdta"] = values(pd.read_csv(sys.argv[1]), "lemp", "countyreal", "year", "first.treat", "lpop")
    print(json.dumps(found, indent=1))
