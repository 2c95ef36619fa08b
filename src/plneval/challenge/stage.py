"""The stage: records and measures in, gates and a verdict out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from plneval.artifacts import read_table, write_json, write_table
from plneval.challenge.document import verdict_document
from plneval.challenge.evidence import Evidence, read_measures
from plneval.challenge.gate import to_table
from plneval.challenge.gates import form_gates
from plneval.challenge.network_findings import network_findings
from plneval.challenge.recompute import recompute_all
from plneval.challenge.recovery import recovery
from plneval.challenge.sensitivity import sensitivity
from plneval.challenge.sustainability import sustainability
from plneval.config.cohort import Cohort
from plneval.config.instrument import Instrument
from plneval.config.models import ModelSpec
from plneval.config.report import Report
from plneval.errors import UserError
from plneval.networks.several_networks import counted_elsewhere
from plneval.networks.study import NetworkStudy


def challenge(
    cohort: Cohort,
    name: str,
    specs: Mapping[str, ModelSpec],
    report: Report,
    measures: Path,
    records: Path,
    panel: Path,
    truth: Path | None,
    out: Path,
    tables: Path,
    instrument: Instrument | None = None,
) -> None:
    """Write records, recomputations, recovery, sensitivity and gates as Parquet, and ``verdict.json``.

    Parameters
    ----------
    name : the cohort's name, for messages.
    specs : the cohort's models by name, in the order in which reports list them.
    measures, records, panel : folders that describe, estimate and prepare wrote.
    truth : planted effects of a simulated study; None for a real one.
    out : folder of the findings.
    tables, instrument : folder that ingest wrote and what the surveys asked, for what is particular to networks.

    Raises
    ------
    UserError
        If a file of a stage before is not there.
    """
    table = gather_records(records, specs, name)
    study = NetworkStudy(cohort, tables, panel, instrument)
    recomputed = recompute_all(cohort, specs, panel, table, study)
    recovered = recovery(truth, table, truth is None or not counted_elsewhere(study.tables))
    measured = sensitivity(cohort, specs, panel, table, study)
    findings = network_findings(study, specs, table)
    evidence = Evidence(
        cohort=cohort,
        specs=specs,
        report=report,
        measures=read_measures(measures),
        schools=read_table(panel / "schools.parquet"),
        records=table,
        recomputed=recomputed,
        recovery=recovered,
        sensitivity=measured,
        findings=findings,
    )
    gates = form_gates(evidence)
    document = verdict_document(evidence, gates)
    write_table(out / "records.parquet", table)
    write_table(out / "recomputed.parquet", recomputed)
    write_table(out / "recovery.parquet", recovered)
    write_table(out / "gates.parquet", to_table(gates))
    for finding, found in measured.items():
        write_table(out / f"{finding}.parquet", found)
    lasting = sustainability(study, specs, table, truth, causal=document["category"] != "not_causal")
    for finding, found in {**findings, **lasting}.items():
        write_table(out / f"{finding}.parquet", found)
    write_json(out / "verdict.json", document)


def gather_records(folder: Path, specs: Mapping[str, ModelSpec], name: str) -> pd.DataFrame:
    """All models' records in one table, in the order of the cohort's models.

    Raises
    ------
    UserError
        If a model has no records: it was not fitted.
    """
    absent = [model for model in specs if not (folder / f"{model}.records.parquet").is_file()]
    if absent:
        raise UserError(f"{folder}: no records of {', '.join(absent)}; run the cohort '{name}' again from estimate.")
    tables = [read_table(folder / f"{model}.records.parquet") for model in specs]
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else tables[0]
