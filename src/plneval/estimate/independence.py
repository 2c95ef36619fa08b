"""Which columns of a matrix the data can tell apart."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def independent_columns(x: Array) -> npt.NDArray[np.bool_]:
    """Which columns do not depend linearly on those before them (relative tolerance 1e-9), shape (p,)."""
    norms = np.sqrt(np.einsum("ij,ij->j", x, x))
    kept = norms > 0
    scaled = x[:, kept] / norms[kept]
    diagonal = np.zeros(scaled.shape[1])
    if scaled.shape[1]:
        diagonal_of_r = np.abs(np.diag(np.asarray(np.linalg.qr(scaled, mode="r"))))
        diagonal[: len(diagonal_of_r)] = diagonal_of_r
    # A dependent column leaves rounding noise only; QR without pivoting keeps the order in which columns were declared.
    kept[kept] = diagonal > 1e-9
    return np.asarray(kept)
