"""Group-time effects again: least squares of long differences, cell by cell, by statsmodels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval.challenge.recompute import Recomputed
from plneval.challenge.recompute_diff_diff import cell_by_diff_diff
from plneval.config.cohort import Cohort
from plneval.config.models import GroupTime, TripleDifference
from plneval.config.network_models import AfterLeaving
from plneval.standards import load

Array = npt.NDArray[np.float64]
TRIMMED = 0.995
"""Comparison schools with this propensity or more are left out, the convention of the estimator that is checked."""


@dataclass(frozen=True)
class _Cell:
    """Long differences of one cell: a row for each school with columns difference, treated, weight, cluster."""

    group: int
    year: int
    rows: pd.DataFrame
    covariates: Array


def group_time_again(cohort: Cohort, spec: GroupTime, panel: Path) -> list[Recomputed]:
    """Every cell and the effect from the third year on.

    Without covariates a cell is the difference of two weighted means of long differences, and the headline the constant
    of a regression of the treated schools' long differences less their cell's comparison mean, all cells stacked; the
    standard error is the joint sandwich of that constant and of the comparison means, by ``cluster``. With covariates,
    outcome regression and propensity models are fitted by statsmodels; standard errors are then not computed again.
    """
    rows = school_rows(cohort, spec, panel, spec.subgroup)
    wide = long_differences(rows, weights(cohort, rows), spec)
    by = f"statsmodels {version('statsmodels')}, long differences"
    found: list[Recomputed] = []
    effects: dict[tuple[int, int], float] = {}
    for cell in wide:
        value, se = _cell_effect(cell, spec)
        if value is None:
            continue
        effects[cell.group, cell.year] = value
        term = f"g{cell.group}:t{cell.year}"
        found.append(Recomputed("att_group_time", term, value, se, by))
        third_way = None if spec.covariates else cell_by_diff_diff(cell.rows, term)
        found += [] if third_way is None else [third_way]
    third = load("follow_up").headline_from_event_time
    late = [cell for cell in wide if cell.year - cell.group >= third and (cell.group, cell.year) in effects]
    if late:
        value, se = _headline(late, effects, with_covariates=bool(spec.covariates))
        found.append(Recomputed("att_third_year_on", "", value, se, by))
    return found


def gap_again(cohort: Cohort, spec: TripleDifference, panel: Path) -> list[Recomputed]:
    """A triple difference without covariates against schools that never join, by the gap within each school.

    With one weight for both groups of a school the effect on the gap is the difference-in-differences of the gap: the
    same regressions and diff-diff's cells, with the gap as outcome. Nothing is computed again for schools not yet
    joined, which have weights of least variance, nor with covariates.
    """
    if spec.comparison != "never" or spec.covariates:
        return []
    groups = [school_rows(cohort, spec, panel, name) for name in ("disadvantaged", "not_disadvantaged")]
    size = weights(cohort, groups[0])
    gap = groups[0].merge(groups[1][["school", "year", "y"]], on=["school", "year"], suffixes=("", "_other"))
    gap["y"] = gap["y"] - gap["y_other"]
    first = gap["entry_year"].isna() | (gap["entry_year"] > gap["year"].min() + spec.anticipation)
    gap = gap[first.astype(bool) & size.reindex(gap["school"]).gt(0).to_numpy()]
    gap = gap[gap.groupby("school")["year"].transform("size") == gap["year"].nunique()]
    cells = long_differences(gap, size, spec)
    found: list[Recomputed] = []
    by = f"statsmodels {version('statsmodels')}, long differences of the gap"
    for cell in cells:
        term = f"g{cell.group}:t{cell.year}"
        found.append(Recomputed("att_group_time", term, stacked([cell])[0], None, by))
        other_way = cell_by_diff_diff(cell.rows, term)
        found += [] if other_way is None else [other_way]
    late = [cell for cell in cells if cell.year - cell.group >= load("follow_up").headline_from_event_time]
    if late:
        value, se = stacked(late)
        found.append(Recomputed("att_third_year_on", "", value, se, by))
    return found


def after_leaving_again(cohort: Cohort, spec: AfterLeaving, panel: Path) -> list[Recomputed]:
    """The effect on schools that have left, by the same regressions: their years as members are taken out.

    Who is out in a year is read from the panel's membership. Nothing is computed again with covariates.
    """
    if spec.covariates:
        return []
    rows = school_rows(cohort, spec, panel, spec.subgroup)
    size = weights(cohort, rows)
    before = rows["entry_year"].isna() | (rows["year"] < rows["entry_year"]).fillna(False)
    out = ~before & (rows["member"] == 0)
    leavers = set(rows.loc[out, "school"])
    rows = rows[rows["entry_year"].isna() | (rows["school"].isin(leavers) & (before | out))]
    as_cells = GroupTime.of(spec)
    after = [cell for cell in long_differences(rows, size, as_cells) if cell.year >= cell.group]
    if not after:
        return []
    value, se = stacked(after)
    return [Recomputed("att_after_leaving", "", value, se, f"statsmodels {version('statsmodels')}, long differences")]


def school_rows(
    cohort: Cohort, spec: GroupTime | TripleDifference | AfterLeaving, panel: Path, subgroup: str
) -> pd.DataFrame:
    """School-years of an outcome and a subgroup; ``y`` is the modelled column."""
    table = pd.read_parquet(panel / "panel_school.parquet")
    column = "score" if cohort.outcomes[spec.outcome].standardise == "none" else "z"
    rows = table[(table["outcome"] == spec.outcome) & (table["subgroup"] == subgroup) & table[column].notna()]
    return rows.astype({"year": "int64", "school": "int64"}).assign(y=rows[column].astype("float64"))


def weights(cohort: Cohort, rows: pd.DataFrame) -> pd.Series:
    """The weight of each school."""
    if cohort.design.weight == "pupils":
        return rows.groupby("school")["n"].mean().astype("float64")
    return pd.Series(1.0, index=rows["school"].unique())


def long_differences(rows: pd.DataFrame, size: pd.Series, spec: GroupTime | TripleDifference) -> list[_Cell]:
    """All cells: outcome of a year less that of the last observed year before joining, for schools that have both."""
    outcome = rows.pivot(index="school", columns="year", values="y").astype("float64")
    fixed = rows.drop_duplicates("school").set_index("school").loc[outcome.index]
    entry = fixed["entry_year"].astype("float64")
    years = [int(str(year)) for year in outcome.columns]
    cells: list[_Cell] = []
    for group in sorted(entry.dropna().unique().astype(int)):
        before = [year for year in years if year + spec.anticipation < group]
        for year in years if before else []:
            base = before[-1]
            if year == base:
                continue
            allowed = entry.isna()
            if spec.comparison == "not_yet":
                allowed |= (entry > max(year, base) + spec.anticipation) & (entry != group)
            frame = pd.DataFrame(
                {
                    "difference": outcome[year] - outcome[base],
                    "treated": (entry == group).astype(float),
                    "weight": size.reindex(outcome.index),
                    "cluster": fixed["cluster"].astype("int64"),
                }
            )[(entry == group) | allowed]
            covariates = _covariates(rows, spec, base).reindex(frame.index)
            complete = frame["difference"].notna() & (frame["weight"] > 0) & covariates.notna().all(axis=1)
            frame, covariates = frame[complete], covariates[complete]
            if frame["treated"].nunique() == 2:
                cells.append(_Cell(int(group), int(year), frame, covariates.to_numpy(dtype=np.float64)))
    return cells


def _covariates(rows: pd.DataFrame, spec: GroupTime | TripleDifference, base: int) -> pd.DataFrame:
    at_base = rows[rows["year"] == base].set_index("school")
    columns: dict[str, pd.Series] = {}
    for name in spec.covariates:
        values = at_base[name]
        if pd.api.types.is_numeric_dtype(values):
            columns[name] = values.astype("float64")
            continue
        levels = sorted(rows[name].dropna().unique())
        for level in levels[1:]:
            columns[f"{name}={level}"] = (values == level).astype("float64").where(values.notna())
    return pd.DataFrame(columns, index=at_base.index)


def _cell_effect(cell: _Cell, spec: GroupTime) -> tuple[float | None, float | None]:
    return (_adjusted(cell, spec), None) if spec.covariates else stacked([cell])


def _adjusted(cell: _Cell, spec: GroupTime) -> float | None:
    """Effect of a cell given covariates: outcome regression, weighting, or both (Sant'Anna and Zhao 2020)."""
    import statsmodels.api as sm

    rows = cell.rows
    x = sm.add_constant(cell.covariates, has_constant="add")
    y, weight = rows["difference"].to_numpy(), rows["weight"].to_numpy()
    treated = rows["treated"].to_numpy() == 1
    if np.linalg.matrix_rank(x[~treated]) < x.shape[1]:
        return None
    expected = np.zeros(len(y))
    if spec.method in ("or", "dr"):
        fit = sm.WLS(y[~treated], x[~treated], weights=weight[~treated]).fit()
        expected = x @ fit.params
    residual = y - expected
    of_treated = np.average(residual[treated], weights=weight[treated])
    if spec.method == "or":
        return float(of_treated)
    try:
        propensity = sm.GLM(treated.astype(float), x, family=sm.families.Binomial(), freq_weights=weight).fit(tol=1e-12)
    except sm.tools.sm_exceptions.PerfectSeparationError:
        return None
    p = np.asarray(propensity.fittedvalues)[~treated]
    odds = np.where(p < TRIMMED, weight[~treated] * p / (1 - p), 0.0)
    return float(of_treated - np.sum(odds * residual[~treated]) / odds.sum())


def _headline(
    cells: list[_Cell], effects: dict[tuple[int, int], float], *, with_covariates: bool
) -> tuple[float, float | None]:
    """Mean of the cells weighted by their treated schools' weight, and its standard error."""
    if with_covariates:
        mass = [cell.rows.loc[cell.rows["treated"] == 1, "weight"].sum() for cell in cells]
        return float(np.average([effects[cell.group, cell.year] for cell in cells], weights=mass)), None
    return stacked(cells)


def stacked(cells: list[_Cell]) -> tuple[float, float | None]:
    r"""One regression over all cells: a constant for the treated rows, and a constant for each cell's comparison rows.

    The treated rows have their comparison means taken off, so their constant is the weighted mean of the cells'
    effects; it depends on the comparison means with weights minus the cells' shares of the treated. Its variance is
    c'Vc, where c = (1, -shares) and V is the sandwich by cluster. Where either arm has fewer than 40 clusters the
    standard error of a cell is CR2's, and that of an average is not computed again.
    """
    import statsmodels.api as sm
    from statsmodels.stats.sandwich_covariance import S_crosssection

    parts, masses = [], []
    for position, cell in enumerate(cells):
        comparison = cell.rows[cell.rows["treated"] == 0].assign(column=position + 1)
        treated = cell.rows[cell.rows["treated"] == 1].assign(column=0)
        treated["difference"] -= np.average(comparison["difference"], weights=comparison["weight"])
        masses.append(float(treated["weight"].sum()))
        parts += [treated, comparison]
    rows = pd.concat(parts)
    design = np.eye(len(cells) + 1)[rows["column"].to_numpy(dtype=np.int64)]
    weight = rows["weight"].to_numpy(dtype=np.float64)
    fit = sm.WLS(rows["difference"].to_numpy(), design, weights=weight).fit()
    of_treated = rows["cluster"].isin(set(rows.loc[rows["column"] == 0, "cluster"])).to_numpy()
    counts = [int(rows.loc[arm, "cluster"].nunique()) for arm in (of_treated, ~of_treated)]
    if min(counts) < 2:
        return float(fit.params[0]), None
    codes = np.unique(rows["cluster"].to_numpy(dtype=np.int64), return_inverse=True)[1]
    room = np.ones(len(rows))
    if min(counts) < load("cluster_rules").small_sample_below:
        if len(cells) > 1:
            return float(fit.params[0]), None
        # Each cluster's residuals by the root of what its own weight leaves: CR2 of a weighted mean.
        mass = np.zeros((codes.max() + 1, design.shape[1]))
        np.add.at(mass, codes, design * weight[:, None])
        own = (mass / mass.sum(axis=0))[codes, rows["column"].to_numpy(dtype=np.int64)]
        room = np.sqrt(1 - own)
    scores = design * (weight * fit.resid / room)[:, None]
    bread = np.asarray(fit.normalized_cov_params)
    covariance = bread @ S_crosssection(scores, codes) @ bread
    contrast = np.concatenate([[1.0], -np.array(masses) / sum(masses)])
    return float(fit.params[0]), math.sqrt(float(contrast @ covariance @ contrast))
