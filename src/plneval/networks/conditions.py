"""Conditions of each network or school as they stood early in participation, and how reliable these means are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from plneval.errors import UserError
from plneval.networks.agreement import Agreement, agreement, mean_reliability
from plneval.networks.scales import Group


@dataclass(frozen=True)
class Conditions:
    """Early scores of networks on every scale.

    Attributes
    ----------
    table
        One row for each network and scale: unit, scale, wave, measured (study year), condition (mean score in points),
        n_respondents, reliability (of that mean).
    agreement
        Of each scale, over the answers that ``table`` rests on: ``agreement[scale].icc2_se`` is what
        :func:`plneval.networks.moderation.moderation` takes as ``reliability_se``.
    """

    table: pd.DataFrame
    agreement: dict[str, Agreement]


def early_conditions(scores: pd.DataFrame, by: Group = "network_id", *, minimum_respondents: int = 2) -> Conditions:
    """Mean score of each network in the first wave in which enough of its members answered.

    Parameters
    ----------
    scores
        By :func:`plneval.networks.scales.scale_scores`, as they are or with prepare's numbers
        (``StudyTables.with_numbers``), with a column ``year``: the study year of the answers (``Calendar.year_of``).
    by
        The column of networks or schools.
    minimum_respondents
        Fewer answers than this are no score of a network; a later wave is then looked for.

    Raises
    ------
    UserError
        If ``scores`` has no column ``year`` or a wave lies in two years: then "first" has no meaning.
    """
    if "year" not in scores:
        raise UserError("the scores have no column 'year'; conditions are taken from the first year of answers.")
    answered = scores.dropna(subset=["score", by, "year"])
    several = answered.groupby("wave")["year"].nunique()
    if (several > 1).any():
        wave = str(several.index[several > 1][0])
        raise UserError(
            f"surveys: the answers of wave '{wave}' lie in more than one school year; name them as two waves."
        )
    tables: list[pd.DataFrame] = []
    found: dict[str, Agreement] = {}
    for scale, rows in answered.groupby("scale", sort=True):
        size = rows.groupby([by, "wave"])["score"].transform("size")
        enough = rows.loc[size >= minimum_respondents]
        first = enough.loc[enough["year"] == enough.groupby(by)["year"].transform("min")]
        found[str(scale)] = agreement(first["score"], first[by])
        means = first.groupby(by, sort=True).agg(
            wave=("wave", "first"),
            measured=("year", "first"),
            condition=("score", "mean"),
            n_respondents=("score", "size"),
        )
        sizes = means["n_respondents"].to_numpy(dtype=np.float64)
        means = means.assign(scale=str(scale), reliability=mean_reliability(found[str(scale)], sizes))
        tables.append(means.rename_axis("unit").reset_index())
    columns = ["unit", "scale", "wave", "measured", "condition", "n_respondents", "reliability"]
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
    return Conditions(table[columns], found)
