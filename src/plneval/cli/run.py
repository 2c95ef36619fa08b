"""``plneval run``: Snakemake underneath, a progress bar on top, and plain words when something is wrong."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from plneval.artifacts import write_json
from plneval.config.workspace import Workspace
from plneval.errors import UserError

_STEP = re.compile(r"^(\d+) of (\d+) steps")
_MESSAGE = re.compile(r"^(?:Job \d+: )(.+)$")
_TOTAL = re.compile(r"^total\s+(\d+)$")


class RunFailed(Exception):
    """The workflow ended with an error that is no mistake of the user's."""


def run_workflow(
    workspace: Workspace,
    cohorts: list[str],
    *,
    console: Console,
    cores: int,
    data: Path | None = None,
    dry_run: bool = False,
    force: bool = False,
) -> None:
    """Run the workflow for some cohorts.

    Raises
    ------
    UserError
        If a job met a mistake in configuration or data; its message is the job's.
    RunFailed
        If the workflow failed otherwise; the message names the log.
    """
    root = workspace.root.resolve()
    if not (root / "Snakefile").is_file():
        raise UserError(f"{root}: there is no Snakefile in the project's folder.")
    _clear_stale_lock(root)
    command = [
        *(sys.executable, "-m", "snakemake", "--cores", str(cores), "--rerun-incomplete", "--nocolor"),
        *(["--dry-run"] if dry_run else []),
        *(["--forceall"] if force else []),
        *("--config", f"cohorts={','.join(cohorts)}", *([f"data={data}"] if data is not None else [])),
    ]
    for cohort in cohorts:
        _forget_problems(workspace, cohort)
    log = root / ".snakemake" / "plneval.log"
    log.parent.mkdir(exist_ok=True)
    with subprocess.Popen(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=_environment()
    ) as process:
        _remember(root, process.pid, dry_run)
        try:
            tail = _follow(process, log, console, dry_run)
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            console.print("Stopped. What was finished is kept; the same command goes on from there.")
            raise
        code = process.wait()
    if code == 0:
        return
    problems = [text for cohort in cohorts for text in _problems(workspace, cohort)]
    if problems:
        raise UserError("\n".join(dict.fromkeys(problems)))
    first = next((place for place, line in enumerate(tail) if re.search("Error|Exception", line)), 0)
    where = f"The workflow failed. Its log: {log.relative_to(root)}; logs of its jobs: results/*/logs/"
    raise RunFailed("\n".join([*tail[first:], where]))


def _environment() -> dict[str, str]:
    # The child finds this project's package and prints line by line.
    return {**os.environ, "PYTHONUNBUFFERED": "1"}


def _follow(process: subprocess.Popen[str], log: Path, console: Console, dry_run: bool) -> list[str]:
    """Show progress while Snakemake prints; return its last lines."""
    tail: list[str] = []
    assert process.stdout is not None
    with (
        log.open("w", encoding="utf-8") as kept,
        Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=dry_run,
        ) as progress,
    ):
        bar = progress.add_task("Planning", total=None)
        for line in _lines(process.stdout, kept.write):
            tail = [*tail[-29:], line]
            if dry_run:
                if message := _MESSAGE.match(line):
                    console.print(f"would run: {message[1]}", markup=False)
                elif line.startswith("Nothing to be done"):
                    console.print("Everything is up to date.")
                continue
            if step := _STEP.match(line):
                progress.update(bar, completed=int(step[1]), total=int(step[2]))
            elif total := _TOTAL.match(line):
                progress.update(bar, total=int(total[1]))
            elif message := _MESSAGE.match(line):
                progress.update(bar, description=message[1])
            elif line.startswith("Nothing to be done"):
                progress.update(bar, description="Everything is up to date", completed=1, total=1)
        if not dry_run and process.wait() == 0:
            progress.update(bar, description="Done")
    return tail


def _lines(stream: Iterable[str], keep: Callable[[str], object]) -> Iterator[str]:
    for line in stream:
        keep(line)
        yield line.rstrip("\n")


def _forget_problems(workspace: Workspace, cohort: str) -> None:
    for path in workspace.layout(cohort).logs.glob("*.problem"):
        path.unlink()


def _problems(workspace: Workspace, cohort: str) -> list[str]:
    """Messages that jobs left, in the order of their names."""
    return [
        path.read_text(encoding="utf-8").strip() for path in sorted(workspace.layout(cohort).logs.glob("*.problem"))
    ]


def _owner(root: Path) -> Path:
    return root / ".snakemake" / "plneval.json"


def _remember(root: Path, pid: int, dry_run: bool) -> None:
    if not dry_run:
        write_json(_owner(root), {"pid": pid})


def _clear_stale_lock(root: Path) -> None:
    """Remove Snakemake's lock when the run that took it is dead; refuse to start beside one that lives.

    Raises
    ------
    UserError
        If the run that holds the lock is alive, or is unknown.
    """
    locks = root / ".snakemake" / "locks"
    if not locks.is_dir() or not any(locks.iterdir()):
        return
    owner = _owner(root)
    if not owner.is_file():
        raise UserError(
            f"{root}: the folder is locked by a run of Snakemake that plneval did not start. "
            "If no run is at work, clear it by: snakemake --unlock"
        )
    pid = int(json.loads(owner.read_text(encoding="utf-8"))["pid"])
    if _alive(pid):
        raise UserError(f"{root}: another run (process {pid}) is at work here; wait for it, or end it.")
    for lock in locks.iterdir():
        lock.unlink()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # A process of another program may have got the number since.
    status = Path(f"/proc/{pid}/cmdline")
    return not status.is_file() or b"snakemake" in status.read_bytes()
