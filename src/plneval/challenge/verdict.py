"""The verdict: which of five categories the headline falls into, and what governs it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import pandas as pd

from plneval.challenge.evidence import Evidence
from plneval.challenge.gate import Gate, Result

Category = Literal["benefit", "harm", "no_difference", "inconclusive", "not_causal"]
REFUSING: Final = (
    "baseline_equivalence",
    "follow_up",
    "comparison_coverage",
    "pre_trend",
    "clusters",
    "network_data",
    "convergence",
    "recomputation",
    "recovery",
)
"""Gates whose failure refuses a causal headline, in the order in which the verdict names them."""


@dataclass(frozen=True)
class Effect:
    """The headline's estimate with its interval, on the best scale that is known.

    ``scale`` is 'pupil_sd', 'school_sd' or 'raw'; ``low`` and ``high`` are missing (NaN) where there is no interval.
    """

    value: float
    low: float
    high: float
    scale: Literal["pupil_sd", "school_sd", "raw"]

    @property
    def has_interval(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)


def headline_effect(evidence: Evidence) -> Effect | None:
    """The headline in SDs of pupils where these are known, otherwise in the units of the modelled column."""
    record = evidence.headline
    if record is None:
        return None
    if not evidence.school_level_scale:
        return Effect(
            float(record["effect_size"]),
            _number(record["effect_size_low"]),
            _number(record["effect_size_high"]),
            "pupil_sd",
        )
    raw = evidence.cohort.outcomes[evidence.outcome].standardise == "none"
    return Effect(
        float(record["estimate"]), _number(record["ci_low"]), _number(record["ci_high"]), "raw" if raw else "school_sd"
    )


def categorise(
    effect: Effect | None, results: Sequence[tuple[str, Result]], smallest_effect: float, higher_is_better: bool
) -> Category:
    """The verdict's category.

    A failed gate of :data:`REFUSING` refuses a causal headline. Otherwise: benefit or harm when the interval excludes
    zero, no difference when it lies within the smallest effect of interest either way, and inconclusive when neither.
    An interval that excludes zero and lies within the smallest effect is a difference too small to matter.

    Parameters
    ----------
    effect : the headline; without one nothing causal can be said.
    results : name and result of every gate.
    smallest_effect : in SDs of pupils; on another scale no difference can be ruled out by it.
    """
    if effect is None or any(name in REFUSING and result == "fail" for name, result in results):
        return "not_causal"
    if not effect.has_interval:
        return "inconclusive"
    if effect.scale == "pupil_sd" and -smallest_effect <= effect.low and effect.high <= smallest_effect:
        return "no_difference"
    if effect.low > 0 or effect.high < 0:
        return "benefit" if (effect.low > 0) == higher_is_better else "harm"
    return "inconclusive"


def governed_by(gates: Sequence[Gate]) -> Literal["published", "chosen"]:
    """Whether a threshold that was chosen for the study is stricter than the published one and changed a result."""
    return "chosen" if any(gate.governed_by_choice for gate in gates) else "published"


def _number(value: Any) -> float:
    return math.nan if pd.isna(value) else float(value)
