"""Products of tall matrices whose last digits do not depend on the number of threads.

A threaded BLAS splits long sums over its threads, so that the same rows give other last digits on another machine.
These sums run over one column at a time in numpy's fixed (pairwise) order: as fast for a handful of columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from plneval.did.columns import Floats


def linear(x: Floats, coefficients: Floats) -> Floats:
    """(N, K) times (K,): the (N,) linear predictor."""
    total = x[:, 0] * coefficients[0]
    for k in range(1, x.shape[1]):
        total += x[:, k] * coefficients[k]
    return np.asarray(total)


def moments(weight: Floats, x: Floats) -> Floats:
    """(K,) sums Σ weight·x over (N,) and (N, K)."""
    return np.array([np.sum(weight * x[:, k]) for k in range(x.shape[1])])


def weighted_gram(weight: Floats, x: Floats) -> Floats:
    """(K, K) sums Σ weight·xx'."""
    k = x.shape[1]
    gram = np.empty((k, k))
    for i in range(k):
        weighted = weight * x[:, i]
        for j in range(i, k):
            gram[i, j] = gram[j, i] = np.sum(weighted * x[:, j])
    return gram


def project(scores: Floats, matrix: Floats) -> Floats:
    """(N, K) times (K, L)."""
    return np.stack([linear(scores, matrix[:, column]) for column in range(matrix.shape[1])], axis=1)


def crossproduct(x: Floats) -> Floats:
    """(M, M) product x'x of an (N, M) matrix: the covariance that contributions by cluster make."""
    return np.asarray(np.einsum("nm,nk->mk", x, x))


def cross(x: Floats, y: Floats) -> Floats:
    """(K, L) product x'y of (N, K) and (N, L) matrices."""
    return np.asarray(np.einsum("nk,nl->kl", x, y))


def weighted_sums(weights: NDArray[Any], x: Floats) -> Floats:
    """(D, N) times (N, Q)."""
    return np.asarray(np.einsum("dn,nq->dq", weights, x))
