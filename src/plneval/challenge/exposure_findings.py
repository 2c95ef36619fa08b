"""Findings about diffusion and contamination: the mobilisation ratio, and the headline without doubtful schools."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from plneval import did
from plneval.challenge.robustness import third_year_on
from plneval.config.models import GroupTime, ModelSpec
from plneval.errors import UserError
from plneval.estimate.sample import Exclusions, SchoolSample, modelled_column, read_school_sample
from plneval.networks.contamination import member_distances, neighbours
from plneval.networks.other_programmes import others_known, schools_in_others
from plneval.networks.ratio import mobilisation_ratio
from plneval.networks.study import NetworkStudy

MOBILISATION: Final = {
    "model": "str",
    "event_time": "Int64",
    "ratio": "float64",
    "kind": "str",
    "ci_low": "float64",
    "ci_high": "float64",
    "excluded_from": "float64",
    "excluded_to": "float64",
    "n_schools": "Int64",
    "clusters_treated": "Int64",
}
DOUBTFUL: Final = {
    "model": "str",
    "variant": "str",
    "status": "str",
    "estimate": "float64",
    "se": "float64",
    "ci_low": "float64",
    "ci_high": "float64",
    "p": "float64",
    "n_comparison": "Int64",
    "n_left_out": "Int64",
    "n_members": "Int64",
    "n_members_left_out": "Int64",
    "n_apart": "Int64",
}

PARTS: Final = ("direct", "indirect", "direct_less_indirect")


def mobilisation(_study: NetworkStudy, specs: Mapping[str, ModelSpec], records: pd.DataFrame) -> pd.DataFrame:
    """Indirect effect divided by direct effect with Fieller's set, for every model of diffusion.

    Columns: model, event_time (missing for the third year on), ratio, kind ('bounded': the set runs from ci_low to
    ci_high; 'outside': it is everything but excluded_from to excluded_to, either end of which may be missing for
    infinite; 'unbounded': no ratio is excluded; 'none': an effect has no standard error), n_schools, clusters_treated.
    The covariance of the two effects follows from the records of their difference.
    """
    rows = []
    for model, spec in specs.items():
        if spec.kind != "networks.diffusion":
            continue
        own = {
            (str(row["estimand"]), str(row["term"])): row
            for row in records.loc[records["model"] == model].to_dict("records")
        }
        for (estimand, term), ratio in own.items():
            if estimand.startswith("mobilisation_ratio"):
                ending = estimand.removeprefix("mobilisation_ratio")
                direct, indirect, difference = (own[f"att_{part}{ending}", term] for part in PARTS)
                rows.append({"model": model, **_set_of(ratio, direct, indirect, difference, spec.confidence)})
    return _typed(rows, MOBILISATION)


def _set_of(
    ratio: dict[Hashable, Any],
    direct: dict[Hashable, Any],
    indirect: dict[Hashable, Any],
    difference: dict[Hashable, Any],
    level: float,
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "event_time": ratio["event_time"],
        "ratio": ratio["estimate"],
        "kind": "none",
        "n_schools": ratio["n_schools"],
        "clusters_treated": ratio["clusters_treated"],
    }
    errors = [direct["se"], indirect["se"], difference["se"]]
    if any(pd.isna(se) for se in errors):
        return found
    own, other, apart = (float(se) for se in errors)
    try:
        result = mobilisation_ratio(
            float(indirect["estimate"]),
            float(direct["estimate"]),
            indirect_se=other,
            direct_se=own,
            covariance=(own**2 + other**2 - apart**2) / 2,
            df=None if pd.isna(ratio["df"]) else float(ratio["df"]),
            level=level,
        )
    except UserError:
        return found
    limits = ("ci_low", "ci_high") if result.kind == "bounded" else ("excluded_from", "excluded_to")
    ends = [end if math.isfinite(end) else None for end in (result.low, result.high)]
    return {**found, "kind": result.kind, **dict(zip(limits, ends, strict=True))}


@dataclass(frozen=True)
class _Variant:
    """Schools that a variant leaves out, of the comparison and (``both_arms``) of the members; ``why`` it cannot."""

    name: str
    out: frozenset[int]
    why: str = ""
    both_arms: bool = False


def doubtful_comparison(study: NetworkStudy, specs: Mapping[str, ModelSpec], _records: pd.DataFrame) -> pd.DataFrame:
    """The headline with all comparison schools, and without those that may have met a network.

    Columns: model; variant ('all', 'without_near': without schools that are nearer than the declared distance to a
    school that has joined, in some study year; 'without_later': without those that join a network after the study;
    'without_other': without those that were in a network outside the programme in some study year; 'without_any':
    without any of these, where more than one kind is there; 'without_other_in_either': without schools of either arm
    that were in a network outside the programme, which leaves a part of the member schools); status ('estimated',
    'nothing_left_out', 'no_distance': none is declared, 'no_places': coordinates are not known, 'no_data': there are no
    data on other networks, 'not_estimable'); estimate, se, interval, p from the third year on; n_comparison and
    n_members (schools left); n_left_out and n_members_left_out (missing for none); n_apart (the fewest schools by which
    it differs from a variant above it). No rows where the headline's model has no group-time effects.
    """
    model = next((name for name, spec in specs.items() if spec.headline), "")
    spec = specs.get(model)
    if not isinstance(spec, GroupTime):
        return _typed([], DOUBTFUL)
    column = modelled_column(study.cohort, spec.outcome)
    sample = read_school_sample(study.panel, study.cohort, spec.outcome, spec.subgroup, column, tuple(spec.covariates))
    rows: list[dict[str, Any]] = []
    sets: list[frozenset[int]] = []
    for variant in _variants(study):
        found, gone = _without(sample, spec, variant)
        apart = [len(gone ^ other) for other in sets if gone != other]
        n_apart = min(apart) if apart and found["status"] == "estimated" else None
        rows.append({"model": model, "variant": variant.name, **found, "n_apart": n_apart})
        sets.append(gone)
    return _typed(rows, DOUBTFUL)


def _variants(study: NetworkStudy) -> list[_Variant]:
    distances = member_distances(study.tables)
    declared = study.cohort.design.neighbour_distance_km is not None
    near = frozenset(neighbours(study.tables)) if declared else frozenset()
    later = frozenset(int(school) for school in distances.loc[distances["joins_after_study"], "school"])
    others = frozenset(schools_in_others(study.tables))
    unplaced = "no_distance" if not declared else "no_places" if distances["near"].isna().all() else ""
    unknown = "" if others_known(study.tables) else "no_data"
    variants = [
        _Variant("all", frozenset()),
        _Variant("without_near", near, unplaced),
        _Variant("without_later", later),
        _Variant("without_other", others, unknown),
    ]
    comparison = study.schools.loc[study.schools["arm"] == "comparison", "school"]
    kinds = [kind for kind in (near, later, others) if comparison.isin(sorted(kind)).any()]
    if len(kinds) > 1:
        variants.append(_Variant("without_any", near | later | others))
    return [*variants, _Variant("without_other_in_either", others, unknown, both_arms=True)]


def _without(sample: SchoolSample, spec: GroupTime, variant: _Variant) -> tuple[dict[str, Any], frozenset[int]]:
    """The third-year-on effect without a variant's schools, and which schools of the sample these are."""
    rows = sample.rows
    compared = rows["entry_year"].isna()
    gone = rows["school"].isin(sorted(variant.out)) & (compared | variant.both_arms)
    counts = [
        int(rows.loc[arm & which, "school"].nunique()) for which in (~gone, gone) for arm in (compared, ~compared)
    ]
    out = frozenset(int(school) for school in rows.loc[gone, "school"])
    found: dict[str, Any] = {"n_comparison": counts[0], "n_members": counts[1]}
    if variant.why or (variant.name != "all" and not out):
        return {**found, "status": variant.why or "nothing_left_out"}, frozenset()
    left_out = {"n_left_out": counts[2] or None, "n_members_left_out": counts[3] or None}
    return {**found, **left_out, **_third_year_on(sample, spec, gone)}, out


def _third_year_on(sample: SchoolSample, spec: GroupTime, gone: pd.Series) -> dict[str, Any]:
    kept = replace(sample, rows=sample.rows.loc[~gone].reset_index(drop=True), exclusions=Exclusions())
    try:
        found = third_year_on(kept, spec)
    except did.DidError:
        return {"status": "not_estimable"}
    return {
        "status": "estimated",
        "estimate": found.estimate,
        "se": found.se,
        "ci_low": found.ci_low,
        "ci_high": found.ci_high,
        "p": found.p,
    }


def _typed(rows: list[dict[str, Any]], columns: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {name: pd.Series([row.get(name) for row in rows], dtype=kind) for name, kind in columns.items()}
    )


FINDINGS_OF_EXPOSURE: Final[
    dict[str, Callable[[NetworkStudy, Mapping[str, ModelSpec], pd.DataFrame], pd.DataFrame]]
] = {"mobilisation": mobilisation, "doubtful_comparison": doubtful_comparison}
"""Finding → function."""
