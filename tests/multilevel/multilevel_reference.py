"""The made studies and R's values for them; the public ones where their folder is declared."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

HERE = Path(__file__).parent / "reference"
PUBLIC = os.environ.get("PLNEVAL_REFERENCE_DATA", "")


@cache
def _file(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HERE / name).read_text(encoding="utf-8"))
    return found


def cases(kind: str = "made") -> dict[str, dict[str, Any]]:
    """R's values by case."""
    return {case["name"]: case for case in _file(f"{kind}_values.json")["cases"]}


def comparisons() -> list[dict[str, Any]]:
    """Likelihood-ratio tests of the made studies."""
    return list(_file("made_values.json")["comparisons"])


@cache
def study(name: str) -> pd.DataFrame:
    """One of the made studies."""
    return pd.read_csv(HERE / "data" / f"{name}.csv")


def public_study(name: str) -> pd.DataFrame | None:
    """One of mlmRev's data sets, if the folder with their CSV files is declared."""
    path = Path(PUBLIC) / f"{name}.csv"
    return pd.read_csv(path, dtype={"gr": "str"}) if PUBLIC and path.exists() else None


def as_list(value: Any) -> list[Any]:
    """R writes vectors of length one as numbers."""
    return value if isinstance(value, list) else [value]
