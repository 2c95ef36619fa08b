"""What an engine is: something that evaluates the criterion and its gradient, however the groups lie in one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from plneval.multilevel.design import Floats


@dataclass(frozen=True)
class Root:
    """What is left once every random effect is eliminated; V is relative to σ².

    Attributes
    ----------
    information
        (p, p) X'V⁻¹X.
    inverse
        (p, p) its inverse.
    coefficients
        (p,) β of the working columns.
    residual
        r² = (y − Xβ)'V⁻¹(y − Xβ).
    log_det
        log|V| without weights.
    log_det_information
        log|X'V⁻¹X|.
    """

    information: Floats
    inverse: Floats
    coefficients: Floats
    residual: float
    log_det: float
    log_det_information: float


class Engine(Protocol):
    """The criterion of one model as a function of the factors Λ of every level (centred columns, innermost first).

    Attributes
    ----------
    name
        How a fit names it.
    evaluations
        Evaluations so far.
    freedom
        ν: n − p (REML) or n (ML).
    column_scales
        For each level one over the root mean square of its columns of Z.
    """

    name: str
    evaluations: int

    @property
    def freedom(self) -> int: ...

    @property
    def column_scales(self) -> list[Floats]: ...

    def value_and_gradient(self, scales: Sequence[Floats]) -> tuple[float, list[Floats], Root]:
        """The criterion, its derivative in every entry of every Λ, and the root."""
        ...

    def sample(self) -> Engine | None:
        """The same criterion of a subsample of groups, for starting values; ``None`` if the data are not large."""
        ...
