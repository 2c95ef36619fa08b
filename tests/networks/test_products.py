"""What networks made: states at the last time of asking, shares over time, and data that cannot be right."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
from network_study import four_schools, spell

from plneval.describe.network_registry import network_data
from plneval.describe.product_use import product_use
from plneval.networks.problems import data_problems
from plneval.networks.products import network_starts, product_states, standing_behind


def product(network: str, name: str, year: int, used: int | None, improved: int | None = None) -> dict[str, Any]:
    return {"network_id": network, "product_id": name, "year": year, "used": used, "improved": improved}


INVENTORY = [
    product("alpha", "1", 2014, 1, 1),
    product("alpha", "1", 2016, 1, 0),
    product("alpha", "1", 2017, None, 1),
    product("alpha", "2", 2015, 1),
    product("alpha", "2", 2017, 0, 1),
    # Beta gave out the same number, and recorded its product in the year before its first member joined.
    product("beta", "1", 2016, 1, 1),
]


def tables(**changes: Any) -> Any:
    return four_schools(products=INVENTORY, **changes)


def of(found: Any) -> Any:
    return SimpleNamespace(tables=found, pupil_level=True)


def test_the_last_time_of_asking_counts_even_where_nobody_could_tell() -> None:
    found = product_states(tables()).set_index(["network", "product_id"])
    assert found[["first", "last", "n_checks"]].to_numpy().tolist() == [
        [2014, 2017, 3],
        [2015, 2017, 2],
        [2016, 2016, 1],
    ]
    assert pd.isna(found.loc[(1, "1"), "used"])
    assert found["used"].tolist()[1:] == [0, 1]
    assert found["improved"].tolist() == [1, 1, 1]


def test_shares_are_of_known_products_by_year_and_by_years_since_recorded() -> None:
    found = product_use(of(tables()))
    used = found[found["what"] == "used"].set_index(["by", "time"])
    by_year = used.loc["year"]
    assert by_year["share"].tolist() == [1.0, 1.0, 1.0, 0.0]
    assert by_year["n_known"].tolist() == [1, 1, 2, 1]
    assert by_year["n_recorded"].tolist() == [1, 2, 3, 3]
    assert by_year["n_networks"].tolist() == [1, 1, 2, 1]
    # Schools A and B were in alpha, B in beta.
    assert by_year["n_schools"].tolist() == [2, 2, 2, 2]
    by_age = used.loc["years_since_recorded"]
    assert by_age.index.tolist() == [0, 2, 3]
    # In 2017, the last year of the inventory, two products are two years old or older, one is three.
    assert by_age["n_recorded"].tolist() == [3, 2, 1]
    assert by_age["n_known"].tolist() == [3, 2, 0]
    assert by_age["share"].tolist()[:2] == [1.0, 0.5]
    assert pd.isna(by_age["share"].iloc[2])


def test_without_an_inventory_there_is_no_row_and_the_data_say_so() -> None:
    assert product_use(of(four_schools())).empty
    available = network_data(of(four_schools())).set_index("part")["available"]
    assert not available["products"]
    assert network_data(of(tables())).set_index("part").loc["products", "available"]


def test_networks_begin_as_registered_or_with_their_first_member() -> None:
    # Alpha by the register; beta with B in 2017; gamma with C in 2013.
    assert network_starts(tables()).to_dict() == {1: 2013, 2: 2017, 3: 2013}
    unknown = {**spell("gamma", "D", "2014-10-01"), "entry_unknown": True}
    began = network_starts(tables(memberships=[spell("gamma", "C", "2016-10-01"), unknown]))
    assert began.isna().to_dict() == {1: False, 2: True, 3: True}


def test_products_that_cannot_be_right_are_counted_by_rule() -> None:
    found = data_problems(tables()).set_index("rule")
    expected = {
        "product_before_network": 1,
        "product_checked_once": 1,
        "product_of_unknown_use": 1,
        "product_improved_but_unused": 1,
    }
    assert {rule: int(found.loc[rule, "count"]) for rule in expected} == expected
    assert set(found.loc[list(expected), "table"]) == {"products"}
    assert not data_problems(four_schools())["rule"].str.startswith("product").any()


def test_the_only_network_is_not_counted_and_stands_on_its_schools() -> None:
    assert standing_behind(tables(), [1, 2]) == (2, 2)
    alone = tables(memberships=[spell("alpha", "A", "2013-10-01"), spell("alpha", "B", "2015-03-01")])
    assert standing_behind(alone, [1]) == (None, 2)


def test_products_of_a_simulated_study_are_those_of_its_truth(simulated) -> None:
    told = simulated.truth["sustainability"]
    found = product_states(simulated.tables)
    assert len(found) == told["products"]["recorded"]
    for what in ("used", "improved"):
        known = found[what].dropna()
        assert known.mean() == told[f"products_{what}"]
        assert len(found) - len(known) == told["products"][f"{what}_not_known"]
