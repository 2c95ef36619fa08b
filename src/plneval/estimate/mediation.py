"""The path from participation over teachers' practice to pupils; always exploratory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from plneval.config.network_models import Mediation
from plneval.errors import UserError, did_you_mean
from plneval.estimate.fit import Basis, Estimate, Fit, no_covariance, no_influence, unestimable
from plneval.estimate.sample import SchoolSample, modelled_column, read_school_sample
from plneval.networks.answers import scored
from plneval.networks.mediation import ASSUMPTION, ERROR_COLUMNS
from plneval.networks.mediation import Mediation as Found
from plneval.networks.mediation import mediation as path_over_practice
from plneval.networks.study import NetworkStudy
from plneval.standards import load

COMPARISON: Final = "schools with fewer years of participation"
SAMPLE: Final = "schools whose teachers answered in the wave in which years of participation (up to three) differ most"
WARNINGS: Final = {
    "few_clusters": "fewer than twenty clusters: intervals may be too narrow",
    "order_not_known": "the order of practice and outcome is not known",
    "schools_left_out": "schools with a missing value are left out",
    "bootstrap_unstable": "the path could not be estimated in some draws of the bootstrap",
    "reliability_too_low": "practice is too unreliable to adjust the path for its error: only the naive one is given",
    "error_not_known": "the error in practice is not known (no two answers of one school and role): the path is naive",
}
"""Warnings of :func:`plneval.networks.mediation.mediation` in words."""


class NoPath(ValueError):
    """The study has no path over practice; the message says why."""


@dataclass(frozen=True)
class Path:
    """A mediation path of a study, with the wave that it rests on and the schools behind it."""

    found: Found
    wave: str
    schools: pd.DataFrame


def mediated(study: NetworkStudy, spec: Mediation) -> Path:
    """Estimate the path in one wave: years of participation → practice → change of results since before joining.

    Years of participation count up to the third, from which on effects are expected in full. The wave is the one in
    which they vary most between the schools that answered (the first of several): where all schools have taken part
    for long, participation explains nothing. Practice is the mean score of
    a school's respondents, its error how respondents of one school and role vary, pooled over schools and divided by
    their number; the outcome is measured in the first outcome year from the survey's on.

    # ASSUME: beside those of :func:`plneval.networks.mediation.mediation`: each of the first three years counts as much
    # as the others and later ones add nothing, and results would have changed alike in schools that joined earlier and
    # later.

    Raises
    ------
    NoPath
        Where there are no answers, or participation or practice does not vary.
    UserError
        If the model names a scale or a covariate that is not there.
    """
    column = modelled_column(study.cohort, spec.outcome)
    form = None if study.instrument is None else study.instrument.forms.get(spec.form)
    if form is None:
        raise NoPath("the cohort declares no questionnaire about teachers' practice")
    if spec.scale not in form.scales:
        hint = did_you_mean(spec.scale, list(form.scales))
        raise UserError(f"scale: the questionnaire '{spec.form}' has no scale '{spec.scale}'.{hint}")
    answers = scored(study, spec.form)
    if answers is None:
        raise NoPath(f"no answers to the questionnaire '{spec.form}'")
    scores = answers.scores
    known = scores.loc[scores["scale"] == spec.scale].dropna(subset=["score", "school", "year"])
    sample = read_school_sample(study.panel, study.cohort, spec.outcome, spec.subgroup, column, tuple(spec.covariates))
    chosen = schools_behind_path(sample, known, spec.covariates)
    try:
        found = path_over_practice(chosen, covariates=spec.covariates, seed=study.seed, level=spec.confidence)
    except UserError as reason:
        raise NoPath(str(reason)) from reason
    return Path(found, str(chosen["wave"].iloc[0]), chosen)


def schools_behind_path(sample: SchoolSample, scores: pd.DataFrame, covariates: list[str]) -> pd.DataFrame:
    """The schools of the wave in which participation varies most, for :func:`plneval.networks.mediation.mediation`.

    Parameters
    ----------
    scores
        Of practice: wave, year, school, role, score; none missing but roles.

    Raises
    ------
    NoPath
        Where no school has answers and results before joining and since.
    """
    tables = [_of_wave(sample, own, str(wave), covariates) for wave, own in scores.groupby("wave", sort=True)]
    tables = [table for table in tables if len(table)]
    if not tables:
        raise NoPath("no school has answers about practice and results before joining and since")
    return max(tables, key=lambda table: float(table["participation"].var(ddof=0)))


def mediation(study: NetworkStudy, spec: Mediation) -> Fit:
    """Estimate the path over practice.

    Returns
    -------
    Fit
        ``path_practice`` (points of practice for one year of participation), ``path_slope`` (outcome for one point of
        practice), ``path_indirect``, ``path_direct`` and ``path_total`` (outcome for one year of participation),
        adjusted for the error in practice, beside them ``path_slope_naive``, ``path_indirect_naive`` and
        ``path_direct_naive``, which are not, and ``path_reliability``, of practice with participation held fixed; where
        that is too low the adjusted ones are missing. ``path_rho_at_zero`` is the correlation of errors that would
        leave nothing of the indirect effect. The term is the scale.
    """
    column = modelled_column(study.cohort, spec.outcome)
    try:
        path = mediated(study, spec)
    except NoPath as reason:
        return unestimable(spec.kind, column, COMPARISON, SAMPLE, {"not_estimated": [str(reason)]})
    found = path.found
    diagnostics: dict[str, Any] = {
        "library": "plneval.networks",
        "wave": path.wave,
        "practice_year": int(path.schools["practice_year"].iloc[0]),
        "schools": found.n,
        "clusters": found.n_clusters,
        "schools_left_out": found.n_left_out,
        "reliability": _number(found.reliability),
        "sensitivity_of": f"the {found.sensitivity_of} path",
        "r2_at_zero": _number(found.r2_at_zero),
        "rho_low": _number(found.rho_low),
        "rho_high": _number(found.rho_high),
        "assumption": ASSUMPTION,
    }
    if found.state != "estimated":
        diagnostics["not_estimated"] = [f"fewer than six clusters ({found.n_clusters})"]
        return unestimable(spec.kind, column, COMPARISON, SAMPLE, diagnostics)
    members = path.schools.dropna(subset=["practice", "outcome", *spec.covariates])
    # Every school with years of participation is treated; the others, if any were asked, are its comparison.
    treated = members.loc[members["participation"] > 0]
    basis = Basis(
        n_schools=found.n,
        n_networks=int(treated["network"].nunique()),
        clusters_treated=int(treated["cluster"].nunique()),
        clusters_comparison=None,
    )
    estimates = _estimates(found, spec.scale, basis)
    warnings = ("exploratory: causal only if nothing unobserved moves practice and results alike",)
    return Fit(
        spec.kind,
        column,
        COMPARISON,
        SAMPLE,
        estimates,
        no_covariance(),
        no_influence(),
        diagnostics,
        warnings=warnings,
    )


def _estimates(found: Found, scale: str, basis: Basis) -> tuple[Estimate, ...]:
    said = tuple(WARNINGS[code] for code in found.warnings if code in WARNINGS)
    rows: list[tuple[str, float, float | None, tuple[float, float] | None]] = [
        ("path_practice", found.on_practice, found.on_practice_se, None)
    ]
    for name in ("slope", "indirect", "direct"):
        for ending, route in (("", found.adjusted), ("_naive", found.naive)):
            value, se, low, high = getattr(route, name)
            rows.append((f"path_{name}{ending}", value, se, (low, high)))
    rows += [
        ("path_total", found.total, None, (found.total_low, found.total_high)),
        ("path_reliability", found.reliability, found.reliability_se, (math.nan, math.nan)),
        ("path_rho_at_zero", found.rho_at_zero, None, (math.nan, math.nan)),
    ]
    return tuple(
        Estimate(
            estimand,
            scale,
            None,
            value,
            None if se is None else _number(se),
            None if se is None else float(found.n_clusters - 1),
            "cluster-robust (CR1)" if bounds is None else "bootstrap over clusters, expanded percentile",
            basis,
            bounds=bounds if bounds is None else (_number(bounds[0]), _number(bounds[1])),
            scaled=False,
            warnings=said,
        )
        for estimand, value, se, bounds in rows
    )


def _of_wave(sample: SchoolSample, scores: pd.DataFrame, wave: str, covariates: list[str]) -> pd.DataFrame:
    """A row a school that answered in a wave: participation, practice, outcome, their years, cluster, covariates.

    The outcome is the change since the last outcome year before joining (before the first school joined, for schools
    that had not); schools without both years are left out.
    """
    year = int(scores["year"].mode().min())
    full = float(load("follow_up").headline_from_event_time + 1)
    rows = sample.rows.sort_values(["school", "year"])
    joined = rows["entry_year"].astype("float64")
    first = joined.min()
    since = joined.where(joined <= year, first)
    before = rows.loc[rows["year"] < since].drop_duplicates("school", keep="last").set_index("school")
    after = rows.loc[rows["year"] >= year].drop_duplicates("school").set_index("school")
    practice = _practice_by_school(scores)
    both = practice.index.intersection(before.index).intersection(after.index)
    entry = before.loc[both, "entry_year"].astype("float64").to_numpy()
    years = np.where(np.isnan(entry), 0.0, np.clip(year - np.nan_to_num(entry) + 1, 0.0, full))
    table = pd.DataFrame(
        {
            "school": both.to_numpy(),
            "wave": wave,
            "participation": years,
            "practice": practice.loc[both, "practice"].to_numpy(),
            **{name: practice.loc[both, name].to_numpy(dtype=np.float64) for name in ERROR_COLUMNS},
            "outcome": (after.loc[both, "y"] - before.loc[both, "y"]).to_numpy(),
            "practice_year": year,
            "outcome_year": after.loc[both, "year"].to_numpy(dtype=np.int64),
            "cluster": before.loc[both, "cluster"].to_numpy(),
            "network": before.loc[both, "network"].to_numpy(),
        }
    )
    for name in covariates:
        values = before.loc[both, name]
        if not pd.api.types.is_numeric_dtype(values):
            raise UserError(f"covariates: '{name}' is not a number; the path over practice takes numbers only.")
        table[name] = values.to_numpy(dtype=np.float64, na_value=math.nan)
    return table


def _practice_by_school(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean practice, respondents, and the sum of squares around the mean of each role with its degrees of freedom.

    # ASSUME: respondents of unknown role are one role.
    """
    rows = pd.DataFrame({"school": scores["school"].astype("int64"), "score": scores["score"]})
    rows["role"] = scores["role"].astype("object").fillna("")
    of_role = rows.groupby(["school", "role"], sort=True)["score"]
    rows["square"] = (rows["score"] - of_role.transform("mean")) ** 2
    by = rows.groupby("school", sort=True)
    respondents, roles = by.size(), by["role"].nunique()
    return pd.DataFrame(
        {
            "practice": by["score"].mean(),
            "respondents": respondents,
            "within_ss": by["square"].sum(),
            "within_df": respondents - roles,
        }
    )


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
