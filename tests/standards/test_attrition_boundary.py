"""Attrition: the table of the WWC and the model behind it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm

from plneval import standards
from plneval.standards.attrition import assess, limit, rates

BIAS_LIMIT = 0.055


def _bias(overall: float, differential: float, alpha_treated: float, alpha_comparison: float) -> float:
    """Bias in SDs when response depends on the outcome: α_T φ(z_T)/p_T − α_C φ(z_C)/p_C, arms of equal size."""
    stay_treated = 1 - (overall + differential / 2) / 100
    stay_comparison = 1 - (overall - differential / 2) / 100
    mean_treated = alpha_treated * norm.pdf(norm.ppf(1 - stay_treated)) / stay_treated
    mean_comparison = alpha_comparison * norm.pdf(norm.ppf(1 - stay_comparison)) / stay_comparison
    return float(mean_treated - mean_comparison)


@pytest.mark.parametrize(
    ("boundary", "alphas", "tolerance"), [("cautious", (0.45, 0.39), 0.09), ("optimistic", (0.27, 0.22), 0.30)]
)
def test_the_model_of_the_wwc_reproduces_the_table_from_12_percent_on(
    boundary: str, alphas: tuple[float, float], tolerance: float
) -> None:
    values = getattr(standards.load("attrition_boundary"), boundary)
    for overall in range(12, len(values)):
        expected = brentq(lambda d, o=overall: _bias(o, d, *alphas) - BIAS_LIMIT, -5, 20)
        assert values[overall] == pytest.approx(expected, abs=tolerance), overall


def test_lengths_and_ends_of_the_table() -> None:
    table = standards.load("attrition_boundary")
    assert (len(table.cautious), len(table.optimistic)) == (58, 66)
    assert (table.cautious[0], table.cautious[10], table.cautious[57]) == (5.7, 6.3, 0.0)
    assert (table.optimistic[0], table.optimistic[10], table.optimistic[65]) == (10.0, 10.9, 0.3)


@pytest.mark.parametrize(
    ("overall", "differential", "cautious", "optimistic"),
    [
        (10, 6.3, "low", "low"),
        (10, 6.4, "high", "low"),
        (10, -6.3, "low", "low"),
        (10, 11.0, "high", "high"),
        (30, 4.1, "low", "low"),
        (57, 0.0, "low", "low"),
        (58, 0.0, "high", "low"),
        (65, 0.3, "high", "low"),
        (66, 0.0, "high", "high"),
        (100, 0.0, "high", "high"),
    ],
)
def test_table_decides(overall: float, differential: float, cautious: str, optimistic: str) -> None:
    assert assess(overall, differential).level == cautious
    assert assess(overall, differential, "optimistic").level == optimistic


def test_a_rate_on_the_limit_is_low_in_spite_of_floating_point() -> None:
    assert assess(10, 0.1 + 6.2).level == "low"  # 6.300000000000001
    assert assess(10, 6.3 + 1e-9).level == "low"
    assert assess(10, 6.3 + 1e-6).level == "high"
    assert assess(57 + 1e-9, 0).level == "low"


def test_between_whole_percents_the_boundary_runs_straight() -> None:
    assert limit(30.5) == pytest.approx((4.1 + 4.0) / 2, abs=1e-12)
    assert limit(58) is None


def test_rates_from_numbers_of_units() -> None:
    """100 assigned, 80 analysed against 300 and 270: 50 of 400 lost; 20 % against 10 %."""
    found = rates(100, 80, 300, 270)
    assert (found.overall_percent, found.differential_points) == (12.5, 10.0)


@given(st.floats(0, 100), st.floats(-50, 50))
def test_sign_does_not_matter_and_optimistic_is_never_stricter(overall: float, differential: float) -> None:
    cautious = assess(overall, differential)
    assert cautious.level == assess(overall, -differential).level
    if cautious.level == "low":
        assert assess(overall, differential, "optimistic").level == "low"


@given(st.floats(0, 100), st.floats(0, 50), st.floats(0, 50))
def test_more_differential_attrition_is_never_better(overall: float, one: float, other: float) -> None:
    small, large = sorted((one, other))
    if assess(overall, large).level == "low":
        assert assess(overall, small).level == "low"


def test_impossible_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="overall_percent must lie between 0 and 100"):
        assess(-1, 0)
    with pytest.raises(ValueError, match="differential_points must be a finite number"):
        assess(10, float("nan"))
    with pytest.raises(ValueError, match="no attrition boundary 'liberal'"):
        assess(10, 1, "liberal")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="analysed_treated must lie between 0 and 100"):
        rates(100, 101, 10, 10)
    with pytest.raises(ValueError, match="assigned_comparison must be at least 1"):
        rates(100, 90, 0, 0)
