"""Numbers as they stand in reports."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from plneval.report import formats


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (0.117, 2, "0.12"),
        (-0.117, 2, "\u22120.12"),
        (-0.004, 2, "0.00"),
        (12345.6, 0, "12,346"),
        (pd.NA, 2, "–"),
        (math.nan, 2, "–"),
        (None, 0, "–"),
        (math.inf, 2, "–"),
    ],
)
def test_a_number_has_a_proper_minus_and_a_rounded_zero_has_no_sign(value: object, digits: int, shown: str) -> None:
    assert formats.number(value, digits) == shown


def test_an_interval_is_in_words_and_stays_on_one_line() -> None:
    assert formats.interval(-0.05, 0.19) == "\u22120.05\u00a0to\u00a00.19"
    assert formats.interval(0.05, None) == "–"


def test_an_absent_count_is_a_dash() -> None:
    assert [formats.count(pd.NA), formats.count(1200)] == ["–", "1,200"]


def test_a_small_p_value_is_not_shown_as_zero() -> None:
    assert [formats.p_value(0.0), formats.p_value(0.0312), formats.p_value(pd.NA)] == ["<0.001", "0.031", "–"]


def test_months_keep_their_sign_and_the_tables_own_words() -> None:
    assert [formats.months(2), formats.months(-1), formats.months("12+"), formats.months(None)] == [
        "2",
        "\u22121",
        "12+",
        "–",
    ]


def test_words_are_listed_as_in_a_sentence() -> None:
    assert formats.listed(["a", "b", "c"]) == "a, b and c"
    assert formats.plural(1, "school") == "1 school"
    assert formats.plural(1200, "school") == "1,200 schools"
