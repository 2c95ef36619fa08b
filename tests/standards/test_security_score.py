"""Indicative padlocks: lowest of three criteria, always with its caveat."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plneval.standards.security import initial_score

CAVEAT = "indicative; the rating itself is awarded by two external reviewers"


@pytest.mark.parametrize(
    ("design", "mdes", "attrition", "expected"),
    [
        ("randomised", 0.20, 10, 5),
        ("randomised", 0.201, 10, 4),
        ("randomised", 0.29, 20, 4),
        ("randomised", 0.39, 0, 3),
        ("randomised", 0.49, 0, 2),
        ("randomised", 0.59, 0, 1),
        ("randomised", 0.60, 0, 0),
        ("randomised", 0.1, 30, 3),
        ("randomised", 0.1, 40, 2),
        ("randomised", 0.1, 50, 1),
        ("randomised", 0.1, 50.1, 0),
        ("difference_in_differences", 0.1, 5, 4),
        ("matching", 0.1, 5, 3),
        ("some_confounders", 0.1, 5, 2),
        ("unadjusted", 0.1, 5, 1),
        ("no_comparator", 0.1, 5, 0),
    ],
)
def test_lowest_criterion_decides(design: str, mdes: float, attrition: float, expected: int) -> None:
    found = initial_score(design, mdes, attrition)
    assert found.score == expected
    assert found.missing == ()
    assert found.statement == f"{expected} padlock{'' if expected == 1 else 's'}; {CAVEAT}"


def test_a_missing_criterion_leaves_only_an_upper_bound() -> None:
    found = initial_score("difference_in_differences", 0.25, None)
    assert (found.score, found.design, found.mdes, found.attrition) == (4, 4, 4, None)
    assert found.statement == f"at most 4 padlocks (pupil attrition not known); {CAVEAT}"
    assert initial_score("matching", None, None).missing == ("MDES", "pupil attrition")


@given(st.floats(0, 2), st.floats(0, 2), st.floats(0, 100), st.floats(0, 100))
def test_a_larger_mdes_or_more_attrition_never_scores_better(a: float, b: float, c: float, d: float) -> None:
    better = initial_score("randomised", min(a, b), min(c, d))
    worse = initial_score("randomised", max(a, b), max(c, d))
    assert worse.score <= better.score


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no design 'randomized'.*Did you mean 'randomised'"):
        initial_score("randomized", 0.2, 10)
    with pytest.raises(ValueError, match="mdes must be a finite number"):
        initial_score("randomised", float("nan"), 10)
    with pytest.raises(ValueError, match="attrition_percent must lie between 0 and 100"):
        initial_score("randomised", 0.2, -1)
