"""Make switchers_values.json: what py_did_multiplegt_dyn 0.1.9 (the authors' port of R's) finds on did_data.py.

Run where it is installed (with polars below 1.35): ``python switchers_values.py``. The tests only read the result.
"""

import json
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
warnings.filterwarnings("ignore")

import did_data  # noqa: E402
import polars as pl  # noqa: E402
from did_multiplegt_dyn import DidMultiplegtDyn  # noqa: E402

CASES = {
    "plain": ("switching", {}),
    "joiners": ("switching", {"switchers": "in"}),
    "leavers": ("switching", {"switchers": "out"}),
    "normalized": ("switching", {"normalized": True}),
    "normalized_leavers": ("switching", {"normalized": True, "switchers": "out"}),
    "weights": ("switching", {"weight": "w"}),
    "cluster": ("switching", {"cluster": "network"}),
    "cluster_weights_joiners": ("switching", {"cluster": "network", "weight": "w", "switchers": "in"}),
    "controls": ("switching", {"controls": ["x"]}),
    "controls_weights": ("switching", {"controls": ["x"], "weight": "w"}),
    "gaps": ("switching_with_gaps", {}),
    "gaps_cluster": ("switching_with_gaps", {"cluster": "network", "weight": "w"}),
    "levels": ("switching", {"treatment": "level"}),
    "levels_normalized": ("switching", {"treatment": "level", "normalized": True}),
    "pupils": ("switching_pupils", {}),
    "pupils_weights": ("switching_pupils", {"weight": "w"}),
}


def values(name):
    """Estimates and standard errors, from the placebos to the effects, and the average total effect."""
    data, options = CASES[name]
    frame = pl.from_pandas(getattr(did_data, data)())
    given = {"outcome": "y", "group": "unit", "time": "year", "treatment": "d", "effects": 3, "placebo": 2, **options}
    model = DidMultiplegtDyn(df=frame, **given)
    model.fit()
    found = model.result["did_multiplegt_dyn"]
    table = {"effect": [], "estimate": [], "se": [], "n": []}
    for kind, sign in (("Placebos", -1), ("Effects", 1)):
        rows = found[kind]
        for k in range(len(rows))[::sign]:
            row = rows.iloc[k]
            table["effect"].append(sign * (k + 1))
            table["estimate"].append(float(row["Estimate"]))
            table["se"].append(float(row["SE"]))
            table["n"].append(float(row["Switchers"]))
    average = found["ATE"].iloc[0]
    table["average"] = [float(average["Estimate"]), float(average["SE"])]
    table["p_placebo"] = float(found["p_jointplacebo"])
    return table


if __name__ == "__main__":
    made = {}
    for name in CASES:
        try:
            made[name] = values(name)
        except Exception as error:
            print(name, repr(error)[:300])
    (HERE / "switchers_values.json").write_text(json.dumps(made, indent=1) + "\n")
