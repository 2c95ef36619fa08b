"""Kenward and Roger's adjustment: covariance of the fixed effects and degrees of freedom in small samples.

Kenward and Roger (1997, Biometrics 53, 983-997), in the form of R's pbkrtest (Halekoh and Højsgaard 2014, J. Stat.
Softw. 59(9)): V is linear in the variances and covariances γ, and derivatives of the covariance of γ̂ are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plneval.multilevel.criterion import Criterion
from plneval.multilevel.design import Floats
from plneval.multilevel.optimise import Optimum
from plneval.multilevel.second_order import Direction, InformationDerivatives, information_derivatives
from plneval.multilevel.theta import Parameters

# pbkrtest's threshold below which the information of γ is inverted in the generalised sense.
SINGULAR = 1e-10


@dataclass(frozen=True)
class KenwardRoger:
    """What the tests need; all of the working columns.

    Attributes
    ----------
    covariance
        (p, p) Φ = Cov(β).
    adjusted
        (p, p) the adjusted covariance.
    slopes
        (m, p, p) P_r = −X'V⁻¹G_rV⁻¹X.
    weight
        (m, m) W, the covariance of γ̂.
    """

    covariance: Floats
    adjusted: Floats
    slopes: Floats
    weight: Floats

    def df(self, contrast: Floats) -> float:
        """Denominator degrees of freedom of a single contrast (p,)."""
        phi = self.covariance
        middle = np.outer(contrast, contrast) / float(contrast @ phi @ contrast)
        inner = np.array([middle @ phi @ slope @ phi for slope in self.slopes])
        traces = np.einsum("raa->r", inner)
        a1 = float(traces @ self.weight @ traces)
        a2 = float(np.einsum("rs,rab,sba->", self.weight, inner, inner))
        if a2 == 0:
            return np.inf
        b = (a1 + 6.0 * a2) / 2.0
        g = (2.0 * a1 - 5.0 * a2) / (3.0 * a2)
        c1, c2, c3 = (np.array([g, 1.0 - g, 3.0 - g]) / (3.0 + 2.0 * (1.0 - g))).tolist()
        v0, v1, v2 = 1.0 + c1 * b, 1.0 - c2 * b, 1.0 - c3 * b
        v0 = 0.0 if abs(v0) < SINGULAR else v0
        ratio = 1.0 if abs(1.0 - a2) < 1e-14 and abs(v1) < 1e-14 else (1.0 - a2) / v1
        rho = ratio**2 * v0 / v2
        return float(4.0 + 3.0 / (rho - 1.0))


def kenward_roger(engine: Criterion, parameters: Parameters, optimum: Optimum) -> KenwardRoger:
    """Kenward and Roger's adjustment of a REML fit."""
    directions, gamma = _directions(engine, parameters, optimum)
    relative = information_derivatives(engine.problem, optimum.factors, directions)
    residual = optimum.root.residual / engine.freedom
    slopes, products, traces = _absolute(relative, gamma, residual, engine.problem.n)
    phi = residual * optimum.root.inverse
    phi_slopes = phi @ slopes
    information = (
        traces - 2.0 * np.einsum("ab,rsba->rs", phi, products) + np.einsum("rab,sba->rs", phi_slopes, phi_slopes)
    )
    information = (information + information.T) / 2.0
    scale = np.sqrt(np.abs(np.diagonal(information)))
    scale = np.where(scale > 0, scale, 1.0)
    scaled = information / np.outer(scale, scale)
    smallest = float(np.abs(np.linalg.eigvalsh(scaled)).min())
    inverse = np.linalg.inv(scaled) if smallest > SINGULAR else np.linalg.pinv(scaled, hermitian=True)
    weight = 2.0 * inverse / np.outer(scale, scale)
    correction = np.einsum("rs,rsab->ab", weight, products) - np.einsum(
        "rs,rab,bc,scd->ad", weight, slopes, phi, slopes, optimize=True
    )
    adjusted = phi + 2.0 * phi @ correction @ phi
    return KenwardRoger(phi, (adjusted + adjusted.T) / 2.0, slopes, weight)


def _directions(engine: Criterion, parameters: Parameters, optimum: Optimum) -> tuple[list[Direction], Floats]:
    """One direction for each variance and covariance (scaled), and what Ψ/σ² is in these coordinates.

    The adjustment does not change with a linear change of γ: centred, scaled columns are the best conditioned.
    """
    directions, coordinates = [], []
    for block in parameters.blocks:
        factor = optimum.factors[block.level][block.rows, block.rows]
        psi = factor @ factor.T
        scale = engine.column_scales[block.level][block.rows]
        rows, columns = block.lower
        for i, j in zip(rows, columns, strict=True):
            change = np.zeros((parameters.widths[block.level],) * 2)
            first, second = block.first + i, block.first + j
            change[first, second] = change[second, first] = scale[i] * scale[j]
            directions.append(Direction(block.level, change))
            coordinates.append(psi[i, j] / (scale[i] * scale[j]))
    return directions, np.array(coordinates)


def _absolute(
    relative: InformationDerivatives, gamma: Floats, residual: float, n: int
) -> tuple[Floats, Floats, Floats]:
    """P_r, X'V⁻¹G_rV⁻¹G_sV⁻¹X (symmetrised) and tr(V⁻¹G_rV⁻¹G_s), with the residual variance as the last of γ.

    From V = γ₀(I + Σ (γ_r/γ₀) G_r): X'V⁻¹X is homogeneous of degree −1 in (γ, γ₀), and so are the derivatives of
    log|V|; Euler's relation then gives those in γ₀.
    """
    m, p = len(gamma), relative.information.shape[0]
    first, second = np.empty((m + 1, p, p)), np.empty((m + 1, m + 1, p, p))
    first[:m], second[:m, :m] = relative.first, relative.second
    first[m] = -relative.information - np.einsum("r,rab->ab", gamma, relative.first)
    log_first, log_second = np.append(relative.log_first, 0.0), np.empty((m + 1, m + 1))
    log_second[:m, :m] = relative.log_second
    log_first[m] = n - float(gamma @ relative.log_first)
    for r in range(m + 1):
        known = second[r, :m] if r < m else second[:m, m]
        edge = -2.0 * first[r] - np.einsum("s,sab->ab", gamma, known)
        second[r, m] = edge
        second[m, r] = edge
        log_known = log_second[r, :m] if r < m else log_second[:m, m]
        log_second[r, m] = log_second[m, r] = -log_first[r] - float(gamma @ log_known)
    # At σ² = γ₀ the derivatives scale with powers of it.
    return first / residual**2, second / (2.0 * residual**3), -log_second / residual**2
