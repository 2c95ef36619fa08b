"""Disclosure control presets: typed records of rules. The rules are applied in ``plneval.release``, not here."""

from __future__ import annotations

from typing import Literal

from plneval.errors import did_you_mean
from plneval.standards.catalogue import load
from plneval.standards.records import DisclosurePreset

PresetName = Literal["opensafely", "tre", "ferpa10", "public"]

PRESETS: tuple[PresetName, ...] = ("opensafely", "tre", "ferpa10", "public")
"""Names that a cohort's configuration may choose from."""


def preset(name: str) -> DisclosurePreset:
    """Load the preset ``opensafely``, ``tre``, ``ferpa10`` or ``public``.

    Raises
    ------
    ValueError
        If there is no preset of that name.
    """
    match name:
        case "opensafely":
            return load("disclosure_opensafely")
        case "tre":
            return load("disclosure_tre")
        case "ferpa10":
            return load("disclosure_ferpa10")
        case "public":
            return load("disclosure_public")
    raise ValueError(f"no disclosure preset '{name}'; there are {', '.join(PRESETS)}.{did_you_mean(name, PRESETS)}")
