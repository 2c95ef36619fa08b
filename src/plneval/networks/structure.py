"""Structure of networks from ties between people, by wave: density, reciprocity, centralisation, brokerage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.networks.registry import teacher_network_years
from plneval.networks.similarity import mean_of_pairs, school_distances
from plneval.networks.study_tables import StudyTables

if TYPE_CHECKING:
    import networkx as nx

ROLES = ("coordinator", "itinerant", "representative", "gatekeeper", "liaison")
"""Brokerage by Gould and Fernandez (1989). The broker b of a → b → c, where a has no tie to c: all three of one school;
a and c of one, b of another; a and b of one, c of another; b and c of one, a of another; three schools."""
STRUCTURE = {
    "network": "Int64",
    "wave": "str",
    "year": "Int64",
    "actors_from": "str",
    "n_actors": "Int64",
    "n_schools": "Int64",
    "n_ties": "Int64",
    "n_isolates": "Int64",
    "density": "float64",
    "reciprocity": "float64",
    "indegree_centralisation": "float64",
    "outdegree_centralisation": "float64",
    "betweenness_centralisation": "float64",
    "share_across_schools": "float64",
    **dict.fromkeys(ROLES, "Int64"),
    "share_brokered_across": "float64",
    "mean_strength": "float64",
    "mean_distance_km": "float64",
    "mean_similarity": "float64",
}


@dataclass(frozen=True)
class WaveNetwork:
    """One network in one wave: a directed graph of teachers' numbers, each with its ``school``."""

    network: int
    wave: str
    year: int | None
    actors_from: str
    """'membership' (all participants of the wave's year) or 'ties' (the year is unknown: whoever has a tie)."""
    graph: nx.DiGraph[int]


def wave_years(tables: StudyTables, declared: Mapping[str, int] | None = None) -> dict[str, int]:
    """Study year of each wave of ties.

    # ASSUME: ties carry no date, so a wave of ties was gathered in the year in which most answers of the survey wave of
    the same name were given; ``declared`` years go before that. Waves without either are not in the result.
    """
    dated = tables.surveys.dropna(subset=["date"])
    years = tables.calendar.year_of(dated["date"])
    found = {str(wave): int(own.mode().min()) for wave, own in years.groupby(dated["wave"])}
    waves = {str(wave) for wave in tables.ties["wave"].unique()}
    known = {**found, **(declared or {})}
    return {wave: known[wave] for wave in sorted(waves & set(known))}


def wave_networks(tables: StudyTables, declared: Mapping[str, int] | None = None) -> list[WaveNetwork]:
    """The directed graph of every network and wave with at least two actors, in their order.

    Actors are the named participants of the network in the wave's year; a tie counts in every network that both of its
    ends take part in. Ties to people who stand in no register, ties of a person with itself and ties between networks
    are in no graph. Where a wave's year is not known, actors are those with a tie among the network's participants of
    any year.
    """
    years = wave_years(tables, declared)
    members = teacher_network_years(tables)
    graphs = []
    for wave in sorted({str(word) for word in tables.ties["wave"].unique()}):
        year = years.get(wave)
        ties = tables.ties.loc[(tables.ties["wave"] == wave) & (tables.ties["source"] != tables.ties["target"])]
        inside = members if year is None else members.loc[members["year"] == year]
        for network, own in inside.groupby("network"):
            school = own.drop_duplicates("teacher").set_index("teacher")["school"]
            within = ties.loc[ties["source"].isin(school.index) & ties["target"].isin(school.index)]
            if year is None:
                school = school.loc[school.index.isin(pd.concat([within["source"], within["target"]]))]
            if len(school) >= 2:
                source = "ties" if year is None else "membership"
                graphs.append(WaveNetwork(int(str(network)), wave, year, source, _graph(school.sort_index(), within)))
    return sorted(graphs, key=lambda found: (found.network, found.wave))


def _graph(school: pd.Series, ties: pd.DataFrame) -> nx.DiGraph[int]:
    import networkx as nx

    graph: nx.DiGraph[int] = nx.DiGraph()
    for teacher, own in school.items():
        graph.add_node(int(str(teacher)), school=int(own))
    ordered = ties.sort_values(["source", "target"])
    for source, target, strength in ordered[["source", "target", "strength"]].itertuples(index=False):
        graph.add_edge(int(source), int(target), strength=float(strength))
    return graph


def structure(tables: StudyTables, declared: Mapping[str, int] | None = None) -> pd.DataFrame:
    """Measures of every network and wave; columns ``STRUCTURE``, sorted by network and wave. Exploratory.

    ``density`` is ties / possible ties, ``reciprocity`` the share of ties that are returned, centralisation Freeman's
    (:func:`centralisation`), ``share_across_schools`` the share of ties between teachers of different schools,
    ``share_brokered_across`` the share of brokered pairs in which not all three are of one school. Distance and
    similarity (1 - Gower distance) are means over pairs of the network's schools in the wave's year. A measure that is
    not defined (centralisation of two people, reciprocity without ties) is missing.
    """
    rows = []
    between: dict[int, tuple[pd.DataFrame, pd.DataFrame]] = {}
    for found in wave_networks(tables, declared):
        graph = found.graph
        schools = sorted({int(school) for _, school in graph.nodes(data="school")})
        row: dict[str, Any] = {"network": found.network, "wave": found.wave, "year": found.year}
        row |= {"actors_from": found.actors_from, "n_schools": len(schools), **graph_measures(graph)}
        if found.year is not None:
            if found.year not in between:
                between[found.year] = school_distances(tables, found.year)
            gower, km = between[found.year]
            row |= {
                "mean_distance_km": mean_of_pairs(km, schools),
                "mean_similarity": 1 - mean_of_pairs(gower, schools),
            }
        rows.append(row)
    return pd.DataFrame(rows, columns=list(STRUCTURE)).astype(STRUCTURE)


def graph_measures(graph: nx.DiGraph[int]) -> dict[str, Any]:
    """Measures of one directed graph whose nodes have a ``school``; names as in ``STRUCTURE``."""
    import networkx as nx

    ties = list(graph.edges(data="strength", default=np.nan))
    school = dict(graph.nodes(data="school"))
    across = [school[source] != school[target] for source, target, _ in ties]
    roles = brokerage(nx.to_numpy_array(graph, weight=None) > 0, list(school.values()))
    counts = roles.sum()
    strengths = [strength for *_, strength in ties if not np.isnan(strength)]
    indegree, outdegree = ([degree for _, degree in view] for view in (graph.in_degree(), graph.out_degree()))
    n = len(school)
    between = list(nx.betweenness_centrality(graph, normalized=False).values())
    return {
        "n_actors": n,
        "n_ties": len(ties),
        "n_isolates": nx.number_of_isolates(graph),
        "density": nx.density(graph) if n > 1 else np.nan,
        "reciprocity": nx.overall_reciprocity(graph) if ties else np.nan,
        "indegree_centralisation": centralisation(indegree, (n - 1) ** 2),
        "outdegree_centralisation": centralisation(outdegree, (n - 1) ** 2),
        "betweenness_centralisation": centralisation(between, (n - 1) ** 2 * (n - 2)),
        "share_across_schools": float(np.mean(across)) if ties else np.nan,
        **{role: int(counts[role]) for role in ROLES},
        "share_brokered_across": 1 - counts["coordinator"] / counts.sum() if counts.sum() else np.nan,
        "mean_strength": float(np.mean(strengths)) if strengths else np.nan,
    }


def centralisation(scores: Sequence[float], largest: float) -> float:
    r"""Freeman's (1979) centralisation :math:`\sum_i (\max_j c_j - c_i)` over the largest sum a graph of n can have.

    ``largest`` is (n − 1)² for in- or outdegree of directed graphs without loops (a star), and (n − 1)²(n − 2) for
    betweenness of directed graphs. NaN for fewer than three people.
    """
    if len(scores) < 3:
        return float("nan")
    values = np.asarray(scores, dtype=float)
    return float((values.max() - values).sum() / largest)


def brokerage(ties: NDArray[np.bool_], school: Sequence[int]) -> pd.DataFrame:
    """Number of pairs (a, c) that each person b brokers (a → b → c without a → c), by the roles of ``ROLES``.

    Parameters
    ----------
    ties
        (n, n): whether row has a tie to column; the diagonal is not looked at.
    school
        (n,) the group of each person.
    """
    group = np.asarray(school)
    n = len(group)
    ties = ties & ~np.eye(n, dtype=bool)
    rows = []
    for broker in range(n):
        pairs = ties[:, broker][:, None] & ties[broker][None, :] & ~ties & ~np.eye(n, dtype=bool)
        source, target = np.nonzero(pairs)
        own_source, own_target = group[source] == group[broker], group[target] == group[broker]
        same = group[source] == group[target]
        rows.append(
            (
                int((own_source & own_target).sum()),
                int((~own_source & ~own_target & same).sum()),
                int((own_source & ~own_target).sum()),
                int((~own_source & own_target).sum()),
                int((~own_source & ~own_target & ~same).sum()),
            )
        )
    return pd.DataFrame(rows, columns=list(ROLES))


def figure_data(found: WaveNetwork, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Points and lines of a drawing without names: people and schools are numbered at random by the seed.

    Returns
    -------
    nodes : node (1 … n), group (1 … number of schools), x, y (−1 to 1, spring layout, two decimals).
    edges : source, target (numbers of nodes), strength; sorted.
    """
    import networkx as nx

    rng = np.random.default_rng([seed, found.network, *found.wave.encode()])
    people = sorted(found.graph)
    number = dict(zip(people, (rng.permutation(len(people)) + 1).tolist(), strict=True))
    schools = sorted({school for _, school in found.graph.nodes(data="school")})
    group = dict(zip(schools, (rng.permutation(len(schools)) + 1).tolist(), strict=True))
    # Laid out under the new numbers, so that the drawing does not depend on the old ones.
    drawn: nx.Graph[int] = nx.Graph()
    drawn.add_nodes_from(range(1, len(people) + 1))
    drawn.add_edges_from(sorted((number[a], number[b]) for a, b in found.graph.edges))
    place = nx.spring_layout(drawn, seed=seed)
    nodes = pd.DataFrame(
        [(number[p], group[found.graph.nodes[p]["school"]], *np.round(place[number[p]], 2)) for p in people],
        columns=["node", "group", "x", "y"],
    ).sort_values("node", ignore_index=True)
    edges = pd.DataFrame(
        sorted((number[a], number[b], strength) for a, b, strength in found.graph.edges(data="strength")),
        columns=["source", "target", "strength"],
    )
    return nodes, edges
