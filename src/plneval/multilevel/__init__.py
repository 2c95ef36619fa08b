"""Linear mixed models for nested groups, exactly and at a cost that does not grow with the rows.

The package imports nothing else of plneval. The mathematics and the contract between its parts: ``docs/multilevel.md``.
"""

from __future__ import annotations

from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.exchange import read_statistics
from plneval.multilevel.fit import fit, statistics
from plneval.multilevel.result import Fit
from plneval.multilevel.robust import RobustErrors
from plneval.multilevel.statistics import Statistics

__all__ = ["Fit", "MultilevelError", "RobustErrors", "Statistics", "fit", "read_statistics", "statistics"]
