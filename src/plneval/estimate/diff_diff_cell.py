"""One group-time cell by diff-diff: a two-year panel without gaps, so that nothing is left for it to decide.

diff-diff estimates a whole staggered panel in one call, but then drops schools within cells without saying which, and
falls back to unconditional estimates where a covariate is missing. Given one cell at a time, with the two years
relabelled 1 and 2 and every school complete, there is nothing to drop.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval.estimate.cells import Cell, Panel
from plneval.estimate.independence import independent_columns

Array = npt.NDArray[np.float64]
METHODS: dict[str, str] = {"or": "reg", "ipw": "ipw", "dr": "dr"}


class CellNotEstimable(Exception):
    """The nuisance models of a cell cannot be fitted; the message says why."""


@dataclass(frozen=True)
class CellEffect:
    """ATT(g, t) and its influence function.

    Attributes
    ----------
    att : in units of the outcome.
    influence : by school of the study, shape (N,), zero for schools outside the cell; its sum of squares is the
        variance with independent schools.
    mass : total weight of the treated schools.
    warnings : what diff-diff said.
    """

    cell: Cell
    att: float
    influence: Array
    mass: float
    warnings: tuple[str, ...]


def estimate_cell(panel: Panel, cell: Cell, method: Literal["or", "ipw", "dr"]) -> CellEffect:
    r"""ATT(g, t) of Callaway and Sant'Anna (2021, eq. 2.2-2.4) with weights :math:`w_i`.

    Without covariates all methods are :math:`\overline{\Delta y}_g - \overline{\Delta y}_C` (weighted means).

    Raises
    ------
    CellNotEstimable
        If a covariate is collinear, the propensity model cannot be fitted or the result is not finite. Few treated
        schools for the number of covariates are a warning, not a reason.
    """
    from diff_diff import CallawaySantAnna
    from diff_diff.survey import SurveyDesign

    frame, covariates, members = _two_year_panel(panel, cell)
    of_comparison = np.isin(members, cell.comparison)
    design = np.column_stack([np.ones(len(members)), panel.covariates[members, panel.years.index(cell.base)]])
    if not independent_columns(design[of_comparison]).all():
        raise CellNotEstimable("a covariate does not vary, or depends on the others, among the comparison schools")
    weighted = bool(np.ptp(panel.weight[members]) > 0)
    estimator = CallawaySantAnna(
        control_group="never_treated",
        estimation_method=METHODS[method],
        base_period="universal",
        # Collinear covariates were refused above; "error" would also refuse few treated schools per covariate.
        rank_deficient_action="warn",
        pscore_fallback="error",
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = estimator.fit(
                frame,
                outcome="y",
                unit="unit",
                time="period",
                first_treat="first_treat",
                covariates=covariates or None,
                survey_design=SurveyDesign(weights="weight", weight_type="pweight") if weighted else None,
            )
        except (ValueError, np.linalg.LinAlgError) as error:
            raise CellNotEstimable(str(error).splitlines()[0]) from None
    effect = result.group_time_effects[(2, 2)]
    att = float(effect["effect"])
    if not math.isfinite(att):
        raise CellNotEstimable(f"no finite estimate ({effect['skip_reason']})")
    influence = np.zeros(len(panel.schools))
    influence[members] = _influence(result, len(members), float(effect["se"]))
    said = tuple(sorted({str(item.message) for item in caught if "normalized to mean" not in str(item.message)}))
    if any("rank" in message.lower() for message in said):
        raise CellNotEstimable("the covariates are nearly collinear")
    return CellEffect(cell, att, influence, float(panel.weight[cell.treated].sum()), said)


def _two_year_panel(panel: Panel, cell: Cell) -> tuple[pd.DataFrame, list[str], npt.NDArray[np.int64]]:
    """The cell's schools in its base year (1) and its year (2), covariates as of the base year in both."""
    members = np.sort(np.concatenate([cell.treated, cell.comparison]))
    n = len(members)
    base, year = panel.years.index(cell.base), panel.years.index(cell.year)
    covariates = [f"x{k}" for k in range(panel.covariates.shape[2])]
    frame = pd.DataFrame(
        {
            "unit": np.tile(np.arange(n), 2),
            "period": np.repeat([1, 2], n),
            "first_treat": np.tile(np.where(np.isin(members, cell.treated), 2, 0), 2),
            "y": np.concatenate([panel.y[members, base], panel.y[members, year]]),
            "weight": np.tile(panel.weight[members], 2),
        }
    )
    for k, name in enumerate(covariates):
        frame[name] = np.tile(panel.covariates[members, base, k], 2)
    return frame, covariates, members


def _influence(result: object, n: int, se: float) -> Array:
    """The cell's influence function by unit.

    diff-diff 3.13 keeps it only in the state for later aggregation, which is not part of its documented interface; so
    it is checked against the standard error that the documented interface gives.
    """
    stored = result._aggregation_kit.influence[(2, 2)]  # type: ignore[attr-defined]
    influence = np.zeros(n)
    influence[stored["treated_idx"]] += stored["treated_inf"]
    influence[stored["control_idx"]] += stored["control_inf"]
    recomputed = math.sqrt(float(influence @ influence))
    if not math.isclose(recomputed, se, rel_tol=1e-9, abs_tol=1e-12):
        raise RuntimeError(
            f"diff-diff's influence function gives a standard error of {recomputed!r}, its result says {se!r}"
        )
    return influence
