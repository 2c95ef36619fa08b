"""Dates of school years, and which years a study's schools can join in."""

from __future__ import annotations

import datetime as dt

from plneval.config.cohort import Study
from plneval.errors import UserError


def start_of(study: Study, year: int) -> dt.date:
    """First day of a school year; the year is the calendar year in which it ends."""
    month, day = (int(part) for part in study.school_year_start.split("-"))
    calendar_year = year if (month, day) == (1, 1) else year - 1
    return dt.date(calendar_year, month, min(day, 28) if month == 2 else day)


def joining_day(study: Study, year: int, late: bool = False) -> dt.date:
    """A day in a school year on which schools join; late ones join in its second half.

    # ASSUME: Late joining lies about six and a half months into the year (15 March when it starts in September), after
    # any cutoff in its first half.
    """
    return start_of(study, year) + dt.timedelta(days=195 if late else 14)


def leaving_day(study: Study, year: int) -> dt.date:
    """A day near the end of a school year on which schools and teachers leave."""
    return start_of(study, year + 1) - dt.timedelta(days=45)


def year_label(year: int) -> str:
    """A school year as 2016/17."""
    return f"{year - 1}/{year % 100:02d}"


def entry_years(study: Study) -> list[int]:
    """Up to four years in which schools join, with outcomes before them and in the third year of participation.

    Raises
    ------
    UserError
        If the study is too short for a third year of participation.
    """
    outcome_years = study.outcome_years
    candidates: list[int] = []
    # Two outcome years before joining where the study has room for it, otherwise one.
    for before in (2, 1):
        if not candidates and len(outcome_years) > before:
            candidates = list(range(outcome_years[before - 1] + 1, outcome_years[-1] - 1))
    if not candidates:
        raise UserError(
            f"study: {study.first_year} to {study.last_year} with {len(outcome_years)} outcome years is too short to "
            "simulate: an outcome year before joining and one in the third year of participation are needed. "
            "Add study years."
        )
    if len(candidates) <= 4:
        return candidates
    last = len(candidates) - 1
    return [candidates[round(last * step / 3)] for step in range(4)]
