"""The unit of inference: the network for schools that ever join, the school for the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from plneval.prepare.numbering import numbering


@dataclass(frozen=True)
class Clusters:
    """Clusters of schools, constant over time."""

    cluster: pd.Series
    """Number of the cluster, by school (int64)."""
    unit: str
    """'network' or 'school': what a member's cluster is."""
    merged_networks: int
    """Networks that share schools with another one and so stand in one cluster with it."""
    networks: int
    """Networks with analysed member schools."""


def assign_clusters(
    membership: pd.DataFrame, spells: pd.DataFrame, analysed: pd.Series, unit: Literal["network", "school"]
) -> Clusters:
    """Give every school its cluster.

    Networks that share a school cannot be told apart as independent units: the connected components of the graph
    network - school - network are the clusters. With one network only the schools are the clusters, and nothing can
    be said about the spread between networks.

    Parameters
    ----------
    membership
        Indexed by school: arm, network (first network, missing for comparison schools).
    spells
        school, network of every spell that begins within the study, also of schools that are not analysed: their
        links make networks dependent all the same.
    analysed
        Whether a school is analysed, by school.
    unit
        Declared unit.
    """
    first = membership["network"]
    networks = int(first[analysed].dropna().nunique())
    if unit == "school" or networks <= 1:
        keys = pd.Series([f"school {number}" for number in membership.index], index=membership.index)
        return Clusters(_numbers(keys), "school", 0, networks)
    component = network_components(spells)
    absorbed = {network for network, root in component.items() if network != root}
    roots = {component[network] for network in absorbed}
    keys = pd.Series(
        [
            f"school {school}" if pd.isna(network) else f"network {component[int(network)]}"
            for school, network in first.items()
        ],
        index=membership.index,
    )
    return Clusters(_numbers(keys), "network", len(absorbed | roots), networks)


def network_components(spells: pd.DataFrame) -> dict[int, int]:
    """The smallest network number of each network's connected component."""
    import networkx as nx

    graph = nx.Graph()
    pairs = spells[["school", "network"]].drop_duplicates()
    for school, network in pairs.itertuples(index=False):
        graph.add_edge(("school", int(school)), ("network", int(network)))
    found: dict[int, int] = {}
    for component in nx.connected_components(graph):
        inside = sorted(number for kind, number in component if kind == "network")
        found.update(dict.fromkeys(inside, inside[0]))
    return dict(sorted(found.items()))


def _numbers(keys: pd.Series) -> pd.Series:
    return keys.map(numbering(keys)).astype("int64")
