"""Conditions of each network or school as they stood early in participation, and how reliable these means are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from plneval.errors import UserError
from plneval.networks.agreement import Agreement, agreement, mean_reliability
from plneval.networks.scales import Group

COLUMNS: Final = ("unit", "scale", "wave", "measured", "condition", "n_respondents", "reliability")
NOTE_COLUMNS: Final = ("rule", "wave", "scale", "count")
RULES: Final = {
    "condition_taken": "conditions of networks rest on this wave: the first in which enough of their members answered",
    "condition_later_wave": "a later wave than the first of the respondent's network: not in its condition",
    "condition_wave_of_few": "fewer answers in the wave than the form asks for: in no network's condition",
    "condition_network_of_few": "the only answer from its network in the wave: in no condition of that network",
    "condition_wave_in_two_years": "the network's wave lies in several school years: it counts as measured in the last",
}
"""What is done with the scores, by the name under which respondents are counted."""


@dataclass(frozen=True)
class Conditions:
    """Early scores of networks on every scale.

    Attributes
    ----------
    table
        One row for each network and scale: unit, scale, wave, measured (study year), condition (mean score in points),
        n_respondents, reliability (of that mean; missing where ``agreement`` could not be computed).
    agreement
        Of each scale, over the answers that ``table`` rests on: ``agreement[scale].icc2_se`` is what
        :func:`plneval.networks.moderation.moderation` takes as ``reliability_se``.
    notes
        What was taken and what was not: rule (of :data:`RULES`), wave, scale, count of respondents.
    """

    table: pd.DataFrame
    agreement: dict[str, Agreement]
    notes: pd.DataFrame


def early_conditions(
    scores: pd.DataFrame, by: Group = "network_id", *, minimum_respondents: int, minimum_answers: int = 2
) -> Conditions:
    """Mean score of each network in the first wave in which enough of its members answered.

    A network's condition comes from one wave only: answers of a second wave are the same people again and would count
    as more respondents than there are. A network's waves are in the order of the school year, then of the day, on which
    its first member answered, then of their names.

    # ASSUME: a network's wave that stretches over several school years was measured in the last of them, so that no
    # answer after the outcome passes for one before it.

    Parameters
    ----------
    scores
        By :func:`plneval.networks.scales.scale_scores`, as they are or with prepare's numbers
        (``StudyTables.with_numbers``), with a column ``year``: the study year of the answers (``Calendar.year_of``).
        Those without score, network or year are left out.
    by
        The column of networks or schools.
    minimum_respondents
        ``Form.minimum_respondents``: a wave with fewer of them, all networks together, has no reliability and does not
        count.
    minimum_answers
        Fewer answers than this are no score of a network; a later wave is then looked for.

    Raises
    ------
    UserError
        If ``scores`` has no column ``year``: then "first" has no meaning.
    """
    if "year" not in scores:
        raise UserError("the scores have no column 'year'; conditions are taken from the first year of answers.")
    answered = scores.dropna(subset=["score", by, "year"])
    tables: list[pd.DataFrame] = []
    notes: list[pd.DataFrame] = []
    found: dict[str, Agreement] = {}
    for scale, rows in answered.groupby("scale", sort=True):
        state = _states(rows, by, minimum_respondents, minimum_answers)
        first = rows.loc[state == "condition_taken"]
        found[str(scale)] = agreement(first["score"], first[by], minimum_respondents=minimum_respondents)
        means = first.groupby(by, sort=True).agg(
            wave=("wave", "first"),
            measured=("year", "max"),
            condition=("score", "mean"),
            n_respondents=("score", "size"),
        )
        sizes = means["n_respondents"].to_numpy(dtype=np.float64)
        means = means.assign(scale=str(scale), reliability=mean_reliability(found[str(scale)], sizes))
        tables.append(means.rename_axis("unit").reset_index())
        years = first.groupby(by)["year"].transform("nunique")
        rules = pd.concat([state, pd.Series("condition_wave_in_two_years", index=years.index[years > 1])])
        told = pd.DataFrame({"rule": rules, "wave": rows["wave"].reindex(rules.index), "scale": str(scale)})
        notes.append(told.groupby(["rule", "wave", "scale"], sort=True).size().rename("count").reset_index())
    return Conditions(_table(tables, list(COLUMNS)), found, _table(notes, list(NOTE_COLUMNS)))


def _states(rows: pd.DataFrame, by: str, minimum_respondents: int, minimum_answers: int) -> pd.Series:
    """What becomes of each score of one scale: a rule of :data:`RULES`."""
    state = pd.Series("condition_later_wave", index=rows.index, dtype="str")
    few = rows.groupby("wave")["score"].transform("size") < minimum_respondents
    alone = rows.groupby([by, "wave"])["score"].transform("size") < minimum_answers
    state[alone] = "condition_network_of_few"
    state[few] = "condition_wave_of_few"
    usable = rows.loc[~few & ~alone]
    dates = pd.to_datetime(usable["date"]) if "date" in usable else pd.Series(pd.NaT, index=usable.index)
    order = usable.assign(date=dates, name=usable["wave"].map(_place))
    began = order.groupby([by, "wave"], sort=True).agg(year=("year", "min"), date=("date", "min"), name=("name", "min"))
    first = began.reset_index().sort_values([by, "year", "date", "name"]).drop_duplicates(by).set_index(by)["wave"]
    state[usable.index[usable["wave"] == usable[by].map(first)]] = "condition_taken"
    return state


def _place(wave: object) -> tuple[bool, int, str]:
    """Numbers in their order, then words by the alphabet."""
    name = str(wave)
    return (not name.isdecimal(), int(name) if name.isdecimal() else 0, name)


def _table(parts: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
