"""The flow of a cohort: which steps its schools, pupils and scores go through."""

from __future__ import annotations

import pandas as pd

from plneval.config.cohort import Cohort
from plneval.prepare.exclusions import SCHOOL_REASONS
from plneval.prepare.flow import Step, assemble, chain
from plneval.prepare.scores import usable

SCHOOL_STAGES = {
    "left_censored": "entry observed",
    "no_outcome": "with an outcome",
    "no_outcome_before_joining": "observed before joining",
    "no_reference": "analysed",
}
RECORD_STEPS = {
    "matched": ("matched to a school", "no school in that year"),
    "declared": ("in an outcome year", "year in which the outcome is not declared"),
    "scored": ("with a score", "score missing"),
    "graded": ("with a grade", "grade missing"),
    "unique": ("one score each", "several scores of one pupil (school) in one year"),
}


def sample_flow(
    cohort: Cohort,
    membership: pd.DataFrame,
    status: pd.Series,
    scores: pd.DataFrame,
    pupils: pd.DataFrame,
    has_reference: pd.Series,
) -> pd.DataFrame:
    """All flows of a cohort in one table; see :func:`plneval.prepare.flow.chain` for its columns.

    Schools (outcome ''): register to analysed. Schools, by outcome: register, those with the outcome, those analysed,
    those with the outcome before joining, those that have it in all its years. Pupils: register to analysed. Scores, by
    outcome: read, usable, in an analysed school, standardised.

    Parameters
    ----------
    has_reference
        Whether a row of ``scores`` was standardised; False for rows that did not come so far.
    """
    chains = [chain("schools", "", "in the register", membership["arm"], _school_steps(status))]
    arm = scores["school"].map(membership["arm"])
    fate = scores["school"].map(status)
    for name in cohort.outcomes:
        of_outcome = scores["outcome"] == name
        chains.append(
            chain(
                "schools",
                name,
                "in the register",
                membership["arm"],
                _outcome_steps(cohort, name, membership, status, scores.loc[of_outcome]),
            )
        )
        steps = _score_steps(scores.loc[of_outcome], fate[of_outcome], has_reference[of_outcome])
        chains.append(chain("scores", name, "read", arm[of_outcome], steps))
    if cohort.study.level == "pupil":
        chains.append(_pupil_chain(membership, pupils, scores, fate, has_reference))
    return assemble(chains)


def complete_schools(scores: pd.DataFrame, cohort: Cohort) -> dict[str, pd.Index]:
    """Schools of the register that have an outcome in all its years, by outcome."""
    good = scores.loc[usable(scores)]
    found = {}
    for name in cohort.outcomes:
        years = good.loc[good["outcome"] == name].groupby("school")["year"].nunique()
        found[name] = years.index[years == len(cohort.years_of(name))]
    return found


def _school_steps(status: pd.Series) -> list[Step]:
    return [Step(SCHOOL_STAGES[word], text, status != word) for word, text in SCHOOL_REASONS.items()]


def _outcome_steps(
    cohort: Cohort, name: str, membership: pd.DataFrame, status: pd.Series, scores: pd.DataFrame
) -> list[Step]:
    good = scores.loc[usable(scores)]
    first = good.groupby("school")["year"].min().reindex(membership.index)
    late = (first >= membership["entry_year"]).fillna(False).astype(bool)
    complete = complete_schools(scores, cohort)[name]
    index = membership.index
    excluded = [
        Step(SCHOOL_STAGES[word], text, status != word) for word, text in SCHOOL_REASONS.items() if word != "no_outcome"
    ]
    return [
        Step("with the outcome", "outcome in no year", pd.Series(first.notna(), index=index)),
        *excluded,
        Step("outcome before joining", "outcome only after joining", ~late),
        Step("outcome in all its years", "outcome missing in some year", pd.Series(index.isin(complete), index=index)),
    ]


def _score_steps(scores: pd.DataFrame, fate: pd.Series, has_reference: pd.Series) -> list[Step]:
    records = [Step(stage, reason, scores[flag]) for flag, (stage, reason) in RECORD_STEPS.items()]
    schools = [
        Step(f"school: {SCHOOL_STAGES[word]}", f"school: {text}", fate != word)
        for word, text in SCHOOL_REASONS.items()
        if word != "no_reference"
    ]
    last = Step(
        "analysed",
        "fewer than two not-yet-joined pupils (schools) of that year and grade, or no variance",
        has_reference,
    )
    return [*records, *schools, last]


def _pupil_chain(
    membership: pd.DataFrame,
    pupils: pd.DataFrame,
    scores: pd.DataFrame,
    fate: pd.Series,
    has_reference: pd.Series,
) -> pd.DataFrame:
    # ASSUME: a pupil who changes school is counted in the arm of the first school.
    first = pupils.drop_duplicates("pupil").set_index("pupil")["first_school"]
    everyone = pd.Series(first.index, index=first.index)
    good = usable(scores)
    steps = [
        Step("with a score", "no score in any year", everyone.isin(scores.loc[good, "pupil"])),
        Step(
            "in an analysed school",
            "only in schools that are not analysed",
            everyone.isin(scores.loc[good & fate.isin(["analysed", "no_reference"]), "pupil"]),
        ),
        Step("analysed", "no score that can be standardised", everyone.isin(scores.loc[has_reference, "pupil"])),
    ]
    return chain("pupils", "", "in the register", first.map(membership["arm"]), steps)
