"""Sums over runs of rows: without a Python loop over small groups, and the same bits every time."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from plneval.multilevel.design import Floats, Integers

# A run of this many products (rows × columns²) is worth a matrix product of its own; shorter ones go row by row.
LONG_RUN = 2_000
# Rows whose products are held at once.
BATCH = 65_536


def counting_sort(codes: NDArray[np.integer], size: int) -> Integers:
    """(n,) stable order that sorts codes below ``size``, in time proportional to rows and codes."""
    n = len(codes)
    one_row_each = scipy.sparse.csc_matrix((np.ones(n, dtype=np.int8), codes, np.arange(n + 1)), shape=(size, n))
    return np.asarray(one_row_each.tocsr().indices)


def run_pointers(codes: NDArray[np.integer], size: int) -> Integers:
    """(size + 1,) where the run of each code begins in sorted codes, and the end."""
    pointers = np.zeros(size + 1, dtype=np.intp)
    np.cumsum(np.bincount(codes, minlength=size), out=pointers[1:])
    return pointers


def sum_runs(rows: Floats, pointers: Integers, factors: Floats | None = None) -> Floats:
    """(runs, c) sums of the rows of each run, each row times its factor."""
    n = len(rows)
    values = np.ones(n) if factors is None else factors
    return np.asarray(
        scipy.sparse.csr_matrix((values, np.arange(n), pointers), shape=(len(pointers) - 1, n)) @ rows, dtype=np.float64
    )


def sum_by_code(rows: Floats, codes: Integers, size: int) -> Floats:
    """(size, …) sums of the rows of each code, for codes in any order; rows may have any shape."""
    n = len(rows)
    flat = np.ascontiguousarray(rows.reshape(n, -1))
    indicator = scipy.sparse.csc_matrix((np.ones(n), codes, np.arange(n + 1)), shape=(size, n))
    return np.asarray(indicator @ flat, dtype=np.float64).reshape(size, *rows.shape[1:])


def gram_runs(rows: Floats, pointers: Integers) -> Floats:
    """(runs, c, c) cross-products R'R of the rows of each run."""
    runs, c = len(pointers) - 1, rows.shape[1]
    grams = np.zeros((runs, c, c))
    length = np.diff(pointers)
    long = length * (c * c) >= LONG_RUN
    for run in np.flatnonzero(long).tolist():
        part = rows[pointers[run] : pointers[run + 1]]
        np.matmul(part.T, part, out=grams[run])
    short = np.flatnonzero((length > 0) & ~long)
    if len(short):
        first, second = packing(c)
        for some in np.array_split(short, max(1, int(length[short].sum()) * c * c // (BATCH * 64))):
            taken = np.repeat(pointers[some] - np.r_[0, np.cumsum(length[some])[:-1]], length[some])
            part = rows[taken + np.arange(len(taken))]
            sums = sum_runs(_products(part), np.r_[0, np.cumsum(length[some])])
            grams[some[:, None], first, second] = sums
            grams[some[:, None], second, first] = sums
    return grams


def _products(rows: Floats) -> Floats:
    """(n, c(c+1)/2) products of the columns of each row, in the order of :func:`packing`."""
    n, c = rows.shape
    products = np.empty((n, c * (c + 1) // 2))
    at = 0
    for i in range(c):
        np.multiply(rows[:, i : i + 1], rows[:, i:], out=products[:, at : at + c - i])
        at += c - i
    return products


@lru_cache(maxsize=64)
def packing(size: int) -> tuple[Integers, Integers]:
    """Rows and columns of the upper triangle of a symmetric matrix, row by row."""
    first, second = np.triu_indices(size)
    return first, second


def pack(matrices: Floats) -> Floats:
    """(…, c(c+1)/2) upper triangles of (…, c, c) symmetric matrices."""
    first, second = packing(matrices.shape[-1])
    return np.ascontiguousarray(matrices[..., first, second])


@lru_cache(maxsize=64)
def _places(size: int) -> Integers:
    first, second = packing(size)
    places = np.empty((size, size), dtype=np.intp)
    places[first, second] = places[second, first] = np.arange(len(first))
    return places


def unpack(packed: Floats, size: int) -> Floats:
    """(…, c, c) symmetric matrices of their upper triangles."""
    return np.asarray(packed[..., _places(size)])
