"""A new user's mistakes: each ends with exit code 2 and words that say what to do, never with a traceback."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def plneval(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "plneval.cli.main", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def refused(folder: Path, *arguments: str) -> str:
    done = plneval(folder, *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done.stderr


@pytest.fixture
def project(tmp_path: Path, root: Path) -> Path:
    shutil.copytree(root / "config", tmp_path / "config")
    shutil.copytree(root / "workflow", tmp_path / "workflow")
    shutil.copytree(root / "reports", tmp_path / "reports")
    shutil.copy(root / "Snakefile", tmp_path / "Snakefile")
    return tmp_path


def test_outside_a_project_the_folder_is_asked_for(tmp_path: Path) -> None:
    assert "no config/config.yaml here" in refused(tmp_path, "check")


def test_a_cohort_that_does_not_exist(project: Path) -> None:
    message = refused(project, "run", "--cohort", "dmo")
    assert "there is no cohort 'dmo'. Did you mean 'demo'?" in message


def test_data_that_are_absent_say_where_they_come_from(project: Path) -> None:
    message = refused(project, "run", "--cohort", "chicago-isp", "--data", "nowhere")
    assert "nowhere: the data folder of the cohort 'chicago-isp' is not there." in message
    assert "Chicago" in message.split("Where the data come from:")[1]


def test_one_data_folder_for_two_cohorts(project: Path) -> None:
    message = refused(project, "run", "--cohort", "demo", "--cohort", "chicago-isp", "--data", ".")
    assert "--data fits one cohort only" in message


def test_a_misspelt_key_names_file_line_and_key(project: Path) -> None:
    path = project / "config" / "report.yaml"
    text = path.read_text(encoding="utf-8").replace("months_table:", "month_table:")
    path.write_text(text, encoding="utf-8")
    line = next(number for number, row in enumerate(text.splitlines(), 1) if row.startswith("month_table"))
    message = refused(project, "run", "--cohort", "demo", "--dry-run")
    assert message.startswith(
        f"config/report.yaml:{line}: month_table: there is no such key. Did you mean 'months_table'?"
    )


def test_plain_snakemake_tells_a_mistake_without_a_traceback(project: Path) -> None:
    path = project / "config" / "config.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "seed: 3\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "the key 'seed' stands twice" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_report_before_any_run_says_what_to_run(project: Path) -> None:
    assert "make them by: plneval run --cohort demo" in refused(project, "report", "--cohort", "demo")


def test_another_seed_needs_a_folder_of_its_own(project: Path) -> None:
    assert "name a folder for it by --to" in refused(project, "simulate", "--seed", "1")


def test_a_live_run_in_the_same_folder_is_not_disturbed(project: Path) -> None:
    locks = project / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text("x", encoding="utf-8")
    message = refused(project, "run", "--cohort", "demo", "--dry-run")
    assert "snakemake --unlock" in message
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)  # snakemake"]) as alive:
        (project / ".snakemake" / "plneval.json").write_text(f'{{"pid": {alive.pid}}}', encoding="utf-8")
        assert f"another run (process {alive.pid}) is at work" in refused(project, "run", "--cohort", "demo")
        alive.kill()


def test_the_lock_of_a_dead_run_is_cleared(project: Path) -> None:
    locks = project / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text("x", encoding="utf-8")
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    (project / ".snakemake" / "plneval.json").write_text(f'{{"pid": {dead.pid}}}', encoding="utf-8")
    done = plneval(project, "run", "--cohort", "demo", "--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not any(locks.iterdir())
