"""What every measure of networks is made from: canonical tables with numbers in place of identifiers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from plneval.artifacts import read_table
from plneval.config.cohort import Cohort
from plneval.prepare.membership import Calendar, spells
from plneval.prepare.numbering import numbered, numbering

TABLES = (
    "schools",
    "school_years",
    "networks",
    "memberships",
    "activity",
    "teachers",
    "pupils",
    "teaching",
    "surveys",
    "ties",
    "products",
    "other_memberships",
)
_TEACHER_COLUMNS = (
    ("teachers", "teacher_id"),
    ("memberships", "teacher_id"),
    ("teaching", "teacher_id"),
    ("activity", "teacher_id"),
    ("ties", "source"),
    ("ties", "target"),
)
"""Columns with teachers, in the order in which teachers get their numbers."""


@dataclass(frozen=True)
class StudyTables:
    """One cohort's tables; schools, networks, pupils and teachers are numbered from 1 as in prepare.

    Attributes
    ----------
    calendar : how dates fall into study years.
    schools : prepare's ``schools.parquet`` (school, area, network, arm, entry_year, status, latitude, longitude …).
    networks : network and its description.
    spells : study years of every membership spell of a school or teacher: school, network, teacher (missing for the
        school's own), joined, entry, exit (first year after, missing for an open spell), late, unknown, uncertain,
        role.
    activity : network, event_id, school, teacher, date, hours, year (study year of the date).
    teachers : staff register by year: teacher, year, school, role; empty where the cohort has none.
    pupils, teaching, ties, school_years, surveys : canonical tables; the ends of a tie are ``source`` and ``target``.
        Surveys hold no respondent.
    products : what networks made, a row a time of asking: network, product_id, year, kind, used, improved.
    other_spells : study years of every spell in a network or programme outside the evaluated one: school, programme,
        joined, entry, exit (as in ``spells``).
    rejections : the ledger's rejected records: table, file, row, column, rule.
    known_teachers : numbers of teachers that stand in the staff register or in a membership.
    numbers : number of each identifier, by kind ('school', 'network', 'pupil', 'teacher').
    """

    cohort: Cohort
    calendar: Calendar
    schools: pd.DataFrame
    networks: pd.DataFrame
    spells: pd.DataFrame
    activity: pd.DataFrame
    teachers: pd.DataFrame
    pupils: pd.DataFrame
    school_years: pd.DataFrame
    teaching: pd.DataFrame
    surveys: pd.DataFrame
    ties: pd.DataFrame
    products: pd.DataFrame
    other_spells: pd.DataFrame
    rejections: pd.DataFrame
    known_teachers: frozenset[int]
    numbers: dict[str, pd.Series]

    def with_numbers(self, table: pd.DataFrame) -> pd.DataFrame:
        """A table with numbers in place of its school_id, network_id, pupil_id and teacher_id; no respondent_id."""
        return _with_numbers(table, self.numbers).drop(columns="respondent_id", errors="ignore")

    @property
    def years(self) -> list[int]:
        """Study years, in order."""
        return list(range(self.calendar.first_year, self.calendar.last_year + 1))

    @property
    def teacher_spells(self) -> pd.DataFrame:
        """Spells of named teachers."""
        return self.spells.loc[self.spells["teacher"].notna()]


def read_study_tables(cohort: Cohort, tables: Path, panel: Path) -> StudyTables:
    """Read what ingest and prepare wrote.

    Parameters
    ----------
    tables
        Folder of ingest (``<table>.parquet``, ``ledger.parquet``).
    panel
        Folder of prepare (``schools.parquet``).
    """
    found = {name: read_table(tables / f"{name}.parquet") for name in TABLES}
    return number_study_tables(
        cohort, found, read_table(panel / "schools.parquet"), read_table(tables / "ledger.parquet")
    )


def number_study_tables(
    cohort: Cohort, tables: dict[str, pd.DataFrame], schools: pd.DataFrame, rejections: pd.DataFrame | None = None
) -> StudyTables:
    """Put numbers in place of identifiers: the numbers of prepare, so that results can be joined to its panels.

    Teachers are numbered in the order in which they first appear in the staff register, then in the other tables;
    ingest wrote all of them in the order of their raw keys, so the key of the hashes changes no number.

    Parameters
    ----------
    tables
        Canonical tables (``TABLES``), as ingest wrote them; not changed.
    schools
        Prepare's ``schools.parquet``.
    rejections
        The ledger's rejected records; none when left out.
    """
    numbers = {
        "school": numbering(tables["schools"]["school_id"]),
        "network": numbering(tables["networks"]["network_id"]),
        "pupil": numbering(tables["pupils"]["pupil_id"]),
        "teacher": numbering(pd.concat([tables[name][column] for name, column in _TEACHER_COLUMNS]).dropna()),
    }
    found = {name: _with_numbers(tables[name], numbers) for name in TABLES}
    for end in ("source", "target"):
        found["ties"][end] = numbered(found["ties"][end], numbers["teacher"], "teacher")
    calendar = Calendar.of(cohort)
    activity = found["activity"]
    activity["year"] = calendar.year_of(activity["date"])
    named = found["memberships"]["teacher"].dropna()
    known = pd.concat([found["teachers"]["teacher"], named]).dropna()
    return StudyTables(
        cohort=cohort,
        calendar=calendar,
        schools=schools,
        networks=found["networks"],
        spells=_spells(found["memberships"], cohort, calendar),
        activity=activity,
        teachers=found["teachers"],
        pupils=found["pupils"],
        school_years=found["school_years"],
        teaching=found["teaching"],
        surveys=found["surveys"].drop(columns="respondent_id", errors="ignore"),
        ties=found["ties"],
        products=found["products"],
        other_spells=_other_spells(found["other_memberships"], calendar),
        rejections=_no_rejections() if rejections is None else rejections,
        known_teachers=frozenset(int(number) for number in known),
        numbers=numbers,
    )


def _with_numbers(table: pd.DataFrame, numbers: dict[str, pd.Series]) -> pd.DataFrame:
    table = table.copy()
    for kind, register in numbers.items():
        if f"{kind}_id" in table:
            table[kind] = numbered(table.pop(f"{kind}_id"), register, kind)
    return table


def _spells(memberships: pd.DataFrame, cohort: Cohort, calendar: Calendar) -> pd.DataFrame:
    """Prepare's spells with teachers' numbers and roles; spells that hold no study year are left in (exit = entry)."""
    declared = {
        source.status.first_year_entry
        for source in cohort.sources.get("memberships", [])
        if source.status is not None and source.status.first_year_entry is not None
    }
    table = memberships.assign(teacher_id=memberships["teacher"])
    found = spells(table, calendar, declared).rename(columns={"teacher_id": "teacher"})
    key = ["network", "school", "teacher", "joined"]
    return found.merge(memberships[[*key, "role"]], on=key, how="left", validate="one_to_one")


def _other_spells(others: pd.DataFrame, calendar: Calendar) -> pd.DataFrame:
    """Study years of spells in other programmes, by the rule of memberships."""
    rows = others.assign(entry=calendar.counts_from(others["joined"]), exit=calendar.counts_from(others["left"]))
    kept = rows[["school", "programme", "joined", "entry", "exit"]]
    return kept.sort_values(["joined", "school", "programme"], kind="stable", ignore_index=True)


def _no_rejections() -> pd.DataFrame:
    columns = {"table": "str", "file": "str", "row": "int64", "column": "str", "rule": "str"}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in columns.items()})
