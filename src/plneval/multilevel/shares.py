"""Where the variance lies: shares of levels, intraclass correlations, R² (Nakagawa, Johnson and Schielzeth 2017).

With random slopes the variance of a level is its mean over the rows, the mean of z'Ψz (Johnson 2014).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from plneval.multilevel.criterion import Criterion
from plneval.multilevel.design import Design, Floats, Integers
from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.problem import Problem
from plneval.multilevel.random_effects import nested_engine
from plneval.multilevel.satterthwaite import covariance_of_parameters, parameter_directions
from plneval.multilevel.statistics import Statistics
from plneval.multilevel.working import working_rows

if TYPE_CHECKING:
    from plneval.multilevel.result import Fit


@dataclass(frozen=True)
class RowMoments:
    """Means over the rows (weighted by the prior weights), of centred columns.

    Attributes
    ----------
    squares
        For each level, innermost first, the (q, q) mean of zz'.
    fixed
        (p, p) covariance of the columns of X over the rows (denominator n − 1).
    """

    squares: tuple[Floats, ...]
    fixed: Floats

    @classmethod
    def of(cls, problem: Problem, intercept: int | None, *, weighted: bool) -> RowMoments:
        """From a problem; ``intercept`` is the working column of ones.

        Raises
        ------
        MultilevelError
            No column of ones among the columns of X and of outer levels: means cannot be told then.
        """
        total = problem.cross.sum(axis=0)
        if intercept is None or intercept >= len(total):
            raise MultilevelError(
                "variance shares and R² need the columns' means, and neither the fixed part nor an outer level has an "
                "intercept"
            )
        weight = float(total[intercept, intercept]) if weighted else float(problem.n)
        own = problem.units.products[:, :, problem.own].sum(axis=0)
        cells = problem.cells
        if len(cells):
            count = np.bincount(cells.pattern, cells.count, len(cells.patterns))
            own = own + np.einsum("p,pab->ab", count, cells.patterns)
        x = problem.fixed
        mean = total[intercept, x] / weight
        spread = total[np.ix_(x, x)] / weight - np.outer(mean, mean)
        outer = [total[np.ix_(columns, columns)] / weight for columns in problem.random]
        return cls((own / weight, *outer), spread * problem.n / (problem.n - 1))

    @classmethod
    def of_rows(cls, design: Design, statistics: Statistics, kept: Integers) -> RowMoments:
        """From the rows themselves, centred as the statistics are; ``kept`` are the estimated columns of X."""
        working = statistics.model.working
        rows = working_rows(design, working, statistics.centre, None)
        weights = np.ones(len(rows)) if design.weights is None else np.asarray(design.weights, dtype=np.float64)
        x = rows[:, working.fixed[kept]]
        total = float(weights.sum())
        mean = np.sqrt(weights) @ x / total
        spread = x.T @ x / total - np.outer(mean, mean)
        squares = tuple(rows[:, columns].T @ rows[:, columns] / total for columns in working.random)
        return cls(squares, spread * len(rows) / (len(rows) - 1))


@dataclass(frozen=True)
class VarianceShares:
    """Mean variances of the parts of the outcome.

    Attributes
    ----------
    fixed
        Variance of Xβ over the rows.
    levels
        (levels,) mean variance of each level's effects, innermost first.
    residual
        σ².
    nested
        Whether rows that share a group of a level share those of all levels outside it.
    """

    fixed: float
    levels: Floats
    residual: float
    nested: bool = True

    @property
    def random(self) -> float:
        """Variance not explained by fixed effects."""
        return float(self.levels.sum()) + self.residual

    @property
    def share(self) -> Floats:
        """(levels + 1,) share of each level, then of the residual, in the variance that fixed effects leave."""
        return np.append(self.levels, self.residual) / self.random

    @property
    def correlation(self) -> Floats:
        """(levels,) correlation of two rows that share the group of a level (and those outside it, if nested)."""
        if not self.nested:
            return self.levels / self.random
        return np.asarray(np.cumsum(self.levels[::-1])[::-1] / self.random)

    @property
    def r2_marginal(self) -> float:
        """Share of fixed effects in all variance."""
        return self.fixed / (self.fixed + self.random)

    @property
    def r2_conditional(self) -> float:
        """Share of fixed and random effects in all variance."""
        return (self.fixed + self.random - self.residual) / (self.fixed + self.random)


def variance_shares(
    moments: RowMoments, factors: Sequence[Floats], coefficients: Floats, variance: float, *, nested: bool = True
) -> VarianceShares:
    """The shares for Λ of each level and β of the working columns, and σ²."""
    levels = [
        variance * float((factor.T @ square @ factor).trace())
        for factor, square in zip(factors, moments.squares, strict=True)
    ]
    return VarianceShares(float(coefficients @ moments.fixed @ coefficients), np.array(levels), variance, nested)


def share_table(
    moments: RowMoments,
    factors: Sequence[Floats],
    sigma: float,
    directions: Sequence[Sequence[Floats]],
    covariance: Floats,
    groups: Sequence[str],
    level: float = 0.95,
    *,
    nested: bool = True,
) -> pd.DataFrame:
    """Shares and intraclass correlations with intervals (delta method on the logit scale).

    Parameters
    ----------
    moments
        Of the rows.
    factors, sigma
        The estimates.
    directions, covariance
        Changes of all factors, and the covariance matrix of the estimates along them with σ last.
    groups
        Names of the levels.

    Returns
    -------
    DataFrame
        ``group``, ``quantity`` (``variance``, ``share``, ``intraclass correlation``), ``estimate``, ``se``, ``ci_low``,
        ``ci_high``. Intervals are missing where an estimate is at 0 or the covariance is not known.
    """

    def values(moved: Sequence[Floats], scale: float) -> Floats:
        found = variance_shares(moments, moved, np.zeros(len(moments.fixed)), scale**2, nested=nested)
        return np.concatenate([found.levels, [found.residual], found.share, found.correlation])

    estimate = values(factors, sigma)
    steps = []
    size = 1e-5
    for direction in directions:
        sides = [
            values([factor + sign * size * move for factor, move in zip(factors, direction, strict=True)], sigma)
            for sign in (1.0, -1.0)
        ]
        steps.append((sides[0] - sides[1]) / (2 * size))
    step = size * sigma
    steps.append((values(factors, sigma + step) - values(factors, sigma - step)) / (2 * step))
    jacobian = np.stack(steps)
    se = np.sqrt(np.maximum(np.einsum("mk,mn,nk->k", jacobian, covariance, jacobian), 0.0))
    names = [*groups, "Residual"]
    labels = [(name, "variance") for name in names] + [(name, "share") for name in names]
    labels += [(name, "intraclass correlation") for name in groups]
    table = pd.DataFrame(labels, columns=["group", "quantity"]).assign(estimate=estimate, se=se)
    low, high = _intervals(estimate, se, (table["quantity"] == "variance").to_numpy(), float(ndtri(0.5 + level / 2)))
    return table.assign(ci_low=low, ci_high=high)


def _intervals(estimate: Floats, se: Floats, positive: NDArray[np.bool_], quantile: float) -> tuple[Floats, Floats]:
    """Intervals on the log scale for variances, on the logit scale for shares."""
    inside = (estimate > 1e-8) & (se > 0) & (positive | (estimate < 1 - 1e-8))
    e, s = np.where(inside, estimate, 0.5), np.where(inside, se, 0.0)
    log_low, log_high = e * np.exp(-quantile * s / e), e * np.exp(quantile * s / e)
    ratio, spread = e / np.where(positive, 1.0, 1 - e), s / (e * np.where(positive, 1.0, 1 - e))
    low, high = ratio * np.exp(-quantile * spread), ratio * np.exp(quantile * spread)
    low, high = np.where(positive, log_low, low / (1 + low)), np.where(positive, log_high, high / (1 + high))
    return np.where(inside, low, np.nan), np.where(inside, high, np.nan)


def moments_of_fit(fit: Fit) -> RowMoments:
    """Means over the rows of a fit; raises as :meth:`RowMoments.of`."""
    from plneval.multilevel.crossed_rows import pooled

    if not isinstance(fit.engine_used, Criterion) and fit.intake is not None:
        return RowMoments.of_rows(pooled(list(fit.intake)), fit.statistics, fit.kept)
    engine = nested_engine(fit, "the decomposition of the variance")
    model = fit.statistics.model
    return RowMoments.of(engine.problem, model.working.intercept, weighted=model.weighted)


def shares_of_fit(fit: Fit, level: float) -> pd.DataFrame:
    """The table of :func:`share_table` for a fit.

    Where it is singular, intervals are given what lies on the boundary: the criterion is even in a standard deviation
    of 0, so that its covariance with the other parameters vanishes, and so does the derivative of every share in it.
    Those of a level without variance are missing.
    """
    found = covariance_of_parameters(fit.engine_used, fit.parameters, fit.optimum)
    return share_table(
        moments_of_fit(fit),
        fit.optimum.factors,
        fit.sigma,
        parameter_directions(fit.engine_used, fit.parameters),
        found.covariance,
        list(fit.groups),
        level,
        nested=isinstance(fit.engine_used, Criterion),
    )


def r_squared_of_fit(fit: Fit) -> pd.Series:
    """``marginal`` (fixed effects) and ``conditional`` (fixed and random effects) R² of a fit."""
    # The working outcome is y less what the slopes of the centre explain.
    coefficients = fit.optimum.root.coefficients + fit.statistics.centre.slope[fit.kept]
    found = variance_shares(moments_of_fit(fit), fit.optimum.factors, coefficients, fit.sigma**2)
    return pd.Series({"marginal": found.r2_marginal, "conditional": found.r2_conditional}, name="r_squared")
