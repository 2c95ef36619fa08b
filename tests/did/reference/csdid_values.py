"""Make csdid_values.json: what csdid 0.4.3 (a port of R's did 2.5.1) finds on the data of did_data.py.

Run where csdid 0.4.3 is installed: ``python csdid_values.py``. The tests only read the result.
"""

import json
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
warnings.filterwarnings("ignore")

import did_data  # noqa: E402
import numpy as np  # noqa: E402
from csdid.att_gt import ATTgt  # noqa: E402

NEVER, NOT_YET = "nevertreated", "notyettreated"

# name: data, arguments of the constructor, arguments of fit
CASES = {
    "plain": ("panel", {}, {}),
    "not_yet": ("panel", {"control_group": NOT_YET}, {}),
    "dr": ("panel", {"xformla": "y ~ x + z"}, {}),
    "ipw": ("panel", {"xformla": "y ~ x + z"}, {"est_method": "ipw"}),
    "or": ("panel", {"xformla": "y ~ x + z"}, {"est_method": "reg"}),
    "dr_not_yet_universal": (
        "panel",
        {"xformla": "y ~ x + z", "control_group": NOT_YET},
        {"base_period": "universal"},
    ),
    "universal": ("panel", {}, {"base_period": "universal"}),
    "anticipation": ("panel", {"anticipation": 1}, {}),
    "anticipation_universal": ("panel", {"anticipation": 1}, {"base_period": "universal"}),
    "anticipation_not_yet": ("panel", {"anticipation": 1, "control_group": NOT_YET}, {}),
    "weights": ("panel", {"weights_name": "w"}, {}),
    "weights_dr": ("panel", {"weights_name": "w", "xformla": "y ~ x + z"}, {}),
    "weights_varying_dr": ("panel", {"weights_name": "w_varying", "xformla": "y ~ x + z"}, {}),
    "weights_base": ("panel", {"weights_name": "w_varying", "fix_weights": "base_period"}, {}),
    "weights_first": ("panel", {"weights_name": "w_varying", "fix_weights": "first_period"}, {}),
    "cluster": ("panel", {"clustervar": "network"}, {}),
    "cluster_dr": ("panel", {"clustervar": "network", "xformla": "y ~ x + z"}, {}),
    "unbalanced": ("unbalanced", {"allow_unbalanced_panel": True}, {}),
    "unbalanced_dropped": ("unbalanced", {}, {}),
    "unbalanced_dr": ("unbalanced", {"allow_unbalanced_panel": True, "xformla": "y ~ x + z"}, {}),
    "unbalanced_ipw": (
        "unbalanced",
        {"allow_unbalanced_panel": True, "xformla": "y ~ x + z", "weights_name": "w"},
        {"est_method": "ipw"},
    ),
    "unbalanced_cluster": ("unbalanced", {"allow_unbalanced_panel": True, "clustervar": "network"}, {}),
    "no_never": ("no_never", {"control_group": NOT_YET}, {}),
    "rows": ("pupils", {"panel": False, "idname": "row"}, {}),
    "rows_cluster": ("pupils", {"panel": False, "idname": "row", "clustervar": "school"}, {}),
    "rows_not_yet_weights": (
        "pupils",
        {"panel": False, "idname": "row", "clustervar": "school", "weights_name": "w", "control_group": NOT_YET},
        {},
    ),
    "rows_dr": ("pupils", {"panel": False, "idname": "row", "clustervar": "school", "xformla": "y ~ x + female"}, {}),
    "rows_ipw": (
        "pupils",
        {"panel": False, "idname": "row", "clustervar": "school", "xformla": "y ~ x + female", "weights_name": "w"},
        {"est_method": "ipw"},
    ),
    "rows_or": (
        "pupils",
        {"panel": False, "idname": "row", "clustervar": "school", "xformla": "y ~ x + female", "weights_name": "w"},
        {"est_method": "reg"},
    ),
    "rows_dr_unit": ("pupils", {"panel": False, "idname": "row", "xformla": "y ~ x + female"}, {}),
}
AGGREGATES = {
    "simple": {"typec": "simple"},
    "simple_from_2": {"typec": "simple", "min_e": 2},
    "dynamic": {"typec": "dynamic"},
    "dynamic_window": {"typec": "dynamic", "min_e": -2, "max_e": 3},
    "dynamic_balance": {"typec": "dynamic", "balance_e": 1},
    "group": {"typec": "group"},
    "group_to_1": {"typec": "group", "max_e": 1},
    "calendar": {"typec": "calendar"},
}


def clean(values):
    array = np.atleast_1d(np.asarray(values, dtype=float)).ravel()
    return [None if not np.isfinite(value) else float(value) for value in array]


def one(name):
    data, options, fitting = CASES[name]
    frame = {
        "panel": did_data.panel,
        "unbalanced": did_data.unbalanced,
        "pupils": did_data.pupils,
        "no_never": lambda: did_data.panel(never=False),
    }[data]()
    options = {"idname": "unit", "control_group": NEVER, "cband": False, **options}
    fitted = ATTgt(yname="y", tname="year", gname="entry", data=frame, **options).fit(
        **{"est_method": "dr", "base_period": "varying", "bstrap": False, **fitting}
    )
    results = fitted.did_object
    found = {
        "group": clean(results["group"]),
        "time": clean(results["t"]),
        "att": clean(results["att"]),
        "se": clean(results["se"]),
        "wald": clean(np.nan if fitted.MP["W"] is None else fitted.MP["W"])[0],
        "aggregates": {},
    }
    for kind, asked in AGGREGATES.items():
        try:
            made = fitted.aggte(**{"na_rm": True, "bstrap": False, "cband": False, **asked}).atte
        except ValueError as error:
            found["aggregates"][kind] = {"error": str(error)}
            continue
        found["aggregates"][kind] = {"estimate": clean(made["overall_att"])[0], "se": clean(made["overall_se"])[0]}
        if made["egt"] is not None:
            found["aggregates"][kind] |= {
                "keys": clean(made["egt"]),
                "estimates": clean(made["att_egt"]),
                "ses": clean(made["se_egt"]),
            }
    return found


if __name__ == "__main__":
    values = {name: one(name) for name in CASES}
    (HERE / "csdid_values.json").write_text(json.dumps(values, indent=1) + "\n")
