"""Checks of numeric arguments: every formula refuses what it is not defined for, and says which argument it was."""

from __future__ import annotations

import math


def finite(name: str, value: float) -> float:
    """Return ``value`` as a float; ValueError if it is missing (NaN) or infinite."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number, found {value!r}")
    return number


def positive(name: str, value: float) -> float:
    """Return ``value`` as a float; ValueError unless it is finite and above zero."""
    number = finite(name, value)
    if number <= 0:
        raise ValueError(f"{name} must be above 0, found {value!r}")
    return number


def at_least(name: str, value: float, minimum: float) -> float:
    """Return ``value`` as a float; ValueError unless it is finite and not below ``minimum``."""
    number = finite(name, value)
    if number < minimum:
        raise ValueError(f"{name} must be at least {minimum:g}, found {value!r}")
    return number


def between(name: str, value: float, low: float, high: float) -> float:
    """Return ``value`` as a float; ValueError unless ``low <= value <= high``."""
    number = finite(name, value)
    if not low <= number <= high:
        raise ValueError(f"{name} must lie between {low:g} and {high:g}, found {value!r}")
    return number


def strictly_between(name: str, value: float, low: float, high: float) -> float:
    """Return ``value`` as a float; ValueError unless ``low < value < high``."""
    number = finite(name, value)
    if not low < number < high:
        raise ValueError(f"{name} must lie between {low:g} and {high:g}, both excluded, found {value!r}")
    return number
