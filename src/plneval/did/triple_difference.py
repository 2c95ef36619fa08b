"""Effects on the gap between two subgroups of the same units, in staggered designs (triple differences)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from plneval.did.att_gt import GroupTimeEffects
from plneval.did.cells import Cells, as_cells, check_missing_entry, dropped_table
from plneval.did.collapse import Rows, collapse_rows
from plneval.did.columns import Floats, Integers, available_columns, column_names
from plneval.did.design import Design, GroupTime, check_options, make_design
from plneval.did.errors import DidError
from plneval.did.intervals import check_method
from plneval.did.products import crossproduct, linear
from plneval.did.regression import CannotEstimate
from plneval.did.samples import BalancedPanel, CrossSections, Pieces, make_pieces
from plneval.did.two_by_two import CROSS_SECTION, PANEL, cross_section_means, panel_means

if TYPE_CHECKING:
    from plneval.did.few_clusters import AdjustedErrors

# Ratio of the least to the largest eigenvalue (of the correlations) below which a covariance matrix is called singular.
SINGULAR = 1e-10


@dataclass(frozen=True)
class TripleDifferences(GroupTimeEffects):
    """Group-time effects on the gap between two subgroups, with the aggregates, tests and bands of ``att_gt``.

    Attributes
    ----------
    focal, other
        The subgroups; effects are those on ``focal`` less those on ``other``.
    comparisons
        One row for each group, time and comparison group: ``group``, ``time``, ``comparison``, ``att`` against that
        group alone, and the ``weight`` it has in the effect.
    """

    focal: Any = None
    other: Any = None
    comparisons: pd.DataFrame = field(default_factory=pd.DataFrame)

    @cached_property
    def adjusted(self) -> AdjustedErrors:
        """Errors adjusted for few clusters: see :func:`plneval.did.gap_errors.gap_errors`."""
        from plneval.did.gap_errors import gap_errors

        return gap_errors(self)


def triple_difference(
    data: Any,
    outcome: str | None = None,
    time: str | None = None,
    unit: str | None = None,
    entry: str | None = None,
    subgroup: str | None = None,
    focal: Any = None,
    covariates: Sequence[str] | None = None,
    comparison: str = "never",
    method: str = "dr",
    panel: bool | None = None,
    allow_unbalanced: bool = False,
    weights: str | None = None,
    cluster: str | None = None,
    anticipation: float = 0,
    base_period: str = "varying",
    missing_entry: str = "error",
    inference: str | None = None,
    level: float = 0.95,
) -> TripleDifferences:
    """Estimate how much larger the effect of entry is in one of two subgroups than in the other.

    For each group and time and each single comparison group, the difference-in-differences of the focal subgroup less
    that of the other; with several comparison groups these are combined with the weights of least variance
    (Ortiz-Villavicencio and Sant'Anna 2025, section 4.3). Putting units not yet treated together first would be
    biased where subgroups are not equally large in them. Trends may differ between subgroups and between groups of
    units: the gap is what would have moved in parallel.

    Parameters
    ----------
    data, outcome, time, unit, entry, covariates, comparison, method, weights, cluster, anticipation, base_period,
    missing_entry, inference, level
        As in :func:`plneval.did.att_gt`. Both subgroups of a unit enter together. Cells need ``subgroup``.
    subgroup
        Column with two values.
    focal
        The value whose effect is wanted in excess of the other's; the greater one (1, True) by default.
    panel
        True: one row of a unit, time and subgroup; each pair of unit and subgroup is followed. False: rows of units.
    allow_unbalanced
        Use pairs of unit and subgroup that are not seen in every period, by levels; otherwise they are dropped.

    Returns
    -------
    TripleDifferences
        Standard errors are by cluster, by default by unit, so that what subgroups of a unit share cancels. The counts
        of the table are units with the focal subgroup, which also weigh the groups in averages.

    Notes
    -----
    With covariates three comparisons of the focal subgroup of treated units (with the other subgroup, with the focal
    and with the other subgroup of comparison units) are put together, each adjusted to the covariates of the first
    (the paper's equation 4.7). Weights are taken as given in the standard error, as the paper does, and estimated from
    clusters.

    Raises
    ------
    DidError
        As :func:`plneval.did.att_gt`; a subgroup that does not have two values.
    """
    if allow_unbalanced not in (False, True):
        raise DidError(f"allow_unbalanced is {allow_unbalanced!r}; it can be False or True")
    check_options(comparison, method, base_period, anticipation)
    check_missing_entry(missing_entry)
    check_method(inference)
    if not 0 < level < 1:
        raise DidError(f"level is {level!r}; give a number between 0 and 1, such as 0.95")
    if subgroup is None:
        raise DidError("name the column of the subgroup")
    rows: Rows | None = None
    in_memory = not isinstance(data, Cells) and type(data).__module__.split(".")[0] != "ibis"
    if panel is False and in_memory and outcome and time and unit and entry:
        names = column_names(
            outcome, time, unit, entry, covariates, weights, cluster, subgroup, available_columns(data)
        )
        keep = bool(covariates) and method != "or"
        cells, rows = collapse_rows(data, names, panel=False, missing_entry=missing_entry, keep_rows=keep)
    else:
        cells = as_cells(data, outcome, time, unit, entry, covariates, weights, cluster, subgroup, panel, missing_entry)
    code = _focal_code(cells, subgroup, focal)
    pairs, other = _pairs(cells, code)
    if allow_unbalanced and not cells.panel:
        raise DidError("allow_unbalanced belongs to panels: with panel=False units need not be seen every period")
    entered = np.unique(cells.unit[np.isfinite(cells.entry[cells.unit])])
    if len(entered) == 1:
        raise DidError("a single treated unit: its effect can be estimated, the uncertainty cannot")
    by_entry = make_design(
        pairs,
        comparison=comparison,
        base_period=base_period,
        anticipation=anticipation,
        allow_unbalanced=allow_unbalanced,
    )
    design = _by_subgroup(by_entry, other)
    found = _estimate(pairs, rows, design, method, level, (cells.subgroups[code], cells.subgroups[1 - code]))
    return replace(found, asked_inference=inference)


def _focal_code(cells: Cells, subgroup: str, focal: Any) -> int:
    if len(cells.subgroups) != 2:
        raise DidError(
            f"{subgroup}: {len(cells.subgroups)} value(s), but a gap is between two subgroups: leave the others out, "
            "or put them together"
        )
    if focal is None:
        return 1
    found = np.flatnonzero(cells.subgroups == focal)
    if len(found) != 1:
        raise DidError(f"{subgroup}: the focal subgroup {focal!r} is not one of its two values")
    return int(found[0])


def _pairs(cells: Cells, code: int) -> tuple[Cells, Integers]:
    """Pairs of unit and subgroup in the place of units, and which are of the other subgroup (0 or 1).

    Cells stay in their order, so that rows still find theirs.
    """
    pair = 2 * cells.unit + (cells.subgroup != code)
    present, unit = np.unique(pair, return_inverse=True)
    owner = present // 2
    subgroups = cells.subgroups[[code, 1 - code]]
    labels = [(cells.units[u], subgroups[s]) for u, s in zip(owner, present % 2, strict=True)]
    pairs = replace(
        cells,
        names=replace(cells.names, cluster=cells.names.cluster or cells.names.unit),
        units=pd.Index(np.fromiter(labels, dtype=object, count=len(labels)), tupleize_cols=False),
        entry=cells.entry[owner],
        cluster=cells.cluster[owner],
        unit=unit.reshape(-1).astype(np.intp),
    )
    return pairs, (present % 2).astype(np.intp)


def _by_subgroup(design: Design, other: Integers) -> Design:
    """The design with two groups for each entry, 2h for the focal subgroup and 2h + 1 for the other."""
    return replace(
        design,
        groups=np.repeat(design.groups, 2),
        group=np.where(design.group >= 0, 2 * design.group + other, -1),
        planned=tuple(
            GroupTime(2 * cell.group, cell.time, cell.base, tuple(2 * c for c in cell.comparison))
            for cell in design.planned
        ),
    )


def _estimate(
    cells: Cells, rows: Rows | None, design: Design, method: str, level: float, labels: tuple[Any, Any]
) -> TripleDifferences:
    pieces = make_pieces(design)
    varying = design.balanced and not cells.constant_weights
    sample: BalancedPanel | CrossSections
    if design.balanced:
        sample = BalancedPanel(design, pieces, "earlier")
    else:
        sample = CrossSections(design, pieces, cells, rows)
    found, att, contributions, compared = [], [], [], []
    failed: dict[str, list[str]] = {}
    lone = _lone_groups(pieces, len(design.groups))
    for cell in design.planned:
        label = f"{design.groups[cell.group]:g}, {design.times[cell.time]:g}"
        if cell.time == cell.base:
            found.append(cell)
            att.append(0.0)
            contributions.append(np.zeros(len(pieces.cluster)))
            continue
        effects, columns, used = [], [], []
        for other in cell.comparison:
            try:
                effect, by_piece = _against(
                    sample, cell, other, design.balanced, method, bool(cells.covariates), pieces
                )
            except CannotEstimate as error:
                failed.setdefault(f"{error} (against one comparison group)", []).append(label)
                continue
            effects.append(effect)
            columns.append(by_piece)
            used.append(other)
        if not used:
            continue
        weight = _least_variance(np.column_stack(columns), pieces, lone[used])
        found.append(cell)
        att.append(float(np.sum(weight * effects)))
        contributions.append(linear(np.column_stack(columns), weight))
        for other, effect, share in zip(used, effects, weight, strict=True):
            entry, period = design.groups[cell.group], design.times[cell.time]
            compared.append((entry, period, design.groups[other], effect, share))
        if (weight == 0).any():
            failed.setdefault("a comparison group of a single cluster: weight 0", []).append(label)
    entries = [("group-times", reason, len(where), where[:5]) for reason, where in failed.items()]
    if not any(cell.time != cell.base for cell in found):
        raise DidError("no group and time can be estimated: " + "; ".join(sorted(failed)))
    uses_propensity = bool(cells.covariates) and method != "or"
    return TripleDifferences(
        design=design,
        pieces=pieces,
        method=method,
        estimated=tuple(found),
        att=np.array(att),
        contributions=np.column_stack(contributions),
        propensity=("row" if rows is not None else "unit") if uses_propensity else None,
        weights_from="earlier" if varying else None,
        level=level,
        dropped=pd.concat([design.dropped, dropped_table(entries)], ignore_index=True) if entries else design.dropped,
        focal=labels[0],
        other=labels[1],
        comparisons=pd.DataFrame(compared, columns=["group", "time", "comparison", "att", "weight"]),
    )


def _against(
    sample: BalancedPanel | CrossSections,
    cell: GroupTime,
    other: int,
    balanced: bool,
    method: str,
    with_covariates: bool,
    pieces: Pieces,
) -> tuple[float, Floats]:
    """The triple difference against one comparison group, and what each piece contributes to its error."""
    estimators, means = (PANEL, panel_means) if balanced else (CROSS_SECTION, cross_section_means)
    effect, by_piece = 0.0, np.zeros(len(pieces.cluster))
    # Focal treated against: the other subgroup (+), the focal one (+) and the other one (-) of the comparison units.
    for group, sign in ((cell.group + 1, 1.0), (other, 1.0), (other + 1, -1.0)):
        taken = sample.take(GroupTime(cell.group, cell.time, cell.base, (group,)))
        periods = [(taken.post, " at this time")]
        if not balanced:
            periods.append((1 - taken.post, " in the base period"))
        for period, when in periods:
            for arm, name in ((taken.treated, "treated"), (1 - taken.treated, "comparison")):
                if not np.any(arm * period * taken.records.weight > 0):
                    raise CannotEstimate(f"no {name} rows of a subgroup{when}")
        one, contribution = (estimators[method] if with_covariates else means)(taken)
        effect += sign * one
        by_piece += sign * np.bincount(taken.piece, contribution, len(by_piece))
    return effect, by_piece


def _lone_groups(pieces: Pieces, n_groups: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which groups are of a single cluster, in either subgroup, so that their own variation cannot be seen."""
    clusters = np.bincount(pieces.group, minlength=n_groups)
    alone = clusters < 2
    return np.asarray(alone | alone[np.arange(n_groups) ^ 1])


def _least_variance(columns: Floats, pieces: Pieces, lone: np.ndarray[Any, np.dtype[np.bool_]]) -> Floats:
    """(K,) weights that sum to 1 and have the least variance, Ω⁻¹1 / 1'Ω⁻¹1, with Ω by cluster.

    Comparison groups of a single cluster would seem to have no error: they have weight 0, or all have the same where
    there are no others. Where Ω cannot be inverted, all have the same weight.
    """
    usable = ~lone if not lone.all() else np.ones(len(lone), dtype=bool)
    weight = np.where(usable, 1 / usable.sum(), 0.0)
    if usable.sum() == 1 or lone.all():
        return weight
    first = np.searchsorted(pieces.cluster, np.arange(len(pieces.clusters)))
    omega = crossproduct(np.add.reduceat(columns[:, usable], first, axis=0))
    scale = np.sqrt(np.diag(omega))
    if (scale > 0).all():
        values = np.linalg.eigvalsh(omega / scale / scale[:, None])
        if values[0] > SINGULAR * values[-1]:
            inverse = np.linalg.solve(omega, np.ones(len(omega)))
            weight[usable] = inverse / inverse.sum()
    return weight
