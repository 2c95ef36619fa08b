"""The ``#|`` options at the head of a Python cell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plneval.errors import UserError, UserErrors, did_you_mean
from plneval.report.render.front_matter import load_yaml_mapping

_ALLOWED = ("echo", "include", "output", "label", "fig-cap", "fig-alt", "tbl-cap", "layout-ncol", "tags")
_LABEL = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class CellOptions:
    """What a cell shows of itself.

    ``output`` is True, False or ``"asis"`` (what the cell prints is markdown). ``fig_alt`` holds one text per figure;
    a single text serves the first figure.
    """

    echo: bool = True
    include: bool = True
    output: bool | str = True
    label: str | None = None
    fig_cap: str | None = None
    fig_alt: tuple[str, ...] = ()
    tbl_cap: str | None = None
    layout_ncol: int | None = None
    parameters: bool = False

    @property
    def is_figure(self) -> bool:
        """Whether the cell's output is a figure with a caption."""
        return self.fig_cap is not None

    @property
    def is_table(self) -> bool:
        """Whether the cell's output is a table with a caption."""
        return self.tbl_cap is not None


def parse_cell_options(lines: list[str], path: Path, first_line: int, defaults: dict[str, Any]) -> CellOptions:
    """Read the ``#|`` lines of a cell.

    Parameters
    ----------
    lines:
        The option lines, each starting with ``#|``.
    path, first_line:
        Where they stand.
    defaults:
        The front matter's ``execute`` mapping.

    Raises
    ------
    UserError
        Naming file and line of an option that is not in the subset, or whose value is not allowed.
    """
    text = "\n".join(line[2:].removeprefix(" ") for line in lines)
    values, where = load_yaml_mapping(text, path, first_line)
    problems = []
    for key, value in values.items():
        found = f"{path}:{where[key]}"
        if key not in _ALLOWED:
            problems.append(
                f"{found}: cell option '{key}' is not supported; allowed: {', '.join(_ALLOWED)}."
                f"{did_you_mean(key, _ALLOWED)}"
            )
        elif problem := _problem(key, value):
            problems.append(f"{found}: {problem}")
    if problems:
        raise UserErrors(problems)
    alt = values.get("fig-alt", ())
    options = CellOptions(
        echo=values.get("echo", defaults.get("echo", True)),
        # What sets parameters is never part of the page.
        include=values.get("include", True) and "tags" not in values,
        output=values.get("output", defaults.get("output", True)),
        label=values.get("label"),
        fig_cap=_one_line(values.get("fig-cap")),
        fig_alt=(alt,) if isinstance(alt, str) else tuple(alt),
        tbl_cap=_one_line(values.get("tbl-cap")),
        layout_ncol=values.get("layout-ncol"),
        parameters="tags" in values,
    )
    _check_together(options, path, first_line)
    return options


def _problem(key: str, value: Any) -> str | None:
    """Say what is wrong with one option's value, or None."""
    if key in ("echo", "include") and not isinstance(value, bool):
        return f"'{key}' must be true or false, found {value!r}"
    if key == "output" and not (isinstance(value, bool) or value == "asis"):
        return f"'output' must be true, false or asis, found {value!r}"
    if key in ("fig-cap", "tbl-cap") and not (isinstance(value, str) and value.strip()):
        return f"'{key}' must be one text, found {value!r}"
    if key == "fig-alt":
        texts = value if isinstance(value, list) else [value]
        if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
            return f"'fig-alt' must be a text, or a list with a text for each figure, found {value!r}"
    if key == "layout-ncol" and not (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 4):
        return f"'layout-ncol' must be a whole number from 1 to 4, found {value!r}"
    if key == "label" and not (isinstance(value, str) and _LABEL.fullmatch(value)):
        return f"label {value!r} must be lower-case letters, digits and single hyphens, starting with a letter"
    if key == "tags" and value != ["parameters"]:
        return f"'tags' can only be [parameters], found {value!r}"
    return None


def _one_line(text: str | None) -> str | None:
    return None if text is None else " ".join(text.split())


def _check_together(options: CellOptions, path: Path, line: int) -> None:
    """Refuse options that contradict each other."""
    label = options.label or ""
    if options.is_figure and options.is_table:
        raise UserError(f"{path}:{line}: a cell has either fig-cap or tbl-cap, this one has both; split the cell")
    for prefix, has_caption in (("fig", options.is_figure), ("tbl", options.is_table)):
        if label.startswith(f"{prefix}-") and not has_caption:
            raise UserError(
                f"{path}:{line}: label '{label}' needs a {prefix}-cap (labels beginning with '{prefix}-' are numbered)"
            )
        if has_caption and label and not label.startswith(f"{prefix}-"):
            raise UserError(f"{path}:{line}: label '{label}' of a cell with {prefix}-cap must begin with '{prefix}-'")
    if (options.is_table and options.output is False) or (options.is_figure and options.output is False):
        raise UserError(f"{path}:{line}: a caption needs an output, but 'output' is false")
