"""Released tables of the scorecard of sustainability: networks are only counted."""

from __future__ import annotations

from typing import Final

from plneval.release.door_types import Statistics, Table

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
            "reason": "text",
            "networks_shown": "count",
            "networks_not_shown": "count",
            "networks_no_data": "count",
        },
        statistics=(Statistics(("value", "ci_low", "ci_high"), ("n_respondents",), ("n_schools", "n_networks")),),
    ),
    "sustainability_degrees": Table(
        "challenge",
        {"degree": "integer", "name": "name", "words": "text", "overall": "flag", "n_networks": "count"},
    ),
}
"""Released tables by name."""
