"""Parameters of a report: defaults in a tagged cell, values injected after it."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plneval.errors import UserError, did_you_mean
from plneval.report.render.qmd import Cell, Document


def parameter_cell(document: Document) -> Cell | None:
    """The cell tagged ``parameters``, or None."""
    return next((cell for cell in document.cells if cell.options.parameters), None)


def declared_parameters(cell: Cell) -> list[str]:
    """The names a parameters cell assigns, in order.

    Raises
    ------
    UserError
        If the cell does anything besides assigning names.
    """
    try:
        tree = ast.parse(cell.source)
    except SyntaxError as error:
        raise UserError(
            f"{cell.path}:{cell.line + (error.lineno or 0)}: the parameters cell is not valid Python: {error.msg}"
        ) from None
    names = []
    for statement in tree.body:
        targets: list[ast.expr] = []
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets = [statement.target]
        if not targets or not all(isinstance(target, ast.Name) for target in targets):
            raise UserError(
                f"{cell.path}:{cell.line + statement.lineno}: the parameters cell may only assign names: `name = value`"
            )
        names += [target.id for target in targets if isinstance(target, ast.Name)]
    return names


def injected_source(document: Document, params: Mapping[str, Any]) -> str | None:
    """The Python source that sets the given parameters after their defaults, or None without parameters.

    The values also stand together in a dictionary ``params`` (defaults included).

    Raises
    ------
    UserError
        For a parameter the source does not declare, or a value that is not plain data.
    """
    cell = parameter_cell(document)
    if cell is None:
        if params:
            raise UserError(
                f"{document.path}: parameters {', '.join(sorted(params))} were given, "
                "but no cell is tagged `#| tags: [parameters]`"
            )
        return None
    known = declared_parameters(cell)
    for name in params:
        if name not in known:
            raise UserError(
                f"{cell.path}:{cell.line}: no parameter '{name}'; declared: {', '.join(known)}."
                f"{did_you_mean(name, known)}"
            )
    lines = ["#| include: false"]
    lines += [f"{name} = {_literal(name, params[name])}" for name in known if name in params]
    lines.append("params = {" + ", ".join(f"{name!r}: {name}" for name in dict.fromkeys(known)) + "}")
    return "\n".join(lines)


def _literal(name: str, value: Any) -> str:
    """Python source of plain data; a path becomes the text of its absolute path, for cells run in another folder."""
    plain = _plain(name, value)
    return repr(plain)


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, Path):
        return str(value.resolve())
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(name, item) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain(name, item) for key, item in value.items()}
    raise UserError(
        f"parameter '{name}': {type(value).__name__} {value!r} is not plain data "
        "(text, finite number, true/false, path, list, mapping)"
    )
