"""Every measure of networks, by the name of its table; each function takes the study and gives one tidy table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pandas as pd

from plneval.describe.exposure_measures import OF_EXPOSURE
from plneval.describe.survey_measures import OF_SURVEYS
from plneval.networks.study import NetworkStudy

OF_NETWORKS: Final[dict[str, Callable[[NetworkStudy], pd.DataFrame]]] = {
    **OF_EXPOSURE,
    **OF_SURVEYS,
}
"""Measure → function. The release door lists the columns that may leave (``plneval.release.door``)."""
