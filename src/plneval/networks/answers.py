"""One questionnaire's answers of a study, scored, with prepare's numbers and the school year of every answer."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from plneval.artifacts import read_table
from plneval.config.instrument import Form
from plneval.networks.scales import NOTE_COLUMNS, Answers, read_answers, scale_scores
from plneval.networks.study import NetworkStudy


@dataclass(frozen=True)
class Scored:
    """Answers to one form.

    Attributes
    ----------
    name, form : the questionnaire.
    answers : as :func:`plneval.networks.scales.read_answers` gives them.
    raw : scale scores with pseudonyms, in the same order as ``scores``.
    scores : scale scores with numbers: wave, date, school, network, cluster, teacher, role, scale, score, n_answered,
        n_items, year. A respondent who named no network counts for their school's: by the design's rule for schools of
        several, and for the first where that rule is to count them in all. Networks that share schools have one cluster
        (the network's number otherwise).
    notes : what happened to answers: rule, form, wave, item, count; respondents without school, network or date are
        counted once a wave, without item.
    """

    name: str
    form: Form
    answers: Answers
    raw: pd.DataFrame
    scores: pd.DataFrame
    notes: pd.DataFrame


def scored(study: NetworkStudy, name: str) -> Scored | None:
    """Score a form of the study's instrument; None where the study has no such form, or no answers to it."""
    form = None if study.instrument is None else study.instrument.forms.get(name)
    if form is None:
        return None
    surveys = read_table(study.tables_folder / "surveys.parquet")
    if not (surveys["instrument"] == name).any():
        return None
    answers = read_answers(surveys, name, form)
    raw, few = scale_scores(answers, form)
    scores = study.tables.with_numbers(raw)
    # ASSUME: who names no network answers for the one that their school counts for. Answers cannot be divided: where a
    # school counts for several, they are about the one that it joined first.
    of_school = study.schools.set_index("school")["network"].copy()
    whole = study.school_networks.loc[study.school_networks["part"] == 1].set_index("school")["network"]
    of_school.update(whole.astype("Int64"))
    scores["network"] = scores["network"].astype("Int64").fillna(scores["school"].map(of_school).astype("Int64"))
    scores["year"] = study.tables.calendar.year_of(pd.to_datetime(scores["date"]))
    scores["cluster"] = scores["network"].map(_clusters(study.schools)).fillna(scores["network"])
    notes = pd.concat([answers.notes, few, _unplaced(scores, name)], ignore_index=True)
    return Scored(name, form, answers, raw, scores, notes)


def _clusters(schools: pd.DataFrame) -> pd.Series:
    """Cluster by network, as the smallest number of the networks in it; empty where schools are the clusters."""
    if "cluster" not in schools:
        return pd.Series(dtype="Int64")
    members = schools.dropna(subset=["network"])
    if (members.groupby("network")["cluster"].nunique() > 1).any():
        return pd.Series(dtype="Int64")
    smallest = members.groupby("cluster")["network"].min()
    return members.groupby("network")["cluster"].first().map(smallest).astype("Int64")


def _unplaced(scores: pd.DataFrame, form: str) -> pd.DataFrame:
    """Respondents who cannot be placed in a school, a network or a school year, by wave."""
    once = scores.loc[scores["scale"] == scores["scale"].min()]
    notes = [
        (f"no_{what}", form, str(wave), "", int(count))
        for what, column in (("school", "school"), ("network", "network"), ("date", "year"))
        for wave, count in once.loc[once[column].isna()].groupby("wave", sort=True).size().items()
    ]
    return pd.DataFrame(notes, columns=list(NOTE_COLUMNS)).astype(NOTE_COLUMNS)
