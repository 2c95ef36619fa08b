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
    inner = np.einsum("ai,jab,bk->jik", scale, own, scale, optimize=True)
    factor = np.zeros((groups, q, q))
    for i in range(q):
        pivot = 1.0 + inner[:, i, i] - np.einsum("ja,ja->j", factor[:, i, :i], factor[:, i, :i])
        factor[:, i, i] = np.sqrt(pivot)
        for k in range(i + 1, q):
            rest = inner[:, k, i] - np.einsum("ja,ja->j", factor[:, k, :i], factor[:, i, :i])
            factor[:, k, i] = rest / factor[:, i, i]
    root = np.empty((groups, q, q))
    for i in range(q):
        rest = scale.T[i][None, :] - np.einsum("ja,jac->jc", factor[:, i, :i], root[:, :i])
        root[:, i] = rest / factor[:, i, i][:, None]
    solved = np.empty_like(root)
    for i in range(q - 1, -1, -1):
        rest = root[:, i] - np.einsum("ja,jac->jc", factor[:, i + 1 :, i], solved[:, i + 1 :])
        solved[:, i] = rest / factor[:, i, i][:, None]
    diagonal = np.einsum("jii->ji", factor)
    return Shrinkage(root, np.einsum("jab,jac->jbc", root, root), 2.0 * np.log(diagonal).sum(axis=1), solved)


def scale_gradient(shrunk: Shrinkage, own: Floats, adjoint: Floats, count: Floats | None = None) -> Floats:
    """(q, q) derivative in Λ of Σ count·log|I + ΨA| − tr(Q W), with Q = ``adjoint`` (J, q, q).

    d log|H| = 2 tr(H⁻¹Λ'A dΛ) and dW = (I − WA) dΛ H⁻¹Λ' + its transpose.
    """
    kept = np.eye(own.shape[1]) - shrunk.weight @ own
    counted = own if count is None else own * count[:, None, None]
    inner = counted - adjoint @ kept
    return np.asarray(2.0 * np.einsum("jab,jbc->ca", shrunk.solved, inner))


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
