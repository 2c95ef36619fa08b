"""A complete set of released tables, made by hand from the contract in docs/architecture.md, in three variants.

``benefit``: pupils, many networks, cautions. ``not_causal``: school-level data of one network, a baseline gap.
``inconclusive``: small, much of it suppressed, whole tables empty.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from released_equity import MODELS as EQUITY_MODELS
from released_equity import equity_records
from released_exposure import exposure, with_diffusion
from released_lasting import lasting
from released_measures import measures
from released_membership import membership_tables
from released_records import DIGEST, benefit_records, inconclusive_records, not_causal_records
from released_spread import MODELS as SPREAD_MODELS
from released_spread import spread, spread_records

from plneval.artifacts import read_json, write_json, write_table
from plneval.release.door import TABLES

TIDIER = {
    "name": "Northbridge Learning Networks (made up)",
    "why": "Teachers who learn with teachers of other schools change their teaching, and pupils learn more.",
    "materials": "A handbook, video of lessons, a shared bank of tasks.",
    "procedures": "Six meetings a year; between them participants try an approach and share it with colleagues.",
    "provider": "A university and an area office.",
    "how": "In person and online, in groups of 6 to 12 teachers.",
    "where": "In member schools by turns.",
    "when_and_how_much": "Three school years, about 36 hours a year.",
    "tailoring": "Each network chooses its own focus.",
    "modifications": "Meetings were online in the two years without tests.",
    "how_well_planned": "Attendance is recorded at each meeting.",
    "how_well_actual": "Participants attended 81 % of meetings.",
}


GATES = (
    (
        "follow_up",
        "pass",
        3,
        3,
        "wwc",
        "The schools were followed into their third year and beyond: 3 entry groups with 41 schools.",
    ),
    (
        "baseline_equivalence",
        "caution",
        0.14,
        0.25,
        "wwc",
        "Before joining, members scored 0.14 standard deviations higher; the comparison of changes adjusts for it.",
    ),
    (
        "pre_trend",
        "pass",
        0.57,
        0.05,
        "convention",
        "Before joining, members and comparison schools moved alike (p = 0.57). Such a test has little power.",
    ),
    (
        "clusters",
        "caution",
        16,
        40,
        "project",
        "There are 16 member clusters, fewer than 40, so a small-sample interval is used.",
    ),
    (
        "comparison_coverage",
        "caution",
        None,
        None,
        "declared",
        "It is not known whether comparison schools take part in other networks.",
    ),
    (
        "leavers",
        "pass",
        0.08,
        0.2,
        "project",
        "8 % of the member schools left before their third year; they are counted as members.",
    ),
    (
        "recomputation",
        "pass",
        9.0,
        6.0,
        "project",
        "The headline was recomputed by other software and agrees in 9 digits.",
    ),
    ("convergence", "pass", 1, 1, "project", "The headline model converged."),
    ("recovery", "pass", 0.4, 2.0, "project", "The planted effect lies within two standard errors of the estimate."),
)


def _gates(rows: tuple[tuple[Any, ...], ...]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["gate", "result", "value", "threshold", "source", "statement"])
    frame["value"] = frame["value"].astype("float64")
    frame["threshold"] = frame["threshold"].astype("float64")
    frame.insert(4, "published", frame["source"] != "project")
    frame.insert(6, "status", "recall")
    return frame


def _models(school: bool) -> dict[str, Any]:
    shared = {"outcome": "maths", "subgroup": "all", "confidence": 0.95}
    if school:
        return {"isp_cs_maths": {**shared, "headline": True}, "isp_cs_attendance": {**shared, "outcome": "attendance"}}
    return {
        "cs_maths": {**shared, "headline": True},
        "cs_maths_not_yet": shared,
        "cs_reading": {**shared, "outcome": "reading"},
        "cs_maths_disadvantaged": {**shared, "subgroup": "disadvantaged"},
        "twfe_maths": shared,
        "diffusion_maths": shared,
        "dose_maths": shared,
        "growth_maths": {**shared, "formula": "z_fixed ~ C(year) + arm + treated_year_1"},
        **SPREAD_MODELS,
        **EQUITY_MODELS,
    }


def _study(variant: str) -> dict[str, Any]:
    school = variant == "not_causal"
    return {
        "cohort": "isp" if school else "demo",
        "title": "Independent School Principals, Chicago" if school else "Northbridge Learning Networks",
        "programme": "the Independent School Principals network" if school else "Northbridge Learning Networks",
        "headline_model": "isp_cs_maths" if school else "cs_maths",
        "models": _models(school),
        "months_table": "trial",
        "origin": "Made by hand for tests.",
        "level": "school" if school else "pupil",
        "first_year": 2015 if school else 2014,
        "last_year": 2018 if school else 2020,
        "missing_outcome_years": [] if school else [2018, 2019],
        "outcomes": {
            "maths": {
                "label": "Maths attainment percentile" if school else "Mathematics",
                "unit": "percentile" if school else "points",
                "standardise": "year_grade",
                "higher_is_better": True,
            },
            **(
                {
                    "attendance": {
                        "label": "Attendance",
                        "unit": "percent",
                        "standardise": "year_grade",
                        "higher_is_better": True,
                    }
                }
                if school
                else {
                    "reading": {
                        "label": "Reading",
                        "unit": "points",
                        "standardise": "year_grade",
                        "higher_is_better": True,
                    }
                }
            ),
        },
        "design": {
            "join_cutoff": "01-31",
            "movers": "school_at_outcome",
            "weight": "schools" if school else "pupils",
            "cluster": "network",
            "comparison_in_other_networks": "some" if school else "unknown",
            "comparison_near_members": "unknown",
            "assignment": "self_selected",
            "minimum_entry_group": 3,
        },
        "tidier": TIDIER,
        "costs": []
        if school
        else [{"item": "Facilitation", "amount": 2400.0, "currency": "GBP", "per": "school", "years": 1.0}],
        "branding": {
            "organisation": "The evaluation team",
            "contact": "Questions: the evaluation team.",
        },
        "simulated": not school,
    }


def _verdict(variant: str, records: pd.DataFrame) -> dict[str, Any]:
    flagged = records[records["headline"]]
    headline = None
    if len(flagged):
        row = flagged.iloc[0]
        headline = {
            key: (None if pd.isna(value) else getattr(value, "item", lambda value=value: value)())
            for key, value in row.items()
        }
    shared = {"headline": headline, "governed_by": "published"}
    if variant == "benefit":
        return {
            **shared,
            "category": "benefit",
            "sentence": "With reservations: pupils in schools of Northbridge Learning Networks gained more "
            "in mathematics from the third year on "
            "than they would have without it (0.12 standard deviations, interval 0.05 to 0.18; about 2 months).",
            "short": "Higher mathematics scores, with reservations",
            "reasons": [
                "The interval lies above zero.",
                "Members and comparison schools differed before joining, and this is adjusted for.",
            ],
            "cannot_conclude": [
                "Whether the gain lasts after schools leave.",
                "What another kind of network would do.",
            ],
        }
    if variant == "not_causal":
        return {
            **shared,
            "category": "not_causal",
            "sentence": "This study cannot say whether the Independent School Principals network made a "
            "difference to maths attainment: before joining, its "
            "schools stood 0.91 school-level standard deviations above the comparison schools; the limit is 0.25.",
            "short": "No causal conclusion can be drawn",
            "reasons": [
                "Members and comparison schools differed by 0.91 school-level standard deviations before joining."
            ],
            "cannot_conclude": ["Whether the network raised or lowered attainment.", "Anything about other networks."],
        }
    return {
        **shared,
        "category": "inconclusive",
        "sentence": "It is not clear whether it made a difference: no school was followed into its third year.",
        "short": "The evidence is inconclusive",
        "reasons": ["No school was followed into its third year."],
        "cannot_conclude": [],
    }


def _sensitivity(variant: str, model: str) -> dict[str, pd.DataFrame]:
    """Sensitivity of the headline; nothing could be worked out for the inconclusive variant."""
    rows: dict[str, list[list[Any]]] = {
        "honest": [
            [model, "relative_magnitudes", 0.0, 0.05, 0.18, True, 1.3, 0.117, 0.031, 110, 50, "entry groups 2015"],
            [model, "relative_magnitudes", 2.0, -0.04, 0.27, False, 1.3, 0.117, 0.031, 110, 50, "entry groups 2015"],
            [model, "smoothness", 0.0, 0.04, 0.19, True, 0.024, 0.117, 0.031, 110, 50, "entry groups 2015"],
            [model, "smoothness", 0.031, -0.02, 0.25, False, 0.024, 0.117, 0.031, 110, 50, "entry groups 2015"],
        ],
        "pretrend_power": [[model, 2, 0.02, 0.031, 0.04, 0.11, 0.117, 110, 50]],
        "leave_one_out": [[model, 1, 0.1, 0.03, 0.04, 0.16, 3], [model, 2, 0.12, 0.03, 0.06, 0.18, 4]],
        "placebo": [[model, 2, 0.011, 0.03, -0.05, 0.07, 0.713, 90, 30]],
        "bacon": [
            ["twfe", "treated_vs_never_treated", 0.9, 0.1, 0.095, 108, 2],
            ["twfe", "later_vs_earlier_treated", 0.1, 0.05, 0.095, 108, 2],
        ],
        "multiplicity": [["cs_reading", "att_third_year_on", "secondary", 0.02, 0.04, 0.03, 2]],
    }
    return {
        name: pd.DataFrame([] if variant == "inconclusive" else found, columns=list(TABLES[name].columns))
        for name, found in rows.items()
    }


def write_released(folder: Path, variant: str) -> Path:
    """Write the released tables of one variant into ``folder`` and return it.

    ``absence`` is the variant ``benefit`` with its numbers, of an outcome of which less is better: the effect is harm.
    """
    if variant == "absence":
        return _of_absence(write_released(folder, "benefit"))
    records = {"benefit": benefit_records, "not_causal": not_causal_records, "inconclusive": inconclusive_records}[
        variant
    ]()
    frames = measures(variant)
    if variant == "benefit":
        records = pd.concat([records, spread_records(), equity_records()], ignore_index=True)
    frames["records"] = records
    gates = list(GATES)
    if variant == "not_causal":
        gates[1] = (
            "baseline_equivalence",
            "fail",
            0.91,
            0.25,
            "wwc",
            "Before joining, members stood 0.91 school-level SDs above the comparison schools; the limit is 0.25.",
        )
        gates = gates[:-1]
    if variant == "inconclusive":
        gates[0] = ("follow_up", "fail", None, 3, "wwc", "No school was followed into its third year.")
        gates = gates[:-1]
    frames["gates"] = _gates(tuple(gates))
    recomputed_columns = [
        "model",
        "estimand",
        "term",
        "estimate",
        "recomputed",
        "difference",
        "digits",
        "se",
        "se_recomputed",
        "by",
        "agrees",
    ]
    frames["recomputed"] = pd.DataFrame(
        []
        if variant == "inconclusive"
        else [
            [
                records.iloc[0]["model"],
                "att_third_year_on",
                "",
                0.117,
                0.117,
                2e-10,
                9.1,
                0.031,
                0.031,
                "statsmodels 0.14.6",
                True,
            ]
        ],
        columns=recomputed_columns,
    )
    recovery_columns = ["model", "estimand", "term", "event_time", "estimate", "se", "truth", "z", "covered"]
    frames["recovery"] = pd.DataFrame(
        [
            ["cs_maths", "att_third_year_on", "", None, 0.117, 0.031, 0.11, 0.23, True],
            ["cs_maths", "att_event_time", "e0", 0, 0.021, 0.018, 0.02, 0.06, True],
        ]
        if variant == "benefit"
        else [],
        columns=recovery_columns,
    )
    frames |= _sensitivity(variant, str(records.iloc[0]["model"]))
    frames |= exposure(variant)
    if variant == "benefit":
        frames["records"] = with_diffusion(frames["records"])
    frames |= spread(variant)
    frames |= lasting(variant)
    frames["standards"] = pd.DataFrame(
        [
            {
                "name": "months_trial",
                "title": "Months of progress in trial reports",
                "version": "2018",
                "status": "recall",
                "source": "Education Endowment Foundation, trial reports",
                "used": True,
            },
            {
                "name": "baseline_equivalence",
                "title": "Baseline equivalence of the analytic sample",
                "version": "5.0",
                "status": "recall",
                "source": "What Works Clearinghouse Procedures and Standards Handbook 5.0",
                "used": True,
            },
            {
                "name": "attrition_boundary",
                "title": "Attrition boundary",
                "version": "4.1",
                "status": "verified",
                "source": "What Works Clearinghouse Standards Handbook 4.1, table II.1",
                "used": False,
            },
        ]
    )
    frames |= membership_tables(variant)
    # What nobody made rows for is there without any.
    frames |= {name: pd.DataFrame(columns=list(door.columns)) for name, door in TABLES.items() if name not in frames}
    for name, frame in frames.items():
        write_table(folder / f"{name}.parquet", frame)
    write_json(folder / "study.json", _study(variant))
    write_json(folder / "verdict.json", _verdict(variant, records))
    write_json(
        folder / "reproducibility.json",
        {
            "python": "3.11.2",
            "packages": {"pandas": "3.1.1", "diff-diff": "3.13.0"},
            "data": {"outcomes_2014.csv": DIGEST},
            "configuration": {"cohort": DIGEST, "models": DIGEST},
            "code": {"estimate": DIGEST},
            "seeds": {"project": 2018},
            "id_key": "default",
        },
    )
    write_json(
        folder / "manifest.json",
        {
            "files": {"flow.parquet": {"sha256": DIGEST, "rows": 8, "suppressed": 0}},
            "rules": {"minimum_count": 10, "round_to": 5, "minimum_schools": 3, "digits": 3},
            "suppressed": 4,
        },
    )
    return folder


def _of_absence(folder: Path) -> Path:
    study = read_json(folder / "study.json")
    study["outcomes"]["maths"] |= {"label": "Days of absence", "unit": "days", "higher_is_better": False}
    write_json(folder / "study.json", study)
    verdict = read_json(folder / "verdict.json")
    sentence = "Results in days of absence were 0.12 standard deviations higher (which is worse) than without it."
    words = {"category": "harm", "sentence": sentence, "short": "Worse results from the third year on"}
    write_json(folder / "verdict.json", {**verdict, **words})
    return folder
