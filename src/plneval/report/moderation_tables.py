"""Tables of networks' effects by condition, one a family: a questionnaire's conditions, or networks' structure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from plneval.report import formats
from plneval.report.load import Released
from plneval.report.long_forms import form_label
from plneval.report.tables import counts, intervals, numbers, p_values, texts

TIMINGS = {
    "before_or_early": "before, or up to a year after joining",
    "during": "during participation",
    "after_outcome": "after the outcome",
}
STRUCTURE = "Structure of networks, as measured"
_WIDTHS = {"Condition": 24.0, "Interval": 18.0, "Reliability": 13.5, "p": 7.5, "p (Holm)": 9.0, "p (BH)": 9.0}


@dataclass(frozen=True)
class Family:
    """What was tried together, so that p is adjusted for its number: name, printed rows, remarks."""

    name: str
    table: pd.DataFrame
    notes: list[str]

    @property
    def widths(self) -> dict[str, float]:
        """Relative widths of the table's columns, in which intervals stay on one line."""
        return {str(name): _WIDTHS.get(str(name), 10.5) for name in self.table}


def families(released: Released) -> list[Family]:
    """Every family that was tried, in the order of the models."""
    table = released["moderation_conditions"]
    names = family_names(released, table)
    return [Family(str(name), _printed(own), _notes(own)) for name, own in table.groupby(names, sort=False)]


def family_names(released: Released, rows: pd.DataFrame) -> pd.Series:
    """The family of each row: its questionnaire or ``Structure``, after the outcome where there are several."""
    outcomes = {model: str(released.model(model)["outcome"]) for model in dict.fromkeys(rows["model"])}
    several = len(set(outcomes.values())) > 1
    named = []
    for model, kind in zip(rows["model"], rows["kind"], strict=True):
        form = str(released.model(model).get("form", "conditions"))
        name = STRUCTURE if kind == "structure" else form_label(released, form)
        named.append(f"{released.outcome_label(outcomes[model])}: {name}" if several else name)
    return pd.Series(named, index=rows.index, dtype="str")


def _printed(rows: pd.DataFrame) -> pd.DataFrame:
    frame = {"Condition": texts(rows["label"])}
    slopes = {
        "Adjusted": numbers(rows, "estimate", 3),
        "Interval": intervals(rows, "ci_low", "ci_high", 3),
        "Not adjusted": numbers(rows, "naive", 3),
        "Reliability": numbers(rows, "reliability"),
    }
    if (rows["kind"] == "structure").all():
        slopes = {
            "Not adjusted": numbers(rows, "naive", 3),
            "Interval": intervals(rows, "naive_low", "naive_high", 3),
        }
    tests = {
        "p": p_values(rows, "p"),
        "p (Holm)": p_values(rows, "p_holm"),
        "p (BH)": p_values(rows, "p_fdr"),
        "Networks": counts(rows, "n_networks"),
    }
    return pd.DataFrame(frame | slopes | tests)


def _notes(rows: pd.DataFrame) -> list[str]:
    """What stands behind the slopes: when conditions were measured, what was left out, and why."""
    said: dict[str, list[str]] = {}
    for row in rows.to_dict("records"):
        for sentence in _said(row):
            said.setdefault(sentence, []).append(str(row["label"]))
    everybody = len(rows)
    return [
        f"{'All' if len(names) == everybody else formats.listed(names)}: {sentence}."
        for sentence, names in said.items()
    ]


def _said(row: dict[Any, Any]) -> list[str]:
    if row["state"] != "estimated":
        return [str(row["reason"])]
    timing = str(row["timing"])
    told = [] if timing in ("", "during") else [f"measured {TIMINGS.get(timing, timing)}"]
    warned = "" if formats.is_missing(row["warnings"]) else str(row["warnings"])
    return [*told, *(part for part in warned.split("; ") if part)]
