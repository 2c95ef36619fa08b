"""Planted effects of simulated studies that models about networks estimate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from plneval.challenge.planted_equity import PLANTED_EQUITY
from plneval.challenge.planted_exposure import PLANTED_EXPOSURE
from plneval.challenge.planted_path import PLANTED_PATH
from plneval.challenge.planted_spread import PLANTED_SPREAD


def _after_leaving(planted: dict[str, Any], record: dict[Any, Any]) -> Any:
    """Mean over all pupils of schools that have left and are not back."""
    if record["subgroup"] != "all":
        return None
    return planted["effects"].get("after_leaving", {}).get(record["outcome"], {}).get("effect")


PLANTED: Final[dict[str, Callable[[dict[str, Any], dict[Any, Any]], Any]]] = {
    "att_after_leaving": _after_leaving,
    **PLANTED_EQUITY,
    **PLANTED_EXPOSURE,
    **PLANTED_PATH,
    **PLANTED_SPREAD,
}
"""Estimand → function of ``truth.json`` and a record; None where nothing is planted for that record."""
