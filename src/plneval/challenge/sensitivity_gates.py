"""Gate about what would overturn the headline: how large violations of parallel trends would have to be."""

from __future__ import annotations

import pandas as pd

from plneval.challenge.evidence import Evidence
from plneval.challenge.gate import OWN_LIMIT, Gate
from plneval.challenge.limits import OWN
from plneval.challenge.phrasing import decimal


def breakdown(evidence: Evidence) -> Gate:
    """Whether the headline stands as long as violations after joining are no larger than those seen before."""
    limit = OWN.breakdown_magnitude
    table = evidence.sensitivity["honest"]
    rows = table[(table["model"] == evidence.model) & (table["kind"] == "relative_magnitudes")]
    if not len(rows):
        statement = (
            "How far member and comparison schools would have had to move apart for other reasons to bring the result "
            "about could not be worked out, as there are too few years before joining or none that follow one another."
        )
        because = "it is not known how small a departure from equal trends would overturn the result"
        return Gate("breakdown", "caution", None, limit, OWN_LIMIT, statement, because)
    row = rows.iloc[0]
    value = row["breakdown"]
    if pd.notna(value) and float(value) == 0:
        statement = (
            "The interval contains zero even if member and comparison schools would have moved exactly alike, so there "
            "is no effect that a departure from that could overturn."
        )
        because = "chance alone could explain the result, whatever the trends"
        return Gate("breakdown", "caution", 0.0, limit, OWN_LIMIT, statement, because)
    if pd.isna(value):
        statement = (
            "No departure from equal trends that was tried, up to a thousand times the largest seen before joining, "
            "would overturn the result."
        )
        return Gate("breakdown", "pass", None, limit, OWN_LIMIT, statement)
    times = decimal(float(value), 1)
    statement = (
        f"To overturn the result, member and comparison schools would have had to move apart {times} times as far from "
        "one year to the next as they ever did before joining, for reasons other than taking part."
    )
    if float(value) >= limit:
        return Gate("breakdown", "pass", float(value), limit, OWN_LIMIT, statement)
    because = f"a departure from equal trends {times} times as large as the largest before joining would overturn it"
    return Gate("breakdown", "caution", float(value), limit, OWN_LIMIT, statement, because)
