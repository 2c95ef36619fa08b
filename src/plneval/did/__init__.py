"""Difference-in-differences for staggered participation, computed from unit × time cells.

Knows nothing of schools, files or workflows, and imports nothing else of the project.
"""

from __future__ import annotations

from plneval.did.aggregate import Aggregate
from plneval.did.att_gt import GroupTimeEffects, att_gt
from plneval.did.cells import Cells, cells
from plneval.did.errors import DidError
from plneval.did.pretest import PreTest

__all__ = ["Aggregate", "Cells", "DidError", "GroupTimeEffects", "PreTest", "att_gt", "cells"]
