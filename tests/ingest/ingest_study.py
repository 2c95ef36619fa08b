"""A small study whose sources each test bends to its purpose."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from plneval.config.base import validate
from plneval.config.cohort import Cohort, Tidier
from plneval.config.yaml_source import read_yaml
from plneval.ingest.stage import Tables, load

FILES: dict[str, str | bytes] = {
    "schools.csv": "id,name\n001,Ash\n002,Birch\n003,Cedar\n",
    "networks.csv": "net,name\nN1,Numeracy\nN2,Reading\n",
    "members.csv": "net,school,from,to\nN1,001,2016-09-01,\n",
    "pupils.csv": "pupil,year,school,grade,fsm\nP1,2015,001,3,1\nP1,2016,001,4,1\nP2,2015,002,3,0\nP2,2016,002,4,0\n",
    "scores.csv": "pupil,year,maths\nP1,2015,101\nP1,2016,105\nP2,2015,99\nP2,2016,98.5\n",
}

DECLARED: dict[str, Any] = {
    "title": "A study",
    "programme": "the networks",
    "data": {"folder": "data", "origin": "Ask the office."},
    "study": {"first_year": 2015, "last_year": 2018},
    "outcomes": {"maths": {"label": "Maths", "minimum": 0, "maximum": 200}, "reading": {"label": "Reading"}},
    "models": ["any"],
    "sources": {
        "schools": [{"files": "schools.csv", "columns": {"school_id": "id", "name": "name"}}],
        "networks": [{"files": "networks.csv", "columns": {"network_id": "net", "name": "name"}}],
        "memberships": [
            {
                "files": "members.csv",
                "columns": {"network_id": "net", "school_id": "school", "joined": "from", "left": "to"},
            }
        ],
        "pupils": [
            {
                "files": "pupils.csv",
                "year": {"column": "year"},
                "columns": {"pupil_id": "pupil", "school_id": "school", "grade": "grade", "disadvantaged": "fsm"},
            }
        ],
        "outcomes": [
            {
                "files": "scores.csv",
                "year": {"column": "year"},
                "columns": {"pupil_id": "pupil"},
                "outcomes": {"maths": "maths"},
            }
        ],
    },
    "tidier": dict.fromkeys(Tidier.model_fields, "-"),
}


class Study:
    """Raw files and their declaration: change ``files`` and ``declared``, then load."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.data = folder / "data"
        self.files = dict(FILES)
        self.declared = copy.deepcopy(DECLARED)

    @property
    def sources(self) -> dict[str, list[dict[str, Any]]]:
        sources: dict[str, list[dict[str, Any]]] = self.declared["sources"]
        return sources

    def write(self) -> None:
        for name, content in self.files.items():
            path = self.data / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)

    def cohort(self) -> tuple[Cohort, Any]:
        path = self.root / "study.yaml"
        # Through JSON, so that a section used twice is written out twice.
        path.write_text(yaml.safe_dump(json.loads(json.dumps(self.declared)), sort_keys=False), encoding="utf-8")
        source = read_yaml(path)
        return validate(source, Cohort), source

    def load(self) -> Tables:
        self.write()
        cohort, source = self.cohort()
        return load(cohort, "study", self.data, source)

    def outcomes_of(self, text: str | bytes, **changes: Any) -> pd.DataFrame:
        """The outcomes table when ``scores.csv`` holds this text and the source declares these changes."""
        self.files["scores.csv"] = text
        self.sources["outcomes"][0] |= changes
        return self.load().frames["outcomes"]
