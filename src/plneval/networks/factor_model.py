r"""A confirmatory factor model of a form: every item loads on its own scale, scales correlate; maximum likelihood.

Σ = ΛΦΛ' + Θ with one loading a row of Λ, Φ a correlation matrix and Θ diagonal. The discrepancy
:math:`F = \ln|\Sigma| + \operatorname{tr}(S\Sigma^{-1}) - \ln|S| - k` is minimised by Fisher scoring; standard errors
are those of the expected information; fit indices as in lavaan (Bollen 1989; Hu and Bentler 1999).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RESPONDENTS_A_PARAMETER: Final = 5
"""Complete respondents for each free parameter below which the model is not fitted (Bentler and Chou 1987)."""
FEWEST_RESPONDENTS: Final = 100
"""Complete respondents below which it is not fitted at all."""
_STEPS: Final = 500
_TOLERANCE: Final = 1e-10


@dataclass(frozen=True)
class FactorModel:
    """A confirmatory factor model; NaN and empty tables where it was not fitted.

    Attributes
    ----------
    state
        ``fitted``, ``fitted_improper`` (a unique variance is not positive or a correlation of scales reaches 1),
        ``sample_too_small``, ``not_identified`` (a scale with fewer than two items that vary, or a single scale with
        fewer than three), ``singular`` (an item is a sum of others) or ``not_converged``.
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


class _Model:
    """Parameters as one vector: loadings, unique variances, correlations of factors (pairs a < b)."""

    def __init__(self, factor: Sequence[int]) -> None:
        self.factor = np.array(factor)
        self.k, self.m = len(factor), int(max(factor)) + 1
        self.pairs = [(a, b) for a in range(self.m) for b in range(a + 1, self.m)]
        self.n_parameters = 2 * self.k + len(self.pairs)
        self.place = np.zeros((self.k, self.m))
        self.place[np.arange(self.k), self.factor] = 1.0

    def parts(self, values: Floats) -> tuple[Floats, Floats, Floats]:
        phi = np.eye(self.m)
        for (a, b), value in zip(self.pairs, values[2 * self.k :], strict=True):
            phi[a, b] = phi[b, a] = value
        return self.place * values[: self.k, None], values[self.k : 2 * self.k], phi

    def implied(self, values: Floats) -> Floats:
        loadings, unique, phi = self.parts(values)
        return np.asarray(loadings @ phi @ loadings.T + np.diag(unique))

    def derivatives(self, values: Floats) -> Floats:
        """(n_parameters, k, k): of the implied covariances by each parameter."""
        loadings, _, phi = self.parts(values)
        result = np.zeros((self.n_parameters, self.k, self.k))
        beside = phi @ loadings.T
        for i in range(self.k):
            result[i, i, :] += beside[self.factor[i]]
            result[i, :, i] += beside[self.factor[i]]
            result[self.k + i, i, i] = 1.0
        for place, (a, b) in enumerate(self.pairs):
            outer = np.outer(loadings[:, a], loadings[:, b])
            result[2 * self.k + place] = outer + outer.T
        return result


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
    model = _Model([place for place, members in enumerate(scales.values()) for _ in members])
    complete = items[names].dropna().to_numpy(dtype=np.float64)
    n, k = complete.shape
    needed = max(FEWEST_RESPONDENTS, RESPONDENTS_A_PARAMETER * model.n_parameters)
    df = k * (k + 1) // 2 - model.n_parameters
    about = (n, model.n_parameters, needed)
    smallest = min(len(members) for members in scales.values())
    if smallest < 2 or (len(scales) == 1 and smallest < 3) or df < 0:
        return _unfitted("not_identified", *about, df)
    if n < needed:
        return _unfitted("sample_too_small", *about, df)
    covariance = np.cov(complete.T, ddof=0)
    if (np.diag(covariance) <= 0).any():
        return _unfitted("not_identified", *about, df)
    if np.linalg.eigvalsh(_correlation(covariance))[0] < 1e-10:
        return _unfitted("singular", *about, df)
    values = _fit(model, covariance)
    if values is None:
        return _unfitted("not_converged", *about, df)
    return _told(model, values, covariance, list(scales), names, about, df)


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


def _discrepancy(implied: Floats, covariance: Floats) -> float:
    try:
        factor = np.linalg.cholesky(implied)
    except np.linalg.LinAlgError:
        return float("inf")
    logdet = 2 * float(np.log(np.diag(factor)).sum())
    trace = float(np.trace(np.linalg.solve(implied, covariance)))
    return logdet + trace - float(np.linalg.slogdet(covariance)[1]) - len(covariance)


def _information(derivatives: Floats, inverse: Floats) -> Floats:
    """½ tr(Σ⁻¹ ∂ᵢΣ Σ⁻¹ ∂ⱼΣ), the expected information for one respondent."""
    turned = inverse @ derivatives
    return np.asarray(np.einsum("iab,jba->ij", turned, turned, optimize=True) / 2)


def _fit(model: _Model, covariance: Floats) -> Floats | None:
    """Fisher scoring with halved steps; None where it does not end."""
    variance = np.diag(covariance)
    values = np.concatenate([np.sqrt(variance * 0.5), variance * 0.5, np.full(len(model.pairs), 0.3)])
    current = _discrepancy(model.implied(values), covariance)
    decrement = float("inf")
    for _ in range(_STEPS):
        inverse: Floats = np.asarray(np.linalg.inv(model.implied(values)))
        derivatives = model.derivatives(values)
        residual = inverse @ (covariance - np.linalg.inv(inverse)) @ inverse
        gradient = np.einsum("iab,ba->i", derivatives, residual) / 2
        step = np.linalg.lstsq(_information(derivatives, inverse), gradient, rcond=None)[0]
        decrement = float(gradient @ step)
        if decrement < _TOLERANCE**2:
            return np.asarray(values)
        length = 1.0
        while _discrepancy(model.implied(values + length * step), covariance) > current and length > 1e-8:
            length /= 2
        if length <= 1e-8:
            break
        values = values + length * step
        current = _discrepancy(model.implied(values), covariance)
    # Rounding may keep the steps from becoming smaller although they change nothing any more.
    return np.asarray(values) if decrement < _TOLERANCE else None


def _told(
    model: _Model,
    values: Floats,
    covariance: Floats,
    scales: list[str],
    names: list[str],
    about: tuple[int, int, int],
    df: int,
) -> FactorModel:
    from scipy.special import chdtrc

    n, k = about[0], model.k
    implied = model.implied(values)
    chi2 = n * max(_discrepancy(implied, covariance), 0.0)
    baseline = -n * float(np.linalg.slogdet(_correlation(covariance))[1])
    baseline_df = k * (k - 1) // 2
    inverse: Floats = np.asarray(np.linalg.inv(implied))
    variances = np.linalg.pinv(n * _information(model.derivatives(values), inverse))
    se = np.sqrt(np.diag(variances))
    loadings, unique, phi = model.parts(values)
    own = loadings[np.arange(k), model.factor]
    # A factor has no direction of its own: its first item points upwards.
    sign = np.where(loadings.sum(axis=0) < 0, -1.0, 1.0)
    own, phi = own * sign[model.factor], phi * np.outer(sign, sign)
    proper = bool((unique > 0).all() and (np.abs(phi[np.triu_indices(model.m, 1)]) < 1).all())
    excess, baseline_excess = max(chi2 - df, 0.0), max(baseline - baseline_df, chi2 - df, 0.0)
    ratio = baseline / baseline_df
    deviation = np.sqrt(np.diag(covariance))
    residual = ((covariance - implied) / np.outer(deviation, deviation))[np.tril_indices(k)]
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
        srmr=float(np.sqrt((residual**2).mean())),
        loadings=pd.DataFrame(
            {
                "scale": [scales[place] for place in model.factor],
                "item": names,
                "loading": own,
                "se": se[:k],
                "standardised": own / np.sqrt(np.diag(implied)),
            }
        ),
        correlations=pd.DataFrame(
            {
                "scale": [scales[a] for a, _ in model.pairs],
                "other": [scales[b] for _, b in model.pairs],
                "correlation": [float(phi[a, b]) for a, b in model.pairs],
                "se": se[2 * k :],
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


def _correlation(covariance: Floats) -> Floats:
    deviation = np.sqrt(np.diag(covariance))
    return np.asarray(covariance / np.outer(deviation, deviation))
