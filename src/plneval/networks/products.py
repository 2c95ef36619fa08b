"""What networks made: lesson plans, assessment tools, policies; and what became of each at every time of asking."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

import pandas as pd

from plneval.networks.study_tables import StudyTables

State = Literal["used", "improved"]
STATES: Final[tuple[State, ...]] = ("used", "improved")
PRODUCT: Final = ["network", "product_id"]
"""What names a product: numbers of products are the networks' own, so that two networks may give out the same one."""


def checks(tables: StudyTables) -> pd.DataFrame:
    """The inventory with the age of each product, in the order of networks, products and years.

    Returns
    -------
    pandas.DataFrame
        network, product_id, year, kind, used, improved (0, 1 or missing) and age: study years since the product was
        first recorded.
    """
    rows = tables.products.sort_values([*PRODUCT, "year"], kind="stable", ignore_index=True)
    rows["age"] = rows["year"] - rows.groupby(PRODUCT, sort=False)["year"].transform("min")
    return rows


def product_states(tables: StudyTables) -> pd.DataFrame:
    """Every product as it was at the last time of asking.

    What was not answered then is not known: an older answer does not stand in for it.

    Returns
    -------
    pandas.DataFrame
        network, product_id, first and last (years of the first and of the last time of asking), n_checks, used,
        improved (0, 1 or missing).
    """
    rows = checks(tables)
    of_product = rows.groupby(PRODUCT, sort=False)
    found = of_product.tail(1).set_index(PRODUCT)[["year", *STATES]].rename(columns={"year": "last"})
    found.insert(0, "first", of_product["year"].min())
    found.insert(2, "n_checks", of_product.size())
    return found.reset_index()


def network_starts(tables: StudyTables) -> pd.Series:
    """First year of each network, by number: as the register says, else when its first member joined.

    Missing where neither is known: a network with members from before observation began may have begun at any time.
    """
    declared = tables.networks.set_index("network")["started"]
    of_network = tables.spells.groupby("network")
    joined = of_network["entry"].min().where(~of_network["unknown"].any())
    return declared.fillna(joined.reindex(declared.index).astype("Int64"))


def standing_behind(tables: StudyTables, networks: Iterable[int]) -> tuple[int | None, int]:
    """How many networks, and how many of their member schools, stand behind something that is said of networks.

    The number of networks is None where the study has one network only: then it is the programme, not one of several.
    """
    spells = tables.spells.dropna(subset=["network"])
    known = set(networks)
    schools = spells.loc[spells["network"].isin(sorted(known)), "school"].nunique()
    return (len(known) if spells["network"].nunique() > 1 else None), int(schools)
