"""School-years as :mod:`plneval.did` takes them, and what it left out as exclusions."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from plneval.estimate.sample import Exclusions, SchoolSample

COLUMNS: Final[dict[str, Any]] = {
    "outcome": "y",
    "time": "year",
    "unit": "school",
    "entry": "entry_year",
    "weights": "weight",
    "cluster": "cluster",
}
"""Arguments of every estimator of :mod:`plneval.did`, and the columns of :func:`school_panel`."""
UNITS: Final = {"rows": "school-years", "units": "schools", "group-times": "cells"}
"""Kinds of things that :mod:`plneval.did` lists as dropped, in the words of this project."""
WORDS: Final = {"units": "schools", "unit": "school", "rows": "school-years", "row": "school-year", "se": "error"}


def school_panel(sample: SchoolSample, covariates: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """School-years with the columns of :data:`COLUMNS` and the covariates as numbers, and the covariates' names.

    Words become indicators of all their values but the first. Entry is missing for schools that never join.
    """
    rows = sample.rows
    frame = pd.DataFrame(
        {
            "school": rows["school"].to_numpy(dtype=np.int64),
            "year": rows["year"].to_numpy(dtype=np.int64),
            "y": rows["y"].to_numpy(dtype=np.float64),
            "entry_year": rows["entry_year"].to_numpy(dtype=np.float64, na_value=math.nan),
            "weight": rows["weight"].to_numpy(dtype=np.float64),
            "cluster": rows["cluster"].to_numpy(dtype=np.int64),
        }
    )
    names: list[str] = []
    for name in covariates:
        for value, values in _as_numbers(rows[name]):
            # A covariate may be called like a column that is there already.
            label = f"{name}{value}" if f"{name}{value}" not in frame else f"{name}{value} (covariate)"
            frame[label] = values
            names.append(label)
    return frame, names


def _as_numbers(column: pd.Series) -> list[tuple[str, np.ndarray]]:
    if pd.api.types.is_numeric_dtype(column):
        return [("", column.to_numpy(dtype=np.float64, na_value=math.nan))]
    missing = column.isna()
    return [
        (f": {value}", np.where(missing, math.nan, (column == value).astype(float)))
        for value in sorted(column.dropna().unique())[1:]
    ]


def note_dropped(exclusions: Exclusions, dropped: pd.DataFrame, told: Sequence[str] = ()) -> None:
    """Add what an estimator lists as dropped to the exclusions: kind, count and reason.

    Parameters
    ----------
    told : kinds that the caller lists in more detail.
    """
    for kind, reason, count in zip(dropped["kind"], dropped["reason"], dropped["count"], strict=True):
        if kind not in told:
            exclusions.add(UNITS.get(kind, kind), int(count), in_words(reason))


def in_words(text: str) -> str:
    """A sentence of :mod:`plneval.did` with schools for units and school-years for rows."""
    return re.sub(r"\b(units?|rows?|se)\b", lambda match: WORDS[match[0]], text)
