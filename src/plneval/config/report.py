"""``config/report.yaml``: wording, branding and the thresholds that may be chosen."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from plneval.config.base import Section


class Branding(Section):
    """Who signs the reports."""

    organisation: str
    """Name under the title, where a cohort does not give its own."""
    contact: str = ""
    """Line for questions, at the end of the funder report."""


class Disclosure(Section):
    """What may leave the restricted folder."""

    minimum_count: int = Field(default=10, ge=3)
    """Counts of people from 1 to below this number are suppressed."""
    round_to: int = Field(default=5, ge=1)
    """Counts of people are rounded to the nearest multiple."""
    minimum_schools: int = Field(default=3, ge=3)
    """No result rests on fewer schools."""
    digits: int = Field(default=3, ge=1, le=6)
    """Decimals to which estimates are rounded."""


class Thresholds(Section):
    """Thresholds that a user may choose; the published ones are always computed too and the stricter governs."""

    baseline_max_g: float | None = Field(default=None, gt=0, le=0.5)
    """Largest baseline difference in SDs that does not stop a causal headline."""
    pretrend_alpha: float | None = Field(default=None, gt=0, lt=0.5)
    """Level of the joint test of trends before joining."""
    minimum_follow_up: int | None = Field(default=None, ge=1, le=10)
    """Years of participation that a headline needs."""
    smallest_effect: float = Field(default=0.05, gt=0, le=1)
    """Smallest effect of interest in SDs: an interval that lies within it either way is read as no difference."""


class Report(Section):
    """The reports' settings."""

    branding: Branding
    """Who signs the reports."""
    disclosure: Disclosure = Disclosure()
    """What may leave the restricted folder."""
    thresholds: Thresholds = Thresholds()
    """Thresholds that a user may choose."""
    months_table: Literal["trial", "toolkit"] = "trial"
    """Table that turns effect sizes into months of additional progress."""
    language: Literal["en"] = "en"
    """Language of the reports."""
