"""The verdict as ``verdict.json`` holds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from plneval.challenge.evidence import Evidence
from plneval.challenge.gate import Gate
from plneval.challenge.verdict import categorise, governed_by, headline_effect
from plneval.challenge.wording import cannot_conclude, reasons, sentence, short


def verdict_document(evidence: Evidence, gates: Sequence[Gate]) -> dict[str, Any]:
    """Category, sentence, short form, headline record, reasons, what cannot be concluded, and counts of gates."""
    effect = headline_effect(evidence)
    category = categorise(
        effect,
        [(gate.gate, gate.result) for gate in gates],
        evidence.report.thresholds.smallest_effect,
        evidence.cohort.outcomes[evidence.outcome].higher_is_better,
    )
    counts = {result: sum(gate.result == result for gate in gates) for result in ("pass", "caution", "fail")}
    return {
        "category": category,
        "sentence": sentence(category, effect, evidence, gates),
        "short": short(category, gates),
        "headline": None if evidence.headline is None else _plain_record(evidence.headline),
        "reasons": reasons(gates),
        "cannot_conclude": cannot_conclude(category, evidence, gates),
        "governed_by": governed_by(gates),
        "gates": counts,
    }


def _plain_record(record: pd.Series) -> dict[str, Any]:
    return {
        str(name): None if pd.isna(value) else value.item() if hasattr(value, "item") else value
        for name, value in record.items()
    }
