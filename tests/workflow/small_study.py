"""A project's folder with a small study, and the command line within it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Project:
    """A project's folder, and the command line within it."""

    folder: Path

    def plneval(
        self, *arguments: str, hash_seed: str = "0", key: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "COLUMNS": "200"}
        environment.pop("PLNEVAL_ID_KEY", None)
        if key is not None:
            environment["PLNEVAL_ID_KEY"] = key
        return subprocess.run(
            [sys.executable, "-m", "plneval.cli.main", *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def run(self, *arguments: str, hash_seed: str = "0", key: str | None = None) -> str:
        done = self.plneval("run", "--cohort", "demo", *arguments, hash_seed=hash_seed, key=key)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def results(self) -> Path:
        return self.folder / "results" / "demo"

    @property
    def release(self) -> Path:
        return self.results / "release"

    def edit(self, name: str, pattern: str, replacement: str) -> None:
        """Change a file of the project by a regular expression that must be found."""
        path = self.folder / name
        text, count = re.subn(pattern, replacement, path.read_text(encoding="utf-8"), count=1)
        assert count == 1, f"{pattern} is not in {name}"
        path.write_text(text, encoding="utf-8")


def whole_project(folder: Path) -> Project:
    """What is declared in this project, in a folder of its own."""
    for name in ("config", "workflow", "reports"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "Snakefile", folder / "Snakefile")
    return Project(folder)


SPARED = (
    "cs_maths_not_yet",
    "imputation_maths",
    "etwfe_maths",
    "synthetic_maths",
    "diffusion_reading",
    "diffusion_same_teachers_maths",
    "growth_school_maths",
    "split_focus_maths",
    "split_composition_maths",
)
"""Models of the demonstration that the small study does without: others of their kind stay, and their own tests."""


def small_project(folder: Path) -> Project:
    """The demonstration with fewer schools, pupils and models, in a folder of its own."""
    project = whole_project(folder)
    project.edit("config/cohorts/demo.yaml", r"(?m)^  schools: \d+", "  schools: 60")
    project.edit("config/cohorts/demo.yaml", r"(?m)^  networks: \d+", "  networks: 9")
    project.edit("config/cohorts/demo.yaml", r"(?m)^  pupils_per_grade: \d+", "  pupils_per_grade: 15")
    for model in SPARED:
        project.edit("config/cohorts/demo.yaml", rf"(?m)^  - {model}\n", "")
    return project
