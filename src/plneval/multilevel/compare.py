"""Likelihood-ratio tests of nested models, with the mixture of χ² where a variance is tested.

A variance of 0 is on the edge of what is possible, so the statistic is not χ²: adding one effect to a block of q
correlated effects gives ½χ²(q) + ½χ²(q + 1) (Self and Liang 1987, case 5; Stram and Lee 1994).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtrc

from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.optimise import optimise

if TYPE_CHECKING:
    from plneval.multilevel.result import Fit

# A larger model whose criterion is higher by more than this has not been fitted, or does not hold the smaller one.
HIGHER = 1e-4
# Statistics that differ by no more are equal.
EQUAL = 1e-8


@dataclass(frozen=True)
class Comparison:
    """A likelihood-ratio test.

    Attributes
    ----------
    chi_squared
        Difference of the criteria, at least 0.
    df
        Difference of the numbers of parameters.
    p
        With the boundary mixture where ``mixture`` is known, otherwise that of χ²(df), which is too large then.
    p_unmixed
        Of χ²(df).
    mixture
        Weights and degrees of freedom of the distribution under the smaller model.
    method
        What was done, in words.
    p_bootstrap
        Share of statistics at least as large among those of draws from the smaller model, the observed one counted
        too (Davison and Hinkley 1997, eq. 4.11); ``None`` without a bootstrap.
    replicates
        Draws that both models could be refitted to.
    """

    chi_squared: float
    df: int
    p: float
    p_unmixed: float
    mixture: tuple[tuple[float, int], ...]
    method: str
    p_bootstrap: float | None = None
    replicates: int = 0


@dataclass(frozen=True)
class ComparedModel:
    """What a test needs of a model.

    Attributes
    ----------
    criterion
        −2 log (restricted) likelihood at the estimates.
    terms
        Names of the fixed effects.
    blocks
        Each random-effects term: grouping factor and names of its effects.
    """

    criterion: float
    terms: tuple[str, ...]
    blocks: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def parameters(self) -> int:
        """Number of parameters beside σ."""
        return len(self.terms) + sum(_size(len(names)) for _, names in self.blocks)


def _size(width: int) -> int:
    return width * (width + 1) // 2


def likelihood_ratio(one: ComparedModel, other: ComparedModel, *, reml: bool) -> Comparison:
    """Test the smaller of two nested models fitted to the same data by the same criterion.

    Raises
    ------
    MultilevelError
        Neither model holds the other; fixed effects differ while the criterion is REML; the larger has a higher
        criterion.
    """
    larger, smaller = (one, other) if one.parameters >= other.parameters else (other, one)
    added = set(larger.terms) - set(smaller.terms)
    if not set(smaller.terms) <= set(larger.terms):
        only = sorted(set(smaller.terms) - set(larger.terms))
        raise MultilevelError(
            f"the models are not nested: only the smaller one has the fixed effects {', '.join(only)}"
        )
    if reml and added:
        raise MultilevelError(
            "REML criteria of models with different fixed effects cannot be compared: fit with reml=False"
        )
    df = larger.parameters - smaller.parameters
    if df == 0:
        raise MultilevelError("the models have equally many parameters: there is nothing to test")
    pieces = _pieces(larger, smaller)
    difference = smaller.criterion - larger.criterion
    if difference < -HIGHER:
        raise MultilevelError(
            f"the larger model has the higher criterion (by {-difference:.6g}): one of them is not at its minimum, or "
            "they do not describe the same data"
        )
    statistic = max(difference, 0.0)
    plain = float(chdtrc(df, statistic))
    if pieces is None:
        return Comparison(
            statistic, df, plain, plain, ((1.0, df),), "chi-squared (conservative: several variances of one term)"
        )
    mixture = _mixture([*pieces, ((1.0, len(added)),)])
    p = sum(weight * (chdtrc(k, statistic) if k else float(statistic <= 0)) for weight, k in mixture)
    method = "chi-squared" if len(mixture) == 1 else "mixture of chi-squared (a variance on the boundary)"
    return Comparison(statistic, df, float(p), plain, mixture, method)


def _pieces(larger: ComparedModel, smaller: ComparedModel) -> list[tuple[tuple[float, int], ...]] | None:
    """For each random-effects term the distribution of what it adds; None where that is not known."""
    left = list(smaller.blocks)
    pieces: list[tuple[tuple[float, int], ...]] | None = []
    for group, names in sorted(larger.blocks, key=lambda block: len(block[1])):
        within: list[tuple[str, tuple[str, ...]]] = []
        for block in list(left):
            taken = {name for _, other in within for name in other}
            if block[0] == group and set(block[1]) <= set(names) - taken:
                within.append(block)
                left.remove(block)
        fresh = len(names) - sum(len(other) for _, other in within)
        df = _size(len(names)) - sum(_size(len(other)) for _, other in within)
        if fresh > 1:
            pieces = None
        elif pieces is not None:
            pieces.append(((0.5, df - 1), (0.5, df)) if fresh else ((1.0, df),))
    if left:
        raise MultilevelError(
            "the models are not nested: only the smaller one has the random effects "
            + ", ".join(f"({' + '.join(names)} | {group})" for group, names in left)
        )
    return pieces


def _mixture(pieces: Sequence[Sequence[tuple[float, int]]]) -> tuple[tuple[float, int], ...]:
    """The distribution of a sum of independent mixtures.

    # ASSUME: tests of different random-effects terms are asymptotically independent.
    """
    weights = np.ones(1)
    for piece in pieces:
        one = np.zeros(max(df for _, df in piece) + 1)
        for weight, df in piece:
            one[df] += weight
        weights = np.convolve(weights, one)
    return tuple((float(weight), df) for df, weight in enumerate(weights) if weight > 0)


def compare_fits(one: Fit, other: Fit, bootstrap: int = 0, seed: int = 1) -> Comparison:
    """Test the smaller of two nested fits to the same rows, whichever of the two it is.

    REML fits whose fixed effects differ are compared by full maximum likelihood, as lme4's ``anova`` does. With
    ``bootstrap`` the statistic is also held against so many draws from the smaller model.

    Raises
    ------
    MultilevelError
        The fits are not to the same rows or by the same criterion, or neither holds the other; a bootstrap of levels
        that are not nested, or without rows.
    """
    if one.statistics.model.outcome != other.statistics.model.outcome or one.n != other.n:
        raise MultilevelError(
            f"the models are not of the same rows: {one.statistics.model.outcome} in {one.n} rows and "
            f"{other.statistics.model.outcome} in {other.n}"
        )
    if one.reml != other.reml:
        raise MultilevelError("one model is fitted by REML and the other by ML: fit both alike")
    squares = [fit.statistics.cross_products().to_numpy()[-1, -1] for fit in (one, other)]
    if abs(squares[0] - squares[1]) > 1e-9 * max(squares):
        raise MultilevelError("the models are not of the same rows: their outcomes have other sums of squares")
    again = one.reml and set(one.terms) != set(other.terms)
    criteria = [_full_likelihood(fit) if again else fit.criterion for fit in (one, other)]
    models = [_tested(fit, criterion) for fit, criterion in zip((one, other), criteria, strict=True)]
    found = likelihood_ratio(models[0], models[1], reml=one.reml and not again)
    found = replace(found, method=found.method + ("; fitted anew by maximum likelihood" if again else ""))
    if not bootstrap:
        return found
    from plneval.multilevel.compare_bootstrap import bootstrap_statistics

    larger, smaller = (one, other) if models[0].parameters >= models[1].parameters else (other, one)
    drawn = bootstrap_statistics(larger, smaller, bootstrap, seed, reml=one.reml and not again)
    drawn = drawn[np.isfinite(drawn)]
    # A statistic is 0 up to the optimisers' precision.
    reached = int((drawn >= found.chi_squared - EQUAL).sum())
    return replace(found, p_bootstrap=(1 + reached) / (1 + len(drawn)), replicates=len(drawn))


def _full_likelihood(fit: Fit) -> float:
    return optimise(fit.engine_used.by(reml=False), fit.parameters).criterion


def _tested(fit: Fit, criterion: float) -> ComparedModel:
    levels = fit.statistics.model.levels
    blocks = tuple((levels[block.level].name, block.names) for block in fit.parameters.blocks)
    return ComparedModel(criterion, tuple(fit.terms), blocks)
