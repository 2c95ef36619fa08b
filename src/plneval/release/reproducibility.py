"""What a result was made from: versions, digests of data, configuration and code, seeds."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from plneval.artifacts import digest_file, read_json
from plneval.config.cohort import Cohort
from plneval.config.layout import STAGES, Layout
from plneval.config.models import ModelSpec
from plneval.config.project import Project
from plneval.config.provenance import stage_digest
from plneval.config.report import Report
from plneval.config.workspace import spec_digest
from plneval.errors import UserError

ELSEWHERE: Final = {"cohorts", "results"}
"""Settings of the project that change where results stand and which others are made, and no result."""


def reproducibility_document(
    project: Project,
    cohort: Cohort,
    report: Report,
    specs: Mapping[str, ModelSpec],
    layout: Layout,
    data_folder: Path,
) -> dict[str, Any]:
    """Versions, digests (SHA-256) and seeds behind a release; nothing in it depends on when or where it was made."""
    notes = read_json(layout.tables / "ledger.json")["notes"]
    seeds = {"project": project.seed}
    if cohort.simulate is not None and cohort.data.truth is not None:
        seeds["simulation"] = cohort.simulate.seed
    return {
        "python": platform.python_version(),
        "packages": package_versions(),
        "data": data_digests(read_json(layout.tables / "sources.json")["files"], cohort, data_folder),
        "configuration": {
            "project": spec_digest(project.model_dump(mode="json", exclude=ELSEWHERE)),
            "cohort": spec_digest(cohort),
            "report": spec_digest(report),
            **{f"model {model}": spec_digest(spec) for model, spec in specs.items()},
        },
        # The report's own code comes after: a change of it makes no new release.
        "code": {stage: stage_digest(stage) for stage in STAGES if stage != "report"},
        "seeds": seeds,
        "id_key": "default" if any(note["rule"] == "default_key" for note in notes) else "own key",
    }


def package_versions() -> dict[str, str]:
    """Versions of this package and of the packages that it runs on, by name, sorted."""
    names = {"plneval"}
    for requirement in metadata.requires("plneval") or []:
        if "extra ==" not in requirement:
            found = re.match(r"[A-Za-z0-9._-]+", requirement)
            names.add(found[0] if found else requirement)
    return {name: metadata.version(name) for name in sorted(names, key=str.lower)}


def data_digests(files: list[dict[str, Any]], cohort: Cohort, data_folder: Path) -> dict[str, str]:
    """Digest of every raw file that was read, by its name within the data folder.

    Raises
    ------
    UserError
        If a simulated study's truth is not there any more.
    """
    digests = {}
    for entry in files:
        # Rows that are written in the configuration have no file of their own.
        name = entry["file"] if entry.get("format") != "rows" else f"{entry['file']} ({entry['table']})"
        digests[name] = entry["digest"]
    if cohort.data.truth is not None:
        truth = data_folder / cohort.data.truth
        if not truth.is_file():
            raise UserError(f"{truth}: the planted effects are not there; run the cohort again from simulate.")
        digests[cohort.data.truth] = digest_file(truth)
    return dict(sorted(digests.items()))
