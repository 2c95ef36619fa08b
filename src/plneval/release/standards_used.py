"""The register of standards with a mark on those that decided something in this study."""

from __future__ import annotations

from typing import Final

import pandas as pd

from plneval.challenge.limits import OWN
from plneval.config.report import Report
from plneval.standards import register

ALWAYS: Final = frozenset(
    {
        "attrition_boundary",
        "baseline_equivalence",
        "cluster_rules",
        "did_adjustment",
        "follow_up",
        "minimum_detectable_effect",
        "network_data",
        "pre_trend",
        "security_rating",
        "tidier",
        "trend",
    }
)
"""Standards that every evaluation goes by."""


def standards_table(report: Report, *, effect_sizes: bool, surveys: bool) -> pd.DataFrame:
    """All standards with name, title, version, status, source, digest, and whether this study used them.

    Parameters
    ----------
    effect_sizes : whether any record has an effect size; without one neither its constants nor months are used.
    surveys : whether any scale was answered; without one no reliability was held against anything.
    """
    used = set(ALWAYS) | ({"effect_size", f"months_{report.months_table}"} if effect_sizes else set())
    used |= {"survey_quality"} if surveys else set()
    rows = [
        {
            "name": entry.name,
            "title": entry.title,
            "version": entry.version,
            "status": entry.status,
            "source": entry.source,
            "notes": entry.notes,
            "used": entry.name in used,
        }
        for entry in register()
    ]
    rows.append(
        {
            "name": "gate_limits",
            "title": "Limits of gates for which there is no published threshold",
            "version": "plneval design 1",
            "status": OWN.status,
            "source": OWN.source,
            "notes": "",
            "used": True,
        }
    )
    columns = {name: "bool" if name == "used" else "str" for name in rows[0]}
    return pd.DataFrame(rows).sort_values("name", kind="stable", ignore_index=True).astype(columns)
