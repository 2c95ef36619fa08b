"""The seam between the intake of data and the numerical core: rows as columns of numbers and codes of groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from plneval.multilevel.encoding import Encoding

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]


@dataclass(frozen=True)
class Term:
    """One random-effects term: a correlated block of effects. ``(x||g)`` is two terms of one effect each.

    Attributes
    ----------
    columns
        The columns of Z, as positions in ``Design.columns``.
    position
        Which term of the formula it is, counted from 0 after ``||`` and ``/`` are expanded as lme4 does. lme4's order
        of theta follows from it and from the numbers of groups.
    """

    columns: tuple[int, ...]
    position: int


@dataclass(frozen=True)
class Level:
    """A grouping factor and all random-effects terms that have it.

    Attributes
    ----------
    name
        As lme4 writes it: ``schoolid``, ``childid:schoolid``.
    codes
        (n,) integers into ``labels``: the group of each row.
    labels
        The groups, each once; sorting is not needed, nor that every label occurs in the rows. Labels name the same
        group in every chunk and every part that is added.
    terms
        In the formula's order.
    """

    name: str
    codes: NDArray[Any]
    labels: pd.Index
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Design:
    """Rows that are complete and finite, in any order.

    Attributes
    ----------
    formula, outcome
        As written; the name of the outcome.
    y
        (n,) outcome.
    names
        Names of the distinct columns of X and of every Z (formulaic's names): a column that is in X and in Z is here
        once. The same in every chunk and part.
    columns
        One (n,) array for each name, of any real type.
    fixed
        The columns of X, in order, as positions in ``columns``.
    intercept
        The position of the column of ones, if X or a Z has one.
    levels
        Innermost first. If ``nested``, each group of a level lies in one group of the next.
    weights
        (n,) prior weights above 0, or ``None``: the residual variance of a row is σ²/weight.
    nested
        Whether the levels are nested; if not, levels are in decreasing number of groups.
    encoding
        How rows become columns (categories, constants of ``scale``): what new rows need; ``None`` for designs made by
        hand.
    """

    formula: str
    outcome: str
    y: NDArray[Any]
    names: tuple[str, ...]
    columns: tuple[NDArray[Any], ...]
    fixed: tuple[int, ...]
    intercept: int | None
    levels: tuple[Level, ...]
    weights: NDArray[Any] | None = None
    nested: bool = True
    encoding: Encoding | None = None


class Intake(Protocol):
    """What the intake of data hands to the core: an iterable of designs of bounded size.

    Attributes
    ----------
    whole_units
        Whether no group of the innermost level has rows in two designs; the core then need not keep groups apart.
    rereadable
        Whether it can be iterated again (so taken where the attribute is missing).
    dropped
        What was left out and why (complete once iterated): columns ``kind``, ``reason``, ``count``, ``first``.
    """

    whole_units: bool

    @property
    def dropped(self) -> pd.DataFrame: ...

    def __iter__(self) -> Iterator[Design]: ...
