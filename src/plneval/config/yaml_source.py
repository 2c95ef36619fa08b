"""YAML read as plain data, with the line of every key kept, and duplicate keys refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from plneval.errors import UserError

Location = tuple[str | int, ...]
_PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp")
)


_HINTS = {
    "'\\t'": " Indent with blanks, not with tabs.",
    "mapping values are not allowed": " Is the line indented like those beside it, or does a text with ': ' need "
    "quotation marks?",
    "expected <block end>": " Is the line indented like those beside it?",
    "could not find expected ':'": " Is a colon missing, or a quotation mark open, on this line or the one before?",
    "while scanning a quoted scalar": " Is a quotation mark open?",
}
"""What a parser's sentence mostly means."""


@dataclass(frozen=True)
class YamlSource:
    """A YAML file's value and where each of its keys and items stands.

    Attributes
    ----------
    path : the file, as it is named in messages.
    value : the document as dicts, lists, strings, numbers, booleans and ``None``.
    lines : line (from 1) of every key path, such as ``("outcomes", "maths", "label")``.
    """

    path: Path
    value: Any
    lines: dict[Location, int] = field(repr=False)

    def line_of(self, location: Location) -> int:
        """Line of a key path, or of the nearest enclosing key that the file holds."""
        for end in range(len(location), 0, -1):
            if location[:end] in self.lines:
                return self.lines[location[:end]]
        return 1

    def error(self, location: Location, message: str) -> UserError:
        """An error at a key path: ``file:line: key.path: message``."""
        name = ".".join(str(part) for part in location)
        return UserError(f"{self.path}:{self.line_of(location)}: {name + ': ' if name else ''}{message}")


def read_yaml(path: Path | str, shown: Path | None = None) -> YamlSource:
    """Read a YAML file without constructing anything but plain data; messages call it ``shown``.

    Raises
    ------
    UserError
        If the file is missing, is not UTF-8, is not valid YAML, uses a tag, an alias or a merge key, or repeats a key.
    """
    file, path = Path(path), shown or Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file.") from None
    except IsADirectoryError:
        raise UserError(f"{path}: this is a folder; a YAML file is needed.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: the file is not UTF-8 (byte {error.start}); save it as UTF-8.") from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        found = error.problem or error.context or "it cannot be read"
        hint = next((words for sign, words in _HINTS.items() if sign in found), "")
        raise UserError(f"{path}:{line}: not valid YAML: {found}.{hint}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {error}.") from None
    lines: dict[Location, int] = {}
    value = {} if node is None else _plain(node, (), path, lines, set())
    return YamlSource(path, value, lines)


def _plain(node: yaml.Node, location: Location, path: Path, lines: dict[Location, int], seen: set[int]) -> Any:
    line = node.start_mark.line + 1
    lines.setdefault(location, line)
    # One object reached twice is an alias: it makes files hard to read and lets a small file grow without end.
    if id(node) in seen:
        raise UserError(f"{path}:{line}: aliases (*name) are not used here; write the value out.")
    seen.add(id(node))
    if node.tag not in _PLAIN_TAGS:
        raise UserError(f"{path}:{line}: the tag '{node.tag}' is not used here; write plain values.")
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key_line = key_node.start_mark.line + 1
            if key_node.tag == "tag:yaml.org,2002:merge":
                raise UserError(f"{path}:{key_line}: merge keys (<<) are not used here; write the keys out.")
            if not isinstance(key_node, yaml.ScalarNode):
                raise UserError(f"{path}:{key_line}: a key must be plain text.")
            # Keys stay text: `no:` or `2019:` must not turn into a boolean or a number behind the writer's back.
            key = key_node.value
            if key in mapping:
                first = lines[(*location, key)]
                raise UserError(f"{path}:{key_line}: the key '{key}' stands twice (first on line {first}); keep one.")
            lines[(*location, key)] = key_line
            mapping[key] = _plain(value_node, (*location, key), path, lines, seen)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, item in enumerate(node.value):
            lines[(*location, index)] = item.start_mark.line + 1
            items.append(_plain(item, (*location, index), path, lines, seen))
        return items
    if node.tag == "tag:yaml.org,2002:timestamp":
        return node.value
    try:
        return yaml.SafeLoader("").construct_object(node)
    except (yaml.YAMLError, ValueError):
        raise UserError(f"{path}:{line}: the value '{node.value}' cannot be read as plain YAML.") from None
