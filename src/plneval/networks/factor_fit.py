r"""The fit of a confirmatory factor model by semopy: maximum likelihood, factors with variance 1.

Semopy fits the correlations of the items. The model is scale-free: a loading and its standard error in points are those
of the standardised item times the item's standard deviation, and χ² is the same. Semopy's root logger and warnings are
kept quiet, because what they tell is told here as a state.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CLOSE: Final = 1e-5
"""Distance to the optimum, in standard errors, at which the fit has ended."""
STARTS: Final = 4
"""Fits, each from where the one before stopped: SLSQP may stop a little early where the likelihood is flat."""
SINGULAR: Final = 1e-10
"""Smallest eigenvalue of a correlation matrix, or of the information scaled like one, that is told from 0."""
_OPTIONS: Final = {"ftol": 1e-15, "maxiter": 300}
_STARTING: Final = {"a": 0.7, "u": 0.5, "r": 0.3}
"""First values of loadings, unique variances and correlations of factors, by the first letter of a parameter."""


@dataclass(frozen=True)
class FactorFit:
    """Estimates for standardised items.

    Attributes
    ----------
    loadings, unique : (k,) loading and unique variance of each item.
    correlations : correlation of each pair of factors, pairs in the order (0, 1), (0, 2), …, (1, 2), ….
    loadings_se, correlations_se : standard errors from the expected information.
    chi2 : n times the discrepancy.
    residuals : correlations less those implied, on and below the diagonal.
    """

    loadings: Floats
    unique: Floats
    correlations: Floats
    loadings_se: Floats
    correlations_se: Floats
    chi2: float
    residuals: Floats


def fit_factors(correlation: Floats, factor: Sequence[int], n: int) -> FactorFit | None:
    """Fit the model in which every item loads on one factor and all factors correlate.

    # ASSUME: unique variances are free, below zero too, as in lavaan; the caller names such a solution improper.

    Parameters
    ----------
    correlation : (k, k) correlations of the items, positive definite.
    factor : (k,) number of each item's factor, from 0.
    n : respondents.

    Returns
    -------
    FactorFit or None
        None where no maximum was reached: the steps did not end, or a parameter runs to infinity (the information is
        singular there).
    """
    with _quiet():
        from semopy.model import Model
        from semopy.stats import calc_chi2, calc_se

        model = Model(description(factor))
        # semopy's own START and BOUND commands keep words in place of numbers, so both are set here.
        for name, parameter in model.parameters.items():
            if parameter.active:
                parameter.start, parameter.bound = _STARTING[name[0]], (None, None)
        items = [f"x{item}" for item in range(len(factor))]
        model.load(cov=pd.DataFrame(correlation, index=items, columns=items), n_samples=n)
        if not _reach_optimum(model, n):
            return None
        values, errors = (_by_letter(model, found) for found in (model.param_vals, calc_se(model)))
        implied = model.calc_sigma()[0]
        return FactorFit(
            loadings=values["a"],
            unique=values["u"],
            correlations=values["r"],
            loadings_se=errors["a"],
            correlations_se=errors["r"],
            chi2=float(calc_chi2(model)[0]),
            residuals=np.asarray((model.mx_cov - implied)[np.tril_indices(len(factor))]),
        )


def description(factor: Sequence[int]) -> str:
    """The model in semopy's language, items x0, x1, … and factors f0, f1, …; no name from outside is in it.

    Every parameter is written out and named, as semopy would otherwise take those that it adds in an order that
    depends on PYTHONHASHSEED: loadings a, unique variances u, correlations of factors r.
    """
    factors = sorted(set(factor))
    lines = [
        f"f{own} =~ " + " + ".join(f"a{item}*x{item}" for item, of in enumerate(factor) if of == own) for own in factors
    ]
    lines += [f"f{own} ~~ 1*f{own}" for own in factors]
    lines += [f"x{item} ~~ u{item}*x{item}" for item in range(len(factor))]
    lines += [f"f{one} ~~ r{one}_{other}*f{other}" for one, other in combinations(factors, 2)]
    return "\n".join(lines)


def _reach_optimum(model: Any, n: int) -> bool:
    """Fit until the distance left, the root of the Newton decrement, is small; False where it does not become so."""
    for _ in range(STARTS):
        model.fit(obj="MLW", solver="SLSQP", options=dict(_OPTIONS))
        score = model.grad_mlw(model.param_vals) * n / 2
        if not np.isfinite(score).all():
            return False
        try:
            information = model.calc_fim()
        except np.linalg.LinAlgError:
            return False
        scale = np.sqrt(np.diag(information))
        if not (scale > 0).all() or np.linalg.eigvalsh(information / np.outer(scale, scale))[0] < SINGULAR:
            return False
        if float(score @ np.linalg.solve(information, score)) < CLOSE**2:
            return True
    return False


def _by_letter(model: Any, found: Floats) -> dict[str, Floats]:
    """Values of the free parameters by the first letter of their names, in the order in which the text has them."""
    names = [name for name, parameter in model.parameters.items() if parameter.active]
    number = dict(zip(names, found, strict=True))

    def place(name: str) -> tuple[int, ...]:
        return tuple(int(part) for part in name[1:].split("_"))

    return {
        letter: np.array([number[name] for name in sorted((n for n in names if n[0] == letter), key=place)])
        for letter in _STARTING
    }


@contextmanager
def _quiet() -> Iterator[None]:
    """No warning and no line of a log; the settings of both are as before afterwards."""
    root, silent = logging.getLogger(), logging.NullHandler()
    level = root.manager.disable
    # Without a handler the first message would give the root logger one that prints.
    root.addHandler(silent)
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
        root.removeHandler(silent)
