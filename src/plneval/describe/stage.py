"""Panel to measures: the one public function is :func:`describe`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pandas as pd

from plneval.artifacts import read_json, read_table, write_table
from plneval.config.cohort import Cohort
from plneval.config.instrument import Instrument
from plneval.describe.attrition import attrition
from plneval.describe.baseline import baseline
from plneval.describe.clusters import clusters, networks
from plneval.describe.composition import composition
from plneval.describe.intraclass import intraclass
from plneval.describe.ledger import ingest_notes, ledger, rejections
from plneval.describe.membership import entry_groups, membership
from plneval.describe.missingness import missingness
from plneval.describe.network_measures import OF_NETWORKS
from plneval.describe.power import mdes
from plneval.describe.sample import Sample, read_sample
from plneval.describe.trends import trends
from plneval.networks.study import NetworkStudy

OF_SAMPLE: Final[dict[str, Callable[[Sample], pd.DataFrame]]] = {
    "baseline": baseline,
    "composition": composition,
    "attrition": attrition,
    "missingness": missingness,
    "intraclass": intraclass,
    "mdes": mdes,
    "membership": membership,
    "entry_groups": entry_groups,
    "trends": trends,
    "clusters": clusters,
    "networks": networks,
}
OF_LEDGER: Final[dict[str, Callable[[dict[str, Any]], pd.DataFrame]]] = {
    "ledger": ledger,
    "rejections": rejections,
    "ingest_notes": ingest_notes,
}


def describe(cohort: Cohort, tables: Path, panel: Path, out: Path, instrument: Instrument | None = None) -> None:
    """Measure a cohort's sample: one Parquet table a measure, and the flow as prepare wrote it.

    Parameters
    ----------
    cohort
        The cohort's configuration.
    tables, panel
        Folders that ingest and prepare wrote.
    out
        Folder for the measures; their columns stand in ``docs/architecture.md``.
    instrument
        What the surveys asked; None where the cohort declares none.
    """
    sample = read_sample(cohort, tables, panel)
    found = read_json(tables / "ledger.json")
    measures = {name: measure(sample) for name, measure in OF_SAMPLE.items()}
    measures |= {name: measure(found) for name, measure in OF_LEDGER.items()}
    study = NetworkStudy(cohort, tables, panel, instrument)
    measures |= {name: measure(study) for name, measure in OF_NETWORKS.items()}
    measures["flow"] = read_table(panel / "flow.parquet")
    for name in sorted(measures):
        write_table(out / f"{name}.parquet", measures[name])
