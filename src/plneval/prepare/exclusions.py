"""Which schools can be analysed, why the others cannot, and when a study cannot be analysed at all."""

from __future__ import annotations

import pandas as pd

from plneval.config.cohort import Cohort
from plneval.config.yaml_source import Location
from plneval.errors import UserError, UserErrors
from plneval.ingest.places import CohortFile
from plneval.prepare.membership import Calendar
from plneval.prepare.scores import usable

SCHOOL_REASONS = {
    "left_censored": "member before the first outcome year, or entry not observed",
    "no_outcome": "no outcome in any year",
    "no_outcome_before_joining": "no outcome before joining",
    "no_reference": "no outcome that can be standardised",
}
"""Reasons for excluding a school, in the order in which they are applied; the word stands in ``schools.status``."""


SCHOOLS: Location = ("sources", "schools")
MEMBERSHIPS: Location = ("sources", "memberships")


def school_status(membership: pd.DataFrame, scores: pd.DataFrame) -> pd.Series:
    """Say for every school of the register whether it is analysed.

    Parameters
    ----------
    membership
        Result of :func:`plneval.prepare.membership.school_membership`.
    scores
        Result of :func:`plneval.prepare.scores.pupil_scores` or ``school_scores``.

    Returns
    -------
    pandas.Series
        Indexed by school: 'analysed' or a key of ``SCHOOL_REASONS``.
    """
    first_seen = scores.loc[usable(scores)].groupby("school")["year"].min().reindex(membership.index)
    status = pd.Series("analysed", index=membership.index, dtype="str")
    joined_first = (membership["entry_year"] <= first_seen).fillna(False).astype(bool)
    status[joined_first] = "no_outcome_before_joining"
    status[first_seen.isna()] = "no_outcome"
    status[membership["left_censored"]] = "left_censored"
    return status


def check_scores(scores: pd.DataFrame, cohort: Cohort, place: CohortFile) -> None:
    """Refuse outcomes without scores or variance, and declared years without scores.

    Raises
    ------
    UserErrors
        With one line for each mistake.
    """
    problems: list[UserError] = []
    good = scores.loc[usable(scores)]
    for name in cohort.outcomes:
        found = good.loc[good["outcome"] == name]
        records = scores["outcome"] == name
        if found.empty:
            problems.append(
                place.error(
                    ("outcomes", name),
                    f"no score can be used ({int(records.sum())} records were read, "
                    f"{int((records & scores['scored']).sum())} with a score, "
                    f"{int((records & scores['declared']).sum())} in a declared outcome year). Map its column under "
                    f"sources.outcomes, or take the outcome and its models out of this file.",
                )
            )
        elif found["score"].nunique() == 1:
            problems.append(
                place.error(
                    ("outcomes", name),
                    f"all {len(found)} scores are equal, so nothing can be estimated. "
                    f"Check the column that sources.outcomes maps to it.",
                )
            )
    if problems:
        raise UserErrors(problems)
    empty = [year for year in cohort.study.outcome_years if not (good["year"] == year).any()]
    if empty:
        years = ", ".join(map(str, empty))
        # The first or last years are missing: the study is declared too long; years within it: no tests, or no file.
        problems.append(
            place.error(
                ("study",),
                f"no outcome has a score in {years}. If there were no tests, list "
                f"{'it' if len(empty) == 1 else 'them'} under study.missing_outcome_years; if the study is shorter, "
                f"change study.first_year or study.last_year; if there were tests, check the files and the year rule "
                f"under sources.outcomes.",
            )
        )
    for name in cohort.outcomes:
        seen = set(good.loc[good["outcome"] == name, "year"])
        gaps = [year for year in cohort.years_of(name) if year not in seen and year not in empty]
        if gaps:
            problems.append(
                place.error(
                    ("outcomes", name, "years"),
                    f"no score in {', '.join(map(str, gaps))}, where it is expected. List the years in which it was "
                    f"measured under outcomes.{name}.years ({', '.join(map(str, sorted(seen)))}), or check the columns "
                    f"mapped for {'that year' if len(gaps) == 1 else 'those years'}.",
                )
            )
    if problems:
        raise UserErrors(problems)


def check_schools(membership: pd.DataFrame, status: pd.Series, calendar: Calendar, place: CohortFile) -> None:
    """Refuse a study that has nobody to compare.

    Raises
    ------
    UserError
        If there is a single school, or no member or comparison school is left.
    """
    total = len(status)
    if total == 1:
        raise place.error(
            SCHOOLS,
            "the register holds one single school; an evaluation needs member schools and comparison schools. "
            "Check the files named here.",
        )
    analysed = status == "analysed"
    for arm, other in (("member", "comparison"), ("comparison", "member")):
        of_arm = membership["arm"] == arm
        if (of_arm & analysed).any():
            continue
        if not of_arm.any():
            raise place.error(*_nobody_declared(arm, total, calendar))
        counts = status[of_arm].value_counts()
        why = "; ".join(f"{counts[word]}: {text}" for word, text in SCHOOL_REASONS.items() if word in counts)
        raise place.error(
            SCHOOLS if arm == "comparison" else MEMBERSHIPS,
            f"no {arm} school is left to compare with the {other} schools: of the {int(of_arm.sum())} {arm} schools of "
            f"the register none can be used ({why}). {_remedy(arm, counts, calendar)}",
        )
    if int(analysed.sum()) < 3:
        raise place.error(
            SCHOOLS,
            f"only {int(analysed.sum())} schools are left ({int(total)} in the register), one in each arm; "
            f"no standard error can be given. Add schools to the comparison.",
        )


def _nobody_declared(arm: str, total: int, calendar: Calendar) -> tuple[Location, str]:
    if arm == "comparison":
        return (
            SCHOOLS,
            f"all {total} schools of the register join a network by {calendar.last_year}, so no comparison school is "
            f"left. Add schools that never join to the files named here.",
        )
    return (
        MEMBERSHIPS,
        f"none of the {total} schools of the register joins a network by {calendar.last_year}, so there is no member "
        f"school. Check the columns mapped to joined and school_id, or the member values of the status.",
    )


def _remedy(arm: str, counts: pd.Series, calendar: Calendar) -> str:
    if arm == "member" and {"left_censored", "no_outcome_before_joining"} & set(counts.index):
        return (
            f"No outcome year lies before any entry: add outcomes of years before {calendar.first_outcome_year}, or "
            f"members that join later."
        )
    return "Check that school_id is written alike in the outcomes and in the schools files."
