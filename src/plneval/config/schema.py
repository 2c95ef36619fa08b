"""JSON Schemas of the configuration files, for completion and checks in editors."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel

from plneval.artifacts import write_text
from plneval.config.cohort import Cohort
from plneval.config.instrument import Instrument
from plneval.config.models import Models
from plneval.config.project import Project
from plneval.config.report import Report

SCHEMAS: dict[str, type[BaseModel]] = {
    "config": Project,
    "cohort": Cohort,
    "instrument": Instrument,
    "models": Models,
    "report": Report,
}


def schema_text(name: str) -> str:
    """One file's JSON Schema as text."""
    schema = SCHEMAS[name].model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def write_schemas(folder: Path) -> list[Path]:
    """Write every schema into a folder as ``<name>.schema.json``; return the paths in order."""
    paths = []
    for name in SCHEMAS:
        path = folder / f"{name}.schema.json"
        write_text(path, schema_text(name))
        paths.append(path)
    return paths
