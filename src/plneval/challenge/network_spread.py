"""What models of spread, moderation and mediation found, in tables: networks, conditions, sensitivity."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from plneval.config.models import ModelSpec
from plneval.config.network_models import Mediation, Moderation, Spread
from plneval.estimate.mediation import NoPath, mediated
from plneval.estimate.moderation import WARNINGS, Moderator, moderators
from plneval.estimate.network_effects import NoNetworkEffects
from plneval.estimate.spread import found_spread
from plneval.networks.moderation import moderation_family
from plneval.networks.spread import caterpillar
from plneval.networks.study import NetworkStudy

CATERPILLAR: Final = {
    "model": "str",
    "position": "Int64",
    "shrunken": "float64",
    "ci_low": "float64",
    "ci_high": "float64",
    "schools_at_least": "Int64",
    "name": "str",
}
NUMBERS: Final = ("estimate", "ci_low", "ci_high", "naive", "naive_low", "naive_high", "p", "p_holm", "p_fdr")
CONDITIONS: Final = {
    "model": "str",
    "kind": "str",
    "condition": "str",
    "label": "str",
    "state": "str",
    "reason": "str",
    **dict.fromkeys(NUMBERS, "float64"),
    "reliability": "float64",
    "residual_sd": "float64",
    "timing": "str",
    "n_networks": "Int64",
    "n_schools": "Int64",
    "warnings": "str",
}
SENSITIVITY: Final = {
    "model": "str",
    "path": "str",
    "rho": "float64",
    "indirect": "float64",
    "ci_low": "float64",
    "ci_high": "float64",
    "n_schools": "Int64",
}


def network_caterpillar(study: NetworkStudy, specs: Mapping[str, ModelSpec], _: pd.DataFrame) -> pd.DataFrame:
    """Shrunken effects of networks by size: columns :data:`CATERPILLAR`.

    ``name`` is a network's own, where the cohort declares that networks agreed to be named, and empty otherwise.

    ``schools_at_least`` is the network's number of schools. It decides at the door which networks may be shown, and
    leaves as the least that these have. Positions are no ranks: intervals of neighbours overlap.
    """
    parts = []
    for model, spec in specs.items():
        if not isinstance(spec, Spread):
            continue
        try:
            effects, found = found_spread(study, spec)
        except NoNetworkEffects:
            continue
        if found.state == "estimated":
            schools = effects.table["n_schools"].to_numpy()
            order = np.argsort(found.networks["shrunken"].to_numpy(), kind="stable")
            rows = caterpillar(found).rename(columns={"place": "position", "low": "ci_low", "high": "ci_high"})
            units = found.networks["unit"].to_numpy()[order]
            parts.append(rows.assign(model=model, schools_at_least=schools[order], name=_names(study, units)))
    return _table(parts, CATERPILLAR)


def _names(study: NetworkStudy, units: Iterable[Any]) -> list[str]:
    """Names of networks by number, with single blanks; empty without consent or where none is known."""
    networks = study.tables.networks
    if not study.cohort.design.networks_consent_to_be_named or "name" not in networks:
        return ["" for _ in units]
    known = networks.dropna(subset=["name"]).drop_duplicates("network").set_index("network")["name"]
    return [" ".join(str(known.get(int(unit), "")).split()) for unit in units]


def moderation_conditions(study: NetworkStudy, specs: Mapping[str, ModelSpec], _: pd.DataFrame) -> pd.DataFrame:
    """Every condition and measure of structure that was tried, with p adjusted for their number: :data:`CONDITIONS`.

    Conditions are one family, measures of structure another. ``estimate`` is adjusted for reliability, ``naive`` is
    not; both are differences in effect for one standard deviation of the condition (of structure: as measured, its
    error is not known, so there is no adjusted one).
    """
    parts = []
    for model, spec in specs.items():
        if not isinstance(spec, Moderation):
            continue
        try:
            tried = moderators(study, spec)[1]
        except NoNetworkEffects:
            continue
        for kind in ("condition", "structure"):
            own = [one for one in tried if one.kind == kind]
            if own:
                parts.append(_family(own).assign(model=model, kind=kind))
    return _table(parts, CONDITIONS)


def mediation_sensitivity(study: NetworkStudy, specs: Mapping[str, ModelSpec], _: pd.DataFrame) -> pd.DataFrame:
    """Indirect effect over practice, had an unobserved cause made the errors correlate by ρ; :data:`SENSITIVITY`.

    ``path`` says which path this is: ``adjusted`` for the error in practice, or ``naive`` where that one is not given.
    """
    parts = []
    for model, spec in specs.items():
        if not isinstance(spec, Mediation):
            continue
        try:
            found = mediated(study, spec).found
        except NoPath:
            continue
        if found.state == "estimated":
            rows = found.sensitivity.rename(columns={"low": "ci_low", "high": "ci_high"})
            parts.append(rows.assign(model=model, path=found.sensitivity_of, n_schools=found.n))
    return _table(parts, SENSITIVITY)


def _family(tried: list[Moderator]) -> pd.DataFrame:
    given = [one for one in tried if one.found is not None]
    rows: list[dict[str, Any]] = []
    adjusted = moderation_family([one.found for one in given if one.found is not None]) if given else None
    for one in tried:
        row: dict[str, Any] = {"condition": one.name, "label": one.label, "state": one.state, "reason": one.reason}
        if one.found is not None and adjusted is not None:
            found, place = one.found, given.index(one)
            slope = (found.slope, found.low, found.high) if one.kind == "condition" else (np.nan,) * 3
            naive = (found.naive_slope, found.naive_low, found.naive_high)
            values = [value * one.unit for value in (*slope, *naive)]
            row |= dict(zip(NUMBERS[:6], values, strict=True))
            row |= {
                "p": found.p,
                "p_holm": adjusted["p_holm"].iloc[place],
                "p_fdr": adjusted["p_benjamini_hochberg"].iloc[place],
                "reliability": found.reliability if one.kind == "condition" else None,
                "residual_sd": found.residual_sd,
                "timing": found.timing,
                "n_networks": found.k,
                "n_schools": one.schools,
                "warnings": "; ".join(WARNINGS[code] for code in found.warnings if code in WARNINGS),
            }
        rows.append(row)
    return pd.DataFrame(rows)


def _table(parts: list[pd.DataFrame], columns: dict[str, str]) -> pd.DataFrame:
    filled = [part.reindex(columns=list(columns)) for part in parts if len(part)]
    whole = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(columns))
    words = {name: "" for name, kind in columns.items() if kind == "str"}
    # A column of words without any is one of missing numbers until it is told otherwise.
    return whole.astype(dict.fromkeys(words, "object")).fillna(words).astype(columns)


FINDINGS_OF_SPREAD: Final[dict[str, Callable[[NetworkStudy, Mapping[str, ModelSpec], pd.DataFrame], pd.DataFrame]]] = {
    "network_caterpillar": network_caterpillar,
    "moderation_conditions": moderation_conditions,
    "mediation_sensitivity": mediation_sensitivity,
}
"""Findings by the name of their table."""
