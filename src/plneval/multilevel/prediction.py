"""Predictions for rows: those of the fit, in their order, and new ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from plneval.multilevel.blocks import Block, Drops, Needs
from plneval.multilevel.chunks import ChunksIntake
from plneval.multilevel.design import Design, Floats
from plneval.multilevel.encoding import Columns, Encoding, Values
from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.formula import ModelFormula, parse
from plneval.multilevel.frame import RowsIntake, Table
from plneval.multilevel.random_effects import GroupEffects, effects_of
from plneval.multilevel.reading import Groups

if TYPE_CHECKING:
    from plneval.multilevel.result import Fit


def fitted_values(fit: Fit, effects: Sequence[GroupEffects]) -> pd.Series:
    """Xβ + Zu of the rows that were used, in the order of the data (lme4's ``fitted``).

    Returns
    -------
    Series
        Indexed by the rows' labels for a DataFrame, otherwise numbered.

    Raises
    ------
    MultilevelError
        The rows are gone (a fit to statistics, an iterator), or in a database, where rows have no order.
    """
    return _per_row(fit, effects, "fitted")


def residual_values(fit: Fit, effects: Sequence[GroupEffects]) -> pd.Series:
    """The outcome less its fitted value, as :func:`fitted_values`."""
    return _per_row(fit, effects, "residual")


def _per_row(fit: Fit, effects: Sequence[GroupEffects], name: str) -> pd.Series:
    if fit.intake is None:
        raise MultilevelError(f"{name} values need the rows, and the fit is to statistics: use predict(rows)")
    designs: Any = fit.intake
    index: Any = None
    if isinstance(fit.intake, RowsIntake):
        designs, index = [fit.intake.design(slice(None))], fit.intake.block.labels
    elif not isinstance(fit.intake, ChunksIntake):
        raise MultilevelError(f"{name} values: rows of a database have no order; use predict(rows)")
    parts = []
    for design in designs:
        mean = _mean(fit, design, effects)
        parts.append(mean if name == "fitted" else np.asarray(design.y, dtype=np.float64) - mean)
    return pd.Series(np.concatenate(parts), index=index, name=name)


def _mean(fit: Fit, design: Design, effects: Sequence[GroupEffects]) -> Floats:
    """(n,) Xβ + Zu of a design."""
    total = np.zeros(len(design.y))
    for at, coefficient in zip(fit.kept, fit.coefficients, strict=True):
        total += coefficient * np.asarray(design.columns[design.fixed[at]], dtype=np.float64)
    for level in design.levels:
        found = effects_of(level.name, effects)
        place = found.labels.get_indexer(level.labels)[level.codes]
        columns = [column for term in level.terms for column in term.columns]
        for effect, column in enumerate(columns):
            total += found.means[place, effect] * np.asarray(design.columns[column], dtype=np.float64)
    return total


def predict_rows(
    fit: Fit, data: Any, effects: Sequence[GroupEffects] | None, *, allow_new_groups: bool = False
) -> pd.Series:
    """The expected outcome of new rows.

    Parameters
    ----------
    data
        A DataFrame or an Arrow table with the formula's columns; the outcome is not needed.
    effects
        Predicted effects of the groups; ``None`` for the population mean Xβ.
    allow_new_groups
        Whether rows of groups that the fit does not know get the population's mean (effects of 0).

    Returns
    -------
    Series
        One value for each row, missing where a column is missing; indexed by the rows' labels.

    Raises
    ------
    MultilevelError
        A column is missing, a category is unknown, or a group is and ``allow_new_groups`` is not set.
    """
    encoding = fit.statistics.model.encoding
    if encoding is None:
        raise MultilevelError("predictions need the formula's encoding, which designs made by hand do not have")
    formula = parse(fit.formula)
    table = Table(pd.DataFrame(data) if isinstance(data, dict) else data)
    block, rows = _new_rows(formula, encoding, table, with_groups=effects is not None)
    columns = Columns.of(formula, encoding)
    values = Values(block.n, block.numbers, block.categories)
    needed = {columns.fixed[at] for at in fit.kept}
    if effects is not None:
        needed |= {place for places in columns.random for place in places}
    arrays = columns.compute_columns(formula, encoding, values, sorted(needed))
    total = np.zeros(block.n)
    for at, coefficient in zip(fit.kept, fit.coefficients, strict=True):
        total += coefficient * np.asarray(arrays[columns.fixed[at]], dtype=np.float64)
    if effects is not None:
        total += _random_part(formula, columns, block, arrays, effects, allow_new_groups=allow_new_groups)
    found = np.full(len(table), np.nan)
    found[rows] = total
    return pd.Series(found, index=table.labels, name="prediction")


def _new_rows(formula: ModelFormula, encoding: Encoding, table: Table, *, with_groups: bool) -> tuple[Block, Any]:
    """Complete new rows with the fit's categories, and which of the rows they are."""
    factors = [factor for factor in formula.factors if factor is not formula.outcome]
    numbers = [name for factor in factors if factor.text not in encoding.levels for name in factor.columns]
    needs = Needs(
        tuple(dict.fromkeys(numbers)),
        tuple((factor.text, factor.columns[0]) for factor in factors if factor.text in encoding.levels),
        tuple(dict.fromkeys(name for each in formula.groupings for name in each.columns)) if with_groups else (),
        None,
    )
    for name in needs.columns:
        if name not in table.names:
            raise MultilevelError(f"the new rows have no column {name!r}; it stands in {formula.text!r}")
    block = Block.read(needs, table.column, range(len(table)))
    block = block.complete(formula, needs, Drops())
    names = dict(needs.categories)
    for text, each in block.categories.items():
        block.categories[text] = each.used().recoded(encoding.levels[text], names[text])
    return block, np.asarray(block.labels, dtype=np.intp)


def _random_part(
    formula: ModelFormula,
    columns: Columns,
    block: Block,
    arrays: dict[int, Any],
    effects: Sequence[GroupEffects],
    *,
    allow_new_groups: bool,
) -> Floats:
    total = np.zeros(block.n)
    groups: dict[str, Groups] = dict(
        zip((each.name for each in formula.groupings), block.grouped(formula.groupings), strict=True)
    )
    used: dict[str, int] = {}
    for term, places in zip(formula.random, columns.random, strict=True):
        name = term.grouping.name
        found = effects_of(name, effects)
        row = found.labels.get_indexer(groups[name].labels)[groups[name].codes]
        if not allow_new_groups and (row < 0).any():
            unknown = len(np.unique(groups[name].codes[row < 0]))
            raise MultilevelError(
                f"{unknown} groups of {name} are not among those of the fit: allow_new_groups=True gives their rows "
                "the population's mean"
            )
        for place in places:
            # A level's effects come term by term, in the formula's order.
            effect = used.get(name, 0)
            used[name] = effect + 1
            total += np.where(row < 0, 0.0, found.means[row, effect]) * np.asarray(arrays[place], dtype=np.float64)
    return total
