"""Released tables about exposure, diffusion, dose and contamination."""

from __future__ import annotations

from typing import Final

from plneval.release.door_types import Statistics, Table

RATIO_NUMBERS: Final = ("ratio", "ci_low", "ci_high", "excluded_from", "excluded_to")
"""Fieller's sets: withheld with the record of their ratio too."""
EXPOSURE_TABLES: Final[dict[str, Table]] = {
    "exposure_by_event_time": Table(
        "describe",
        {
            "outcome": "word",
            "event_time": "integer",
            "n_schools": "schools",
            "n_linked": "people",
            "n_unknown": "people",
            "direct_share": "share",
            "mean_share": "estimate",
        },
        statistics=(Statistics(("direct_share", "mean_share"), ("n_linked",), ("n_schools",)),),
        shares={"direct_share": "n_linked"},
    ),
    "exposure_separability": Table(
        "describe", {"outcome": "word", "separable": "flag", "reason": "name", "statement": "text"}
    ),
    "own_exposure": Table(
        "describe",
        {
            "outcome": "word",
            "event_time": "integer",
            "n_schools": "schools",
            "n_pupils": "people",
            "mean_years": "estimate",
            "mean_years_direct": "estimate",
            "share_fewer": "share",
            "share_more": "share",
        },
        statistics=(
            Statistics(("mean_years", "mean_years_direct", "share_fewer", "share_more"), ("n_pupils",), ("n_schools",)),
        ),
        shares={"share_fewer": "n_pupils", "share_more": "n_pupils"},
    ),
    "phase_changes": Table(
        "describe",
        {
            "outcome": "word",
            "origin": "name",
            "destination": "name",
            "n_schools": "schools",
            "n_pupils": "people",
            "mean_years_before": "estimate",
            "mean_direct_before": "estimate",
        },
        statistics=(Statistics(("mean_years_before", "mean_direct_before"), ("n_pupils",), ("n_schools",)),),
    ),
    "teacher_intensity": Table(
        "describe",
        {
            "event_time": "integer",
            "n_schools": "schools",
            "n_known": "schools",
            "mean_participants": "estimate",
            "mean_teachers": "estimate",
            "mean_intensity": "estimate",
            "sd_intensity": "estimate",
        },
        statistics=(
            Statistics(("mean_participants", "mean_teachers", "mean_intensity", "sd_intensity"), schools=("n_known",)),
        ),
    ),
    "network_attendance": Table(
        "describe",
        {
            "event_time": "integer",
            "n_schools": "schools",
            "n_recorded": "schools",
            "mean_events": "estimate",
            "mean_share_attended": "estimate",
            "mean_teachers": "estimate",
            "mean_hours": "estimate",
            "mean_hours_per_teacher": "estimate",
        },
        statistics=(
            Statistics(
                ("mean_events", "mean_share_attended", "mean_teachers", "mean_hours", "mean_hours_per_teacher"),
                schools=("n_recorded",),
            ),
        ),
    ),
    "dose_by_event_time": Table(
        "describe",
        {
            "event_time": "integer",
            "band": "name",
            "n_schools": "schools",
            "mean_dose": "estimate",
            "above": "estimate",
            "up_to": "estimate",
        },
        statistics=(Statistics(("mean_dose",), schools=("n_schools",)),),
    ),
    "contamination": Table(
        "describe",
        {
            "year": "year",
            "n_comparison": "schools",
            "n_located": "schools",
            "quartile_km": "estimate",
            "median_km": "estimate",
            "radius_km": "estimate",
            "n_near": "schools",
            "n_joins_after_study": "schools",
            "other_networks": "name",
            "n_other": "schools",
            "n_been_other": "schools",
            "n_members": "schools",
            "n_members_other": "schools",
            "n_members_been_other": "schools",
        },
        statistics=(Statistics(("quartile_km", "median_km"), schools=("n_located",)),),
    ),
    "mobilisation": Table(
        "challenge",
        {
            "model": "word",
            "event_time": "integer",
            "ratio": "estimate",
            "kind": "name",
            "ci_low": "estimate",
            "ci_high": "estimate",
            "excluded_from": "estimate",
            "excluded_to": "estimate",
            "n_schools": "schools",
            "clusters_treated": "schools",
        },
        statistics=(
            Statistics(
                RATIO_NUMBERS,
                schools=("n_schools", "clusters_treated"),
            ),
        ),
    ),
    "doubtful_comparison": Table(
        "challenge",
        {
            "model": "word",
            "variant": "name",
            "status": "name",
            "estimate": "estimate",
            "se": "estimate",
            "ci_low": "estimate",
            "ci_high": "estimate",
            "p": "estimate",
            "n_comparison": "schools",
            "n_left_out": "schools",
            "n_members": "schools",
            "n_members_left_out": "schools",
            "n_apart": "schools",
        },
        # Beside the headline, or another variant, an estimate without very few schools tells what these add to it.
        statistics=(
            Statistics(
                ("estimate", "se", "ci_low", "ci_high", "p"),
                schools=("n_comparison", "n_left_out", "n_members", "n_members_left_out", "n_apart"),
            ),
        ),
    ),
}
"""Released tables by name."""
