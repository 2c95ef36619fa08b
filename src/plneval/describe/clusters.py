"""Numbers of clusters and of networks."""

from __future__ import annotations

import pandas as pd

from plneval.describe.sample import Sample

CLUSTERS = {"outcome": "str", "treated": "Int64", "comparison": "Int64", "networks": "Int64", "unit": "str"}
NETWORKS = {"type": "str", "n_networks": "Int64", "n_schools": "Int64"}


def clusters(sample: Sample) -> pd.DataFrame:
    """Clusters with member schools and with comparison schools, and networks, behind each outcome."""
    rows = []
    for name in sample.cohort.outcomes:
        schools = sample.cells(name).drop_duplicates("school")
        member = schools["arm"] == "member"
        rows.append(
            (
                name,
                schools.loc[member, "cluster"].nunique(),
                schools.loc[~member, "cluster"].nunique(),
                schools["network"].nunique(),
                sample.notes["cluster_unit"],
            )
        )
    return pd.DataFrame(rows, columns=list(CLUSTERS)).astype(CLUSTERS)


def networks(sample: Sample) -> pd.DataFrame:
    """Networks and analysed member schools by the type of the school's first network."""
    joiners = sample.analysed.loc[sample.analysed["arm"] == "member"]
    kind = joiners["network_type"].fillna("not recorded")
    rows = [(name, group["network"].nunique(), len(group)) for name, group in joiners.groupby(kind, sort=True)]
    return pd.DataFrame(rows, columns=list(NETWORKS)).astype(NETWORKS)
