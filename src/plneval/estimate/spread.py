"""How far the effect from the third year on differs between networks."""

from __future__ import annotations

import math
from typing import Any, Final

from plneval.config.network_models import Moderation, Spread
from plneval.estimate.counts import PupilCounts
from plneval.estimate.fit import Estimate, Fit, no_covariance, no_influence, unestimable
from plneval.estimate.network_effects import NetworkEffects, NoNetworkEffects, network_effects
from plneval.estimate.sample import Exclusions, modelled_column, read_school_sample
from plneval.networks.several_networks import counted_elsewhere
from plneval.networks.spread import Spread as Found
from plneval.networks.spread import between_network_spread
from plneval.networks.study import NetworkStudy

COMPARISON: Final = "schools that never join"
SAMPLE: Final = "member schools observed before joining and from the third year of participation on, by {networks}"
NETWORKS: Final = {
    "first": "their first network",
    "strongest_dose": "their network of most hours",
    "all": "their networks, schools of several in equal parts",
}
WARNINGS: Final = {
    "one_network": "one network only: how far the effect differs between networks cannot be estimated",
    "few_networks": "fewer than five networks: the spread is close to a guess",
    "no_spread_found": "no spread was found beyond chance, which is not the same as no spread: see the upper limit",
    "spread_not_told_from_zero": "the spread cannot be told from zero",
    "no_prediction_from_two_networks": "two networks allow no prediction by t",
    "closer_than_chance": "networks lie closer together than their errors allow: intervals of the spread are missing",
}
"""Warnings of :func:`plneval.networks.spread.between_network_spread` in words."""


def effects_by_network(study: NetworkStudy, spec: Spread | Moderation) -> tuple[NetworkEffects, Exclusions]:
    """Networks' effects for a model's outcome and pupils; raises ``NoNetworkEffects`` where there are none."""
    column = modelled_column(study.cohort, spec.outcome)
    sample = read_school_sample(study.panel, study.cohort, spec.outcome, spec.subgroup, column)
    found = network_effects(sample, PupilCounts.read(study.panel, spec.outcome, spec.subgroup), study.school_networks)
    return found, sample.exclusions


def sample_words(study: NetworkStudy) -> str:
    """The sample in words; the rule for schools of several networks is named where it moves a school."""
    rule = study.cohort.design.several_networks
    return SAMPLE.format(networks=NETWORKS[rule if counted_elsewhere(study.tables) else "first"])


def found_spread(study: NetworkStudy, spec: Spread) -> tuple[NetworkEffects, Found]:
    """Networks' effects and their spread; raises ``NoNetworkEffects`` where there are none."""
    effects, _ = effects_by_network(study, spec)
    return effects, between_network_spread(effects.table, effects.covariance, level=spec.confidence)


def spread(study: NetworkStudy, spec: Spread) -> Fit:
    """Estimate the spread of the effect between networks.

    Returns
    -------
    Fit
        ``network_effect_mean`` (each network counting by its precision), ``between_network_sd`` with its Q-profile
        interval, ``att_new_network`` (the mean with the prediction interval of a new network) and
        ``networks_below_zero`` (share of the population of networks). Nothing where there is one network.
    """
    column = modelled_column(study.cohort, spec.outcome)
    sample = sample_words(study)
    try:
        effects, found = found_spread(study, spec)
    except NoNetworkEffects as reason:
        return unestimable(spec.kind, column, COMPARISON, sample, {"not_estimated": [str(reason)]})
    schools = [int(n) for n in effects.table["n_schools"]]
    alone = sum(n == 1 for n in schools)
    diagnostics: dict[str, Any] = {
        "library": "plneval.networks",
        "networks": found.k,
        "networks_of_one_school": alone,
        "schools_a_network": [min(schools), max(schools)],
        "scale_within_networks": effects.scale,
        "df_within_networks": effects.within,
        "sd_paule_mandel": _number(found.sd_paule_mandel),
        "i2": _number(found.i2),
        "q": _number(found.q),
        "q_p": _number(found.q_p),
        "prediction_by_t": [_number(found.prediction_t_low), _number(found.prediction_t_high)],
        "spread": list(found.warnings),
    }
    if found.state != "estimated":
        diagnostics["not_estimated"] = [WARNINGS["one_network"]]
        return unestimable(spec.kind, column, COMPARISON, sample, diagnostics)
    said = tuple(WARNINGS[code] for code in found.warnings if code in WARNINGS)
    if alone:
        said = (*said, f"{alone} networks of one school, whose own error is that of schools elsewhere")
    basis = effects.basis
    estimates = (
        Estimate(
            "network_effect_mean",
            "",
            None,
            found.mean,
            found.mean_se,
            float(found.df),
            "random effects, Knapp and Hartung",
            basis,
            bounds=_bounds(found.mean_low, found.mean_high),
        ),
        Estimate(
            "between_network_sd",
            "",
            None,
            found.sd,
            None,
            None,
            "REML, Q-profile",
            basis,
            bounds=_bounds(found.sd_low, found.sd_high),
            scaled=False,
            warnings=said,
        ),
        Estimate(
            "att_new_network",
            "",
            None,
            found.mean,
            None,
            None,
            "prediction interval",
            basis,
            bounds=_bounds(found.prediction_low, found.prediction_high),
        ),
        Estimate(
            "networks_below_zero",
            "",
            None,
            found.share_below_zero,
            None,
            None,
            "confidence distribution of mean and spread",
            basis,
            bounds=_bounds(found.share_low, found.share_high),
            scaled=False,
        ),
    )
    return Fit(
        spec.kind,
        column,
        COMPARISON,
        sample,
        estimates,
        no_covariance(),
        no_influence(),
        diagnostics,
        warnings=effects.warnings,
    )


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _bounds(low: float, high: float) -> tuple[float | None, float | None]:
    return _number(low), _number(high)
