"""Notebooks in format 4.5: the few shapes the renderer writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plneval.artifacts import write_text

_FORMAT = (4, 5)


def code_cell(source: str, identifier: str, outputs: list[Any] | None = None) -> dict[str, Any]:
    """A code cell; with outputs it counts as executed."""
    count = None if outputs is None else 1
    return {
        "cell_type": "code",
        "id": identifier,
        "metadata": {},
        "source": source,
        "outputs": outputs or [],
        "execution_count": count,
    }


def text_cell(kind: str, source: str, identifier: str) -> dict[str, Any]:
    """A cell of kind ``markdown`` or ``raw``."""
    return {"cell_type": kind, "id": identifier, "metadata": {}, "source": source}


def notebook(cells: list[dict[str, Any]]) -> Any:
    """A Python notebook, checked against the format.

    Raises
    ------
    nbformat.ValidationError
        If a cell does not follow the format.
    """
    import nbformat

    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    content = {"cells": cells, "metadata": metadata, "nbformat": _FORMAT[0], "nbformat_minor": _FORMAT[1]}
    made: Any = nbformat.from_dict(content)  # type: ignore[no-untyped-call]
    nbformat.validate(made)
    return made


def write_notebook(path: Path, content: Any) -> None:
    """Write a notebook, whole or not at all, with texts as lists of lines: Quarto reads them as such."""
    import nbformat

    write_text(path, nbformat.writes(content) + "\n")  # type: ignore[no-untyped-call]
