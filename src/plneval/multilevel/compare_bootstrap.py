"""Likelihood-ratio tests by parametric bootstrap from the statistics: both models refitted to draws of the smaller.

Draws need the larger model's sums, and the smaller model is the larger with some effects held at 0: it is fitted within
them. The statistic does not change when Xβ is added to the outcome, so that draws need no fixed effects.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from plneval.multilevel.bootstrap import Simulation
from plneval.multilevel.criterion import Criterion
from plneval.multilevel.design import Floats, Integers
from plneval.multilevel.engine import Root
from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.optimise import Optimum, optimise
from plneval.multilevel.problem import Problem
from plneval.multilevel.random_effects import apart

if TYPE_CHECKING:
    from plneval.multilevel.result import Fit


class Within:
    """The criterion of a smaller model from the statistics of a larger one, as a function of the smaller's factors.

    Parameters
    ----------
    criterion
        Of the larger model's statistics, with the smaller's columns of X.
    places
        For each level of the smaller model the level of the larger, and (Q, q) what its Λ for the centred columns is
        multiplied by to be the first columns of the larger's.
    widths
        Random effects of a group at each level of the larger model.
    column_scales
        As the smaller model's own criterion has them.
    """

    def __init__(
        self,
        criterion: Criterion,
        places: Sequence[tuple[int, Floats]],
        widths: Sequence[int],
        column_scales: list[Floats],
    ) -> None:
        self.criterion, self.places, self.widths = criterion, places, widths
        self.column_scales = column_scales
        self.name = criterion.name
        self.reml = criterion.reml
        self.evaluations = 0

    @property
    def freedom(self) -> int:
        """ν: n − p (REML) or n (ML)."""
        return self.criterion.freedom

    @property
    def large(self) -> bool:
        """Whether an evaluation takes so long that one start has to do."""
        return self.criterion.large

    def by(self, *, reml: bool) -> Within:
        """The same data by restricted or full maximum likelihood."""
        other = copy(self)
        other.criterion, other.reml = self.criterion.by(reml=reml), reml
        return other

    def sample(self) -> None:
        """No subsample."""

    def factors(self, scales: Sequence[Floats]) -> list[Floats]:
        """Λ of each level of the larger model; effects that only it has are 0."""
        found = [np.zeros((width, width)) for width in self.widths]
        for scale, (level, change) in zip(scales, self.places, strict=True):
            found[level][:, : scale.shape[0]] = change @ scale
        return found

    def value_and_gradient(
        self, scales: Sequence[Floats], sigma: float | None = None
    ) -> tuple[float, list[Floats], Root]:
        """The criterion, its derivative in every entry of every Λ of the smaller model, and the root."""
        self.evaluations += 1
        value, gradient, root = self.criterion.value_and_gradient(self.factors(scales), sigma)
        own = [
            change.T @ gradient[level][:, : scale.shape[0]]
            for scale, (level, change) in zip(scales, self.places, strict=True)
        ]
        return value, own, root


def places_within(larger: Fit, smaller: Fit) -> list[tuple[int, Floats]]:
    """Where the smaller model's levels are in the larger; see :class:`Within`.

    Raises
    ------
    MultilevelError
        A level or a random effect that the larger model does not have.
    """
    levels = [shape.name for shape in larger.statistics.model.levels]
    found = []
    for at, shape in enumerate(smaller.statistics.model.levels):
        if shape.name not in levels:
            raise MultilevelError(f"the models are not nested: only the smaller one has effects of {shape.name}")
        level = levels.index(shape.name)
        own = [smaller.statistics.model.names[column] for column in shape.columns]
        theirs = [larger.statistics.model.names[column] for column in larger.statistics.model.levels[level].columns]
        chosen = np.zeros((len(theirs), len(own)))
        free = list(range(len(theirs)))
        for column, name in enumerate(own):
            row = next((row for row in free if theirs[row] == name), None)
            if row is None:
                raise MultilevelError(f"the models are not nested: only the smaller one has ({name} | {shape.name})")
            free.remove(row)
            chosen[row, column] = 1.0
        # From the smaller's centred columns to the user's, and on to the larger's centred ones.
        change = larger.parameters.shifts[level] @ chosen @ np.linalg.inv(smaller.parameters.shifts[at])
        found.append((level, change))
    return found


def fixed_within(larger: Fit, smaller: Fit, fixed: Integers) -> Integers:
    """The working columns of the larger model that are the smaller's columns of X.

    Raises
    ------
    MultilevelError
        The smaller model lacks the intercept that the larger's columns are centred by.
    """
    names = larger.statistics.model.names
    intercept = larger.statistics.model.intercept
    if intercept is not None and names[intercept] in larger.terms and names[intercept] not in smaller.terms:
        raise MultilevelError("the bootstrap cannot test the intercept")
    return fixed[[term in smaller.terms for term in larger.terms]]


def bootstrap_statistics(larger: Fit, smaller: Fit, replicates: int, seed: int, *, reml: bool) -> Floats:
    """Likelihood-ratio statistics (replicates,) of draws from the smaller model; missing where a refit failed.

    Raises
    ------
    MultilevelError
        Fewer than 19 replicates; levels that are not nested; rows that are not there.
    """
    if replicates < 19:
        raise MultilevelError(f"{replicates} replicates are too few: give at least 19, and some hundreds for a p-value")
    places = places_within(larger, smaller)
    _, engine = apart(larger, "the parametric bootstrap")
    fixed = fixed_within(larger, smaller, engine.problem.fixed)
    small = smaller.engine_used.by(reml=reml)
    null = smaller.optimum if reml == smaller.reml else optimise(small, smaller.parameters)

    def within(problem: Problem) -> Within:
        criterion = Criterion(replace(problem, fixed=fixed), reml=reml)
        return Within(criterion, places, larger.parameters.widths, small.column_scales)

    factors = within(engine.problem).factors(null.factors)
    sigma = float(np.sqrt(null.root.residual / small.freedom))
    simulation = Simulation(engine.problem, factors, np.zeros(len(engine.problem.fixed)), sigma)
    near: Optimum = replace(larger.optimum, factors=tuple(factors))
    random = np.random.default_rng(seed)
    found = np.full(replicates, np.nan)
    for at in range(replicates):
        drawn = simulation.draw(random)
        of_smaller = optimise(within(drawn), smaller.parameters, near=null)
        of_larger = optimise(Criterion(drawn, reml=reml), larger.parameters, near=near)
        if of_smaller.converged and of_larger.converged:
            found[at] = max(of_smaller.criterion - of_larger.criterion, 0.0)
    return found
