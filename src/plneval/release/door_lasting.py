"""Released tables of the scorecard of sustainability and of what networks made: networks are only counted."""

from __future__ import annotations

from typing import Final

from plneval.release.door_types import Statistics, Table

COUNTS: Final = ("networks_shown", "networks_not_shown", "networks_no_data")

LASTING_TABLES: Final[dict[str, Table]] = {
    "sustainability": Table(
        "challenge",
        {
            "part": "name",
            "criterion": "name",
            "label": "text",
            "verdict": "name",
            "unit": "name",
            "value": "estimate",
            "ci_low": "estimate",
            "ci_high": "estimate",
            "threshold": "estimate",
            "n_respondents": "people",
            "n_schools": "schools",
            "n_networks": "schools",
            "n_products": "count",
            "n_products_unknown": "count",
            "reason": "text",
            "networks_shown": "count",
            "networks_not_shown": "count",
            "networks_no_data": "count",
            "networks_behind": "schools",
            "truth": "estimate",
            "covered": "flag",
        },
        statistics=(
            Statistics(
                ("value", "ci_low", "ci_high", "truth", "covered"), ("n_respondents",), ("n_schools", "n_networks")
            ),
            # Of few networks, or networks of the same few schools, each could tell the others' results from a count.
            Statistics(COUNTS, schools=("networks_behind",)),
        ),
    ),
    "sustainability_degrees": Table(
        "challenge",
        {
            "degree": "integer",
            "name": "name",
            "words": "text",
            "overall": "flag",
            "n_networks": "count",
            "networks_behind": "schools",
        },
        statistics=(Statistics(("n_networks",), schools=("networks_behind",)),),
    ),
    "product_use": Table(
        "describe",
        {
            "by": "name",
            "time": "integer",
            "what": "name",
            "n_networks": "schools",
            "n_schools": "schools",
            "n_recorded": "count",
            "n_known": "count",
            "share": "share",
        },
        statistics=(Statistics(("share",), schools=("n_networks", "n_schools")),),
    ),
}
"""Released tables by name."""
