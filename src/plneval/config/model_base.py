"""What models of all kinds declare."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from plneval.config.base import Name, Section


class ModelBase(Section):
    """What every model declares."""

    needs_pupils: ClassVar[bool] = False
    """Whether a study with results of schools only cannot fit it."""
    label: str
    """Name in reports."""
    outcome: Name
    """Outcome of the cohort that is modelled."""
    role: Literal["confirmatory", "secondary", "exploratory"] = "secondary"
    """What the model was declared for before it was fitted."""
    headline: bool = False
    """Whether its third-year-on effect is the cohort's headline; one model of a cohort only."""
    subgroup: Literal["all", "disadvantaged", "not_disadvantaged"] = "all"
    """Pupils that are modelled."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    """Level of confidence intervals."""


class DidBase(ModelBase):
    """What every difference-in-differences model declares; all are fitted to school-years by ``plneval.did``."""

    covariates: list[Name] = []
    """Columns of the school panel that trends may depend on."""
    anticipation: int = Field(default=0, ge=0, le=3)
    """Years before joining in which an effect may already show."""


class NoHeadline(ModelBase):
    """A model about something other than the effect of joining, which therefore cannot be the headline."""

    @model_validator(mode="after")
    def _is_no_headline(self) -> NoHeadline:
        if self.headline:
            raise ValueError("headline: the headline is the effect of joining on pupils; this kind estimates another.")
        return self
