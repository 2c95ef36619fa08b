"""Goodman-Bacon (2021): the two-way fixed effects coefficient as a weighted average of two-by-two comparisons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from plneval.did.columns import Floats
from plneval.did.errors import DidError
from plneval.did.least_squares import by_group
from plneval.did.linear_effects import whole
from plneval.did.linear_sample import LinearSample, linear_sample, read

KINDS = (
    "treated vs never treated",
    "earlier vs later treated",
    "later vs earlier treated",
    "treated vs always treated",
)


@dataclass(frozen=True)
class BaconDecomposition:
    """Every two-by-two comparison behind a two-way fixed effects coefficient.

    Attributes
    ----------
    estimate
        The coefficient: Σ weight · estimate of ``table``.
    table
        ``kind`` (one of ``KINDS``), ``treated`` and ``comparison`` (entry periods; infinity for never, and minus
        infinity for always treated), ``estimate``, ``weight``.
    summary
        By kind: ``weight`` (they add up to 1), ``estimate`` (weighted mean). The comparisons "later vs earlier" and
        "vs always treated" use units that are treated already: effects that change over time bias them.
    dropped
        What was left out: see :func:`plneval.did.cells.dropped_table`.
    """

    estimate: float
    table: pd.DataFrame
    summary: pd.DataFrame
    dropped: pd.DataFrame


def bacon(
    data: Any,
    outcome: str | None = None,
    time: str | None = None,
    unit: str | None = None,
    entry: str | None = None,
    weights: str | None = None,
    panel: bool | None = None,
    missing_entry: str = "error",
) -> BaconDecomposition:
    """Decompose the coefficient of :func:`plneval.did.twfe` (without covariates), exactly.

    Parameters
    ----------
    data, outcome, time, unit, entry, weights, panel, missing_entry
        As in :func:`plneval.did.cells.cells`.

    Returns
    -------
    BaconDecomposition

    Raises
    ------
    DidError
        As :func:`plneval.did.cells.cells`; units not seen in every period, or whose weight (rows times weights)
        changes over time: the decomposition holds for balanced panels only. Collapse cross-sections to one row a unit
        and period first.
    """
    cells = read(data, outcome, time, unit, entry, None, weights, None, panel, missing_entry)
    sample = linear_sample(cells)
    _check_balanced(sample)
    groups, mean, mass = _group_means(sample)
    share = np.array([(sample.times >= group).mean() for group in groups])
    found = list(_comparisons(groups, share, mean, mass, sample.times))
    raw = np.array([row[4] for row in found])
    table = pd.DataFrame(
        {
            "kind": [row[0] for row in found],
            "treated": whole(np.array([row[1] for row in found])),
            "comparison": whole(np.array([row[2] for row in found])),
            "estimate": [row[3] for row in found],
            "weight": raw / raw.sum(),
        }
    )
    weight, estimate = raw / raw.sum(), np.array([row[3] for row in found])
    return BaconDecomposition(float(weight @ estimate), table, _summary(table), sample.dropped)


def _check_balanced(sample: LinearSample) -> None:
    cells = sample.cells
    short = np.flatnonzero(np.bincount(sample.unit) < len(sample.times))
    if len(short):
        labels = [str(cells.units[i]) for i in np.unique(cells.unit[np.isin(sample.unit, short[:5])])]
        raise DidError(
            f"{len(short)} units are not seen in every period ({', '.join(labels)}{' …' if len(short) > 5 else ''}): "
            "the decomposition holds for balanced panels only; leave them out first"
        )
    weight = cells.sw.reshape(-1, len(sample.times))
    if np.any(np.ptp(weight, axis=1) > 1e-9 * weight[:, 0]):
        raise DidError(
            "the weight of units (their rows times weights) changes over time: the decomposition holds for constant "
            "weights only; collapse to one row a unit and period first"
        )


def _group_means(sample: LinearSample) -> tuple[Floats, Floats, Floats]:
    """Entry periods (always treated first, as -inf; never last), (E, T) mean outcomes, and (E,) shares of the units."""
    n_times = len(sample.times)
    entry = np.where(sample.entry <= sample.times[0], -np.inf, sample.entry)
    groups, group = np.unique(entry, return_inverse=True)
    weight = sample.cells.sw.reshape(-1, n_times)[:, 0]
    outcome = sample.cells.mean.reshape(-1, n_times)
    mass = np.bincount(group, weight)
    mean = by_group(outcome * weight[:, None], group, len(groups)) / mass[:, None]
    return groups, mean, mass / mass.sum()


def _comparisons(
    groups: Floats, share: Floats, mean: Floats, mass: Floats, times: Floats
) -> Iterator[tuple[str, float, float, float, float]]:
    """Kind, treated, comparison, estimate and weight before scaling (Goodman-Bacon 2021, equations 7, 8 and 10)."""
    after = times[None, :] >= groups[:, None]
    for k in range(len(groups)):
        for c in range(k + 1, len(groups)):
            # Group k is treated before group c, always and never included.
            together = mass[k] + mass[c]
            split = mass[k] * mass[c] / together**2
            early, late = share[k], share[c]
            if np.isinf(groups[k]) and np.isinf(groups[c]):
                continue
            if not np.isinf(groups[k]):
                window = ~after[c]
                weight = (together * (1 - late)) ** 2 * split * (early - late) * (1 - early) / (1 - late) ** 2
                estimate = _two_by_two(mean[k] - mean[c], window & after[k], window & ~after[k])
                kind = KINDS[0] if np.isinf(groups[c]) else KINDS[1]
                yield kind, float(groups[k]), float(groups[c]), estimate, float(weight)
            if not np.isinf(groups[c]):
                window = after[k]
                weight = (together * early) ** 2 * split * late * (early - late) / early**2
                estimate = _two_by_two(mean[c] - mean[k], window & after[c], window & ~after[c])
                kind = KINDS[3] if np.isinf(groups[k]) else KINDS[2]
                yield kind, float(groups[c]), float(groups[k]), estimate, float(weight)


def _two_by_two(gap: Floats, post: np.ndarray[Any, Any], pre: np.ndarray[Any, Any]) -> float:
    return float(gap[post].mean() - gap[pre].mean())


def _summary(table: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for kind in KINDS:
        own = table[table["kind"] == kind]
        weight = float(own["weight"].sum())
        if len(own):
            rows.append((kind, weight, float((own["weight"] * own["estimate"]).sum()) / weight))
    return pd.DataFrame(rows, columns=["kind", "weight", "estimate"])
