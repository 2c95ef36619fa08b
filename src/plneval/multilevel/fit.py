"""Fitting: from a formula and data, or from statistics, to a :class:`~plneval.multilevel.result.Fit`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from plneval.multilevel.criterion import Criterion
from plneval.multilevel.crossed import CrossedCriterion
from plneval.multilevel.crossed_rows import TooCrossedError, collapse, pooled, pooled_statistics
from plneval.multilevel.design import Design, Intake, Integers
from plneval.multilevel.engine import Engine
from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.optimise import optimise
from plneval.multilevel.problem import Problem, estimable
from plneval.multilevel.result import Fit, Source
from plneval.multilevel.segments import unpack
from plneval.multilevel.statistics import DROPPED_COLUMNS, Statistics, gather
from plneval.multilevel.theta import Parameters
from plneval.multilevel.working import Centre

# An outcome whose spread about the fixed effects is this fraction of its size is rounding error.
NO_SPREAD = 1e-13


def statistics(formula: str, data: Any, weights: Any = None) -> Statistics:
    """Gather the sufficient statistics of a model in one pass over the data.

    Parameters
    ----------
    formula, data, weights
        As for :func:`fit`.

    Returns
    -------
    Statistics
        Innermost groups are kept apart, so that parts with rows of the same group add exactly; ``compressed()`` adds
        them up by parent and occasion pattern and forgets who they are.

    Raises
    ------
    MultilevelError
        As :func:`fit`; levels that are not nested.
    """
    from plneval.multilevel.frame import intake

    return gather(intake(formula, data, weights, keep_categories=True), keep_units=True)


def fit(formula: str | Statistics, data: Any = None, *, reml: bool = True, weights: Any = None) -> Fit:
    """Fit a linear mixed model by restricted or full maximum likelihood: the criterion of lme4, exactly.

    Parameters
    ----------
    formula
        In lme4's language: ``"score ~ year*treated + (year|pupil) + (1|school)"``; or statistics.
    data
        A pandas DataFrame, an Arrow table, an Ibis table, or an iterable of chunks; nothing with statistics.
    reml
        Restricted maximum likelihood (True) or maximum likelihood.
    weights
        Name of a column of prior weights: the residual variance of a row is σ²/weight.

    Returns
    -------
    Fit
        Estimates, variances and everything that follows from them.

    Raises
    ------
    MultilevelError
        The formula or the data cannot be used: the message says what was found and what to do.
    """
    if isinstance(formula, Statistics):
        if data is not None or weights is not None:
            raise MultilevelError("statistics hold the data already: leave data and weights out")
        return _of_statistics(formula.compressed(), reml=reml)
    if data is None:
        raise MultilevelError("data are missing: fit(formula, data), or fit(statistics)")
    from plneval.multilevel.frame import intake

    taken = intake(formula, data, weights)
    source = Source(data, weights)
    peeked = _Peeked(taken)
    if peeked.first is None or peeked.first.nested:
        return _of_statistics(gather(peeked).compressed(), reml=reml, intake=taken, source=source)
    design = pooled(list(peeked))
    found = replace(pooled_statistics(design), dropped=taken.dropped)
    return _of_statistics(found, reml=reml, intake=taken, source=source, crossed=design)


class _Peeked:
    """An intake whose first design is known: levels are nested in all designs or in none."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        rest = iter(intake)
        self.first = next(rest, None)
        self._rest: Iterator[Design] | None = rest
        self.whole_units = intake.whole_units
        self.rereadable = getattr(intake, "rereadable", True)

    @property
    def dropped(self) -> pd.DataFrame:
        return self._intake.dropped

    def __iter__(self) -> Iterator[Design]:
        if self._rest is None:
            yield from self._intake
            return
        rest, self._rest = self._rest, None
        if self.first is not None:
            yield self.first
        yield from rest


def _of_statistics(
    found: Statistics,
    *,
    reml: bool,
    intake: Intake | None = None,
    source: Source | None = None,
    crossed: Design | None = None,
) -> Fit:
    _check_groups(found)
    kept = estimable(found)
    fixed = found.model.working.fixed
    collinear = [found.model.names[found.model.fixed[at]] for at in np.setdiff1d(np.arange(len(fixed)), kept)]
    if collinear:
        found = _without_columns(found, kept, collinear)
    _check_outcome(found, kept)
    engine: Engine
    if crossed is None:
        engine = Criterion(Problem.of(found, fixed[kept]), reml=reml)
    else:
        engine = _crossed_engine(crossed, found, kept, reml=reml)
    parameters = Parameters.of(found)
    try:
        optimum = optimise(engine, parameters)
    except np.linalg.LinAlgError as error:
        raise MultilevelError(
            f"the criterion of {found.model.formula} cannot be computed ({error}): the fixed effects are nearly "
            "collinear, or the rows are fitted exactly"
        ) from error
    return Fit(
        statistics=found,
        reml=reml,
        engine_used=engine,
        parameters=parameters,
        optimum=optimum,
        kept=kept,
        intake=intake,
        source=source,
    )


def _crossed_engine(design: Design, found: Statistics, kept: Integers, *, reml: bool) -> Engine:
    try:
        return CrossedCriterion(collapse(design, found), kept, reml=reml)
    except TooCrossedError:
        from plneval.multilevel.heavily_crossed import SparseCriterion

        return SparseCriterion(design, found, kept, reml=reml)


def _without_columns(found: Statistics, kept: Integers, collinear: list[str]) -> Statistics:
    """The statistics with collinear columns listed in ``dropped``, and no part of them taken from the outcome."""
    working = found.model.working
    gram = unpack(found.cross.sum(axis=0), working.kept)[np.ix_(working.fixed, working.fixed)]
    slope = np.zeros(len(working.fixed))
    slope[kept] = np.linalg.solve(gram[np.ix_(kept, kept)], gram[kept] @ found.centre.slope)
    row = pd.DataFrame(
        [("columns", "collinear with the columns before", len(collinear), tuple(collinear))], columns=DROPPED_COLUMNS
    )
    tables = [found.dropped, row] if len(found.dropped) else [row]
    changed = found.centred_as(Centre(found.centre.shift, slope))
    return replace(changed, dropped=pd.concat(tables, ignore_index=True))


def _check_groups(found: Statistics) -> None:
    """Refuse what lme4 refuses: one group only, and as many random effects as rows."""
    for shape, groups in zip(found.model.levels, found.sizes, strict=True):
        if groups < 2:
            raise MultilevelError(
                f"{shape.name} has one group only: its variance cannot be estimated. Leave its term out"
            )
        if groups >= found.n and not found.model.weighted:
            raise MultilevelError(
                f"{shape.name} has {groups} groups in {found.n} rows: with one row a group its variance cannot be told "
                "from the residual's. Leave its term out, or name a coarser group"
            )
        for term in shape.terms:
            effects = groups * len(term.columns)
            if effects >= found.n and not found.model.weighted:
                raise MultilevelError(
                    f"the term of {shape.name} has {effects} random effects ({groups} groups × {len(term.columns)}) "
                    f"in {found.n} rows: fewer than the rows are needed. Leave a slope out"
                )


def _check_outcome(found: Statistics, kept: Integers) -> None:
    """Refuse an outcome without spread, and fewer rows than fixed effects."""
    model, working = found.model, found.model.working
    if found.n <= len(kept):
        raise MultilevelError(f"{found.n} rows are not enough for {len(kept)} fixed effects")
    cross = unpack(found.cross.sum(axis=0), working.kept)
    x, y = working.fixed[kept], working.outcome
    scale = np.sqrt(np.diagonal(cross)[x])
    explained = np.linalg.lstsq(cross[np.ix_(x, x)] / np.outer(scale, scale), cross[x, y] / scale, rcond=None)[0]
    left = float(cross[y, y] - explained @ (cross[x, y] / scale))
    size = float(found.cross_products().to_numpy()[-1, -1])
    if left <= NO_SPREAD**2 * size or left <= NO_SPREAD * float(cross[y, y]):
        raise MultilevelError(
            f"the outcome {model.outcome} is constant, or fitted exactly by the fixed effects: nothing is left to model"
        )
