"""A small study's declarations, measures and records, made by hand from the contract in docs/architecture.md.

As it stands every gate passes but two: treated clusters are fewer than 40, and effects below 0.12 could be missed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd

from plneval.challenge.evidence import Evidence
from plneval.challenge.sensitivity import COLUMNS
from plneval.config.cohort import Cohort
from plneval.config.models import GroupTime
from plneval.config.report import Branding, Report, Thresholds
from plneval.standards import load

TIDIER = dict.fromkeys([item.key for item in load("tidier").items], "made up")


def cohort(**changes: Any) -> Cohort:
    """Declarations of the study; ``design`` and ``study`` are merged, other keys replaced."""
    source = {"files": "x.csv", "columns": {"school_id": "S", "pupil_id": "P", "year": "Y"}}
    value: dict[str, Any] = {
        "title": "Hill Networks",
        "programme": "the Hill Networks",
        "data": {"folder": "data", "origin": "made up"},
        "study": {"first_year": 2014, "last_year": 2020, "missing_outcome_years": [2018], "level": "pupil"},
        "design": {"comparison_in_other_networks": "none", "comparison_near_members": "none"},
        "outcomes": {"maths": {"label": "Mathematics"}, "reading": {"label": "Reading"}},
        "models": ["cs_maths"],
        "sources": {name: [source] for name in ("schools", "networks", "memberships", "pupils", "outcomes")},
        "tidier": TIDIER,
    }
    for key, change in changes.items():
        value[key] = {**value[key], **change} if key in ("design", "study", "data") else change
    return Cohort.model_validate(value)


def spec(**changes: Any) -> GroupTime:
    return GroupTime(
        **{
            "kind": "did.att_gt",
            "label": "Mathematics",
            "outcome": "maths",
            "role": "confirmatory",
            "headline": True,
            **changes,
        }
    )


def record(estimand: str, **changes: Any) -> dict[str, Any]:
    """One record of the headline's model."""
    value = {
        "cohort": "hill",
        "model": "cs_maths",
        "label": "Mathematics",
        "estimator": "did.att_gt",
        "estimand": estimand,
        "role": "confirmatory",
        "headline": False,
        "outcome": "maths",
        "subgroup": "all",
        "comparison": "schools that never join",
        "sample": "schools with z in both years of a cell",
        "term": "",
        "event_time": None,
        "estimate": None,
        "se": None,
        "df": 23.0,
        "ci_low": None,
        "ci_high": None,
        "p": None,
        "effect_size": None,
        "effect_size_low": None,
        "effect_size_high": None,
        "standardiser": "pupil SD of z within arm, year and grade",
        "months": None,
        "months_low": None,
        "months_high": None,
        "months_table": "trial",
        "n_scores": 61230,
        "n_pupils": 30123,
        "n_schools": 110,
        "n_networks": 24,
        "clusters_treated": 24,
        "clusters_comparison": 60,
        "n_treated": 12481,
        "vcov": "cluster, G/(G-1), t(23)",
        "converged": True,
        "seed": 1,
        "digest_data": "a" * 64,
        "digest_spec": "b" * 64,
        "digest_code": "c" * 64,
        "warnings": "",
    }
    return {**value, **changes}


def records_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    whole = {"event_time", "months", "months_low", "months_high", "seed"}
    whole |= {"n_scores", "n_pupils", "n_schools", "n_networks", "clusters_treated", "clusters_comparison", "n_treated"}
    numbers = {"estimate", "se", "df", "ci_low", "ci_high", "p", "effect_size", "effect_size_low", "effect_size_high"}
    table = pd.DataFrame(rows)
    for column in table.columns:
        if column in whole:
            table[column] = table[column].astype("Int64")
        elif column in numbers:
            table[column] = table[column].astype("float64")
        elif column in ("headline", "converged"):
            table[column] = table[column].astype("bool")
        else:
            table[column] = table[column].astype("str")
    return table


def headline(value: float = 0.12, low: float = 0.05, high: float = 0.19, **changes: Any) -> dict[str, Any]:
    return record(
        "att_third_year_on",
        **{
            "headline": True,
            "estimate": value,
            "se": 0.03,
            "ci_low": low,
            "ci_high": high,
            "effect_size": value,
            "effect_size_low": low,
            "effect_size_high": high,
            "months": 2,
            "months_low": 1,
            "months_high": 3,
            **changes,
        },
    )


def cells(
    groups: tuple[int, ...] = (2015, 2016), years: tuple[int, ...] = (2014, 2015, 2016, 2017, 2019)
) -> list[dict[str, Any]]:
    """Group-time effects of every group in every year but its base year."""
    return [
        record(
            "att_group_time",
            term=f"g{group}:t{year}",
            event_time=year - group,
            estimate=0.03 * (year - group),
            se=0.04,
            n_treated=4000,
            n_schools=85,
        )
        for group in groups
        for year in years
        if year != group - 1
    ]


def records(*changed: dict[str, Any], pretrend: dict[str, Any] | None = None) -> pd.DataFrame:
    rows = [
        record("pretrend", term="joint", **({"estimate": 2.1, "df": 2.0, "p": 0.35} if pretrend is None else pretrend)),
        *cells((2015, 2016, 2017)),
        *(changed or (headline(),)),
    ]
    return records_table(rows)


def schools(members: int = 50, comparison: int = 60, networks: int = 24) -> pd.DataFrame:
    """Members join in 2015, 2016 and 2017 by turns and stay; two more schools had joined before the study."""
    rows = [
        {
            "school": number + 1,
            "arm": "member",
            "network": number % networks + 1,
            "entry_year": 2015 + number % 3,
            "exit_year": None,
            "entry_uncertain": 0,
            "status": "analysed",
        }
        for number in range(members)
    ]
    rows += [
        {
            "school": 1000 + number,
            "arm": "comparison",
            "network": None,
            "entry_year": None,
            "exit_year": None,
            "entry_uncertain": 0,
            "status": "analysed",
        }
        for number in range(comparison)
    ]
    rows += [{**rows[0], "school": 2000 + number, "status": "left_censored"} for number in range(2)]
    table = pd.DataFrame(rows)
    whole = dict.fromkeys(["school", "network", "entry_year", "exit_year", "entry_uncertain"], "Int64")
    return table.astype({**whole, "arm": "str", "status": "str"})


def baseline(
    maths: float = 0.04, correlation: float | None = 0.8, standardiser: str = "pupil", **others: float
) -> pd.DataFrame:
    """Baseline differences by covariate; ``correlation`` is that of maths before and after."""
    rows = [
        {
            "covariate": name,
            "label": {"maths": "Mathematics", "reading": "Reading"}.get(name, name),
            "year": 2014,
            "mean_member": difference,
            "mean_comparison": 0.0,
            "sd": 1.0,
            "hedges_g": difference,
            "standardiser": standardiser,
            "category": "",
            "n_pupils_member": 9000,
            "n_pupils_comparison": 11000,
            "n_schools_member": 50,
            "n_schools_comparison": 60,
            "pre_post_correlation": correlation if name == "maths" else None,
        }
        for name, difference in {"maths": maths, **others}.items()
    ]
    return pd.DataFrame(rows).astype({"pre_post_correlation": "float64", "hedges_g": "float64"})


def measures(**changed: pd.DataFrame) -> dict[str, pd.DataFrame]:
    arms = ("member", "comparison")
    return {
        "baseline": baseline(),
        "attrition": pd.DataFrame(
            {
                "unit": ["pupils", "pupils"],
                "arm": arms,
                "start": [1000, 2000],
                "remaining": [900, 1820],
                "rate": [0.1, 0.09],
            }
        ),
        "clusters": pd.DataFrame(
            {"outcome": ["maths"], "treated": [24], "comparison": [60], "networks": [24], "unit": ["network"]}
        ),
        "composition": pd.DataFrame(
            [
                {
                    "year": year,
                    "arm": arm,
                    "n_schools": 50,
                    "n_pupils": 5000,
                    "joiners": 250,
                    "leavers": 200,
                    "movers": 100,
                    "share_disadvantaged": 0.2 + 0.01 * (year - 2014),
                    "mean_deprivation": 0.4,
                }
                for year in (2014, 2017, 2020)
                for arm in arms
            ]
        ),
        "contamination": pd.DataFrame(
            {
                "year": [2015],
                "n_comparison": [60],
                "radius_km": [3.0],
                "n_near": [0],
                "n_been_other": pd.array([None], dtype="Int64"),
                "n_members": [52],
                "n_members_been_other": pd.array([None], dtype="Int64"),
            }
        ),
        "entry_groups": pd.DataFrame(
            {
                "entry_year": [2015, 2016, 2017],
                "n_schools": [17, 17, 16],
                "n_networks": [8, 8, 8],
                "years_followed": [6, 5, 4],
                "pooled": [False, False, False],
            }
        ),
        "mdes": pd.DataFrame(
            {
                "outcome": ["maths"],
                "design": ["difference in differences"],
                "mdes": [0.12],
                "assumptions": [""],
                "power": [0.8],
                "alpha": [0.05],
                "formula": [""],
            }
        ),
        "missingness": pd.DataFrame(
            {
                "outcome": ["maths", "maths"],
                "year": [2014, 2014],
                "arm": arms,
                "expected": [1000, 2000],
                "observed": [970, 1960],
                "missing_share": [0.03, 0.02],
            }
        ),
        "network_checks": pd.DataFrame(
            [(rule.key, 0, 200) for rule in load("network_data").rules if rule.key != "moderator_after_outcome"],
            columns=["rule", "count", "out_of"],
        ),
        "network_data": pd.DataFrame({"part": ["teachers_in_networks", "ties"], "available": [True, False]}),
        "networks": pd.DataFrame({"type": ["lesson study"], "n_networks": [24], "n_schools": [50]}),
        **changed,
    }


def recomputed(digits: float = 9.3) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "model": ["cs_maths"],
            "estimand": ["att_third_year_on"],
            "term": [""],
            "estimate": [0.12],
            "recomputed": [0.12],
            "difference": [1e-10],
            "digits": [digits],
            "se": [0.03],
            "se_recomputed": [0.03],
            "by": ["statsmodels 0.14"],
            "agrees": [True],
        }
    )


def recovered(z: float | None = None) -> pd.DataFrame:
    columns = ["model", "estimand", "term", "event_time", "estimate", "se", "truth", "z", "covered"]
    rows = (
        [] if z is None else [["cs_maths", "att_third_year_on", "", None, 0.12, 0.03, 0.12 - 0.03 * z, z, abs(z) < 2]]
    )
    return pd.DataFrame(rows, columns=columns)


def sensitivity(breakdown: float | None = 1.4, **changed: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Sensitivity of the headline, its breakdown value given; without one (None) nothing could be worked out."""
    tables = {
        name: pd.DataFrame({column: pd.Series([], dtype=dtype) for column, dtype in columns.items()})
        for name, columns in COLUMNS.items()
    }
    if breakdown is not None:
        kinds = {"relative_magnitudes": (0.0, 0.5, 1.0, 2.0), "smoothness": (0.0, 0.01, 0.02)}
        rows = [
            {
                "model": "cs_maths",
                "kind": kind,
                "m": m,
                "ci_low": 0.05 - 0.04 * m,
                "ci_high": 0.19 + 0.04 * m,
                "excludes_zero": m < breakdown,
                "breakdown": breakdown if kind == "relative_magnitudes" else 0.03,
                "estimate": 0.12,
                "se": 0.03,
                "n_schools": 110,
                "n_members": 50,
                "groups": "entry groups 2015, 2016, 2017",
            }
            for kind, bounds in kinds.items()
            for m in bounds
        ]
        tables["honest"] = pd.DataFrame(rows).astype(COLUMNS["honest"])
        power = ["cs_maths", 2, 0.02, 0.031, 0.04, 0.11, 0.12, 110, 50]
        tables["pretrend_power"] = pd.DataFrame([power], columns=list(COLUMNS["pretrend_power"]))
    return {**tables, **changed}


def evidence(**changes: Any) -> Evidence:
    """The study's evidence; fields of :class:`Evidence`, or ``thresholds``, may be changed."""
    thresholds = changes.pop("thresholds", {})
    made = Evidence(
        cohort=cohort(),
        specs={"cs_maths": spec()},
        report=Report(branding=Branding(organisation="x"), thresholds=Thresholds(**thresholds)),
        measures=measures(),
        schools=schools(),
        records=records(),
        recomputed=recomputed(),
        recovery=recovered(),
        sensitivity=sensitivity(),
        findings={"moderation_conditions": pd.DataFrame({"state": ["estimated", "estimated"]})},
    )
    return replace(made, **changes)
