"""Growth models again: two levels by mixedlm, three levels by generalised least squares at the fitted variances."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval.challenge.recompute import Recomputed
from plneval.config.formula import check_formula
from plneval.config.models import Growth
from plneval.config.panel_columns import PUPIL_PANEL, SCHOOL_PANEL

Array = npt.NDArray[np.float64]


def growth_again(spec: Growth, panel: Path, records: pd.DataFrame) -> list[Recomputed]:
    """Every reported coefficient, and the headline where it is a single term.

    Parameters
    ----------
    records : the model's own records; three levels take the fitted variances from them.
    """
    rows, y, x, names = _design(spec, panel)
    z = np.column_stack(
        [np.ones(len(rows))] * ("intercept" in spec.random["school"])
        + [rows["time"].to_numpy(dtype=np.float64)] * ("time" in spec.random["school"])
    )
    if spec.kind == "growth_two_level":
        params, covariance = _two_level(y, x, z, rows)
        by = f"mixedlm {version('mixedlm')}"
    else:
        params, covariance = _three_level(y, x, z, rows, spec, records)
        by = f"numpy {version('numpy')}, generalised least squares at the fitted variances"
    found = []
    for name in [
        name for name in names if ("coefficient", name) in set(zip(records["estimand"], records["term"], strict=True))
    ]:
        j = names.index(name)
        found.append(Recomputed("coefficient", name, float(params[j]), math.sqrt(covariance[j, j]), by))
    if len(spec.headline_terms) == 1 and spec.headline_terms[0] in names:
        j = names.index(spec.headline_terms[0])
        found.append(Recomputed("att_third_year_on", "", float(params[j]), math.sqrt(covariance[j, j]), by))
    return found


def _design(spec: Growth, panel: Path) -> tuple[pd.DataFrame, Array, Array, list[str]]:
    """Rows, response and columns; dependent columns are left out by pivoted elimination, reported terms last."""
    from formulaic import model_matrix

    three = spec.kind == "growth_three_level"
    table = pd.read_parquet(panel / ("panel_pupil.parquet" if three else "panel_school.parquet"))
    formula = check_formula(spec.formula, PUPIL_PANEL if three else SCHOOL_PANEL)
    rows = table[table["outcome"] == spec.outcome]
    if not three:
        rows = rows[rows["subgroup"] == spec.subgroup]
    elif spec.subgroup != "all":
        rows = rows[rows["disadvantaged"] == (1 if spec.subgroup == "disadvantaged" else 0)]
    rows = rows.dropna(subset=list(formula.columns)).reset_index(drop=True)
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
    return rows, y, matrix[kept].to_numpy(dtype=np.float64), kept


def _two_level(y: Array, x: Array, z: Array, rows: pd.DataFrame) -> tuple[Array, Array]:
    from mixedlm import lmer

    columns = [f"x{j}" for j in range(x.shape[1])]
    data = pd.DataFrame(x, columns=columns).assign(y=y - y.mean(), school=rows["school"].to_numpy(dtype=np.int64))
    random = [f"z{j}" for j in range(z.shape[1])]
    data[random] = z
    with warnings.catch_warnings():
        # Whether the fit is singular is the estimator's to report; here only its numbers count.
        warnings.simplefilter("ignore")
        fit = lmer(f"y ~ 0 + {' + '.join(columns)} + (0 + {' + '.join(random)} | school)", data)
    return np.asarray(fit.beta, dtype=np.float64), np.asarray(fit.vcov(), dtype=np.float64)


def _three_level(
    y: Array, x: Array, z: Array, rows: pd.DataFrame, spec: Growth, records: pd.DataFrame
) -> tuple[Array, Array]:
    """Sum X'V⁻¹X and X'V⁻¹y over schools, V built from the variances in the records."""
    variance = records[records["estimand"] == "variance"].set_index("term")["estimate"]
    psi = {level: _psi(variance, level, spec.random[level]) for level in ("school", "pupil")}
    residual = float(variance["residual"])
    time = rows["time"].to_numpy(dtype=np.float64)
    within = [np.ones(len(rows))] * ("intercept" in spec.random["pupil"]) + [time] * ("time" in spec.random["pupil"])
    z_pupil = np.column_stack(within)
    information, score = np.zeros((x.shape[1], x.shape[1])), np.zeros(x.shape[1])
    school = rows["school"].to_numpy(dtype=np.int64)
    pupil = rows["pupil"].to_numpy(dtype=np.int64)
    for label in np.unique(school):
        member = school == label
        same = pupil[member][:, None] == pupil[member][None, :]
        v = z[member] @ psi["school"] @ z[member].T + np.where(
            same, z_pupil[member] @ psi["pupil"] @ z_pupil[member].T, 0
        )
        solved = np.linalg.solve(v + residual * np.eye(int(member.sum())), np.column_stack([x[member], y[member]]))
        information += x[member].T @ solved[:, :-1]
        score += x[member].T @ solved[:, -1]
    covariance: Array = np.asarray(np.linalg.inv(information))
    return covariance @ score, covariance


def _psi(variance: pd.Series, level: str, terms: Sequence[str]) -> Array:
    names = [term for term in ("intercept", "time") if term in terms]
    psi = np.diag([float(variance[f"{level}: {name}"]) for name in names])
    if len(names) == 2:
        psi[0, 1] = psi[1, 0] = float(variance[f"{level}: intercept, time"])
    return psi
