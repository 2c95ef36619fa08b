"""One gate: a result held against a threshold, with the words that it puts into the reports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import pandas as pd

from plneval.challenge.limits import OWN
from plneval.standards.records import Standard

Result = Literal["pass", "caution", "fail"]
SEVERITY: Final[dict[Result, int]] = {"pass": 0, "caution": 1, "fail": 2}


@dataclass(frozen=True)
class Authority:
    """Where a threshold comes from."""

    source: str
    status: str
    published: bool

    @classmethod
    def of(cls, standard: Standard) -> Authority:
        """A published standard."""
        return cls(f"{standard.title} ({standard.version}): {standard.source}", standard.status, True)


OWN_LIMIT: Final = Authority(OWN.source, OWN.status, False)
DECLARED: Final = Authority("as declared for this cohort", "declared", False)
CHOSEN: Final = Authority("chosen for this study", "chosen", False)


@dataclass(frozen=True)
class Gate:
    """One gate.

    Attributes
    ----------
    gate : its name.
    result : 'pass', 'caution' or 'fail'; missing input is never 'pass'.
    value, threshold : what was found and what it is held against, in the units that the statement names; missing where
        there is no number.
    authority : where the governing threshold comes from.
    statement : one or two sentences for reports.
    because : for a gate that does not pass, the clause that follows "because" in a verdict.
    published_result : the result by the published threshold alone, where a chosen one differs.
    touches_headline : whether a caution is a reservation about the headline, and not only about what is beside it.
    """

    gate: str
    result: Result
    value: float | None
    threshold: float | None
    authority: Authority
    statement: str
    because: str = ""
    published_result: Result | None = None
    touches_headline: bool = True

    @property
    def governed_by_choice(self) -> bool:
        """Whether a chosen threshold made the result stricter than the published one would have."""
        return self.published_result is not None and SEVERITY[self.result] > SEVERITY[self.published_result]


def stricter(first: Result, second: Result) -> Result:
    """The worse of two results."""
    return first if SEVERITY[first] >= SEVERITY[second] else second


def to_table(gates: Iterable[Gate]) -> pd.DataFrame:
    """Gates as the table of ``gates.parquet``."""
    gates = list(gates)
    columns: dict[str, tuple[str, list[object]]] = {
        "gate": ("str", [gate.gate for gate in gates]),
        "result": ("str", [gate.result for gate in gates]),
        "value": ("float64", [gate.value for gate in gates]),
        "threshold": ("float64", [gate.threshold for gate in gates]),
        "published": ("bool", [gate.authority.published for gate in gates]),
        "source": ("str", [gate.authority.source for gate in gates]),
        "status": ("str", [gate.authority.status for gate in gates]),
        "statement": ("str", [gate.statement for gate in gates]),
    }
    return pd.DataFrame({name: pd.Series(values, dtype=dtype) for name, (dtype, values) in columns.items()})
