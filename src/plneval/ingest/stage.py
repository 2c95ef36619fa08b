"""ingest: raw files to typed canonical tables, and the ledger of every rejected row and why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from plneval.artifacts import write_json, write_table
from plneval.config.cohort import Cohort
from plneval.config.sources import TABLES, Source, StatusColumn
from plneval.config.yaml_source import YamlSource
from plneval.errors import UserError, UserErrors, did_you_mean
from plneval.ingest.keys import settle_duplicates, tell_pupils_apart
from plneval.ingest.ledger import Ledger
from plneval.ingest.places import CohortFile
from plneval.ingest.pseudonyms import KEY_VARIABLE, Pseudonyms, identifier_key
from plneval.ingest.reading import Reading
from plneval.ingest.records import Records, together
from plneval.ingest.rules import Registers, apply_rules
from plneval.ingest.spells import OBSERVATIONS, Spells, networks_of, spells_from_status
from plneval.ingest.tables import CONTRACTS, READING_ORDER, contract_for, empty_table, fulfil


@dataclass(frozen=True)
class Count:
    """What happened to the records of one table."""

    table: str
    read: int
    kept: int
    rejected: int
    merged: int
    by_rule: dict[str, int]


@dataclass(frozen=True)
class CheckResult:
    """What a cohort's files hold.

    Attributes
    ----------
    counts : one entry for each table that has sources.
    warnings : sentences about what was recognised, assumed or rejected; no identifier and no value.
    tables : the canonical tables with raw identifiers, for checks of what they make together.
    """

    counts: list[Count]
    warnings: list[str]
    tables: dict[str, pd.DataFrame]


@dataclass
class Tables:
    """Canonical tables with raw identifiers, in the order of their raw keys."""

    frames: dict[str, pd.DataFrame]
    ledger: Ledger
    files: list[dict[str, Any]]


def ingest(cohort: Cohort, name: str, data_folder: Path, out: Path, source: YamlSource | None = None) -> None:
    """Read a cohort's raw files and write its canonical tables and the ledger.

    Parameters
    ----------
    cohort : the cohort's configuration.
    name : the cohort's name; part of the default key of pseudonyms.
    data_folder : folder of the raw files.
    out : folder to write ``<table>.parquet`` (every canonical table, empty where the cohort has no source of it),
        ``ledger.parquet``, ``ledger.json`` and ``sources.json`` into.
    source : the cohort's file as it was read, so that messages carry lines.

    Raises
    ------
    UserError
        If a file, a column or a declaration is wrong; all mistakes of the configuration that show are named at once.
        Wrong rows are no errors: they are rejected and stand in the ledger.
    """
    tables = load(cohort, name, Path(data_folder), source)
    key, is_default = identifier_key(name)
    if is_default:
        tables.ledger.note(
            "default_key",
            "",
            1,
            f"{KEY_VARIABLE} is not set: identifiers are replaced with a key that the cohort's name gives away.",
        )
    pseudonyms = Pseudonyms(key)
    for table in TABLES:
        write_table(out / f"{table}.parquet", pseudonyms.apply(tables.frames[table], CONTRACTS[table]))
    write_table(out / "ledger.parquet", tables.ledger.frame())
    write_json(out / "ledger.json", tables.ledger.summary())
    write_json(out / "sources.json", {"files": tables.files})


def check(cohort: Cohort, name: str, data_folder: Path, source: YamlSource | None = None) -> CheckResult:
    """Read and check a cohort's raw files as :func:`ingest` does, and write nothing.

    Raises
    ------
    UserError
        As :func:`ingest`.
    """
    tables = load(cohort, name, Path(data_folder), source)
    ledger = tables.ledger
    counts = [
        Count(
            table,
            read=ledger.total(table, "read"),
            kept=ledger.total(table, "kept"),
            rejected=ledger.total(table, "rejected"),
            merged=ledger.total(table, "merged"),
            by_rule=ledger.rejected_by_rule(table),
        )
        for table in TABLES
        if table in ledger.counts
    ]
    warnings = [
        f"{count.table}: {number:,} record{'s' * (number != 1)} rejected by {rule} "
        f"({_first(ledger, count.table, rule)})"
        for count in counts
        for rule, number in count.by_rule.items()
    ]
    warnings += [f"{note.table}: {note.text}" if note.table else note.text for note in ledger.notes]
    if identifier_key(name)[1]:
        warnings.append(f"{KEY_VARIABLE} is not set: pseudonyms will use a key that the cohort's name gives away")
    return CheckResult(counts, warnings, tables.frames)


def _first(ledger: Ledger, table: str, rule: str) -> str:
    """Where to look: the first record of a table that a rule rejected."""
    found = ledger.rejections[table]
    of_rule = found.loc[found["rule"] == rule].sort_values(["file", "row"], kind="stable").iloc[0]
    column = f", column {of_rule['column']}" if of_rule["column"] else ""
    return f"first: {of_rule['file']}, row {of_rule['row']}{column}"


def load(cohort: Cohort, name: str, data_folder: Path, source: YamlSource | None = None) -> Tables:
    """Read, check and sort all tables, with raw identifiers; see :func:`ingest`."""
    reading = Reading(cohort, data_folder, CohortFile.of(name, source))
    ledger = Ledger()
    registers = Registers()
    frames: dict[str, pd.DataFrame] = {}
    for table in READING_ORDER:
        found = reading.records(table)
        # After a mistake the other tables are still read for theirs, and nothing else is done with them.
        if reading.problems:
            continue
        frames[table] = _settle(table, found, reading, ledger, registers)
        _enter_register(table, frames[table], cohort, registers)
    reading.give_up_on_problems()
    _refuse_empty_tables(cohort, ledger, reading.place)
    _note_encodings(reading, ledger)
    for table, frame in frames.items():
        fulfil(frame, contract_for(table, cohort.study.level))
    return Tables(frames, ledger, reading.files)


def _settle(
    table: str, found: list[tuple[Source, int, Records]], reading: Reading, ledger: Ledger, registers: Registers
) -> pd.DataFrame:
    """Apply every rule to a table's records, enter them in the ledger, and return what is kept, sorted."""
    contract = contract_for(table, reading.cohort.study.level)
    plain = [records for source, _, records in found if source.status is None]
    observed = [(source.status, position, records) for source, position, records in found if source.status is not None]
    parts = []
    if observed:
        parts.append(_spells(observed, reading, ledger, registers))
    if plain:
        records = together(plain)
        keep = next(source.keep for source, _, _ in found if source.status is None)
        apply_rules(records, contract, reading.cohort, registers)
        chosen = settle_duplicates(records, contract, keep)
        ledger.note(
            "merged_by_key",
            table,
            chosen,
            f"{chosen:,} records of keys that stand more than once were merged into the {keep} one (keep: {keep}).",
        )
        if table == "pupils":
            registers.pupils = tell_pupils_apart(records, reading.cohort.design.pupil_identity)
            number = registers.pupils.recycled
            ledger.note(
                "recycled_identifier",
                table,
                number,
                f"{number:,} pupil numbers were given to more than one pupil, told apart by "
                f"{', '.join(reading.cohort.design.pupil_identity)}.",
            )
            _note_movers(records.kept(), ledger)
        ledger.add(table, records)
        parts.append(records.kept())
    frame = pd.concat(parts, ignore_index=True) if parts else empty_table(contract)
    if table in ("memberships", "other_memberships"):
        _note_late_joining(table, frame, reading.cohort, ledger)
    return frame.sort_values(contract.key, kind="stable", na_position="first", ignore_index=True)


def _spells(
    observed: list[tuple[StatusColumn, int, Records]], reading: Reading, ledger: Ledger, registers: Registers
) -> pd.DataFrame:
    """Spells from the status columns of all sources together; the observations stand in the ledger."""
    cohort = reading.cohort
    problems = []
    for status, position, records in observed:
        records.frame["network_id"] = networks_of(records.frame["status"], status)
        problems += _unknown_members(status, position, records, reading, registers)
    if problems:
        raise UserErrors(problems)
    records = together([records for _, _, records in observed])
    apply_rules(records, OBSERVATIONS, cohort, registers)
    settle_duplicates(records, OBSERVATIONS)
    ledger.add("memberships", records)
    observations = records.kept()
    if observations.empty:
        return empty_table(CONTRACTS["memberships"])
    first = int(observations["year"].min())
    declared = None
    for status, position, _ in observed:
        declared = status.first_year_entry if status.first_year_entry is not None else declared
        if status.first_year_entry is not None and status.first_year_entry > first:
            raise reading.place.error(
                ("sources", "memberships", position, "status", "first_year_entry"),
                f"{status.first_year_entry} lies after the first year of the files, {first}.",
            )
    spells = spells_from_status(observations, declared, cohort.study)
    _note_spells(spells, len(observations), declared, ledger)
    return spells.frame


def _unknown_members(
    status: StatusColumn, position: int, records: Records, reading: Reading, registers: Registers
) -> list[UserError]:
    """Declared member statuses that no row has, and networks that the register does not have."""
    problems = []
    seen = sorted(records.frame["status"].dropna().unique())
    for value, network in status.members.items():
        location = ("sources", "memberships", position, "status", "members", value)
        if value not in seen:
            problems.append(
                reading.place.error(location, f"no row has the status '{value}'.{did_you_mean(value, seen)}")
            )
        if registers.networks is not None and network not in registers.networks:
            known = did_you_mean(network, registers.networks)
            problems.append(reading.place.error(location, f"the table 'networks' has no network '{network}'.{known}"))
    return problems


def _note_spells(spells: Spells, observed: int, declared: int | None, ledger: Ledger) -> None:
    """What was assumed in turning statuses into spells."""
    frame = spells.frame
    ledger.note(
        "spells_from_status",
        "memberships",
        len(frame),
        f"{len(frame):,} membership spells were made from {observed:,} statuses of schools in years.",
    )
    from_start = int(frame["entry_unknown"].sum())
    text = (
        f"they count as having joined in {declared}, as declared"
        if declared is not None
        else "when they joined is not known"
    )
    ledger.note(
        "entry_unknown", "memberships", from_start, f"{from_start:,} spells were there in the first year; {text}."
    )
    ledger.note(
        "gap_filled_status",
        "memberships",
        spells.gap_filled,
        f"{spells.gap_filled:,} school-years that no file covers count as membership, lying between member years.",
    )
    ledger.note(
        "entry_after_gap",
        "memberships",
        spells.entered_in_gap,
        f"{spells.entered_in_gap:,} spells are first seen after years that no file covers; "
        f"they count from the first year seen.",
    )
    ledger.note(
        "unlisted_school",
        "memberships",
        spells.unlisted,
        f"{spells.unlisted:,} spells end because the school is not listed in the next year's file.",
    )


def _note_movers(pupils: pd.DataFrame, ledger: Ledger) -> None:
    schools = pupils[["pupil_id", "school_id"]].drop_duplicates()["pupil_id"]
    movers = int(schools[schools.duplicated()].nunique())
    ledger.note("movers", "pupils", movers, f"{movers:,} pupils are seen in more than one school.")


def _note_late_joining(table: str, frame: pd.DataFrame, cohort: Cohort, ledger: Ledger) -> None:
    """Spells that begin after the cut-off of their school year, and so count from the next."""

    def days_into_school_year(month_day: pd.Series) -> pd.Series:
        # MMDD as a number, counted from the school year's first day round the turn of the year.
        return (month_day - start) % 10000

    start = int(cohort.study.school_year_start.replace("-", ""))
    cutoff = int(cohort.design.join_cutoff.replace("-", ""))
    joined = frame["joined"].dt.month * 100 + frame["joined"].dt.day
    late = int((days_into_school_year(joined) > (cutoff - start) % 10000).sum())
    ledger.note(
        "late_joining",
        table,
        late,
        f"{late:,} spells begin after the cut-off ({cohort.design.join_cutoff}) and count from the next school year.",
    )


def _note_encodings(reading: Reading, ledger: Ledger) -> None:
    for (table, encoding), names in sorted(reading.detected.items()):
        ledger.note(
            "encoding_detected", table, len(names), f"read as {encoding}, which was detected: {', '.join(names)}."
        )


def _enter_register(table: str, frame: pd.DataFrame, cohort: Cohort, registers: Registers) -> None:
    """Make a table's identifiers known to the tables that refer to it; a table without sources is no register."""
    if not cohort.sources.get(table):
        return
    if table == "schools":
        registers.schools = pd.Index(frame["school_id"])
    elif table == "networks":
        registers.networks = pd.Index(frame["network_id"])
    elif table == "teachers":
        registers.teachers = pd.Index(frame["teacher_id"].unique())


def _refuse_empty_tables(cohort: Cohort, ledger: Ledger, place: CohortFile) -> None:
    """A table that the study cannot do without, and whose every record was rejected, is a mistake of the mapping."""
    needed = ["schools", "networks", "memberships", "outcomes"] + (["pupils"] if cohort.study.level == "pupil" else [])
    problems = []
    for table in needed:
        if table in ledger.counts and not ledger.total(table, "kept"):
            read = ledger.total(table, "read")
            rules = ", ".join(f"{rule} {number:,}" for rule, number in ledger.rejected_by_rule(table).items())
            problems.append(
                place.error(
                    ("sources", table),
                    f"every one of the {read:,} records was rejected ({rules or 'none was read'}).",
                )
            )
    if problems:
        raise UserErrors(problems)
