"""Category of a baseline difference (What Works Clearinghouse)."""

from __future__ import annotations

from enum import StrEnum

from plneval.standards.arguments import between, finite
from plneval.standards.catalogue import load


class BaselineCategory(StrEnum):
    """What a standardised baseline difference asks for."""

    SATISFIED = "satisfied"
    ADJUSTMENT = "adjustment"
    NOT_SATISFIED = "not_satisfied"


def category(difference: float) -> BaselineCategory:
    """Category of a baseline difference in standard deviations (Hedges' g or Cox index) on the analytic sample.

    Up to 0.05: satisfied; up to 0.25: satisfied only with adjustment for the covariate; above: not satisfied.

    Raises
    ------
    ValueError
        If the difference is missing: an unknown difference is never equivalence.
    """
    limits = load("baseline_equivalence")
    size = abs(finite("difference", difference))
    if size <= limits.satisfied_up_to + limits.tolerance:
        return BaselineCategory.SATISFIED
    if size <= limits.adjustment_up_to + limits.tolerance:
        return BaselineCategory.ADJUSTMENT
    return BaselineCategory.NOT_SATISFIED


def is_satisfied(difference: float, adjusted: bool) -> bool:
    """Whether equivalence holds, given whether the model adjusts for this covariate; raises as :func:`category`."""
    found = category(difference)
    return found is BaselineCategory.SATISFIED or (found is BaselineCategory.ADJUSTMENT and adjusted)


def differencing_is_adjustment(same_measure: bool, correlation: float | None) -> bool:
    """Whether difference-in-differences counts as adjustment for the pre-test.

    Parameters
    ----------
    same_measure : bool
        Pre- and post-test are the same measure.
    correlation : float or None
        Their correlation; None (unknown) never counts.

    Raises
    ------
    ValueError
        If the correlation is not between −1 and 1.
    """
    rule = load("did_adjustment")
    if correlation is None:
        return False
    enough = between("correlation", correlation, -1, 1) >= rule.minimum_correlation
    return enough and (same_measure or not rule.same_measure_required)
