"""Cluster-robust standard errors of the fixed effects: CR0-CR3 with Satterthwaite degrees of freedom.

As R's clubSandwich (Pustejovsky and Tipton 2018, J. Bus. Econ. Stat. 36, 672-683), with the model's V as working
covariance: the scores X_g'V_g⁻¹A_g e_g of the clusters, with A_g that corrects the residuals for having estimated β.
All but the exact CR2 follow from T_g = X_g'V_g⁻¹X_g and s_g = X_g'V_g⁻¹e_g, which the statistics hold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plneval.multilevel.criterion import Elimination
from plneval.multilevel.design import Floats
from plneval.multilevel.engine import Root
from plneval.multilevel.problem import Problem

KINDS = ("CR0", "CR1", "CR2", "CR3")
# clubSandwich's threshold below which an eigenvalue counts as 0.
NULL = 1e-12


@dataclass(frozen=True)
class Scores:
    """What each cluster contributes; of the working columns, V relative to σ².

    Attributes
    ----------
    adjusted
        (G, p) X'V⁻¹A e.
    spread
        (G, p, p) E'VE with E = A'V⁻¹XM, M the inverse of X'V⁻¹X.
    overlap
        (G, p, p) X'E.
    factor
        What the sum of squares is multiplied by.
    """

    adjusted: Floats
    spread: Floats
    overlap: Floats
    factor: float

    def covariance(self, inverse: Floats) -> Floats:
        """(p, p) the robust covariance of the fixed effects."""
        projected = self.adjusted @ inverse
        return self.factor * projected.T @ projected

    def df(self, contrast: Floats, inverse: Floats) -> float:
        """Satterthwaite's degrees of freedom of a contrast's variance estimate: (tr P)²/tr(P²).

        P_gh = δ_gh E_g'VE_g − (X'E_g)'M X'E_h is the covariance of the scores if the model's V is right.
        """
        own = np.einsum("a,gab,b->g", contrast, self.spread, contrast)
        shared = self.overlap @ contrast
        through = np.einsum("ga,ab,gb->g", shared, inverse, shared)
        products = inverse @ (shared.T @ shared)
        squares = float((own**2 - 2.0 * own * through).sum() + np.einsum("ab,ba->", products, products))
        return float((own - through).sum()) ** 2 / squares if squares > 0 else np.inf


@dataclass(frozen=True)
class RobustErrors:
    """Cluster-robust errors of the fixed effects as given.

    Attributes
    ----------
    covariance
        (p, p) of the fixed effects.
    clusters
        Number of clusters.
    exact
        Whether CR2's root is clubSandwich's (true for the other kinds).
    """

    covariance: Floats
    clusters: int
    exact: bool
    found: Scores
    to_columns: Floats
    inverse: Floats

    def df(self, contrast: Floats) -> float:
        """Satterthwaite's degrees of freedom of a contrast (p,) of the fixed effects."""
        return self.found.df(contrast @ self.to_columns, self.inverse)


def cluster_blocks(problem: Problem, passed: Elimination) -> Floats:
    """(G, r, r) U'V⁻¹U of each outermost group, every random effect eliminated."""
    cross = passed.cross[-1]
    columns = problem.random[-1]
    if not len(columns):
        return cross
    rooted = passed.shrunk[-1].root @ cross[:, columns]
    return np.asarray(cross - rooted.transpose(0, 2, 1) @ rooted)


def scores(blocks: Floats, problem: Problem, root: Root, kind: str) -> Scores:
    """The scores of a kind from the clusters' cross-products.

    CR2 is made with the root V^{1/2}(I − V^{-1/2}XMX'V^{-1/2})^{-1/2}V^{-1/2}, which needs no rows; clubSandwich takes
    another root of the same matrix: see :mod:`plneval.multilevel.robust_rows`.
    """
    x = problem.fixed
    information = blocks[:, x[:, None], x]
    score = blocks[:, x, problem.outcome] - information @ root.coefficients
    groups = len(blocks)
    if kind in ("CR0", "CR1"):
        middle = np.broadcast_to(root.inverse, information.shape)
    else:
        half = np.linalg.cholesky(root.inverse)
        values, vectors = np.linalg.eigh(np.eye(len(x)) - half.T @ information @ half)
        power = np.where(values > NULL, np.maximum(values, NULL) ** (-0.5 if kind == "CR2" else -1.0), 0.0)
        middle = half @ ((vectors * power[:, None, :]) @ vectors.transpose(0, 2, 1)) @ half.T
    overlap = information @ middle
    return Scores(
        adjusted=np.einsum("gab,gb->ga", middle, score) @ root.information,
        spread=middle.transpose(0, 2, 1) @ overlap,
        overlap=overlap,
        factor=groups / (groups - 1.0) if kind == "CR1" else 1.0,
    )
