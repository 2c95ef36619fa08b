"""Findings about networks that need records and measures together, by the name of their table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import pandas as pd

from plneval.challenge.exposure_findings import FINDINGS_OF_EXPOSURE
from plneval.challenge.network_spread import FINDINGS_OF_SPREAD
from plneval.config.models import ModelSpec
from plneval.networks.study import NetworkStudy

FINDINGS: Final[dict[str, Callable[[NetworkStudy, Mapping[str, ModelSpec], pd.DataFrame], pd.DataFrame]]] = {
    **FINDINGS_OF_EXPOSURE,
    **FINDINGS_OF_SPREAD,
}
"""Finding → function of the study, the cohort's models and all records."""


def network_findings(
    study: NetworkStudy, specs: Mapping[str, ModelSpec], records: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Every finding of :data:`FINDINGS`."""
    return {name: finding(study, specs, records) for name, finding in FINDINGS.items()}
