"""Which possible ties exist, pooled over networks: the reduced graph, and bands of distance and similarity."""

from __future__ import annotations

import pandas as pd

from plneval.networks.study import NetworkStudy
from plneval.networks.tie_shares import possible_ties, tie_contrasts, tie_shares


def network_tie_shares(study: NetworkStudy) -> pd.DataFrame:
    """Shares of possible ties by school, distance and similarity; columns of ``networks.tie_shares.SHARES``."""
    return tie_shares(possible_ties(study.tables))


def network_tie_contrasts(study: NetworkStudy) -> pd.DataFrame:
    """Differences of these shares; columns of ``networks.tie_shares.CONTRASTS``."""
    return tie_contrasts(possible_ties(study.tables))
