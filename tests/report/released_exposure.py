"""Released tables about exposure, diffusion, dose and contamination, made by hand for the three variants."""

from __future__ import annotations

import pandas as pd

from plneval.release.door import TABLES

NOT_APART = "effects on pupils of participating teachers and on pupils of their colleagues cannot be told apart"
ROWS: dict[str, list[list[object]]] = {
    "exposure_by_event_time": [
        ["maths", 0, 40, 4005, 0, 0.423, 0.41],
        ["maths", 1, 40, 4000, 15, 0.437, 0.418],
        ["maths", 2, 37, 3970, 0, 0.44, 0.42],
        ["reading", 0, 40, 4010, 0, 0.438, 0.427],
    ],
    "exposure_separability": [
        ["maths", True, "linked", "Mathematics: every score in schools that joined has a teacher link."],
        ["reading", False, "not_taught", f"Reading: {NOT_APART}, because the teaching data hold no such subject."],
    ],
    "own_exposure": [
        ["maths", 0, 40, 4005, 1.002, 0.418, 0.0, 0.002],
        ["maths", 2, 37, 4590, 2.191, 0.947, 0.543, 0.001],
    ],
    "phase_changes": [["maths", "joined", "not_joined", 38, 70, 1.586, 0.771]],
    "teacher_intensity": [[0, 40, 38, 2.68, 7.22, 0.377, 0.056], [2, 37, 36, 2.7, 7.3, 0.377, 0.053]],
    "network_attendance": [[0, 40, 38, 5.06, 0.984, 2.68, 32.92, 12.118], [2, 37, 0, None, None, None, None, None]],
    "dose_by_event_time": [
        [0, "none", 3, 0.0, 0.0, 0.0],
        [0, "low", 20, 7.771, 0.0, 10.5],
        [0, "high", 16, 17.484, 14.167, None],
        [0, "unknown", 4, None, None, None],
    ],
    "contamination": [
        [2019, 61, 60, None, None, 3.0, 0, 0, "unknown", 3, 5, 40, 1, 2],
        [2020, 61, 60, 2.467, 3.576, 3.0, 25, 1, "unknown", 2, 8, 50, 1, 4],
    ],
    "mobilisation": [
        ["diffusion_maths", None, 0.41, "bounded", -0.2, 0.9, None, None, 110, 16],
        ["diffusion_maths", 2, 0.56, "outside", None, None, -1.2, 3.4, 98, 13],
        ["diffusion_maths", 3, 0.41, "unbounded", None, None, None, None, 86, 9],
    ],
    "doubtful_comparison": [
        ["cs_maths", "all", "estimated", 0.117, 0.031, 0.05, 0.18, 0.001, 61, None, 50, None, None],
        ["cs_maths", "without_near", "estimated", 0.125, 0.035, 0.05, 0.2, 0.002, 36, 25, 50, None, 25],
        ["cs_maths", "without_later", "nothing_left_out", None, None, None, None, None, 61, None, 50, None, None],
        ["cs_maths", "without_other", "estimated", 0.121, 0.031, 0.06, 0.18, 0.001, 53, 8, 50, None, 8],
        ["cs_maths", "without_other_in_either", "estimated", 0.118, 0.032, 0.05, 0.18, 0.001, 53, 8, 46, 4, 4],
    ],
}
SCHOOL_LEVEL: dict[str, list[list[object]]] = {
    "exposure_separability": [
        ["maths", False, "school_level", f"Maths attainment: {NOT_APART}, because outcomes are known of schools only."]
    ],
    "contamination": [[2018, 437, 437, 1.2, 2.9, None, None, 0, "some", None, None, 24, None, None]],
    "doubtful_comparison": [
        ["isp_cs_maths", "all", "estimated", 0.048, 0.07, -0.09, 0.19, 0.49, 437, None, 24, None, None],
        ["isp_cs_maths", "without_near", "no_distance", None, None, None, None, None, 437, None, 24, None, None],
        ["isp_cs_maths", "without_other", "no_data", None, None, None, None, None, 437, None, 24, None, None],
    ],
}


def with_diffusion(records: pd.DataFrame) -> pd.DataFrame:
    """Records with those of models of diffusion and of dose beside them; one of these has no interval."""
    like = records[records["estimand"] == "att_third_year_on"].iloc[0].to_dict()
    sizes = dict.fromkeys(("effect_size", "effect_size_low", "effect_size_high", "months", "months_low", "months_high"))
    common = {**like, **sizes, "headline": False, "role": "exploratory"}
    rows = []
    for name, start in (("direct", 0.02), ("indirect", 0.01), ("direct_less_indirect", 0.01)):
        own = {**common, "model": "diffusion_maths", "label": "Direct and indirect", "estimator": "networks.diffusion"}
        rows.append(
            {**own, "estimand": f"att_{name}", "estimate": 5 * start, "ci_low": 3 * start, "ci_high": 7 * start}
        )
        rows += [
            {
                **own,
                "estimand": f"att_{name}_event_time",
                "term": f"e{time}",
                "event_time": time,
                "estimate": start * time,
                "ci_low": None if time == 3 else start * time - 0.05,
                "ci_high": None if time == 3 else start * time + 0.05,
            }
            for time in ((0, 2, 3) if name == "direct_less_indirect" else (-2, 0, 2, 3))
        ]
    dose = {**common, "model": "dose_maths", "label": "By dose", "estimator": "networks.dose", "role": "exploratory"}
    for band, value in (("low", -0.01), ("high", 0.12)):
        rows.append({**dose, "estimand": "dose_third_year_on", "term": band, "estimate": value})
        rows.append({**dose, "estimand": "dose_event_time", "term": f"{band}:e2", "event_time": 2, "estimate": value})
    added = pd.DataFrame(rows, columns=records.columns)
    kinds = {name: kind for name, kind in records.dtypes.items() if not pd.api.types.is_object_dtype(kind)}
    return pd.concat([records, added.astype(kinds)], ignore_index=True)


def exposure(variant: str) -> dict[str, pd.DataFrame]:
    """Released tables; the small study has no data of these kinds."""
    rows = {"benefit": ROWS, "not_causal": SCHOOL_LEVEL}.get(variant, {})
    found = {}
    for name in ROWS:
        kinds = TABLES[name].columns
        frame = pd.DataFrame(rows.get(name, []), columns=list(kinds))
        for column, kind in kinds.items():
            if kind in ("people", "schools", "count", "integer", "year"):
                frame[column] = pd.array(frame[column].tolist(), dtype="Int64")
            elif kind in ("estimate", "share"):
                frame[column] = frame[column].astype("float64")
        found[name] = frame
    return found
