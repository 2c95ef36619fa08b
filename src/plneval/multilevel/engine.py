"""What an engine is: something that evaluates the criterion and its gradient, however the groups lie in one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from plneval.multilevel.design import Floats, Integers


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


def factored_root(cross: Floats, fixed: Integers, outcome: int, log_det: float) -> Root:
    """Profile out β: the root of (r, r) U'V⁻¹U, with ``fixed`` the columns of X and ``outcome`` that of y.

    Raises
    ------
    numpy.linalg.LinAlgError
        X'V⁻¹X is not positive definite, or nothing is left of y.
    """
    information = cross[np.ix_(fixed, fixed)]
    scale = np.sqrt(np.maximum(np.diagonal(information), 0.0))
    if not (scale > 0).all():
        raise np.linalg.LinAlgError("X'V⁻¹X has a diagonal entry that is not positive")
    factor = np.linalg.cholesky(information / np.outer(scale, scale))
    inverse_factor = np.linalg.solve(factor, np.diag(1.0 / scale))
    projected = inverse_factor @ cross[fixed, outcome]
    residual = float(cross[outcome, outcome] - projected @ projected)
    if not residual > 0:
        raise np.linalg.LinAlgError("the residual sum of squares is not positive")
    return Root(
        information=information,
        inverse=inverse_factor.T @ inverse_factor,
        coefficients=inverse_factor.T @ projected,
        residual=residual,
        log_det=log_det,
        log_det_information=2.0 * float(np.log(np.diagonal(factor) * scale).sum()),
    )


def criterion_of_root(
    root: Root, freedom: int, sum_log_weights: float, *, reml: bool, sigma: float | None = None
) -> float:
    """The criterion with the constants that lme4 prints; ``freedom`` is ν. With ``sigma`` σ is not profiled out."""
    if sigma is None:
        residual = freedom * (1.0 + np.log(2.0 * np.pi * root.residual / freedom))
    else:
        residual = freedom * np.log(2.0 * np.pi * sigma**2) + root.residual / sigma**2
    return float(root.log_det - sum_log_weights + residual + (root.log_det_information if reml else 0.0))


def root_adjoint(
    root: Root, fixed: Integers, outcome: int, size: int, freedom: int, *, reml: bool, sigma: float | None = None
) -> Floats:
    """(size, size) derivative of the criterion in the entries of U'V⁻¹U; with ``sigma`` σ is not profiled out."""
    direction = np.zeros(size)
    direction[fixed], direction[outcome] = -root.coefficients, 1.0
    adjoint = np.outer(direction, direction) * (freedom / root.residual if sigma is None else 1.0 / sigma**2)
    if reml:
        adjoint[np.ix_(fixed, fixed)] += root.inverse
    return adjoint


class Engine(Protocol):
    """The criterion of one model as a function of the factors Λ of every level (centred columns, innermost first).

    Attributes
    ----------
    name
        How a fit names it.
    reml
        Whether the criterion is restricted.
    evaluations
        Evaluations so far.
    freedom
        ν: n − p (REML) or n (ML).
    column_scales
        For each level one over the root mean square of its columns of Z.
    """

    name: str
    reml: bool
    evaluations: int

    @property
    def freedom(self) -> int: ...

    @property
    def large(self) -> bool:
        """Whether an evaluation takes so long that one start has to do."""
        ...

    @property
    def column_scales(self) -> list[Floats]: ...

    def value_and_gradient(
        self, scales: Sequence[Floats], sigma: float | None = None
    ) -> tuple[float, list[Floats], Root]:
        """The criterion, its derivative in every entry of every Λ, and the root; with ``sigma`` σ is held there."""
        ...

    def by(self, *, reml: bool) -> Engine:
        """The same data by restricted or full maximum likelihood."""
        ...

    def sample(self) -> Engine | None:
        """The same criterion of a subsample of groups, for starting values; ``None`` if the data are not large."""
        ...
