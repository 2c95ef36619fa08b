"""Random numbers: one stream for each concept, so that a change in one part does not shift the draws of another."""

from __future__ import annotations

from typing import Final

import numpy as np

CONCEPTS: Final = (
    "schools",
    "memberships",
    "conditions",
    "staff",
    "pupils",
    "scores",
    "school_years",
    "surveys",
    "ties",
    "activity",
    "mess",
    "agency",
    "products",
    "other_programmes",
)
"""Append only: a concept's place is its stream."""


def stream(seed: int, concept: str, part: int = 0) -> np.random.Generator:
    """The generator of one concept, or of one of its parts; independent of all others."""
    key = (CONCEPTS.index(concept), part)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))


def distinct_codes(rng: np.random.Generator, low: int, high: int, count: int) -> list[int]:
    """Draw ``count`` different whole numbers from ``low`` to ``high - 1``, in random order."""
    drawn: dict[int, None] = {}
    while len(drawn) < count:
        for code in rng.integers(low, high, size=count - len(drawn)).tolist():
            drawn[code] = None
    return list(drawn)
