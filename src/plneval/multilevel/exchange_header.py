"""The header of a statistics file: what a model is in JSON, and the checks of a header that anyone may have written."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from plneval.multilevel.design import Term
from plneval.multilevel.encoding import Encoding
from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.statistics import Statistics
from plneval.multilevel.working import LevelShape, Model

FORMAT: Final = "plneval multilevel statistics"
VERSION: Final = 1
LONGEST: Final = 10_000
"""Characters that a text of the header may have."""
KEYS: Final = frozenset(
    {"format", "version", "site", "model", "n", "sum_log_weights", "groups", "dropped", "notes", "arrays"}
)
ARRAY_NAME: Final = re.compile(r"[a-z]+(_[a-z0-9]+)?")


def header_of(statistics: Statistics, site: str, notes: Mapping[str, Any]) -> dict[str, Any]:
    """Everything of compressed statistics but their arrays."""
    model, dropped = statistics.model, statistics.dropped
    encoding = model.encoding
    return {
        "format": FORMAT,
        "version": VERSION,
        "site": site,
        "model": {
            "formula": model.formula,
            "outcome": model.outcome,
            "names": list(model.names),
            "fixed": [int(at) for at in model.fixed],
            "intercept": None if model.intercept is None else int(model.intercept),
            "weighted": model.weighted,
            "levels": [
                {
                    "name": level.name,
                    "terms": [
                        {"columns": [int(at) for at in term.columns], "position": int(term.position)}
                        for term in level.terms
                    ],
                }
                for level in model.levels
            ],
            "categories": None
            if encoding is None
            else [[factor, [_plain(factor, level) for level in levels]] for factor, levels in encoding.categories],
        },
        "n": int(statistics.n),
        "sum_log_weights": float(statistics.sum_log_weights),
        "groups": [int(size) for size in statistics.sizes],
        "dropped": [
            {"kind": str(kind), "reason": str(reason), "count": int(count)}
            for kind, reason, count in zip(dropped["kind"], dropped["reason"], dropped["count"], strict=True)
        ],
        "notes": dict(notes),
    }


def _plain(factor: str, level: Any) -> Any:
    value = level.item() if isinstance(level, np.generic) else level
    if not isinstance(value, str | int | float | bool):
        raise MultilevelError(f"{factor}: the category {value!r} is neither text nor a number: make it one")
    return value


def check_header(header: Any) -> dict[str, Any]:
    """The header, if it is one that this version reads.

    Raises
    ------
    MultilevelError
        It is not: the message says what is wrong.
    """
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise MultilevelError("this is no statistics file of plneval")
    if header.get("version") != VERSION:
        raise MultilevelError(
            f"it is of version {_shown(header.get('version'))} and this plneval reads version {VERSION}: "
            "use the same release of plneval on both sides"
        )
    _need(set(header) == KEYS, "its keys")
    _need(isinstance(header["site"], str) and re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", header["site"]), "site")
    _need(_whole(header["n"], 1), "n")
    log_weights = header["sum_log_weights"]
    _need(isinstance(log_weights, int | float) and math.isfinite(log_weights), "sum_log_weights")
    _need(_list_of_whole(header["groups"], 1) and header["groups"], "groups")
    _need(isinstance(header["notes"], dict), "notes")
    _need(isinstance(header["dropped"], list), "dropped")
    for row in header["dropped"]:
        _need(isinstance(row, dict) and set(row) == {"kind", "reason", "count"}, "dropped")
        _need(_text(row["kind"]) and _text(row["reason"]) and _whole(row["count"], 0), "dropped")
    _need(isinstance(header["arrays"], dict), "arrays")
    for name, array in header["arrays"].items():
        _need(ARRAY_NAME.fullmatch(name), "arrays")
        _need(isinstance(array, dict) and set(array) == {"shape", "sha256"}, "arrays")
        _need(_list_of_whole(array["shape"], 0) and len(array["shape"]) <= 3 and _text(array["sha256"]), "arrays")
    return header


def model_of(value: Any) -> Model:
    """The model that a header describes.

    Raises
    ------
    MultilevelError
        It does not describe one.
    """
    keys = {"formula", "outcome", "names", "fixed", "intercept", "weighted", "levels", "categories"}
    _need(isinstance(value, dict) and set(value) == keys, "model")
    names = value["names"]
    _need(_text(value["formula"]) and _text(value["outcome"]), "model")
    _need(isinstance(names, list) and all(map(_text, names)) and len(set(names)) == len(names) > 0, "names")
    _need(_positions(value["fixed"], len(names)), "fixed")
    _need(value["intercept"] is None or _positions([value["intercept"]], len(names)), "intercept")
    _need(isinstance(value["weighted"], bool), "weighted")
    _need(isinstance(value["levels"], list) and value["levels"], "levels")
    levels = []
    for level in value["levels"]:
        _need(isinstance(level, dict) and set(level) == {"name", "terms"} and _text(level["name"]), "levels")
        _need(isinstance(level["terms"], list) and level["terms"], "levels")
        for term in level["terms"]:
            _need(isinstance(term, dict) and set(term) == {"columns", "position"}, "levels")
            _need(_positions(term["columns"], len(names)) and term["columns"] and _whole(term["position"], 0), "levels")
        terms = tuple(Term(tuple(term["columns"]), term["position"]) for term in level["terms"])
        levels.append(LevelShape(level["name"], terms))
    return Model(
        formula=value["formula"],
        outcome=value["outcome"],
        names=tuple(names),
        fixed=tuple(value["fixed"]),
        intercept=value["intercept"],
        levels=tuple(levels),
        weighted=value["weighted"],
        encoding=_encoding(value["categories"]),
    )


def _encoding(value: Any) -> Encoding | None:
    if value is None:
        return None
    _need(isinstance(value, list), "categories")
    for row in value:
        _need(isinstance(row, list) and len(row) == 2 and _text(row[0]) and isinstance(row[1], list), "categories")
        _need(all(isinstance(level, str | int | float | bool) for level in row[1]), "categories")
    return Encoding(tuple((factor, tuple(levels)) for factor, levels in value), ())


def _need(found: object, what: str) -> None:
    if not found:
        raise MultilevelError(f"its header is not one that plneval writes ({what}): ask for the file again")


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < 1 << 53


def _list_of_whole(value: Any, least: int) -> bool:
    return isinstance(value, list) and all(_whole(item, least) for item in value)


def _positions(value: Any, size: int) -> bool:
    return _list_of_whole(value, 0) and all(item < size for item in value) and len(set(value)) == len(value)


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST


def _shown(value: Any) -> str:
    return str(value)[:20] if isinstance(value, int | float | str) else "unknown"
