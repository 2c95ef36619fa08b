"""Difference-in-differences for staggered participation, computed from unit × time cells.

Knows nothing of schools, files or workflows, and imports nothing else of the project.
"""

from __future__ import annotations

from plneval.did.cells import Cells, cells
from plneval.did.errors import DidError

__all__ = ["Cells", "DidError", "cells"]
