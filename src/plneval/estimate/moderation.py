"""Networks' effects by conditions of learning in networks, adjusted for how reliably these are measured."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from plneval.config.network_models import Moderation
from plneval.errors import UserError, did_you_mean
from plneval.estimate.fit import Basis, Estimate, Fit, no_covariance, no_influence, unestimable
from plneval.estimate.network_effects import NetworkEffects, NoNetworkEffects
from plneval.estimate.sample import modelled_column
from plneval.estimate.spread import COMPARISON, effects_by_network, sample_words
from plneval.networks.agreement import within_group_agreement
from plneval.networks.answers import Scored, scored
from plneval.networks.conditions import Conditions, early_conditions
from plneval.networks.moderation import Moderation as Found
from plneval.networks.moderation import condition_timing
from plneval.networks.moderation import moderation as slope_on
from plneval.networks.structure import structure
from plneval.networks.study import NetworkStudy
from plneval.standards import load

STRUCTURE: Final = {
    "density": ("density", "Density of ties"),
    "reciprocity": ("reciprocity", "Ties that are returned"),
    "centralisation": ("indegree_centralisation", "Centralisation"),
    "brokerage": ("share_brokered_across", "Brokerage across schools"),
    "distance": ("mean_distance_km", "Distance between members"),
    "similarity": ("mean_similarity", "Similarity of members"),
}
"""Measure of network structure → column of :func:`plneval.networks.structure.structure`, name in reports."""
WARNINGS: Final = {
    "few_networks": "fewer than ten networks: a weak finding",
    "networks_without_condition": "networks for which it is not known are left out",
    "networks_measured_late_left_out": "networks measured after their first outcome are left out",
    "condition_does_not_vary": "the condition is the same in all networks",
    "reliability_too_low": "too unreliable to adjust; the slope is for one SD of the condition as measured",
    "reliability_below_standard": "networks' means are less reliable than the standard asks",
    "agreement_below_standard": "members of one network agree less than the standard asks",
    "reliability_taken_as_known": "the reliability counts as known",
    "condition_during_participation": "in some networks measured more than a year after joining",
    "condition_after_outcome": "measured after the outcome, which may have shaped the answers",
    "condition_wave_of_few": "answers of a wave of too few are left out",
    "condition_network_of_few": "networks' only answers in a wave are left out",
    "condition_wave_in_two_years": "in some networks one wave lies in several school years: counted as the last",
}
"""Warnings of :func:`plneval.networks.moderation.moderation`, and of how conditions were measured, in words."""
NO_RELIABILITY: Final = {
    "few_respondents": "fewer answers in networks' first waves than the questionnaire asks for: no reliability",
    "one_group": "members of one network only answered",
    "no_variance_within": "all members of each network answered alike, so that no reliability can be told",
}
"""Why a condition has no reliability, by the warning of :func:`plneval.networks.agreement.agreement`."""
NO_ANSWERS: Final = "no network has two answers that say when they were given"
LATE: Final = "first measured after the outcome in {count} of {networks} networks: refused as a moderator"


@dataclass(frozen=True)
class Moderator:
    """One condition or measure of structure that was tried.

    Attributes
    ----------
    state : ``estimated``, ``refused`` (measured after the outcome) or ``not_estimable``.
    reason : why there is no slope; '' where there is one.
    unit : what the slope, which is for one point, is multiplied by: an SD of the true condition, or of the condition as
        measured where it is too unreliable to tell the true one's.
    schools : member schools of the networks used.
    answers : respondents by what became of their answers (:data:`plneval.networks.conditions.RULES`), all waves.
    """

    name: str
    label: str
    kind: Literal["condition", "structure"]
    state: str
    reason: str
    found: Found | None
    unit: float
    schools: int
    answers: dict[str, int] = field(default_factory=dict)


def moderators(study: NetworkStudy, spec: Moderation) -> tuple[NetworkEffects, list[Moderator]]:
    """Try every condition, then every measure of structure that the model names.

    Raises
    ------
    NoNetworkEffects
        Where there are no effects by network, or no answers to the questionnaire and no structure is asked for.
    UserError
        If the model names a condition that the questionnaire does not have.
    """
    effects, _ = effects_by_network(study, spec)
    tried = [*_conditions(study, spec, effects), *_structures(study, spec, effects)]
    if not tried:
        raise NoNetworkEffects(f"no answers to the questionnaire '{spec.form}'")
    return effects, tried


def moderation(study: NetworkStudy, spec: Moderation) -> Fit:
    """Estimate by how much networks' effects differ with each condition.

    A slope is an association between networks, not an effect of the condition.

    Returns
    -------
    Fit
        For each condition (term) ``moderation_slope``, adjusted for its reliability, and ``moderation_slope_naive``,
        both for one SD of the true condition; for structure, whose error is not known, the naive slope for one SD.
    """
    column = modelled_column(study.cohort, spec.outcome)
    sample = sample_words(study)
    try:
        effects, tried = moderators(study, spec)
    except NoNetworkEffects as reason:
        return unestimable(spec.kind, column, COMPARISON, sample, {"not_estimated": [str(reason)]})
    estimates: list[Estimate] = []
    for one in tried:
        estimates += _estimates(one, effects)
    diagnostics: dict[str, Any] = {
        "library": "plneval.networks",
        "moderators": [
            {"name": one.name, "kind": one.kind, "state": one.state, "reason": one.reason, "unit": _number(one.unit)}
            for one in tried
        ],
        "answers": {one.name: one.answers for one in tried if one.kind == "condition"},
    }
    without = [f"{one.label}: {one.reason}" for one in tried if one.found is None]
    if without:
        diagnostics["not_estimated"] = without
    return Fit(
        spec.kind,
        column,
        COMPARISON,
        sample,
        tuple(estimates),
        no_covariance(),
        no_influence(),
        diagnostics,
        converged=bool(estimates),
        warnings=effects.warnings,
    )


def _conditions(study: NetworkStudy, spec: Moderation, effects: NetworkEffects) -> list[Moderator]:
    form = None if study.instrument is None else study.instrument.forms.get(spec.form)
    if form is None:
        return []
    names = spec.conditions or [name for name, scale in form.scales.items() if scale.measures == "condition"]
    for name in names:
        if name not in form.scales:
            hint = did_you_mean(name, list(form.scales))
            raise UserError(f"conditions: the questionnaire '{spec.form}' has no scale '{name}'.{hint}")
    answers = scored(study, spec.form)
    if answers is None:
        return []
    early = early_conditions(answers.scores, "network", minimum_respondents=form.minimum_respondents)
    tried = []
    for name in names:
        measured = early.table.loc[early.table["scale"] == name].set_index("unit")
        told = _told(early, name)
        about = {"name": name, "label": form.scales[name].label, "kind": "condition", "answers": told}
        if measured.empty:
            few = "condition_wave_of_few" in told
            reason = "no wave has the answers that the questionnaire asks for" if few else NO_ANSWERS
            tried.append(_none(about, "not_estimable", reason))
            continue
        error = early.agreement[name]
        if measured["reliability"].isna().any():
            reason = next(words for code, words in NO_RELIABILITY.items() if code in error.warnings)
            tried.append(_none(about, "not_estimable", reason))
            continue
        said = _measured_how(answers, name, measured, told)
        tried.append(_tried(about, measured, effects, spec, error.icc2_se, said))
    return tried


def _told(early: Conditions, scale: str) -> dict[str, int]:
    """Respondents by what became of their answers to one scale."""
    own = early.notes.loc[early.notes["scale"] == scale]
    return {str(rule): int(count) for rule, count in own.groupby("rule", sort=True)["count"].sum().items()}


def _measured_how(answers: Scored, scale: str, measured: pd.DataFrame, told: dict[str, int]) -> tuple[str, ...]:
    """Codes of :data:`WARNINGS` about the answers behind a condition: too few, in two years, too little agreement."""
    said = [code for code in told if code in WARNINGS]
    # The rows of the items stand in the order of the scale's scores.
    who = answers.scores.loc[answers.scores["scale"] == scale]
    used = (who["wave"] == who["network"].map(measured["wave"])).fillna(False).to_numpy(dtype=bool)
    items = answers.answers.table.loc[used, list(answers.form.scales[scale].items)]
    network = pd.Series(who.loc[used, "network"].to_numpy(), index=items.index)
    asked = items.loc[:, items.notna().any()]
    within = within_group_agreement(asked, network, lowest=answers.form.lowest, highest=answers.form.highest)
    if within["r_wg_j"].median() < load("survey_quality").minimum_r_wg:
        said.append("agreement_below_standard")
    return tuple(said)


def _structures(study: NetworkStudy, spec: Moderation, effects: NetworkEffects) -> list[Moderator]:
    if not spec.structure:
        return []
    table = structure(study.tables)
    tried = []
    for name in spec.structure:
        column, label = STRUCTURE[name]
        about = {"name": name, "label": label, "kind": "structure"}
        known = table.dropna(subset=[column, "year"]).sort_values("year").drop_duplicates("network")
        if known.empty:
            tried.append(_none(about, "not_estimable", "no ties between people were recorded with a year"))
            continue
        measured = known.set_index("network").rename(columns={column: "condition", "year": "measured"})
        tried.append(_tried(about, measured.assign(reliability=1.0), effects, spec, 0.0))
    return tried


def _tried(
    about: dict[str, Any],
    measured: pd.DataFrame,
    effects: NetworkEffects,
    spec: Moderation,
    reliability_se: float,
    said: tuple[str, ...] = (),
) -> Moderator:
    """Slope of the networks' effects on one measure, if it may be used; ``said`` are more warnings of it."""
    own = measured[["condition", "reliability", "measured"]].astype("float64")
    table = effects.table.set_index("unit").join(own).reset_index()
    known = table.dropna(subset=["condition"])
    late = condition_timing(known) == "after_outcome"
    if late.any() and spec.late == "refuse":
        return _none(about, "refused", LATE.format(count=int(late.sum()), networks=len(known)))
    error = reliability_se if math.isfinite(reliability_se) else 0.0
    found = slope_on(
        table,
        about["name"],
        covariance=effects.covariance,
        reliability_se=error,
        late=spec.late,
        level=spec.confidence,
    )
    if found.state != "estimated":
        words = [WARNINGS[code] for code in found.warnings if code in ("condition_does_not_vary",)]
        return _none(about, "not_estimable", words[0] if words else f"only {found.k} networks with answers in time")
    used = known.loc[~late] if spec.late == "leave_out" else known
    unit = found.observed_sd if math.isnan(found.slope) else found.true_sd
    schools = effects.members.loc[effects.members["unit"].isin(used["unit"]), "school"].nunique()
    return Moderator(
        **about,
        state="estimated",
        reason="",
        found=replace(found, warnings=(*found.warnings, *said)),
        unit=unit,
        schools=schools,
    )


def _none(about: dict[str, Any], state: str, reason: str) -> Moderator:
    return Moderator(**about, state=state, reason=reason, found=None, unit=float("nan"), schools=0)


def _estimates(one: Moderator, effects: NetworkEffects) -> list[Estimate]:
    found = one.found
    if found is None:
        return []
    said = tuple(WARNINGS[code] for code in found.warnings if code in WARNINGS)
    basis = _basis(effects, found.k, one.schools)
    naive = _slope("moderation_slope_naive", one, found, (found.naive_slope, found.naive_se), basis, said)
    if one.kind == "structure":
        return [naive]
    return [_slope("moderation_slope", one, found, (found.slope, found.se), basis, said), naive]


def _slope(
    estimand: str, one: Moderator, found: Found, numbers: tuple[float, float], basis: Basis, said: tuple[str, ...]
) -> Estimate:
    slope, se = (value * one.unit for value in numbers)
    given = math.isfinite(slope)
    method = "random effects, Knapp and Hartung"
    if estimand == "moderation_slope":
        method = f"{method}, adjusted for reliability"
    # Error in the condition does not bias the test of no slope: one p serves both.
    return Estimate(
        estimand,
        one.name,
        None,
        slope,
        se if given else None,
        float(found.df),
        method,
        basis,
        p=found.p if given else None,
        scaled=False,
        warnings=said,
    )


def _basis(effects: NetworkEffects, networks: int, schools: int) -> Basis:
    """Counts behind a slope: of all networks' data, or, where some are left out, of schools and networks alone."""
    whole = effects.basis
    if networks == len(effects.table):
        return whole
    comparison = (whole.n_schools or 0) - effects.members["school"].nunique()
    fewer = {"n_scores": None, "n_pupils": None, "n_treated": None}
    return replace(whole, n_schools=comparison + schools, n_networks=networks, clusters_treated=networks, **fewer)


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None
