"""Released tables about networks: their columns, and what each column holds."""

from __future__ import annotations

from typing import Final

from plneval.release.door_exposure import EXPOSURE_TABLES
from plneval.release.door_lasting import LASTING_TABLES
from plneval.release.door_membership import MEMBERSHIP_TABLES
from plneval.release.door_spread import SPREAD_TABLES
from plneval.release.door_types import Table

NETWORK_TABLES: Final[dict[str, Table]] = {
    **MEMBERSHIP_TABLES,
    **EXPOSURE_TABLES,
    **SPREAD_TABLES,
    **LASTING_TABLES,
}
"""Released tables by name; parts of the list stand in files of their own."""
