"""A model's statistics as a file for other sites: no pupil in it stands out from fewer than the minimum count.

Sums over a school give single pupils away where a column is 1 for one pupil only. Statistics are therefore taken of
pupils who share their school, and everything that the model knows of them but their scores, with enough others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from plneval.artifacts import digest_bytes, read_json, write_bytes, write_json
from plneval.config.report import Disclosure
from plneval.errors import UserError, did_you_mean
from plneval.multilevel import MultilevelError, statistics
from plneval.multilevel.exchange import SharedStatistics, packed, unpacked
from plneval.multilevel.formula import ModelFormula, parse
from plneval.release.disclosure import is_small, round_count
from plneval.release.words import PSEUDONYM

Level = Literal["pupil", "school"]
LEDGER: Final = "statistics.json"


@dataclass(frozen=True)
class Selection:
    """Rows whose statistics may leave.

    Attributes
    ----------
    rows : the rows, with the columns of the formula.
    people_kept, people_left_out : pupils (pupil level) or pupils behind school-years (school level: not counted, 0).
    rows_left_out : pupil-years or school-years left out for the minimum count.
    schools_kept, schools_left_out : schools.
    """

    rows: pd.DataFrame
    level: Level
    people_kept: int
    people_left_out: int
    rows_left_out: int
    schools_kept: int
    schools_left_out: int


def select_rows(table: pd.DataFrame, formula: str, level: Level, rule: Disclosure) -> Selection:
    """The rows of a panel whose statistics may leave.

    Pupil level: a pupil stays if at least ``rule.minimum_count`` pupils, the pupil among them, have the same groups
    (school, network, …) and the same occasions: as many rows with the same values of every column of the model but the
    outcome. Every count that follows from the statistics is then a sum of counts of that size. School level: a
    school-year stays if at least as many pupils are behind it.

    Parameters
    ----------
    table : rows of one outcome and subgroup, with the formula's columns, ``school`` and ``pupil`` or ``n``.
    formula : in lme4's language.

    Raises
    ------
    UserError
        The formula cannot be read or names a column that is not there; no row, or too few schools, may leave.
    """
    parsed = _parsed(formula)
    wanted = {*parsed.columns, "school"}
    extra = "pupil" if level == "pupil" else "n"
    missing = sorted({*wanted, extra} - set(table.columns))
    if missing:
        raise UserError(
            f"the formula '{formula}' names the column '{missing[0]}', which the panel does not have."
            f"{did_you_mean(missing[0], map(str, table.columns))}"
        )
    table = table[sorted({*wanted, extra})]
    if "network" in table:
        # A comparison school is a network of its own, as in the model itself.
        table = table.assign(network=table["network"].fillna(-table["school"]))
    complete = table[table[sorted(wanted)].notna().all(axis=1)].reset_index(drop=True)
    if level == "pupil":
        complete = _units(complete, parsed)
        keep = _shared_by_enough(complete, parsed, rule)
    else:
        keep = complete["n"].fillna(0).ge(max(rule.minimum_count, 1)).to_numpy(dtype=bool)
    kept = complete[keep].reset_index(drop=True)
    schools = kept["school"].nunique()
    if schools < rule.minimum_schools:
        raise UserError(
            f"only {schools} schools have rows that may leave, and {rule.minimum_schools} are needed: pupils must "
            f"share their school and every column of '{formula}' with at least {rule.minimum_count - 1} others. Take "
            "columns out of the formula, or put them in broader categories."
        )
    people = (complete["pupil"].nunique(), kept["pupil"].nunique()) if level == "pupil" else (0, 0)
    return Selection(
        rows=_plain(kept[sorted(wanted)]),
        level=level,
        people_kept=people[1],
        people_left_out=people[0] - people[1],
        rows_left_out=len(complete) - len(kept),
        schools_kept=schools,
        schools_left_out=complete["school"].nunique() - schools,
    )


def _parsed(formula: str) -> ModelFormula:
    try:
        return parse(formula)
    except MultilevelError as error:
        raise UserError(f"formula: {error}") from None


def _groups(parsed: ModelFormula) -> list[str]:
    """Columns of groups above pupils."""
    return sorted({name for grouping in parsed.groupings for name in grouping.columns} - {"pupil"})


def _covariates(parsed: ModelFormula) -> set[str]:
    """Columns of the fixed part and of random slopes."""
    terms = [parsed.fixed, *(term.terms for term in parsed.random)]
    return {name for some in terms for term in some for factor in term for name in factor.columns}


def _units(rows: pd.DataFrame, parsed: ModelFormula) -> pd.DataFrame:
    # ASSUME: a pupil who is seen in two schools counts as two independent pupils, one in each: the levels nest.
    by = [*_groups(parsed), "pupil"]
    return rows.assign(pupil=rows.groupby(by, sort=True).ngroup())


def _shared_by_enough(
    rows: pd.DataFrame, parsed: ModelFormula, rule: Disclosure
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """(n,) whether a row's pupil shares groups and occasions with enough pupils."""
    if rows.empty:
        return np.zeros(0, dtype=bool)
    groups = _groups(parsed)
    covariates = sorted(_covariates(parsed))
    occasion = rows.groupby(covariates).ngroup() if covariates else pd.Series(0, index=rows.index)
    ordered = pd.DataFrame({"pupil": rows["pupil"], "occasion": occasion}).sort_values(["pupil", "occasion"])
    pupils = ordered.groupby("pupil", sort=True)["occasion"].agg(tuple).to_frame()
    pupils[groups] = rows.groupby("pupil", sort=True)[groups].first()
    size = pupils.groupby([*groups, "occasion"])["occasion"].transform("size")
    enough = ~size.map(lambda count: is_small(int(count), rule))
    return rows["pupil"].map(enough).to_numpy(dtype=bool)


def _plain(rows: pd.DataFrame) -> pd.DataFrame:
    """Whole numbers and floats of numpy in place of nullable ones: nothing is missing any more."""
    return pd.DataFrame(
        {
            name: rows[name].to_numpy(dtype=np.int64 if pd.api.types.is_integer_dtype(rows[name]) else np.float64)
            if pd.api.types.is_numeric_dtype(rows[name])
            else rows[name]
            for name in rows
        }
    )


def with_categories(rows: pd.DataFrame, formula: str, declared: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """The rows with the categories of some columns declared, so that the files of all sites have the same columns.

    Raises
    ------
    UserError
        A column is not in the formula as categories, or holds a category that is not declared.
    """
    kinds: dict[str, set[str]] = {}
    for factor in _parsed(formula).factors:
        for column in factor.columns:
            number = factor.kind == "column" and pd.api.types.is_numeric_dtype(rows[column])
            kinds.setdefault(column, set()).add("number" if number else factor.kind)
    for name, words in declared.items():
        if not kinds.get(name, {"number"}) <= {"column", "category", "dummy"}:
            categories = [column for column in sorted(kinds) if kinds[column] <= {"column", "category", "dummy"}]
            raise UserError(
                f"--levels: '{name}' is no column of categories in the formula.{did_you_mean(name, categories)} "
                f"Its categories are those of: {', '.join(categories) or 'no column'}."
            )
        levels: list[Any] = list(words)
        if pd.api.types.is_numeric_dtype(rows[name]):
            try:
                levels = [float(word) if "." in word else int(word) for word in words]
            except ValueError:
                raise UserError(f"--levels: '{name}' holds numbers; found {', '.join(words)}.") from None
        stray = sorted(set(rows[name].unique().tolist()) - set(levels))
        if stray:
            raise UserError(f"--levels: '{name}' also holds {stray[0]!r}: list every category that a site has.")
        rows = rows.assign(**{name: pd.Categorical(rows[name], categories=levels)})
    return rows


def statistics_file(
    selection: Selection, formula: str, site: str, rule: Disclosure, names: Sequence[str] = ()
) -> bytes:
    """The bytes of a statistics file, read again and checked.

    Parameters
    ----------
    site : name of this part; it is the name of the schools in the file, with a number.
    names : names of schools in the raw data, which the file may not hold.

    Raises
    ------
    UserError
        The model cannot be shared (crossed levels, columns with constants from the rows), or the check fails.
    """
    notes: dict[str, Any] = {
        "level": selection.level,
        "minimum_count": rule.minimum_count,
        "rows_left_out": _shown(selection.rows_left_out, rule),
        "schools_left_out": selection.schools_left_out,
    }
    if selection.level == "pupil":
        notes["pupils_left_out"] = _shown(selection.people_left_out, rule)
    try:
        found = statistics(formula, selection.rows)
        # Counts of what was left out belong to the notes, where they are rounded.
        content = packed(replace(found, dropped=found.dropped.iloc[:0]), site, notes)
        check_file(unpacked(content, "the statistics file"), rule, names)
    except MultilevelError as error:
        raise UserError(f"statistics: {error}.") from None
    return content


def _shown(count: int, rule: Disclosure) -> str:
    return f"fewer than {rule.minimum_count}" if is_small(count, rule) else str(round_count(count, rule.round_to))


def check_file(shared: SharedStatistics, rule: Disclosure, names: Sequence[str]) -> None:
    """The last look at a statistics file: it knows the rule and what the file says, not how it was made.

    Raises
    ------
    UserError
        A cell of too few pupils, an innermost group by itself, too few schools, an identifier or a school's name.
    """
    found, level = shared.statistics, shared.notes.get("level")
    problems = []
    if len(found.units) or found.labels[0] is not None:
        problems.append("single groups of the innermost level")
    innermost = found.model.levels[0].name.split(":")[0]
    if innermost == "pupil" and any(is_small(int(count), rule) for count in found.cells.count):
        problems.append(f"a cell of fewer than {rule.minimum_count} pupils")
    if level == "pupil" and any(is_small(int(count), rule) for count in found.rows):
        problems.append(f"a group of fewer than {rule.minimum_count} rows")
    encoding = found.model.encoding
    words = [found.model.formula, found.model.outcome, *found.model.names, json.dumps(dict(shared.notes))]
    words += [str(value) for _, values in (encoding.categories if encoding else ()) for value in values]
    if any(PSEUDONYM.search(word) for word in words):
        problems.append("an identifier")
    if any(name in word for word in words for name in names):
        problems.append("the name of a school")
    if problems:
        raise UserError(f"statistics: the file would hold {', '.join(problems)}; nothing was written.")


def release_file(content: bytes, path: Path, ledger: Path, model: str, *, again: bool = False) -> None:
    """Write a checked file, and remember it: two different files of a cohort can be subtracted from each other.

    Parameters
    ----------
    ledger : the restricted folder's list of what was written before.
    again : the file before was not shared and counts no more.

    Raises
    ------
    UserError
        Another file of this cohort was written before.
    """
    remembered = ledger / LEDGER
    digest = digest_bytes(content)
    before = read_json(remembered) if remembered.is_file() else None
    if before is not None and before["sha256"] != digest and not again:
        raise UserError(
            f"a statistics file of the model '{before['model']}' was written before ({before['path']}). The difference "
            "of two files of one cohort can tell of single pupils. If the file before has not been shared, delete it "
            "and repeat the command with --replace."
        )
    write_bytes(path, content)
    write_json(remembered, {"model": model, "path": str(path), "sha256": digest})
