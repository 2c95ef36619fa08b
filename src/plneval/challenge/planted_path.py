"""The planted path participation → practice → pupils, as ``effects.path`` of ``truth.json`` has it.

It is the estimator's own functional of what is free of noise: the same schools and wave, teachers' expected answers and
the planted effects on pupils. The naive path is held against it too, and is expected to fall short. Where a model has
covariates the planted path is still the one without them, and the comparison is as good as they are unrelated to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

PARTS: Final = ("practice", "slope", "indirect", "direct", "total")


def _planted(part: str) -> Callable[[dict[str, Any], dict[Any, Any]], Any]:
    def of_record(planted: dict[str, Any], record: dict[Any, Any]) -> Any:
        if record["subgroup"] != "all":
            return None
        return planted["effects"].get("path", {}).get(record["outcome"], {}).get(part)

    return of_record


PLANTED_PATH: Final[dict[str, Callable[[dict[str, Any], dict[Any, Any]], Any]]] = {
    **{f"path_{part}": _planted(part) for part in PARTS},
    **{f"path_{part}_naive": _planted(part) for part in ("slope", "indirect", "direct")},
}
"""Estimand → function of ``truth.json`` and a record; None where nothing is planted for that record."""
