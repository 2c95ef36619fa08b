"""A formula is checked as a tree: nothing of it runs that is not known beforehand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plneval.config.formula import check_formula
from plneval.errors import UserError

COLUMNS = {"z", "year", "grade", "treated", "time"}


def test_columns_and_terms_of_a_formula_are_told() -> None:
    checked = check_formula("z ~ C(year)*C(grade) + treated:time + poly(time, 2)", COLUMNS)
    assert checked.response == "z"
    assert checked.columns == ("grade", "time", "treated", "year", "z")
    assert checked.terms == ("1", "C(year)", "C(grade)", "poly(time, 2)", "C(year):C(grade)", "treated:time")


@pytest.mark.parametrize(
    "formula",
    [
        "z ~ {__import__('os').system('true')}",
        "z ~ __import__('os')",
        "z ~ eval('1')",
        "z ~ C(__import__('os'))",
        "z ~ C(year, levels=open('x'))",
        "z ~ center(time.__class__)",
        "z ~ np.log(time)",
        "z ~ center((lambda: 1)())",
        "z ~ C([year for year in (1,)])",
        "{z} ~ time",
        "log(z) ~ time",
        "z ~ center(time + 1)",
        "z ~ lag(time)",
        "z ~ center(*time)",
        "z ~ center(**time)",
        "z ~ center(1)",
    ],
)
def test_whatever_is_not_a_known_transform_of_a_column_is_refused(formula: str) -> None:
    with pytest.raises(UserError):
        check_formula(formula, COLUMNS)


@pytest.mark.parametrize(
    "formula", ["", "z", "~ time", "z + year ~ time", "z ~ time | year", "z ~ (", "z ~ [time ~ year]", "z ~ ."]
)
def test_only_one_response_and_one_list_of_terms_are_taken(formula: str) -> None:
    with pytest.raises(UserError):
        check_formula(formula, COLUMNS)


def test_a_misspelt_column_is_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"'treatd', which is not there. Did you mean 'treated'"):
        check_formula("z ~ treatd", COLUMNS)


@given(st.text(max_size=40))
def test_no_text_runs_or_breaks_the_check(text: str) -> None:
    try:
        checked = check_formula(f"z ~ {text}", COLUMNS)
    except UserError:
        return
    assert set(checked.columns) <= COLUMNS
