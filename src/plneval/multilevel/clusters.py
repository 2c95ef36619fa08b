"""Rows with a level of clusters around all others, for standard errors that are robust to what lies inside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from plneval.multilevel.design import Design, Level
from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.robust import KINDS
from plneval.multilevel.statistics import Statistics, statistics_of, total
from plneval.multilevel.working import Centre, Model


def check_kind(kind: str) -> None:
    """Raise ``MultilevelError`` unless the kind of robust standard error is one of those there are."""
    if kind not in KINDS:
        raise MultilevelError(f"no robust standard errors {kind!r}; there are {', '.join(KINDS)}")


def clustered_designs(found: Statistics, cluster: str, data: Any, weights: Any) -> Iterator[Design]:
    """The rows of a fit with the clusters as outermost level, without random effects of their own.

    Raises
    ------
    MultilevelError
        Rows that the fit had lack a cluster; clusters that do not hold whole groups of every level.
    """
    from plneval.multilevel.frame import intake

    model = found.model
    outermost = model.levels[-1].name
    inside = [shape.name for shape in model.levels[:-1]]
    if cluster in inside:
        raise MultilevelError(
            f"rows of different {cluster} depend on one another through {outermost}, which has random effects: "
            f"cluster by {outermost} or by what holds whole groups of it"
        )
    formula = model.formula if cluster == outermost else f"{model.formula} + (1|{cluster})"
    rows = 0
    for design in intake(formula, data, weights):
        rows += len(design.y)
        if cluster == outermost:
            around = replace(design.levels[-1], terms=())
            yield replace(design, levels=(*design.levels, around))
            continue
        place = [level.name for level in design.levels].index(cluster)
        if not design.nested or place != len(design.levels) - 1:
            raise MultilevelError(
                f"groups of {outermost} lie in several groups of {cluster}: clusters hold whole groups of every level"
            )
        yield replace(design, levels=(*design.levels[:-1], Level(cluster, *_codes(design), ())))
    if rows != found.n:
        raise MultilevelError(f"{cluster} is missing in {found.n - rows} of the {found.n} rows of the fit: fill it in")


def _codes(design: Design) -> tuple[Any, Any]:
    return design.levels[-1].codes, design.levels[-1].labels


def centre_for(found: Statistics, model: Model) -> Centre:
    """The centring of a fit for a model with further columns."""
    shift = np.zeros(len(model.names))
    for name, value in zip(found.model.names, found.centre.shift, strict=True):
        shift[model.names.index(name)] = value
    return Centre(shift, found.centre.slope)


def clustered_statistics(found: Statistics, designs: Iterable[Design]) -> Statistics:
    """Statistics of rows with a level of clusters, centred as those of the fit."""
    parts: list[Statistics] = []
    for design in designs:
        centre = centre_for(found, Model.of(design))
        parts.append(statistics_of(design, centre))
    return total(parts)
