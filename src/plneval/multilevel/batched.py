"""Small symmetric matrices, many at a time: the algebra of one level's groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from plneval.multilevel.design import Floats, Integers

# Groups whose parent's matrix is looked up for all of them at once.
GATHER_BATCH = 32_768


@dataclass(frozen=True)
class Shrinkage:
    """W = (Ψ⁻¹ + A)⁻¹ = Λ(I + Λ'AΛ)⁻¹Λ' of each group, without inverting Ψ.

    Attributes
    ----------
    root
        (J, q, q) C = L⁻¹Λ' with LL' = H = I + Λ'AΛ, so that W = C'C.
    weight
        (J, q, q) W.
    log_det
        (J,) log|H| = log|I + ΨA|.
    solved
        (J, q, q) H⁻¹Λ', which the gradient needs.
    """

    root: Floats
    weight: Floats
    log_det: Floats
    solved: Floats


def shrinkage(own: Floats, scale: Floats) -> Shrinkage:
    """The shrinkage of groups with Z'V⁻¹Z = A = ``own`` (J, q, q) and Λ = ``scale`` (q, q)."""
    groups, q, _ = own.shape
    # Entry by entry, each a vector over the groups: small matrices are too small for a call each.
    inner = (np.kron(scale, scale).T @ own.reshape(groups, q * q).T).reshape(q, q, groups)
    factor = np.zeros((q, q, groups))
    for i in range(q):
        for k in range(i, q):
            entry = inner[k, i].copy()
            for a in range(i):
                entry -= factor[k, a] * factor[i, a]
            factor[k, i] = np.sqrt(entry + 1.0) if k == i else entry / factor[i, i]
    root, solved = np.empty((q, q, groups)), np.empty((q, q, groups))
    for c in range(q):
        for i in range(q):
            entry = np.full(groups, scale[c, i])
            for a in range(i):
                entry -= factor[i, a] * root[a, c]
            root[i, c] = entry / factor[i, i]
        for i in range(q - 1, -1, -1):
            entry = root[i, c].copy()
            for a in range(i + 1, q):
                entry -= factor[a, i] * solved[a, c]
            solved[i, c] = entry / factor[i, i]
    weight = np.empty((q, q, groups))
    for b in range(q):
        for c in range(b, q):
            weight[b, c] = weight[c, b] = sum(root[a, b] * root[a, c] for a in range(q))
    log_det = 2.0 * sum(np.log(factor[i, i]) for i in range(q))
    return Shrinkage(_last(root), _last(weight), np.asarray(log_det), _last(solved))


def _last(entries: Floats) -> Floats:
    """(J, q, q) of (q, q, J)."""
    return np.ascontiguousarray(entries.transpose(2, 0, 1))


def multiply(first: Floats, second: Floats) -> Floats:
    """(J, a, c) products of matrices (J, a, b) and (J, b, c), entry by entry of the product."""
    product = np.empty((len(first), first.shape[1], second.shape[2]))
    for i in range(first.shape[1]):
        entry = first[:, i, 0, None] * second[:, 0]
        for j in range(1, first.shape[2]):
            entry += first[:, i, j, None] * second[:, j]
        product[:, i] = entry
    return product


def scale_gradient(shrunk: Shrinkage, own: Floats, adjoint: Floats, count: Floats | None = None) -> Floats:
    """(q, q) derivative in Λ of Σ count·log|I + ΨA| − tr(Q W), with Q = ``adjoint`` (J, q, q).

    d log|H| = 2 tr(H⁻¹Λ'A dΛ) and dW = (I − WA) dΛ H⁻¹Λ' + its transpose.
    """
    q = own.shape[1]
    kept = np.eye(q) - multiply(shrunk.weight, own)
    counted = own if count is None else own * count[:, None, None]
    inner = counted - multiply(adjoint, kept)
    # Σ_j solved_j inner_j, as one product over all groups.
    summed = shrunk.solved.transpose(1, 0, 2).reshape(q, -1) @ inner.reshape(-1, q)
    return np.asarray(2.0 * summed.T)


def times_parent(rows: Floats, matrices: Floats, parent: Integers, pointers: Integers) -> Floats:
    """(J, q, r) rows (J, q, r), sorted by parent, times the symmetric matrix (r, r) of their parent."""
    groups, q, r = rows.shape
    if len(matrices) == 1:
        return np.asarray((rows.reshape(groups * q, r) @ matrices[0]).reshape(groups, q, r))
    product = np.empty_like(rows)
    if groups >= 16 * len(matrices):
        for run in np.flatnonzero(np.diff(pointers)).tolist():
            part = slice(pointers[run], pointers[run + 1])
            product[part] = (rows[part].reshape(-1, r) @ matrices[run]).reshape(-1, q, r)
        return product
    for start in range(0, groups, GATHER_BATCH):
        part = slice(start, start + GATHER_BATCH)
        np.matmul(rows[part], matrices[parent[part]], out=product[part])
    return product
