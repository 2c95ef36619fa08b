"""Intervals of group-time effects and their averages: from influence functions, or for few clusters, by rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from plneval.did.columns import Floats
from plneval.did.errors import DidError
from plneval.did.linear_sample import SMALL_ARM
from plneval.did.products import crossproduct

if TYPE_CHECKING:
    from plneval.did.aggregate import Mean
    from plneval.did.group_time_effects import GroupTimeEffects

METHODS = ("influence", "small_sample")


@dataclass(frozen=True)
class Inference:
    """How intervals are made, and why.

    Attributes
    ----------
    method
        ``"influence"``: influence functions and the normal distribution, as R's did; ``"small_sample"``: adjusted for
        few clusters, t distribution (see :mod:`plneval.did.few_clusters`).
    reason
        In words.
    treated_clusters, comparison_clusters
        Clusters with a treated unit; clusters with a never-treated one (without any: all clusters).
    """

    method: str
    reason: str
    treated_clusters: int
    comparison_clusters: int


@dataclass(frozen=True)
class Intervals:
    """Effects with the uncertainty of one method. Q rows.

    Attributes
    ----------
    inference
        The method and the reason for it.
    table
        The key(s), then estimate, se, df, ci_low, ci_high, p. ``df`` is infinite for the normal distribution.
    estimate, se, df, ci_low, ci_high, p
        The overall average; NaN for group-time effects, which have none.
    vcov
        (Q, Q) covariance of the rows of ``table`` by this method; zeros for reference rows.
    level
        Of the intervals.
    notes
        What was borrowed or is missing, in words.
    """

    inference: Inference
    table: pd.DataFrame
    estimate: float
    se: float
    df: float
    ci_low: float
    ci_high: float
    p: float
    vcov: Floats
    level: float
    notes: tuple[str, ...]


def choose_inference(effects: GroupTimeEffects, method: str | None = None) -> Inference:
    """The method asked for (here or in ``att_gt(inference=...)``), or by rule.

    The rule: small-sample where either arm has fewer than 40 clusters, influence functions otherwise.

    Raises
    ------
    DidError
        A method that does not exist.
    """
    pieces, groups = effects.pieces, effects.design.groups
    of_treated = np.isin(groups[pieces.group], np.unique(effects.groups[effects.times >= effects.groups]))
    treated = len(np.unique(pieces.cluster[of_treated]))
    # ASSUME: without never-treated units every cluster serves as comparison before its entry.
    never = np.isinf(groups[pieces.group])
    comparison = len(np.unique(pieces.cluster[never])) if never.any() else effects.n_clusters
    asked = effects.asked_inference if method is None else method
    if asked is not None:
        check_method(asked)
        return Inference(asked, "as asked for", treated, comparison)
    few = min(treated, comparison) < SMALL_ARM
    sign = "fewer than" if few else "at least"
    counts = f"({treated} treated, {comparison} comparison)"
    reason = f"by rule: {sign} {SMALL_ARM} clusters in the smaller arm {counts}"
    return Inference("small_sample" if few else "influence", reason, treated, comparison)


def check_method(method: str | None) -> None:
    """Raise ``DidError`` unless it is a method of inference or ``None``."""
    if method is not None and method not in METHODS:
        raise DidError(f"inference is {method!r}; it can be {' or '.join(map(repr, METHODS))}, or None for the rule")


def make_intervals(
    effects: GroupTimeEffects,
    keys: dict[str, Any],
    rows: Sequence[Mean] | None,
    overall: Mean | None,
    method: str | None,
) -> Intervals:
    """Put a table of intervals together.

    Parameters
    ----------
    keys
        The key columns of the table.
    rows, overall
        What the rows of the table and the overall average are made of; ``rows=None`` for the group-times themselves.
    """
    inference = choose_inference(effects, method)
    estimate = effects.att if rows is None else np.array([mean.value(effects.att) for mean in rows])
    means = [] if overall is None else [overall]
    notes: tuple[str, ...] = ()
    if inference.method == "influence":
        own = effects.by_cluster() if rows is None else _columns([mean.by_cluster for mean in rows], effects.n_clusters)
        errors = np.hstack([_columns([mean.by_cluster for mean in means], effects.n_clusters), own])
        df = np.full(errors.shape[1], np.inf)
    else:
        from plneval.did.few_clusters import combine, of_group_times

        adjusted = effects.adjusted
        notes = adjusted.notes
        errors, df = combine(effects, adjusted, means)
        own, own_df = of_group_times(adjusted) if rows is None else combine(effects, adjusted, list(rows))
        errors, df = np.hstack([errors, own]), np.concatenate([df, own_df])
    value = np.concatenate([[mean.value(effects.att) for mean in means], estimate])
    columns = with_t(value, np.sqrt(np.sum(errors**2, axis=0)), df, effects.level)
    first = len(means)
    of_overall = {name: float(column[0]) if first else np.nan for name, column in columns.items()}
    table = pd.DataFrame({**keys, **{name: column[first:] for name, column in columns.items()}})
    return Intervals(
        inference=inference,
        table=table,
        vcov=crossproduct(errors[:, first:]) if len(estimate) else np.zeros((0, 0)),
        level=effects.level,
        notes=notes,
        **of_overall,
    )


def _columns(columns: Sequence[Floats], length: int) -> Floats:
    return np.column_stack(columns) if len(columns) else np.zeros((length, 0))


def with_t(estimate: Floats, spread: Floats, df: Floats, level: float) -> dict[str, Floats]:
    """Columns estimate, se, df (infinite: normal), ci_low, ci_high, p; only the estimate where nothing varies."""
    from scipy.special import ndtr, ndtri, stdtr, stdtrit

    known = np.isfinite(spread) & (spread > 0)
    se = np.where(known, spread, np.nan)
    finite = np.isfinite(df)
    critical = np.where(finite, stdtrit(np.where(finite, df, 1.0), (1 + level) / 2), ndtri((1 + level) / 2))
    ratio = -np.abs(estimate / se)
    tail = np.where(finite, stdtr(np.where(finite, df, 1.0), ratio), ndtr(ratio))
    return {
        "estimate": estimate,
        "se": se,
        "df": np.where(known, df, np.nan),
        "ci_low": estimate - critical * se,
        "ci_high": estimate + critical * se,
        "p": 2 * tail,
    }
