"""The front matter of a report source: a YAML block with a fixed list of keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from plneval.errors import UserError, UserErrors, did_you_mean

FORMATS = ("html", "typst", "pdf", "docx")

# Keys of the front matter that both renderers understand, each with the types its value may have.
_KEYS: dict[str, tuple[type, ...]] = {
    "title": (str,),
    "subtitle": (str,),
    "author": (str, list),
    "date": (str,),
    "abstract": (str,),
    "description": (str,),
    "keywords": (list,),
    "lang": (str,),
    "bibliography": (str, list),
    "csl": (str,),
    "link-citations": (bool,),
    "toc": (bool,),
    "toc-depth": (int,),
    "toc-title": (str,),
    "number-sections": (bool,),
    "embed-resources": (bool,),
    "html-math-method": (str,),
    "execute": (dict,),
    "format": (dict,),
    "jupyter": (str,),
}
_EXECUTE = ("echo", "output")
# What a `format:` entry may say; these are the values every render uses, so that plain `quarto render` gives the same.
_FORMAT_KEYS = ("embed-resources", "html-math-method", "number-sections")
_FIXED: dict[str, Any] = {"embed-resources": True, "html-math-method": "mathml", "number-sections": True}
_MOVING_DATES = {"today", "now", "last-modified"}
_LANGUAGE = "en"


class _UniqueKeys(yaml.SafeLoader):
    """A safe loader that refuses a mapping with the same key twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"key '{key}' is given twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


# A date stays the text it is: `2026-03-01` is for the title block, not for arithmetic.
_UniqueKeys.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load_yaml_mapping(text: str, path: Path, first_line: int) -> tuple[dict[str, Any], dict[str, int]]:
    """Read a YAML mapping found inside a source file.

    Parameters
    ----------
    text:
        The YAML text.
    path, first_line:
        Where the text stands, for messages; ``first_line`` is the line number of its first line.

    Returns
    -------
    The mapping, and the line number of each of its top-level keys.

    Raises
    ------
    UserError
        If it is not YAML, not a mapping with text keys, or holds a key twice.
    """
    # `_UniqueKeys` derives from yaml.SafeLoader: nothing but plain values can be built.
    loader = _UniqueKeys(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return {}, {}
        if not isinstance(node, yaml.MappingNode):
            raise UserError(f"{path}:{first_line}: expected 'key: value' lines, found {text.strip()[:60]!r}")
        values = loader.construct_document(node)
        lines = {str(key.value): first_line + key.start_mark.line for key, _ in node.value}
    except yaml.MarkedYAMLError as error:
        line = first_line + (error.problem_mark.line if error.problem_mark else 0)
        raise UserError(f"{path}:{line}: not valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}:{first_line}: not valid YAML: {error}") from None
    finally:
        loader.dispose()
    return {str(key): value for key, value in values.items()}, lines


def parse_front_matter(text: str, path: Path, first_line: int) -> dict[str, Any]:
    """Read the front matter and check every key against the subset.

    Raises
    ------
    UserErrors
        Naming file and line of each key that is not allowed, or whose value is not.
    """
    meta, lines = load_yaml_mapping(text, path, first_line)
    problems: list[str] = []
    for key, value in meta.items():
        where = f"{path}:{lines.get(key, first_line)}"
        if key == "params":
            problems.append(
                f"{where}: 'params' is not read from Python reports; put the defaults into a cell tagged `parameters`"
            )
        elif key not in _KEYS:
            problems.append(
                f"{where}: front matter key '{key}' is not supported; allowed: {', '.join(sorted(_KEYS))}."
                f"{did_you_mean(key, _KEYS)}"
            )
        elif not isinstance(value, _KEYS[key]):
            wanted = " or ".join(kind.__name__ for kind in _KEYS[key])
            problems.append(f"{where}: '{key}' must be {wanted}, found {value!r}")
        else:
            problems += [f"{where}: {problem}" for problem in _value_problems(key, value)]
    if "title" not in meta:
        problems.append(f"{path}:{first_line}: the front matter has no 'title'")
    if problems:
        raise UserErrors(problems)
    return meta


def _value_problems(key: str, value: Any) -> list[str]:
    """Say what is wrong with the value of one known front matter key."""
    if key in _FIXED and value != _FIXED[key]:
        return [f"'{key}' can only be {_show(_FIXED[key])}, found {_show(value)}"]
    if key == "date" and value in _MOVING_DATES:
        return [f"date '{value}' changes from run to run; write the date itself"]
    if key == "lang" and value.split("-")[0] != _LANGUAGE:
        return [f"lang '{value}' is not supported; the words 'Figure', 'Table', 'Note' exist in English only"]
    if key == "jupyter" and value != "python3":
        return [f"jupyter kernel '{value}' is not supported; use python3"]
    if key == "execute":
        return [
            f"execute option '{name}' is not supported; allowed: {', '.join(_EXECUTE)}"
            for name in value
            if name not in _EXECUTE
        ]
    if key == "format":
        return _format_problems(value)
    if key in ("author", "keywords", "bibliography") and isinstance(value, list):
        return [f"'{key}' must hold texts, found {item!r}" for item in value if not isinstance(item, str)]
    return []


def _format_problems(formats: dict[str, Any]) -> list[str]:
    problems: list[str] = []
    for name, options in formats.items():
        if name not in FORMATS:
            problems.append(f"format '{name}' is not supported; allowed: {', '.join(FORMATS)}")
        elif isinstance(options, dict):
            for option, value in options.items():
                if option not in _FORMAT_KEYS:
                    problems.append(
                        f"option '{option}' of format {name} is not supported; allowed: {', '.join(_FORMAT_KEYS)}"
                    )
                elif option in _FIXED and value != _FIXED[option]:
                    problems.append(
                        f"option '{option}' of format {name} can only be {_show(_FIXED[option])}, found {_show(value)}"
                    )
        elif options not in ("default", None):
            problems.append(f"format {name} must be 'default' or a mapping of options, found {options!r}")
    return problems


def _show(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
