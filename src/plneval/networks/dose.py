"""Dose: school-years by how much the school's teachers took part; describes, and is not causal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

NOT_CAUSAL = (
    "Schools and teachers chose how much they took part, for reasons that may also move results: differences between "
    "bands of dose describe, and say nothing about what more hours would do."
)
"""Label of everything that is split by dose."""


def dose_bands(
    dose: pd.DataFrame, column: str = "hours_per_teacher", edges: Sequence[float] | None = None
) -> pd.DataFrame:
    """School-years with a band of dose, by event time; describes and is not causal (``NOT_CAUSAL``).

    Parameters
    ----------
    dose
        Result of :func:`plneval.networks.attendance.school_dose`.
    column
        What is banded.
    edges
        Two increasing limits: up to the first is 'low', above the second 'high'. The terciles of the doses above zero
        in years of membership when left out.

    Returns
    -------
    pandas.DataFrame
        school, year, event_time, band ('none' for a recorded dose of zero, 'low', 'middle', 'high', 'unknown'), dose,
        lower and upper limit of the band, label. Years before entry and schools that never join are left out.

    Raises
    ------
    ValueError
        If the edges are not two increasing numbers.
    """
    rows = dose.loc[(dose["event_time"] >= 0).fillna(False).astype(bool)].reset_index(drop=True)
    # A recorded year in which nobody came has no hours per teacher: its dose is zero.
    value = rows[column].astype(float).mask(rows["recorded"] & (rows["events"] == 0).fillna(False).astype(bool), 0.0)
    positive = value[(value > 0) & (rows["member"] == 1)]
    if edges is None:
        edges = positive.quantile([1 / 3, 2 / 3]).tolist() if len(positive) else [np.nan, np.nan]
    elif len(edges) != 2 or not edges[0] < edges[1]:
        raise ValueError(f"bands of dose need two increasing edges, found {list(edges)}")
    low, high = (float(edge) for edge in edges)
    band = np.select(
        [value.isna(), value <= 0, value <= low, value <= high], ["unknown", "none", "low", "middle"], "high"
    )
    limits = {"none": (0.0, 0.0), "low": (0.0, low), "middle": (low, high), "high": (high, np.nan)}
    nothing = (np.nan, np.nan)
    return pd.DataFrame(
        {
            "school": rows["school"],
            "year": rows["year"],
            "event_time": rows["event_time"],
            "band": pd.Series(band, dtype="str"),
            "dose": value,
            "lower": [limits.get(name, nothing)[0] for name in band],
            "upper": [limits.get(name, nothing)[1] for name in band],
            "label": pd.Series(NOT_CAUSAL, index=rows.index, dtype="str"),
        }
    )


def dose_by_event_time(bands: pd.DataFrame) -> pd.DataFrame:
    """School-years and mean dose by event time and band: event_time, band, n_schools, mean_dose, label."""
    table = bands.groupby(["event_time", "band"], as_index=False).agg(
        n_schools=("school", "nunique"), mean_dose=("dose", "mean")
    )
    order = {name: place for place, name in enumerate(("none", "low", "middle", "high", "unknown"))}
    table = table.assign(order=table["band"].map(order)).sort_values(["event_time", "order"], ignore_index=True)
    return table.drop(columns="order").assign(label=NOT_CAUSAL)
