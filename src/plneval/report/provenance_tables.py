"""The tables of the reproducibility page: versions, digests, seeds, and the rules of the door."""

from __future__ import annotations

from typing import Any

import pandas as pd

from plneval.report import formats
from plneval.report.load import Released

DIGEST_SHOWN = 16
"""Hexadecimal digits of a digest that are printed; the whole of it stands in ``reproducibility.json``."""
_DIGEST_LENGTH = 64
_NAMES = {"id_key": "Key of the identifiers", "python": "Python"}


def provenance(released: Released) -> pd.DataFrame:
    """Everything in ``reproducibility.json`` in two columns, digests shortened."""
    document = dict(released.reproducibility)
    packages = document.pop("packages", {})
    rows = [(" / ".join(path), _shown(value)) for path, value in _flat(document)]
    rows.append(("packages", ", ".join(f"{name} {version}" for name, version in sorted(packages.items()))))
    return pd.DataFrame(rows, columns=["What", "Value"])


def disclosure(released: Released) -> pd.DataFrame:
    """The rules that released numbers went through, and how many cells were suppressed."""
    rows = [(" / ".join(path), _shown(value)) for path, value in _flat(released.manifest["rules"])]
    rows.append(("suppressed cells", _shown(released.manifest["suppressed"])))
    return pd.DataFrame(rows, columns=["Rule", "Value"])


def _flat(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """The leaves of nested mappings and lists, with the way to each."""
    if isinstance(value, dict):
        return [
            leaf
            for key in value
            for leaf in _flat(value[key], (*path, _NAMES.get(str(key), str(key).replace("_", " "))))
        ]
    if isinstance(value, list):
        if all(not isinstance(item, (dict, list)) for item in value):
            return [(path, formats.listed([str(item) for item in value]))]
        return [leaf for i, item in enumerate(value, start=1) for leaf in _flat(item, (*path, str(i)))]
    return [(path, value)]


def _shown(value: Any) -> str:
    if formats.is_missing(value):
        return formats.MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    return text[:DIGEST_SHOWN] + "…" if len(text) == _DIGEST_LENGTH and set(text) <= set("0123456789abcdef") else text
