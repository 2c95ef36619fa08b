"""Planted spread between networks and slopes on conditions, on the scale of what is estimated.

What is estimated is the effect from the third year on for all pupils of the schools that joined; ``truth.json`` has it
for each network (``third_year_on``). It is smaller than the planted effect on directly taught pupils, of which
``effects.spread`` and ``effects.condition`` speak: only a part of the pupils is taught directly, and the others gain
less. The slope on one condition takes the others, which go with it, as they come; ``effects.condition`` holds them
fixed. A facet has no slope of its own: networks' effects go with it as far as it goes with the conditions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def planted_mean(planted: dict[str, Any], record: dict[Any, Any]) -> float | None:
    """Mean of the networks' true effects, each network counting once."""
    effects = _effects(planted, record)[0]
    return float(effects.mean()) if len(effects) else None


def planted_sd(planted: dict[str, Any], record: dict[Any, Any]) -> float | None:
    """Standard deviation of the networks' true effects."""
    effects = _effects(planted, record)[0]
    return float(effects.std(ddof=1)) if len(effects) > 1 else None


def planted_share_below_zero(planted: dict[str, Any], record: dict[Any, Any]) -> float | None:
    """Share below zero in a normal population with the true effects' mean and standard deviation."""
    from scipy.special import ndtr

    effects = _effects(planted, record)[0]
    if len(effects) < 2 or np.ptp(effects) == 0:
        return None
    return float(ndtr(-effects.mean() / effects.std(ddof=1)))


def planted_slope(planted: dict[str, Any], record: dict[Any, Any]) -> float | None:
    """Slope of the networks' true effects on one true condition or facet, for one of its standard deviations."""
    effects, conditions = _effects(planted, record)
    latent = [own.get(record["term"]) for own in conditions]
    if len(effects) < 3 or None in latent:
        return None
    values = np.array(latent, dtype=np.float64)
    if np.ptp(values) == 0:
        return None
    return float(np.cov(effects, values)[0, 1] / values.std(ddof=1))


def _effects(planted: dict[str, Any], record: dict[Any, Any]) -> tuple[Floats, list[dict[str, float]]]:
    """True effects of the networks that have one for the record's outcome, and their true conditions and facets.

    A facet that bears the name of a condition is that condition.
    """
    if record["subgroup"] != "all":
        return np.array([]), []
    found = [
        (one["third_year_on"][record["outcome"]], {**one.get("facets", {}), **one["conditions"]})
        for one in planted.get("networks", {}).values()
        if one.get("third_year_on", {}).get(record["outcome"]) is not None
    ]
    return np.array([effect for effect, _ in found], dtype=np.float64), [conditions for _, conditions in found]


PLANTED_SPREAD: Final[dict[str, Callable[[dict[str, Any], dict[Any, Any]], Any]]] = {
    "network_effect_mean": planted_mean,
    "between_network_sd": planted_sd,
    "networks_below_zero": planted_share_below_zero,
    "moderation_slope": planted_slope,
    "moderation_slope_naive": planted_slope,
}
"""Estimand → function of ``truth.json`` and a record."""
