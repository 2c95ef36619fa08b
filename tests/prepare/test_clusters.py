"""The unit of inference."""

from __future__ import annotations

import pandas as pd

from plneval.prepare.clusters import Clusters, assign_clusters

NONE = pd.NA


def assign(first_network: list[object], links: list[tuple[int, int]], unit: str = "network") -> Clusters:
    index = pd.Index(range(1, len(first_network) + 1), name="school")
    membership = pd.DataFrame({"network": pd.array(first_network, dtype="Int64")}, index=index)
    spells = pd.DataFrame(links, columns=["school", "network"])
    return assign_clusters(membership, spells, pd.Series(True, index=index), unit)  # type: ignore[arg-type]


def test_members_cluster_by_first_network_and_others_by_school() -> None:
    found = assign([2, NONE, 1, 2, NONE], [(1, 2), (3, 1), (4, 2)])
    assert found.cluster.tolist() == [1, 2, 3, 1, 4]
    assert (found.unit, found.merged_networks, found.networks) == ("network", 0, 2)


def test_networks_that_share_schools_merge_also_through_a_third_one() -> None:
    # Networks 1 and 2 share school 1, networks 2 and 3 share school 2: all three are one cluster; 4 stands alone.
    found = assign([1, 2, 3, 4, NONE], [(1, 1), (1, 2), (2, 2), (2, 3), (3, 3), (4, 4)])
    assert found.cluster.tolist() == [1, 1, 1, 2, 3]
    assert found.merged_networks == 3


def test_with_one_network_only_the_school_is_the_cluster() -> None:
    found = assign([1, 1, NONE], [(1, 1), (2, 1)])
    assert found.cluster.tolist() == [1, 2, 3]
    assert found.unit == "school"


def test_clusters_may_be_declared_to_be_schools() -> None:
    assert assign([1, 1, 2, NONE], [(1, 1), (2, 1), (3, 2)], unit="school").cluster.tolist() == [1, 2, 3, 4]
