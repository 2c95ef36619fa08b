"""From the patterns of a cohort's sources to the files that they mean, within the declared folder only."""

from __future__ import annotations

import difflib
from pathlib import Path, PurePosixPath

from plneval.config.cohort import Cohort
from plneval.config.sources import TABLES
from plneval.errors import UserError, UserErrors
from plneval.ingest.places import CohortFile

SourceFiles = list[tuple[int, list[Path]]]
"""For each source of a table its position (from 0) and its files, sorted by name."""


def resolve(cohort: Cohort, data_folder: Path, place: CohortFile | None = None) -> dict[str, SourceFiles]:
    """Find the raw files of every table.

    Parameters
    ----------
    cohort : the cohort whose sources name the patterns.
    data_folder : the folder that all patterns start from.
    place : the cohort's file, for messages with a line.

    Returns
    -------
    For each table that has sources, in the order of the canonical tables: ``(source position, files)`` for every source
    that is read from files. Files are sorted by their path within the folder, so that nothing depends on the file
    system's order. Hidden files and the lock files of office programs (``~$``) are no matches.

    Raises
    ------
    UserError
        If the data folder is not there (the message says where the data come from).
    UserErrors
        With one line for each pattern that leaves the folder or matches nothing.
    """
    found, problems = find(cohort, data_folder, place or CohortFile(Path("config/cohorts")))
    if problems:
        raise UserErrors(problems)
    return found


def find(cohort: Cohort, data_folder: Path, place: CohortFile) -> tuple[dict[str, SourceFiles], list[UserError]]:
    """The files as :func:`resolve` gives them, and the mistakes, for those who have more to report.

    Raises
    ------
    UserError
        If the data folder is not there.
    """
    if not data_folder.is_dir():
        raise place.error(
            ("data", "folder"),
            f"there is no folder '{data_folder}'. Where the data come from: {cohort.data.origin}",
        )
    problems: list[UserError] = []
    found: dict[str, SourceFiles] = {}
    root = data_folder.resolve()
    for table in TABLES:
        for position, source in enumerate(cohort.sources.get(table, [])):
            if source.files is None:
                continue
            paths: set[Path] = set()
            for pattern in source.patterns:
                try:
                    paths.update(_matches(data_folder, root, pattern))
                except UserError as error:
                    problems.append(place.error(("sources", table, position, "files"), str(error)))
            ordered = sorted(paths, key=lambda path: path.relative_to(data_folder).as_posix())
            found.setdefault(table, []).append((position, ordered))
    return found, problems


def shown(path: Path, data_folder: Path) -> str:
    """A raw file as it is named in messages and in the ledger: its path within the data folder."""
    return path.relative_to(data_folder).as_posix()


def _matches(folder: Path, root: Path, pattern: str) -> list[Path]:
    """Files that one pattern matches; an error says why there are none."""
    posix = PurePosixPath(pattern.replace("\\", "/"))
    if not pattern.strip() or posix.is_absolute() or ".." in posix.parts or ":" in (posix.parts or ("",))[0]:
        raise UserError(f"'{pattern}' leaves the data folder; give a name or pattern within it.")
    try:
        candidates = list(folder.glob(posix.as_posix()))
    except (ValueError, NotImplementedError):
        raise UserError(f"'{pattern}' is not a file name or pattern.") from None
    matches = []
    for path in candidates:
        if path.name.startswith((".", "~$")) or not path.is_file():
            continue
        if not path.resolve().is_relative_to(root):
            raise UserError(
                f"'{path.relative_to(folder).as_posix()}' is a link to a file outside the data folder; copy it there."
            )
        matches.append(path)
    if not matches and len(candidates) == 1 and candidates[0].is_dir():
        raise UserError(f"'{posix.as_posix()}' is a folder; name the files in it, such as '{posix.as_posix()}/*.csv'.")
    if not matches:
        raise UserError(f"no file matches '{pattern}' in '{folder}'.{_nearest(folder, posix.as_posix())}")
    return matches


def _nearest(folder: Path, pattern: str) -> str:
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith((".", "~$"))
    )
    if not names:
        return " The folder holds no files."
    near = difflib.get_close_matches(pattern, names, n=3, cutoff=0.4) or names[:3]
    return f" Nearest files: {', '.join(near)}."
