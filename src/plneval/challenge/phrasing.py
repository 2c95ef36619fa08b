"""Numbers and lists as they stand in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

MINUS: Final = "\N{MINUS SIGN}"
SMALL_NUMBERS: Final = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def decimal(value: float, digits: int = 2) -> str:
    """A number with fixed decimals and a proper minus sign; a rounded zero has no sign.

    Released numbers have three decimals. A sentence rounds those, halves away from zero, and so says what a table says.
    """
    released = Decimal(repr(round(abs(float(value)), max(digits, 3))))
    text = str(released.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))
    return f"{MINUS}{text}" if value < 0 and float(text) != 0 else text


def percent(share: float) -> str:
    """A share as whole per cent; what is there but rounds to nothing is said to be under 1 %."""
    if 0 < share < 0.005:
        return "under 1 %"
    return f"{share:.0%}".replace("%", " %")


def points(gap: float) -> str:
    """A difference of shares in percentage points, without its sign."""
    return f"{decimal(abs(gap) * 100, 1)} percentage points"


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """A count with its noun: ``1 school``, ``24 schools``."""
    return f"{number:,} {singular if number == 1 else plural or f'{singular}s'}"


def number_word(number: int) -> str:
    """A number up to ten as a word."""
    return SMALL_NUMBERS[number] if 0 <= number < len(SMALL_NUMBERS) else f"{number:,}"


def listed(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def in_sentence(label: str) -> str:
    """A label within a sentence: its first letter small, unless the first word is an abbreviation."""
    first = label.split(" ", 1)[0]
    return label[:1].lower() + label[1:] if first[1:].islower() else label


def capitalised(sentence: str) -> str:
    """A sentence with a capital first letter."""
    return sentence[:1].upper() + sentence[1:]
