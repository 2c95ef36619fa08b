"""Which parts of a cohort's configuration each stage depends on: a change elsewhere must not rerun it."""

from __future__ import annotations

from typing import Any, Final

from plneval.config.cohort import Cohort

SECTIONS: Final[dict[str, tuple[str, ...]]] = {
    "simulate": ("simulate", "study"),
    "ingest": ("data", "study", "design", "outcomes", "sources"),
    # The declared entry of schools that are members in the first list stands with the sources.
    "prepare": ("study", "design", "outcomes", "sources"),
    "describe": ("study", "design", "outcomes", "sources", "instrument"),
    "estimate": ("study", "design", "outcomes", "sources", "instrument"),
    "challenge": ("title", "programme", "study", "design", "outcomes", "models", "sources", "instrument"),
    "release": (
        "title",
        "programme",
        "data",
        "simulate",
        "study",
        "design",
        "outcomes",
        "models",
        "sources",
        "instrument",
        "tidier",
        "costs",
    ),
    "report": (),
}
"""Cohort sections by stage; reports depend on released tables only."""


def stage_sections(cohort: Cohort, stage: str) -> dict[str, Any]:
    """The sections of a cohort that a stage depends on, as plain data."""
    declared = cohort.model_dump(mode="json")
    return {section: declared[section] for section in SECTIONS[stage]}
