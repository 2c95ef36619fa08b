"""Growth models again: by mixedlm where that is quick, otherwise by Henderson's equations at the fitted variances."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from itertools import accumulate
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval.challenge.recompute import Recomputed
from plneval.config.models import Multilevel
from plneval.config.panel_columns import multilevel_columns
from plneval.config.random_terms import MixedFormula, RandomTerm, check_mixed_formula

Array = npt.NDArray[np.float64]
QUICK_ROWS = 20_000
"""Rows up to which mixedlm maximises the likelihood anew (seconds); above, it would take minutes."""


@dataclass(frozen=True)
class _Block:
    """Effects of one level for one term: columns (n, q), group of each row, and how its variances are named."""

    z: Array
    codes: npt.NDArray[np.int64]
    names: tuple[str, ...]
    level: str
    correlated: bool


def growth_again(spec: Multilevel, panel: Path, records: pd.DataFrame) -> list[Recomputed]:
    """Every reported coefficient, and the headline where it is a single term.

    Parameters
    ----------
    records : the model's own records; Henderson's equations take the fitted variances from them, and so check
        coefficients and standard errors, not the maximisation.
    """
    rows, y, x, names, formula = _design(spec, panel)
    blocks = [block for term in formula.random for block in _blocks(term, rows)]
    if len(rows) <= QUICK_ROWS:
        params, covariance = _mixedlm(y, x, blocks)
        by = f"mixedlm {version('mixedlm')}"
    else:
        params, covariance = _henderson(y, x, blocks, records)
        by = f"scipy {version('scipy')}, Henderson's equations at the fitted variances"
    reported = set(zip(records["estimand"], records["term"], strict=True))
    found = []
    for j, name in enumerate(names):
        if ("coefficient", name) in reported:
            found.append(Recomputed("coefficient", name, float(params[j]), math.sqrt(covariance[j, j]), by))
    if len(spec.headline_terms) == 1 and spec.headline_terms[0] in names:
        j = names.index(spec.headline_terms[0])
        found.append(Recomputed("att_third_year_on", "", float(params[j]), math.sqrt(covariance[j, j]), by))
    return found


def _design(spec: Multilevel, panel: Path) -> tuple[pd.DataFrame, Array, Array, list[str], MixedFormula]:
    """Rows, response and columns; dependent columns are left out by pivoted elimination, reported terms last."""
    from formulaic import model_matrix

    pupils = spec.level == "pupil"
    table = pd.read_parquet(panel / ("panel_pupil.parquet" if pupils else "panel_school.parquet"))
    table["comparison_arm"] = 1 - table["ever_member"]
    mixed = check_mixed_formula(spec.formula, multilevel_columns(spec.level))
    formula = mixed.fixed
    rows = table[table["outcome"] == spec.outcome]
    if not pupils:
        rows = rows[rows["subgroup"] == spec.subgroup]
    elif spec.subgroup != "all":
        rows = rows[rows["disadvantaged"] == (1 if spec.subgroup == "disadvantaged" else 0)]
    rows = rows.dropna(subset=[*formula.columns, *mixed.random_columns]).reset_index(drop=True)
    data = rows[list(formula.columns)].copy()
    for name in data.columns:
        numeric = pd.api.types.is_numeric_dtype(data[name])
        data[name] = data[name].astype("float64" if numeric else "object")
    parts = model_matrix(formula.text, data, context={})
    matrix = pd.DataFrame(parts.rhs)
    names = [str(name) for name in matrix.columns]
    matrix.columns = pd.Index(names)
    reported = [n for n in names if any(n == term or n.startswith(f"{term}[") for term in spec.effect_terms)]
    order = [name for name in names if name not in reported] + reported
    kept: list[str] = []
    gram = matrix[order].T.to_numpy(dtype=np.float64) @ matrix[order].to_numpy(dtype=np.float64)
    scale = np.sqrt(np.diag(gram))
    for j, name in enumerate(order):
        inside = [order.index(other) for other in kept] + [j]
        if scale[j] == 0:
            continue
        block = gram[np.ix_(inside, inside)] / np.outer(scale[inside], scale[inside])
        if np.linalg.eigvalsh(block)[0] > 1e-10:
            kept.append(name)
    y = rows[formula.response].to_numpy(dtype=np.float64)
    return rows, y, matrix[kept].to_numpy(dtype=np.float64), kept, mixed


def _blocks(term: RandomTerm, rows: pd.DataFrame) -> list[_Block]:
    """The term's effects, level by level; ``a/b`` is a and b within a."""
    levels = list(accumulate([(name,) for name in term.groups])) if term.nested else [term.groups]
    columns = [np.ones(len(rows))] * term.intercept + [rows[name].to_numpy(dtype=np.float64) for name in term.columns]
    names = ("intercept",) * term.intercept + term.columns
    found = []
    for level in levels:
        keys = rows[list(level)].copy()
        if "network" in level:
            keys["network"] = keys["network"].fillna(-rows["school"])
        codes = np.asarray(keys.groupby(list(level), sort=True).ngroup(), dtype=np.int64)
        name = ":".join(reversed(level))
        found.append(_Block(np.column_stack(columns), codes, names, name, term.correlated))
    return found


def _mixedlm(y: Array, x: Array, blocks: list[_Block]) -> tuple[Array, Array]:
    from mixedlm import lmer

    columns = [f"x{j}" for j in range(x.shape[1])]
    data = pd.DataFrame(x, columns=columns).assign(y=y - y.mean())
    terms = []
    for b, block in enumerate(blocks):
        data[f"g{b}"] = block.codes
        inner = [f"z{b}_{k}" for k in range(block.z.shape[1])]
        data[inner] = block.z
        groups = [f"(0 + {' + '.join(inner)} | g{b})"] if block.correlated else [f"(0 + {z} | g{b})" for z in inner]
        terms += groups
    with warnings.catch_warnings():
        # Whether the fit is singular is the estimator's to report; here only its numbers count.
        warnings.simplefilter("ignore")
        fit = lmer(f"y ~ 0 + {' + '.join(columns)} + {' + '.join(terms)}", data)
    return np.asarray(fit.beta, dtype=np.float64), np.asarray(fit.vcov(), dtype=np.float64)


def _henderson(y: Array, x: Array, blocks: list[_Block], records: pd.DataFrame) -> tuple[Array, Array]:
    r"""Solve the mixed model equations with u = Λv, so that variances of zero need no inverse.

    .. math:: \begin{pmatrix} X'X & X'Z\Lambda \\ \Lambda'Z'X & \Lambda'Z'Z\Lambda + I \end{pmatrix}
        \begin{pmatrix} \beta \\ v \end{pmatrix} = \begin{pmatrix} X'y \\ \Lambda'Z'y \end{pmatrix}

    Source
    ------
    Henderson (1950); Bates et al. (2015), Journal of Statistical Software 67(1), equation 17.
    """
    from scipy.sparse import csc_matrix, csr_matrix, hstack, identity
    from scipy.sparse.linalg import splu

    variance = records[records["estimand"] == "variance"].set_index("term")["estimate"]
    residual = float(variance["residual"])
    parts = []
    for block in blocks:
        factor = _root(_covariance(block, variance.to_dict().get) / residual)
        values, width = block.z @ factor, block.z.shape[1]
        count = int(block.codes.max()) + 1
        row = np.repeat(np.arange(len(y)), width)
        column = (block.codes[:, None] * width + np.arange(width)).ravel()
        parts.append(csr_matrix((values.ravel(), (row, column)), shape=(len(y), count * width)))
    z = hstack(parts).tocsc()
    solve = splu((z.T @ z + identity(z.shape[1])).tocsc(), diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    zx = np.asarray(csc_matrix(z.T) @ np.column_stack([x, y]))
    solved = solve.solve(zx)
    cross = np.column_stack([x, y]).T @ np.column_stack([x, y]) - zx.T @ solved
    information = cross[:-1, :-1]
    params = np.linalg.solve(information, cross[:-1, -1])
    return params, residual * np.asarray(np.linalg.inv(information))


def _covariance(block: _Block, variance: Callable[[str], float | None]) -> Array:
    """Covariance of the block's effects from the records' names."""
    q = len(block.names)
    psi = np.zeros((q, q))
    for i, first in enumerate(block.names):
        for j, second in enumerate(block.names):
            name = first if i == j else f"{first}, {second}"
            value = variance(f"{block.level}: {name}")
            if value is not None:
                psi[i, j] = psi[j, i] = float(value)
    return psi


def _root(psi: Array) -> Array:
    """A square root of a covariance that may be singular."""
    values, vectors = np.linalg.eigh(psi)
    return np.asarray(vectors * np.sqrt(np.clip(values, 0.0, None)))
