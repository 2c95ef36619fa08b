"""How often data about networks are wrong, for the gate about them."""

from __future__ import annotations

import pandas as pd

from plneval.describe.survey_measures import answered_forms
from plneval.networks.data_checks import data_checks
from plneval.networks.study import NetworkStudy


def network_checks(study: NetworkStudy) -> pd.DataFrame:
    """How often data about networks are wrong, of how many records: columns of :func:`data_checks`."""
    return data_checks(study.tables, list(answered_forms(study)))
