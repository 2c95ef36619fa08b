"""How a pupil meets a network: taught by a participant, by a participant's colleague, or not at all."""

from __future__ import annotations

import pandas as pd


def participants(spells: pd.DataFrame) -> pd.DataFrame:
    """First study year in which each teacher takes part: teacher_id, participates_from."""
    named = spells.dropna(subset=["teacher_id"])
    first = named.groupby("teacher_id", sort=False)["entry"].min()
    return pd.DataFrame({"teacher_id": first.index, "participates_from": first.astype("int64").to_numpy()})


def taught_by_participant(teaching: pd.DataFrame, spells: pd.DataFrame) -> pd.DataFrame:
    """Whether a pupil was taught a subject by a participant in a year.

    # ASSUME: a teacher counts as a participant from the first year of participation on, also after leaving (like
    `treated`, intention to treat), and any positive share of the teaching counts as being taught by that teacher.

    Parameters
    ----------
    teaching
        Numbered teaching table: pupil, year, subject, teacher_id, share.
    spells
        Result of :func:`plneval.prepare.membership.spells`.

    Returns
    -------
    pandas.DataFrame
        pupil, year, outcome (the subject), direct (boolean); a row for each pupil, year and subject that was taught.
    """
    lessons = teaching.merge(participants(spells), on="teacher_id", how="left", validate="many_to_one")
    lessons = lessons.loc[lessons["share"].isna() | (lessons["share"] > 0)]
    direct = (lessons["participates_from"] <= lessons["year"]).fillna(False).astype(bool)
    keys = [lessons["pupil"], lessons["year"], lessons["subject"].rename("outcome")]
    return direct.rename("direct").groupby(keys).any().reset_index()


def pupil_exposure(scores: pd.DataFrame, teaching: pd.DataFrame, spells: pd.DataFrame) -> pd.Series:
    """Exposure of every pupil score.

    Parameters
    ----------
    scores
        pupil, year, outcome, school, treated.
    teaching, spells
        As in :func:`taught_by_participant`; a subject belongs to the outcome of the same name.

    Returns
    -------
    pandas.Series
        'none' where the school has not joined; in schools that have: 'direct', 'indirect' (taught by somebody else),
        or 'unknown' where the teaching of that subject is not recorded or no participant of the school is named.
    """
    lessons = taught_by_participant(teaching, spells)
    merged = scores[["pupil", "year", "outcome", "school", "treated"]].merge(
        lessons, on=["pupil", "year", "outcome"], how="left", validate="many_to_one"
    )
    named_from = spells.dropna(subset=["teacher_id"]).groupby("school")["entry"].min()
    # Without the names of a school's participants, nobody there can be said to be taught by one or not.
    named = (merged["school"].map(named_from) <= merged["year"]).fillna(False).astype(bool)
    exposure = pd.Series("unknown", index=merged.index, dtype="str")
    direct = merged["direct"].astype("boolean")
    exposure[direct.fillna(False).astype(bool)] = "direct"
    exposure[(~direct).fillna(False).astype(bool) & named] = "indirect"
    exposure[merged["treated"] == 0] = "none"
    return pd.Series(exposure.to_numpy(), index=scores.index, dtype="str")
