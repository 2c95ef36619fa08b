"""Records about the gap and about parts of the member schools, made by hand; one part is withheld."""

from __future__ import annotations

from typing import Any

import pandas as pd
from released_records import _record, _records_frame

MODELS: dict[str, Any] = {
    name: {"outcome": "maths", "subgroup": subgroup, "confidence": 0.95}
    for name, subgroup in (
        ("gap_maths", "gap"),
        ("gap_parts_maths", "gap"),
        ("growth_gap_maths", "all"),
        ("split_deprivation_maths", "all"),
        ("split_type_maths", "all"),
    )
}
NARROWED = {
    "total": (0.07, 0.1, 0.03),
    "within_schools": (0.05, 0.08, 0.03),
    "where_pupils_are": (0.0, 0.0, 0.0),
    "schools_means": (0.01, 0.01, 0.0),
    "sorting": (0.01, 0.01, 0.0),
}
"""By part: difference, members, comparison schools."""


def equity_records() -> pd.DataFrame:
    def of(
        model: str, estimator: str, estimand: str, term: str, estimate: float | None, se: float | None, **more: Any
    ) -> Any:
        named = {"model": model, "label": f"Mathematics, {model}", "estimator": estimator, "role": "exploratory"}
        subgroup = MODELS[model]["subgroup"]
        return _record(**named, estimand=estimand, term=term, estimate=estimate, se=se, subgroup=subgroup, **more)

    rows = [of("gap_maths", "did.triple_difference", "att_third_year_on", "", 0.06, 0.03)]
    rows.append(of("growth_gap_maths", "multilevel", "coefficient", "treated_year_3:disadvantaged", 0.08, 0.03))
    for part, values in NARROWED.items():
        rows.append(of("gap_parts_maths", "networks.gap", "gap_narrowed", part, values[0], 0.04))
        for arm, value in zip(("member", "comparison"), values[1:], strict=True):
            rows.append(of("gap_parts_maths", "networks.gap", "gap_narrowed_in_arm", f"{arm}:{part}", value, 0.03))
    split = "networks.split"
    for band, estimate in (("low", 0.03), ("middle", 0.02), ("high", 0.14)):
        rows.append(of("split_deprivation_maths", split, "att_split", f"deprivation:{band}", estimate, 0.05))
    rows.append(of("split_deprivation_maths", split, "att_split_difference", "deprivation:high-low", 0.11, 0.07))
    test = {"ci_low": None, "ci_high": None, "df": 2.0}
    rows.append(of("split_deprivation_maths", split, "split_test", "joint", 2.3, None, p=0.4, **test))
    rows.append(of("split_type_maths", split, "att_split", "network_type:lesson study", 0.1, 0.04))
    thin = {"withheld": "fewer than 3 schools", "n_networks": 2}
    rows.append(of("split_type_maths", split, "att_split", "network_type:not shown 1", None, None, **thin))
    frame = _records_frame(rows)
    for column in ("estimate", "ci_low", "ci_high", "se"):
        frame[f"{column}_suppressed"] = frame["withheld"] != ""
    return frame
