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
from plneval.networks.mediation import ASSUMPTION
from plneval.networks.mediation import Mediation as Found
from plneval.networks.mediation import mediation as path_over_practice
from plneval.networks.study import NetworkStudy
from plneval.standards import load

COMPARISON: Final = "schools with fewer years of participation"
SAMPLE: Final = "schools whose teachers answered in the wave in which years of participation (up to three) differ most"
WARNINGS: Final = {
    "few_clusters": "fewer than twenty clusters: percentile intervals are too narrow",
    "order_not_known": "the order of practice and outcome is not known",
    "schools_left_out": "schools with a missing value are left out",
    "bootstrap_unstable": "the path could not be estimated in some draws of the bootstrap",
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
    a school's respondents; the outcome is measured in the first outcome year from the survey's on.

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
    tables = [_of_wave(sample, own, str(wave), spec.covariates) for wave, own in known.groupby("wave", sort=True)]
    tables = [table for table in tables if len(table)]
    if not tables:
        raise NoPath("no school has answers about practice and results before joining and since")
    chosen = max(tables, key=lambda table: float(table["participation"].var(ddof=0)))
    try:
        found = path_over_practice(chosen, covariates=spec.covariates, seed=study.seed, level=spec.confidence)
    except UserError as reason:
        raise NoPath(str(reason)) from reason
    return Path(found, str(chosen["wave"].iloc[0]), chosen)


def mediation(study: NetworkStudy, spec: Mediation) -> Fit:
    """Estimate the path over practice.

    Returns
    -------
    Fit
        ``path_practice`` (points of practice for one year of participation), ``path_slope`` (outcome for one point of
        practice), ``path_indirect``, ``path_direct`` and ``path_total`` (outcome for one year of participation), and
        ``path_rho_at_zero``, the correlation of errors that would leave nothing of the indirect effect. The term is the
        scale.
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
    said = tuple(WARNINGS[code] for code in found.warnings if code in WARNINGS)
    rows = (
        ("path_practice", found.on_practice, found.on_practice_se, None),
        ("path_slope", found.practice_slope, found.practice_slope_se, None),
        ("path_indirect", found.indirect, found.indirect_se, (found.indirect_low, found.indirect_high)),
        ("path_direct", found.direct, found.direct_se, (found.direct_low, found.direct_high)),
        ("path_total", found.total, None, (found.total_low, found.total_high)),
        ("path_rho_at_zero", found.rho_at_zero, None, (None, None)),
    )
    df = float(found.n_clusters - 1)
    estimates = tuple(
        Estimate(
            estimand,
            spec.scale,
            None,
            value,
            se,
            df if bounds is None else None,
            "cluster-robust (CR1)" if bounds is None else "bootstrap over clusters, percentile",
            basis,
            bounds=bounds,
            scaled=False,
            warnings=said,
        )
        for estimand, value, se, bounds in rows
    )
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
    practice = scores.groupby(scores["school"].astype("int64"))["score"].mean()
    both = practice.index.intersection(before.index).intersection(after.index)
    entry = before.loc[both, "entry_year"].astype("float64").to_numpy()
    years = np.where(np.isnan(entry), 0.0, np.clip(year - np.nan_to_num(entry) + 1, 0.0, full))
    table = pd.DataFrame(
        {
            "school": both.to_numpy(),
            "wave": wave,
            "participation": years,
            "practice": practice.loc[both].to_numpy(),
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


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
