"""Years, numbers, dates and indicators from text."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from plneval.config.sources import YearRule
from plneval.errors import UserError
from plneval.ingest.values import parse, parse_date
from plneval.ingest.years import file_year, parse_year


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("2019", 2019),
        ("2018-19", 2019),
        ("2018/19", 2019),
        ("2018/2019", 2019),
        ("2018–19", 2019),
        ("1999-00", 2000),
        ("2018-20", None),
        ("2018/2018", None),
        ("19", None),
        ("20190", None),
        ("2019-09-01", None),
        ("year 2019", None),
        ("", None),
    ],
)
def test_a_school_year_is_named_after_the_year_it_ends_in(text: str, year: int | None) -> None:
    assert parse_year(text) == year


@pytest.mark.parametrize(
    ("rule", "name", "year"),
    [
        (YearRule(file_name=r"sy\d\d(\d\d)"), "a/school_sy1516.csv", 2016),
        (YearRule(file_name=r"sy\d\d(\d\d)", offset=-1), "school_sy1516.csv", 2015),
        (YearRule(file_name=r"_(\d{4})\."), "folder_1999/scores_2014.csv", 2014),
        (YearRule(file_name=r"(\d{2})"), "r98.csv", 1998),
        (YearRule(value=2017), "x.csv", 2017),
        (YearRule(by_file={"x.csv": 2017}, offset=1), "deep/x.csv", 2018),
        (YearRule(column="year"), "x_2015.csv", None),
    ],
)
def test_the_year_of_a_file(rule: YearRule, name: str, year: int | None) -> None:
    assert file_year(rule, name) == year


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (YearRule(file_name=r"_(\d{4})"), "finds no year of 2 or 4 digits in the file name 'scores.csv'"),
        (YearRule(file_name=r"(scores)"), "the group holds 'scores'"),
        (YearRule(by_file={"score.csv": 2016}), "no year for the file 'scores.csv'. Did you mean 'score.csv'"),
    ],
)
def test_a_file_without_a_year_is_named(rule: YearRule, message: str) -> None:
    with pytest.raises(UserError, match=message):
        file_year(rule, "scores.csv")


def read(texts: list[str | None], kind: str, **options: str) -> tuple[list[object], list[bool]]:
    values, bad = parse(pd.Series(texts, dtype="str"), kind, **options)  # type: ignore[arg-type]
    return values.astype(object).where(values.notna(), None).tolist(), bad.tolist()


def test_numbers_are_read_and_everything_else_is_marked() -> None:
    good = ["12", "-0.5", "+3", ".25", "7.", "1e3", None]
    bad = ["12a", "nan", "inf", "-Infinity", "1,5", "1 000", "0x10", "1e999", "٣", "1_000", "85%", "--1", "."]
    values, marked = read([*good, *bad], "number")
    assert values == [12.0, -0.5, 3.0, 0.25, 7.0, 1000.0, None] + [None] * len(bad)
    assert marked == [False] * len(good) + [True] * len(bad)


def test_decimal_commas_are_read_where_declared_and_points_are_then_no_decimals() -> None:
    assert read(["12,5", "12", "1.234,5", "12.5"], "number", decimal=",") == (
        [12.5, 12.0, None, None],
        [False, False, True, True],
    )


@pytest.mark.parametrize(
    ("text", "dates", "expected"),
    [
        ("2016-09-01", "iso", (2016, 9, 1)),
        ("2016-09-01 00:00:00", "iso", (2016, 9, 1)),
        ("2016-09-01T13:30", "day_first", (2016, 9, 1)),
        ("01.09.2016", "iso", (2016, 9, 1)),
        ("1.9.2016", "month_first", (2016, 9, 1)),
        ("01/09/2016", "iso", None),
        ("25/12/2016", "iso", None),
        ("01/09/2016", "day_first", (2016, 9, 1)),
        ("01-09-2016", "day_first", (2016, 9, 1)),
        ("01/09/2016", "month_first", (2016, 1, 9)),
        ("25/12/2016", "month_first", None),
        ("31.02.2019", "iso", None),
        ("2019-02-30", "iso", None),
        ("01/09/16", "day_first", None),
        ("September 2016", "iso", None),
        ("42614", "iso", None),
    ],
)
def test_dates_are_read_and_their_order_never_guessed(
    text: str, dates: str, expected: tuple[int, int, int] | None
) -> None:
    assert parse_date(text, dates) == (dt.datetime(*expected) if expected else None)


def test_a_column_of_dates_has_a_date_type_and_marks() -> None:
    values, bad = parse(pd.Series(["2016-09-01", None, "x"], dtype="str"), "date")
    assert values.dtype == np.dtype("datetime64[us]")
    assert bad.tolist() == [False, False, True]


def test_indicators_are_zero_or_one() -> None:
    values, bad = read(["1", "0", "TRUE", "false", "1.0", "2", "yes", None], "flag")
    assert values == [1.0, 0.0, 1.0, 0.0, 1.0, None, None, None]
    assert bad == [False] * 5 + [True, True, False]
