r"""A confirmatory factor model of a form: every item loads on its own scale, scales correlate; maximum likelihood.

Σ = ΛΦΛ' + Θ with one loading a row of Λ, Φ a correlation matrix and Θ diagonal, fitted by semopy
(:mod:`plneval.networks.factor_fit`), which minimises :math:`F = \ln|\Sigma| + \operatorname{tr}(S\Sigma^{-1}) -
\ln|S| - k`; standard errors are those of the expected information; fit indices as in lavaan (Bollen 1989; Hu and
Bentler 1999). Semopy has no SRMR and no interval of the RMSEA, its RMSEA divides by n − 1 where lavaan's divides by n,
and its CFI is not kept within 0 and 1: these are worked out here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.networks.factor_fit import SINGULAR, FactorFit, fit_factors

Floats = NDArray[np.float64]

RESPONDENTS_A_PARAMETER: Final = 5
"""Complete respondents for each free parameter below which the model is not fitted (Bentler and Chou 1987)."""
FEWEST_RESPONDENTS: Final = 100
"""Complete respondents below which it is not fitted at all."""


@dataclass(frozen=True)
class FactorModel:
    """A confirmatory factor model; NaN and empty tables where it was not fitted.

    Attributes
    ----------
    state
        ``fitted``, ``fitted_improper`` (a unique variance is not positive or a correlation of scales reaches 1),
        ``sample_too_small``, ``not_identified`` (a scale with fewer than two items that vary, or a single scale with
        fewer than three), ``singular`` (an item is a sum of others) or ``not_converged`` (no maximum was reached, or
        there is none: a parameter runs to infinity).
    n, n_parameters, n_needed
        Respondents with complete answers, free parameters, and respondents needed.
    chi2, df, p
        Test of exact fit (n F).
    cfi, tli, rmsea, rmsea_low, rmsea_high, srmr
        Fit indices; the interval of the RMSEA covers 90 %.
    loadings
        scale, item, loading (in points for one SD of the factor), se, standardised.
    correlations
        scale, other, correlation, se.
    """

    state: str
    n: int
    n_parameters: int
    n_needed: int
    chi2: float
    df: int
    p: float
    cfi: float
    tli: float
    rmsea: float
    rmsea_low: float
    rmsea_high: float
    srmr: float
    loadings: pd.DataFrame
    correlations: pd.DataFrame


def factor_model(items: pd.DataFrame, scales: Mapping[str, Sequence[str]]) -> FactorModel:
    """Fit the factor model of several scales to the answers of one wave.

    # ASSUME: respondents are independent and answers near normal; with respondents in schools χ² is too large.

    Parameters
    ----------
    items
        One row for each respondent, one column for each item, reversed items turned round; respondents with a missing
        answer are left out.
    scales
        Items of each scale; an item belongs to one.
    """
    names = [item for members in scales.values() for item in members]
    factor = [place for place, members in enumerate(scales.values()) for _ in members]
    complete = items[names].dropna().to_numpy(dtype=np.float64)
    n, k = complete.shape
    n_parameters = 2 * k + len(scales) * (len(scales) - 1) // 2
    needed = max(FEWEST_RESPONDENTS, RESPONDENTS_A_PARAMETER * n_parameters)
    df = k * (k + 1) // 2 - n_parameters
    about = (n, n_parameters, needed)
    smallest = min(len(members) for members in scales.values())
    if smallest < 2 or (len(scales) == 1 and smallest < 3) or df < 0:
        return _unfitted("not_identified", *about, df)
    if n < needed:
        return _unfitted("sample_too_small", *about, df)
    deviation = complete.std(axis=0)
    if (deviation <= 0).any():
        return _unfitted("not_identified", *about, df)
    correlation = np.corrcoef(complete.T)
    if np.linalg.eigvalsh(correlation)[0] < SINGULAR:
        return _unfitted("singular", *about, df)
    fit = fit_factors(correlation, factor, n)
    if fit is None:
        return _unfitted("not_converged", *about, df)
    independence = -n * float(np.linalg.slogdet(correlation)[1])
    return _told(fit, factor, deviation, independence, list(scales), names, about, df)


def _unfitted(state: str, n: int, n_parameters: int, needed: int, df: int) -> FactorModel:
    nan = float("nan")
    return FactorModel(
        state,
        n,
        n_parameters,
        needed,
        nan,
        df,
        *(nan, nan, nan, nan, nan, nan, nan),
        loadings=pd.DataFrame(columns=["scale", "item", "loading", "se", "standardised"]),
        correlations=pd.DataFrame(columns=["scale", "other", "correlation", "se"]),
    )


def _told(
    fit: FactorFit,
    factor: list[int],
    deviation: Floats,
    independence: float,
    scales: list[str],
    names: list[str],
    about: tuple[int, int, int],
    df: int,
) -> FactorModel:
    """The model's tables and fit indices; ``independence`` is χ² of the model in which no items correlate."""
    from scipy.special import chdtrc

    n, k = about[0], len(factor)
    chi2, baseline_df = max(fit.chi2, 0.0), k * (k - 1) // 2
    pairs = list(combinations(range(len(scales)), 2))
    # A factor has no direction of its own: its items point upwards.
    sign = np.where(np.bincount(factor, fit.loadings) < 0, -1.0, 1.0)
    own = fit.loadings * sign[factor]
    between = np.array([value * sign[a] * sign[b] for value, (a, b) in zip(fit.correlations, pairs, strict=True)])
    proper = bool((fit.unique > 0).all() and (np.abs(between) < 1).all())
    # Without degrees of freedom χ² is 0 but for rounding.
    excess = max(chi2 - df, 0.0) if df else 0.0
    baseline_excess = max(independence - baseline_df, excess)
    ratio = independence / baseline_df
    low, high = _rmsea_interval(chi2, df, n)
    return FactorModel(
        "fitted" if proper else "fitted_improper",
        *about,
        chi2=chi2,
        df=df,
        p=float(chdtrc(df, chi2)) if df else float("nan"),
        cfi=1 - excess / baseline_excess if baseline_excess > 0 else 1.0,
        tli=(ratio - chi2 / df) / (ratio - 1) if df else float("nan"),
        rmsea=float(np.sqrt(excess / (df * n))) if df else float("nan"),
        rmsea_low=low,
        rmsea_high=high,
        srmr=float(np.sqrt((fit.residuals**2).mean())),
        loadings=pd.DataFrame(
            {
                "scale": [scales[place] for place in factor],
                "item": names,
                "loading": own * deviation,
                "se": fit.loadings_se * deviation,
                "standardised": own / np.sqrt(own**2 + fit.unique),
            }
        ),
        correlations=pd.DataFrame(
            {
                "scale": [scales[a] for a, _ in pairs],
                "other": [scales[b] for _, b in pairs],
                "correlation": between,
                "se": fit.correlations_se,
            }
        ),
    )


def _rmsea_interval(chi2: float, df: int, n: int) -> tuple[float, float]:
    """90 % interval: noncentralities at which χ² is the upper and the lower 5 % point."""
    from scipy.optimize import brentq
    from scipy.special import chndtr

    def bound(probability: float) -> float:
        if chndtr(chi2, df, 0.0) < probability:
            return 0.0
        top = max(4 * chi2, 50.0)
        root = brentq(lambda value: float(chndtr(chi2, df, value)) - probability, 0.0, top, xtol=1e-10)
        return float(np.sqrt(root / (df * n)))

    return (bound(0.95), bound(0.05)) if df else (float("nan"), float("nan"))
