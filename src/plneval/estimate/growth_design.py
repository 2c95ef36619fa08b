"""Fixed part of a growth model: the rows it can use and a matrix of independent columns, from a checked formula."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval.config.formula import CheckedFormula
from plneval.config.models import Multilevel
from plneval.config.panel_columns import DERIVED_COLUMNS, multilevel_columns
from plneval.config.random_terms import MixedFormula, check_mixed_formula
from plneval.errors import UserError, did_you_mean
from plneval.estimate.independence import independent_columns
from plneval.estimate.sample import Exclusions
from plneval.prepare.panel import with_derived_columns

Array = npt.NDArray[np.float64]
ALWAYS = ("school", "year", "arm", "ever_member", "treated", "network", "cluster")
"""Columns that are read whatever the formula names."""


@dataclass(frozen=True)
class FixedPart:
    """Response and fixed part.

    Attributes
    ----------
    rows : the panel's rows in use, sorted.
    y, x, names : response, shape (n,); columns, shape (n, p), linearly independent; their names.
    effects : reported terms → positions of their columns.
    independent_unit : column of the units that count as independent: ``cluster`` where networks are a level, else
        ``school``.
    dropped : columns that are zero in every row or depend on those before them.
    """

    rows: pd.DataFrame
    response: str
    y: Array
    x: Array
    names: tuple[str, ...]
    effects: dict[str, int]
    dropped: tuple[str, ...]
    exclusions: Exclusions
    notes: dict[str, Any] = field(default_factory=dict)
    independent_unit: str = "school"


def read_formula(spec: Multilevel) -> MixedFormula:
    """The model's formula, checked against the panel of its level.

    Raises
    ------
    UserError
        If it names what is not there.
    """
    return check_mixed_formula(spec.formula, multilevel_columns(spec.level))


def read_fixed_part(panel: Path, spec: Multilevel, formula: MixedFormula) -> FixedPart:
    """Read the rows of a growth model and build its fixed part.

    Raises
    ------
    UserError
        If a reported term does not fit the panel.
    """
    pupils = spec.level == "pupil"
    wanted = {*formula.fixed.columns, *formula.random_columns, *formula.groups, *ALWAYS}
    if pupils:
        wanted |= {"pupil"}
        name, also = "panel_pupil.parquet", {"outcome", "disadvantaged"}
    else:
        wanted |= {"n"}
        name, also = "panel_school.parquet", {"outcome", "subgroup"}
    columns = sorted({*wanted, *also} - set(DERIVED_COLUMNS))
    table = with_derived_columns(
        pd.read_parquet(panel / name, columns=columns, filters=[("outcome", "==", spec.outcome)])
    )
    if not pupils:
        table = table.loc[table["subgroup"] == spec.subgroup]
    elif spec.subgroup != "all":
        table = table.loc[table["disadvantaged"] == (1 if spec.subgroup == "disadvantaged" else 0)]
    return fixed_part(table[sorted(wanted)], formula.fixed, spec.effect_terms, formula.random_columns)


def fixed_part(
    table: pd.DataFrame, formula: CheckedFormula, effect_terms: list[str], slopes: tuple[str, ...] = ()
) -> FixedPart:
    """Drop rows with a missing column, build the matrix, and leave out columns that the data do not tell apart.

    A column that depends on those before it is dropped and named; reported terms stand last, so that an effect that
    the data do not identify is not estimated, rather than another column in its place.
    """
    exclusions = Exclusions()
    pupils = "pupil" in table
    unit = "pupil-years" if pupils else "school-years"
    rows = table
    for column in dict.fromkeys((*formula.columns, *slopes)):
        missing = rows[column].isna()
        exclusions.add(unit, int(missing.sum()), f"no {column}")
        rows = rows.loc[~missing]
    rows = rows.sort_values(["school", "pupil", "year"] if pupils else ["school", "year"], kind="stable")
    rows = rows.reset_index(drop=True)
    if rows.empty:
        return FixedPart(rows, formula.response, np.empty(0), np.empty((0, 0)), (), {}, (), exclusions)
    notes: dict[str, Any] = {}
    if pupils:
        movers = int((rows.groupby("pupil")["school"].nunique() > 1).sum())
        notes = {"pupils": int(rows["pupil"].nunique()), "pupils_in_several_schools": movers}
    matrix = _matrix(rows, formula)
    effects = _effect_columns(list(matrix.columns), effect_terms, formula)
    ordered = [name for name in matrix.columns if name not in effects] + effects
    x = matrix[ordered].to_numpy(dtype=np.float64)
    independent = independent_columns(x)
    names = tuple(name for name, kept in zip(ordered, independent, strict=True) if kept)
    return FixedPart(
        rows,
        formula.response,
        rows[formula.response].to_numpy(dtype=np.float64),
        x[:, independent],
        names,
        {name: names.index(name) for name in effects if name in names},
        tuple(name for name, kept in zip(ordered, independent, strict=True) if not kept),
        exclusions,
        notes,
    )


def _matrix(rows: pd.DataFrame, formula: CheckedFormula) -> pd.DataFrame:
    """The right-hand side's columns; the formula was checked, so that only known columns and transforms can run."""
    from formulaic import Formula

    data = pd.DataFrame(
        {
            name: rows[name].to_numpy(dtype=np.float64)
            if pd.api.types.is_numeric_dtype(rows[name])
            else rows[name].astype("object")
            for name in formula.columns
        }
    )
    return pd.DataFrame(Formula(formula.text).rhs.get_model_matrix(data, context={}))


def _effect_columns(columns: list[str], terms: list[str], formula: CheckedFormula) -> list[str]:
    """Columns of the reported terms; a word's term stands for all its columns (``exposure[T.direct]``, …)."""
    found: list[str] = []
    for term in terms:
        own = [name for name in columns if name == term or name.startswith(f"{term}[")]
        if not own:
            raise UserError(
                f"effect_terms: the formula '{formula.text}' has no term '{term}'.{did_you_mean(term, columns)} "
                f"Its columns: {', '.join(columns)}."
            )
        found += own
    return found
