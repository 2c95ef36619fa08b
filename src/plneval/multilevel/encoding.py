"""From terms to columns: which columns a formula has, what they are called, and how they are computed from rows.

formulaic decides how categories are coded so that the columns are of full rank (as R does), and it is shown nothing
but placeholders: names and numbers are made here, so that nothing in a formula is ever evaluated.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.expressions import Constants, Factor, evaluate, poly_columns
from plneval.multilevel.formula import ModelFormula, Terms
from plneval.multilevel.reading import Categories

# ASSUME: cross-products are held four times at once (sum, part, copy, factor).
COPIES = 4


@dataclass(frozen=True)
class Encoding:
    """What the data say about the columns of a formula. Two parts of a study can be added if theirs are equal.

    Attributes
    ----------
    categories
        For each factor that is of categories its levels in order; the first is the reference unless the formula says
        otherwise. Factors that are not here are numbers.
    constants
        For each call of ``scale``, ``center`` and ``poly`` the constants it takes from the rows.
    """

    categories: tuple[tuple[str, tuple[Any, ...]], ...]
    constants: tuple[tuple[str, tuple[float, ...]], ...]

    @cached_property
    def levels(self) -> dict[str, tuple[Any, ...]]:
        """Levels by factor."""
        return dict(self.categories)

    @cached_property
    def constants_of(self) -> Constants:
        """Constants by call."""
        return dict(self.constants)


@dataclass(frozen=True)
class _Part:
    """One column of one factor: ``which`` counts levels or polynomials, and is ``None`` for numbers."""

    factor: str
    which: int | None
    name: str


@dataclass(frozen=True)
class Columns:
    """The distinct columns of X and of every Z.

    Attributes
    ----------
    names
        (c,) formulaic's names, such as ``year:female[T.Male]``; the column of ones is ``Intercept``.
    fixed
        Positions of the columns of X.
    random
        For each random-effects term of the formula the positions of the columns of its Z.
    intercept
        Position of the column of ones, or ``None``.
    parts
        For each column the parts whose product it is.
    """

    names: tuple[str, ...]
    fixed: tuple[int, ...]
    random: tuple[tuple[int, ...], ...]
    intercept: int | None
    parts: tuple[tuple[_Part, ...], ...]

    @classmethod
    def of(cls, formula: ModelFormula, encoding: Encoding) -> Columns:
        """Lay out the columns.

        Raises
        ------
        MultilevelError
            A factor with one category only; more columns than memory can hold.
        """
        factors = {factor.text: factor for factor in formula.factors}
        place: dict[str, int] = {}
        parts: list[tuple[_Part, ...]] = []
        positions: list[tuple[int, ...]] = []
        for terms in (formula.fixed, *(term.terms for term in formula.random)):
            found: list[int] = []
            scoped = _full_rank(terms, factors, encoding)
            _check_size(scoped, factors, encoding, len(parts))
            for product in scoped:
                options = [_parts_of(factors[text], reduced, encoding) for text, reduced in product]
                for chosen in itertools.product(*reversed(options)):
                    column = tuple(reversed(chosen))
                    name = ":".join(part.name for part in column) or "Intercept"
                    if name not in place:
                        place[name] = len(parts)
                        parts.append(column)
                    found.append(place[name])
            positions.append(tuple(found))
        return cls(tuple(place), positions[0], tuple(positions[1:]), place.get("Intercept"), tuple(parts))

    def compute(
        self, formula: ModelFormula, encoding: Encoding, values: Values
    ) -> tuple[NDArray[Any], tuple[NDArray[Any], ...]]:
        """The outcome (n,) and each column (n,) for some rows.

        Indicators are of type int8, numbers of the type the data have, products float64.

        Raises
        ------
        MultilevelError
            A transform whose result is not a finite number.
        """
        made = _Computed(formula, encoding, values)
        return made.part(_Part(formula.outcome.text, None, "")), tuple(made.product(column) for column in self.parts)

    def compute_columns(
        self, formula: ModelFormula, encoding: Encoding, values: Values, places: Sequence[int]
    ) -> dict[int, NDArray[Any]]:
        """Some of the columns, by position, without the outcome; raises as :meth:`compute`."""
        made = _Computed(formula, encoding, values)
        return {place: made.product(self.parts[place]) for place in places}


@dataclass(frozen=True)
class Values:
    """Complete rows: numbers by column, categories by factor with the encoding's levels."""

    n: int
    numbers: Mapping[str, NDArray[Any]]
    categories: Mapping[str, Categories]


class _Computed:
    """Columns of factors for some rows, each computed once."""

    def __init__(self, formula: ModelFormula, encoding: Encoding, values: Values) -> None:
        self.factors = {factor.text: factor for factor in formula.factors}
        self.encoding, self.values = encoding, values
        self.made: dict[tuple[str, int | None], NDArray[Any]] = {}

    def part(self, part: _Part) -> NDArray[Any]:
        key = (part.factor, part.which)
        if key not in self.made:
            self._make(part)
        return self.made[key]

    def _make(self, part: _Part) -> None:
        factor, values = self.factors[part.factor], self.values
        if part.factor in values.categories:
            codes = values.categories[part.factor].codes
            self.made[part.factor, part.which] = (codes == part.which).view(np.int8)
        elif factor.kind == "poly":
            numbers = np.asarray(values.numbers[factor.columns[0]], dtype=np.float64)
            columns = poly_columns(numbers, factor.degree, self.encoding.constants_of[factor.text])
            self.made |= {(part.factor, k): column for k, column in enumerate(columns)}
        elif factor.kind == "column":
            self.made[part.factor, None] = values.numbers[part.factor]
        else:
            found = evaluate(factor.text, values.numbers, self.encoding.constants_of)
            wrong = int((~np.isfinite(found)).sum())
            if wrong:
                raise MultilevelError(
                    f"{factor.text} is not a finite number in {wrong} rows: set {', '.join(factor.columns)} to missing "
                    "there, or change the formula"
                )
            self.made[part.factor, None] = np.broadcast_to(found, (values.n,))

    def product(self, parts: Sequence[_Part]) -> NDArray[Any]:
        if not parts:
            return np.ones(self.values.n, dtype=np.int8)
        if len(parts) == 1:
            return self.part(parts[0])
        factors = [self.part(part) for part in parts]
        # Indicators stay small; whole numbers could overflow, so they are multiplied as floats.
        kinds = [
            array if array.dtype == np.int8 and self._is_indicator(part) else array.astype(np.float64)
            for array, part in zip(factors, parts, strict=True)
        ]
        product = kinds[0]
        for other in kinds[1:]:
            product = product * other
        return product

    def _is_indicator(self, part: _Part) -> bool:
        return part.factor in self.values.categories


def _full_rank(terms: Terms, factors: Mapping[str, Factor], encoding: Encoding) -> list[list[tuple[str, bool]]]:
    """For each block of columns its factors, and whether each leaves its reference category out.

    formulaic's algorithm, which is R's, over placeholders for the factors.
    """
    import pandas as pd
    from formulaic import ModelSpec, SimpleFormula
    from formulaic.parser.types import Factor as Placed
    from formulaic.parser.types import Term

    used = list(dict.fromkeys(factor.text for term in terms for factor in term))
    place = {text: f"f{at}" for at, text in enumerate(used)}
    back = {name: text for text, name in place.items()}
    example = pd.DataFrame({"none": [0.0, 1.0, 2.0]})
    for text, name in place.items():
        categorical = text in encoding.levels and factors[text].kind != "dummy"
        example[name] = pd.Categorical(["a", "b", "c"]) if categorical else [0.0, 1.0, 2.0]
    written = [
        Term([Placed(place[factor.text], eval_method="lookup") for factor in term])
        if term
        else Term([Placed("1", eval_method="literal")])
        for term in terms
    ]
    if not written:
        return []
    matrix = ModelSpec(formula=SimpleFormula(written, _ordering="none")).get_model_matrix(example)
    return [
        [(back[part.factor.expr], part.reduced) for part in scoped.factors]
        for structure in matrix.model_spec.structure
        for scoped in structure.scoped_terms
    ]


def _parts_of(factor: Factor, reduced: bool, encoding: Encoding) -> list[_Part]:
    """The columns of one factor, with formulaic's names."""
    text = factor.text
    if factor.kind == "poly":
        return [_Part(text, k, f"{text}[{k + 1}]") for k in range(factor.degree)]
    levels = encoding.levels.get(text)
    if levels is None:
        return [_Part(text, None, text)]
    if factor.kind == "dummy":
        wanted = levels[1:] if factor.levels is None else factor.levels
        unknown = [level for level in wanted if level not in levels]
        if unknown:
            raise MultilevelError(f"{text} in the formula: {unknown[0]!r} is no category of {factor.columns[0]}")
        if len(wanted) == 1:
            return [_Part(text, levels.index(wanted[0]), text)]
        return [_Part(text, levels.index(level), f"{text}[{level}]") for level in wanted]
    if not reduced:
        return [_Part(text, at, f"{text}[{level}]") for at, level in enumerate(levels)]
    base = levels[0] if factor.base is None else factor.base
    if base not in levels:
        raise MultilevelError(
            f"{text} in the formula: the reference {base!r} is no category of {factor.columns[0]}; it has "
            f"{', '.join(map(repr, levels[:10]))}"
        )
    if len(levels) < 2:
        raise MultilevelError(
            f"{text} has one category only ({levels[0]!r}): leave it out of the formula, or declare every category "
            "(pandas.Categorical) if these rows are a part"
        )
    return [_Part(text, at, f"{text}[T.{level}]") for at, level in enumerate(levels) if level != base]


def _width(factor: Factor, reduced: bool, encoding: Encoding) -> int:
    if factor.kind == "poly":
        return factor.degree
    levels = encoding.levels.get(factor.text)
    return 1 if levels is None else len(levels) - reduced


def _check_size(
    scoped: Sequence[Sequence[tuple[str, bool]]], factors: Mapping[str, Factor], encoding: Encoding, others: int
) -> None:
    """Refuse a part of the formula whose cross-products alone would not fit in memory."""
    widths = {}
    for product in scoped:
        width = 1
        for text, reduced in product:
            width *= max(1, _width(factors[text], reduced, encoding))
        widths[":".join(text for text, _ in product)] = width
    check_memory(others + sum(widths.values()), 1, max(widths, key=lambda text: widths[text], default=""), widths)


def check_memory(columns: int, groups: int, widest: str = "", widths: Mapping[str, int] | None = None) -> None:
    """Raise ``MultilevelError`` if cross-products of so many columns in so many groups do not fit in memory."""
    wanted = 8.0 * COPIES * groups * columns * (columns + 1) / 2
    memory = float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES")
    if wanted > memory:
        from_term = f", {widths[widest]:,} of them from {widest}" if widths and widest else ""
        in_groups = f" in each of {groups:,} groups" if groups > 1 else ""
        raise MultilevelError(
            f"the model has {columns:,} columns{from_term}: their cross-products{in_groups} need "
            f"{wanted / 2**30:,.0f} GB, and this machine has {memory / 2**30:,.0f} GB; make a category of many "
            "levels a random effect, such as (1 | g)"
        )
