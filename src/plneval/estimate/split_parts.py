"""Which part of the member schools each school belongs to: a third, an area, or the kind of its networks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import pandas as pd

from plneval.config.network_models import Split
from plneval.estimate.sample import Exclusions, SchoolSample
from plneval.networks.equity_bands import equity_bands
from plneval.networks.study import NetworkStudy

BANDS: Final = {"deprivation": "deprivation_band", "disadvantaged_share": "composition_band"}
ORDER: Final = ("low", "middle", "high")
OF_NETWORKS: Final = {"network_type": "type", "network_focus": "focus", "composition": "composition"}
OTHER: Final = "other"
"""Values with fewer member schools than the design's smallest entry group, taken together."""
COLUMNS: Final = ("school", "network", "part", "share")
_STRANGE: Final = re.compile(r"[^\w.,()\[\]* -]+")


def parts_of(study: NetworkStudy, spec: Split) -> pd.DataFrame:
    """The part that each school belongs to: columns :data:`COLUMNS`, by school.

    By type, focus and composition: of the networks that member schools count for, a row a school and network, and
    ``share`` is the school's part of that network. By anything else there is a row a school, and ``network`` is its
    first one (missing for comparison schools). Schools of which the part is not known have no row. Values that differ
    only in signs that a term cannot hold are one.
    """
    schools = study.schools
    if spec.by in OF_NETWORKS:
        table = study.school_networks.rename(columns={"part": "share"})
        networks = study.tables.networks
        kind = OF_NETWORKS[spec.by]
        described = networks.set_index("network")[kind] if kind in networks else pd.Series(dtype="object")
        table["part"] = table["network"].map(described).astype("object")
    else:
        table = schools[["school", "network"]].assign(share=1.0)
        if spec.by in BANDS:
            bands = equity_bands(study.schools, study.school).set_index("school")[BANDS[spec.by]]
            table["part"] = table["school"].map(bands).astype("object")
        else:
            table["part"] = schools[spec.by].astype("object")
    table = table.loc[table["part"].notna(), list(COLUMNS)]
    if spec.by in BANDS:
        return table
    table["part"] = table["part"].map(_as_term)
    joined = schools.loc[schools["entry_year"].notna() & (schools["status"] == "analysed"), "school"]
    counts = table.loc[table["school"].isin(joined)].groupby("part")["school"].nunique()
    few = counts.index[counts < study.cohort.design.minimum_entry_group]
    return table.assign(part=table["part"].where(~table["part"].isin(few), OTHER))


def of_part(sample: SchoolSample, own: pd.DataFrame, spec: Split) -> SchoolSample:
    """School-years of one part; a school of which only a share belongs to it has that share of its weight.

    ``own`` are the part's rows of :func:`parts_of`. By kind of network, all comparison schools are of every part.
    """
    rows = sample.rows
    share = rows["school"].map(own.groupby("school")["share"].sum())
    kept = share.notna()
    if spec.by in OF_NETWORKS:
        kept |= rows["entry_year"].isna()
    rows = rows.assign(weight=rows["weight"] * share.fillna(1.0)).loc[kept]
    return SchoolSample(rows.reset_index(drop=True), sample.column, sample.weight, Exclusions())


def note_unknown(sample: SchoolSample, parts: pd.DataFrame, spec: Split) -> None:
    """Count the schools of which the part is not known, or not of all the networks that they count for."""
    rows, name = sample.rows, spec.by.replace("_", " ")
    asked = rows["entry_year"].notna() | (spec.by not in OF_NETWORKS)
    known = parts.groupby("school")["share"].sum()
    of_row = rows["school"].map(known).fillna(0.0)
    sample.exclusions.add("schools", rows.loc[asked & (of_row == 0), "school"].nunique(), f"{name} not known")
    partly = (of_row > 0) & (of_row < 1 - 1e-9)
    sample.exclusions.add(
        "schools", rows.loc[partly, "school"].nunique(), f"{name} of one of their networks not known (that part)"
    )


def ordered(names: Sequence[str]) -> list[str]:
    """Thirds from low to high, everything else by the alphabet."""
    return sorted(names, key=lambda name: (ORDER.index(name), "") if name in ORDER else (len(ORDER), str(name)))


def _as_term(name: str) -> str:
    """A category of the data as a model's term: letters that terms have, the others as a blank."""
    return " ".join(_STRANGE.sub(" ", str(name)).split()) or OTHER
