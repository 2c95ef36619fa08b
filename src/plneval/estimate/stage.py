"""estimate: one model, fitted to the panel that prepare left, written as records."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

from plneval.artifacts import digest_bytes, digest_file, digest_json, write_json, write_table
from plneval.config.cohort import Cohort
from plneval.config.dependence import stage_sections
from plneval.config.instrument import Instrument
from plneval.config.models import GroupTime, Leaving, ModelSpec, Multilevel, Switchers, Synthetic, TripleDifference
from plneval.config.network_models import NetworkModel
from plneval.config.provenance import stage_digest
from plneval.estimate.counts import PupilCounts
from plneval.estimate.effect_sizes import MonthsTable, Standardiser, effect_size, read_standardiser
from plneval.estimate.fit import Estimate, Fit
from plneval.estimate.inference import interval
from plneval.estimate.records import Record, to_table
from plneval.estimate.sample import modelled_column, read_school_sample

log = logging.getLogger("plneval")

PANEL_FILES = ("panel_pupil.parquet", "panel_school.parquet", "standardisers.parquet")
HEADLINE = "att_third_year_on"


def estimate(
    cohort: Cohort,
    name: str,
    model: str,
    spec: ModelSpec,
    panel: Path,
    out: Path,
    seed: int,
    months_table: MonthsTable = "trial",
    tables: Path | None = None,
    instrument: Instrument | None = None,
) -> None:
    """Fit one model and write ``<model>.records.parquet``, ``.vcov.parquet``, ``.influence.parquet`` and ``.json``.

    Parameters
    ----------
    cohort, name : the cohort's configuration and its name.
    model, spec : the model's name and specification.
    panel : folder with ``panel_school.parquet``, ``panel_pupil.parquet`` and ``standardisers.parquet``.
    out : folder of the four files. A model that cannot be estimated from these data leaves no records; the JSON says
        why.
    seed : the project's seed.
    months_table : table of months of progress.
    tables, instrument : folder that ingest wrote and what the surveys asked, for models about networks.

    Raises
    ------
    UserError
        If the model does not fit the cohort or the panel's columns.
    """
    modelled_column(cohort, spec.outcome)
    fit = fit_model(cohort, spec, panel, seed, tables, instrument)
    # A gap is measured in SDs of all pupils.
    pupils = "all" if spec.subgroup == "gap" else spec.subgroup
    standardiser = read_standardiser(panel, spec.outcome, pupils, fit.column)
    digests = {
        "digest_data": digest_bytes("".join(digest_file(panel / file) for file in PANEL_FILES).encode()),
        "digest_spec": digest_json(
            {
                "model": spec.model_dump(mode="json"),
                "cohort": stage_sections(cohort, "estimate"),
                "instrument": None if instrument is None else instrument.model_dump(mode="json"),
                "months": months_table,
            }
        ),
        "digest_code": stage_digest("estimate"),
    }
    common = {"cohort": name, "model": model, "seed": seed, **digests}
    records = [_record(fit, spec, one, standardiser, months_table, common) for one in fit.estimates]
    write_table(out / f"{model}.records.parquet", to_table(records))
    write_table(out / f"{model}.vcov.parquet", fit.covariance)
    write_table(out / f"{model}.influence.parquet", fit.influence)
    write_json(out / f"{model}.json", _diagnostics(fit, spec, model, standardiser, digests))
    log.info("%s: %d records", model, len(records))
    for reason in fit.diagnostics.get("not_estimated", []):
        log.warning("%s: not estimated: %s", model, reason)


def fit_model(
    cohort: Cohort,
    spec: ModelSpec,
    panel: Path,
    seed: int = 1,
    tables: Path | None = None,
    instrument: Instrument | None = None,
) -> Fit:
    """Fit a model by its kind.

    Raises
    ------
    ValueError
        If a model about networks comes without the folder of tables.
    """
    if isinstance(spec, NetworkModel):
        from plneval.estimate.network_fits import fit_network_model
        from plneval.networks.study import NetworkStudy

        if tables is None:
            raise ValueError(f"{spec.kind} needs the folder of tables")
        return fit_network_model(NetworkStudy(cohort, tables, panel, instrument, seed), spec)
    if isinstance(spec, Multilevel):
        from plneval.estimate.growth import growth

        return growth(panel, spec, cohort.design.weight)
    column = modelled_column(cohort, spec.outcome)
    covariates = tuple(getattr(spec, "covariates", ()))
    pupils = PupilCounts.read(panel, spec.outcome, spec.subgroup)
    if isinstance(spec, TripleDifference):
        from plneval.estimate.triple_difference import read_gap_sample, triple_difference

        gap = read_gap_sample(panel, cohort, spec.outcome, column, covariates)
        return triple_difference(gap, spec, pupils, cohort.design.minimum_entry_group)
    if isinstance(spec, Leaving | Switchers):
        from plneval.estimate.membership_changes import membership_changes

        return membership_changes(
            read_school_sample(panel, cohort, spec.outcome, spec.subgroup, column, ("member",)), spec, pupils
        )
    strata = "area" if isinstance(spec, GroupTime) and cohort.design.randomise_within == "area" else None
    columns = tuple(dict.fromkeys((*covariates, *((strata,) if strata else ()))))
    sample = read_school_sample(panel, cohort, spec.outcome, spec.subgroup, column, columns)
    if isinstance(spec, GroupTime):
        from plneval.estimate.group_time import group_time

        return group_time(sample, spec, pupils, cohort.design.minimum_entry_group, seed, strata)
    if isinstance(spec, Synthetic):
        from plneval.estimate.synthetic_did import synthetic_did

        return synthetic_did(sample, spec, pupils, seed)
    from plneval.estimate.linear_did import linear_did

    return linear_did(sample, spec, pupils)


def _record(
    fit: Fit,
    spec: ModelSpec,
    one: Estimate,
    standardiser: Standardiser,
    months_table: MonthsTable,
    common: dict[str, Any],
) -> Record:
    low, high, p = interval(one.estimate, one.se, one.df, spec.confidence)
    low, high = (low, high) if one.bounds is None else one.bounds
    size = effect_size(one, (low, high), standardiser, months_table)
    return Record(
        label=spec.label,
        estimator=fit.estimator,
        estimand=one.estimand,
        role=spec.role,
        headline=spec.headline and one.estimand == HEADLINE,
        outcome=spec.outcome,
        subgroup=spec.subgroup,
        comparison=fit.comparison,
        sample=fit.sample,
        term=one.term,
        event_time=one.event_time,
        estimate=one.estimate if math.isfinite(one.estimate) else None,
        se=one.se,
        df=one.df,
        ci_low=low,
        ci_high=high,
        p=one.p if one.p is not None else p,
        effect_size=size.value,
        effect_size_low=size.low,
        effect_size_high=size.high,
        standardiser=size.standardiser,
        months=size.months,
        months_low=size.months_low,
        months_high=size.months_high,
        months_table=size.months_table,
        **vars(one.basis),
        vcov=one.vcov,
        converged=fit.converged,
        warnings="; ".join((*one.warnings, *fit.warnings)),
        **common,
    )


def _diagnostics(
    fit: Fit, spec: ModelSpec, model: str, standardiser: Standardiser, digests: dict[str, str]
) -> dict[str, Any]:
    return {
        "model": model,
        "kind": spec.kind,
        "estimator": fit.estimator,
        "column": fit.column,
        "comparison": fit.comparison,
        "sample": fit.sample,
        "converged": fit.converged,
        "records": len(fit.estimates),
        "standardiser": {"column": standardiser.column, "sd": standardiser.sd, "meaning": standardiser.words},
        "df_rules": sorted({one.vcov for one in fit.estimates}),
        "warnings": list(fit.warnings),
        **digests,
        **fit.diagnostics,
    }
