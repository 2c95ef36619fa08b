"""Multilevel growth models as estimates: effects, their spread between networks, variance components."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval.config.models import Multilevel
from plneval.config.random_terms import MixedFormula
from plneval.estimate.fit import Basis, Estimate, Fit, no_influence, unestimable
from plneval.estimate.growth_design import FixedPart, read_fixed_part, read_formula
from plneval.estimate.growth_fit import GrowthFit, fit_growth
from plneval.estimate.growth_groups import network_effects, value_added
from plneval.estimate.growth_variances import between_networks, shares, variance_components
from plneval.estimate.inference import long_covariance

Array = npt.NDArray[np.float64]
ESTIMATOR = "multilevel"
NO_NETWORK_LEVEL = "networks are not a level of the model: schools count as independent, so intervals may be too narrow"
NO_NETWORK_INTERCEPT = (
    "the network term has no intercept for ever-members: selection into networks would be read as spread of the effect"
)
NOT_WEIGHTED = "school-years count equally, whatever their number of pupils"


def growth(panel: Path, spec: Multilevel, weight: Literal["pupils", "schools"]) -> Fit:
    """Fit a growth model and report its effect terms, their mean over ``headline_terms`` and its variance components.

    Returns
    -------
    Fit
        ``coefficient`` for each effect term; ``att_third_year_on``: mean of the headline terms weighted by the pupils
        (school-years) that they are 1 for; ``between_network_sd`` for each slope over a treatment column by network,
        ``att_new_network``, the headline with an interval that foretells a new network's effect, and
        ``networks_below_zero``, the share of networks with an effect below zero; ``variance`` for each variance
        component, ``intraclass_correlation`` for each level, and ``r_squared``; ``network_effect``, the headline as it
        is predicted for each network, and ``school_value_added``, quantiles of schools before and after joining.
    """
    formula = read_formula(spec)
    networks = {"network", "cluster"} & set(formula.groups)
    fixed = replace(read_fixed_part(panel, spec, formula), independent_unit="cluster" if networks else "school")
    pupils = spec.level == "pupil"
    description = "pupil-years with a score" if pupils else "school-years with a score"
    diagnostics: dict[str, Any] = {
        "formula": spec.formula,
        "random": [term.text for term in formula.random],
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
        return unestimable(ESTIMATOR, fixed.response, "all comparison schools", description, diagnostics)
    model = fit_growth(fixed, spec, formula)
    diagnostics |= {"converged": model.converged, "singular": model.singular, **model.diagnostics}
    return _as_fit(fixed, spec, formula, weight, model, diagnostics, description)


def _as_fit(
    fixed: FixedPart,
    spec: Multilevel,
    formula: MixedFormula,
    weight: Literal["pupils", "schools"],
    model: GrowthFit,
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
    after: list[Estimate] = []
    groups: list[Estimate] = []
    if absent:
        diagnostics["no_headline"] = f"not told apart from the other columns, or without rows: {', '.join(absent)}"
    elif headline:
        mass = _row_mass(fixed, weight) @ fixed.x[:, headline]
        contrast = np.zeros(len(fixed.names))
        contrast[headline] = mass / mass.sum()
        treated = pd.Series((fixed.x[:, headline] > 0).any(axis=1))
        estimates.append(_estimate(fixed, weight, model, ("att_third_year_on", ""), contrast, treated))
        contrasts.append(contrast)
        after = between_networks(model, estimates[-1], spec.confidence)
        groups = network_effects(model, contrast, fixed, weight, diagnostics)
        groups += value_added(model, estimates[-1].estimate, fixed, diagnostics)
    stacked = np.vstack(contrasts)
    keys = [estimate.key for estimate in estimates]
    covariance = long_covariance(keys, stacked @ model.covariance @ stacked.T)
    basis = _basis(fixed, weight, pd.Series(True, index=fixed.rows.index), fixed.rows["arm"] == "member")
    estimates += after
    estimates += variance_components(model, basis)
    estimates += shares(model, basis, spec.confidence, diagnostics)
    estimates += groups
    return Fit(
        ESTIMATOR,
        fixed.response,
        "all comparison schools and members before joining",
        description,
        tuple(estimates),
        covariance,
        no_influence(),
        diagnostics,
        converged=model.converged,
        warnings=(*_warnings(fixed, spec, formula, model), *fixed.exclusions.sentences()),
    )


def _warnings(fixed: FixedPart, spec: Multilevel, formula: MixedFormula, model: GrowthFit) -> list[str]:
    warnings: list[str] = []
    networks = [term for term in formula.random if set(term.groups) & {"network", "cluster"}]
    if not networks:
        # Errors that are robust to whatever the members of one cluster share need no level for it.
        if spec.robust == "none":
            warnings.append(NO_NETWORK_LEVEL)
    elif not any(term.intercept or "ever_member" in term.columns for term in networks):
        warnings.append(NO_NETWORK_INTERCEPT)
    if spec.level == "school":
        warnings.append(NOT_WEIGHTED)
    if not model.converged:
        warnings.append("the optimiser did not converge: do not use these numbers")
    if model.singular:
        warnings.append("singular: a variance component is zero or two random terms are perfectly correlated")
    if fixed.dropped:
        warnings.append(f"{len(fixed.dropped)} columns of the formula dropped: empty or dependent on others")
    return warnings


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
    model: GrowthFit,
    name: tuple[str, str],
    contrast: Array,
    treated: pd.Series,
) -> Estimate:
    found = model.contrast(contrast)
    return Estimate(
        name[0],
        name[1],
        None,
        found.estimate,
        found.se if found.se > 0 and math.isfinite(found.se) else None,
        found.df if math.isfinite(found.df) else None,
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
        clusters_treated=int(rows.loc[member, fixed.independent_unit].nunique()),
        clusters_comparison=int(rows.loc[~member, fixed.independent_unit].nunique()),
        n_treated=n_treated,
    )
