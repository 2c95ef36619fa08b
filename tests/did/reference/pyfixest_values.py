"""Reference values of pyfixest 0.60 for the linear estimators: `python pyfixest_values.py > pyfixest_values.json`.

Needs an environment with pyfixest; the tests do not. Each case lists estimates and CR1 standard errors by term.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pyfixest as pf

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import did_data


def listed(fit: object, wanted: str) -> dict[str, list[float]]:
    """Estimate and standard error of the terms whose name contains ``wanted``."""
    table = fit.tidy()
    return {
        str(term): [float(row["Estimate"]), float(row["Std. Error"])]
        for term, row in table.iterrows()
        if wanted in str(term)
    }


def prepared(data: object) -> object:
    """With an indicator of treatment, the event time (-1 for never), and group × time (0 for reference cells)."""
    data["treated"] = ((data["entry"] > 0) & (data["year"] >= data["entry"])).astype(float)
    data["event"] = np.where(data["entry"] > 0, data["year"] - data["entry"], -1)
    last = {2013: 2012, 2015: 2013, 2017: 2016}
    reference = [
        data_entry == 0 or year == last[data_entry]
        for data_entry, year in zip(data["entry"], data["year"], strict=True)
    ]
    data["cell"] = np.where(reference, 0, data["entry"] * 10000 + data["year"])
    data["cell_after"] = np.where(data["treated"] == 1, data["entry"] * 10000 + data["year"], 0)
    return data


def main() -> None:
    """Write all cases."""
    panel, unbalanced, pupils = (
        prepared(data) for data in (did_data.panel(), did_data.unbalanced(), did_data.pupils())
    )
    found = {}
    cases = {
        "twfe": (panel, "treated", "unit + year", "unit", None),
        "twfe_covariate_weights_cluster": (panel, "treated + x", "unit + year", "network", "w_varying"),
        "twfe_unbalanced": (unbalanced, "treated", "unit + year", "unit", None),
        "twfe_rows": (pupils, "treated + x + female", "school + year", "school", "w"),
        "event_study": (panel, "i(event, ref=-1)", "unit + year", "network", None),
        "event_study_rows": (pupils, "i(event, ref=-1)", "school + year", "school", None),
        "saturated": (panel, "i(cell, ref=0)", "unit + year", "unit", "w"),
        "saturated_rows": (pupils, "i(cell, ref=0) + x", "school + year", "school", "w"),
        "treated_cells": (unbalanced, "i(cell_after, ref=0)", "unit + year", "unit", None),
    }
    for name, (data, regressors, effects, cluster, weights) in cases.items():
        fit = pf.feols(
            f"y ~ {regressors} | {effects}",
            data,
            vcov={"CRV1": cluster},
            weights=weights,
            fixef_rm="none",
            fixef_tol=1e-13,
        )
        found[name] = listed(fit, "")
    for name, data in {"did2s": panel}.items():
        fit = pf.did2s(
            data.assign(treated=data["treated"].astype(bool)),
            yname="y",
            first_stage="~ 0 | unit + year",
            second_stage="~ i(treated, ref=False)",
            treatment="treated",
            cluster="unit",
        )
        found[name] = listed(fit, "treated")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
