"""Planted effects on parts of the member schools and on the gap between disadvantaged and other pupils."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

PARTS_OF_GAP: Final = {"total": "difference", "within_schools": "within_schools"}
"""Parts of the gap's change that are planted; the others follow from where effects happened to be large."""
GAP_TERMS: Final = frozenset({"treated_year_3:disadvantaged", "disadvantaged:treated_year_3"})
"""The interaction of a growth model that is the effect on the gap from the third year on."""


def _split(planted: dict[str, Any], record: dict[Any, Any]) -> Any:
    """Mean over the part's pupils; thirds of deprivation and of disadvantage are cut by the analysis, not planted."""
    if record["subgroup"] != "all":
        return None
    by, _, part = str(record["term"]).partition(":")
    return planted["effects"].get("split", {}).get(by, {}).get(record["outcome"], {}).get(part)


def _gap(planted: dict[str, Any], record: dict[Any, Any]) -> Any:
    """By how much the gap narrows, in all and within schools."""
    of_outcome = planted["effects"].get("gap", {}).get(record["outcome"], {})
    return of_outcome.get(PARTS_OF_GAP.get(str(record["term"]), ""))


PLANTED_EQUITY: Final[dict[str, Callable[[dict[str, Any], dict[Any, Any]], Any]]] = {
    "att_split": _split,
    "gap_narrowed": _gap,
}
"""Estimand → function of ``truth.json`` and a record; None where nothing is planted for that record."""


def planted_interaction(planted: dict[str, Any], record: dict[Any, Any]) -> Any:
    """The planted effect on the gap, for the coefficient of a growth model that is one; None for other coefficients."""
    if record["term"] not in GAP_TERMS:
        return None
    return planted["effects"].get("gap", {}).get(record["outcome"], {}).get("difference")
