"""Cohorts of a few dozen rows in a project of their own, for tests to spoil; and the stages that read them."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from plneval.cli import main as command
from plneval.cli import stage as stages
from plneval.config.cohort import Tidier

ROOT = Path(__file__).resolve().parent.parent.parent
YEARS = range(2011, 2018)
JOINED = {1: "2013-09-01", 2: "2013-09-01", 3: "2013-09-01", 4: "2014-09-01", 5: "2014-09-01", 6: "2014-09-01"}
"""Member schools of both studies; the entry years are 2014 and 2015. Odd schools are in N1, even ones in N2."""
# Scores wander by a fixed pattern that repeats for no school, so that nothing is random and nothing is equal.
WANDER = (3, -7, 5, 0, 8, -4, -2, 6, -9, 1, 7)

DECLARED: dict[str, Any] = {
    "title": "A tiny study",
    "programme": "the tiny networks",
    "data": {"folder": "data", "origin": "Ask the office."},
    "study": {"first_year": 2011, "last_year": 2017, "level": "school"},
    "design": {"cluster": "school", "weight": "schools", "minimum_entry_group": 1},
    "outcomes": {"maths": {"label": "Mathematics", "minimum": 0, "maximum": 200}},
    "models": ["cs", "twfe"],
    "sources": {
        "schools": [{"files": "schools.csv", "columns": {"school_id": "id", "name": "name"}}],
        "networks": [{"files": "networks.csv", "columns": {"network_id": "net", "name": "name"}}],
        "memberships": [
            {
                "files": "members.csv",
                "columns": {"network_id": "net", "school_id": "school", "joined": "from", "left": "to"},
            }
        ],
        "outcomes": [
            {
                "files": "scores_*.csv",
                "year": {"column": "year"},
                "columns": {"school_id": "school"},
                "outcomes": {"maths": {"score": "maths", "n": "pupils", "sd": "spread"}},
            }
        ],
    },
    "tidier": dict.fromkeys(Tidier.model_fields, "Not described."),
}
MODELS: dict[str, Any] = {
    "cs": {
        "kind": "did.att_gt",
        "label": "Group-time effects",
        "outcome": "maths",
        "role": "confirmatory",
        "headline": True,
    },
    "twfe": {"kind": "did.event_study", "label": "Event study", "outcome": "maths", "role": "exploratory"},
}


class TinyStudy:
    """A project with one cohort, ``tiny``: change ``files``, ``declared`` and ``models``, then run stages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.declared = copy.deepcopy(DECLARED)
        self.models = copy.deepcopy(MODELS)
        self.project: dict[str, Any] = {"cohorts": ["tiny"], "formats": ["html"], "renderer": "embedded"}
        self.report: dict[str, Any] = {"branding": {"organisation": "The office"}}
        self.files: dict[str, str | bytes] = {
            "networks.csv": "net,name\nN1,Numeracy\nN2,Reading\n",
            "schools.csv": "id,name\n" + "".join(f"{s},School number {s}\n" for s in range(1, 15)),
            "members.csv": members(JOINED),
        }
        for year in YEARS:
            self.files[f"scores_{year}.csv"] = school_scores(year)

    @property
    def sources(self) -> dict[str, list[dict[str, Any]]]:
        sources: dict[str, list[dict[str, Any]]] = self.declared["sources"]
        return sources

    @property
    def cohort_file(self) -> Path:
        return self.folder / "config" / "cohorts" / "tiny.yaml"

    @property
    def results(self) -> Path:
        return self.folder / "results" / "tiny"

    @property
    def tables(self) -> Path:
        return self.results / "release" / "tables"

    def write(self) -> None:
        """Write the configuration and the raw files; files of an earlier call that are gone are removed."""
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        for name, content in self.files.items():
            path = self.folder / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        for name, value in (
            ("config.yaml", self.project),
            ("report.yaml", self.report),
            ("models.yaml", {"models": self.models}),
            ("cohorts/tiny.yaml", self.declared),
        ):
            path = self.folder / "config" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            # Through JSON: a section that is used twice is written out twice.
            path.write_text(yaml.safe_dump(json.loads(json.dumps(value)), sort_keys=False), encoding="utf-8")
        (self.folder / "reports").mkdir(exist_ok=True)
        for source in sorted((ROOT / "reports").glob("*.qmd")):
            shutil.copy(source, self.folder / "reports" / source.name)

    def line_of(self, text: str) -> int:
        """Line of the cohort's file that holds a text."""
        lines = self.cohort_file.read_text(encoding="utf-8").splitlines()
        return next(number for number, line in enumerate(lines, start=1) if text in line)

    def stage(self, name: str, *more: str) -> int:
        """Run one stage as a job of the workflow does; the exit code."""
        return stages.main([name, "--cohort", "tiny", "--project", str(self.folder), *more])

    def walk(self, last: str = "report") -> None:
        """Run the stages from ``ingest`` to the last one; all of them must succeed."""
        self.write()
        for name in stages.STAGES[: stages.STAGES.index(last) + 1]:
            for more in [("--model", model) for model in self.declared["models"]] if name == "estimate" else [()]:
                assert self.stage(name, *more) == 0, (name, *more)

    def refused(self, name: str, *more: str) -> str:
        """The message with which a stage ends; it must leave exit code 2 and no file of its own."""
        before = self._written()
        assert self.stage(name, *more) == 2
        assert self._written() == before
        return self.problem(name, *more[1:])

    def problem(self, name: str, model: str | None = None) -> str:
        """The message that a job left beside its log."""
        stem = f"{name}-{model}" if model else name
        return (self.results / "logs" / f"{stem}.problem").read_text(encoding="utf-8")

    def refused_by_check(self, capsys: pytest.CaptureFixture[str], stage: str = "ingest") -> str:
        """The message of ``plneval check``, which writes nothing; the stage that meets the mistake ends alike."""
        self.write()
        shutil.rmtree(self.results, ignore_errors=True)
        code, _, told = self.command(capsys, "check")
        assert code == 2
        assert "Traceback" not in told
        assert not self.results.exists()
        if stage != "ingest":
            assert self.stage("ingest") == 0
        message = self.refused(stage)
        assert told.strip() == message.strip()
        return message

    def refused_by_prepare(self, capsys: pytest.CaptureFixture[str]) -> str:
        """The message on files that can be read and make no study."""
        return self.refused_by_check(capsys, "prepare")

    def command(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
        """Run ``plneval`` in this process; exit code, standard output and standard error."""
        capsys.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", ["plneval", *arguments, "--project", str(self.folder)])
            with pytest.raises(SystemExit) as ended:
                command.main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    def _written(self) -> set[Path]:
        """Everything below results/ but logs."""
        return {path for path in self.results.rglob("*") if path.is_file() and "logs" not in path.parts}


def members(joined: dict[int, str], left: str = "") -> str:
    """A memberships file: odd schools in N1, even ones in N2."""
    rows = [f"N{2 - school % 2},{school},{date},{left}" for school, date in joined.items()]
    return "\n".join(["net,school,from,to", *rows, ""])


def score(school: int, year: int) -> float:
    """A school's mean: a level of its own, a pattern over the years, and 4 points from the third year of joining on."""
    entry = int(JOINED[school][:4]) + 1 if school in JOINED else None
    effect = 4 if entry is not None and year >= entry + 2 else 0
    return 100 + 1.5 * ((5 * school) % 7) + WANDER[(3 * school + 5 * year) % len(WANDER)] / 4 + effect


def school_scores(year: int, schools: range = range(1, 15)) -> str:
    """One year's scores of schools, with 30 to 43 pupils each."""
    rows = [f"{s},{year},{score(s, year):g},{29 + s},10" for s in schools]
    return "\n".join(["school,year,maths,pupils,spread", *rows, ""])


def pupil_study(folder: Path) -> TinyStudy:
    """The same schools with three pupils each, who stay for all years."""
    study = TinyStudy(folder)
    study.declared["study"]["level"] = "pupil"
    study.declared["design"] = {"weight": "pupils", "cluster": "school", "minimum_entry_group": 1}
    study.sources["pupils"] = [
        {
            "files": "pupils.csv",
            "year": {"column": "year"},
            "columns": {"pupil_id": "pupil", "school_id": "school", "grade": "grade", "disadvantaged": "fsm"},
        }
    ]
    study.sources["outcomes"] = [
        {
            "files": "scores.csv",
            "year": {"column": "year"},
            "columns": {"pupil_id": "pupil"},
            "outcomes": {"maths": "maths"},
        }
    ]
    for year in YEARS:
        del study.files[f"scores_{year}.csv"]
    places = [(s, p, year) for year in YEARS for s in range(1, 15) for p in range(3)]
    study.files["pupils.csv"] = "pupil,year,school,grade,fsm\n" + "".join(
        f"{pupil_number(s, p)},{year},{s},4,{p % 2}\n" for s, p, year in places
    )
    study.files["scores.csv"] = "pupil,year,maths\n" + "".join(
        f"{pupil_number(s, p)},{year},{score(s, year) + 6 * (p - 1) + WANDER[(s + p + year) % 11] / 3:.2f}\n"
        for s, p, year in places
    )
    return study


def pupil_number(school: int, pupil: int) -> str:
    """A number that cannot be taken for anything else, so that a test can look for it."""
    return f"UPN77{school:02d}{pupil}Q"
