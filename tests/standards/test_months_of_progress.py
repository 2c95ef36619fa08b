"""Months of progress: the published bands, rounding half away from zero, mirrored signs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plneval.standards.months import months_of_progress

TABLES = ("trial", "toolkit")


@pytest.mark.parametrize(
    ("effect", "trial", "toolkit"),
    [
        (0.0, 0, 0),
        (0.01, 0, 0),
        (0.03, 0, 1),  # addendum to the Dialogic Teaching trial: +0.03 is 0 months
        (0.06, 1, 1),
        (0.0449, 0, 1),
        (0.045, 1, 1),
        (-0.045, -1, -1),
        (0.015, 0, 1),
        (0.0149, 0, 0),
        (0.09, 1, 1),
        (0.10, 2, 2),
        (0.18, 2, 2),
        (0.19, 3, 3),
        (0.26, 3, 3),
        (0.27, 4, 4),
        (-0.12, -2, -2),
        (0.35, 4, 4),
        (0.44, 5, 5),
        (0.52, 6, 6),
        (0.61, 7, 7),
        (0.69, 8, 8),
        (0.78, 9, 9),
        (0.87, 10, 10),
        (0.95, 11, 11),
        (0.96, 12, 12),
        (1.00, 12, 12),
    ],
)
def test_published_bands(effect: float, trial: int, toolkit: int) -> None:
    assert months_of_progress(effect).months == trial
    assert months_of_progress(effect, "toolkit").months == toolkit
    assert months_of_progress(effect, "toolkit").label == str(toolkit)


def test_halves_round_away_from_zero_whatever_the_binary_form() -> None:
    """0.185 is 0.18499999… in binary, and 0.1 + 0.085 another float; both are read as written."""
    assert months_of_progress(0.185).months == 3
    assert months_of_progress(0.1 + 0.085).months == 3
    assert months_of_progress(0.3 - 0.255).months == 1
    assert months_of_progress(-0.265).months == -4
    assert months_of_progress(np.float64(0.265)).months == 4


@pytest.mark.parametrize(("effect", "label"), [(1.0049, "12"), (1.005, "12+"), (-1.2, "-12+"), (1e300, "12+")])
def test_beyond_the_table_is_twelve_and_more(effect: float, label: str) -> None:
    found = months_of_progress(effect)
    assert (found.label, found.beyond_table) == (label, label.endswith("+"))
    assert abs(found.months) == 12


def test_no_effect_has_no_sign() -> None:
    assert months_of_progress(-0.0).label == "0"
    assert months_of_progress(-0.02).label == "0"


def test_table_used_is_told() -> None:
    assert months_of_progress(0.1).table == "months_trial"
    assert months_of_progress(0.1, "toolkit").table == "months_toolkit"


@given(st.floats(-2, 2), st.floats(-2, 2), st.sampled_from(TABLES))
def test_more_effect_is_never_fewer_months(one: float, other: float, table: str) -> None:
    low, high = sorted((one, other))
    assert months_of_progress(low, table).months <= months_of_progress(high, table).months


@given(st.floats(-5, 5), st.sampled_from(TABLES))
def test_negative_effects_mirror(effect: float, table: str) -> None:
    assert months_of_progress(-effect, table).months == -months_of_progress(effect, table).months


@given(st.floats(0, 2))
def test_trial_table_never_promises_more_than_the_toolkit(effect: float) -> None:
    assert months_of_progress(effect, "trial").months <= months_of_progress(effect, "toolkit").months


@pytest.mark.parametrize("effect", [float("nan"), float("inf")])
def test_missing_effect_has_no_months(effect: float) -> None:
    with pytest.raises(ValueError, match="effect must be a finite number"):
        months_of_progress(effect)


def test_unknown_table_is_refused() -> None:
    with pytest.raises(ValueError, match="no table of months 'eef'"):
        months_of_progress(0.1, "eef")  # type: ignore[arg-type]
