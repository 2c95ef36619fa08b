"""Study years: from file names, columns or declarations."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from plneval.config.sources import YearRule
from plneval.errors import UserError, did_you_mean

_SINGLE = re.compile(r"(\d{4})", re.ASCII)
_SPAN = re.compile(r"(\d{4})\s*[-/\u2013]\s*(\d{4}|\d{2})", re.ASCII)


def parse_year(text: str) -> int | None:
    """The study year that a text means, or None where it means none.

    ``2019``, ``2018-19``, ``2018/19`` and ``2018/2019`` are 2019: the calendar year in which the school year ends. The
    two years of a span must follow each other.
    """
    if match := _SINGLE.fullmatch(text):
        return int(match[1])
    if match := _SPAN.fullmatch(text):
        start, end = int(match[1]), match[2]
        following = start + 1
        return following if int(end) == (following if len(end) == 4 else following % 100) else None
    return None


def full_year(digits: str) -> int:
    """A year of two digits in full: 00 to 69 are 2000 to 2069, 70 to 99 are 1970 to 1999."""
    if len(digits) == 4:
        return int(digits)
    short = int(digits)
    # ASSUME: the split that POSIX made customary; no study of school networks reaches either end.
    return 2000 + short if short < 70 else 1900 + short


def file_year(rule: YearRule, name: str) -> int | None:
    """The year of a whole file, its offset added; None where the rule takes the year from a column.

    Raises
    ------
    UserError
        If the file's name does not hold the year, or ``by_file`` does not name the file.
    """
    if rule.value is not None:
        return rule.value + rule.offset
    base = PurePosixPath(name).name
    if rule.by_file is not None:
        for known in (name, base):
            if known in rule.by_file:
                return rule.by_file[known] + rule.offset
        raise UserError(f"there is no year for the file '{name}'.{did_you_mean(base, rule.by_file)}")
    if rule.file_name is not None:
        match = re.search(rule.file_name, base)
        digits = match.group(1) if match else None
        if digits is None or not re.fullmatch(r"\d{2}|\d{4}", digits, re.ASCII):
            found = f" (the group holds '{digits}')" if digits is not None else ""
            raise UserError(f"'{rule.file_name}' finds no year of 2 or 4 digits in the file name '{base}'{found}.")
        return full_year(digits) + rule.offset
    return None
