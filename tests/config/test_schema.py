"""The JSON Schemas in config/schema/ are those of the models, and the shipped files follow them."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from plneval.config.schema import SCHEMAS, schema_text


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_stored_schema_has_not_drifted(root: Path, name: str) -> None:
    stored = (root / "config" / "schema" / f"{name}.schema.json").read_text(encoding="utf-8")
    assert stored == schema_text(name), "write it anew by: plneval schema"


def shipped(root: Path) -> list[Path]:
    folders = (root / "config", root / "config" / "cohorts", root / "config" / "instruments")
    return [path for folder in folders for path in sorted(folder.glob("*.yaml"))]


def test_every_shipped_file_names_its_schema_and_follows_it(root: Path) -> None:
    files = shipped(root)
    assert len(files) >= 6
    for path in files:
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith("# yaml-language-server: $schema="), path
        schema_path = (path.parent / first.split("$schema=")[1]).resolve()
        schema = json.loads(schema_path.read_text(encoding="utf-8"))
        jsonschema.validate(yaml.safe_load(path.read_text(encoding="utf-8")), schema)


def test_every_field_of_every_schema_is_described() -> None:
    for name in SCHEMAS:
        schema = json.loads(schema_text(name))
        for owner, definition in {name: schema, **schema.get("$defs", {})}.items():
            for field, value in definition.get("properties", {}).items():
                # A reference carries the description of what it refers to; a kind is its own explanation.
                target = schema["$defs"][value["$ref"].split("/")[-1]] if "$ref" in value else {}
                described = "description" in {**target, **value} or field == "kind"
                assert described, f"{owner}.{field} has no description"
