"""Planted effects on pupils of participants and of their colleagues: what models of diffusion estimate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final


def _means(planted: dict[str, Any], record: dict[Any, Any]) -> tuple[float, float] | None:
    """Direct and indirect effect in schools that are members: of an event time, or from the third year on.

    The planted difference and ratio are those of these means; the estimates within schools weigh school-years by how
    much they say.
    """
    if record["subgroup"] != "all":
        return None
    effects = planted["effects"]
    if str(record["estimand"]).endswith("_event_time"):
        found = effects.get("event_time", {}).get(record["outcome"], {}).get(str(record["event_time"]))
    else:
        found = effects.get("exposure", {}).get(record["outcome"])
    if not found or found.get("direct") is None or found.get("indirect") is None:
        return None
    return float(found["direct"]), float(found["indirect"])


def _planted(value: Callable[[float, float], float | None]) -> Callable[[dict[str, Any], dict[Any, Any]], Any]:
    def of_record(planted: dict[str, Any], record: dict[Any, Any]) -> float | None:
        means = _means(planted, record)
        return None if means is None else value(*means)

    return of_record


_VALUES: Final[dict[str, Callable[[float, float], float | None]]] = {
    "att_direct": lambda direct, _: direct,
    "att_indirect": lambda _, indirect: indirect,
    "att_direct_less_indirect": lambda direct, indirect: direct - indirect,
    "within_school": lambda direct, indirect: direct - indirect,
    "mobilisation_ratio": lambda direct, indirect: indirect / direct if direct else None,
}
PLANTED_EXPOSURE: Final = {
    f"{name}{ending}": _planted(value) for name, value in _VALUES.items() for ending in ("", "_event_time")
}
"""Estimand → planted value."""
