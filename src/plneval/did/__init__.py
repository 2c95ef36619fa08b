"""Difference-in-differences for staggered participation, computed from unit × time cells.

Knows nothing of schools, files or workflows, and imports nothing else of the project.
"""

from __future__ import annotations

from plneval.did.aggregate import Aggregate
from plneval.did.att_gt import GroupTimeEffects, att_gt
from plneval.did.bacon import BaconDecomposition, bacon
from plneval.did.cells import Cells, cells
from plneval.did.cohort_regression import extended_twfe, sun_abraham
from plneval.did.composition import Composition, composition
from plneval.did.errors import DidError
from plneval.did.honest import HonestBounds, honest
from plneval.did.imputation import imputation, two_stage
from plneval.did.linear_effects import LinearEffects
from plneval.did.membership import first_entry, leaving
from plneval.did.pretest import PreTest
from plneval.did.pretrend_power import PreTrendPower, pretrend_power
from plneval.did.randomization import RandomizationTest, randomization_test
from plneval.did.switcher_effects import SwitcherEffects
from plneval.did.switchers import switchers
from plneval.did.synthetic import SyntheticEffects, synthetic
from plneval.did.triple_difference import TripleDifferences, triple_difference
from plneval.did.twfe import event_study, twfe

__all__ = [
    "Aggregate",
    "BaconDecomposition",
    "Cells",
    "Composition",
    "DidError",
    "GroupTimeEffects",
    "HonestBounds",
    "LinearEffects",
    "PreTest",
    "PreTrendPower",
    "RandomizationTest",
    "SwitcherEffects",
    "SyntheticEffects",
    "TripleDifferences",
    "att_gt",
    "bacon",
    "cells",
    "composition",
    "event_study",
    "extended_twfe",
    "first_entry",
    "honest",
    "imputation",
    "leaving",
    "pretrend_power",
    "randomization_test",
    "sun_abraham",
    "switchers",
    "synthetic",
    "triple_difference",
    "twfe",
    "two_stage",
]
