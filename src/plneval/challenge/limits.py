"""Limits of gates for which there is no published threshold: this project's own, and named as such in reports.

Published thresholds are data in :mod:`plneval.standards` and stand nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class OwnLimits:
    """Limits that the project chose, each with its reason.

    Shares are between 0 and 1; gaps are differences of shares between the arms.
    """

    status: str = "own"
    source: str = "plneval's own convention; no published threshold is known"
    minimum_treated_clusters: int = 3
    """Fewer clusters in an arm cannot show a spread between clusters: 2 leave a single degree of freedom."""
    minimum_pre_periods: int = 2
    """One comparison before joining shows a difference, and no trend."""
    breakdown_magnitude: float = 1.0
    """Violations of parallel trends, as a multiple of the largest before joining, that a finding should survive:
    Rambachan and Roth (2023) call 1 a natural benchmark and set no threshold."""
    schools_reaching_headline: float = 0.5
    """Below this share of member schools the headline speaks of a minority of them."""
    uncertain_entry: float = 0.1
    """Share of member schools whose entry year is declared, not observed."""
    left_censored: float = 0.2
    """Share of all known member schools that had joined before observation began."""
    early_leavers: float = 0.1
    """Share of member schools that left before the end of their third year and dilute the effect."""
    composition_change_gap: float = 0.05
    """Difference between the arms in the change of the share of disadvantaged pupils."""
    turnover_gap: float = 0.05
    """Difference between the arms in the yearly share of joiners, leavers or movers."""
    missing_gap: float = 0.05
    """Difference between the arms in the share of missing outcomes."""
    recomputation_digits: float = 6.0
    """Digits in which two independent computations of one number should agree."""
    recomputation_minimum_digits: float = 3.0
    """Digits below which they are two different numbers."""
    recovery_standard_errors: float = 2.0
    """Distance of a planted effect within which an estimate counts as having found it."""
    recovery_maximum_standard_errors: float = 3.0
    """Distance beyond which chance is no explanation."""


OWN: Final = OwnLimits()
