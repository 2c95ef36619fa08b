"""Membership as a status of every year, turned into dated spells."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pandas as pd

from plneval.config.cohort import Study
from plneval.config.sources import StatusColumn
from plneval.ingest.tables import CONTRACTS, Column, Table

OBSERVATIONS = Table(
    "memberships",
    (
        Column("school_id", "school", required=True, key=True),
        Column("year", "year", required=True, key=True),
        Column("status", "word"),
        Column("network_id", "network", derived=True),
    ),
    registers=("school_id",),
)
"""What a status column gives: the status of a school in a year, and the network that it means (missing for none)."""


@dataclass(frozen=True)
class Spells:
    """Spells of membership and what was assumed in making them.

    Attributes
    ----------
    frame : rows of the memberships table.
    gap_filled : school-years that no file covers and that count as membership.
    entered_in_gap : spells whose first observed year follows a year that no file covers.
    unlisted : school-years in which a school that was a member before is not listed; they count as not a member.
    """

    frame: pd.DataFrame
    gap_filled: int
    entered_in_gap: int
    unlisted: int


def school_year_bounds(year: int, study: Study) -> tuple[dt.datetime, dt.datetime]:
    """First and last day of the school year that ends in ``year``."""
    month, day = (int(part) for part in study.school_year_start.split("-"))
    # ASSUME: a school year that starts on 1 January ends in the same calendar year.
    start_year = year if (month, day) == (1, 1) else year - 1
    start = dt.datetime(start_year, month, min(day, 28) if month == 2 else day)
    following = start.replace(year=start_year + 1)
    return start, following - dt.timedelta(days=1)


def networks_of(status: pd.Series, rule: StatusColumn) -> pd.Series:
    """The network that each status means; missing where it means none."""
    return status.map(rule.members).astype("str")


def spells_from_status(observations: pd.DataFrame, first_year_entry: int | None, study: Study) -> Spells:
    """Turn the statuses of schools over years into dated spells.

    Parameters
    ----------
    observations : school_id, year, network_id; one row a school and year.
    first_year_entry : study year in which members of the first covered year count as having joined, where declared.
    study : says on which day a school year starts.

    Returns
    -------
    One spell for each run of member years. A run goes over years that no file covers, and ends before a covered year in
    which the school has another status, none, or is not listed. ``joined`` is the first day of the first member school
    year, ``left`` the last day of the last one; it is missing where that year is the last that the files cover.

    Spells that are there in the first covered year began at an unknown time: ``entry_unknown`` is True for them, also
    where ``first_year_entry`` declares the year in which they count as having joined.
    """
    # ASSUME: a school that is not listed in a year whose file is there was no member in that year.
    covered = sorted(int(year) for year in observations["year"].unique())
    position = {year: place for place, year in enumerate(covered)}
    members = observations.loc[observations["network_id"].notna(), ["network_id", "school_id", "year"]]
    members = members.sort_values(["network_id", "school_id", "year"], kind="stable")
    listed = set(zip(observations["school_id"], observations["year"].astype(int), strict=True))
    runs: list[tuple[str, str, int, int]] = []
    for network, school, year in zip(members["network_id"], members["school_id"], members["year"], strict=True):
        last = runs[-1] if runs else None
        if last and last[:2] == (network, school) and position[int(year)] == position[last[3]] + 1:
            runs[-1] = (network, school, last[2], int(year))
        else:
            runs.append((network, school, int(year), int(year)))
    gap_filled = sum((last - first + 1) - (position[last] - position[first] + 1) for _, _, first, last in runs)
    rows = [_spell(run, covered, first_year_entry, study) for run in runs]
    entered_in_gap = sum(first != covered[0] and first - 1 not in position for _, _, first, _ in runs)
    unlisted = sum(
        last != covered[-1] and (school, covered[position[last] + 1]) not in listed for _, school, _, last in runs
    )
    contract = CONTRACTS["memberships"]
    frame = pd.DataFrame(rows, columns=["network_id", "school_id", "joined", "left", "entry_unknown"])
    for column in contract.columns:
        if column.name not in frame:
            frame[column.name] = pd.Series([None] * len(frame), dtype=column.dtype)
    typed = frame[[c.name for c in contract.columns]].astype({c.name: c.dtype for c in contract.columns})
    return Spells(typed, gap_filled, entered_in_gap, unlisted)


def _spell(
    run: tuple[str, str, int, int], covered: list[int], first_year_entry: int | None, study: Study
) -> tuple[str, str, dt.datetime, dt.datetime | None, bool]:
    network, school, first, last = run
    from_start = first == covered[0]
    entry = first_year_entry if from_start and first_year_entry is not None else first
    joined = school_year_bounds(entry, study)[0]
    left = None if last == covered[-1] else school_year_bounds(last, study)[1]
    return network, school, joined, left, from_start
