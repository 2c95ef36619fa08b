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


def test_answers_without_a_year_are_refused() -> None:
    with pytest.raises(UserError, match="no column 'year'"):
        early_conditions(TABLE.drop(columns="year"), minimum_respondents=2)


def two_waves_in_one_year(first: str, later: str, days: tuple[str, str]) -> pd.DataFrame:
    """Three networks whose three members answer twice in one school year, the second time as the first."""
    rows = [
        (network, wave, 2014, level + 0.3 * person)
        for network, level in (("a", 2.0), ("b", 3.0), ("c", 3.2))
        for wave in (first, later)
        for person in range(3)
    ]
    table = scores(*rows)
    return table.assign(date=pd.to_datetime(table["wave"].map({first: days[0], later: days[1]})))


@pytest.mark.parametrize(
    ("waves", "days"),
    [
        (("autumn", "spring"), ("2013-11-01", "2014-03-01")),
        (("z", "a"), ("2013-11-01", "2014-03-01")),  # by date before the name
        (("9", "10"), ("2014-03-01", "2014-03-01")),  # numbers in their order
    ],
)
def test_of_two_waves_in_one_school_year_the_first_alone_counts(waves: tuple[str, str], days: tuple[str, str]) -> None:
    """The same people twice are no more respondents: with both waves the reliability would be overstated."""
    both = two_waves_in_one_year(*waves, days)
    found = early_conditions(both, minimum_respondents=3)
    once = both.loc[both["wave"] == waves[0]]
    alone = agreement(once["score"], once["network_id"])
    assert found.table["wave"].unique().tolist() == [waves[0]]
    assert found.table["n_respondents"].tolist() == [3, 3, 3]
    assert found.agreement["trust"] == alone
    twice = agreement(both["score"], both["network_id"])
    assert found.table["reliability"].max() < 6 * twice.icc1 / (1 + 5 * twice.icc1) - 0.01
    assert found.notes.values.tolist() == [
        ["condition_later_wave", waves[1], "trust", 9],
        ["condition_taken", waves[0], "trust", 9],
    ]


def test_a_wave_over_two_school_years_counts_as_measured_in_the_later_one() -> None:
    table = scores(
        *[("a", "1", year, value) for year, value in ((2015, 2.0), (2015, 3.0), (2016, 4.0))],
        *[("a", "2", 2016, value) for value in (5.0, 5.0)],
        *[("b", "2", 2016, value) for value in (1.0, 2.0)],
    )
    found = early_conditions(table, minimum_respondents=2)
    columns = ["unit", "wave", "measured", "condition", "n_respondents"]
    assert found.table[columns].values.tolist() == [["a", "1", 2016, 3.0, 3], ["b", "2", 2016, 1.5, 2]]
    notes = found.notes.set_index(["rule", "wave"])["count"]
    assert notes["condition_wave_in_two_years", "1"] == 3
    assert notes["condition_later_wave", "2"] == 2


def test_a_wave_with_fewer_answers_than_the_form_asks_for_does_not_count() -> None:
    """Three people have answered in the first wave: all networks' conditions come from the second."""
    found = early_conditions(TABLE, minimum_respondents=4)
    assert found.table["wave"].tolist() == ["2", "2", "2"]
    notes = found.notes.set_index(["rule", "wave"])["count"]
    assert notes.to_dict() == {
        ("condition_network_of_few", "2"): 1,
        ("condition_taken", "2"): 7,
        ("condition_wave_of_few", "1"): 3,
    }
    nothing = early_conditions(TABLE, minimum_respondents=40)
    assert nothing.table.empty
    assert set(nothing.notes["rule"]) == {"condition_wave_of_few"}


def test_numbers_in_place_of_identifiers_give_the_same_conditions() -> None:
    numbered = TABLE.assign(network=TABLE["network_id"].map({"a": 3, "b": 1, "c": 2, "d": 4})).drop(
        columns="network_id"
    )
    found = early_conditions(numbered, "network", minimum_respondents=2).table
    assert found["unit"].tolist() == [1, 2, 3]
    assert found["condition"].tolist() == [4.5, 1.25, 2.5]
