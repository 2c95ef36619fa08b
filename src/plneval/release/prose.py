"""Counts of people that stand in sentences of the program: reworded by the same rule as counts in cells."""

from __future__ import annotations

import re
from typing import Final

from plneval.config.report import Disclosure
from plneval.release.disclosure import is_small, round_count

PEOPLE: Final = re.compile(
    r"(?<![\d.,])(?<!= )(?P<count>\d{1,3}(?:,\d{3})+|\d+)(?P<rest> (?:[a-z-]+ )?"
    r"(?:pupils?|pupil-years?|pupil numbers|scores?|teachers?|respondents?|responses?|memberships?|lessons?|"
    r"ties?)\b)"
)
"""A whole number with the people that it counts, such as ``37 pupils``; a mean (``n = 104 pupils``) is none."""


def reworded(text: str, rule: Disclosure) -> str:
    """A sentence with its counts of people suppressed (``fewer than 10 pupils``) or rounded (``about 205 pupils``)."""

    def replacement(found: re.Match[str]) -> str:
        count = int(found["count"].replace(",", ""))
        return f"{published_words(count, rule)}{found['rest']}"

    return PEOPLE.sub(replacement, text)


def published_words(count: int, rule: Disclosure) -> str:
    """A count of people in words: what is published of it."""
    if is_small(count, rule):
        return f"fewer than {rule.minimum_count}"
    shown = round_count(count, rule.round_to)
    return f"{shown:,}" if shown == 0 or rule.round_to == 1 else f"about {shown:,}"
