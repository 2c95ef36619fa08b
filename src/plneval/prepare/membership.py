"""Membership spells turned into the years that count: entry, exit, return, left-censoring."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from plneval.config.cohort import Cohort


@dataclass(frozen=True)
class Calendar:
    """How dates fall into study years (a study year is named after the calendar year in which it ends)."""

    first_year: int
    last_year: int
    first_outcome_year: int
    year_start: int
    """First day of the school year as 100 × month + day."""
    cutoff: int
    """Last day on which joining counts for the running school year, as 100 × month + day."""

    @classmethod
    def of(cls, cohort: Cohort) -> Calendar:
        """The calendar that a cohort declares."""
        study = cohort.study
        return cls(
            first_year=study.first_year,
            last_year=study.last_year,
            first_outcome_year=study.outcome_years[0],
            year_start=_month_day(study.school_year_start),
            cutoff=_month_day(cohort.design.join_cutoff),
        )

    def year_of(self, dates: pd.Series) -> pd.Series:
        """Study year in which each date falls (Int64)."""
        starts_next = _month_days(dates) >= self.year_start
        # A school year that starts on the first of January ends in the year in which it starts.
        shift = starts_next.astype("Int64") * int(self.year_start != 101)
        years: pd.Series = dates.dt.year.astype("Int64") + shift
        return years

    def is_late(self, dates: pd.Series) -> pd.Series:
        """Whether each date lies after the cut-off of its school year (boolean; missing dates give False)."""
        position = _month_days(dates)
        position = position.where(position >= self.year_start, position + 1200)
        cutoff = self.cutoff if self.cutoff >= self.year_start else self.cutoff + 1200
        return (position > cutoff).fillna(False).astype(bool)

    def counts_from(self, dates: pd.Series) -> pd.Series:
        """First study year for which joining (or leaving) on each date counts (Int64).

        A school is a member of a year when it is one on that school year's cut-off: joining after it counts for the
        next year, and leaving after it leaves the running year a year of membership.
        """
        return self.year_of(dates) + self.is_late(dates).astype("Int64")


def spells(memberships: pd.DataFrame, calendar: Calendar, declared_entry: set[int]) -> pd.DataFrame:
    """Study years of every membership spell.

    Parameters
    ----------
    memberships
        Numbered memberships: school, network, teacher_id, joined, left, entry_unknown.
    declared_entry
        Entry years that the cohort declares for schools that were members when observation began.

    Returns
    -------
    pandas.DataFrame
        school, network, teacher_id, joined, entry (first year), exit (first year after; missing for an open spell),
        late (joined after the cut-off), unknown (entry not observed and not declared), uncertain (entry declared, not
        observed); in the order of joined, network, school.
    """
    unobserved = memberships["entry_unknown"].fillna(False).astype(bool)
    entry = calendar.counts_from(memberships["joined"])
    declared = entry.isin(sorted(declared_entry))
    found = pd.DataFrame(
        {
            "school": memberships["school"],
            "network": memberships["network"],
            "teacher_id": memberships["teacher_id"],
            "joined": memberships["joined"],
            "entry": entry,
            # ASSUME: like joining, leaving by the cut-off ends membership before the running year, leaving later after.
            "exit": calendar.counts_from(memberships["left"]),
            "late": calendar.is_late(memberships["joined"]),
            "unknown": unobserved & ~declared,
            "uncertain": unobserved & declared,
        }
    )
    return found.sort_values(["joined", "network", "school"], kind="stable", ignore_index=True)


def member_years(school_spells: pd.DataFrame, calendar: Calendar) -> pd.DataFrame:
    """Study years in which a school is a member of some network, itself or through a teacher: school, year."""
    first = school_spells["entry"].clip(lower=calendar.first_year)
    last = (school_spells["exit"] - 1).fillna(calendar.last_year).clip(upper=calendar.last_year)
    pairs = {
        (int(school), year)
        for school, start, end in zip(school_spells["school"], first, last, strict=True)
        for year in range(int(start), int(end) + 1)
    }
    return pd.DataFrame(sorted(pairs), columns=["school", "year"], dtype="int64")


def school_membership(school_spells: pd.DataFrame, calendar: Calendar, schools: pd.Series) -> pd.DataFrame:
    """One row for each school of the register: when it took part.

    Parameters
    ----------
    school_spells
        Result of :func:`spells`.
    schools
        Numbers of all schools of the register.

    Returns
    -------
    pandas.DataFrame
        Indexed by school: arm, network (the first one), entry_year, exit_year, ever_left, returned, late_joiner,
        entry_uncertain, left_censored, joins_after_study. Schools whose entry lies after the last study year are
        comparison schools; entry_year, exit_year and network are missing for comparison schools.
    """
    index = pd.Index(schools, name="school")
    # ASSUME: a school's first network is the one it joined first; of two on one day, the first in the register.
    first = school_spells.sort_values(["joined", "network"], kind="stable").groupby("school").first().reindex(index)
    by_school = school_spells.groupby("school")
    entry = by_school["entry"].min().reindex(index).astype("Int64")
    after = (entry > calendar.last_year).fillna(False).astype(bool)
    member = entry.notna() & ~after
    open_end = school_spells["exit"].isna().groupby(school_spells["school"]).any().reindex(index, fill_value=False)
    exit_year = by_school["exit"].max().reindex(index).astype("Int64")
    # A spell that begins after one cut-off and ends by the next makes a joiner without a year of membership.
    exit_year = exit_year.where(exit_year >= entry, entry).where(~open_end)
    exit_year = exit_year.where(member & (exit_year <= calendar.last_year))
    grid = _grid(member_years(school_spells, calendar), entry.where(member), calendar)
    earliest = school_spells["entry"] == school_spells["school"].map(entry)
    unknown = _any_of(school_spells, school_spells["unknown"] & earliest, index)
    before = (entry < calendar.first_outcome_year).fillna(False).astype(bool)
    return pd.DataFrame(
        {
            "arm": member.map({True: "member", False: "comparison"}).astype("str"),
            "network": first["network"].astype("Int64").where(member),
            "entry_year": entry.where(member),
            "exit_year": exit_year,
            "ever_left": grid["ever_left"].reindex(index, fill_value=False) & member,
            "returned": grid["returned"].reindex(index, fill_value=False) & member,
            "late_joiner": _any_of(school_spells, school_spells["late"] & earliest, index) & member,
            "entry_uncertain": _any_of(school_spells, school_spells["uncertain"] & earliest, index) & member,
            "left_censored": member & (before | unknown),
            "joins_after_study": after,
        },
        index=index,
    )


def _grid(years: pd.DataFrame, entry: pd.Series, calendar: Calendar) -> pd.DataFrame:
    """Whether a school is out of membership after its entry, and whether it is back after being out."""
    joined = entry.dropna().astype("int64")
    rows = []
    members = years.groupby("school")["year"].agg(set).to_dict()
    for school, start in joined.items():
        inside = members.get(school, set())
        out = [y for y in range(max(start, calendar.first_year), calendar.last_year + 1) if y not in inside]
        rows.append((school, bool(out), bool(out) and any(year > out[0] for year in inside)))
    return pd.DataFrame(rows, columns=["school", "ever_left", "returned"]).set_index("school")


def _any_of(school_spells: pd.DataFrame, condition: pd.Series, index: pd.Index) -> pd.Series:
    found = school_spells.loc[condition.fillna(False).astype(bool), "school"]
    return pd.Series(index.isin(found), index=index)


def _month_day(text: str) -> int:
    month, day = text.split("-")
    return 100 * int(month) + int(day)


def _month_days(dates: pd.Series) -> pd.Series:
    days: pd.Series = (100 * dates.dt.month + dates.dt.day).astype("Int64")
    return days
