"""School-years in schools, by restricted maximum likelihood (statsmodels)."""

from __future__ import annotations

import warnings
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from plneval.config.models import Growth
from plneval.estimate.growth import MixedModel
from plneval.estimate.growth_design import FixedPart
from plneval.standards import load

Array = npt.NDArray[np.float64]
OPTIMISERS = ("lbfgs", "bfgs", "powell")
AGREEMENT = 1e-4
"""Log-likelihood units by which two optimisers may differ and still have found the same maximum."""


def fit_two_level(fixed: FixedPart, spec: Growth) -> MixedModel:
    r"""Fit ``y ~ fixed + (… | school)``.

    Optimisers start anew, one after the other, until two of them reach the same highest restricted likelihood (within
    1e-4); then, and only then, the fit counts as converged. The covariance of the fixed part is
    :math:`(\sum_j X_j'V_j^{-1}X_j)^{-1}` at the estimated variances, as lme4 gives it (statsmodels' own standard errors
    come from a numerical Hessian).

    # ASSUME: with fewer than 40 schools in either arm, t with min(arms) - 1 degrees of freedom; the normal otherwise.
    """
    data = fixed.rows
    terms = spec.random["school"]
    time = data["time"].to_numpy(dtype=np.float64)
    columns = [np.ones(len(data))] * ("intercept" in terms) + [time] * ("time" in terms)
    z = np.column_stack(columns)
    school = data["school"].to_numpy(dtype=np.int64)
    results, said = _optimise(fixed, z, school)
    diagnostics: dict[str, Any] = {
        "library": f"statsmodels {version('statsmodels')}",
        "optimisers": [{"optimiser": name, "converged": bool(r.converged), "llf": float(r.llf)} for name, r in results],
        "messages": said,
    }
    if not results:
        raise RuntimeError("no optimiser of statsmodels gave a result")
    ranked = sorted(results, key=lambda pair: -pair[1].llf)
    best = ranked[0][1]
    psi = np.atleast_2d(np.asarray(best.cov_re, dtype=np.float64))
    names: list[str] = [term for term in ("intercept", "time") if term in terms]
    df, inference = _degrees_of_freedom(fixed)
    return MixedModel(
        params=np.asarray(best.fe_params, dtype=np.float64),
        covariance=_covariance(fixed.x, z, school, psi, float(best.scale)),
        df=np.full(len(fixed.names), df),
        variances=_variances(psi, names, float(best.scale)),
        converged=_agree(results),
        singular=_singular(psi, float(best.scale)),
        inference=inference,
        diagnostics=diagnostics | {"criterion": -2 * float(best.llf), "df_rule": inference},
    )


def _optimise(fixed: FixedPart, z: Array, school: npt.NDArray[np.int64]) -> tuple[list[tuple[str, Any]], list[str]]:
    from statsmodels.regression.mixed_linear_model import MixedLM

    results: list[tuple[str, Any]] = []
    said: set[str] = set()
    for name in OPTIMISERS:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                model = MixedLM(fixed.y - fixed.y.mean(), fixed.x, groups=school, exog_re=z)
                result = model.fit(reml=True, method=name, maxiter=1000)
            except np.linalg.LinAlgError as error:
                said.add(f"{name}: {error}")
                continue
        if np.isfinite(result.llf) and np.isfinite(np.asarray(result.fe_params)).all():
            results.append((name, result))
        said |= {str(item.message).splitlines()[0] for item in caught}
        if _agree(results):
            break
    return results, sorted(said)


def _agree(results: list[tuple[str, Any]]) -> bool:
    """Whether two optimisers found the same highest likelihood: one alone may stop anywhere and call it converged."""
    found = sorted((float(result.llf) for _, result in results), reverse=True)
    return len(found) > 1 and found[0] - found[1] < AGREEMENT


def _covariance(x: Array, z: Array, school: npt.NDArray[np.int64], psi: Array, sigma2: float) -> Array:
    information = np.zeros((x.shape[1], x.shape[1]))
    for label in np.unique(school):
        rows = school == label
        v = z[rows] @ psi @ z[rows].T + sigma2 * np.eye(int(rows.sum()))
        information += x[rows].T @ np.linalg.solve(v, x[rows])
    return np.asarray(np.linalg.inv(information))


def _degrees_of_freedom(fixed: FixedPart) -> tuple[float, str]:
    schools = fixed.rows.groupby("arm")["school"].nunique()
    smaller = int(min(schools["member"], schools["comparison"]))
    if smaller >= load("cluster_rules").small_sample_below:
        return np.inf, "REML, normal"
    return float(max(smaller - 1, 1)), f"REML, t({max(smaller - 1, 1)})"


def _variances(psi: Array, names: list[str], sigma2: float) -> dict[str, float]:
    found = {f"school: {name}": float(psi[i, i]) for i, name in enumerate(names)}
    if len(names) == 2:
        found["school: intercept, time"] = float(psi[0, 1])
    return found | {"residual": sigma2}


def _singular(psi: Array, sigma2: float) -> bool:
    """Whether a relative standard deviation or a conditional one is below 1e-4, as lme4's ``isSingular`` has it."""
    values = np.linalg.eigvalsh(psi / sigma2)
    return bool(np.sqrt(max(float(values.min()), 0.0)) < 1e-4)
