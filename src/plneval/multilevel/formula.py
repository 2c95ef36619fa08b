"""lme4's formula language, read as data: what stands in a formula is looked up or refused, never evaluated.

Bates, Mächler, Bolker and Walker (2015), table 2: ``(1|g)``, ``(x|g)``, ``(0 + x|g)``, ``(x||g)``, ``(1|a/b)``,
``(1|a:b)``. Terms are formulaic's (its parser, its order, its names); transforms are those of
:mod:`plneval.multilevel.expressions`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from plneval.multilevel.errors import MultilevelError
from plneval.multilevel.expressions import Factor, factor_of_call, nearest

Terms = tuple[tuple[Factor, ...], ...]
"""Terms, each a tuple of factors; the intercept is the empty tuple."""

_NAME = re.compile(r"[^\W\d][\w.]*")


@dataclass(frozen=True)
class Grouping:
    """A grouping factor: the column, or the columns whose combinations are the groups.

    Attributes
    ----------
    name
        As lme4 writes it: ``school``, ``pupil:school``, ``pupil:(school:network)``.
    columns
        Innermost first: labels are joined in this order.
    from_slash
        Whether the formula says, by ``/``, that ids may recur in other groups.
    """

    name: str
    columns: tuple[str, ...]
    from_slash: bool = False


@dataclass(frozen=True)
class RandomTerm:
    """One random-effects term: effects of ``terms`` that vary over the groups, correlated with one another."""

    terms: Terms
    grouping: Grouping
    position: int


@dataclass(frozen=True)
class ModelFormula:
    """A formula whose every part is known.

    Attributes
    ----------
    text
        As written.
    outcome
        What stands left of ``~``: a column or an expression of numbers.
    fixed
        Terms of the fixed part in formulaic's order.
    random
        Random-effects terms, ``||`` and ``/`` expanded as lme4 does.
    """

    text: str
    outcome: Factor
    fixed: Terms
    random: tuple[RandomTerm, ...]

    @property
    def factors(self) -> tuple[Factor, ...]:
        """Every factor once: the outcome, then those of the fixed part and of random effects."""
        found = {self.outcome.text: self.outcome}
        for terms in (self.fixed, *(term.terms for term in self.random)):
            found |= {factor.text: factor for term in terms for factor in term}
        return tuple(found.values())

    @property
    def groupings(self) -> tuple[Grouping, ...]:
        """Every grouping factor once, in the formula's order."""
        found: dict[str, Grouping] = {}
        for term in self.random:
            if term.grouping.name not in found or term.grouping.from_slash:
                found[term.grouping.name] = term.grouping
        return tuple(found.values())

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column of the data that is needed, once: outcome, covariates, groups."""
        named = [name for factor in self.factors for name in factor.columns]
        return tuple(dict.fromkeys([*named, *(name for grouping in self.groupings for name in grouping.columns)]))

    def check_columns(self, available: Collection[str]) -> None:
        """Raise ``MultilevelError`` if a column is not in the data, with the nearest names."""
        missing = [name for name in self.columns if name not in available]
        if missing:
            name = missing[0]
            shown = sorted(map(str, available))
            listed = ", ".join(repr(known) for known in shown[:20]) + (", ..." if len(shown) > 20 else "")
            raise MultilevelError(
                f"the formula {self.text!r} names the column {name!r}, which the data do not have."
                f"{nearest(name, shown)} Columns: {listed}"
            )


def parse(text: str) -> ModelFormula:
    """Read a formula such as ``math ~ year*female + (year|childid) + (1|schoolid)``.

    Raises
    ------
    MultilevelError
        The formula cannot be read, or holds something that is not known; the message says what.
    """
    if not isinstance(text, str):
        raise MultilevelError(f"the formula is a {type(text).__name__}, not a text such as 'score ~ year + (1|school)'")
    parts = _split(_powers(text), "~")
    if len(parts) != 2 or not parts[0].strip():
        raise MultilevelError(f"the formula {text!r} needs the form 'outcome ~ terms + (1 | group)'")
    fixed_text, bars = _without_bars(parts[1], text)
    if not bars:
        raise MultilevelError(f"the formula {text!r} has no random effects, such as (1 | school)")
    random: list[RandomTerm] = []
    for left, right, uncorrelated in bars:
        terms = _terms(left, text)
        if not terms:
            raise MultilevelError(
                f"the formula {text!r}: ({left.strip()} | {right.strip()}) holds no effect; write (1 | {right.strip()})"
            )
        blocks = [(term,) for term in terms] if uncorrelated else [terms]
        groupings = _groupings(right, text)
        random += [
            RandomTerm(block, grouping, len(random) + at)
            for at, (block, grouping) in enumerate((block, grouping) for block in blocks for grouping in groupings)
        ]
    parsed = ModelFormula(text, _outcome(parts[0], text), _terms(fixed_text, text), tuple(random))
    for terms in (parsed.fixed, *(term.terms for term in random)):
        if any(factor.text == parsed.outcome.text for term in terms for factor in term):
            raise MultilevelError(f"the formula {text!r}: the outcome {parsed.outcome.text} cannot explain itself")
    return parsed


def _characters(text: str) -> Iterator[tuple[int, str, int, bool]]:
    """Position, character, depth of brackets and whether it stands in quotes or backticks."""
    depth, quote = 0, ""
    for at, character in enumerate(text):
        if quote:
            yield at, character, depth, True
            if character == quote:
                quote = ""
            continue
        if character in "'\"`":
            quote = character
            yield at, character, depth, True
            continue
        if character in ")]":
            depth -= 1
        if depth < 0:
            break
        yield at, character, depth, False
        if character in "([":
            depth += 1
    if depth != 0 or quote:
        raise MultilevelError(f"the formula {text!r} has a bracket or a quotation mark without its partner")


def _powers(text: str) -> str:
    """The formula with R's ``^`` written as ``**``; braces, which formulaic would run as code, are refused."""
    written = []
    for _, character, _, quoted in _characters(text):
        if character in "{}" and not quoted:
            raise MultilevelError(
                f"the formula {text!r} holds braces, whose content would be code; arithmetic stands in I(...)"
            )
        written.append("**" if character == "^" and not quoted else character)
    return "".join(written)


def _split(text: str, separator: str) -> list[str]:
    """The pieces between separators that stand outside brackets and quotes."""
    pieces, start = [], 0
    for at, character, depth, quoted in _characters(text):
        if character == separator and depth == 0 and not quoted:
            pieces.append(text[start:at])
            start = at + 1
    return [*pieces, text[start:]]


def _signed_pieces(text: str) -> list[tuple[str, str]]:
    """The pieces between ``+`` and ``-`` outside brackets, each with the signs before it."""
    pieces, sign, start = [], "", 0
    for at, character, depth, quoted in _characters(text):
        if character in "+-" and depth == 0 and not quoted:
            if text[start:at].strip():
                pieces.append((sign, text[start:at].strip()))
                sign = ""
            sign += character
            start = at + 1
    last = text[start:].strip()
    if not last:
        raise MultilevelError(f"the formula's right side {text.strip()!r} ends with nothing")
    return [*pieces, (sign, last)]


def _inside(piece: str) -> str | None:
    """What one pair of brackets around the whole piece holds."""
    if not piece.startswith("("):
        return None
    closing = [
        at for at, character, depth, quoted in _characters(piece) if character == ")" and depth == 0 and not quoted
    ]
    return piece[1:-1].strip() if closing[:1] == [len(piece) - 1] else None


def _bar(text: str) -> tuple[str, str, bool] | None:
    """Effects, groups and whether ``||`` stands between them; None where no bar is outside brackets."""
    pieces = _split(text, "|")
    if len(pieces) == 2:
        return pieces[0], pieces[1], False
    if len(pieces) == 3 and text[len(pieces[0]) :].startswith("||"):
        return pieces[0], pieces[2], True
    return None if len(pieces) == 1 else ("", "", False)


def _without_bars(right: str, text: str) -> tuple[str, list[tuple[str, str, bool]]]:
    """The fixed part of a right side, and its random-effects terms."""
    fixed, bars = [], []
    for sign, piece in _signed_pieces(right):
        inside = _inside(piece)
        while inside is not None and (inner := _inside(inside)) is not None:
            inside = inner
        bar = None if inside is None else _bar(inside)
        if bar is None:
            if any(character == "|" and not quoted for _, character, _, quoted in _characters(piece)):
                raise MultilevelError(
                    f"the formula {text!r}: '|' in {piece!r} must stand in brackets of its own that are added, "
                    "such as + (1 | school)"
                )
            fixed.append(f"{sign or '+'} {piece}")
        elif "-" in sign:
            raise MultilevelError(f"the formula {text!r}: random effects can only be added, not taken away: - {piece}")
        elif not bar[0].strip() or not bar[1].strip() or "|" in bar[1]:
            raise MultilevelError(f"the formula {text!r}: {piece!r} needs the form (effects | group)")
        else:
            bars.append(bar)
    return (" ".join(fixed).lstrip("+ ") or "1"), bars


def _groupings(right: str, text: str) -> list[Grouping]:
    """Grouping factors of what stands right of the bar; ``a/b`` is ``b:a`` and ``a``, innermost first (as lme4)."""
    found: list[Grouping] = []
    for piece in _split(_inside(right.strip()) or right, "/"):
        names = [_group_name(name, right, text) for name in _split(_inside(piece.strip()) or piece, ":")]
        if not found:
            found.append(Grouping(":".join(names), tuple(names)))
            continue
        outer = found[0]
        if set(names) & set(outer.columns):
            raise MultilevelError(f"the formula {text!r}: a group is named twice in {right.strip()!r}")
        written = f"({outer.name})" if len(outer.columns) > 1 else outer.name
        found.insert(0, Grouping(f"{':'.join(names)}:{written}", (*names, *outer.columns), from_slash=True))
    for grouping in found:
        if len(set(grouping.columns)) < len(grouping.columns):
            raise MultilevelError(f"the formula {text!r}: a group is named twice in {right.strip()!r}")
    return found


def _group_name(name: str, right: str, text: str) -> str:
    name = name.strip()
    if len(name) > 2 and name[0] == name[-1] == "`":
        return name[1:-1]
    if not _NAME.fullmatch(name):
        raise MultilevelError(
            f"the formula {text!r}: {right.strip()!r} right of '|' must be columns joined by ':' or '/', "
            "such as school/pupil"
        )
    return name


def _outcome(left: str, text: str) -> Factor:
    terms = _terms(f"0 + {left}", text)
    if len(terms) != 1 or len(terms[0]) != 1 or terms[0][0].kind not in ("column", "number"):
        raise MultilevelError(f"the formula {text!r} needs one column of numbers left of '~'")
    return terms[0][0]


def _terms(part: str, text: str) -> Terms:
    """The terms of one part, with an intercept unless taken away, in formulaic's order."""
    from formulaic import Formula
    from formulaic.errors import FormulaicError

    if "." in re.split(r"[\s+*:()^/-]+", part):
        raise MultilevelError(f"the formula {text!r}: '.' for all columns is not supported; name them")
    try:
        parsed: Any = Formula(part)
    except FormulaicError as error:
        reason = re.sub(r"\x1b?\[[\d;]*m|[⧛⧚\x1b]", "", str(error).splitlines()[0])
        raise MultilevelError(f"the formula {text!r}: {part.strip()!r} cannot be read: {reason}") from None
    except (SyntaxError, ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError):
        raise MultilevelError(f"the formula {text!r}: {part.strip()!r} cannot be read") from None
    terms = list(parsed) if hasattr(parsed, "__iter__") and not isinstance(parsed, tuple) else []
    if any(not hasattr(term, "factors") for term in terms):
        raise MultilevelError(f"the formula {text!r}: {part.strip()!r} holds more than terms")
    return tuple(tuple(_factors(term, text)) for term in terms)


def _factors(term: Any, text: str) -> Iterator[Factor]:
    """Factors of one term; a factor 1 is left out, so the intercept is a term of no factors."""
    from formulaic.parser.types import Factor as Parsed

    for factor in term.factors:
        if factor.eval_method is Parsed.EvalMethod.LOOKUP:
            yield Factor(factor.expr, "column", (factor.expr,))
        elif factor.eval_method is Parsed.EvalMethod.PYTHON:
            yield factor_of_call(factor.expr)
        elif factor.expr != "1":
            raise MultilevelError(f"the formula {text!r}: the number {factor.expr} cannot be a term")
