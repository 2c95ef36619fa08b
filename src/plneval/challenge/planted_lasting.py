"""Planted values of the criteria of sustainability, on the scale on which the scorecard gives them.

Survey scores stand in points of the answer scale, averaged over the networks as the scorecard does; shares are of the
products whose state is known; effects are those of ``effects`` and ``headline``.
"""

from __future__ import annotations

from typing import Any

from plneval.config.models import ModelSpec


def planted_criterion(planted: dict[str, Any], criterion: str, headline: ModelSpec) -> Any:
    """The planted value of a criterion; None where nothing is planted.

    What is planted about pupils is told by outcome, for all pupils: a headline about a subgroup has none.
    """
    found = planted.get("sustainability", {}).get(criterion)
    if isinstance(found, dict):
        return found.get(headline.outcome) if headline.subgroup == "all" else None
    return found
