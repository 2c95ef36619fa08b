"""What the made-up networks made, and the raw file of the inventory that is taken of it every school year."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from plneval.simulate.calendar import entry_years, year_label
from plneval.simulate.formats import TextFormat, write_text_table
from plneval.simulate.made import MadeStudy
from plneval.simulate.planted import PlantedErrors, Typist, shuffled, with_rows
from plneval.simulate.streams import stream

KINDS = ("lesson plan", "assessment tool", "scheme of work", "policy")
MOST_PRODUCTS = 6
"""Products of a network: from half as many to as many."""
USED_AT_FIRST, STAYS_USED = 0.95, 0.90
"""Chance that a product is used when it is first recorded, and that a used one is still used a year later."""
IMPROVED = 0.42
"""Chance that a used product was changed in the year."""
LOOKED_AT, TOLD = 0.90, 0.94
"""Chance that a product is looked at in a year after its first, and that what was asked of it is answered."""
NOT_KNOWN = "not known"


def make_inventory(made: MadeStudy) -> pd.DataFrame:
    """Every time of asking: network (position), product (from 1 in its network), year, kind, used, improved.

    ``used`` and ``improved`` are 0, 1 or, where nobody could tell, missing.

    # ASSUME: Products fall out of use with the same chance every year and never come back; whether somebody looked, and
    # whether the question was answered, has nothing to do with the product's state.
    """
    rng = stream(made.simulation.seed, "products")
    first, last = entry_years(made.study)[0], made.study.last_year
    rows: list[tuple[int, int, int, str, float, float]] = []
    for network, started in enumerate(made.networks.started):
        earliest = min(max(first, started), last - 1)
        for product in range(1, int(rng.integers(MOST_PRODUCTS // 2, MOST_PRODUCTS + 1)) + 1):
            begins = int(rng.integers(earliest, last))
            kind = KINDS[int(rng.integers(0, len(KINDS)))]
            # Drawn for all years, whatever happens to the product.
            chance = rng.random((last - begins + 1, 5)).tolist()
            used = True
            for year, (lasts, changed, looked, told, told_too) in enumerate(chance, start=begins):
                used = used and lasts < (USED_AT_FIRST if year == begins else STAYS_USED)
                if year > begins and looked >= LOOKED_AT:
                    continue
                improved = used and changed < IMPROVED
                states = (float(used) if told < TOLD else np.nan, float(improved) if told_too < TOLD else np.nan)
                rows.append((network, product, year, kind, *states))
    return pd.DataFrame(rows, columns=["network", "product", "year", "kind", "used", "improved"])


def write_products(made: MadeStudy, out: Path, errors: PlantedErrors) -> pd.DataFrame:
    """``products.csv``: a row a product and school year, states in words.

    Returns
    -------
    pandas.DataFrame
        The rows of :func:`make_inventory` that survive the planted errors.
    """
    typist = made.typist("products")
    inventory = make_inventory(made)
    table = pd.DataFrame(
        {
            "Network": np.array(made.networks.code)[inventory["network"]],
            "Product": [f"{number:02d}" for number in inventory["product"]],
            "SchoolYear": [year_label(year) for year in inventory["year"].tolist()],
            "Kind": inventory["kind"],
            "In use": _words(inventory["used"]),
            "Improved this year": _words(inventory["improved"]),
        }
    ).astype(object)
    lost, table = _with_errors(made, typist, table, errors)
    errors.read["products"] += len(table)
    write_text_table(out / "products.csv", shuffled(table, typist.rng), TextFormat("cp1252", ";"))
    return inventory.drop(index=lost).reset_index(drop=True)


def _words(states: pd.Series) -> list[str]:
    return [NOT_KNOWN if np.isnan(state) else "yes" if state else "no" for state in states.tolist()]


def _with_errors(
    made: MadeStudy, typist: Typist, table: pd.DataFrame, errors: PlantedErrors
) -> tuple[list[int], pd.DataFrame]:
    """The rows of the inventory that are lost to errors, and the table with all errors."""
    chosen = typist.rows(15, table)
    again, stray, nameless, late, twice = (
        table.iloc[chosen[a:b]] for a, b in ((0, 4), (4, 6), (6, 8), (8, 10), (10, 12))
    )
    vague = chosen[12:15]
    stray = stray.assign(Network=[typist.typo(code, set(made.networks.code)) for code in stray["Network"]])
    nameless = nameless.assign(Product="")
    late = late.assign(SchoolYear=year_label(made.study.last_year + 1))
    conflicting = twice.assign(**{"In use": ["no" if word == "yes" else "yes" for word in twice["In use"]]})
    table.loc[vague, "In use"] = "partly"
    errors.merge("products", len(again))
    errors.reject("products", "unknown_network", len(stray))
    errors.reject("products", "missing_key", len(nameless))
    errors.reject("products", "year_outside_study", len(late))
    errors.reject("products", "conflicting_duplicate", 2 * len(conflicting))
    errors.reject("products", "bad_type", len(vague))
    return [*twice.index.tolist(), *vague], with_rows(table, again, stray, nameless, late, conflicting)
