"""Predictions of group effects (BLUPs) and their conditional covariances, from the statistics.

With the levels eliminated from the inside out, group j of a level holds M = U'V⁻¹U of its rows, and given the effects
ũ of the groups it lies in, its own are û = W(M_zy − M_zx β − M_zo ũ) with covariance σ²W (Bates et al. 2015, eq. 58;
Searle, Casella and McCulloch 1992, ch. 7). Going back from the outermost level adds the outer groups' uncertainty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtri

from plneval.multilevel.batched import shrinkage
from plneval.multilevel.criterion import Criterion
from plneval.multilevel.design import Floats, Integers
from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.problem import Problem
from plneval.multilevel.statistics import Statistics, gather
from plneval.multilevel.theta import Parameters

if TYPE_CHECKING:
    from plneval.multilevel.crossed import CrossedCriterion
    from plneval.multilevel.heavily_crossed import SparseCriterion
    from plneval.multilevel.result import Fit

# Units predicted at once.
BATCH = 65_536


@dataclass(frozen=True)
class GroupEffects:
    """Predicted effects of the groups of one level.

    Attributes
    ----------
    group
        The grouping factor.
    labels
        (J,) the groups.
    names
        (q,) the effects.
    means
        (J, q) predictions: means of the effects given the data, at the estimates.
    covariances
        (J, q, q) their covariances given the data, at the estimates (lme4's ``condVar``).
    """

    group: str
    labels: pd.Index
    names: tuple[str, ...]
    means: Floats
    covariances: Floats

    def table(self, level: float = 0.95) -> pd.DataFrame:
        """One row for each effect and group, effect by effect and sorted by group.

        Columns: the grouping factor's name, ``name``, ``estimate``, ``se``, ``ci_low``, ``ci_high`` (normal intervals),
        and ``rank`` of the estimate within the effect, 1 for the lowest: a caterpillar plot is this table by rank.
        """
        order = np.arange(len(self.labels))
        if not isinstance(self.labels, pd.MultiIndex):
            order = np.argsort(self.labels.to_numpy(), kind="stable")
        se = np.sqrt(np.maximum(np.diagonal(self.covariances, axis1=1, axis2=2), 0.0))
        quantile = float(ndtri(0.5 + level / 2))
        parts = []
        for at, name in enumerate(self.names):
            estimate, error = self.means[order, at], se[order, at]
            parts.append(
                pd.DataFrame(
                    {
                        self.group: self.labels[order],
                        "name": name,
                        "estimate": estimate,
                        "se": error,
                        "ci_low": estimate - quantile * error,
                        "ci_high": estimate + quantile * error,
                        "rank": pd.Series(estimate).rank(method="min").to_numpy(dtype=np.int64),
                    }
                )
            )
        return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class Chain:
    """Effects of the groups of a level and of all they lie in: own first, then outwards; relative to σ."""

    columns: Integers
    mean: Floats
    covariance: Floats


def group_effects(
    statistics: Statistics, criterion: Criterion, parameters: Parameters, factors: Sequence[Floats]
) -> list[GroupEffects]:
    """Predict the effects of every level, innermost first.

    Parameters
    ----------
    statistics
        For the innermost level its groups must be apart (``gather(..., keep_units=True)``); otherwise it is left out.
    criterion
        Of ``Problem.of(statistics)``.
    parameters, factors
        Λ of each level for the centred columns.
    """
    problem = criterion.problem
    passed = criterion.eliminate(factors)
    root = passed.root
    variance = root.residual / criterion.freedom
    x, y = problem.fixed, problem.outcome
    chain = Chain(np.zeros(0, dtype=np.intp), np.zeros((1, 0)), np.zeros((1, 0, 0)))
    found: list[GroupEffects] = []
    for level in range(len(problem.random) - 1, -1, -1):
        rows = passed.cross[level][:, problem.random[level]]
        weight, parent = passed.shrunk[level].weight, problem.parents[level]
        chain = next_chain(chain, problem.random[level], rows, weight, parent, x, y, root.coefficients)
        labels = statistics.labels[level + 1]
        assert labels is not None
        found.append(_effects(statistics, parameters, level + 1, labels.take(problem.orders[level]), chain, variance))
    units = problem.units
    if len(units) and not len(problem.cells) and units.labels is not None:
        links = []
        for start in range(0, len(units), BATCH):
            part = slice(start, start + BATCH)
            rows, parent = units.products[part], units.parent[part]
            weight = shrinkage(rows[:, :, problem.own], factors[0]).weight
            link = next_chain(chain, problem.own, rows, weight, parent, x, y, root.coefficients)
            q = len(problem.own)
            links.append((link.mean[:, :q], link.covariance[:, :q, :q]))
        means, covariances = (np.concatenate(part) for part in zip(*links, strict=True))
        found.append(
            _effects(statistics, parameters, 0, units.labels, Chain(problem.own, means, covariances), variance)
        )
    return found[::-1]


def next_chain(
    outer: Chain,
    own: Integers,
    rows: Floats,
    weight: Floats,
    parent: Integers,
    x: Integers,
    y: int,
    coefficients: Floats,
) -> Chain:
    """Effects of groups with Z'V⁻¹U = ``rows`` (J, q, r), given those of their parents."""
    of_outer = rows[:, :, outer.columns]
    score = rows[:, :, y] - rows[:, :, x] @ coefficients - np.einsum("jqo,jo->jq", of_outer, outer.mean[parent])
    mean = np.einsum("jqp,jp->jq", weight, score)
    through = -weight @ of_outer
    cross = through @ outer.covariance[parent]
    own_covariance = weight + cross @ through.transpose(0, 2, 1)
    covariance = np.concatenate(
        [
            np.concatenate([own_covariance, cross], axis=2),
            np.concatenate([cross.transpose(0, 2, 1), outer.covariance[parent]], axis=2),
        ],
        axis=1,
    )
    return Chain(np.append(own, outer.columns), np.concatenate([mean, outer.mean[parent]], axis=1), covariance)


def _effects(
    statistics: Statistics, parameters: Parameters, level: int, labels: pd.Index, chain: Chain, variance: float
) -> GroupEffects:
    """Own effects of a chain, for the user's columns."""
    shape = statistics.model.levels[level]
    q = len(shape.columns)
    back = np.linalg.inv(parameters.shifts[level])
    return GroupEffects(
        group=shape.name,
        labels=labels,
        names=tuple(statistics.model.names[column] for column in shape.columns),
        means=chain.mean[:, :q] @ back.T,
        covariances=variance * (back @ chain.covariance[:, :q, :q] @ back.T),
    )


def nested_engine(fit: Fit, what: str) -> Criterion:
    """The engine of a fit with nested levels.

    Raises
    ------
    MultilevelError
        Another engine fitted it.
    """
    if not isinstance(fit.engine_used, Criterion):
        raise MultilevelError(f"{what} needs nested levels; this fit is {fit.engine}")
    return fit.engine_used


def apart(fit: Fit, what: str) -> tuple[Statistics, Criterion]:
    """The statistics with the innermost groups apart, and their criterion: a second pass over the rows.

    Raises
    ------
    MultilevelError
        The rows are not there, or another engine than the nested one fitted them.
    """
    engine = nested_engine(fit, what)
    if fit.intake is None:
        raise MultilevelError(
            f"{what} needs the groups of {fit.statistics.model.levels[0].name} apart, and in the statistics they are "
            "added up: fit(formula, data)"
        )
    found = gather(fit.intake, keep_units=True).centred_as(fit.statistics.centre)
    return found, Criterion(Problem.of(found, engine.problem.fixed), reml=fit.reml)


def effects_of_fit(fit: Fit, *, innermost: bool) -> list[GroupEffects]:
    """Predicted effects of every level of a fit; those of the innermost take a second pass over the rows.

    Raises
    ------
    MultilevelError
        The rows are not there; an engine without predictions.
    """
    from plneval.multilevel.crossed import CrossedCriterion as Crossed
    from plneval.multilevel.heavily_crossed import SparseCriterion

    if isinstance(fit.engine_used, Crossed):
        return _crossed(fit, fit.engine_used)
    if isinstance(fit.engine_used, SparseCriterion):
        return _heavily_crossed(fit, fit.engine_used)
    statistics, engine = fit.statistics, nested_engine(fit, "random effects")
    if innermost:
        statistics, engine = apart(fit, "random effects")
    return group_effects(statistics, engine, fit.parameters, fit.optimum.factors)


def _crossed(fit: Fit, engine: CrossedCriterion) -> list[GroupEffects]:
    from plneval.multilevel.crossed_effects import crossed_effects
    from plneval.multilevel.crossed_rows import compact, pooled

    if fit.intake is None:
        raise MultilevelError("random effects of crossed levels need the rows")
    design = compact(pooled(list(fit.intake)))
    return _of_levels(fit, crossed_effects(design, fit.statistics, engine, fit.optimum.factors))


def _heavily_crossed(fit: Fit, engine: SparseCriterion) -> list[GroupEffects]:
    return _of_levels(fit, engine.effects(fit.optimum.factors))


def _of_levels(fit: Fit, effects: Sequence[tuple[Floats, Floats]]) -> list[GroupEffects]:
    """Effects of the user's columns, from means and covariances over σ² of the centred ones."""
    model, variance = fit.statistics.model, fit.sigma**2
    found = []
    for at, (means, covariances) in enumerate(effects):
        labels = fit.statistics.labels[at]
        assert labels is not None
        back = np.linalg.inv(fit.parameters.shifts[at])
        names = tuple(model.names[column] for column in model.levels[at].columns)
        covariance = variance * (back @ covariances @ back.T)
        found.append(GroupEffects(model.levels[at].name, labels, names, means @ back.T, covariance))
    return found


def effects_of(group: str, found: Sequence[GroupEffects]) -> GroupEffects:
    """The effects of one grouping factor; :func:`check_group` has seen its name."""
    return next(effects for effects in found if effects.group == group)


def check_group(fit: Fit, group: str) -> None:
    """Raise ``MultilevelError`` unless a fit has random effects of a grouping factor."""
    if group not in fit.groups:
        raise MultilevelError(f"no random effects of {group!r}; there are {', '.join(map(repr, fit.groups))}")
