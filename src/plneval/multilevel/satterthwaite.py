"""Satterthwaite's degrees of freedom, as lmerTest defines them (Kuznetsova et al. 2017, J. Stat. Softw. 82(13)).

For a contrast with variance v(θ, σ) = L'Cov(β)L: df = 2v² / (g'Ag), with g the gradient of v, A = 2H⁻¹, and H the
Hessian of the deviance in (θ, σ). Derivatives in θ are central differences of the exact gradient and of Cov(β).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from plneval.multilevel.design import Floats
from plneval.multilevel.engine import Engine
from plneval.multilevel.optimise import Optimum
from plneval.multilevel.theta import Parameters

# Steps of the differences, in relative standard deviations per standard deviation of the column. The error goes with
# their square: near a singular fit (Hsb82) 1e-3 leaves three digits of the degrees of freedom, 3e-5 six.
STEP = 3e-5
# Fraction of the Hessian's largest eigenvalue below which one counts as 0, and its direction is left out.
FLAT = 1e-8


@dataclass(frozen=True)
class CovarianceOfParameters:
    """What Satterthwaite's approximation needs of a fit.

    Attributes
    ----------
    relative
        (p, p) Cov(β)/σ² of the working columns.
    derivatives
        (m + 1, p, p) derivatives of Cov(β) in the parameters, σ last.
    covariance
        (m + 1, m + 1) A, the covariance of the parameters and σ.
    sigma
        σ.
    """

    relative: Floats
    derivatives: Floats
    covariance: Floats
    sigma: float

    def df(self, contrast: Floats) -> float:
        """Degrees of freedom of a contrast (p,) of the working columns; infinite if its variance is known exactly."""
        variance = self.sigma**2 * float(contrast @ self.relative @ contrast)
        gradient = np.einsum("a,mab,b->m", contrast, self.derivatives, contrast)
        spread = float(gradient @ self.covariance @ gradient)
        return 2.0 * variance**2 / spread if spread > 0 else np.inf


def covariance_of_parameters(engine: Engine, parameters: Parameters, optimum: Optimum) -> CovarianceOfParameters:
    """Differentiate the criterion and Cov(β) around the optimum.

    The df do not depend on the coordinates, and those of centred, scaled columns are the best conditioned. Where a
    variance is 0 the Hessian is positive still, or flat in a direction that does not change V and is left out.
    """
    directions = parameter_directions(engine, parameters)
    base = optimum.factors
    m, p = len(directions), len(optimum.root.coefficients)
    hessian, inverse, residual = np.empty((m, m)), np.empty((m, p, p)), np.empty(m)
    for i, direction in enumerate(directions):
        sides = []
        for sign in (STEP, -STEP):
            moved = [factor + sign * move for factor, move in zip(base, direction, strict=True)]
            _, gradient, root = engine.value_and_gradient(moved)
            along = [sum(float((g * d).sum()) for g, d in zip(gradient, other, strict=True)) for other in directions]
            sides.append((np.array(along), root))
        (above, root_above), (below, root_below) = sides
        hessian[i] = (above - below) / (2 * STEP)
        inverse[i] = (root_above.inverse - root_below.inverse) / (2 * STEP)
        residual[i] = (root_above.residual - root_below.residual) / (2 * STEP)
    root, nu = optimum.root, engine.freedom
    sigma = float(np.sqrt(root.residual / nu))
    full = np.empty((m + 1, m + 1))
    # The deviance with σ free: g(θ) + ν log(2πσ²) + r²(θ)/σ², of which the criterion is the minimum over σ.
    full[:m, :m] = (hessian + hessian.T) / 2 + nu * np.outer(residual, residual) / root.residual**2
    full[:m, m] = full[m, :m] = -2.0 * residual / sigma**3
    full[m, m] = 4.0 * nu / sigma**2
    values, vectors = np.linalg.eigh(full)
    kept = values > FLAT * values[-1]
    covariance = 2.0 * (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
    derivatives = np.concatenate([sigma**2 * inverse, (2.0 * sigma * root.inverse)[None]])
    return CovarianceOfParameters(root.inverse, derivatives, covariance, sigma)


def parameter_directions(engine: Engine, parameters: Parameters) -> list[Sequence[Floats]]:
    """For each parameter the change of every level's Λ (centred columns)."""
    found: list[Sequence[Floats]] = []
    for block in parameters.blocks:
        rows, columns = block.lower
        for i, j in zip(rows, columns, strict=True):
            moves = [np.zeros((width, width)) for width in parameters.widths]
            moves[block.level][block.first + i, block.first + j] = 1.0
            moves[block.level] *= engine.column_scales[block.level][block.first + i]
            found.append(moves)
    return found
