"""Which way the robust scores of a fit are computed: from its statistics, from a second pass, or row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from plneval.multilevel.clusters import centre_for, check_kind, clustered_designs, clustered_statistics
from plneval.multilevel.criterion import Criterion
from plneval.multilevel.design import Design, Floats
from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.problem import Problem
from plneval.multilevel.robust import RobustErrors, Scores, cluster_blocks, scores
from plneval.multilevel.robust_rows import WORK, exact_scores
from plneval.multilevel.working import Model

if TYPE_CHECKING:
    from plneval.multilevel.result import Fit


def robust_errors(fit: Fit, kind: str, cluster: str | None, exact: bool | None) -> RobustErrors:
    """Covariance and degrees of freedom of a fit's fixed effects; see ``Fit.robust``."""
    found, is_exact = robust_scores(fit, kind, cluster, exact)
    inverse = fit.optimum.root.inverse
    covariance = fit.to_columns @ found.covariance(inverse) @ fit.to_columns.T
    return RobustErrors(covariance, len(found.adjusted), is_exact, found, fit.to_columns, inverse)


def robust_scores(fit: Fit, kind: str, cluster: str | None, exact: bool | None) -> tuple[Scores, bool]:
    """The scores of a fit's clusters, and whether CR2's root is clubSandwich's; see ``Fit.robust``."""
    check_kind(kind)
    engine = fit.engine_used
    if not isinstance(engine, Criterion):
        raise MultilevelError(f"robust standard errors need nested levels; this fit is {fit.engine}")
    outermost = fit.statistics.model.levels[-1].name
    cluster = cluster or outermost
    wanted = kind == "CR2" and exact is not False
    if kind == "CR2" and exact and fit.source is None:
        raise MultilevelError("the exact CR2 needs the rows, and this is a fit to statistics: leave exact out")
    root, factors = fit.optimum.root, list(fit.optimum.factors)
    if cluster == outermost and engine.problem.random and not (wanted and (exact or _small(fit, engine))):
        blocks = cluster_blocks(engine.problem, engine.eliminate(factors))
        return scores(blocks, engine.problem, root, kind), kind != "CR2"
    if fit.source is None:
        raise MultilevelError(
            f"clusters of {cluster} need the rows, and this is a fit to statistics: "
            "add a term of the cluster to the formula that the statistics are gathered with"
        )
    designs = list(clustered_designs(fit.statistics, cluster, fit.source.data, fit.source.weights))
    if wanted:
        size = _cluster_sizes(designs)
        if exact or float((size**3).sum()) <= WORK:
            model = Model.of(designs[0])
            centre = centre_for(fit.statistics, model)
            fixed = model.working.fixed[fit.kept]
            return exact_scores(designs, model, centre, fixed, factors, root), True
    statistics = clustered_statistics(fit.statistics, designs)
    problem = Problem.of(statistics, statistics.model.working.fixed[fit.kept])
    passed = Criterion(problem, reml=fit.reml).eliminate([*factors, np.zeros((0, 0))])
    return scores(cluster_blocks(problem, passed), problem, root, kind), kind != "CR2"


def _cluster_sizes(designs: list[Design]) -> Floats:
    """Rows of each cluster; a cluster may have rows in several designs."""
    count = pd.Series(dtype=np.float64)
    for design in designs:
        level = design.levels[-1]
        here = pd.Series(np.bincount(level.codes, minlength=len(level.labels)), index=level.labels, dtype=np.float64)
        count = count.add(here, fill_value=0.0)
    return count.to_numpy()


def _small(fit: Fit, engine: Criterion) -> bool:
    """Whether the exact CR2 of the outermost groups is little work, and there are rows for it."""
    size = engine.problem.rows.astype(np.float64)
    for parent in engine.problem.parents[:-1]:
        size = np.asarray(np.bincount(parent, size), dtype=np.float64)
    return fit.source is not None and float((size**3).sum()) <= WORK
