"""Reading a report source (``.qmd``) in the declared subset of Quarto: front matter, Python cells and markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plneval.errors import UserError, UserErrors
from plneval.report.render.cell_options import CellOptions, parse_cell_options
from plneval.report.render.front_matter import parse_front_matter
from plneval.report.render.subset import div_problem, is_div_close, is_div_line, line_problem, mask_code_and_math

_FENCE = re.compile(r"^(?P<indent> {0,3})(?P<fence>`{3,}|~{3,})\s*(?P<info>.*?)\s*$")
_INCLUDE = re.compile(r"^\s*\{\{<\s*include\s+(?P<file>\S+)\s*>\}\}\s*$")
_LABEL = re.compile(r"\{#([\w-]+)[^{}]*\}")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


@dataclass(frozen=True)
class Markdown:
    """A run of markdown; ``line`` is the number of its first line in ``path``."""

    path: Path
    line: int
    text: str


@dataclass(frozen=True)
class Cell:
    """A Python cell; ``line`` is the number of its opening fence, ``source`` keeps its ``#|`` lines."""

    path: Path
    line: int
    source: str
    options: CellOptions

    @property
    def name(self) -> str:
        """How messages speak of the cell."""
        return f"cell '{self.options.label}'" if self.options.label else "cell"


@dataclass
class Document:
    """A parsed report source. ``meta`` is its front matter, ``blocks`` its content in order, includes resolved."""

    path: Path
    meta: dict[str, Any]
    blocks: list[Markdown | Cell]
    sources: dict[Path, str] = field(default_factory=dict)

    @property
    def cells(self) -> list[Cell]:
        """The Python cells, in order."""
        return [block for block in self.blocks if isinstance(block, Cell)]

    def locate(self, text: str, start: str = "") -> str:
        """``file:line`` where a text first stands in the sources, or the file alone (it came from a cell).

        Only lines that begin with ``start`` are looked at.
        """
        for path in self.sources:
            for number, line in enumerate(self.sources[path].splitlines(), start=1):
                if text in line and line.startswith(start):
                    return f"{path}:{number}"
        return str(self.path)


def parse(path: Path | str) -> Document:
    """Read a ``.qmd`` file and everything it includes.

    Raises
    ------
    UserErrors
        Naming file and line of everything that is not in the declared subset (see ``docs/renderer.md``).
    """
    path = Path(path)
    text = _read(path, str(path))
    lines = text.splitlines()
    if not lines or lines[0].rstrip() != "---":
        raise UserError(f"{path}:1: a report begins with front matter between two lines '---'")
    end = next((i for i, line in enumerate(lines[1:], start=1) if line.rstrip() in ("---", "...")), None)
    if end is None:
        raise UserError(f"{path}:1: the front matter is not closed by a line '---'")
    meta = parse_front_matter("\n".join(lines[1:end]), path, 2)
    reader = _Reader(root=path.parent, defaults=meta.get("execute", {}))
    reader.sources[path] = text
    reader.read(path, lines[end + 1 :], end + 2, including=(path.resolve(),))
    reader.finish()
    return Document(path, meta, reader.blocks, reader.sources)


def _read(path: Path, named: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{named}: no such file") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{named}: not UTF-8 text (byte {error.start})") from None


class _Reader:
    """Splits sources into blocks and collects what is wrong with them."""

    def __init__(self, root: Path, defaults: dict[str, Any]) -> None:
        self.root = root
        self.defaults = defaults
        self.blocks: list[Markdown | Cell] = []
        self.sources: dict[Path, str] = {}
        self.problems: list[str] = []
        self.open_divs: list[tuple[str, str]] = []
        self.labels: dict[str, str] = {}
        self.in_math = False

    def finish(self) -> None:
        """Raise what was found."""
        self.problems += [f"{where}: block '{line}' is never closed by a line ':::'" for where, line in self.open_divs]
        tagged = [block for block in self.blocks if isinstance(block, Cell) and block.options.parameters]
        self.problems += [
            f"{cell.path}:{cell.line}: a second cell tagged `parameters`; only one is allowed" for cell in tagged[1:]
        ]
        if self.problems:
            raise UserErrors(self.problems)

    def read(self, path: Path, lines: list[str], first: int, including: tuple[Path, ...]) -> None:
        """Append the blocks of one file; ``first`` is the line number of ``lines[0]``."""
        lines = _without_comments(lines)
        pending: list[str] = []
        pending_line = first
        position = 0
        while position < len(lines):
            line, number = lines[position], first + position
            fence = _FENCE.match(line)
            include = _INCLUDE.match(line)
            if fence:
                end = self._closing(lines, position, fence, f"{path}:{number}")
                if fence["info"].startswith("{"):
                    self._flush(path, pending, pending_line)
                    self._cell(path, number, fence, lines[position + 1 : end])
                    pending, pending_line = [], first + end + 1
                else:
                    pending += lines[position : end + 1]
                position = end + 1
                continue
            if include:
                self._flush(path, pending, pending_line)
                self._include(path, number, include["file"], including)
                pending, pending_line = [], number + 1
            else:
                self._check(path, number, line)
                pending.append(line)
            position += 1
        self._flush(path, pending, pending_line)

    def _flush(self, path: Path, lines: list[str], first: int) -> None:
        text = "\n".join(lines)
        if text.strip():
            self.blocks.append(Markdown(path, first, text))

    def _closing(self, lines: list[str], start: int, fence: re.Match[str], where: str) -> int:
        """The index of the line that closes a code fence."""
        mark = fence["fence"]
        close = re.compile(rf"^ {{0,3}}{re.escape(mark[0])}{{{len(mark)},}}\s*$")
        for index in range(start + 1, len(lines)):
            if close.match(lines[index]):
                return index
        self.problems.append(f"{where}: code fence '{fence['fence']}{fence['info']}' is never closed")
        return len(lines)

    def _cell(self, path: Path, number: int, fence: re.Match[str], body: list[str]) -> None:
        info = fence["info"]
        if info != "{python}":
            what = (
                "options belong on `#|` lines" if info.startswith("{python") else "only `{python}` cells are supported"
            )
            self.problems.append(f"{path}:{number}: cell '{info}' is not supported; {what}")
            return
        option_lines = []
        for line in body:
            if not line.startswith("#|"):
                break
            option_lines.append(line)
        try:
            options = parse_cell_options(option_lines, path, number + 1, self.defaults)
        except UserError as error:
            self.problems += str(error).splitlines()
            return
        if options.label:
            self._label(options.label, f"{path}:{number}")
        self.blocks.append(Cell(path, number, "\n".join(body), options))

    def _label(self, label: str, where: str) -> None:
        if label in self.labels:
            self.problems.append(f"{where}: label '{label}' is already used at {self.labels[label]}")
        self.labels.setdefault(label, where)

    def _include(self, path: Path, number: int, name: str, including: tuple[Path, ...]) -> None:
        where = f"{path}:{number}"
        target = path.parent / name
        if not target.resolve().is_relative_to(self.root.resolve()):
            self.problems.append(f"{where}: include '{name}' lies outside the folder of the report")
        elif target.resolve() in including:
            self.problems.append(f"{where}: include '{name}' includes itself")
        elif not target.is_file():
            self.problems.append(f"{where}: include '{name}': no such file")
        else:
            text = _read(target, f"{where}: include '{name}'")
            self.sources[target] = text
            if text.startswith("---\n"):
                self.problems.append(f"{target}:1: an included file has no front matter of its own")
            else:
                self.read(target, text.splitlines(), 1, (*including, target.resolve()))

    def _check(self, path: Path, number: int, line: str) -> None:
        where = f"{path}:{number}"
        # Display math over several lines: a `$$` opens it, the next one or an empty line closes it.
        inside = self.in_math and bool(line.strip())
        self.in_math = inside ^ (line.count("$$") % 2 == 1)
        if inside:
            line = line.partition("$$")[2] if not self.in_math else ""
        elif self.in_math:
            line = line.partition("$$")[0]
        if is_div_close(line):
            if not self.open_divs:
                self.problems.append(f"{where}: ':::' closes nothing")
            else:
                self.open_divs.pop()
            return
        for label in _LABEL.findall(mask_code_and_math(line)):
            self._label(label, where)
        problem = div_problem(line) if is_div_line(line) else line_problem(line)
        if problem:
            self.problems.append(f"{where}: {problem}")
        if is_div_line(line):
            self.open_divs.append((where, line.strip()))


def _without_comments(lines: list[str]) -> list[str]:
    """Blank out HTML comments outside code fences, keeping the number of lines."""
    # Fenced text is put aside first: a comment's marks inside a code cell are part of the code.
    kept: list[str] = []
    text: list[str] = []
    closing: re.Pattern[str] | None = None

    def flush() -> None:
        blanked = _COMMENT.sub(lambda match: "\n" * match.group().count("\n"), "\n".join(text))
        kept.extend(blanked.split("\n") if text else [])
        text.clear()

    for line in lines:
        if closing is None and (fence := _FENCE.match(line)):
            flush()
            closing = re.compile(rf"^ {{0,3}}{re.escape(fence['fence'][0])}{{{len(fence['fence'])},}}\s*$")
            kept.append(line)
        elif closing is not None:
            kept.append(line)
            if closing.match(line):
                closing = None
        else:
            text.append(line)
    flush()
    return kept
