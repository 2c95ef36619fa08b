"""Make triple_difference_values.json: what diff-diff 3.13 finds on did_data.py (panels whose units are of two kinds).

Run where it is installed: ``python triple_difference_values.py``. The tests only read the result.
"""

import json
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
warnings.filterwarnings("ignore")

import did_data  # noqa: E402
from diff_diff import TripleDifference  # noqa: E402

COLUMNS = {"outcome": "y", "unit": "unit", "time": "year", "first_treat": "entry", "partition": "part"}
CASES = {
    f"{comparison}_{name}": (comparison, method, covariates)
    for comparison in ("never", "not_yet")
    for name, method, covariates in (
        ("plain", "dr", None),
        ("dr", "dr", ["z"]),
        ("ipw", "ipw", ["z"]),
        ("or", "reg", ["z"]),
    )
}


def values(comparison, method, covariates):
    """Group-time effects and the overall average, with standard errors."""
    model = TripleDifference(estimation_method=method, control_group=f"{comparison}_treated", base_period="varying")
    fit = model.fit(did_data.panel_with_parts(), covariates=covariates, **COLUMNS)
    cells = [[float(g), float(t), float(e["effect"]), float(e["se"])] for (g, t), e in fit.group_time_effects.items()]
    return {"cells": sorted(cells), "overall": [float(fit.overall_att), float(fit.overall_se)]}


if __name__ == "__main__":
    made = {name: values(*case) for name, case in CASES.items()}
    (HERE / "triple_difference_values.json").write_text(json.dumps(made, indent=1) + "\n")
