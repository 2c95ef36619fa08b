"""Formulas of multilevel models as data: the fixed part checked as any formula, the random terms read and checked."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from plneval.config.formula import CheckedFormula, check_formula
from plneval.errors import UserError, did_you_mean

GROUPS: Final = ("pupil", "school", "network", "cluster", "area")
"""Columns that may group occasions: levels of a model."""
WORDS: Final = frozenset({"area", "phase", "network_type", "arm", "grade", "gender", "exposure", "outcome", "subgroup"})
"""Columns of words: no random slope can be taken over them."""

_BAR: Final = re.compile(r"\(([^()|~]*)(\|{1,2})([^()|~]*)\)")
_NAME: Final = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class RandomTerm:
    """One term in brackets.

    Attributes
    ----------
    text : as written, with single blanks.
    intercept, columns : what varies between groups; columns are numbers.
    groups : grouping columns, outermost first; several where the term says ``a/b`` (both levels) or ``a:b``.
    nested : True for ``a/b``.
    correlated : False for ``||``.
    """

    text: str
    intercept: bool
    columns: tuple[str, ...]
    groups: tuple[str, ...]
    nested: bool
    correlated: bool


@dataclass(frozen=True)
class MixedFormula:
    """A formula in lme4's language, checked: its fixed part, and its random terms in the order they are written."""

    fixed: CheckedFormula
    random: tuple[RandomTerm, ...]

    @property
    def random_columns(self) -> tuple[str, ...]:
        """Columns of random slopes, sorted."""
        return tuple(sorted({name for term in self.random for name in term.columns}))

    @property
    def groups(self) -> tuple[str, ...]:
        """Grouping columns, sorted."""
        return tuple(sorted({name for term in self.random for name in term.groups}))


def check_mixed_formula(text: str, columns: Collection[str]) -> MixedFormula:
    """Read ``response ~ fixed terms + (slopes | group)`` and check every name.

    Parameters
    ----------
    text : a formula in lme4's language. Random terms hold 1, 0 and columns of numbers; groups are those of ``GROUPS``.
    columns : the columns that may be named.

    Raises
    ------
    UserError
        As :func:`~plneval.config.formula.check_formula`; no random term, or one that cannot be read.
    """
    if "~" not in text:
        raise UserError(f"the formula '{text}' needs the form 'response ~ terms + (1 | group)'.")
    left, right = text.split("~", 1)
    random = tuple(_random_term(match, columns, text) for match in _BAR.finditer(right))
    if not random:
        raise UserError(f"the formula '{text}' has no random term such as (1 | school).")
    fixed = _BAR.sub("\0", right)
    fixed = re.sub(r"\+\s*\0|\0\s*\+|\0", "", fixed).strip()
    if "|" in fixed:
        raise UserError(f"the formula '{text}' has a random term that cannot be read: write (time | school).")
    return MixedFormula(check_formula(f"{left.strip()} ~ {fixed or '1'}", columns), random)


def _random_term(match: re.Match[str], columns: Collection[str], text: str) -> RandomTerm:
    inner, bars, grouping = match.group(1), match.group(2), match.group(3).strip()
    shown = f"({' '.join(inner.split())} {bars} {' '.join(grouping.split())})"
    parts = [part.strip() for part in inner.split("+")]
    slopes = [part for part in parts if part not in {"0", "1"}]
    for name in slopes:
        if not _NAME.fullmatch(name):
            raise UserError(f"the formula '{text}' holds {shown}: only 1, 0 and columns may stand before the bar.")
        if name not in columns:
            raise UserError(
                f"the formula '{text}' names the column '{name}' in {shown}, which is not there."
                f"{did_you_mean(name, columns)}"
            )
        if name in WORDS:
            raise UserError(
                f"the formula '{text}' has a slope over '{name}' in {shown}, a column of words; name a column of "
                "numbers, such as ever_member for arm."
            )
    if not slopes and "0" in parts:
        raise UserError(f"the formula '{text}' holds {shown}, in which nothing varies.")
    groups = [name.strip() for name in re.split(r"[/:]", grouping)]
    for name in groups:
        if name not in GROUPS or name not in columns:
            known = [group for group in GROUPS if group in columns]
            raise UserError(
                f"the formula '{text}' groups by '{name}' in {shown}.{did_you_mean(name, known)} "
                f"Levels: {', '.join(known)}."
            )
    if "/" in grouping and ":" in grouping:
        raise UserError(f"the formula '{text}' mixes '/' and ':' in {shown}; write the levels as terms of their own.")
    return RandomTerm(shown, "0" not in parts, tuple(slopes), tuple(groups), "/" in grouping, bars == "|")
