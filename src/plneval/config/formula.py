"""Model formulas as data: parsed, and checked against columns and a fixed list of transforms, before anything is built.

formulaic runs the Python that stands in a formula when it builds a model matrix. A formula comes from a configuration
file, so nothing of it may run that is not known beforehand.
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from plneval.errors import UserError, did_you_mean

TRANSFORMS = ("C", "center", "exp", "log", "poly", "scale", "sqrt")
"""Functions that may stand in a formula; all are formulaic's own or numpy's."""


@dataclass(frozen=True)
class CheckedFormula:
    """A formula whose every column and transform is known.

    Attributes
    ----------
    text : the formula as written.
    response : column on the left of ``~``.
    columns : all columns, sorted, the response among them.
    terms : terms of the right-hand side as formulaic prints them.
    """

    text: str
    response: str
    columns: tuple[str, ...]
    terms: tuple[str, ...]


def check_formula(text: str, columns: Collection[str]) -> CheckedFormula:
    """Parse a formula and check every factor of its tree.

    Parameters
    ----------
    text : a two-sided formula in formulaic's language with one response column.
    columns : the columns that may be named.

    Raises
    ------
    UserError
        If the formula does not parse, has not exactly one response, names an unknown column or function, or holds
        anything else that would run as code.
    """
    from formulaic import Formula
    from formulaic.errors import FormulaicError
    from formulaic.parser.types import Factor

    try:
        parsed = Formula(text)
    except FormulaicError as error:
        raise UserError(f"the formula '{text}' cannot be parsed: {str(error).splitlines()[0]}.") from None
    except (SyntaxError, ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError):
        raise UserError(f"the formula '{text}' cannot be parsed.") from None
    left_terms, right = _terms(getattr(parsed, "lhs", None)), _terms(getattr(parsed, "rhs", None))
    if left_terms is None or right is None:
        raise UserError(f"the formula '{text}' needs the form 'response ~ terms'.")
    if len(left_terms) != 1 or len(left_terms[0].factors) != 1:
        raise UserError(f"the formula '{text}' needs exactly one column on the left of '~'.")
    response = next(iter(left_terms[0].factors))
    if response.eval_method is not Factor.EvalMethod.LOOKUP:
        raise UserError(f"the formula '{text}' needs a column, not an expression, on the left of '~'.")
    named: set[str] = set()
    for term in [*left_terms, *right]:
        for factor in term.factors:
            if factor.eval_method is Factor.EvalMethod.LITERAL:
                continue
            if factor.eval_method is Factor.EvalMethod.LOOKUP:
                _known_column(factor.expr, columns, text)
                named.add(factor.expr)
            else:
                named |= _columns_of_call(factor.expr, columns, text)
    return CheckedFormula(text, response.expr, tuple(sorted(named)), tuple(str(term) for term in right))


def _terms(part: Any) -> list[Any] | None:
    """The terms of one side; None for parts (`a | b`) and nested formulas (`[a ~ b]`), which are no fixed part."""
    terms = list(part) if hasattr(part, "__iter__") and not isinstance(part, tuple) else []
    return terms if terms and all(hasattr(term, "factors") for term in terms) else None


def _known_column(name: str, columns: Collection[str], text: str) -> None:
    if name not in columns:
        raise UserError(
            f"the formula '{text}' names the column '{name}', which is not there."
            f"{did_you_mean(name, columns)} Columns: {', '.join(sorted(columns))}."
        )


def _columns_of_call(expression: str, columns: Collection[str], text: str) -> set[str]:
    """Columns of one call such as ``poly(x, 2)``; anything but a call of a known transform is refused."""
    try:
        tree = ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        raise UserError(f"the formula '{text}' holds '{expression}', which cannot be read.") from None
    if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name) or tree.func.id not in TRANSFORMS:
        found = tree.func.id if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) else expression
        raise UserError(
            f"the formula '{text}' holds '{found}', which is not an allowed transform."
            f"{did_you_mean(found, TRANSFORMS)} Allowed: {', '.join(TRANSFORMS)}."
        )
    named: set[str] = set()
    for argument in tree.args:
        if isinstance(argument, ast.Name):
            _known_column(argument.id, columns, text)
            named.add(argument.id)
        elif isinstance(argument, ast.Call):
            named |= _columns_of_call(ast.unparse(argument), columns, text)
        elif not _is_constant(argument):
            raise UserError(
                f"the formula '{text}' holds '{ast.unparse(argument)}' within {tree.func.id}(); "
                f"only columns, numbers and texts may stand there."
            )
    for keyword in tree.keywords:
        if keyword.arg is None or not _is_constant(keyword.value):
            raise UserError(f"the formula '{text}' gives {tree.func.id}() an argument that is not a number or a text.")
    if not named:
        raise UserError(f"the formula '{text}' holds '{expression}', which names no column.")
    return named


def _is_constant(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float | str | bool)
