"""What all configuration models share, and how a file becomes a checked model."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from plneval.config.yaml_source import Location, YamlSource, read_yaml
from plneval.errors import UserErrors, did_you_mean

NAME = r"^[a-z0-9][a-z0-9_-]*$"
MONTH_DAY = r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"

Name = Annotated[str, StringConstraints(pattern=NAME, max_length=60)]
"""A name that may become part of a file name: small letters, digits, ``_`` and ``-``."""


class Section(BaseModel):
    """A section of a configuration file: unknown keys are refused, values do not change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


Model = TypeVar("Model", bound=BaseModel)


def load(path: Path | str, model: type[Model]) -> Model:
    """Read a YAML file into a configuration model.

    Raises
    ------
    UserError
        If the file cannot be read as YAML.
    UserErrors
        With one line for each mistake: ``file:line: key: what was found and what is expected``.
    """
    source = read_yaml(path)
    return validate(source, model)


def validate(source: YamlSource, model: type[Model]) -> Model:
    """Check a read YAML file against a model; see :func:`load`."""
    try:
        return model.model_validate(source.value)
    except ValidationError as error:
        problems = [dict(problem) for problem in error.errors(include_url=False)]
        raise UserErrors(dict.fromkeys(_told(problems, source, model))) from None


def _told(problems: list[dict[str, Any]], source: YamlSource, model: type[BaseModel]) -> Iterator[str]:
    """A line for each mistake. Of a value that may take several forms pydantic tells what is wrong with each of them.

    Where ``maths: {score: A, recode: {high: x}}`` stands, the mistake is the x, not that a column's name could have
    stood in place of the whole; where ``maths: 3`` stands, the forms are told in one line.
    """
    places = [_in_file(problem["loc"], source) for problem in problems]
    forms: dict[Location, dict[str, Any]] = {}
    for place, problem in zip(places, problems, strict=True):
        if problem["type"] not in _FORMS:
            continue
        form = _FORMS[problem["type"]]
        if place in forms:
            known = forms[place]["forms"]
            forms[place]["forms"] = [*known, *([form] if form not in known else [])]
        elif not any(other[: len(place)] == place and len(other) > len(place) for other in places):
            forms[place] = {**problem, "forms": [form]}
    for place, problem in zip(places, problems, strict=True):
        if problem["type"] not in _FORMS:
            yield _explain(problem, source, model)
        elif place in forms:
            message = f"{' or '.join(forms[place]['forms'])} is needed here; found {_shown(problem.get('input'))}."
            yield str(source.error(place, message))


_FORMS = {
    "dict_type": "a section (lines 'key: value', indented)",
    "model_type": "a section (lines 'key: value', indented)",
    "model_attributes_type": "a section (lines 'key: value', indented)",
    "list_type": "a list",
    "string_type": "text (numbers and dates in quotation marks)",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}
"""The form of value that was expected, by pydantic's kind of mistake."""
_PATTERNS = {
    NAME: "a name of small letters, digits, '_' and '-'",
    MONTH_DAY: 'month and day such as "09-01" for the first of September, in quotation marks,',
}
"""What a pattern means, for those that people meet."""
_KEY = re.compile(r"([a-z_0-9]+(?:\.[\w-]+)*): ")


def _shown(found: Any) -> str:
    """A value as a message names it."""
    if isinstance(found, dict):
        return "a section"
    if found is None:
        return "nothing"
    return "a list" if isinstance(found, list) else repr(found)


def _explain(problem: dict[str, Any], source: YamlSource, model: type[BaseModel]) -> str:
    location = _in_file(problem["loc"], source)
    kind, found = problem["type"], problem.get("input")
    if kind == "extra_forbidden":
        siblings = _fields_beside(problem["loc"], model)
        known = f" Known keys here: {', '.join(sorted(siblings))}." if siblings else ""
        message = f"there is no such key.{did_you_mean(str(problem['loc'][-1]), siblings)}{known}"
    elif kind == "missing":
        location = (*location, str(problem["loc"][-1])) if problem["loc"] else location
        message = "this key is needed and not there."
    elif kind == "value_error":
        message = str(problem["ctx"]["error"]) if "ctx" in problem else problem["msg"]
        # A check of a whole section names the key within it.
        if (key := _KEY.match(message)) and key[1].split(".")[0] in _fields_beside((*problem["loc"], ""), model):
            location = (*location, *(int(part) if part.isdigit() else part for part in key[1].split(".")))
            message = message[key.end() :]
    elif kind == "union_tag_invalid":
        context = problem["ctx"]
        tags, key = (
            [tag.strip("' ") for tag in context["expected_tags"].split(",")],
            context["discriminator"].strip("'"),
        )
        location = (*location, key)
        message = f"there is no '{context['tag']}'.{did_you_mean(context['tag'], tags)} Known: {', '.join(tags)}."
    elif kind == "union_tag_not_found":
        message = f"the key '{problem['ctx']['discriminator'].strip(chr(39))}' is needed here and not there."
    elif kind == "string_pattern_mismatch":
        expected = _PATTERNS.get(problem["ctx"]["pattern"], f"text like {problem['ctx']['pattern']}")
        message = f"{expected} is needed here; found {_shown(found)}."
    else:
        shown = repr(found) if not isinstance(found, dict | list) else f"a {type(found).__name__}"
        message = f"{problem['msg'][0].lower()}{problem['msg'][1:]}; found {shown}."
        expected = problem.get("ctx", {}).get("expected")
        if expected and isinstance(found, str):
            message += did_you_mean(found, [word.strip("' ") for word in expected.replace(" or ", ",").split(",")])
    return str(source.error(location, message))


def _in_file(loc: tuple[str | int, ...], source: YamlSource) -> Location:
    """The key path as it stands in the file: pydantic adds union members' names, which are no keys."""
    location: Location = ()
    for part in loc:
        if (*location, part) in source.lines:
            location = (*location, part)
    return location


def _fields_beside(loc: tuple[str | int, ...], model: type[BaseModel]) -> set[str]:
    """Names of the fields that could stand where an unknown key was found."""
    candidates: list[Any] = [model]
    for part in loc[:-1]:
        following: list[Any] = []
        for candidate in candidates:
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                if isinstance(part, str) and part in candidate.model_fields:
                    following += _models_within(candidate.model_fields[part].annotation)
                else:
                    # A union member's tag: stay with the members that carry it.
                    following += [candidate] if _carries_tag(candidate, part) else []
        candidates = following or candidates
    return {
        name
        for candidate in candidates
        if isinstance(candidate, type) and issubclass(candidate, BaseModel)
        for name in candidate.model_fields
    }


def _carries_tag(model: type[BaseModel], tag: str | int) -> bool:
    kind = model.model_fields.get("kind")
    return kind is None or tag in typing.get_args(kind.annotation)


def _models_within(annotation: Any) -> list[Any]:
    """All models named in an annotation, through optionals, unions, lists and dicts."""
    if isinstance(annotation, type) and not typing.get_origin(annotation):
        return [annotation] if issubclass(annotation, BaseModel) else []
    if isinstance(annotation, types.GenericAlias | types.UnionType) or typing.get_args(annotation):
        return [model for part in typing.get_args(annotation) for model in _models_within(part)]
    return []
