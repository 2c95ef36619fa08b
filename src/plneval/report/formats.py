"""How numbers stand in reports: signs, decimals, intervals, counts, what is suppressed and what is missing."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pandas as pd

MINUS = "\N{MINUS SIGN}"
NBSP = "\N{NO-BREAK SPACE}"
MISSING = "–"
SUPPRESSED = "c"


def is_missing(value: Any) -> bool:
    """Whether a single value is None, NaN, NaT or NA."""
    return value is None or bool(pd.isna(value))


def number(value: Any, digits: int = 2, signed: bool = False) -> str:
    """A number with a fixed number of decimals and a proper minus sign; a dash where it is missing.

    A value that rounds to zero carries no sign.

    Parameters
    ----------
    value:
        A number, or a missing value.
    digits:
        Decimals.
    signed:
        Whether a positive number carries a plus sign.
    """
    if is_missing(value) or not math.isfinite(float(value)):
        return MISSING
    # Halves go away from zero: 0.495 is 0.50 here as it is in the verdict's sentence, whatever its binary form is.
    released = Decimal(repr(round(abs(float(value)), max(digits, 3))))
    text = f"{released.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):,f}"
    if float(text.replace(",", "")) == 0:
        return text
    if float(value) < 0:
        return f"{MINUS}{text}"
    return f"+{text}" if signed else text


def interval(low: Any, high: Any, digits: int = 2) -> str:
    """An interval in words that stays on one line, such as ``0.05 to 0.19``; a dash where either end is missing."""
    if is_missing(low) or is_missing(high):
        return MISSING
    return NBSP.join((number(low, digits), "to", number(high, digits)))


def count(value: Any) -> str:
    """A count with thousands separated; a dash where there is none."""
    return MISSING if is_missing(value) else number(value, 0)


def share(value: Any, digits: int = 1) -> str:
    """A share between 0 and 1 as a percentage."""
    return MISSING if is_missing(value) else f"{number(100 * float(value), digits)}{NBSP}%"


def p_value(value: Any) -> str:
    """A p-value with three decimals, ``<0.001`` below that."""
    if is_missing(value):
        return MISSING
    return "<0.001" if float(value) < 0.001 else number(value, 3)


def months(value: Any) -> str:
    """Months of additional progress: a whole number with its sign, or the table's own word (``12+``)."""
    if is_missing(value):
        return MISSING
    if isinstance(value, str) and not _is_number(value):
        return value.replace("-", MINUS)
    return number(value, 0)


def word(value: Any) -> str:
    """A name from a table as words: underscores become blanks; a dash where it is missing or empty.

    A text of several words is prose, not a name, and stays as it is: it may speak of a model or a setting by name.
    """
    text = "" if is_missing(value) else str(value).strip()
    if " " in text:
        return text
    return text.replace("_", " ") if text else MISSING


def sentence_case(value: Any) -> str:
    """``word`` with a capital first letter."""
    text = word(value)
    return text[:1].upper() + text[1:]


def plural(value: Any, one: str, many: str | None = None) -> str:
    """A count with its noun: ``1 school``, ``54 schools``."""
    noun = one if not is_missing(value) and int(value) == 1 else (many or f"{one}s")
    return f"{count(value)} {noun}"


def listed(items: list[str], conjunction: str = "and") -> str:
    """Words as a list: ``a``, ``a and b``, ``a, b and c``."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {conjunction} {items[-1]}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
