"""The structure of networks from ties between people: over networks, never of one."""

from __future__ import annotations

import pandas as pd

from plneval.networks.structure import structure
from plneval.networks.study import NetworkStudy

MEASURES = (
    "density",
    "reciprocity",
    "indegree_centralisation",
    "outdegree_centralisation",
    "betweenness_centralisation",
    "share_across_schools",
    "share_brokered_across",
    "mean_strength",
    "mean_distance_km",
    "mean_similarity",
)
STRUCTURE = {
    "wave": "Int64",
    "year": "Int64",
    "measure": "str",
    "n_networks": "Int64",
    "n_schools": "Int64",
    "n_actors": "Int64",
    "n_ties": "Int64",
    "n_isolates": "Int64",
    "mean": "float64",
    "sd": "float64",
    "quartile_1": "float64",
    "median": "float64",
    "quartile_3": "float64",
}


def network_structure(study: NetworkStudy) -> pd.DataFrame:
    """Every measure of structure by wave (from 1, in the order of their names); columns ``STRUCTURE``.

    Mean, standard deviation and quartiles are over the networks that have the measure (``n_networks``), each counting
    once; schools, participants (``n_actors``), their ties and those without any are of all networks of the wave.
    Least and largest values would be those of a single network and are not given.
    """
    found = structure(study.tables) if len(study.tables.ties) else pd.DataFrame(columns=["wave"])
    rows = []
    for number, wave in enumerate(sorted(found["wave"].unique()), start=1):
        of_wave = found.loc[found["wave"] == wave]
        counts = [int(of_wave[name].sum()) for name in ("n_schools", "n_actors", "n_ties", "n_isolates")]
        for measure in MEASURES:
            own = of_wave.loc[of_wave[measure].notna()]
            if own.empty:
                continue
            values = own[measure].astype("float64")
            spread = [float(values.mean()), float(values.std()), *values.quantile([0.25, 0.5, 0.75]).tolist()]
            rows.append((number, own["year"].iloc[0], measure, len(own), *counts, *spread))
    return pd.DataFrame(rows, columns=list(STRUCTURE)).astype(STRUCTURE)
