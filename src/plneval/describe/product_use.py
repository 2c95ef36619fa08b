"""What networks made, and how much of it is still used and improved, year by year."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from plneval.networks.products import STATES, checks, standing_behind
from plneval.networks.study import NetworkStudy

COLUMNS: Final = {
    "by": "str",
    "time": "Int64",
    "what": "str",
    "n_networks": "Int64",
    "n_schools": "Int64",
    "n_recorded": "Int64",
    "n_known": "Int64",
    "share": "float64",
}


def product_use(study: NetworkStudy) -> pd.DataFrame:
    """Shares of products that are used and that are improved; columns :data:`COLUMNS`.

    ``by`` is ``year`` (``time`` is the study year) or ``years_since_recorded`` (``time`` is the age: study years since
    the product was first recorded). ``what`` is ``used`` or ``improved``, ``share`` the share among the ``n_known``
    products of which it is known; ``n_recorded`` are all that were recorded by then (that could be as old by the last
    year of the inventory), so that those that nobody looked at are seen. ``n_networks`` and ``n_schools`` stand behind
    the share; with one network in the study ``n_networks`` is missing.
    """
    rows = checks(study.tables)
    first = rows.loc[rows["age"] == 0, "year"]
    last = rows["year"].max()
    parts: list[dict[str, Any]] = []
    for year, own in rows.groupby("year", sort=True):
        parts += _shares(study, own, "year", int(str(year)), int((first <= year).sum()))
    for age, own in rows.groupby("age", sort=True):
        parts += _shares(study, own, "years_since_recorded", int(str(age)), int((first <= last - int(str(age))).sum()))
    return pd.DataFrame(parts, columns=list(COLUMNS)).astype(COLUMNS)


def _shares(study: NetworkStudy, rows: pd.DataFrame, by: str, time: int, recorded: int) -> list[dict[str, Any]]:
    found = []
    for what in STATES:
        known = rows.dropna(subset=[what])
        networks, schools = standing_behind(study.tables, known["network"])
        counts = {"n_networks": networks, "n_schools": schools, "n_recorded": recorded, "n_known": len(known)}
        share = float(known[what].mean()) if len(known) else None
        found.append({"by": by, "time": time, "what": what, **counts, "share": share})
    return found
