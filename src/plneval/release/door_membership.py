"""Released tables about who is in which network, the structure of networks, and leaving."""

from __future__ import annotations

from typing import Final

from plneval.release.door_types import FEWEST_FOR_QUARTILES, Statistics, Table

MEMBERSHIP_TABLES: Final[dict[str, Table]] = {
    "network_data": Table("describe", {"part": "name", "available": "flag", "needed_for": "text"}),
    "network_registry": Table(
        "describe",
        {
            "characteristic": "name",
            "category": "category",
            "n_networks": "schools",
            "n_schools": "schools",
            "with_lead": "schools",
            "with_partner": "schools",
            "one_school": "schools",
            "several_areas": "schools",
            "mean_schools": "estimate",
            "mean_years": "estimate",
        },
        statistics=(Statistics(("mean_schools", "mean_years"), schools=("n_networks", "n_schools")),),
    ),
    "network_overlap": Table(
        "describe",
        {
            "rule": "name",
            "n_schools": "schools",
            "n_school_years": "count",
            "n_other_network": "count",
            "n_schools_elsewhere": "schools",
            "declared": "flag",
        },
    ),
    "network_timeline": Table(
        "describe",
        {
            "type": "category",
            "year": "year",
            "n_networks": "schools",
            "members": "schools",
            "present_at_start": "schools",
            "joined": "schools",
            "left": "schools",
            "returned": "schools",
        },
    ),
    "teacher_timeline": Table(
        "describe",
        {
            "year": "year",
            "members": "people",
            "came": "people",
            "left": "people",
        },
    ),
    "network_problems": Table(
        "describe", {"rule": "name", "table": "word", "count": "people", "meaning": "text"}, people="by_table"
    ),
    "network_structure": Table(
        "describe",
        {
            "wave": "integer",
            "year": "year",
            "measure": "name",
            "n_networks": "schools",
            "n_schools": "schools",
            "n_actors": "people",
            "n_ties": "people",
            "n_isolates": "people",
            "mean": "estimate",
            "sd": "estimate",
            "quartile_1": "estimate",
            "median": "estimate",
            "quartile_3": "estimate",
        },
        # No least and no largest value: they would be a single network's, and networks are few people.
        statistics=(
            Statistics(("mean", "sd"), ("n_actors",), ("n_networks", "n_schools")),
            Statistics(
                ("quartile_1", "median", "quartile_3"),
                ("n_actors",),
                ("n_networks", "n_schools"),
                fewest=FEWEST_FOR_QUARTILES,
            ),
        ),
    ),
    "network_tie_shares": Table(
        "describe",
        {
            "wave": "integer",
            "year": "year",
            "basis": "name",
            "band": "name",
            "above": "estimate",
            "up_to": "estimate",
            "n_networks": "schools",
            "n_schools": "schools",
            "n_people": "people",
            "n_pairs": "people",
            "n_ties": "people",
            "share": "share",
            "ci_low": "estimate",
            "ci_high": "estimate",
        },
        statistics=(
            Statistics(("share", "ci_low", "ci_high"), ("n_people", "n_pairs", "n_ties"), ("n_networks", "n_schools")),
        ),
        shares={"share": "n_pairs"},
    ),
    "network_tie_contrasts": Table(
        "describe",
        {
            "basis": "name",
            "first": "name",
            "second": "name",
            "difference": "estimate",
            "ci_low": "estimate",
            "ci_high": "estimate",
            "n_networks": "schools",
            "n_schools_first": "schools",
            "n_schools_second": "schools",
            "n_pairs_first": "people",
            "n_ties_first": "people",
            "n_pairs_second": "people",
            "n_ties_second": "people",
        },
        statistics=(
            Statistics(
                ("difference", "ci_low", "ci_high"),
                ("n_pairs_first", "n_ties_first", "n_pairs_second", "n_ties_second"),
                ("n_networks", "n_schools_first", "n_schools_second"),
            ),
        ),
    ),
    "network_exit_timing": Table(
        "describe",
        {
            "event_time": "integer",
            "at_risk": "schools",
            "left": "schools",
            "hazard": "estimate",
            "still_in": "estimate",
        },
        statistics=(Statistics(("hazard", "still_in"), schools=("at_risk",)),),
    ),
    "network_exits": Table(
        "describe",
        {"what": "name", "n_schools": "schools", "mean_years": "estimate"},
        statistics=(Statistics(("mean_years",), schools=("n_schools",)),),
    ),
    "network_leavers": Table(
        "describe",
        {
            "covariate": "name",
            "mean_leavers": "estimate",
            "mean_stayers": "estimate",
            "difference": "estimate",
            "sd": "estimate",
            "hedges_g": "estimate",
            "n_leavers": "schools",
            "n_stayers": "schools",
        },
        statistics=(
            Statistics(
                ("mean_leavers", "mean_stayers", "difference", "sd", "hedges_g"), schools=("n_leavers", "n_stayers")
            ),
        ),
    ),
}
"""Tables of ``describe.network_registry``, ``network_structure``, ``network_ties`` and ``network_leaving``."""
