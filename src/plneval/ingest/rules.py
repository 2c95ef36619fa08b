"""The rules by which a record is rejected, beside missing keys and unreadable values (which the mapping finds)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from plneval.config.cohort import Cohort
from plneval.ingest.keys import PupilIdentities
from plneval.ingest.records import Records
from plneval.ingest.tables import Table

RULES: Final = (
    "bad_row",
    "missing_key",
    "bad_type",
    "year_outside_study",
    "undeclared_outcome",
    "out_of_range",
    "spell_reversed",
    "unknown_school",
    "unknown_network",
    "unknown_teacher",
    "unknown_pupil",
    "conflicting_duplicate",
)
"""All rules, in the order in which they apply: a record is rejected by the first that it breaks."""


@dataclass
class Registers:
    """Identifiers that later tables may refer to; a register that the cohort does not have is None.

    Attributes
    ----------
    schools, networks, teachers : raw identifiers.
    pupils : pupils by number and year.
    """

    schools: pd.Index | None = None
    networks: pd.Index | None = None
    teachers: pd.Index | None = None
    pupils: PupilIdentities | None = field(default=None)

    def of_kind(self, kind: str) -> pd.Index | None:
        return {"school": self.schools, "network": self.networks, "teacher": self.teachers}[kind]


def apply_rules(records: Records, contract: Table, cohort: Cohort, registers: Registers) -> None:
    """Reject the records that break a rule; duplicates come after (see :mod:`plneval.ingest.keys`)."""
    frame = records.frame
    if contract.has_year:
        study = cohort.study
        inside = frame["year"].between(study.first_year, study.last_year).fillna(True).to_numpy(dtype=bool)
        # A status outside the study years still tells when membership began or ended.
        if "status" not in frame:
            records.reject(~inside, "year", "year_outside_study")
    if contract.name == "outcomes":
        _check_outcomes(records, cohort)
    for name in frame.columns:
        column = contract.column(str(name))
        if column is not None and (column.minimum is not None or column.maximum is not None):
            _check_range(records, column.name, column.minimum, column.maximum)
    if {"joined", "left"} <= set(frame.columns):
        records.reject((frame["left"] < frame["joined"]).to_numpy(dtype=bool), "left", "spell_reversed")
    _check_registers(records, contract, registers)


def _check_outcomes(records: Records, cohort: Cohort) -> None:
    """Outcomes that are not declared, and scores outside the outcome's range."""
    name = records.frame["outcome"]
    records.reject(~name.isin(list(cohort.outcomes)).to_numpy(dtype=bool), "outcome", "undeclared_outcome")
    for outcome, declared in cohort.outcomes.items():
        if declared.minimum is None and declared.maximum is None:
            continue
        concerned = (name == outcome).to_numpy(dtype=bool)
        _check_range(records, "score", declared.minimum, declared.maximum, concerned)


def _check_range(
    records: Records,
    column: str,
    minimum: float | None,
    maximum: float | None,
    concerned: np.ndarray[tuple[int], np.dtype[np.bool_]] | None = None,
) -> None:
    values = records.frame[column].to_numpy(dtype="float64", na_value=np.nan)
    # Comparisons with NaN are false: a missing value is in range.
    outside = np.zeros(len(values), dtype=bool)
    if minimum is not None:
        outside |= values < minimum
    if maximum is not None:
        outside |= values > maximum
    records.reject(outside if concerned is None else outside & concerned, column, "out_of_range")


def _check_registers(records: Records, contract: Table, registers: Registers) -> None:
    """References to schools, networks, teachers and pupils that the register does not have."""
    for name in contract.registers:
        column = contract.column(name)
        if column is None or column.kind == "pupil":
            continue
        register = registers.of_kind(column.kind)
        values = records.frame[name]
        if register is not None:
            stray = values.notna() & ~values.isin(register)
            records.reject(stray.to_numpy(dtype=bool), name, f"unknown_{column.kind}")
    if "pupil_id" in contract.registers and registers.pupils is not None:
        person, stray_pupils = registers.pupils.persons(records.frame["pupil_id"], records.frame["year"])
        records.reject(stray_pupils, "pupil_id", "unknown_pupil")
        records.frame["pupil_id"] = person
