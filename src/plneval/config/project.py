"""``config/config.yaml``: which cohorts are run, where results go, and how."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from plneval.config.base import Name, Section


class Project(Section):
    """The project's settings."""

    cohorts: list[Name] = Field(min_length=1)
    """Cohorts that a run without ``--cohort`` covers; each has a file in ``config/cohorts/``."""
    results: str = "results"
    """Folder of the results, from the project's root."""
    seed: int = Field(default=2018, ge=0, le=2**32 - 1)
    """Seed from which every random step derives its own."""
    renderer: Literal["auto", "quarto", "embedded"] = "auto"
    """Renderer of the reports; auto takes Quarto when it is installed."""
    formats: list[Literal["html", "pdf", "docx"]] = Field(default=["html", "pdf", "docx"], min_length=1)
    """Formats of the reports."""
