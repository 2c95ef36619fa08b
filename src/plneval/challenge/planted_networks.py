"""Planted effects of simulated studies that models about networks estimate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

PLANTED: Final[dict[str, Callable[[dict[str, Any], dict[Any, Any]], Any]]] = {}
"""Estimand → function of ``truth.json`` and a record; None where nothing is planted for that record."""
