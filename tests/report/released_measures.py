"""Measures made by hand, as describe releases them, for the three variants."""

from __future__ import annotations

from typing import Any

import pandas as pd


def _trends(
    outcomes: tuple[str, ...], years: tuple[int, ...], groups: tuple[str, ...], gap: float, suppressed: bool = False
) -> pd.DataFrame:
    rows = []
    for outcome in outcomes:
        for group in ("comparison", "member", *groups):
            for i, year in enumerate(years):
                joined = group != "comparison"
                start = int(group) if group.isdigit() else 2016
                value = -0.02 + 0.01 * i + (gap + 0.04 * max(0, year - start) if joined else 0.0)
                rows.append(
                    {
                        "outcome": outcome,
                        "subgroup": "all",
                        "group": group,
                        "year": year,
                        "mean_z": None if suppressed and joined else round(value, 3),
                        "se": 0.03 if not joined else 0.04,
                        "n_schools": 54 if joined else 66,
                        "n_pupils": None if suppressed and joined else 5400,
                        "n_pupils_suppressed": suppressed and joined,
                        "mean_z_suppressed": suppressed and joined,
                    }
                )
    frame = pd.DataFrame(rows)
    frame["mean_z"] = frame["mean_z"].astype("float64")
    frame["n_pupils"] = frame["n_pupils"].astype("Int64")
    return frame


def _flow(member: int, comparison: int, dropped: int) -> pd.DataFrame:
    steps = [
        ("in the register", member + dropped, comparison, 0, 0, ""),
        (
            "entry observed",
            member,
            comparison,
            dropped,
            0,
            "member before the first outcome year, or entry not observed",
        ),
        ("with an outcome", member, comparison, 0, 0, "no outcome in any year"),
        ("analysed", member, comparison - 2, 0, 2, "no outcome that can be standardised"),
    ]
    rows: list[tuple[Any, ...]] = []
    for number, (stage, members, others, members_out, others_out, reason) in enumerate(steps, start=1):
        for arm, left, out in (
            ("member", members, members_out),
            ("comparison", others, others_out),
            ("all", members + others, members_out + others_out),
        ):
            rows.append((number, stage, "schools", arm, "", left, out, reason))
            rows.append((number, stage, "schools", arm, "maths", left, out, reason))
    for arm, count in (("member", 28000), ("comparison", 34000), ("all", 62000)):
        rows.append((1, "read", "scores", arm, "maths", count, 0, ""))
        rows.append((2, "with a score", "scores", arm, "maths", count - 770, 770, "score missing"))
    return pd.DataFrame(rows, columns=["step", "stage", "unit", "arm", "outcome", "remaining", "excluded", "reason"])


def _baseline(g: float, school: bool) -> pd.DataFrame:
    rows = [
        ("maths", "Mathematics before joining", g),
        ("reading", "Reading before joining", round(g * 0.8, 3)),
        ("disadvantaged", "Share of disadvantaged pupils", -0.03),
    ]
    return pd.DataFrame(
        [
            {
                "covariate": name,
                "label": label,
                "year": 2015,
                "mean_member": round(0.5 + value / 2, 3),
                "mean_comparison": round(0.5 - value / 2, 3),
                "sd": 1.0,
                "hedges_g": value,
                "standardiser": "school" if school else "pupil",
                "category": "satisfied"
                if abs(value) <= 0.05
                else "adjustment"
                if abs(value) <= 0.25
                else "not_satisfied",
                "n_pupils_member": None if school else 9820,
                "n_pupils_comparison": None if school else 12040,
                "n_schools_member": 24 if school else 54,
                "n_schools_comparison": 437 if school else 64,
                "pre_post_correlation": 0.82,
            }
            for name, label, value in rows
        ]
    )


def measures(variant: str) -> dict[str, pd.DataFrame]:
    school, small = variant == "not_causal", variant == "inconclusive"
    years = (2015, 2016, 2017, 2018) if school else (2014, 2015, 2016, 2017, 2020)
    members, comparison = (24, 437) if school else (5, 9) if small else (54, 66)
    people = None if school else 5400
    composition = pd.DataFrame(
        [
            {
                "year": year,
                "arm": arm,
                "n_schools": members if arm == "member" else comparison,
                "n_pupils": people,
                "joiners": None if school else 510,
                "leavers": None if school else 480,
                "movers": None if school else 90,
                "share_disadvantaged": None if school else 0.231,
                "mean_deprivation": 0.4,
            }
            for year in years
            for arm in ("member", "comparison")
        ]
    )
    empty_people = {
        "unit": ["pupils", "pupils"],
        "arm": ["member", "comparison"],
        "start": [4980, 6120],
        "remaining": [4410, 5390],
        "rate": [0.114, 0.119],
    }
    attrition = pd.DataFrame({**empty_people} if not school else {key: [] for key in empty_people})
    outcomes = ("maths", "attendance") if school else ("maths", "reading")
    frames = {
        "flow": _flow(members, comparison, 31 if school else 6),
        "ledger": pd.DataFrame(
            [
                {
                    "table": "schools",
                    "read": 480 if school else 120,
                    "kept": 480 if school else 120,
                    "merged": 0,
                    "rejected": 0,
                },
                {
                    "table": "outcomes",
                    "read": 1930 if school else 124460,
                    "kept": 1930 if school else 124100,
                    "merged": 0 if school else 140,
                    "rejected": 0 if school else 220,
                },
            ]
        ),
        "rejections": pd.DataFrame(
            []
            if school
            else [
                {
                    "table": "outcomes",
                    "rule": "out_of_range",
                    "count": 120,
                    "meaning": "a score lies outside the outcome's minimum and maximum",
                },
                {
                    "table": "outcomes",
                    "rule": "unknown_pupil",
                    "count": 100,
                    "meaning": "it refers to a pupil that the register does not have",
                },
            ],
            columns=["table", "rule", "count", "meaning"],
        ),
        "ingest_notes": pd.DataFrame(
            [
                {
                    "rule": "default_key",
                    "table": "",
                    "count": 1,
                    "text": "Identifiers were replaced with the default key.",
                }
            ],
        ),
        "baseline": _baseline(0.91 if school else 0.14, school),
        "composition": composition,
        "attrition": attrition,
        "missingness": pd.DataFrame(
            [
                {"outcome": o, "year": y, "arm": a, "expected": 5400, "observed": 5300, "missing_share": 0.0185}
                for o in outcomes
                for y in years
                for a in ("member", "comparison")
            ]
        ),
        "intraclass": pd.DataFrame(
            []
            if school
            else [
                {
                    "outcome": o,
                    "level": "school",
                    "intraclass_correlation": 0.142,
                    "ci_low": 0.11,
                    "ci_high": 0.18,
                    "n_pupils": 24000,
                    "n_schools": 118,
                    "method": "one-way ANOVA",
                }
                for o in outcomes
            ],
            columns=[
                "outcome",
                "level",
                "intraclass_correlation",
                "ci_low",
                "ci_high",
                "n_pupils",
                "n_schools",
                "method",
            ],
        ),
        "mdes": pd.DataFrame(
            [
                {
                    "outcome": o,
                    "design": "difference in differences, repeated cross-sections",
                    "mdes": 0.163,
                    "assumptions": "J = 118, p = 0.46, n = 90, correlation 0.142, autocorrelation 0.7",
                    "power": 0.8,
                    "alpha": 0.05,
                    "formula": "Var = [ρ(1−CAC) + (1−ρ)/n](1/A + 1/B)/(J p(1−p))",
                }
                for o in outcomes
            ]
        ),
        "membership": pd.DataFrame(
            [
                {"year": y, "members": 10 + 9 * i, "joined": 10, "left": i, "returned": 1 if i == 3 else 0}
                for i, y in enumerate(range(years[0], years[-1] + 1))
            ]
        ),
        "entry_groups": pd.DataFrame(
            [
                {
                    "entry_year": y,
                    "n_schools": members // 3,
                    "n_networks": 1 if school else 6,
                    "years_followed": 2020 - y,
                    "pooled": False,
                }
                for y in (2015, 2016, 2018)
            ]
        ),
        "trends": _trends(
            outcomes, years, () if school else ("2015", "2016", "2018"), 0.9 if school else 0.14, suppressed=small
        ),
        "clusters": pd.DataFrame(
            [
                {
                    "outcome": o,
                    "treated": 24 if school else 16,
                    "comparison": comparison,
                    "networks": 1 if school else 17,
                    "unit": "school" if school else "network",
                }
                for o in outcomes
            ]
        ),
        "networks": pd.DataFrame(
            [{"type": "Independent School Principals", "n_networks": 1, "n_schools": 24}]
            if school
            else [
                {"type": "data use team", "n_networks": 5, "n_schools": 15},
                {"type": "lesson study", "n_networks": 6, "n_schools": 20},
                {"type": "research learning network", "n_networks": 6, "n_schools": 19},
            ]
        ),
    }
    return frames
