"""The error of this package, and how rows are named in its messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class DidError(ValueError):
    """The data or the options given cannot be used; the message names what was found, where, and the remedy."""


def name_rows(labels: Iterable[Any], total: int | None = None, shown: int = 5) -> str:
    """Return ``row 3``, ``rows 3, 7`` or ``rows 3, 7, 9, 12, 15 and 20 more`` for row labels (never values).

    Parameters
    ----------
    labels
        The first labels of the rows concerned, at least up to ``shown`` of them.
    total
        How many rows are concerned; the number of labels by default.
    shown
        How many labels are written out.
    """
    found = [str(label) for label in labels]
    count = len(found) if total is None else total
    text = ", ".join(found[:shown])
    more = count - min(len(found), shown)
    if not found:
        return f"{count} rows"
    return f"row{'s' if count > 1 else ''} {text}" + (f" and {more} more" if more > 0 else "")
