"""Every measure of networks, by the name of its table; each function takes the study and gives one tidy table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pandas as pd

from plneval.describe.exposure_measures import OF_EXPOSURE
from plneval.describe.network_checks import network_checks
from plneval.describe.network_leaving import network_exit_timing, network_exits, network_leavers
from plneval.describe.network_registry import (
    network_data,
    network_overlap,
    network_problems,
    network_registry,
    network_timeline,
    teacher_timeline,
)
from plneval.describe.network_structure import network_structure
from plneval.describe.network_ties import network_tie_contrasts, network_tie_shares
from plneval.describe.product_use import product_use
from plneval.describe.survey_measures import OF_SURVEYS
from plneval.networks.study import NetworkStudy

OF_NETWORKS: Final[dict[str, Callable[[NetworkStudy], pd.DataFrame]]] = {
    "network_data": network_data,
    "network_registry": network_registry,
    "network_overlap": network_overlap,
    "network_timeline": network_timeline,
    "teacher_timeline": teacher_timeline,
    "network_problems": network_problems,
    "network_structure": network_structure,
    "network_tie_shares": network_tie_shares,
    "network_tie_contrasts": network_tie_contrasts,
    "network_exit_timing": network_exit_timing,
    "network_exits": network_exits,
    "network_leavers": network_leavers,
    "product_use": product_use,
    "network_checks": network_checks,
    **OF_EXPOSURE,
    **OF_SURVEYS,
}
"""Measure → function. The release door lists the columns that may leave (``plneval.release.door``)."""
