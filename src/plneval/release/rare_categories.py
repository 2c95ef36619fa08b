"""Categories of networks with few schools put together: such a category may be a school's or a network's own name."""

from __future__ import annotations

import pandas as pd

from plneval.config.report import Disclosure

OTHERS = {
    "type": "other types",
    "focus": "other foci",
    "composition": "other compositions",
    "area": "other areas",
}
"""What the rest is called, by characteristic."""
MEANS = ("mean_schools", "mean_years")


def pool_registry(registry: pd.DataFrame, rule: Disclosure) -> pd.DataFrame:
    """One row for all categories of a characteristic that have fewer schools than the minimum.

    Means are over networks, so those of the pooled row are weighted by their number.
    """
    few = registry["n_schools"].lt(rule.minimum_schools).fillna(True).astype(bool)
    rare = few & registry["characteristic"].isin(sorted(OTHERS))
    if not rare.any():
        return registry
    rows = []
    for name, own in registry[rare].groupby("characteristic", sort=False):
        counts = own.drop(columns=["characteristic", "category", *MEANS]).sum()
        weight = own["n_networks"].astype("float64")
        means = {mean: float((own[mean] * weight).sum() / weight.sum()) for mean in MEANS}
        pooled_row: dict[str, object] = {"characteristic": name, "category": OTHERS[str(name)], **means}
        rows.append(pooled_row | {str(column): count for column, count in counts.items()})
    pooled = pd.concat([registry[~rare], pd.DataFrame(rows)], ignore_index=True)[list(registry.columns)]
    order = {name: place for place, name in enumerate(dict.fromkeys(registry["characteristic"]))}
    pooled = pooled.sort_values("characteristic", key=lambda names: names.map(order), kind="stable", ignore_index=True)
    return pooled.astype(registry.dtypes.to_dict())


def pool_timeline(timeline: pd.DataFrame, registry: pd.DataFrame) -> pd.DataFrame:
    """The timeline of types with the types of the pooled registry; those that are not in it are put together.

    Parameters
    ----------
    registry : as :func:`pool_registry` left it.
    """
    shown = set(registry.loc[registry["characteristic"] == "type", "category"]) | {""}
    rare = ~timeline["type"].isin(sorted(shown))
    if not rare.any():
        return timeline
    counts = timeline[rare].drop(columns="type").groupby("year", as_index=False).sum()
    rest = counts.assign(type=OTHERS["type"])
    return pd.concat([timeline[~rare], rest], ignore_index=True)[list(timeline.columns)].astype(
        timeline.dtypes.to_dict()
    )
