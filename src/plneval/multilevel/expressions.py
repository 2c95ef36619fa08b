"""What may be computed within a formula: a fixed list of transforms and arithmetic.

Expressions are read as trees whose every node is checked; nothing is evaluated as code.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plneval.multilevel.design import Floats
from plneval.multilevel.errors import MultilevelError

NUMERIC_FUNCTIONS = ("I", "center", "exp", "log", "scale", "sqrt")
"""Functions that give one number a row. They may be nested, and hold arithmetic."""

COLUMN_FUNCTIONS = ("C", "dummy", "poly")
"""Functions that give categories or several columns. They stand alone, around one column."""

POOLED_FUNCTIONS = ("center", "scale")
"""Functions whose value in one row depends on all rows, through constants (mean and standard deviation)."""

Constants = Mapping[str, tuple[float, ...]]
"""Constants of pooled functions, by the text of the call: (mean, standard deviation); for ``poly`` its recurrence."""

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
_R_SPELLINGS = {"factor": "C", "as.factor": "C", "ordered": "C", "offset": None}


def nearest(found: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x' or 'y'?`` (with its leading blank) for the nearest known names, or an empty string."""
    near = difflib.get_close_matches(found, sorted(known), n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(name) for name in near)}?" if near else ""


@dataclass(frozen=True)
class Factor:
    """One factor of a term, such as ``year``, ``C(grade)``, ``log(score)`` or ``poly(age, 2)``.

    Attributes
    ----------
    text
        As formulaic writes it; it stands in the names of columns.
    kind
        ``column`` (numeric or categories, as the data have it), ``number``, ``category``, ``dummy`` or ``poly``.
    columns
        The columns of the data it needs.
    levels
        ``category``: the categories declared in the formula, in order; ``dummy``: those that get a column.
    base
        ``category``: the reference category declared in the formula.
    degree
        ``poly``: how many columns.
    """

    text: str
    kind: str
    columns: tuple[str, ...]
    levels: tuple[Any, ...] | None = None
    base: Any = None
    degree: int = 0


def factor_of_call(text: str) -> Factor:
    """Read a call such as ``log(x)`` and check every part of its tree.

    Raises
    ------
    MultilevelError
        Anything but the functions, arithmetic, numbers and columns that are allowed.
    """
    tree = _tree(text)
    name = _function_of(tree, text)
    if name not in COLUMN_FUNCTIONS:
        columns = tuple(dict.fromkeys(_columns_of(tree, text)))
        if not columns:
            raise MultilevelError(f"{text} in the formula names no column")
        return Factor(text, "number", columns)
    assert isinstance(tree, ast.Call)
    if not tree.args or not isinstance(tree.args[0], ast.Name):
        raise MultilevelError(f"{text} in the formula: {name}() takes a column; compute others beforehand")
    column, rest = tree.args[0].id, tree.args[1:]
    keywords = {str(keyword.arg): keyword.value for keyword in tree.keywords}
    if name == "C":
        return _category(text, column, rest, keywords)
    if name == "dummy":
        return _dummy(text, column, rest, keywords)
    return _poly(text, column, rest, keywords)


def _tree(text: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise MultilevelError(f"{text!r} in the formula cannot be read") from None


def _function_of(tree: ast.expr, text: str) -> str:
    """The name of the function called, refused unless it is known."""
    known = (*COLUMN_FUNCTIONS, *NUMERIC_FUNCTIONS)
    if not isinstance(tree, ast.Call):
        raise MultilevelError(f"{text!r} in the formula: arithmetic stands in I(...), such as I({text})")
    name = ast.unparse(tree.func)
    if isinstance(tree.func, ast.Name) and name in known:
        return name
    if name == "offset":
        raise MultilevelError(f"{text} in the formula: offsets are not supported; subtract it from the outcome instead")
    hint = " Did you mean 'C'?" if name in _R_SPELLINGS else nearest(name, known)
    raise MultilevelError(
        f"{text!r} in the formula: {name!r} is not a function that may be used.{hint} "
        f"Allowed: {', '.join(sorted(known))}"
    )


def _columns_of(node: ast.expr, text: str) -> list[str]:
    """Columns of an expression of numbers; everything that is not known is refused."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return []
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        return _columns_of(node.left, text) + _columns_of(node.right, text)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return _columns_of(node.operand, text)
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARISONS:
        return _columns_of(node.left, text) + _columns_of(node.comparators[0], text)
    if isinstance(node, ast.Call):
        name = _function_of(node, text)
        if name in COLUMN_FUNCTIONS:
            raise MultilevelError(f"{text} in the formula: {name}() cannot stand within another function")
        if len(node.args) != 1 or (node.keywords and name != "scale"):
            raise MultilevelError(f"{text} in the formula: {name}() takes one argument")
        _scale_options(node, text)
        return _columns_of(node.args[0], text)
    raise MultilevelError(f"{text} in the formula: {ast.unparse(node)!r} is not a column, a number or arithmetic")


def _scale_options(node: ast.Call, text: str) -> tuple[bool, bool]:
    """Whether ``scale`` centres and divides."""
    options = {"center": True, "scale": True}
    for keyword in node.keywords:
        if keyword.arg not in options or not (
            isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, bool)
        ):
            raise MultilevelError(f"{text} in the formula: scale() takes center= and scale=, each True or False")
        options[keyword.arg] = keyword.value.value
    if isinstance(node.func, ast.Name) and node.func.id == "center":
        options["scale"] = False
    return options["center"], options["scale"]


def _literals(node: ast.expr, text: str) -> tuple[Any, ...]:
    """A text or number, or a list of them."""
    items = node.elts if isinstance(node, ast.List | ast.Tuple) else [node]
    found = []
    for item in items:
        sign = 1
        if isinstance(item, ast.UnaryOp) and isinstance(item.op, ast.USub):
            item, sign = item.operand, -1
        if not isinstance(item, ast.Constant) or not isinstance(item.value, int | float | str):
            raise MultilevelError(
                f"{text} in the formula: categories are texts or numbers, such as C(x, levels=['a', 'b'])"
            )
        found.append(-item.value if sign < 0 and not isinstance(item.value, str) else item.value)
    return tuple(found)


def _category(text: str, column: str, rest: list[ast.expr], keywords: dict[str, ast.expr]) -> Factor:
    base, levels = None, None
    if "levels" in keywords:
        levels = _literals(keywords.pop("levels"), text)
    if len(rest) == 1 and isinstance(rest[0], ast.Call) and len(rest[0].args) + len(rest[0].keywords) == 1:
        function, call = ast.unparse(rest[0].func), rest[0]
        given = call.args[0] if call.args else call.keywords[0].value
        if function in ("Treatment", "contr.treatment") and (
            call.args or call.keywords[0].arg in ("base", "reference")
        ):
            base, rest = _literals(given, text)[0], []
    if rest or keywords:
        raise MultilevelError(
            f"{text} in the formula: C() takes a column, and may take Treatment('reference') and levels=[...]"
        )
    return Factor(text, "category", (column,), levels=levels, base=base)


def _dummy(text: str, column: str, rest: list[ast.expr], keywords: dict[str, ast.expr]) -> Factor:
    if len(rest) > 1 or keywords:
        raise MultilevelError(f"{text} in the formula: dummy() takes a column and the categories that get a column")
    return Factor(text, "dummy", (column,), levels=_literals(rest[0], text) if rest else None)


def _poly(text: str, column: str, rest: list[ast.expr], keywords: dict[str, ast.expr]) -> Factor:
    given = [*rest, *([keywords.pop("degree")] if "degree" in keywords else [])]
    degree = given[0].value if len(given) == 1 and isinstance(given[0], ast.Constant) else 1
    if keywords or len(given) > 1 or type(degree) is not int or not 1 <= degree <= 9:
        raise MultilevelError(
            f"{text} in the formula: poly() takes a column and a degree from 1 to 9; raw powers are I(x**2)"
        )
    return Factor(text, "poly", (column,), degree=degree)


@lru_cache(maxsize=256)
def _checked_tree(text: str) -> ast.expr:
    tree = _tree(text)
    if not isinstance(tree, ast.Name):
        _columns_of(tree, text)
    return tree


def evaluate(text: str, numbers: Mapping[str, NDArray[Any]], constants: Constants) -> Floats:
    """Compute an expression of numbers, such as ``I(scale(x) ** 2)``, for (n,) columns.

    Results that are not numbers (logarithms of negative numbers) are NaN or infinite here; the caller refuses them.
    """
    with np.errstate(all="ignore"):
        return np.asarray(_value(_checked_tree(text), numbers, constants), dtype=np.float64)


def _value(node: ast.expr, numbers: Mapping[str, NDArray[Any]], constants: Constants) -> Any:
    if isinstance(node, ast.Name):
        return np.asarray(numbers[node.id], dtype=np.float64)
    if isinstance(node, ast.Constant):
        return float(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.UnaryOp):
        operand = _value(node.operand, numbers, constants)
        return -operand if isinstance(node.op, ast.USub) else operand
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left, numbers, constants), _value(node.right, numbers, constants)
        return _ARITHMETIC[type(node.op)](left, right)
    if isinstance(node, ast.Compare):
        left, right = _value(node.left, numbers, constants), _value(node.comparators[0], numbers, constants)
        return np.asarray(_COMPARISONS[type(node.ops[0])](left, right), dtype=np.float64)
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    inner = _value(node.args[0], numbers, constants)
    if node.func.id in POOLED_FUNCTIONS:
        mean, spread = constants[ast.unparse(node)]
        return (inner - mean) / spread
    return inner if node.func.id == "I" else getattr(np, node.func.id)(inner)


def pooled_calls(text: str) -> list[tuple[str, str]]:
    """The calls of ``scale`` and ``center`` in an expression, innermost first, each with its argument's text."""
    found: list[tuple[str, str]] = []

    def visit(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            visit(child)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in POOLED_FUNCTIONS:
            found.append((ast.unparse(node), ast.unparse(node.args[0])))

    visit(_checked_tree(text))
    return found


@dataclass
class Moments:
    """Number, mean and sum of squared deviations of values that come in parts; NaN are left out (as R's ``scale``)."""

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, values: Floats) -> None:
        """Take further values in (Chan, Golub and LeVeque 1983, eq. 1.3)."""
        values = values[~np.isnan(values)]
        if not len(values):
            return
        mean = float(values.mean())
        squares = float(np.square(values - mean).sum())
        n, change = self.n + len(values), mean - self.mean
        self.squares += squares + change**2 * self.n * len(values) / n
        self.mean += change * len(values) / n
        self.n = n

    def constants(self, call: str) -> tuple[float, float]:
        """What ``scale`` or ``center`` subtracts and divides by, as R computes it.

        Raises
        ------
        MultilevelError
            A column that is constant cannot be scaled.
        """
        node = _tree(call)
        assert isinstance(node, ast.Call)
        center, divide = _scale_options(node, call)
        mean = self.mean if center else 0.0
        if not divide:
            return mean, 1.0
        squares = self.squares if center else self.squares + self.n * self.mean**2
        spread = float(np.sqrt(squares / (self.n - 1))) if self.n > 1 else 0.0
        if not spread > 0:
            raise MultilevelError(f"{call} in the formula: the values do not differ, so they cannot be scaled")
        return mean, spread


def gather_constants(
    text: str, numbers: Mapping[str, NDArray[Any]], known: MutableMapping[str, tuple[float, ...]]
) -> None:
    """Add the constants of every pooled call of an expression to ``known``, from all rows."""
    for call, argument in pooled_calls(text):
        if call not in known:
            moments = Moments()
            moments.add(evaluate(argument, numbers, known))
            known[call] = moments.constants(call)


def poly_constants(values: Floats, degree: int, text: str) -> tuple[float, ...]:
    """The recurrence of orthogonal polynomials over the values: α₀ … α_{d−1}, then the squared norms N₀ … N_d.

    Raises
    ------
    MultilevelError
        Fewer distinct values than ``degree + 1``.
    """
    values = values[~np.isnan(values)]
    if len(np.unique(values)) <= degree:
        raise MultilevelError(
            f"{text} in the formula: the column has {len(np.unique(values))} distinct values, too few"
        )
    before, current = np.zeros_like(values), np.ones_like(values)
    alphas, norms = [], [float(len(values))]
    for _ in range(degree):
        alphas.append(float((values * current**2).sum() / norms[-1]))
        beta = norms[-1] / norms[-2] if len(norms) > 1 else 0.0
        before, current = current, (values - alphas[-1]) * current - beta * before
        norms.append(float((current**2).sum()))
    return (*alphas, *norms)


def poly_columns(values: Floats, degree: int, constants: tuple[float, ...]) -> list[Floats]:
    """The orthonormal polynomials of degree 1 to ``degree`` at (n,) values (R's ``poly``; Kennedy and Gentle 1980)."""
    alphas, norms = constants[:degree], constants[degree:]
    before, current = np.zeros_like(values), np.ones_like(values)
    columns = []
    for k in range(degree):
        beta = norms[k] / norms[k - 1] if k else 0.0
        before, current = current, (values - alphas[k]) * current - beta * before
        columns.append(current / np.sqrt(norms[k + 1]))
    return columns
