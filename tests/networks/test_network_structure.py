"""Structure of ties against values of R's sna and cluster, and figures without names."""

from __future__ import annotations

import json
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from network_study import four_schools, spell

from plneval.networks.similarity import gower_distances
from plneval.networks.structure import (
    ROLES,
    brokerage,
    centralisation,
    figure_data,
    graph_measures,
    structure,
    wave_networks,
    wave_years,
)

REFERENCE = json.loads((Path(__file__).parent / "reference" / "structure_values.json").read_text(encoding="utf-8"))
EDGES = (
    (1, 2), (2, 1), (1, 3), (3, 4), (4, 3), (2, 4), (4, 5), (5, 6), (6, 4), (6, 7), (7, 8), (8, 6), (3, 1), (5, 1),
    (2, 5), (8, 2),
)  # fmt: skip
SCHOOL = dict(zip(range(1, 10), (1, 1, 1, 2, 2, 2, 3, 3, 3), strict=True))


def example() -> nx.DiGraph:
    """The graph of ``reference/structure_values.R``."""
    graph = nx.DiGraph()
    for person, school in SCHOOL.items():
        graph.add_node(person, school=school)
    graph.add_edges_from(EDGES, strength=2.0)
    return graph


def test_gower_distances_are_those_of_daisy() -> None:
    """R cluster 2.1.4: two factors and two numbers with missing values, and a constant; to 12 digits."""
    schools = pd.DataFrame(
        {
            "phase": ["primary", "primary", "junior", "infant", None, "junior"],
            "urban": ["yes", "no", "no", "yes", "yes", None],
            "enrolment": [210, 180, 420, np.nan, 305, 90],
            "deprivation": [12.5, 30.1, 22.4, 18.0, np.nan, 41.9],
            "constant": [1] * 6,
        }
    )
    assert gower_distances(schools) == pytest.approx(np.array(REFERENCE["gower"]), abs=1e-12)


def test_gower_distance_of_schools_that_share_no_covariate_is_unknown() -> None:
    found = gower_distances(pd.DataFrame({"a": [1.0, np.nan], "b": [None, "x"], "c": [np.nan, np.nan]}))
    assert np.isnan(found[0, 1])
    assert found[0, 0] == 0


def test_measures_of_a_graph_are_those_of_sna() -> None:
    """R sna 2.7.1: density, edgewise reciprocity, Freeman centralisation of degree and betweenness; to 12 digits."""
    found = graph_measures(example())
    for name in (
        "density",
        "reciprocity",
        "indegree_centralisation",
        "outdegree_centralisation",
        "betweenness_centralisation",
    ):
        assert found[name] == pytest.approx(REFERENCE[name], abs=1e-12), name
    assert found["n_isolates"] == 1
    across = [SCHOOL[a] != SCHOOL[b] for a, b in EDGES]
    assert found["share_across_schools"] == pytest.approx(sum(across) / 16, abs=1e-12)


def test_brokerage_roles_are_those_of_gould_and_fernandez_in_sna() -> None:
    ties = nx.to_numpy_array(example()) > 0
    assert REFERENCE["brokerage_columns"] == ["w_I", "w_O", "b_IO", "b_OI", "b_O", "t"]
    found = brokerage(ties, list(SCHOOL.values()))
    assert found.to_numpy().tolist() == [row[:5] for row in REFERENCE["brokerage"]]
    assert found.sum(axis=1).tolist() == [row[5] for row in REFERENCE["brokerage"]]


def test_a_star_is_fully_centralised_and_a_ring_not_at_all() -> None:
    star, ring = nx.DiGraph([(k, 0) for k in range(1, 6)]), nx.DiGraph([(k, (k + 1) % 6) for k in range(6)])
    for graph, expected in ((star, 1.0), (ring, 0.0)):
        nx.set_node_attributes(graph, 1, "school")
        assert graph_measures(graph)["indegree_centralisation"] == pytest.approx(expected, abs=1e-12)
    both_ways = nx.DiGraph([*star.edges, *((b, a) for a, b in star.edges)])
    nx.set_node_attributes(both_ways, 1, "school")
    assert graph_measures(both_ways)["betweenness_centralisation"] == pytest.approx(1, abs=1e-12)
    assert np.isnan(centralisation([1, 0], 1))


def ties(*pairs: tuple[str, str], wave: str = "1") -> list[dict]:
    return [{"wave": wave, "source": a, "target": b, "strength": 3} for a, b in pairs]


def answer(wave: str, date: str, respondent: str = "r") -> dict:
    return {"respondent_id": respondent, "instrument": "x", "wave": wave, "item": "i", "date": date, "response": 1}


def test_only_ties_among_participants_of_one_network_count() -> None:
    tables = four_schools(
        memberships=[
            spell("alpha", "A", "2013-10-01", None, "a1"),
            spell("alpha", "A", "2013-10-01", None, "a2"),
            spell("alpha", "B", "2013-10-01", None, "b1"),
            spell("beta", "C", "2013-10-01", None, "c1"),
        ],
        ties=ties(("a1", "b1"), ("b1", "a1"), ("a1", "a1"), ("a1", "c1"), ("a1", "nobody"), ("d1", "a1")),
        surveys=[answer("1", "2015-03-01")],
    )
    (found,) = structure(tables).to_dict("records")
    assert (found["network"], found["year"], found["actors_from"]) == (1, 2015, "membership")
    assert (found["n_actors"], found["n_ties"], found["n_isolates"], found["n_schools"]) == (3, 2, 1, 2)
    assert found["density"] == pytest.approx(2 / 6, abs=1e-12)
    assert (found["reciprocity"], found["share_across_schools"]) == (1, 1)


def test_a_wave_without_a_date_counts_those_who_have_ties() -> None:
    given = {
        "memberships": [spell("alpha", "A", "2013-10-01", None, name) for name in ("a1", "a2", "b1")],
        "ties": ties(("a1", "b1"), wave="7"),
    }
    (found,) = wave_networks(four_schools(**given))
    assert (found.year, found.actors_from, len(found.graph)) == (None, "ties", 2)
    (found,) = wave_networks(four_schools(**given), {"7": 2016})
    assert (found.year, found.actors_from, len(found.graph)) == (2016, "membership", 3)


def test_the_year_of_a_wave_is_that_of_most_answers() -> None:
    dates = ["2015-03-01", "2015-03-02", "2015-10-01"]
    answers = [answer("1", date, str(place)) for place, date in enumerate(dates)]
    assert wave_years(four_schools(ties=ties(("a1", "b1")), surveys=answers)) == {"1": 2015}


def test_every_tie_of_the_simulated_study_is_in_a_network(simulated) -> None:
    table = structure(simulated.tables)
    assert table["n_ties"].sum() == len(simulated.tables.ties)
    assert table["density"].between(0, 1).all()
    assert table["mean_similarity"].dropna().between(0, 1).all()
    assert table["mean_distance_km"].dropna().between(0.1, 100).all()
    assert set(table["wave"]) == {"1", "2", "3"}
    assert (table[list(ROLES)].sum(axis=1) > 0).any()


def test_figures_number_people_and_schools_at_random_and_alike_every_time(simulated) -> None:
    found = max(wave_networks(simulated.tables), key=lambda own: len(own.graph))
    nodes, edges = figure_data(found, seed=1)
    again = figure_data(found, seed=1)
    assert nodes.equals(again[0])
    assert edges.equals(again[1])
    assert nodes["node"].tolist() == list(range(1, len(found.graph) + 1))
    assert nodes[["x", "y"]].abs().max().max() <= 1
    assert len(edges) == found.graph.number_of_edges()
    # The same graph: as many ties arrive at as many people, and as many stay within a group.
    assert sorted(edges["target"].value_counts()) == sorted(d for _, d in found.graph.in_degree() if d)
    group = nodes.set_index("node")["group"]
    school = dict(found.graph.nodes(data="school"))
    assert (group[edges["source"]].to_numpy() == group[edges["target"]].to_numpy()).sum() == sum(
        school[a] == school[b] for a, b in found.graph.edges
    )
    orders = {tuple(figure_data(found, seed)[0]["group"]) for seed in range(5)}
    assert len(orders) > 1  # the numbers are not those of a register
