"""From survey answers to scale scores: reversed items, answers outside the scale, how many answers a score needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd

from plneval.config.instrument import Form
from plneval.errors import UserError, did_you_mean

RESPONDENT: Final = ("respondent_id", "wave", "date", "school_id", "network_id", "teacher_id", "role")
"""Columns that say who answered when; what the table of surveys lacks is missing."""
Group = Literal["school_id", "network_id", "school", "network"]
"""Columns by which respondents are grouped: pseudonyms, or prepare's numbers in their place."""
NOTE_COLUMNS: Final = {"rule": "str", "form": "str", "wave": "str", "item": "str", "count": "int64"}
RULES: Final = {
    "answer_outside_scale": "the answer is no point of the item's scale: counted as not answered",
    "role_not_asked": "the respondent's role is not among those that the form asks: left out",
    "role_missing": "the respondent's role is not known: kept",
    "unknown_item": "the form has no such item: left out",
    "item_not_asked": "nobody answered the item in this wave: scores rest on the others",
    "too_few_answers": "fewer of the scale's items answered than the form asks for: no score",
    "few_respondents": "fewer respondents in the wave than the form asks for: no reliability, no agreement",
    "no_school": "the respondent's school is not known: in no change within one network",
    "no_network": "neither the respondent nor the school has a network: in no network's score",
    "no_date": "the answers have no date: in no condition of a network",
}
"""What may happen to answers, by the name under which it is counted."""
MOSTLY_OUTSIDE: Final = 0.5
"""More than this share of an item's answers outside its scale means that the range is declared wrongly."""


@dataclass(frozen=True)
class Answers:
    """The answers to one form.

    Attributes
    ----------
    form
        Name of the form.
    table
        One row for each respondent and wave, ordered by wave and respondent: :data:`RESPONDENT`, then one column for
        each item of the form (float, reversed items turned round, NaN where not answered).
    notes
        What happened to which answers: rule (of :data:`RULES`), form, wave, item, count of answers.
    """

    form: str
    table: pd.DataFrame
    notes: pd.DataFrame


def read_answers(surveys: pd.DataFrame, name: str, form: Form) -> Answers:
    """Arrange one form's answers by respondent and wave; reversed items become lowest + highest − answer.

    Parameters
    ----------
    surveys
        The canonical table: respondent_id, instrument, wave, item, response, and what there is of date, school_id,
        network_id, teacher_id, role.
    name
        Which ``instrument`` of the table.
    form
        What the instrument file says of it.

    Raises
    ------
    UserError
        If no answer is of this form, or most answers to an item lie outside its scale: then the declared range is wrong
        and a reversal by it would be too.
    """
    rows = surveys.loc[surveys["instrument"] == name]
    if rows.empty:
        known = sorted(surveys["instrument"].dropna().unique())
        raise UserError(
            f"surveys: no answers to the form '{name}'; the table holds {', '.join(known) or 'none'}."
            f"{did_you_mean(name, known)} Give the form the name that `instrument` has in the table."
        )
    items = {item: spec for scale in form.scales.values() for item, spec in scale.items.items()}
    notes: list[tuple[str, str, str, int]] = []
    rows = _of_the_form(rows, form, items, notes)
    response = pd.to_numeric(rows["response"]).astype("float64")
    outside = response.notna() & ~(response.between(form.lowest, form.highest) & (response % 1 == 0))
    _check_range(name, form, rows["item"], response, outside)
    notes += _counted("answer_outside_scale", rows.loc[outside])
    response = response.mask(outside)
    reverse = rows["item"].map({item: spec.reverse for item, spec in items.items()}).astype(bool)
    response = response.mask(reverse, form.lowest + form.highest - response)
    table = _wide(rows.assign(response=response), list(items))
    for wave, here in table.groupby("wave", sort=True):
        silent = [item for item in items if here[item].isna().all()]
        notes += [("item_not_asked", str(wave), item, len(here)) for item in silent]
    frame = pd.DataFrame(notes, columns=["rule", "wave", "item", "count"])
    return Answers(name, table, frame.assign(form=name)[list(NOTE_COLUMNS)].astype(NOTE_COLUMNS))


def scale_scores(answers: Answers, form: Form) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score of each respondent on each scale: the mean of the items answered, in points of the scale.

    Returns
    -------
    scores
        One row for each respondent, wave and scale: :data:`RESPONDENT`, scale, score, n_answered, n_items. The score is
        missing where fewer than ``minimum_answered`` of the scale's items are answered.
    notes
        Scores missing for that reason, counted under ``too_few_answers`` with the scale in place of the item.
    """
    tables, notes = [], []
    for name, scale in form.scales.items():
        values = answers.table[list(scale.items)]
        answered = values.notna().sum(axis=1)
        # The tolerance keeps 3 of 5 at a declared 0.6, whatever the division's last digit.
        enough = answered >= form.minimum_answered * len(scale.items) - 1e-9
        table = answers.table[list(RESPONDENT)].assign(
            scale=name, score=values.mean(axis=1).where(enough), n_answered=answered, n_items=len(scale.items)
        )
        tables.append(table)
        lacking = table.loc[~enough & (answered > 0)].groupby("wave", sort=True).size()
        notes += [("too_few_answers", answers.form, str(wave), name, int(count)) for wave, count in lacking.items()]
    scores = pd.concat(tables, ignore_index=True)
    return scores, pd.DataFrame(notes, columns=list(NOTE_COLUMNS)).astype(NOTE_COLUMNS)


def group_scores(scores: pd.DataFrame, by: Group) -> pd.DataFrame:
    """Mean score of each school or network by wave and scale.

    Parameters
    ----------
    scores
        By :func:`scale_scores`, as they are or with prepare's numbers (``StudyTables.with_numbers``).
    by
        The column of the groups.

    Returns
    -------
    One row for each group, wave and scale: the group, wave, scale, score (mean over respondents), sd (between
    respondents, missing for one), n_respondents, n_schools, first_date and last_date of the answers. Respondents
    without a score or without the group are left out.
    """
    rows = scores.dropna(subset=["score", by])
    grouped = rows.groupby([by, "wave", "scale"], sort=True)
    school = "school" if "school" in rows else "school_id"
    return grouped.agg(
        score=("score", "mean"),
        sd=("score", "std"),
        n_respondents=("score", "size"),
        n_schools=(school, "nunique"),
        first_date=("date", "min"),
        last_date=("date", "max"),
    ).reset_index()


def _of_the_form(
    rows: pd.DataFrame, form: Form, items: Iterable[str], notes: list[tuple[str, str, str, int]]
) -> pd.DataFrame:
    """Rows of the form's own items by the roles that it asks; the others are counted."""
    rows = rows.assign(**{column: None for column in RESPONDENT if column not in rows})
    known = rows["item"].isin(list(items))
    notes += _counted("unknown_item", rows.loc[~known])
    rows = rows.loc[known]
    nameless = rows["role"].isna()
    asked = nameless | rows["role"].isin(form.roles)
    notes += _counted("role_not_asked", rows.loc[~asked])
    # ASSUME: a respondent of unknown role was asked because the form reached them.
    notes += _counted("role_missing", rows.loc[nameless])
    return rows.loc[asked]


def _counted(rule: str, rows: pd.DataFrame) -> list[tuple[str, str, str, int]]:
    counts = rows.groupby(["wave", "item"], sort=True).size().reset_index(name="answers")
    return [
        (rule, str(wave), str(item), int(count))
        for wave, item, count in zip(counts["wave"], counts["item"], counts["answers"], strict=True)
    ]


def _check_range(name: str, form: Form, item: pd.Series, response: pd.Series, outside: pd.Series) -> None:
    """Refuse a range that most of an item's answers do not fit."""
    answered = response.notna()
    share = outside[answered].groupby(item[answered]).mean()
    wrong = share[share > MOSTLY_OUTSIDE].sort_index()
    if wrong.empty:
        return
    first = str(wrong.index[0])
    found = response[answered & (item == first)]
    raise UserError(
        f"surveys: form '{name}': {len(wrong)} items have most answers outside {form.lowest} to {form.highest}, such "
        f"as '{first}' with answers from {found.min():g} to {found.max():g}; correct `lowest` and `highest` of the "
        "form in the instrument file, or recode the answers in the cohort's file."
    )


def _wide(rows: pd.DataFrame, items: list[str]) -> pd.DataFrame:
    """One row for each respondent and wave, one column for each item."""
    keys = ["wave", "respondent_id"]
    about = [column for column in RESPONDENT if column not in keys]
    who = rows[[*keys, *about]].groupby(keys, sort=True)[about].first()
    values = rows.pivot(index=keys, columns="item", values="response").reindex(columns=items)
    table = who.join(values.astype(np.float64)).reset_index()
    return table[[*RESPONDENT, *items]]
