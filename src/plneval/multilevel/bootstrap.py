"""Parametric bootstrap from the statistics: new sums are drawn as if new rows had been drawn and summed.

Rows of a pupil enter through Z'e ~ N(0, σ²G), those of a school through the rest of X'e, whose covariance is σ² times
what is left of X'X once each pupil's Z is taken out, and e'e given both is a quadratic form plus σ²χ². So a replicate
costs what the statistics cost, whatever the number of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from plneval.multilevel.criterion import Criterion
from plneval.multilevel.design import Floats, Integers
from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.optimise import optimise
from plneval.multilevel.problem import Problem
from plneval.multilevel.random_effects import apart
from plneval.multilevel.segments import sum_by_code
from plneval.multilevel.units import Units, compress

if TYPE_CHECKING:
    from plneval.multilevel.result import Fit

# Eigenvalues below this fraction of the largest count as 0.
RANK = 1e-9


@dataclass(frozen=True)
class _Roots:
    """Symmetric matrices (J, q, q): square root, pseudo-inverse and rank of each."""

    root: Floats
    inverse: Floats
    rank: Integers

    @classmethod
    def of(cls, matrices: Floats, reference: Floats) -> _Roots:
        """``reference`` (J, q) are the diagonals that eigenvalues are small against."""
        size = np.sqrt(np.where(reference > 0, reference, 1.0))
        values, vectors = np.linalg.eigh(matrices / (size[:, :, None] * size[:, None, :]))
        here = values > RANK
        root = np.sqrt(np.where(here, values, 0.0))
        scaled = vectors * size[:, :, None]
        inverse = vectors / size[:, :, None] * np.where(here, 1.0 / np.where(here, values, 1.0), 0.0)[:, None, :]
        return cls(
            root=scaled * root[:, None, :],
            inverse=inverse @ (vectors / size[:, :, None]).transpose(0, 2, 1),
            rank=here.sum(axis=1),
        )


class Simulation:
    """Draws of a nested model's statistics.

    Parameters
    ----------
    problem
        With the innermost groups apart: cells cannot be drawn, since their pupils are gone.
    factors
        Λ of each level for the centred columns, innermost first.
    coefficients
        (p,) β of the working columns.
    sigma
        σ.

    Raises
    ------
    MultilevelError
        The innermost groups have been added up.
    """

    def __init__(self, problem: Problem, factors: Sequence[Floats], coefficients: Floats, sigma: float) -> None:
        if len(problem.cells):
            raise MultilevelError(
                "the parametric bootstrap needs the innermost groups apart: gather the statistics with keep_units=True"
            )
        self.problem, self.factors, self.coefficients, self.sigma = problem, factors, coefficients, sigma
        units, y = problem.units, problem.outcome
        gram, of_kept = units.products[:, :, problem.own], units.products[:, :, :y]
        self.within = _Roots.of(gram, np.diagonal(gram, axis1=1, axis2=2))
        taken = sum_by_code(
            of_kept.transpose(0, 2, 1) @ (self.within.inverse @ of_kept), units.parent, len(problem.cross)
        )
        design = problem.cross[:, :y, :y]
        self.between = _Roots.of(design - taken, np.diagonal(design, axis1=1, axis2=2))
        used = np.bincount(units.parent, self.within.rank, len(problem.cross)) + self.between.rank
        self.freedom = np.maximum(problem.rows - used, 0.0)

    def draw(self, random: np.random.Generator) -> Problem:
        """The problem of one replicate, its innermost groups added up where that is worth it."""
        problem, sigma = self.problem, self.sigma
        units, y = problem.units, problem.outcome
        parent, groups = units.parent, len(problem.cross)
        gamma = self._outer(random)
        gram, of_kept = units.products[:, :, problem.own], units.products[:, :, :y]
        n, q = gram.shape[:2]
        effect = sigma * random.standard_normal((n, q)) @ self.factors[0].T
        noise = sigma * np.einsum("jab,jb->ja", self.within.root, random.standard_normal((n, q)))
        projected = np.einsum("jab,jb->ja", self.within.inverse, noise)
        rest = sigma * np.einsum("jab,jb->ja", self.between.root, random.standard_normal((groups, y)))
        moved = np.einsum("jab,jb->ja", gram, effect)
        products = units.products.copy()
        products[:, :, y] = np.einsum("jab,jb->ja", of_kept, gamma[parent]) + moved + noise
        design = problem.cross[:, :y, :y]
        through = sum_by_code(np.einsum("jab,ja->jb", of_kept, effect + projected), parent, groups) + rest
        mean = np.einsum("jab,jb->ja", design, gamma)
        inner = (effect * (moved + 2.0 * noise) + noise * projected).sum(axis=1)
        squares = np.einsum("ja,ja->j", gamma, mean + 2.0 * through) + np.bincount(parent, inner, groups)
        squares += np.einsum("ja,jab,jb->j", rest, self.between.inverse, rest)
        squares += sigma**2 * np.where(self.freedom > 0, random.chisquare(np.maximum(self.freedom, 1.0)), 0.0)
        cross = problem.cross.copy()
        cross[:, :y, y] = cross[:, y, :y] = mean + through
        cross[:, y, y] = squares
        drawn = replace(problem, units=Units(parent, products, None), cross=cross)
        cells = compress(drawn.units, problem.own, problem.cross.shape[1])
        return drawn if cells is None else replace(drawn, units=Units.none(*products.shape[1:]), cells=cells)

    def _outer(self, random: np.random.Generator) -> Floats:
        """(J, y) coefficients of the working columns in each group of the second level: β and the outer effects."""
        problem = self.problem
        gamma = np.zeros((1, problem.outcome))
        gamma[0, problem.fixed] = self.coefficients
        for level in range(len(problem.random) - 1, -1, -1):
            columns, parent = problem.random[level], problem.parents[level]
            drawn = self.sigma * random.standard_normal((len(parent), len(columns))) @ self.factors[level + 1].T
            gamma = gamma[parent]
            # A column of two terms has two effects that add up.
            for place, column in enumerate(columns):
                gamma[:, column] += drawn[:, place]
        return gamma


@dataclass(frozen=True)
class Bootstrap:
    """Refits to draws from a fit.

    Attributes
    ----------
    estimates
        (quantities,) of the fit: fixed effects by term, then standard deviations (``sd(year | pupil)``), correlations
        (``cor(Intercept, year | pupil)``) and ``sigma``.
    replicates
        (replicates, quantities) of the refits.
    converged
        (replicates,) whether the refit is certified.
    """

    estimates: pd.Series
    replicates: pd.DataFrame
    converged: pd.Series

    def intervals(self, level: float = 0.95) -> pd.DataFrame:
        """Percentile intervals: ``quantity``, ``estimate``, ``se``, ``ci_low``, ``ci_high``, ``used``.

        Refits that did not converge, and correlations with an effect of no variance, are not used.
        """
        used = self.replicates[self.converged.to_numpy()]
        tail = (1 - level) / 2
        return pd.DataFrame(
            {
                "quantity": used.columns,
                "estimate": self.estimates.to_numpy(),
                "se": used.std(ddof=1).to_numpy(),
                "ci_low": used.quantile(tail).to_numpy(),
                "ci_high": used.quantile(1 - tail).to_numpy(),
                "used": used.notna().sum().to_numpy(),
            }
        )


def bootstrap_fit(fit: Fit, replicates: int, seed: int) -> Bootstrap:
    """Draw from a fit and refit, so many times.

    Raises
    ------
    MultilevelError
        Fewer than two replicates; rows that are not there; an engine other than the nested one.
    """
    if replicates < 2:
        raise MultilevelError(f"{replicates} replicates are too few: give at least 2, and some hundreds for intervals")
    _, engine = apart(fit, "the parametric bootstrap")
    simulation = Simulation(engine.problem, fit.optimum.factors, fit.optimum.root.coefficients, fit.sigma)
    random = np.random.default_rng(seed)
    rows, converged = [], []
    for _ in range(replicates):
        drawn = Criterion(simulation.draw(random), reml=fit.reml)
        refit = replace(fit, engine_used=drawn, optimum=optimise(drawn, fit.parameters, near=fit.optimum))
        rows.append(quantities(refit))
        converged.append(refit.converged)
    return Bootstrap(quantities(fit), pd.DataFrame(rows).reset_index(drop=True), pd.Series(converged))


def quantities(fit: Fit) -> pd.Series:
    """Fixed effects, standard deviations, correlations and σ of a fit, by name."""
    names, values = list(fit.terms), list(fit.coefficients)
    for group, name1, name2, _, sd in fit.variance.itertuples(index=False):
        if group == "Residual" and name1 is None:
            names.append("sigma")
        else:
            names.append(f"sd({name1} | {group})" if name2 is None else f"cor({name1}, {name2} | {group})")
        values.append(sd)
    return pd.Series(values, index=names, dtype=np.float64)
