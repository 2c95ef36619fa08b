"""How the outcome of units that have not switched moves with their controls (first differences, by first treatment).

De Chaisemartin and D'Haultfœuille (2024), web appendix 1.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plneval.did.columns import Floats
from plneval.did.errors import DidError
from plneval.did.products import cross, linear, moments

# Least eigenvalue of the controls' correlations below which they are collinear.
SINGULAR = 1e-10


@dataclass(frozen=True)
class Slopes:
    """(K,) coefficients of controls at one level of the treatment, and what each unit adds to their error (U, K)."""

    theta: Floats
    influence: Floats


def slopes(
    change: Floats,
    x_change: Floats,
    weight: Floats,
    control: NDArray[np.bool_],
    stratum: Floats,
    names: Sequence[str],
) -> dict[float, Slopes]:
    """Regress changes since the period before on those of the controls and period effects, in each stratum.

    Parameters
    ----------
    change, x_change
        (U, T) and (U, T, K) changes from one period to the next.
    weight, control, stratum
        (U, T) weights, who has not switched, and the treatment that sets strata apart.
    names
        (K,) the controls, for messages.

    Raises
    ------
    DidError
        Controls that are collinear, or do not change, among the units of a stratum.
    """
    found = {}
    used = control & ~np.isnan(change) & ~np.isnan(x_change).any(axis=2)
    for level in np.unique(stratum[used]):
        unit, time = np.nonzero(used & (stratum == level))
        w, y, x = weight[unit, time], change[unit, time], x_change[unit, time]
        size = np.bincount(time, w, change.shape[1])
        y = y - (np.bincount(time, w * y, len(size)) / np.where(size > 0, size, 1))[time]
        centre = [np.bincount(time, w * x[:, k], len(size)) / np.where(size > 0, size, 1) for k in range(len(names))]
        x = x - np.column_stack(centre)[time]
        gram = cross(w[:, None] * x, x)
        raw = moments(w, x_change[unit, time] ** 2)
        scale = np.sqrt(np.diag(gram))
        still = scale**2 <= 1e-12 * raw
        if still.any() or np.linalg.eigvalsh(gram / scale / scale[:, None])[0] < SINGULAR:
            which = [name for name, flat in zip(names, still, strict=True) if flat] or list(names)
            raise DidError(
                f"controls: {', '.join(map(repr, which))} do not change, or are collinear, from one period to the next "
                f"among units of treatment {level:g} that have not switched: leave them out"
            )
        inverse = np.linalg.inv(gram)
        theta = inverse @ moments(w * y, x)
        scores = x * (w * (y - linear(x, theta)))[:, None]
        by_unit = np.column_stack([np.bincount(unit, scores[:, k], len(weight)) for k in range(len(names))])
        found[float(level)] = Slopes(theta, by_unit @ inverse)
    return found
