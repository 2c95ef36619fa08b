"""The stage: restricted tables in, a released set out, whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from plneval.artifacts import digest_file, read_json, read_table, write_json, write_table, write_text
from plneval.config.cohort import Cohort
from plneval.config.layout import Layout
from plneval.config.models import ModelSpec
from plneval.config.project import Project
from plneval.config.report import Report
from plneval.errors import UserError
from plneval.release.control import Controlled, control
from plneval.release.csv_copy import csv_text
from plneval.release.door import TABLES
from plneval.release.reproducibility import reproducibility_document
from plneval.release.scan import scan
from plneval.release.standards_used import standards_table
from plneval.release.study import study_document


def release(
    project: Project,
    cohort: Cohort,
    name: str,
    report: Report,
    layout: Layout,
    data_folder: Path,
    specs: Mapping[str, ModelSpec],
) -> None:
    """Write ``layout.released_tables``: every table of the door, the documents beside them, and a manifest.

    The set is built in a folder beside, scanned there, and then takes the place of the one before: a reader never sees
    half a release, and after a violation what was released before stays.

    Parameters
    ----------
    data_folder : folder of the raw files; read for the digest of a simulated study's truth only.
    specs : the cohort's models by name.

    Raises
    ------
    UserError
        If a stage before has not run, a column is missing, or the scan finds what must not leave.
    """
    raw = {table: _restricted(layout, door.stage, table) for table, door in TABLES.items()}
    controlled = control(raw, cohort, name, specs, report.disclosure, _school_names(layout))
    documents = {
        "study": study_document(cohort, name, report, specs),
        "verdict": _verdict(
            read_json(layout.findings / "verdict.json"), controlled.frames["records"], cohort.programme
        ),
        "reproducibility": reproducibility_document(project, cohort, report, specs, layout, data_folder),
    }
    sized = bool(controlled.frames["records"]["effect_size"].notna().any())
    asked = not controlled.frames["survey_scales"].empty
    tables = {**controlled.frames, "standards": standards_table(report, effect_sizes=sized, surveys=asked)}
    layout.release.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=layout.release, prefix=".tables.") as temporary:
        folder = Path(temporary) / "tables"
        for table, frame in tables.items():
            write_table(folder / f"{table}.parquet", frame)
            write_text(folder / f"{table}.csv", csv_text(frame))
        for document, content in documents.items():
            write_json(folder / f"{document}.json", content)
        scan(folder, cohort, report.disclosure)
        write_json(folder / "manifest.json", _manifest(folder, tables, controlled, report))
        _take_the_place_of(folder, layout.released_tables, Path(temporary) / "before")


def _restricted(layout: Layout, stage: str, table: str) -> pd.DataFrame:
    path = layout.restricted(stage) / f"{table}.parquet"
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; run the cohort again from {stage}.")
    return read_table(path)


def _school_names(layout: Layout) -> list[str]:
    """Names of schools in the raw data that are long enough to be told from ordinary words."""
    path = layout.tables / "schools.parquet"
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; run the cohort again from ingest.")
    names = read_table(path)["name"].dropna().astype(str)
    return sorted({text.strip() for text in names if len(text.strip()) >= 6})


def _verdict(verdict: dict[str, Any], records: pd.DataFrame, programme: str) -> dict[str, Any]:
    """The verdict with the released record of the headline in place of the restricted one.

    Where disclosure control withholds the headline, its sentences go too: they repeat the estimate.
    """
    shown = records[records["headline"].fillna(False).astype(bool)]
    if verdict["headline"] is None or not len(shown):
        return {**verdict, "headline": None}
    row = shown.iloc[0]
    if row["withheld"]:
        verdict = {**verdict, **_withheld_verdict(programme)}
    columns = [*TABLES["records"].columns, "withheld"]
    return {**verdict, "headline": {column: _plain(row[column]) for column in columns}}


def _withheld_verdict(programme: str) -> dict[str, Any]:
    sentence = (
        f"What was found about {programme} cannot be shown: it rests on so few schools or pupils that it could say "
        "something about single ones."
    )
    return {
        "category": "not_causal",
        "sentence": sentence,
        "short": "Too few schools or pupils to show a result.",
        "reasons": [sentence],
        "cannot_conclude": [f"Whether {programme} made a difference."],
    }


def _plain(value: Any) -> Any:
    """A cell as JSON knows it."""
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value


def _manifest(
    folder: Path, tables: Mapping[str, pd.DataFrame], controlled: Controlled, report: Report
) -> dict[str, Any]:
    """Every file with its digest, rows and suppressed cells, and the rules that were applied."""
    files = {}
    for path in sorted(folder.iterdir()):
        entry: dict[str, Any] = {"sha256": digest_file(path)}
        if path.suffix != ".json":
            entry["rows"] = len(tables[path.stem])
            entry["suppressed"] = controlled.suppressed.get(path.stem, 0)
        files[path.name] = entry
    return {
        "files": files,
        "rules": {
            **report.disclosure.model_dump(mode="json"),
            "order": "counts are suppressed on their true values, then rounded; totals and rates are worked out again",
            "secondary": "counts from which a suppressed one could be worked out are suppressed too",
        },
        "suppressed": sum(controlled.suppressed.values()),
        "left_behind": controlled.left_behind,
    }


def _take_the_place_of(folder: Path, target: Path, before: Path) -> None:
    """Put a finished folder where the one before was, which moves aside first and comes back if that fails."""
    if target.exists():
        os.replace(target, before)
    try:
        os.replace(folder, target)
    except OSError:
        if before.exists():
            os.replace(before, target)
        raise
    target.chmod(0o755)
    shutil.rmtree(before, ignore_errors=True)
