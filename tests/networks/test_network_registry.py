"""The registry, members over time, re-entry, and several networks at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pandas as pd
import pytest
from network_study import four_schools, spell, study

from plneval.networks.attendance import network_hours
from plneval.networks.registry import network_years, networks_by_rule, registry, runs
from plneval.networks.structure import WaveNetwork, figure_data, wave_networks
from plneval.networks.study_tables import StudyTables


def test_members_of_each_year_follow_from_those_who_joined_left_and_returned() -> None:
    years = network_years(four_schools())
    alpha = years[years["network"] == 1].set_index("year")
    columns = ["members", "present_at_start", "joined", "left", "returned"]
    # A joins 2014, is out in 2015 and back in 2016; B's late joining counts from 2016.
    assert alpha.loc[2014, columns].tolist() == [1, 0, 1, 0, 0]
    assert alpha.loc[2015, columns].tolist() == [0, 0, 0, 1, 0]
    assert alpha.loc[2016, columns].tolist() == [2, 0, 1, 0, 1]
    assert alpha.loc[2017, columns].tolist() == [2, 0, 0, 0, 0]
    gamma = years[years["network"] == 3].set_index("year")
    assert gamma.loc[2014, columns].tolist() == [1, 1, 0, 0, 0]


def test_timeline_adds_up_for_schools_and_teachers_of_a_simulated_study(simulated) -> None:
    years = network_years(simulated.tables)
    for prefix, members in (("", "members"), ("teachers_", "teachers")):
        before = years.groupby("network")[members].shift(fill_value=0)
        change = years[f"{prefix}present_at_start"] + years[f"{prefix}joined"] + years[f"{prefix}returned"]
        assert (years[members] == before + change - years[f"{prefix}left"]).all()
    counted = simulated.truth["schools"]
    joined = int(years["joined"].sum())
    # Schools in two networks join twice; schools that were members before 2012 join neither.
    assert joined == counted["joiners"] + counted["in_two_networks"]
    assert int(years["present_at_start"].sum()) == counted["left_censored"]
    assert int(years["returned"].sum()) == counted["returners"]
    assert int(years["left"].sum()) == counted["leavers"]


def test_touching_spells_are_one_run_and_a_gap_makes_a_re_entry() -> None:
    tables = four_schools(
        memberships=[
            spell("alpha", "A", "2013-10-01", "2014-10-01"),
            spell("alpha", "A", "2014-10-01", "2015-10-01"),
            spell("alpha", "A", "2016-10-01"),
        ]
    )
    found = runs(tables, "school")
    assert found[["spell", "first_year", "last_year"]].to_numpy().tolist() == [[1, 2014, 2015], [2, 2017, 2017]]
    assert found["open"].tolist() == [False, True]


def test_registry_describes_networks_without_their_names() -> None:
    table = registry(four_schools()).set_index("network")
    assert "name" not in table
    assert table["n_schools"].tolist() == [2, 1, 1]
    assert table["n_teachers"].tolist() == [2, 1, 1]
    assert table["years_with_members"].tolist() == [3, 1, 4]
    assert table["first_year"].tolist() == [2014, 2017, 2014]
    assert table["one_school"].tolist() == [False, True, True]
    assert table["lead"].tolist() == [True, False, False]
    assert table["partner"].tolist() == [False, True, False]  # an empty text names nobody
    assert table["area"].tolist() == ["north", "north", "south"]


def test_each_rule_gives_a_school_in_two_networks_its_network() -> None:
    events = [
        {"network_id": "alpha", "event_id": "1", "teacher_id": "b1", "date": "2016-11-01", "hours": 2},
        {"network_id": "beta", "event_id": "2", "teacher_id": "b2", "date": "2016-11-02", "hours": 3},
    ]
    tables = four_schools(activity=events)

    def of_b(rule: str | None, hours: pd.DataFrame | None = None) -> dict[int, list[tuple[int, float]]]:
        rows = networks_by_rule(tables, rule, hours)  # type: ignore[arg-type]
        rows = rows[rows["school"] == 2]
        return {int(year): list(zip(own["network"], own["weight"], strict=True)) for year, own in rows.groupby("year")}

    assert of_b("first") == {2016: [(1, 1.0)], 2017: [(1, 1.0)]}
    assert of_b(None) == of_b("first")  # the design's own rule
    assert of_b("strongest_dose", network_hours(tables)) == {2016: [(1, 1.0)], 2017: [(2, 1.0)]}
    assert of_b("all") == {2016: [(1, 1.0)], 2017: [(1, 0.5), (2, 0.5)]}
    with pytest.raises(ValueError, match="needs the hours"):
        networks_by_rule(tables, "strongest_dose")


def test_other_identifiers_in_the_same_order_give_the_same_numbers() -> None:
    """The key of the pseudonyms changes every identifier and no row's place."""

    def measures(word: Callable[[str], str]) -> list[pd.DataFrame]:
        people = {"A": ("a1", "a2"), "B": ("b1",)}
        tables = study(
            schools=[{"school_id": word(school), "arm": "member", "entry_year": 2014} for school in people],
            networks=[{"network_id": word("alpha")}],
            memberships=[
                spell(word("alpha"), word(school), "2013-10-01", None, word(teacher))
                for school, teachers in people.items()
                for teacher in teachers
            ],
            ties=[{"wave": "1", "source": word("b1"), "target": word("a2"), "strength": 2}],
        )
        return [
            network_years(tables),
            runs(tables, "teacher"),
            tables.spells,
            tables.ties,
            *figure_data(*found(tables)),
        ]

    def found(tables: StudyTables) -> tuple[WaveNetwork, int]:
        return wave_networks(tables, {"1": 2015})[0], 7

    hashed = measures(lambda text: hashlib.sha256(text.encode()).hexdigest())
    for plain, other in zip(measures(str), hashed, strict=True):
        pd.testing.assert_frame_equal(plain, other)


def test_the_rule_all_shares_every_school_year_out_once(simulated) -> None:
    rows = networks_by_rule(simulated.tables, "all")
    assert rows.groupby(["school", "year"])["weight"].sum().sub(1).abs().max() < 1e-12
    assert (rows["n_networks"] == 2).sum() > 0
