"""Group-time effects without covariates a third time: by diff-diff's Callaway and Sant'Anna, cell by cell.

diff-diff estimates a whole staggered panel in one call, but then drops schools within cells without saying which.
Given one cell at a time, with its two years relabelled 1 and 2 and every school complete, there is nothing to drop.
"""

from __future__ import annotations

import math
import warnings
from importlib.metadata import version

import numpy as np
import pandas as pd

from plneval.challenge.recompute import Recomputed


def cell_by_diff_diff(rows: pd.DataFrame, term: str) -> Recomputed | None:
    """One cell from its long differences; None where diff-diff gives no number.

    Parameters
    ----------
    rows : a row for each school with columns difference, treated (0/1) and weight.
    term : the cell's name.
    """
    from diff_diff import CallawaySantAnna
    from diff_diff.survey import SurveyDesign

    n = len(rows)
    frame = pd.DataFrame(
        {
            "unit": np.tile(np.arange(n), 2),
            "period": np.repeat([1, 2], n),
            "first_treat": np.tile(np.where(rows["treated"] == 1, 2, 0), 2),
            "y": np.concatenate([np.zeros(n), rows["difference"].to_numpy(dtype=np.float64)]),
            "weight": np.tile(rows["weight"].to_numpy(dtype=np.float64), 2),
        }
    )
    weighted = bool(np.ptp(frame["weight"]) > 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = CallawaySantAnna(control_group="never_treated", estimation_method="reg").fit(
            frame,
            outcome="y",
            unit="unit",
            time="period",
            first_treat="first_treat",
            survey_design=SurveyDesign(weights="weight", weight_type="pweight") if weighted else None,
        )
    value = float(result.group_time_effects[(2, 2)]["effect"])
    if not math.isfinite(value):
        return None
    return Recomputed("att_group_time", term, value, None, f"diff-diff {version('diff-diff')}")
