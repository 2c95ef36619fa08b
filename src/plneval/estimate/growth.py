"""Multilevel growth models as estimates: three levels by mixedlm, two levels by statsmodels."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval.config.models import Growth
from plneval.estimate.fit import Basis, Estimate, Fit, no_influence, unestimable
from plneval.estimate.growth_design import FixedPart, read_fixed_part
from plneval.estimate.inference import long_covariance

Array = npt.NDArray[np.float64]
NO_NETWORK_LEVEL = "networks are not a level of the model: schools count as independent, so intervals may be too narrow"
NOT_WEIGHTED = "school-years count equally, whatever their number of pupils"


@dataclass(frozen=True)
class MixedModel:
    """A fitted linear mixed model.

    Attributes
    ----------
    params, covariance : fixed part, shapes (p,) and (p, p).
    df : degrees of freedom by coefficient, shape (p,); infinite for the normal distribution.
    variances : variance components by name, such as ``school: intercept`` or ``residual``; covariances of random terms
        are named ``school: intercept, time``.
    converged : whether the optimiser ended at a stationary point; singular : whether a variance is zero or a
        correlation one (a legitimate result).
    """

    params: Array
    covariance: Array
    df: Array
    variances: dict[str, float]
    converged: bool
    singular: bool
    inference: str
    diagnostics: dict[str, Any] = field(default_factory=dict)


def growth(panel: Path, spec: Growth, weight: Literal["pupils", "schools"]) -> Fit:
    """Fit a growth model and report its effect terms, their mean over ``headline_terms`` and its variance components.

    Returns
    -------
    Fit
        ``coefficient`` for each effect term; ``att_third_year_on``: mean of the headline terms weighted by the pupils
        (school-years) that they are 1 for; ``variance`` for each variance component.
    """
    fixed = read_fixed_part(panel, spec)
    three = spec.kind == "growth_three_level"
    description = "pupil-years with a score" if three else "school-years with a score"
    diagnostics: dict[str, Any] = {
        "formula": spec.formula,
        "random": {level: list(terms) for level, terms in sorted(spec.random.items())},
        "columns": list(fixed.names),
        "dropped_columns": list(fixed.dropped),
        "exclusions": fixed.exclusions.rows,
        "rows": len(fixed.rows),
        **fixed.notes,
    }
    arms = set(fixed.rows["arm"]) if len(fixed.rows) else set()
    if not fixed.effects or arms != {"member", "comparison"}:
        reason = "no effect term can be told apart from the other columns" if fixed.names else "no rows"
        diagnostics["not_estimated"] = [reason if not arms or not fixed.effects else "only one arm has scores"]
        return unestimable(spec.kind, fixed.response, "all comparison schools", description, diagnostics)
    if three:
        from plneval.estimate.growth_three_level import fit_three_level

        model = fit_three_level(fixed, spec)
    else:
        from plneval.estimate.growth_two_level import fit_two_level

        model = fit_two_level(fixed, spec)
    diagnostics |= {"converged": model.converged, "singular": model.singular, **model.diagnostics}
    return _as_fit(fixed, spec, weight, model, diagnostics, description)


def _as_fit(
    fixed: FixedPart,
    spec: Growth,
    weight: Literal["pupils", "schools"],
    model: MixedModel,
    diagnostics: dict[str, Any],
    description: str,
) -> Fit:
    estimates: list[Estimate] = []
    contrasts: list[Array] = []
    for term, position in fixed.effects.items():
        contrast = np.zeros(len(fixed.names))
        contrast[position] = 1.0
        treated = pd.Series(fixed.x[:, position] > 0)
        estimates.append(_estimate(fixed, weight, model, ("coefficient", term), contrast, treated))
        contrasts.append(contrast)
    headline = [fixed.effects[term] for term in spec.headline_terms if term in fixed.effects]
    absent = sorted(set(spec.headline_terms) - set(fixed.effects))
    if absent:
        diagnostics["no_headline"] = f"not told apart from the other columns, or without rows: {', '.join(absent)}"
    elif headline:
        mass = _row_mass(fixed, weight) @ fixed.x[:, headline]
        contrast = np.zeros(len(fixed.names))
        contrast[headline] = mass / mass.sum()
        treated = pd.Series((fixed.x[:, headline] > 0).any(axis=1))
        estimates.append(_estimate(fixed, weight, model, ("att_third_year_on", ""), contrast, treated))
        contrasts.append(contrast)
    stacked = np.vstack(contrasts)
    keys = [estimate.key for estimate in estimates]
    covariance = long_covariance(keys, stacked @ model.covariance @ stacked.T)
    basis = _basis(fixed, weight, pd.Series(True, index=fixed.rows.index), fixed.rows["arm"] == "member")
    estimates += [
        Estimate("variance", name, None, value, None, None, "none", basis, scaled=False)
        for name, value in model.variances.items()
    ]
    warnings = [NO_NETWORK_LEVEL]
    if spec.kind == "growth_two_level":
        warnings.append(NOT_WEIGHTED)
    if not model.converged:
        warnings.append("the optimiser did not converge: do not use these numbers")
    if model.singular:
        warnings.append("singular: a variance component is zero or two random terms are perfectly correlated")
    if fixed.dropped:
        warnings.append(f"{len(fixed.dropped)} columns of the formula dropped: empty or dependent on others")
    return Fit(
        spec.kind,
        fixed.response,
        "all comparison schools and members before joining",
        description,
        tuple(estimates),
        covariance,
        no_influence(),
        diagnostics,
        converged=model.converged,
        warnings=(*warnings, *fixed.exclusions.sentences()),
    )


def _row_mass(fixed: FixedPart, weight: Literal["pupils", "schools"]) -> Array:
    """What a row counts for in the weights of the headline: one pupil, a school-year's pupils, or one school-year."""
    if weight == "schools":
        keys = fixed.rows.groupby(["school", "year"])["year"].transform("size")
        return np.asarray(1.0 / keys.to_numpy(dtype=np.float64))
    if "pupil" in fixed.rows or fixed.rows["n"].isna().any():
        return np.ones(len(fixed.rows))
    return fixed.rows["n"].to_numpy(dtype=np.float64)


def _estimate(
    fixed: FixedPart,
    weight: Literal["pupils", "schools"],
    model: MixedModel,
    name: tuple[str, str],
    contrast: Array,
    treated: pd.Series,
) -> Estimate:
    variance = float(contrast @ model.covariance @ contrast)
    # ASSUME: a mean of several terms takes the smallest of their degrees of freedom.
    df = float(model.df[contrast != 0].min())
    return Estimate(
        name[0],
        name[1],
        None,
        float(contrast @ model.params),
        math.sqrt(variance) if variance > 0 and math.isfinite(variance) else None,
        df if math.isfinite(df) else None,
        model.inference,
        _basis(fixed, weight, pd.Series(True, index=fixed.rows.index), treated),
    )


def _basis(fixed: FixedPart, weight: Literal["pupils", "schools"], used: pd.Series, treated: pd.Series) -> Basis:
    rows = fixed.rows.loc[used]
    member = rows["arm"] == "member"
    pupils = "pupil" in rows
    if weight == "schools":
        n_treated: int | None = int(fixed.rows.loc[treated, "school"].nunique())
    elif pupils:
        n_treated = int(fixed.rows.loc[treated, "pupil"].nunique())
    else:
        counts = fixed.rows.loc[treated, ["year", "n"]]
        known = len(counts) > 0 and counts["n"].notna().all()
        n_treated = round(float(counts.groupby("year")["n"].sum().mean())) if known else None
    scores = len(rows) if pupils else (int(rows["n"].sum()) if rows["n"].notna().all() else None)
    return Basis(
        n_scores=scores,
        n_pupils=int(rows["pupil"].nunique()) if pupils else None,
        n_schools=int(rows["school"].nunique()),
        n_networks=int(rows.loc[member, "network"].nunique()),
        clusters_treated=int(rows.loc[member, "school"].nunique()),
        clusters_comparison=int(rows.loc[~member, "school"].nunique()),
        n_treated=n_treated,
    )
