"""Whether entry changes who is there: covariates as outcomes of group-time effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from plneval.did.aggregate import Aggregate
from plneval.did.att_gt import GroupTimeEffects, att_gt
from plneval.did.cells import Cells, dropped_table
from plneval.did.columns import Floats
from plneval.did.errors import DidError
from plneval.did.intervals import Inference
from plneval.did.products import crossproduct

# Ratio of the least to the largest eigenvalue (of the correlations) below which a covariance matrix is called singular.
SINGULAR = 1e-10


@dataclass(frozen=True)
class Composition:
    """Effects of entry on covariates. V covariates.

    Attributes
    ----------
    table
        One row for each covariate: ``covariate``, ``estimate`` (average over groups and times from entry on), ``se``,
        ``df``, ``ci_low``, ``ci_high``, ``p``, ``p_holm`` (adjusted for the V tests after Holm), ``p_before`` (joint
        test of its effects before entry; NaN where that cannot be made), ``n_clusters``.
    inference
        How errors and intervals are made, of each covariate: see ``att_gt``.
    statistic, df, p
        Test that entry changes no covariate: Wald's with V degrees of freedom, or, adjusted for few clusters,
        Hotelling's, with V and ``df_denominator`` degrees of freedom.
    df_denominator
        Infinite for the Wald test.
    vcov
        (V, V) covariance of the estimates.
    effects
        The group-time effects on each covariate, by name.
    dropped
        What was not used and why, with the covariate in front of the reason.
    """

    table: pd.DataFrame
    inference: dict[str, Inference]
    statistic: float
    df: int
    df_denominator: float
    p: float
    vcov: Floats
    effects: dict[str, GroupTimeEffects]
    dropped: pd.DataFrame


def composition(
    data: Any,
    time: str | None = None,
    unit: str | None = None,
    entry: str | None = None,
    covariates: Sequence[str] = (),
    *,
    comparison: str = "never",
    panel: bool | None = False,
    allow_unbalanced: bool = False,
    weights: str | None = None,
    cluster: str | None = None,
    anticipation: float = 0,
    base_period: str = "varying",
    missing_entry: str = "error",
    min_event: float | None = None,
    max_event: float | None = None,
    inference: str | None = None,
    level: float = 0.95,
) -> Composition:
    """Estimate the effect of entry on covariates that it should leave alone (shares of pupils, prior attainment).

    Repeated cross-sections identify effects on people only if entry does not change who is there. Each covariate is
    made the outcome of :func:`plneval.did.att_gt` and averaged as ``aggregate("simple", min_event, max_event)`` does;
    the estimates are tested together, with their covariance by cluster, and each with Holm's adjustment.

    Parameters
    ----------
    data
        Rows. Indicators (0/1) give shares; categories need one indicator each but one.
    covariates
        Columns to be tested; rows where one is missing are left out for that one only, and listed.
    panel
        False (the default): rows of units; True: one row of a unit and time.
    time, unit, entry, comparison, allow_unbalanced, weights, cluster, anticipation, base_period, missing_entry
        As in :func:`plneval.did.att_gt`.
    inference, level
        As in :func:`plneval.did.att_gt`.
    min_event, max_event
        Event times averaged, from entry on.

    Raises
    ------
    DidError
        As :func:`plneval.did.att_gt`; no covariate, or one named twice; covariates whose effects are collinear, so that
        there is no joint test.
    """
    from scipy.special import chdtrc, fdtrc

    listed = [covariates] if isinstance(covariates, str) else list(covariates)
    if not listed or len(set(listed)) < len(listed):
        raise DidError("covariates: name the columns whose composition is tested, each once")
    if isinstance(data, Cells):
        raise DidError("composition() needs rows: each covariate is an outcome of its own")
    effects: dict[str, GroupTimeEffects] = {}
    for name in listed:
        effects[name] = att_gt(
            data,
            name,
            time,
            unit,
            entry,
            comparison=comparison,
            panel=panel,
            allow_unbalanced=allow_unbalanced,
            weights=weights,
            cluster=cluster,
            anticipation=anticipation,
            base_period=base_period,
            missing_entry=missing_entry,
            inference=inference,
            level=level,
        )
    averages = [effects[name].aggregate("simple", min_event=min_event, max_event=max_event) for name in listed]
    found = [average.intervals() for average in averages]
    columns = {name: np.array([getattr(one, name) for one in found]) for name in ("estimate", "se", "df", "p")}
    # Covariances as influence functions give them, variances as the intervals have them.
    scale = columns["se"] / [average.se for average in averages]
    vcov = crossproduct(_by_label(averages)) * np.outer(scale, scale)
    statistic = _wald(columns["estimate"], vcov, listed)
    within = float(columns["df"].min())
    rest = within - len(listed) + 1
    if rest <= 0:
        raise DidError(f"covariates: {len(listed)} for {within:.1f} degrees of freedom between clusters: name fewer")
    if np.isfinite(within):
        p = float(fdtrc(len(listed), rest, statistic * rest / (within * len(listed))))
    else:
        p = float(chdtrc(len(listed), statistic))
    table = pd.DataFrame(
        {
            "covariate": listed,
            "estimate": columns["estimate"],
            "se": columns["se"],
            "df": columns["df"],
            "ci_low": [one.ci_low for one in found],
            "ci_high": [one.ci_high for one in found],
            "p": columns["p"],
            "p_holm": holm(columns["p"]),
            "p_before": [_before(effects[name]) for name in listed],
            "n_clusters": [effects[name].n_clusters for name in listed],
        }
    )
    return Composition(
        table=table,
        inference={name: one.inference for name, one in zip(listed, found, strict=True)},
        statistic=statistic,
        df=len(listed),
        df_denominator=rest,
        p=p,
        vcov=vcov,
        effects=effects,
        dropped=_dropped(effects),
    )


def holm(p: Floats) -> Floats:
    """P-values adjusted for testing them all (Holm 1979)."""
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(np.minimum(p[order] * (len(p) - np.arange(len(p))), 1.0))
    return adjusted


def _by_label(averages: list[Aggregate]) -> Floats:
    """(G, V) contributions by cluster; a cluster that a covariate was not seen in contributes nothing to it."""
    columns = [average.influence["overall"] / average.effects.n_clusters for average in averages]
    labels = columns[0].index
    for column in columns[1:]:
        labels = labels.union(column.index)
    return np.column_stack([column.reindex(labels, fill_value=0.0).to_numpy() for column in columns])


def _wald(estimate: Floats, vcov: Floats, names: list[str]) -> float:
    scale = np.sqrt(np.diag(vcov))
    flat = [name for name, spread in zip(names, scale, strict=True) if not spread > 0]
    if flat:
        raise DidError(f"covariates: {', '.join(map(repr, flat))} do not vary between clusters: leave them out")
    values = np.linalg.eigvalsh(vcov / scale / scale[:, None])
    if values[0] <= SINGULAR * values[-1]:
        raise DidError(
            "covariates: the effects are collinear (all indicators of a category, or more covariates than clusters): "
            "leave some out"
        )
    return float(estimate @ np.linalg.solve(vcov, estimate))


def _before(effects: GroupTimeEffects) -> float:
    try:
        return effects.pretest().p
    except DidError:  # no period before entry to test, or too few clusters: NaN in the table
        return float("nan")


def _dropped(effects: dict[str, GroupTimeEffects]) -> pd.DataFrame:
    found = [one.dropped.assign(reason=name + ": " + one.dropped["reason"]) for name, one in effects.items()]
    filled = [table for table in found if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else dropped_table()
