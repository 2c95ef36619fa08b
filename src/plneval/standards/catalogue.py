"""Loading the data files of the standards, and the list of all of them that the report prints."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, overload

from plneval.errors import did_you_mean
from plneval.standards import records

MonthsName = Literal["months_trial", "months_toolkit"]
DisclosureName = Literal["disclosure_opensafely", "disclosure_tre", "disclosure_ferpa10", "disclosure_public"]
ChecklistName = Literal["tidier", "trend"]

_MODELS: dict[str, type[records.Standard]] = {
    "attrition_boundary": records.AttritionBoundary,
    "baseline_equivalence": records.BaselineLimits,
    "cluster_rules": records.ClusterRules,
    "did_adjustment": records.DifferenceInDifferencesAdjustment,
    "disclosure_ferpa10": records.DisclosurePreset,
    "disclosure_opensafely": records.DisclosurePreset,
    "disclosure_public": records.DisclosurePreset,
    "disclosure_tre": records.DisclosurePreset,
    "effect_size": records.EffectSizeConstants,
    "follow_up": records.FollowUp,
    "intraclass_correlation": records.IntraclassCorrelationDefaults,
    "minimum_detectable_effect": records.MinimumDetectableEffectDefaults,
    "months_toolkit": records.MonthsTable,
    "months_trial": records.MonthsTable,
    "network_data": records.NetworkDataRules,
    "pre_trend": records.PreTrendTest,
    "security_rating": records.SecurityRating,
    "survey_quality": records.SurveyQuality,
    "sustainability": records.SustainabilityRules,
    "table_symbols": records.TableSymbols,
    "tidier": records.Checklist,
    "trend": records.Checklist,
}

NAMES: tuple[str, ...] = tuple(sorted(_MODELS))
"""Names of all standards, sorted."""


@dataclass(frozen=True)
class RegisterEntry:
    """One line of the register: which standard, in which version, from where, how sure, and the data file's SHA-256."""

    name: str
    title: str
    version: str
    source: str
    status: records.Status
    notes: str
    digest: str


@overload
def load(name: Literal["attrition_boundary"]) -> records.AttritionBoundary: ...
@overload
def load(name: Literal["baseline_equivalence"]) -> records.BaselineLimits: ...
@overload
def load(name: Literal["cluster_rules"]) -> records.ClusterRules: ...
@overload
def load(name: Literal["did_adjustment"]) -> records.DifferenceInDifferencesAdjustment: ...
@overload
def load(name: DisclosureName) -> records.DisclosurePreset: ...
@overload
def load(name: Literal["effect_size"]) -> records.EffectSizeConstants: ...
@overload
def load(name: Literal["follow_up"]) -> records.FollowUp: ...
@overload
def load(name: Literal["intraclass_correlation"]) -> records.IntraclassCorrelationDefaults: ...
@overload
def load(name: Literal["minimum_detectable_effect"]) -> records.MinimumDetectableEffectDefaults: ...
@overload
def load(name: MonthsName) -> records.MonthsTable: ...
@overload
def load(name: Literal["network_data"]) -> records.NetworkDataRules: ...
@overload
def load(name: Literal["pre_trend"]) -> records.PreTrendTest: ...
@overload
def load(name: Literal["security_rating"]) -> records.SecurityRating: ...
@overload
def load(name: Literal["survey_quality"]) -> records.SurveyQuality: ...
@overload
def load(name: Literal["sustainability"]) -> records.SustainabilityRules: ...
@overload
def load(name: Literal["table_symbols"]) -> records.TableSymbols: ...
@overload
def load(name: ChecklistName) -> records.Checklist: ...
@overload
def load(name: str) -> records.Standard: ...
def load(name: str) -> records.Standard:
    """Load a standard by name (see :data:`NAMES`) as its frozen record.

    Raises
    ------
    ValueError
        If there is no standard of that name, or its data file does not fit its model.
    """
    return _load(name)


@cache
def _load(name: str) -> records.Standard:
    import yaml

    if name not in _MODELS:
        raise ValueError(f"no standard '{name}'; there are {', '.join(NAMES)}.{did_you_mean(name, NAMES)}")
    standard = _MODELS[name].model_validate(yaml.safe_load(_data_file(name)))
    if standard.name != name:
        raise ValueError(f"{name}.yaml calls itself '{standard.name}'")
    return standard


def register(names: Iterable[str] | None = None) -> list[RegisterEntry]:
    """List standards in the order of their names: all of them, or those named (each once).

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    from plneval.artifacts import digest_bytes

    entries = []
    for name in NAMES if names is None else sorted(set(names)):
        standard = load(name)
        entries.append(
            RegisterEntry(
                name=name,
                title=standard.title,
                version=standard.version,
                source=standard.source,
                status=standard.status,
                notes=standard.notes,
                digest=digest_bytes(_data_file(name)),
            )
        )
    return entries


def _data_file(name: str) -> bytes:
    return files("plneval.standards").joinpath("data", f"{name}.yaml").read_bytes()
