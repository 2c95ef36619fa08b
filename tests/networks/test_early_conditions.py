"""Which wave a network's condition is taken from, and how reliable its mean is."""

from __future__ import annotations

import pandas as pd
import pytest

from plneval.errors import UserError
from plneval.networks.agreement import agreement
from plneval.networks.conditions import early_conditions


def scores(*rows: tuple[str, str, int, float | None]) -> pd.DataFrame:
    """Rows of (network, wave, year, score) on one scale."""
    table = pd.DataFrame(rows, columns=["network_id", "wave", "year", "score"])
    return table.assign(scale="trust", school_id="s", respondent_id=[f"r{n}" for n in range(len(rows))])


TABLE = scores(
    *[("a", "1", 2014, value) for value in (2.0, 3.0)],
    *[("a", "2", 2016, value) for value in (5.0, 5.0)],
    ("b", "1", 2014, 1.0),
    *[("b", "2", 2016, value) for value in (4.0, 4.5, 5.0)],
    *[("c", "2", 2016, value) for value in (1.0, 1.5)],
    ("c", "2", 2016, None),
    ("d", "2", 2016, 3.0),
)


def test_the_first_wave_with_enough_answers_is_taken() -> None:
    found = early_conditions(TABLE, minimum_respondents=2).table
    assert found[["unit", "wave", "measured", "condition", "n_respondents"]].values.tolist() == [
        ["a", "1", 2014, 2.5, 2],
        ["b", "2", 2016, 4.5, 3],  # one answer in the first wave is too few
        ["c", "2", 2016, 1.25, 2],
    ]


def test_reliability_is_that_of_the_answers_used() -> None:
    found = early_conditions(TABLE, minimum_respondents=2)
    used = agreement(pd.Series([2.0, 3.0, 4.0, 4.5, 5.0, 1.0, 1.5]), pd.Series(list("aabbbcc")))
    assert found.agreement["trust"].icc2 == pytest.approx(used.icc2)
    rho = used.icc1
    assert found.table["reliability"].tolist() == pytest.approx(
        [2 * rho / (1 + rho), 3 * rho / (1 + 2 * rho), 2 * rho / (1 + rho)]
    )


def test_waves_without_a_year_or_in_two_years_are_refused() -> None:
    with pytest.raises(UserError, match="no column 'year'"):
        early_conditions(TABLE.drop(columns="year", minimum_respondents=2))
    with pytest.raises(UserError, match="wave '2' lie in more than one school year"):
        early_conditions(TABLE.assign(year=[2014, 2014, 2016, 2016, 2014, 2016, 2016, 2017, 2016, 2016, 2016, 2016], minimum_respondents=2))


def test_numbers_in_place_of_identifiers_give_the_same_conditions() -> None:
    numbered = TABLE.assign(network=TABLE["network_id"].map({"a": 3, "b": 1, "c": 2, "d": 4})).drop(
        columns="network_id"
    )
    found = early_conditions(numbered, "network", minimum_respondents=2).table
    assert found["unit"].tolist() == [1, 2, 3]
    assert found["condition"].tolist() == [4.5, 1.25, 2.5]
