"""Fixed and random effects together: what a group's own coefficient is, with the error of both.

``random_effects`` takes the fixed effects as known (lme4's ``condVar``). Here β is one more level around all others,
with a flat prior: the same recursion then gives the covariance of (û − u, β̂ − β), Henderson's prediction errors
(Searle, Casella and McCulloch 1992, eq. 7.78).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.linalg
from scipy.special import ndtri

from plneval.multilevel.batched import shrinkage
from plneval.multilevel.criterion import Criterion
from plneval.multilevel.crossed import CrossedCriterion
from plneval.multilevel.design import Floats
from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.random_effects import Chain, apart, check_group, next_chain

if TYPE_CHECKING:
    from plneval.multilevel.result import Fit


def group_contrast(fit: Fit, group: str, name: str, fixed: Mapping[str, float], level: float) -> pd.DataFrame:
    """See ``Fit.group_contrast``.

    Raises
    ------
    MultilevelError
        No such grouping factor, effect or term; the largest of crossed levels; heavily crossed levels; rows of the
        innermost level that are not there.
    """
    check_group(fit, group)
    place = list(fit.groups).index(group)
    shape = fit.statistics.model.levels[place]
    names = [fit.statistics.model.names[column] for column in shape.columns]
    if name not in names:
        raise MultilevelError(f"no random effect {name!r} of {group}; there are {', '.join(names)}")
    unknown = [term for term in fixed if term not in fit.terms]
    if unknown:
        raise MultilevelError(f"no fixed effect {unknown[0]!r}; there are {', '.join(fit.terms)}")
    labels, mean, covariance = _joint(fit, place)
    q = len(names)
    back = np.linalg.inv(fit.parameters.shifts[place])
    weights = np.array([float(fixed.get(term, 0.0)) for term in fit.terms])
    working = np.concatenate([back[names.index(name)], weights @ fit.to_columns])
    estimate = mean[:, :q] @ working[:q] + float(weights @ fit.coefficients)
    se = fit.sigma * np.sqrt(np.maximum(np.einsum("a,jab,b->j", working, covariance, working), 0.0))
    reach = float(ndtri(0.5 + level / 2)) * se
    order = np.argsort(labels.to_numpy(), kind="stable") if not isinstance(labels, pd.MultiIndex) else slice(None)
    table = pd.DataFrame({"estimate": estimate, "se": se, "ci_low": estimate - reach, "ci_high": estimate + reach})
    table.insert(0, group, labels)
    return table.iloc[order].reset_index(drop=True)


def _joint(fit: Fit, place: int) -> tuple[pd.Index, Floats, Floats]:
    """Labels of a level's groups, (J, q + p) means of their effects and β, and (J, q + p, q + p) errors over σ²."""
    engine = fit.engine_used
    if isinstance(engine, Criterion):
        return _nested(fit, engine, place)
    if isinstance(engine, CrossedCriterion):
        return _crossed(fit, engine, place)
    raise MultilevelError(f"group contrasts need nested or modestly crossed levels; this fit is {fit.engine}")


def _nested(fit: Fit, engine: Criterion, place: int) -> tuple[pd.Index, Floats, Floats]:
    statistics = fit.statistics
    if place == 0:
        statistics, engine = apart(fit, "a contrast of the innermost groups")
    problem = engine.problem
    factors = list(fit.optimum.factors)
    passed = engine.eliminate(factors)
    x, y, root = problem.fixed, problem.outcome, passed.root
    chain = Chain(x, root.coefficients[None], root.inverse[None])
    # β is the outermost of the effects here, so that nothing is left to take from the score.
    nothing = np.zeros(len(x))
    for at in range(len(problem.random) - 1, max(place - 2, -1), -1):
        own, weight = problem.random[at], passed.shrunk[at].weight
        chain = next_chain(chain, own, passed.cross[at][:, own], weight, problem.parents[at], x, y, nothing)
    if place == 0:
        units = problem.units
        weight = shrinkage(units.products[:, :, problem.own], factors[0]).weight
        chain = next_chain(chain, problem.own, units.products, weight, units.parent, x, y, nothing)
        labels = units.labels
    else:
        labels = statistics.labels[place]
        labels = None if labels is None else labels.take(problem.orders[place - 1])
    assert labels is not None
    q, p = len(statistics.model.levels[place].columns), len(x)
    kept = np.r_[:q, chain.mean.shape[1] - p : chain.mean.shape[1]]
    return labels, chain.mean[:, kept], chain.covariance[:, kept[:, None], kept]


def _crossed(fit: Fit, engine: CrossedCriterion, place: int) -> tuple[pd.Index, Floats, Floats]:
    if place == 0:
        raise MultilevelError("of crossed levels, group contrasts are of all but the one with most groups")
    passed = engine.eliminate(list(fit.optimum.factors))
    root = passed.root
    base = len(fit.statistics.model.working.fixed) + 1
    x = np.asarray(engine.fixed, dtype=np.intp)
    sizes, widths = engine.data.sizes, engine.data.widths
    scale = scipy.linalg.block_diag(
        *(np.kron(np.eye(size), factor) for size, factor in zip(sizes, fit.optimum.factors[1:], strict=True))
    )
    rooted = scipy.linalg.solve_triangular(passed.factor, scale.T, lower=True)
    # Only the rows of W that belong to the level are needed.
    start = sum(size * width for size, width in zip(sizes[: place - 1], widths[: place - 1], strict=True))
    size, width = sizes[place - 1], widths[place - 1]
    own = slice(start, start + size * width)
    weight = rooted[:, own].T @ rooted
    of_fixed = passed.cross[base:, x]
    mean = (weight @ (passed.cross[base:, base - 1] - of_fixed @ root.coefficients)).reshape(size, width)
    through = (-weight @ of_fixed).reshape(size, width, len(x))
    blocks = weight[:, own].reshape(size, width, size, width)[np.arange(size), :, np.arange(size), :]
    cross = through @ root.inverse
    p = len(x)
    covariance = np.empty((size, width + p, width + p))
    covariance[:, :width, :width] = blocks + cross @ through.transpose(0, 2, 1)
    covariance[:, :width, width:] = cross
    covariance[:, width:, :width] = cross.transpose(0, 2, 1)
    covariance[:, width:, width:] = root.inverse
    labels = fit.statistics.labels[place]
    assert labels is not None
    return labels, np.concatenate([mean, np.tile(root.coefficients, (size, 1))], axis=1), covariance
