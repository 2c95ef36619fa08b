"""Occasions in pupils in schools, by restricted maximum likelihood (mixedlm)."""

from __future__ import annotations

import warnings
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from plneval.config.models import Growth
from plneval.estimate.growth import MixedModel
from plneval.estimate.growth_design import FixedPart

DECREASE = 1e-4
"""Deviance that may be left to gain at the optimum for the fit to count as converged."""


def fit_three_level(fixed: FixedPart, spec: Growth) -> MixedModel:
    """Fit ``y ~ fixed + (… | school) + (… | pupil in school)``; Satterthwaite degrees of freedom.

    The response is centred before fitting, which changes nothing but the intercept and keeps the digits. Where the
    first optimiser (L-BFGS-B with exact gradients) does not converge or ends at the boundary, a second one (COBYQA)
    starts anew and the lower deviance is kept.

    Source
    ------
    Bates et al. (2015), Journal of Statistical Software 67(1): the criterion. Satterthwaite (1946) as in lmerTest
    (Kuznetsova et al. 2017). mixedlm's Kenward-Roger degrees of freedom are not right and are not used.
    """
    from mixedlm.inference.ddf import satterthwaite_df

    data, columns = _frame(fixed)
    formula = f"y ~ 0 + {' + '.join(columns)} + {_random('school', spec)} + {_random('unit', spec)}"
    result, said = _optimise(formula, data, "auto")
    tried = [_attempt(result)]
    schools = int(data["school"].nunique())
    if not _stationary(result, schools) or result.isSingular():
        second, also = _optimise(formula, data, "COBYQA")
        tried.append(_attempt(second))
        said = sorted({*said, *also})
        better = second.deviance < result.deviance - DECREASE
        if better or (_stationary(second, schools) and not _stationary(result, schools)):
            result = second
    return MixedModel(
        params=np.asarray(result.beta, dtype=np.float64),
        covariance=np.asarray(result.vcov(), dtype=np.float64),
        df=np.asarray(satterthwaite_df(result).df, dtype=np.float64),
        variances=_variances(result),
        converged=_stationary(result, schools),
        singular=bool(result.isSingular()),
        inference="REML, Satterthwaite",
        diagnostics={
            "library": f"mixedlm {version('mixedlm')}",
            "criterion": float(result.deviance),
            "theta": [float(value) for value in result.theta],
            "optimisers": tried,
            "messages": said,
            "df_rule": "Satterthwaite",
        },
    )


def _frame(fixed: FixedPart) -> tuple[pd.DataFrame, list[str]]:
    columns = [f"x{k}" for k in range(len(fixed.names))]
    data = pd.DataFrame(fixed.x, columns=columns)
    data["y"] = fixed.y - fixed.y.mean()
    data["school"] = fixed.rows["school"].to_numpy(dtype=np.int64)
    data["unit"] = fixed.rows["unit"].to_numpy(dtype=np.int64)
    data["time"] = fixed.rows["time"].to_numpy(dtype=np.float64)
    return data, columns


def _random(group: str, spec: Growth) -> str:
    terms = spec.random["school" if group == "school" else "pupil"]
    inner = " + ".join(["1" if "intercept" in terms else "0", *(["time"] if "time" in terms else [])])
    return f"({inner} | {group})"


def _optimise(formula: str, data: pd.DataFrame, optimizer: str) -> tuple[Any, list[str]]:
    from mixedlm import lmer
    from mixedlm.models.control import LmerControl

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = lmer(formula, data, REML=True, na_action="fail", control=LmerControl(optimizer=optimizer))
    return result, sorted({str(item.message).splitlines()[0] for item in caught})


def _stationary(result: Any, schools: int) -> bool:
    r"""Whether the optimiser says so and the gradient agrees; at the boundary only the optimiser can say.

    A gradient of norm g promises a decrease of about :math:`g^2/(2h)` where h is the deviance's curvature, which in a
    relative standard deviation of schools is of the order of their number or more: that bound must lie below 1e-4.
    """
    gradient = result.gradient_norm
    steep = gradient is not None and not result.at_boundary and gradient**2 / (2 * schools) > DECREASE
    return bool(result.converged) and not steep


def _attempt(result: Any) -> dict[str, Any]:
    return {
        "optimiser": str(result.optimizer),
        "converged": bool(result.converged),
        "gradient_norm": None if result.gradient_norm is None else float(result.gradient_norm),
        "at_boundary": bool(result.at_boundary),
        "evaluations": int(result.function_evals),
        "criterion": float(result.deviance),
    }


def _variances(result: Any) -> dict[str, float]:
    """Variance components by name, in squared units of the response."""
    words = {"(Intercept)": "intercept", "time": "time"}
    found: dict[str, float] = {}
    components = result.VarCorr()
    for group, level in (("school", "school"), ("unit", "pupil")):
        block = components.groups[group]
        covariance = np.atleast_2d(np.asarray(block.cov, dtype=np.float64))
        names = [words[name] for name in block.term_names]
        for i, name in enumerate(names):
            found[f"{level}: {name}"] = float(covariance[i, i])
        if len(names) == 2:
            found[f"{level}: intercept, time"] = float(covariance[0, 1])
    found["residual"] = float(components.residual)
    return found
