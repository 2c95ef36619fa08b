"""Disclosure control of all released tables together: what is on the list, suppressed, rounded, withheld."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import pandas as pd

from plneval.config.cohort import Cohort
from plneval.config.models import ModelSpec
from plneval.config.report import Disclosure
from plneval.errors import UserError
from plneval.release.disclosure import Cell, is_small, rounded, suppressed
from plneval.release.door import (
    EITHER_TABLES,
    NOTES_OF_FILES,
    PEOPLE_TABLES,
    PERSON_COLUMNS,
    RECORD_NUMBERS,
    TABLES,
)
from plneval.release.door_exposure import RATIO_NUMBERS
from plneval.release.door_spread import networks_that_may_be_shown
from plneval.release.door_types import Statistics, Table
from plneval.release.identities import gather
from plneval.release.prose import reworded
from plneval.release.rare_categories import pool_registry, pool_timeline
from plneval.release.thin_parts import hide_parts
from plneval.release.thin_results import withheld_records
from plneval.release.words import check_words, vocabularies
from plneval.release.worked_out import withhold_differences

WORDS = frozenset({"word", "name", "label", "category", "consented", "text", "term", "digest"})


@dataclass(frozen=True)
class Controlled:
    """Tables that may be shown, and what was done to them.

    Attributes
    ----------
    frames : released tables by name.
    suppressed : number of cells made missing, by table.
    left_behind : columns that are not on the list, by table.
    """

    frames: dict[str, pd.DataFrame]
    suppressed: dict[str, int]
    left_behind: dict[str, list[str]]


def control(
    raw: Mapping[str, pd.DataFrame],
    cohort: Cohort,
    name: str,
    specs: Mapping[str, ModelSpec],
    rule: Disclosure,
    school_names: Collection[str] = (),
) -> Controlled:
    """Pass restricted tables through the door.

    Parameters
    ----------
    raw : every table of :data:`plneval.release.door.TABLES`, as its stage wrote it.
    school_names : names of schools, which no released text may hold.

    Raises
    ------
    UserError
        If a listed column is not there, or a column of words holds what must not leave.
    """
    left_behind = {
        table: sorted(set(raw[table].columns) - set(door.columns))
        for table, door in TABLES.items()
        if set(raw[table].columns) - set(door.columns)
    }
    frames = {table: _listed(table, door, raw[table]) for table, door in TABLES.items()}
    allowed = vocabularies(cohort, name, specs)
    for table, door in TABLES.items():
        for column, kind in door.columns.items():
            if kind in WORDS:
                check_words(table, column, kind, frames[table][column], allowed, school_names)
    frames["networks"] = _pool_rare_types(frames["networks"], rule)
    consent = cohort.design.networks_consent_to_be_named
    caterpillar = frames["network_caterpillar"]
    frames["network_caterpillar"] = networks_that_may_be_shown(caterpillar, rule, consent, school_names)
    frames["network_registry"] = pool_registry(frames["network_registry"], rule)
    frames["network_timeline"] = pool_timeline(frames["network_timeline"], frames["network_registry"])
    reasons = withheld_records(frames["records"], frames["entry_groups"], cohort, specs, rule)
    people = {
        (table, column): people_rows(table, column, frames[table], cohort)
        for table, door in TABLES.items()
        for column, kind in door.columns.items()
        if kind == "people"
    }
    counts = _counts(frames, people)
    notes = frames["ingest_notes"]["count"].copy()
    thin = _thin_cells(frames, counts, reasons, rule)
    sums = gather(frames, counts)
    hidden = suppressed(sums.counts, sums.protecting, rule, thin, sums.keep)
    published = rounded(sums.counts, hidden, sums.adding, rule)
    gone = {
        table: _write(table, door, frames, people, hidden, published, reasons, rule) for table, door in TABLES.items()
    }
    gone["records"] += _withhold_differences(frames["records"], reasons)
    for table, door in TABLES.items():
        for column, kind in door.columns.items():
            if kind == "text" and table != "ingest_notes":
                frames[table][column] = [reworded(text, rule) for text in frames[table][column]]
                frames[table][column] = frames[table][column].astype("str")
    _reword_notes(frames["ingest_notes"], notes, people["ingest_notes", "count"], rule)
    follow = _withhold_copies(frames, reasons)
    hide_parts(frames, reasons)
    for table, door in TABLES.items():
        _round_numbers(frames[table], door, rule)
    frames["records"]["withheld"] = reasons.to_numpy()
    return Controlled(frames, {table: gone[table] + follow.get(table, 0) for table in TABLES}, left_behind)


def people_rows(table: str, column: str, frame: pd.DataFrame, cohort: Cohort) -> pd.Series:
    """Rows in which a column of kind ``people`` counts people or their records, and not schools or theirs."""
    rule = TABLES[table].people
    pupil_level = cohort.study.level == "pupil"
    if column == "n_treated" and cohort.design.weight == "schools":
        return pd.Series(False, index=frame.index)
    if rule == "by_unit":
        return frame["unit"].isin(["pupils", "scores"] if pupil_level else ["pupils"])
    if rule == "by_table":
        single = {
            name
            for name in EITHER_TABLES
            if any(PERSON_COLUMNS & set(source.columns) for source in cohort.sources.get(name, []))
        }
        # A note about no table in particular is taken for one about people.
        rows = frame["table"].isin([*sorted(PEOPLE_TABLES | single), ""])
        return rows & ~frame["rule"].isin(NOTES_OF_FILES) if table == "ingest_notes" else rows
    return pd.Series(rule == "every" or pupil_level, index=frame.index)


def _listed(table: str, door: Table, frame: pd.DataFrame) -> pd.DataFrame:
    absent = [column for column in door.columns if column not in frame.columns]
    if absent:
        raise UserError(
            f"restricted/{door.stage}/{table}.parquet: no column '{absent[0]}'; run the cohort again from {door.stage}."
        )
    kept = frame[list(door.columns)].reset_index(drop=True)
    for column, kind in door.columns.items():
        if kind in ("people", "schools", "count", "integer", "year"):
            kept[column] = kept[column].astype("Float64").round().astype("Int64")
        elif kind in ("estimate", "share", "magnitude"):
            kept[column] = kept[column].astype("Float64").astype("float64")
        elif kind == "flag":
            kept[column] = kept[column].astype("boolean")
        else:
            kept[column] = kept[column].astype("str").where(kept[column].notna(), "").astype("str")
    return kept


def _counts(frames: Mapping[str, pd.DataFrame], people: Mapping[tuple[str, str], pd.Series]) -> dict[Cell, int]:
    """Every count of people that is there, by ``(table, row, column)``."""
    return {
        (table, row, column): int(count)
        for (table, column), rows in people.items()
        for row, count in frames[table].loc[rows & frames[table][column].notna(), column].items()
    }


def _thin_cells(
    frames: Mapping[str, pd.DataFrame], counts: Mapping[Cell, int], reasons: pd.Series, rule: Disclosure
) -> list[Cell]:
    """Counts of people in rows that rest on too few schools."""
    cells: list[Cell] = []
    for table, door in TABLES.items():
        frame = frames[table]
        few = _few_schools(frame, [c for c, kind in door.columns.items() if kind == "schools"], rule.minimum_schools)
        if table == "records":
            few = reasons.str.startswith("fewer")
        columns = [column for column, kind in door.columns.items() if kind == "people"]
        cells += [
            (table, row, column)
            for row in frame.index[few]
            for column in columns
            if counts.get((table, row, column), 0) > 0
        ]
    return cells


def _few_schools(frame: pd.DataFrame, columns: list[str], fewest: int) -> pd.Series:
    few = pd.Series(False, index=frame.index)
    for column in columns:
        few |= frame[column].lt(fewest).fillna(False).astype(bool)
    return few


def _write(
    table: str,
    door: Table,
    frames: dict[str, pd.DataFrame],
    people: Mapping[tuple[str, str], pd.Series],
    hidden: Collection[Cell],
    published: Mapping[Cell, int],
    reasons: pd.Series,
    rule: Disclosure,
) -> int:
    """Put the published counts into a table and withhold what rests on hidden ones; return the cells made missing."""
    frame = frames[table]
    true = frame.copy()
    columns = [column for column, kind in door.columns.items() if kind == "people"]
    for column in columns:
        marks = [(table, row, column) in hidden for row in frame.index]
        values = [
            pd.NA if mark else published.get((table, row, column), count)
            for (row, count), mark in zip(frame[column].items(), marks, strict=True)
        ]
        frame[column] = pd.Series(values, index=frame.index, dtype="Int64")
        frame[f"{column}_suppressed"] = pd.Series(marks, index=frame.index, dtype="bool")
    for statistics in door.statistics:
        out = _rests_on_hidden(frame, statistics, rule)
        if table == "records":
            out = out | (reasons != "")
            reasons[out & (reasons == "")] = (
                f"rests on fewer than {rule.minimum_count} people, or could reveal such a count"
            )
        for column in statistics.columns:
            _withhold(frame, column, out)
    if door.complement:
        rate, kept, whole = door.complement
        counted = people[table, whole] & frame[rate].notna() & frame[whole].gt(0).fillna(False).astype(bool)
        frame.loc[counted, rate] = (1 - frame.loc[counted, kept] / frame.loc[counted, whole]).astype("float64")
    for share, base in (door.shares or {}).items():
        part = (true[share] * true[base].astype("Float64")).round()
        gives_away = [
            any(pd.notna(n) and is_small(max(0, int(n)), rule) for n in (p, b - p))
            for p, b in zip(part, true[base], strict=True)
        ]
        _withhold(frame, share, pd.Series(gives_away, index=frame.index) & people[table, base])
    flags = [column for column in frame.columns if column.endswith("_suppressed")]
    return int(frame[flags].to_numpy(dtype=bool).sum()) if flags else 0


def _reword_notes(notes: pd.DataFrame, true: pd.Series, people: pd.Series, rule: Disclosure) -> None:
    """Put the published count in place of the true one that a note's sentence names."""
    about_people = people & true.notna()
    texts = []
    for count, published, text, counts_people in zip(true, notes["count"], notes["text"], about_people, strict=True):
        if counts_people:
            words = f"fewer than {rule.minimum_count}" if pd.isna(published) else f"about {int(published):,}"
            text = re.sub(rf"(?<![\d,.]){int(count):,}(?![\d,])", words, text)
        texts.append(text)
    notes["text"] = pd.Series(texts, index=notes.index, dtype="str")


def _rests_on_hidden(frame: pd.DataFrame, statistics: Statistics, rule: Disclosure) -> pd.Series:
    out = _few_schools(frame, list(statistics.schools), max(rule.minimum_schools, statistics.fewest))
    for column in statistics.people:
        out |= frame[f"{column}_suppressed"]
    return out


def _withhold(frame: pd.DataFrame, column: str, out: pd.Series) -> None:
    mark = f"{column}_suppressed"
    before = frame[mark] if mark in frame else pd.Series(False, index=frame.index)
    frame[mark] = before | (out & frame[column].notna())
    frame[column] = frame[column].mask(out)


def _withhold_differences(records: pd.DataFrame, reasons: pd.Series) -> int:
    """Withhold differences of effects that went with their counts; return the cells made missing."""
    before = reasons.copy()
    withhold_differences(records, reasons)
    out = (reasons != "") & (before == "")
    gone = int(records.loc[out, list(RECORD_NUMBERS)].notna().to_numpy().sum())
    for column in RECORD_NUMBERS:
        _withhold(records, column, out)
    return gone


def _withhold_copies(frames: dict[str, pd.DataFrame], reasons: pd.Series) -> dict[str, int]:
    """Withhold what other tables repeat of records that are withheld."""
    records = frames["records"]
    out = records[reasons != ""]
    gone = {}
    for table, keys, numbers in (
        ("multiplicity", ["model", "estimand"], ["p", "p_holm", "p_fdr"]),
        ("recomputed", ["model", "estimand", "term"], ["estimate", "recomputed", "difference", "se", "se_recomputed"]),
        ("recovery", ["model", "estimand", "term", "event_time"], ["estimate", "se", "truth", "z"]),
        ("mobilisation", ["model", "event_time"], list(RATIO_NUMBERS)),
    ):
        frame = frames[table]
        # A model has a ratio from the third year on and one for each event time.
        rows = out[out["estimand"].str.startswith("mobilisation_ratio")] if table == "mobilisation" else out
        withheld = {tuple(str(part) for part in row) for row in rows[keys].itertuples(index=False)}
        marks = pd.Series(
            [tuple(str(part) for part in row) in withheld for row in frame[keys].itertuples(index=False)],
            index=frame.index,
            dtype=bool,
        )
        for column in numbers:
            _withhold(frame, column, marks)
        gone[table] = int(sum(frame[f"{column}_suppressed"].sum() for column in numbers))
    return gone


def _pool_rare_types(networks: pd.DataFrame, rule: Disclosure) -> pd.DataFrame:
    """One row for all types of network with fewer schools than the minimum: such a type may be a school's own name."""
    rare = networks["n_schools"].lt(rule.minimum_schools).fillna(True).astype(bool)
    if not rare.any():
        return networks
    pooled = networks[rare][["n_networks", "n_schools"]].sum()
    row = pd.DataFrame(
        {"type": ["other types"], "n_networks": [pooled["n_networks"]], "n_schools": [pooled["n_schools"]]}
    )
    return pd.concat([networks[~rare], row], ignore_index=True).astype(networks.dtypes.to_dict())


def _round_numbers(frame: pd.DataFrame, door: Table, rule: Disclosure) -> None:
    for column, kind in door.columns.items():
        if kind in ("estimate", "share"):
            # Adding zero turns a rounded -0.0 into 0.0.
            frame[column] = frame[column].round(rule.digits) + 0.0
        elif kind == "magnitude":
            frame[column] = [float(f"{value:.0e}") if pd.notna(value) else value for value in frame[column]]
