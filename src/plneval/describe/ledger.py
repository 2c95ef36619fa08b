"""The ledger of ingest as tables: what was read, kept, merged and rejected, and by which rule."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

MEANINGS: Final = {
    "bad_row": "the row has more or fewer fields than the file has columns",
    "missing_key": "a column of its key is empty",
    "bad_type": "a value cannot be read as the column's type",
    "out_of_range": "a value lies outside the range of its column",
    "year_outside_study": "its year lies outside the study years",
    "undeclared_outcome": "its outcome is not declared in the cohort's configuration",
    "spell_reversed": "a membership ends before it begins",
    "unknown_school": "it refers to a school that the register does not have",
    "unknown_network": "it refers to a network that the register does not have",
    "unknown_teacher": "it refers to a teacher that the register does not have",
    "unknown_pupil": "it refers to a pupil that the register does not have",
    "conflicting_duplicate": "its key stands more than once with different content",
}
"""What each rule of ingest means, for reports."""
LEDGER = {"table": "str", "read": "Int64", "kept": "Int64", "merged": "Int64", "rejected": "Int64"}
REJECTIONS = {"table": "str", "rule": "str", "count": "Int64", "meaning": "str"}
NOTES = {"rule": "str", "table": "str", "count": "Int64", "text": "str"}


def ledger(found: dict[str, Any]) -> pd.DataFrame:
    """Rows read, kept, merged and rejected of every table that was read, in the order of their names."""
    rows = [
        (name, counts["read"], counts["kept"], counts["merged"], sum(counts["rejected"].values()))
        for name, counts in sorted(found["tables"].items())
        if counts["read"]
    ]
    return pd.DataFrame(rows, columns=list(LEDGER)).astype(LEDGER)


def rejections(found: dict[str, Any]) -> pd.DataFrame:
    """Rejected rows by table and rule, with what the rule means.

    Raises
    ------
    KeyError
        If ingest knows a rule that has no meaning here.
    """
    rows = [
        (name, rule, count, MEANINGS[rule])
        for name, counts in sorted(found["tables"].items())
        for rule, count in sorted(counts["rejected"].items())
        if count
    ]
    return pd.DataFrame(rows, columns=list(REJECTIONS)).astype(REJECTIONS)


def ingest_notes(found: dict[str, Any]) -> pd.DataFrame:
    """What ingest recognised without rejecting it."""
    rows = [(note["rule"], note["table"], note["count"], note["text"]) for note in found["notes"]]
    return pd.DataFrame(rows, columns=list(NOTES)).astype(NOTES)
