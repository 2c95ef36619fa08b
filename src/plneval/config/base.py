"""What all configuration models share, and how a file becomes a checked model."""

from __future__ import annotations

import types
import typing
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from plneval.config.yaml_source import Location, YamlSource, read_yaml
from plneval.errors import UserErrors, did_you_mean

Name = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=60),
]
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
        raise UserErrors(
            dict.fromkeys(_explain(dict(problem), source, model) for problem in error.errors(include_url=False))
        ) from None


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
