"""The errors that are planted in the raw files, and their count by table and rule."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd

from plneval.config.sources import TABLES

RULES: Final = (
    "missing_key",
    "bad_type",
    "out_of_range",
    "year_outside_study",
    "unknown_school",
    "unknown_network",
    "unknown_pupil",
    "unknown_teacher",
    "conflicting_duplicate",
    "spell_reversed",
)


@dataclass
class PlantedErrors:
    """What the ledger must find: records read, rejected by rule, and exact duplicates merged, by table.

    A wide row is one record for each outcome or item, as in the ledger.
    """

    read: Counter[str] = field(default_factory=Counter)
    rejected: dict[str, Counter[str]] = field(default_factory=lambda: {table: Counter() for table in TABLES})
    merged: Counter[str] = field(default_factory=Counter)

    def reject(self, table: str, rule: str, records: int) -> None:
        """Count planted records that a rule must reject."""
        if rule not in RULES:
            raise KeyError(rule)
        if records:
            self.rejected[table][rule] += records

    def merge(self, table: str, records: int) -> None:
        """Count planted exact duplicates."""
        self.merged[table] += records

    def as_json(self) -> dict[str, Any]:
        """Counts of every table, those without errors among them."""
        return {
            "read": {table: self.read[table] for table in TABLES},
            "rejected": {table: dict(sorted(self.rejected[table].items())) for table in TABLES},
            "merged": {table: self.merged[table] for table in TABLES},
        }


class Typist:
    """Mistakes that people make when they type: each is one that no register knows."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def typo(self, code: str, known: set[str]) -> str:
        """Swap a code's digits or mistype one of them until the result is in no register."""
        digits = [place for place, sign in enumerate(code) if sign.isdigit()]
        while True:
            place = digits[int(self.rng.integers(0, len(digits)))]
            wrong = code[:place] + str(int(self.rng.integers(0, 10))) + code[place + 1 :]
            if wrong not in known:
                return wrong

    def rows(self, count: int, table: pd.DataFrame) -> list[int]:
        """Different rows of a table (as many as there are), in random order."""
        return [int(row) for row in self.rng.choice(len(table), size=min(count, len(table)), replace=False)]


def with_rows(table: pd.DataFrame, *more: pd.DataFrame) -> pd.DataFrame:
    """The table with more rows below."""
    return pd.concat([table, *more], ignore_index=True)


def shuffled(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The table with its rows in random order, as planted errors do not stand at the end of real files."""
    return table.iloc[rng.permutation(len(table))].reset_index(drop=True)
