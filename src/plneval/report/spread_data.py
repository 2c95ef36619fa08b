"""The data behind the figures about differences between networks, conditions and practice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pandas as pd

from plneval.report.load import Released
from plneval.report.moderation_tables import family_names


def network_caterpillar(released: Released) -> pd.DataFrame:
    """Networks' shrunken effects by size, with the mean over networks and where a new network is expected.

    Columns: model, position, name (empty without consent), shrunken, ci_low, ci_high, mean, new_low, new_high, unit.
    Networks of few schools are not among them.
    """
    table = released["network_caterpillar"]
    rows = table[table["shrunken"].notna()]
    data: pd.DataFrame = rows[["model", "position", "name", "shrunken", "ci_low", "ci_high"]].reset_index(drop=True)
    data["name"] = data["name"].fillna("").astype("str")
    records = released["records"]
    new = records[(records["estimand"] == "att_new_network") & (records["estimator"] == "networks.spread")]
    of_model = new.set_index("model")
    for name, column in (("mean", "estimate"), ("new_low", "ci_low"), ("new_high", "ci_high")):
        data[name] = data["model"].map(of_model[column]).astype("float64")
    return data.assign(unit=[released.unit(str(name)) for name in data["model"]])


def moderation_slopes(released: Released) -> pd.DataFrame:
    """Difference in the effect for one SD of each condition, adjusted for reliability and not.

    Columns: model, kind, label, estimate, ci_low, ci_high, naive, naive_low, naive_high, p_holm, unit, family (what was
    tried together).
    """
    table = released["moderation_conditions"]
    rows = table[table["naive"].notna()]
    columns = ["model", "kind", "label", "estimate", "ci_low", "ci_high", "naive", "naive_low", "naive_high", "p_holm"]
    data: pd.DataFrame = rows[columns].reset_index(drop=True)
    data = data.assign(unit=[released.unit(str(name)) for name in data["model"]])
    return data.assign(family=family_names(released, data))


def practice_over_waves(released: Released) -> pd.DataFrame:
    """Mean scores of practice and policy by wave and who answered, with intervals.

    Columns: measures, label, role, wave, year, mean, ci_low, ci_high.
    """
    table = released["practice_waves"]
    rows = table[table["mean"].notna()]
    data: pd.DataFrame = rows[["measures", "label", "role", "wave", "year", "mean", "ci_low", "ci_high"]]
    return data.reset_index(drop=True)


def path_sensitivity(released: Released) -> pd.DataFrame:
    """The indirect path by how strongly an unobserved cause would make the errors correlate.

    Columns: model, path ('adjusted' for the error in practice, or 'naive'), rho, indirect, ci_low, ci_high, unit.
    """
    table = released["mediation_sensitivity"]
    rows = table[table["indirect"].notna()]
    data: pd.DataFrame = rows[["model", "path", "rho", "indirect", "ci_low", "ci_high"]].reset_index(drop=True)
    return data.assign(unit=[released.unit(str(name)) for name in data["model"]])


SPREAD_FIGURES: Final[dict[str, Callable[[Released], pd.DataFrame]]] = {
    "network_caterpillar": network_caterpillar,
    "moderation_slopes": moderation_slopes,
    "practice_over_waves": practice_over_waves,
    "path_sensitivity": path_sensitivity,
}
"""Figures by the name of their CSV file."""
