"""Kinds of models about what is particular to Professional Learning Networks; see ``docs/networks.md``."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from plneval.config.base import Name
from plneval.config.model_base import DidBase, NoHeadline


class Diffusion(NoHeadline):
    """Effects on pupils taught by participants and on other pupils of member schools, their difference and ratio."""

    kind: Literal["networks.diffusion"]
    needs_pupils: ClassVar[bool] = True
    before: Literal["all_pupils", "later_participants"] = "all_pupils"
    """Who stands for the time before joining: all pupils of the school, or pupils of teachers by whether these take
    part later."""


class DoseBands(NoHeadline):
    """Effects by year of participation and band of dose: how much schools took part is not random."""

    kind: Literal["networks.dose"]
    measure: Literal["hours_per_teacher", "hours", "events", "share"] = "hours_per_teacher"
    """Dose of a school-year: mean hours at meetings of the teachers who came, hours of all of them together, number of
    meetings, or share of its networks' meetings attended."""
    edges: list[float] = Field(default=[], max_length=2)
    """The two limits between low, middle and high doses; terciles of doses above zero when left out."""

    @model_validator(mode="after")
    def _edges_in_order(self) -> DoseBands:
        if self.edges and (len(self.edges) != 2 or not 0 < self.edges[0] < self.edges[1]):
            raise ValueError("edges: give two limits that are above 0 and increase, or none.")
        return self


class Split(DidBase, NoHeadline):
    """The effect from the third year on for parts of the member schools, by what they or their networks are."""

    kind: Literal["networks.split"]
    by: Literal["deprivation", "disadvantaged_share", "area", "phase", "network_type", "network_focus", "composition"]
    """Deprivation and share of disadvantaged pupils: thirds of the schools in the first outcome year, with comparison
    schools of the same third; area and phase: with comparison schools of the same area or phase; type, focus and
    composition of the school's first network: with all comparison schools."""
    comparison: Literal["never", "not_yet"] = "never"
    """Comparison schools: those that never join, or also those that join later."""


class Spread(NoHeadline):
    """How far the effect differs between networks: standard deviation, a new network, share of networks below zero."""

    kind: Literal["networks.spread"]


class Moderation(NoHeadline):
    """Networks' effects by conditions measured before or early in participation, adjusted for their reliability."""

    kind: Literal["networks.moderation"]
    form: Name = "conditions"
    """Questionnaire of the cohort's instrument."""
    conditions: list[Name] = []
    """Scales of the questionnaire; all that measure a condition when left out."""
    structure: list[Literal["density", "reciprocity", "centralisation", "brokerage", "distance", "similarity"]] = []
    """Measures of network structure that are tried as moderators too (always exploratory)."""
    late: Literal["refuse", "leave_out", "force"] = "refuse"
    """Networks whose condition was first measured after their first outcome as members: refuse the scale, leave these
    networks out, or use them all the same (said in the report)."""


class Mediation(NoHeadline):
    """The path from participation over teachers' practice to pupils, with its sensitivity; always exploratory."""

    kind: Literal["networks.mediation"]
    role: Literal["exploratory"] = "exploratory"
    """Always exploratory: no data can show what the path takes for granted."""
    form: Name = "practice"
    """Questionnaire of the cohort's instrument."""
    scale: Name
    """Scale of practice."""
    covariates: list[Name] = []
    """Columns of the school panel that both steps are adjusted for."""


class GapParts(NoHeadline):
    """The change of the gap between disadvantaged and other pupils, in parts within and between schools."""

    kind: Literal["networks.gap"]
    needs_pupils: ClassVar[bool] = True
    # A word that the base does not have, so that no other kind can be asked for it: narrower here on purpose.
    subgroup: Literal["gap"] = "gap"  # type: ignore[assignment]
    """Always the gap between disadvantaged and other pupils."""


class AfterLeaving(DidBase, NoHeadline):
    """The effect of having taken part on schools that have left and are not back, against schools that never join."""

    kind: Literal["networks.after_leaving"]


NetworkModel = Diffusion | DoseBands | Split | Spread | Moderation | Mediation | GapParts | AfterLeaving
