"""Baseline equivalence: the limits 0.05 and 0.25, both included, and what counts as adjustment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plneval.standards.baseline import BaselineCategory, category, differencing_is_adjustment, is_satisfied


@pytest.mark.parametrize(
    ("difference", "expected"),
    [
        (0.0, "satisfied"),
        (0.05, "satisfied"),
        (0.3 - 0.25, "satisfied"),  # 0.04999999999999999
        (0.15 - 0.1, "satisfied"),
        (0.0501, "adjustment"),
        (0.25, "adjustment"),
        (-0.25, "adjustment"),
        (0.35 - 0.1 + 1e-12, "adjustment"),
        (0.2501, "not_satisfied"),
        (0.9, "not_satisfied"),  # the gap of the Chicago network, in school-level SDs
        (-0.9, "not_satisfied"),
    ],
)
def test_published_limits(difference: float, expected: str) -> None:
    assert category(difference) == expected


def test_the_middle_category_needs_adjustment() -> None:
    assert is_satisfied(0.04, adjusted=False)
    assert not is_satisfied(0.10, adjusted=False)
    assert is_satisfied(0.10, adjusted=True)
    assert not is_satisfied(0.30, adjusted=True)


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_sign_does_not_matter_and_larger_is_never_better(one: float, other: float) -> None:
    order = list(BaselineCategory)
    assert category(one) == category(-one)
    small, large = sorted((abs(one), abs(other)))
    assert order.index(category(small)) <= order.index(category(large))


@pytest.mark.parametrize(
    ("same", "correlation", "expected"),
    [(True, 0.6, True), (True, 0.59, False), (False, 0.9, False), (True, None, False), (True, -0.8, False)],
)
def test_differencing_adjusts_only_for_the_same_measure_that_correlates(
    same: bool, correlation: float | None, expected: bool
) -> None:
    assert differencing_is_adjustment(same, correlation) is expected


def test_unknown_difference_is_never_equivalence() -> None:
    with pytest.raises(ValueError, match="difference must be a finite number"):
        category(float("nan"))
    with pytest.raises(ValueError, match="correlation must"):
        differencing_is_adjustment(True, float("nan"))
    with pytest.raises(ValueError, match="correlation must lie between -1 and 1"):
        differencing_is_adjustment(True, 60)
