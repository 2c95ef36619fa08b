"""Group-time average treatment effects after Callaway and Sant'Anna (2021), from cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from plneval.did.cells import Cells, as_cells, check_missing_entry, dropped_table
from plneval.did.collapse import Rows, collapse_rows
from plneval.did.columns import Floats, available_columns, column_names
from plneval.did.design import Design, check_options, make_design
from plneval.did.errors import DidError
from plneval.did.group_time_effects import GroupTimeEffects, estimator
from plneval.did.intervals import check_method
from plneval.did.regression import CannotEstimate
from plneval.did.samples import BalancedPanel, CrossSections, make_pieces
from plneval.did.two_by_two import Sample

__all__ = ["GroupTimeEffects", "att_gt"]


def att_gt(
    data: Any,
    outcome: str | None = None,
    time: str | None = None,
    unit: str | None = None,
    entry: str | None = None,
    covariates: Sequence[str] | None = None,
    comparison: str = "never",
    method: str = "dr",
    panel: bool | None = None,
    allow_unbalanced: bool | str = False,
    weights: str | None = None,
    cluster: str | None = None,
    anticipation: float = 0,
    base_period: str = "varying",
    missing_entry: str = "error",
    weights_from: str | float | None = None,
    level: float = 0.95,
    late_entry: str = "never",
    inference: str | None = None,
) -> GroupTimeEffects:
    """Estimate the average effect of entry on each group (units that enter together) at each time.

    Numbers agree with R's ``did`` 2.5.1, standard errors included (from influence functions, without a small-sample
    factor).

    Parameters
    ----------
    data, outcome, time, unit, entry, covariates, weights, cluster, missing_entry
        As in :func:`plneval.did.cells.cells`. Given cells, leave the columns out (or name the same).
    comparison
        ``"never"``: units never treated (or only after the last period); ``"not_yet"``: also units not treated yet,
        in the later of the two periods compared (plus ``anticipation``).
    method
        ``"dr"`` doubly robust, ``"ipw"`` inverse probability weighting, ``"or"`` outcome regression (Sant'Anna and
        Zhao 2020). Without covariates all three are the same.
    panel
        True (the default for rows): units are followed; False: repeated cross-sections of units that are groups.
    allow_unbalanced
        Use units of a panel that are not seen in every period, as R's did does: levels instead of changes, standard
        errors by unit. ``"pairwise"``: in each group and time, changes of the units seen in both of its periods (as
        Stata's csdid does), and averages weigh a group and time by those units. Otherwise they are dropped (see
        ``dropped``).
    anticipation
        Periods before entry in which effects are allowed for: base periods lie before them.
    base_period
        Before entry: ``"varying"`` compares with the period before, ``"universal"`` with the last period before
        entry (and anticipation), as after entry. Gap years are no periods: the base is the last period observed.
    weights_from
        For a balanced panel whose weights vary within units: ``"earlier"`` of the two periods compared (the default,
        as R's did), ``"base"`` period of the group, ``"first"`` period, or a period. The result says which.
    level
        Of the confidence intervals.
    late_entry
        Units that enter after the last period: ``"never"`` treated (as R's did has them), or ``"group"``: groups of
        their own, whose effects before entry are estimated and which compare as ``comparison`` says.
    inference
        Of the intervals in tables: ``"influence"`` (as R's did), ``"small_sample"`` (for few clusters), or by rule:
        small-sample where either arm has fewer than 40 clusters. ``se`` in tables is from influence functions always.

    Returns
    -------
    GroupTimeEffects
        Standard errors are by cluster; without ``cluster``, by unit, also in repeated cross-sections, where rows of
        one unit depend on one another.

    Notes
    -----
    Covariates of a balanced panel are those of the earlier of the two periods. In cross-sections each row has its
    own: outcome regressions use all rows through the cells' cross-products. The propensity model is fitted to rows
    where rows are given; given cells (or a database) whose covariates vary within cells, to the cells' mean
    covariates: ``propensity`` says which.

    Raises
    ------
    DidError
        As :func:`plneval.did.cells.cells` and :func:`plneval.did.design.make_design`; an option that does not exist or
        makes no sense with the others; nothing that can be estimated.
    """
    check_options(comparison, method, base_period, anticipation, allow_unbalanced, late_entry)
    check_missing_entry(missing_entry)
    check_method(inference)
    if not 0 < level < 1:
        raise DidError(f"level is {level!r}; give a number between 0 and 1, such as 0.95")
    rows: Rows | None = None
    if panel is False and _in_memory(data) and outcome and time and unit and entry:
        available = available_columns(data)
        names = column_names(outcome, time, unit, entry, covariates, weights, cluster, None, available)
        keep = bool(covariates) and method != "or"
        cells, rows = collapse_rows(
            data, names, panel=False, missing_entry=missing_entry, keep_rows=keep, merge_rows=True
        )
    else:
        cells = as_cells(
            data, outcome, time, unit, entry, covariates, weights, cluster, panel=panel, missing_entry=missing_entry
        )
    if allow_unbalanced and not cells.panel:
        raise DidError("allow_unbalanced belongs to panels: with panel=False units need not be seen every period")
    design = make_design(
        cells,
        comparison=comparison,
        base_period=base_period,
        anticipation=anticipation,
        allow_unbalanced=allow_unbalanced,
        late_entry=late_entry,
    )
    source = _weights_from(weights_from, cells, design)
    return _estimate(cells, rows, design, method, source, level, inference)


def _in_memory(data: Any) -> bool:
    return not isinstance(data, Cells) and type(data).__module__.split(".")[0] != "ibis"


def _weights_from(weights_from: str | float | None, cells: Cells, design: Design) -> str | float | None:
    """Where a balanced panel's weights come from, or ``None`` where the question does not arise."""
    if weights_from is None:
        return "earlier" if design.changes and not cells.constant_weights else None
    if cells.names.weights is None or not design.balanced:
        raise DidError("weights_from needs weights and a balanced panel: elsewhere each row has its own weight")
    if weights_from in ("earlier", "base", "first"):
        return weights_from
    if isinstance(weights_from, str) or weights_from not in design.times:
        raise DidError(
            f"weights_from is {weights_from!r}; it can be 'earlier', 'base', 'first', or a period: "
            f"{', '.join(f'{time:g}' for time in design.times)}"
        )
    return weights_from


def _estimate(
    cells: Cells,
    rows: Rows | None,
    design: Design,
    method: str,
    weights_from: str | float | None,
    level: float,
    inference: str | None,
) -> GroupTimeEffects:
    pieces = make_pieces(design)
    sample: BalancedPanel | CrossSections
    if design.changes:
        sample = BalancedPanel(design, pieces, weights_from or "earlier")
    else:
        sample = CrossSections(design, pieces, cells, rows)
    with_covariates = bool(cells.covariates)
    found, att, contributions, masses = [], [], [], []
    failed: dict[str, list[str]] = {}
    for cell in design.planned:
        taken = sample.take(cell) if cell.time != cell.base or design.pairwise else None
        if cell.time == cell.base or taken is None:
            effect, by_piece = 0.0, np.zeros(len(pieces.cluster))
        else:
            try:
                effect, by_piece = _one(taken, design.changes, method, with_covariates, len(pieces.cluster))
            except CannotEstimate as error:
                failed.setdefault(str(error), []).append(f"{design.groups[cell.group]:g}, {design.times[cell.time]:g}")
                continue
        found.append(cell)
        att.append(effect)
        contributions.append(by_piece)
        if design.pairwise and taken is not None:
            masses.append(np.bincount(taken.piece, taken.treated * taken.records.weight, len(pieces.cluster)))
    entries = [("group-times", reason, len(labels), labels[:5]) for reason, labels in failed.items()]
    if not any(cell.time != cell.base for cell in found):
        raise DidError("no group and time can be estimated: " + "; ".join(sorted(failed)))
    uses_propensity = with_covariates and method != "or"
    return GroupTimeEffects(
        design=design,
        pieces=pieces,
        method=method,
        estimated=tuple(found),
        att=np.array(att),
        contributions=np.column_stack(contributions),
        propensity=("row" if rows is not None else "unit") if uses_propensity else None,
        weights_from=weights_from,
        level=level,
        dropped=pd.concat([design.dropped, dropped_table(entries)], ignore_index=True) if entries else design.dropped,
        masses=np.column_stack(masses) if design.pairwise else None,
        asked_inference=inference,
        _source=sample,
    )


def _one(sample: Sample, balanced: bool, method: str, with_covariates: bool, n_pieces: int) -> tuple[float, Floats]:
    """One group and time: the effect and the contributions by piece."""
    _check_arms(sample, balanced)
    effect, contribution = estimator(balanced, method, with_covariates)(sample)
    return effect, np.bincount(sample.piece, contribution, n_pieces).astype(np.float64)


def _check_arms(sample: Sample, balanced: bool) -> None:
    """Raise where treated or comparison are missing in one of the periods."""
    periods = (
        [(sample.post, "")] if balanced else [(sample.post, " at this time"), (1 - sample.post, " in the base period")]
    )
    for period, when in periods:
        for arm, name in ((sample.treated, "treated"), (1 - sample.treated, "comparison")):
            if not np.any(arm * period * sample.records.weight > 0):
                raise CannotEstimate(f"no {name} rows{when}")
