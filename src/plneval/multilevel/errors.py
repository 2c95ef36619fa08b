"""The error of this package."""

from __future__ import annotations


class MultilevelError(ValueError):
    """The formula, the data or the options given cannot be used; the message names what was found and the remedy."""
