"""Cluster-robust inference for least squares, from sums by cluster: CR1, CR2, CR3 and Satterthwaite's df."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plneval.did.columns import Floats
from plneval.did.errors import DidError
from plneval.did.products import crossproduct, project

VCOVS = ("cr1", "cr2", "cr3", "wild")
_LEVERAGE_ONE = 1e-9


@dataclass(frozen=True)
class ClusterSums:
    """All that cluster-robust inference needs of a weighted least squares fit. G clusters, k coefficients.

    With X̃ the regressors less their unit means, W the weights and e the residuals:

    Attributes
    ----------
    beta
        (k,) coefficients.
    bread
        (k, k) inverse of Σ X̃'WX̃.
    scores
        (G, k) X̃'We of each cluster.
    gram
        (G, k, k) X̃'WX̃ of each cluster; ``None`` where only CR1 is asked for.
    n_rows, n_parameters
        N and K of CR1's factor G/(G-1) · (N-1)/(N-K). Rows are those of the data, not cells; unit effects are nested
        in clusters and not counted.
    """

    beta: Floats
    bread: Floats
    scores: Floats
    gram: Floats | None
    n_rows: int
    n_parameters: int

    @property
    def n_clusters(self) -> int:
        """Clusters."""
        return len(self.scores)

    @property
    def factor(self) -> float:
        """CR1's small-sample factor.

        Raises
        ------
        DidError
            One cluster only, or no more rows than parameters.
        """
        if self.n_clusters < 2:
            raise DidError("a single cluster: standard errors by cluster need at least two; cluster by a finer group")
        if self.n_rows <= self.n_parameters:
            raise DidError(f"{self.n_rows} rows for {self.n_parameters} parameters: too few for a standard error")
        clusters = self.n_clusters / (self.n_clusters - 1)
        return clusters * (self.n_rows - 1) / (self.n_rows - self.n_parameters)


@dataclass(frozen=True)
class Covariance:
    """Covariance of Q linear combinations of the coefficients.

    Attributes
    ----------
    matrix
        (Q, Q).
    df
        (Q,) degrees of freedom of the t distribution each is compared with.
    by_cluster
        (G, Q) what each cluster contributes (``by_cluster.T @ by_cluster`` is ``matrix``).
    saturated
        Clusters without which some coefficient could not be estimated (leverage one); their part along it is left
        out, as the Moore-Penrose inverse does.
    """

    matrix: Floats
    df: Floats
    by_cluster: Floats
    saturated: int = 0


def cluster_robust(sums: ClusterSums, contrasts: Floats, kind: str) -> Covariance:
    """Covariance of ``contrasts`` (Q, k) @ beta.

    ``"cr1"``: scores as they are, times the factor, df G - 1. ``"cr2"``: each cluster's residuals multiplied by
    (I - H)^(-1/2), unbiased where errors are independent with variances inverse to the weights (Bell and McCaffrey
    2002; Pustejovsky and Tipton 2018), ``"cr3"``: by (I - H)^(-1), which is the sum of squares of the changes when one
    cluster after the other is left out; both with Satterthwaite's df. As R's clubSandwich.

    # ASSUME: the working model of CR2 and of the df is independent errors with variance inverse to the weight.

    Notes
    -----
    With RR' the bread and S_g the cluster's X̃'WX̃, (I - H_gg)^p X̃R = X̃R (I - R'S_gR)^p: the n_g × n_g matrices of the
    textbook reduce to k × k ones, so cells serve as well as rows. Unit effects are nested in clusters and may be
    absorbed beforehand (Pustejovsky and Tipton 2018, theorem 2).
    """
    directions = contrasts @ sums.bread
    if kind in ("cr1", "wild"):
        by_cluster = project(sums.scores, directions.T) * np.sqrt(sums.factor)
        df = np.full(len(contrasts), sums.n_clusters - 1.0)
        return Covariance(crossproduct(by_cluster), df, by_cluster)
    if sums.n_clusters < 2:
        raise DidError("a single cluster: standard errors by cluster need at least two; cluster by a finer group")
    if sums.gram is None:
        raise DidError(f"{kind} needs the cross-products of each cluster")
    root = np.asarray(np.linalg.cholesky(sums.bread), dtype=np.float64)
    leverage = root.T @ sums.gram @ root
    values, vectors = np.linalg.eigh(leverage)
    room = 1 - values
    full = room < _LEVERAGE_ONE
    power = -0.5 if kind == "cr2" else -1.0
    adjusted = np.where(full, 0.0, np.where(full, 1.0, room) ** power)
    # B_g R'c for every cluster and contrast: (G, Q, k).
    rotated = (contrasts @ root) @ vectors
    turned = np.einsum("gqj,gj,gij->gqi", rotated, adjusted, vectors, optimize=True)
    by_cluster = np.einsum("gqi,gi->gq", turned, project(sums.scores, root))
    return Covariance(
        crossproduct(by_cluster), _satterthwaite(turned, leverage), by_cluster, int(full.any(axis=1).sum())
    )


def _satterthwaite(turned: Floats, leverage: Floats) -> Floats:
    """(Q,) 2 E[V]² / Var[V] under the working model (Pustejovsky and Tipton 2018, equation 11).

    The variance estimate is Σ_g (p_g'ε)²; its products p_g'p_h are a_g 1{g=h} - u_g'u_h.
    """
    through = turned @ leverage
    own = np.einsum("gqi,gqi->gq", turned, through)
    through_square = np.einsum("gqi,gqi->gq", through, through)
    trace = (own - through_square).sum(axis=0)
    cross = np.stack([crossproduct(through[:, q]) for q in range(through.shape[1])])
    squares = (own**2 - 2 * own * through_square).sum(axis=0) + (cross**2).sum(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(squares > 0, trace**2 / squares, np.nan), dtype=np.float64)
