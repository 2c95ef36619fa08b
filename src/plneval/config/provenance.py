"""Which code a stage consists of, as one digest: a stage reruns when its own source or anything below it changes."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

SHARED: Final = ("errors.py", "artifacts.py", "standards", "config")
BELOW: Final[dict[str, tuple[str, ...]]] = {
    "simulate": (*SHARED, "simulate"),
    "ingest": (*SHARED, "ingest"),
    "prepare": (*SHARED, "ingest", "prepare"),
    "describe": (*SHARED, "ingest", "prepare", "networks", "did", "multilevel", "describe"),
    "estimate": (*SHARED, "ingest", "prepare", "networks", "did", "multilevel", "estimate"),
    "challenge": (
        *SHARED,
        *("ingest", "prepare", "networks", "did", "multilevel", "describe", "estimate", "challenge"),
    ),
    "release": (
        *SHARED,
        *("ingest", "prepare", "networks", "did", "multilevel", "describe", "estimate", "challenge", "release"),
    ),
    "report": (
        *SHARED,
        *("ingest", "prepare", "networks", "did", "multilevel", "describe", "estimate", "challenge", "release"),
        "report",
    ),
}
"""Packages (and modules) whose source a stage runs, in the order in which imports may point."""
SUFFIXES: Final = (".css", ".html", ".json", ".py", ".typ", ".yaml")
"""Endings of the files that are source: code, and the data and styles that are installed with it."""

_PACKAGE: Final = Path(__file__).resolve().parent.parent


@cache
def stage_digest(stage: str) -> str:
    """SHA-256 over the sources of a stage's package and of every package that it may import.

    Names and contents count, dates and compiled files do not. A package that does not exist yet adds nothing.

    Raises
    ------
    KeyError
        If there is no such stage.
    """
    return sources_digest(_PACKAGE, BELOW[stage])


def sources_digest(package: Path, parts: tuple[str, ...]) -> str:
    """SHA-256 over the relative names and contents of the source files of some parts of a package."""
    digest = hashlib.sha256()
    for part in parts:
        root = package / part
        files = [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.suffix in SUFFIXES)
        for path in files:
            content = path.read_bytes()
            # Lengths keep a name from running into a content: two different trees cannot give the same bytes.
            name = path.relative_to(package).as_posix().encode("utf-8")
            digest.update(b"%d:%s%d:" % (len(name), name, len(content)))
            digest.update(content)
    return digest.hexdigest()
