"""The joint test that effects before joining are zero, by a method that keeps its size with few clusters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from plneval import did
from plneval.did.design import GroupTime as Cell
from plneval.did.group_time_effects import GroupTimeEffects
from plneval.estimate.school_panel import in_words
from plneval.standards import load

DRAWS = 999
"""Of the bootstrap."""


@dataclass(frozen=True)
class JointTest:
    """Result of :func:`joint_test`: statistic, numerator degrees of freedom and p (missing where there is no test)."""

    statistic: float
    df: float | None
    p: float | None
    vcov: str
    warnings: tuple[str, ...]
    diagnostics: dict[str, Any]


def joint_test(effects: GroupTimeEffects, cells: Sequence[Cell], clusters: tuple[int, int], seed: int) -> JointTest:
    """Test that the effects of ``cells`` are zero, by :func:`plneval.did.pretest.pretest`.

    With fewer than 40 clusters in either arm: averages by event time, with errors for few clusters, referred to F.
    Otherwise the Wald statistic of all cells, referred to a wild cluster bootstrap. R's test, with the
    chi-squared distribution, rejects too many true nulls when clusters are few; its p is among the diagnostics.

    Parameters
    ----------
    clusters : treated and comparison clusters of the cells.
    seed : of the bootstrap.
    """
    chosen = {(cell.group, cell.time) for cell in cells}
    kept = np.array([(cell.group, cell.time) in chosen for cell in effects.estimated], dtype=bool)
    tested = replace(
        effects,
        estimated=tuple(cell for cell, keep in zip(effects.estimated, kept, strict=True) if keep),
        att=effects.att[kept],
        contributions=effects.contributions[:, kept],
        masses=None if effects.masses is None else effects.masses[:, kept],
    )
    limit = load("cluster_rules").small_sample_below
    method = "small_sample" if min(clusters) < limit else "bootstrap"
    less = f"{min(clusters)} clusters in the smaller arm, {'fewer than' if min(clusters) < limit else 'not fewer than'}"
    said: dict[str, Any] = {"method": method, "reason": f"{less} {limit}", "p_chi_squared": _chi_squared(tested)}
    try:
        found = tested.pretest(method=method, draws=DRAWS, seed=seed)
    except did.DidError as reason:
        return JointTest(math.nan, None, None, "none", (f"no test: {in_words(str(reason))}",), said)
    said |= {
        "statistic": found.statistic,
        "df": found.df,
        "df_denominator": found.denominator if math.isfinite(found.denominator) else None,
        "left_out": list(found.left_out),
    }
    if method == "bootstrap":
        said["draws"] = found.draws
        vcov = f"wild cluster bootstrap, {found.draws} draws"
        return JointTest(found.statistic, float(found.df), found.p, vcov, _lone(found), said)
    vcov = f"small sample, averages by event time, F({found.df}, {found.denominator:.1f})"
    events = ", ".join(f"{event:g}" for event in found.left_out)
    warnings = (f"too few clusters to test event times {events} too",) if events else ()
    return JointTest(found.statistic, float(found.df), found.p, vcov, warnings, said)


def _lone(found: did.PreTest) -> tuple[str, ...]:
    groups = ", ".join(f"{group:g}" for group in found.left_out)
    return (f"entry groups of a single cluster are not tested: {groups}",) if groups else ()


def _chi_squared(tested: GroupTimeEffects) -> float | None:
    """The p of R's test; missing where the covariance of the cells is singular."""
    try:
        return float(tested.pretest(method="wald").p)
    except did.DidError:
        return None
