"""The test before entry for few clusters: on averages by event time, with Hotelling's T² referred to F.

All effects before entry are too many for few clusters: their covariance is estimated from as many. Their averages by
event time are fewer, and with adjusted errors their covariance is unbiased. The distribution is that of
Krishnamoorthy and Yu (2004) for means of groups with different covariances: T² (η − q + 1) / (η q) is F with q and
η − q + 1 degrees of freedom, η being matched to the variances of the groups' covariances.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from plneval.did.columns import Floats, Integers
from plneval.did.errors import DidError
from plneval.did.products import crossproduct, linear

if TYPE_CHECKING:
    from plneval.did.group_time_effects import GroupTimeEffects

# Degrees of freedom of F's denominator below which event times furthest from entry are left out.
LEAST_DENOMINATOR = 4.0


@dataclass(frozen=True)
class AveragesTest:
    """Test of the averages by event time before entry.

    Attributes
    ----------
    statistic
        T² scaled to F.
    df, denominator
        Of F: event times tested, and η − q + 1.
    unit
        Noncentrality of F under a linear trend of 1 a period.
    events
        (df,) event times tested.
    left_out
        Event times left out, the furthest from entry, since clusters are too few to test them too.
    """

    statistic: float
    df: int
    denominator: float
    unit: float
    events: tuple[float, ...]
    left_out: tuple[float, ...]


def averages_test(effects: GroupTimeEffects, tested: NDArray[np.bool_], slope: Floats) -> AveragesTest:
    """Test that the averages by event time of the ``tested`` (M,) group-times are zero; ``slope`` (M,) as a trend of 1.

    Raises
    ------
    DidError
        Not even the event time next to entry can be tested.
    """
    from plneval.did.aggregate import weighted_mean
    from plneval.did.few_clusters import combine

    event = effects.times - effects.groups
    errors = effects.adjusted
    usable = tested & np.isfinite(errors.rows).all(axis=0)
    events = np.unique(event[usable])
    means = [weighted_mean(effects, usable & (event == key)) for key in events]
    rows, _ = combine(effects, errors, means)
    value = np.array([mean.value(effects.att) for mean in means])
    trend = np.array([mean.value(slope) for mean in means])
    for first in range(len(events)):
        q = len(events) - first
        part = rows[:, first:]
        eta = _matched_df(part, errors.stratum, errors.df)
        if eta - q + 1 < LEAST_DENOMINATOR and q > 1:
            continue
        covariance = crossproduct(part)
        scale = (eta - q + 1) / (eta * q)
        distance = float(value[first:] @ np.linalg.solve(covariance, value[first:]))
        return AveragesTest(
            statistic=distance * scale,
            df=q,
            denominator=float(eta - q + 1),
            unit=float(trend[first:] @ np.linalg.solve(covariance, trend[first:])),
            events=tuple(events[first:].tolist()),
            left_out=tuple(events[:first].tolist()),
        )
    raise DidError("no effect before entry can be tested: there is no event time before entry with a standard error")


def _matched_df(rows: Floats, stratum: Integers, df: Floats) -> float:
    """η = (q + q²) / Σ_h [tr(A_h²) + tr(A_h)²] / (f_h + 1) − 1, A_h stratum h's share of the covariance, scaled to I.

    Plugging estimates into A makes η too small. In one dimension two degrees of freedom added and taken off again
    make up for it (Welch); with four that is too much and nothing too little, in simulations (docs/did.md).
    """
    values, vectors = np.linalg.eigh(crossproduct(rows))
    if values[0] <= 1e-12 * values[-1]:
        return 0.0
    q = len(values)
    scaled = np.stack([linear(rows, vectors[:, i] / np.sqrt(values[i])) for i in range(q)], axis=1)
    total = 0.0
    for h in range(len(df)):
        share = crossproduct(scaled[stratum == h])
        total += (np.sum(share**2) + np.trace(share) ** 2) / (df[h] + 1)
    return float((q + q**2) / total - 1)
