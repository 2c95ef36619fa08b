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
    errors: list[float | None] = [math.sqrt(value) for value in np.diagonal(covariance)]
    if spec.robust != "none" or spec.degrees_of_freedom != "satterthwaite":
        # CR2's and Kenward and Roger's are not computed again.
        errors = [None] * len(names)
        if spec.robust in ("CR0", "CR1", "CR3"):
            robust = _sandwich(y, x, blocks, records, rows["cluster"].to_numpy(dtype=np.int64), spec.robust)
            errors = [math.sqrt(value) for value in np.diagonal(robust)]
    reported = set(zip(records["estimand"], records["term"], strict=True))
    found = []
    for j, name in enumerate(names):
        if ("coefficient", name) in reported:
            found.append(Recomputed("coefficient", name, float(params[j]), errors[j], by))
    if len(spec.headline_terms) == 1 and spec.headline_terms[0] in names:
        j = names.index(spec.headline_terms[0])
        found.append(Recomputed("att_third_year_on", "", float(params[j]), errors[j], by))
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
    """Coefficients and their covariance at the fitted variances."""
    solved, residual = _solved(y, x, blocks, records)
    information = x.T @ solved[:, :-1]
    inverse = np.asarray(np.linalg.inv(information), dtype=np.float64)
    return inverse @ x.T @ solved[:, -1], residual * inverse


def _sandwich(
    y: Array, x: Array, blocks: list[_Block], records: pd.DataFrame, cluster: npt.NDArray[np.int64], kind: str
) -> Array:
    r"""Cluster-robust covariance at the fitted variances.

    .. math:: M \Big(\sum_g s_g s_g'\Big) M, \quad M = (X'V^{-1}X)^{-1}

    CR0: :math:`s_g = X_g'V_g^{-1}e_g`; CR1: these times :math:`\sqrt{G/(G-1)}`; CR3:
    :math:`(I - X_g'V_g^{-1}X_g M)^{-1} s_g` (Bell and McCaffrey 2002).
    """
    solved, _ = _solved(y, x, blocks, records)
    inverse = np.asarray(np.linalg.inv(x.T @ solved[:, :-1]))
    errors = solved[:, -1] - solved[:, :-1] @ (inverse @ x.T @ solved[:, -1])
    total = np.zeros_like(inverse)
    groups = np.unique(cluster)
    for group in groups:
        own = cluster == group
        score = x[own].T @ errors[own]
        if kind == "CR3":
            score = np.linalg.solve(np.eye(len(score)) - x[own].T @ solved[own, :-1] @ inverse, score)
        total += np.outer(score, score)
    factor = len(groups) / (len(groups) - 1) if kind == "CR1" else 1.0
    return np.asarray(factor * inverse @ total @ inverse)


def _solved(y: Array, x: Array, blocks: list[_Block], records: pd.DataFrame) -> tuple[Array, float]:
    r"""V⁻¹[X y] relative to the residual variance, and that variance, with u = Λv so that zeros need no inverse.

    .. math:: V^{-1} = I - Z\Lambda (\Lambda'Z'Z\Lambda + I)^{-1} \Lambda'Z'

    Source
    ------
    Henderson (1950); Bates et al. (2015), Journal of Statistical Software 67(1), equation 17.
    """
    from scipy.sparse import csr_matrix, hstack, identity
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
    both = np.column_stack([x, y])
    return both - np.asarray(z @ solve.solve(np.asarray(z.T @ both))), residual


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
