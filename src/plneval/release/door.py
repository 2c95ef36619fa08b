"""The one list of what may leave: every released table, its columns, and what each column holds.

A column that is not listed does not leave, whatever a stage writes into its table.
"""

from __future__ import annotations

from typing import Final

from plneval.release.door_networks import NETWORK_TABLES
from plneval.release.door_types import Statistics, Table

RECORD_NUMBERS: Final = (
    "estimate",
    "se",
    "df",
    "ci_low",
    "ci_high",
    "p",
    "effect_size",
    "effect_size_low",
    "effect_size_high",
    "months",
    "months_low",
    "months_high",
)

TABLES: Final[dict[str, Table]] = {
    "flow": Table(
        "prepare",
        {
            "step": "integer",
            "stage": "text",
            "unit": "word",
            "arm": "word",
            "outcome": "word",
            "remaining": "people",
            "excluded": "people",
            "reason": "text",
        },
        people="by_unit",
    ),
    "ledger": Table(
        "describe",
        {"table": "word", "read": "people", "kept": "people", "merged": "people", "rejected": "people"},
        people="by_table",
    ),
    "rejections": Table(
        "describe", {"table": "word", "rule": "name", "count": "people", "meaning": "text"}, people="by_table"
    ),
    "ingest_notes": Table(
        "describe", {"rule": "name", "table": "word", "count": "people", "text": "text"}, people="by_table"
    ),
    "baseline": Table(
        "describe",
        {
            "covariate": "name",
            "label": "label",
            "year": "year",
            "mean_member": "estimate",
            "mean_comparison": "estimate",
            "sd": "estimate",
            "hedges_g": "estimate",
            "standardiser": "text",
            "category": "name",
            "n_pupils_member": "people",
            "n_pupils_comparison": "people",
            "n_schools_member": "schools",
            "n_schools_comparison": "schools",
            "pre_post_correlation": "estimate",
        },
        statistics=(
            Statistics(
                ("mean_member", "mean_comparison", "sd", "hedges_g", "pre_post_correlation"),
                ("n_pupils_member", "n_pupils_comparison"),
                ("n_schools_member", "n_schools_comparison"),
            ),
        ),
    ),
    "composition": Table(
        "describe",
        {
            "year": "year",
            "arm": "word",
            "n_schools": "schools",
            "n_pupils": "people",
            "joiners": "people",
            "leavers": "people",
            "movers": "people",
            "share_disadvantaged": "share",
            "mean_deprivation": "estimate",
        },
        statistics=(Statistics(("share_disadvantaged", "mean_deprivation"), ("n_pupils",), ("n_schools",)),),
        shares={"share_disadvantaged": "n_pupils"},
    ),
    "attrition": Table(
        "describe",
        {"unit": "word", "arm": "word", "start": "people", "remaining": "people", "rate": "share"},
        people="by_unit",
        statistics=(Statistics(("rate",), ("start", "remaining")),),
        complement=("rate", "remaining", "start"),
    ),
    "missingness": Table(
        "describe",
        {
            "outcome": "word",
            "year": "year",
            "arm": "word",
            "expected": "people",
            "observed": "people",
            "missing_share": "share",
        },
        people="pupil_level",
        statistics=(Statistics(("missing_share",), ("expected", "observed")),),
        complement=("missing_share", "observed", "expected"),
    ),
    "intraclass": Table(
        "describe",
        {
            "outcome": "word",
            "level": "name",
            "intraclass_correlation": "estimate",
            "ci_low": "estimate",
            "ci_high": "estimate",
            "n_pupils": "people",
            "n_schools": "schools",
            "method": "text",
        },
        statistics=(Statistics(("intraclass_correlation", "ci_low", "ci_high"), ("n_pupils",), ("n_schools",)),),
    ),
    "mdes": Table(
        "describe",
        {
            "outcome": "word",
            "design": "text",
            "mdes": "estimate",
            "assumptions": "text",
            "power": "estimate",
            "alpha": "estimate",
            "formula": "text",
        },
    ),
    "membership": Table(
        "describe",
        {"year": "year", "members": "schools", "joined": "schools", "left": "schools", "returned": "schools"},
    ),
    "entry_groups": Table(
        "describe",
        {
            "entry_year": "year",
            "n_schools": "schools",
            "n_networks": "schools",
            "years_followed": "count",
            "pooled": "flag",
        },
    ),
    "trends": Table(
        "describe",
        {
            "outcome": "word",
            "subgroup": "word",
            "group": "word",
            "year": "year",
            "mean_z": "estimate",
            "se": "estimate",
            "n_schools": "schools",
            "n_pupils": "people",
        },
        statistics=(Statistics(("mean_z", "se"), ("n_pupils",), ("n_schools",)),),
    ),
    "clusters": Table(
        "describe",
        {"outcome": "word", "treated": "schools", "comparison": "schools", "networks": "schools", "unit": "name"},
    ),
    "networks": Table("describe", {"type": "category", "n_networks": "schools", "n_schools": "schools"}),
    "records": Table(
        "challenge",
        {
            "cohort": "word",
            "model": "word",
            "label": "label",
            "estimator": "name",
            "estimand": "name",
            "role": "word",
            "headline": "flag",
            "outcome": "word",
            "subgroup": "word",
            "comparison": "text",
            "sample": "text",
            "term": "term",
            "event_time": "integer",
            "estimate": "estimate",
            "se": "estimate",
            "df": "estimate",
            "ci_low": "estimate",
            "ci_high": "estimate",
            "p": "estimate",
            "effect_size": "estimate",
            "effect_size_low": "estimate",
            "effect_size_high": "estimate",
            "standardiser": "text",
            "months": "integer",
            "months_low": "integer",
            "months_high": "integer",
            "months_table": "text",
            "n_scores": "people",
            "n_pupils": "people",
            "n_schools": "schools",
            "n_networks": "schools",
            "clusters_treated": "schools",
            "clusters_comparison": "schools",
            "n_treated": "people",
            "vcov": "text",
            "converged": "flag",
            "seed": "integer",
            "digest_data": "digest",
            "digest_spec": "digest",
            "digest_code": "digest",
            "warnings": "text",
        },
        statistics=(Statistics(RECORD_NUMBERS, ("n_scores", "n_pupils", "n_treated"), ("n_schools",)),),
    ),
    "gates": Table(
        "challenge",
        {
            "gate": "name",
            "result": "word",
            "value": "estimate",
            "threshold": "estimate",
            "published": "flag",
            "source": "text",
            "status": "word",
            "statement": "text",
        },
    ),
    "recomputed": Table(
        "challenge",
        {
            "model": "word",
            "estimand": "name",
            "term": "term",
            "estimate": "estimate",
            "recomputed": "estimate",
            "difference": "magnitude",
            "digits": "estimate",
            "se": "estimate",
            "se_recomputed": "estimate",
            "by": "text",
            "agrees": "flag",
        },
    ),
    "honest": Table(
        "challenge",
        {
            "model": "word",
            "kind": "name",
            "m": "estimate",
            "ci_low": "estimate",
            "ci_high": "estimate",
            "excludes_zero": "flag",
            "breakdown": "estimate",
            "estimate": "estimate",
            "se": "estimate",
            "n_schools": "schools",
            "n_members": "schools",
            "groups": "text",
        },
        statistics=(
            Statistics(
                ("m", "ci_low", "ci_high", "excludes_zero", "breakdown", "estimate", "se"),
                schools=("n_schools", "n_members"),
            ),
        ),
    ),
    "pretrend_power": Table(
        "challenge",
        {
            "model": "word",
            "event_times": "count",
            "slope_50": "estimate",
            "slope_80": "estimate",
            "joint_80": "estimate",
            "implied_80": "estimate",
            "estimate": "estimate",
            "n_schools": "schools",
            "n_members": "schools",
        },
        statistics=(
            Statistics(
                ("slope_50", "slope_80", "joint_80", "implied_80", "estimate"), schools=("n_schools", "n_members")
            ),
        ),
    ),
    "leave_one_out": Table(
        "challenge",
        {
            "model": "word",
            "position": "integer",
            "estimate": "estimate",
            "se": "estimate",
            "ci_low": "estimate",
            "ci_high": "estimate",
            "n_schools": "schools",
        },
        # Together with the headline an estimate without a network tells that network's own.
        statistics=(Statistics(("estimate", "se", "ci_low", "ci_high"), schools=("n_schools",)),),
    ),
    "placebo": Table(
        "challenge",
        {
            "model": "word",
            "years_earlier": "count",
            "estimate": "estimate",
            "se": "estimate",
            "ci_low": "estimate",
            "ci_high": "estimate",
            "p": "estimate",
            "n_schools": "schools",
            "n_members": "schools",
        },
        statistics=(Statistics(("estimate", "se", "ci_low", "ci_high", "p"), schools=("n_schools", "n_members")),),
    ),
    "bacon": Table(
        "challenge",
        {
            "model": "word",
            "kind": "name",
            "weight": "estimate",
            "estimate": "estimate",
            "coefficient": "estimate",
            "n_schools": "schools",
            "n_left_out": "schools",
        },
        statistics=(Statistics(("weight", "estimate", "coefficient"), schools=("n_schools",)),),
    ),
    "multiplicity": Table(
        "challenge",
        {
            "model": "word",
            "estimand": "name",
            "role": "word",
            "p": "estimate",
            "p_holm": "estimate",
            "p_fdr": "estimate",
            "tests": "count",
        },
    ),
    "recovery": Table(
        "challenge",
        {
            "model": "word",
            "estimand": "name",
            "term": "term",
            "event_time": "integer",
            "estimate": "estimate",
            "se": "estimate",
            "truth": "estimate",
            "z": "estimate",
            "covered": "flag",
        },
    ),
    **NETWORK_TABLES,
}
"""Released tables by name, in the order in which they are written."""

PEOPLE_TABLES: Final = frozenset({"pupils", "teachers", "teaching", "surveys", "ties"})
"""Canonical tables whose rows are always about single people."""
EITHER_TABLES: Final = frozenset({"outcomes", "memberships", "activity"})
"""Canonical tables whose rows may be about single people: they are where the cohort maps a person's column."""
PERSON_COLUMNS: Final = frozenset({"pupil_id", "teacher_id", "respondent_id"})
"""Canonical columns that stand for a person."""
NOTES_OF_FILES: Final = frozenset({"encoding_detected", "default_key"})
"""Notes of ingest whose count is one of files or settings, whatever table they are about."""
