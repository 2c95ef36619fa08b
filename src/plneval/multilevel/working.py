"""The columns cross-products are taken of: centred where the model allows it to be undone exactly.

Cross-products of columns far from 0 lose the digits that matter (y + 1e5 spoils the criterion by 0.1). Columns are
therefore shifted before they are multiplied, and the shift is undone on coefficients, covariances and theta.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from plneval.multilevel.design import Design, Floats, Integers, Term
from plneval.multilevel.errors import MultilevelError

if TYPE_CHECKING:
    from plneval.multilevel.encoding import Encoding

# Rows that the shift of the outcome is estimated from; any value would be undone exactly.
SHIFT_ROWS = 20_000
# Rows laid out at once: few enough to stay in the processor's cache.
ROW_BATCH = 4_096


@dataclass(frozen=True)
class LevelShape:
    """A level without its rows: the name of the grouping factor, and its terms."""

    name: str
    terms: tuple[Term, ...]

    @property
    def columns(self) -> tuple[int, ...]:
        """Positions of the columns of Z, term by term; a column of two terms is here twice."""
        return tuple(column for term in self.terms for column in term.columns)


@dataclass(frozen=True)
class Model:
    """What a design says beside its rows; designs of one model can be added."""

    formula: str
    outcome: str
    names: tuple[str, ...]
    fixed: tuple[int, ...]
    intercept: int | None
    levels: tuple[LevelShape, ...]
    weighted: bool
    encoding: Encoding | None = None

    @classmethod
    def of(cls, design: Design) -> Model:
        """The model of a design."""
        return cls(
            formula=design.formula,
            outcome=design.outcome,
            names=design.names,
            fixed=design.fixed,
            intercept=design.intercept,
            levels=tuple(LevelShape(level.name, level.terms) for level in design.levels),
            weighted=design.weights is not None,
            encoding=design.encoding,
        )

    def check_same(self, other: Model) -> None:
        """Raise ``MultilevelError`` unless both describe the same columns and terms."""
        for part, mine, theirs in (
            ("outcomes", self.outcome, other.outcome),
            ("columns", self.names, other.names),
            ("fixed effects", self.fixed, other.fixed),
            ("random effects", self.levels, other.levels),
        ):
            if mine != theirs:
                raise MultilevelError(
                    f"statistics of different {part} cannot be added ({mine} and {theirs}): use one formula, and "
                    "declare the same categories in every part (pandas.Categorical)"
                )
        if self.encoding is not None and other.encoding is not None:
            constants = dict(self.encoding.constants)
            if constants != dict(other.encoding.constants):
                call = next(iter(constants))
                raise MultilevelError(
                    f"{call} takes its constants from the rows, so it is not the same column in every part: compute it "
                    "with fixed constants first"
                )
        if self.weighted != other.weighted:
            raise MultilevelError("statistics with and without prior weights cannot be added: give both weights")

    @cached_property
    def working(self) -> WorkingColumns:
        """The columns that cross-products are taken of."""
        return WorkingColumns.of(self)


@dataclass(frozen=True)
class WorkingColumns:
    """Where each column of X, Z and y stands among the working columns.

    Attributes
    ----------
    sources
        For each working column its position in ``Design.columns`` (-1: the outcome) and whether it is shifted.
    fixed
        (p,) working columns of X.
    random
        For each level the working columns of Z, term by term.
    outcome
        The working column of y: the last of those needed once the innermost level is eliminated.
    intercept
        The working column of ones, or ``None``.
    """

    sources: tuple[tuple[int, bool], ...]
    fixed: Integers
    random: tuple[Integers, ...]
    outcome: int
    intercept: int | None

    @property
    def kept(self) -> int:
        """How many working columns outlive the innermost level: all but those of its own Z only."""
        return self.outcome + 1

    @classmethod
    def of(cls, model: Model) -> WorkingColumns:
        """Give every distinct column (shifted or not) one place: X, then outer Z, y, and Z of the innermost level."""
        shifted_fixed = model.intercept in model.fixed
        wanted = [(column, shifted_fixed and column != model.intercept) for column in model.fixed]
        random = [
            [
                (column, model.intercept in term.columns and column != model.intercept)
                for term in level.terms
                for column in term.columns
            ]
            for level in model.levels
        ]
        order = [*wanted, *(source for level in random[1:] for source in level), (-1, True), *random[0]]
        place: dict[tuple[int, bool], int] = {}
        for source in order:
            place.setdefault(source, len(place))
        return cls(
            sources=tuple(place),
            fixed=np.array([place[source] for source in wanted], dtype=np.intp),
            random=tuple(np.array([place[source] for source in level], dtype=np.intp) for level in random),
            outcome=place[(-1, True)],
            intercept=None if model.intercept is None else place.get((model.intercept, False)),
        )


@dataclass(frozen=True)
class Centre:
    """What is taken from the columns before they are multiplied.

    Attributes
    ----------
    shift
        (columns,) a constant for each column of the design; used where the working column is shifted.
    slope
        (p,) coefficients b: the working outcome is y − Xb, with X shifted.
    """

    shift: Floats
    slope: Floats

    @classmethod
    def of(cls, design: Design, working: WorkingColumns) -> Centre:
        """Shifts from the rows of a design. They are multiples of a power of two near the standard deviation.

        So parts of one study mostly have the same shifts, and whole-numbered columns stay whole numbers.
        """
        shift = np.zeros(len(design.columns))
        for position in {position for position, shifted in working.sources if shifted and position >= 0}:
            column = np.asarray(design.columns[position], dtype=np.float64)
            mean, spread = float(column.mean()), float(column.std())
            grid = 2.0 ** np.floor(np.log2(spread)) if spread > 0 else 0.0
            shift[position] = np.rint(mean / grid) * grid if grid > 0 else mean
        n = len(design.y)
        rows = np.unique(np.linspace(0, n - 1, min(n, SHIFT_ROWS)).astype(np.intp))
        x = np.empty((len(rows), len(working.fixed)))
        for place, at in enumerate(working.fixed):
            position, shifted = working.sources[at]
            x[:, place] = np.asarray(design.columns[position])[rows]
            if shifted:
                x[:, place] -= shift[position]
        slope = np.linalg.lstsq(x, np.asarray(design.y, dtype=np.float64)[rows], rcond=1e-9)[0]
        return cls(shift, np.asarray(slope, dtype=np.float64))

    def change_to(self, other: Centre, working: WorkingColumns) -> Floats:
        """(c, c) matrix T with U T the working columns as ``other`` centres them, U as this one does."""
        change = np.eye(len(working.sources))
        for at, (position, shifted) in enumerate(working.sources):
            if shifted and position >= 0 and self.shift[position] != other.shift[position]:
                assert working.intercept is not None
                change[working.intercept, at] = self.shift[position] - other.shift[position]
        y = working.outcome
        change[working.fixed, y] += self.slope
        change[:, y] -= change[:, working.fixed] @ other.slope
        return change


def working_rows(design: Design, working: WorkingColumns, centre: Centre, order: Integers | None) -> Floats:
    """(n, c) working columns in the given row order, times the square roots of the weights."""
    n = len(design.y)
    rows = np.empty((n, len(working.sources)))
    for start in range(0, n, ROW_BATCH):
        part = slice(start, min(start + ROW_BATCH, n))
        taken = part if order is None else order[part]
        block = rows[part]
        for at, (position, shifted) in enumerate(working.sources):
            column = design.y if position < 0 else design.columns[position]
            block[:, at] = column[taken]
            if shifted and position >= 0 and centre.shift[position] != 0:
                block[:, at] -= centre.shift[position]
        block[:, working.outcome] -= block[:, working.fixed] @ centre.slope
        if design.weights is not None:
            block *= np.sqrt(np.asarray(design.weights[taken], dtype=np.float64))[:, None]
    return rows
