"""``config/instruments/<name>.yaml``: what a survey asks, which items form a scale, and how answers become scores."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from plneval.config.base import Name, Section

Role = Literal["participant", "colleague", "leader"]


class Item(Section):
    """One statement that respondents answer."""

    wording: str = Field(min_length=1)
    """The statement as respondents read it."""
    reverse: bool = False
    """True where agreement means less of what the scale measures."""


class Scale(Section):
    """Items that measure one construct."""

    label: str = Field(min_length=1)
    """Name of the scale in reports."""
    meaning: str = Field(min_length=1)
    """What a high score means."""
    measures: Literal["condition", "practice", "policy", "agency"]
    """What the score stands for: a condition of learning in networks, teaching practice, policy of the school, or
    agency."""
    sources: list[str] = Field(min_length=1)
    """Where the construct comes from."""
    items: dict[Name, Item] = Field(min_length=2)
    """The items, by their name in the table of surveys."""


class Form(Section):
    """One questionnaire: the items that are answered together."""

    label: str = Field(min_length=1)
    """Name of the questionnaire in reports."""
    lowest: int
    """Lowest possible answer."""
    highest: int
    """Highest possible answer."""
    anchors: list[str] = []
    """Words for the answers from the lowest to the highest; empty where only the ends carry words."""
    roles: list[Role] = Field(min_length=1)
    """Who is asked; answers of others are left out and counted."""
    minimum_answered: float = Field(default=0.6, gt=0, le=1)
    """Share of a scale's items that must be answered for a score: with 0.6, two of three, three of four."""
    minimum_respondents: int = Field(default=10, ge=3)
    """With fewer respondents in a wave there is no reliability, no agreement, and no network's condition from it."""
    scales: dict[Name, Scale] = Field(min_length=1)
    """The scales."""

    @model_validator(mode="after")
    def _range_and_items(self) -> Self:
        if self.highest <= self.lowest:
            raise ValueError(
                f"highest: the highest answer is {self.highest} and the lowest {self.lowest}; it must lie above."
            )
        points = self.highest - self.lowest + 1
        if self.anchors and len(self.anchors) != points:
            raise ValueError(
                f"anchors: {len(self.anchors)} words for {points} answers from {self.lowest} to {self.highest}; "
                "write one for each, or none."
            )
        owner: dict[str, str] = {}
        for name, scale in self.scales.items():
            for item in scale.items:
                if item in owner:
                    raise ValueError(
                        f"scales.{name}.items.{item}: the item belongs to the scale '{owner[item]}' already; "
                        "an item measures one construct only."
                    )
                owner[item] = name
        return self


class Instrument(Section):
    """The questionnaires of a study."""

    title: str = Field(min_length=1)
    """Name of the instrument."""
    note: str = ""
    """Where the wording comes from and what is known of its quality; printed with the reliability figures."""
    forms: dict[Name, Form] = Field(min_length=1)
    """Questionnaires, by the name that stands as `instrument` in the table of surveys."""
