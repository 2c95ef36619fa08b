"""Group-time effects of staggered joining (Callaway and Sant'Anna 2021) and their averages, on school-years."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval.config.models import GroupTime
from plneval.estimate.aggregation import Average, equal_average, weighted_average
from plneval.estimate.cells import Cell, Panel, base_year, plan_cells
from plneval.estimate.counts import PupilCounts, basis_of
from plneval.estimate.diff_diff_cell import CellEffect, CellNotEstimable, estimate_cell
from plneval.estimate.fit import Estimate, Fit, unestimable
from plneval.estimate.inference import ClusterError, cluster_error, covariance_table, influence_table, wald_test
from plneval.estimate.sample import SchoolSample
from plneval.standards import load

ESTIMATOR = "callaway_santanna"
COMPARISONS = {
    "never": "schools that never join",
    "not_yet": "schools that never join or have not yet joined",
}


@dataclass(frozen=True)
class _Statistic:
    """A number to be reported: a cell, or an average of cells."""

    estimand: str
    term: str
    event_time: int | None
    average: Average
    warnings: tuple[str, ...] = ()


def callaway_santanna(sample: SchoolSample, spec: GroupTime, pupils: PupilCounts, minimum_entry_group: int = 1) -> Fit:
    """Estimate every group-time cell and the averages over them.

    Parameters
    ----------
    sample : school-years; the treated group of a school is its entry year.
    minimum_entry_group : groups of fewer schools are reported with a warning.

    Returns
    -------
    Fit
        ``att_group_time`` for every cell; ``att_event_time`` before and after joining; ``att_overall`` (all cells from
        joining on); ``att_third_year_on`` (cells from the event time of the standard ``follow_up`` on) and its variant
        that weighs event times equally; ``pretrend``. Without any cell, or without one in the third year, the
        diagnostics say why.

    Source
    ------
    Callaway, B. and Sant'Anna, P. H. C. (2021), Journal of Econometrics 225(2), 200-230; R package did.
    """
    from importlib.metadata import version

    panel = panel_matrices(sample, tuple(spec.covariates))
    cells = plan_cells(panel, spec.comparison, spec.anticipation, sample.exclusions)
    effects, nuisance = _effects(panel, cells, spec, sample)
    diagnostics = {
        "library": f"diff-diff {version('diff-diff')}",
        "method": spec.method,
        "covariates": spec.covariates,
        "anticipation": spec.anticipation,
        "weights": f"mean number of scored {sample.weight}" if sample.weight == "pupils" else "equal for all schools",
        "base_years": _base_years(panel, spec.anticipation),
        "cells": len(effects),
        "messages": nuisance,
        "exclusions": sample.exclusions.rows,
        "intervals": "pointwise",
    }
    comparison = COMPARISONS[spec.comparison]
    description = f"schools with {sample.column} in both years of a cell"
    after = [effect for effect in effects if effect.cell.period == "after"]
    if not after:
        reason = "no cell from joining on can be estimated (see exclusions)"
        planned = any(cell.period == "after" for cell in cells)
        diagnostics["not_estimated"] = [
            reason if planned else "no group has an outcome year before joining and one from joining on"
        ]
    if not effects:
        return unestimable(ESTIMATOR, sample.column, comparison, description, diagnostics)
    statistics = _statistics(panel, effects, diagnostics, minimum_entry_group)
    return _fit(sample, panel, pupils, statistics, effects, diagnostics, comparison, description)


def panel_matrices(sample: SchoolSample, covariates: tuple[str, ...] = ()) -> Panel:
    """School × year matrices; words among the covariates become indicators of all their values but the first."""
    rows = sample.rows
    schools, school = np.unique(rows["school"].to_numpy(dtype=np.int64), return_inverse=True)
    years, year = np.unique(rows["year"].to_numpy(dtype=np.int64), return_inverse=True)
    clusters, cluster = np.unique(rows["cluster"].to_numpy(dtype=np.int64), return_inverse=True)
    values = covariate_columns(rows, covariates)
    y = np.full((len(schools), len(years)), math.nan)
    y[school, year] = rows["y"].to_numpy(dtype=np.float64)
    x = np.full((len(schools), len(years), values.shape[1]), math.nan)
    x[school, year] = values
    first = np.unique(school, return_index=True)[1]
    return Panel(
        schools=schools,
        years=tuple(int(label) for label in years),
        y=y,
        entry_year=rows["entry_year"].to_numpy(dtype=np.float64, na_value=math.nan)[first],
        cluster=cluster[first],
        clusters=clusters,
        weight=rows["weight"].to_numpy(dtype=np.float64)[first],
        covariates=x,
    )


def covariate_columns(rows: pd.DataFrame, covariates: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """Covariates as numbers, shape (rows, K): missing values stay missing, words become indicators."""
    columns: list[npt.NDArray[np.float64]] = []
    for name in covariates:
        column = rows[name]
        if pd.api.types.is_numeric_dtype(column):
            columns.append(column.to_numpy(dtype=np.float64, na_value=math.nan))
            continue
        for value in sorted(column.dropna().unique())[1:]:
            columns.append(np.where(column.isna(), math.nan, (column == value).astype(float)))
    return np.column_stack(columns) if columns else np.empty((len(rows), 0))


def _base_years(panel: Panel, anticipation: int) -> dict[str, int | None]:
    groups = sorted({int(year) for year in panel.entry_year[~np.isnan(panel.entry_year)]})
    return {str(group): base_year(group, panel.years, anticipation) for group in groups}


def _effects(
    panel: Panel, cells: list[Cell], spec: GroupTime, sample: SchoolSample
) -> tuple[list[CellEffect], dict[str, list[str]]]:
    """Effects of all cells that can be estimated, and what the library said about each of them."""
    effects: list[CellEffect] = []
    said: dict[str, list[str]] = {}
    for cell in cells:
        try:
            effect = estimate_cell(panel, cell, spec.method)
        except CellNotEstimable as reason:
            sample.exclusions.add("cells", 1, f"not estimable: {reason}", group=cell.group, year=cell.year)
            continue
        effects.append(effect)
        if effect.warnings:
            said[cell.term] = list(effect.warnings)
    return effects, said


def _statistics(
    panel: Panel, effects: list[CellEffect], diagnostics: dict[str, object], minimum_entry_group: int
) -> list[_Statistic]:
    """Cells, event times and the averages from joining on, in the order of the records."""
    statistics = [_cell_statistic(effect, minimum_entry_group) for effect in effects]
    by_event_time = {
        event_time: weighted_average(panel, [effect for effect in effects if effect.cell.event_time == event_time])
        for event_time in sorted({effect.cell.event_time for effect in effects})
    }
    statistics += [_Statistic("att_event_time", f"e{e}", e, average) for e, average in by_event_time.items()]
    after = [effect for effect in effects if effect.cell.period == "after"]
    if after:
        statistics.append(_Statistic("att_overall", "", None, weighted_average(panel, after)))
    third = load("follow_up").headline_from_event_time
    late = [effect for effect in after if effect.cell.event_time >= third]
    if late:
        statistics.append(_Statistic("att_third_year_on", "", None, weighted_average(panel, late)))
        averages = {e: average for e, average in by_event_time.items() if e >= third}
        alone = [e for e, average in averages.items() if _treated_clusters(panel, average.cells).sum() < 2]
        said = tuple(f"event time {e} rests on one treated cluster: its error is not in the interval" for e in alone)
        equal = equal_average(list(averages.values()))
        statistics.append(_Statistic("att_third_year_on_equal", "", None, equal, said))
    elif after:
        diagnostics["no_headline"] = (
            f"follow-up too short: no cell with an event time of {third} or more, so there is no third-year effect"
        )
    return statistics


def _cell_statistic(effect: CellEffect, minimum_entry_group: int) -> _Statistic:
    cell = effect.cell
    warnings: list[str] = []
    if len(cell.treated) < minimum_entry_group:
        warnings.append(f"fewer than {minimum_entry_group} schools joined in {cell.group}")
    if effect.warnings:
        warnings.append("the models of the covariates gave warnings (see the diagnostics)")
    average = Average(effect.att, effect.influence, (cell,))
    return _Statistic("att_group_time", cell.term, cell.event_time, average, tuple(warnings))


def _treated_clusters(panel: Panel, cells: Sequence[Cell]) -> npt.NDArray[np.bool_]:
    flags = np.zeros(len(panel.clusters), dtype=bool)
    for cell in cells:
        flags[panel.cluster[cell.treated]] = True
    return flags


def _error(panel: Panel, average: Average) -> ClusterError:
    """Sum the influence by cluster; a cluster with a treated and a comparison school counts as treated."""
    treated = _treated_clusters(panel, average.cells)
    comparison = np.zeros(len(panel.clusters), dtype=bool)
    for cell in average.cells:
        comparison[panel.cluster[cell.comparison]] = True
    summed = np.zeros(len(panel.clusters))
    np.add.at(summed, panel.cluster, average.influence)
    return cluster_error(summed, treated, comparison & ~treated)


def _fit(
    sample: SchoolSample,
    panel: Panel,
    pupils: PupilCounts,
    statistics: list[_Statistic],
    effects: list[CellEffect],
    diagnostics: dict[str, object],
    comparison: str,
    description: str,
) -> Fit:
    estimates: list[Estimate] = []
    keys: list[str] = []
    columns: list[npt.NDArray[np.float64]] = []
    errors: dict[str, ClusterError] = {}
    for statistic in statistics:
        error = _error(panel, statistic.average)
        used, treated = _rows_used(sample.rows, panel, statistic.average.cells)
        basis = basis_of(sample, pupils, used, treated, (error.clusters_treated, error.clusters_comparison))
        estimate = Estimate(
            statistic.estimand,
            statistic.term,
            statistic.event_time,
            statistic.average.estimate,
            error.se,
            error.df,
            error.vcov,
            basis,
            warnings=(*error.warnings, *statistic.warnings),
        )
        estimates.append(estimate)
        errors[estimate.key] = error
        if error.se is not None:
            keys.append(estimate.key)
            columns.append(error.influence)
    influence = np.column_stack(columns) if columns else np.empty((len(panel.clusters), 0))
    estimates.append(_pretrend(sample, panel, pupils, effects, errors, diagnostics))
    return Fit(
        ESTIMATOR,
        sample.column,
        comparison,
        description,
        tuple(estimates),
        covariance_table(keys, influence),
        influence_table(panel.clusters, keys, influence),
        dict(diagnostics),
        warnings=sample.exclusions.sentences(),
    )


def _rows_used(rows: pd.DataFrame, panel: Panel, cells: Sequence[Cell]) -> tuple[pd.Series, pd.Series]:
    """School-years that enter any of the cells, and the treated schools' school-years in the cells' own years."""
    position = {year: index for index, year in enumerate(panel.years)}
    used = np.zeros(panel.y.shape, dtype=bool)
    treated = np.zeros(panel.y.shape, dtype=bool)
    for cell in cells:
        for schools in (cell.treated, cell.comparison):
            used[schools, position[cell.base]] = True
            used[schools, position[cell.year]] = True
        treated[cell.treated, position[cell.year]] = True
    school = np.searchsorted(panel.schools, rows["school"].to_numpy(dtype=np.int64))
    year = np.searchsorted(np.asarray(panel.years), rows["year"].to_numpy(dtype=np.int64))
    return pd.Series(used[school, year], index=rows.index), pd.Series(treated[school, year], index=rows.index)


def _pretrend(
    sample: SchoolSample,
    panel: Panel,
    pupils: PupilCounts,
    effects: list[CellEffect],
    errors: dict[str, ClusterError],
    diagnostics: dict[str, object],
) -> Estimate:
    """Joint test that all cells before joining (and before the years of anticipation) are zero."""
    before = [effect for effect in effects if effect.cell.period == "before"]
    tested = [effect for effect in before if errors[f"att_group_time|{effect.cell.term}"].se is not None]
    cells = [effect.cell for effect in tested]
    treated = _treated_clusters(panel, cells)
    arms = np.zeros(len(panel.clusters), dtype=bool)
    for cell in cells:
        arms[panel.cluster[cell.comparison]] = True
    counts = (int(treated.sum()), int((arms & ~treated).sum()))
    used, of_treated = _rows_used(sample.rows, panel, cells)
    basis = basis_of(sample, pupils, used, of_treated, counts)
    warnings: list[str] = []
    if len(tested) < len(before):
        warnings.append(f"{len(before) - len(tested)} cells before joining have no standard error and are not tested")
    if not tested:
        warnings.append("no test: no cell before joining beside the base year")
        diagnostics["pretrend"] = {"cells": 0}
        return Estimate(
            "pretrend", "joint", None, math.nan, None, None, "none", basis, scaled=False, warnings=tuple(warnings)
        )
    rules = load("cluster_rules")
    small = min(counts) < rules.small_sample_below
    df = float(min(counts) - 1) if small else None
    influence = np.column_stack([errors[f"att_group_time|{cell.term}"].influence for cell in cells])
    test = wald_test(np.array([effect.att for effect in tested]), influence, df)
    if test.p is None:
        warnings.append(f"no test: {test.df} restrictions, but only {min(counts)} clusters in the smaller arm")
    diagnostics["pretrend"] = {
        "cells": [cell.term for cell in cells],
        "statistic": test.statistic if math.isfinite(test.statistic) else None,
        "df": test.df,
        "df_denominator": test.df_denominator,
        "distribution": "chi-squared" if df is None else "F (Hotelling's T-squared)",
    }
    return Estimate(
        "pretrend",
        "joint",
        None,
        test.statistic,
        None,
        float(test.df),
        "cluster, chi-squared" if df is None else "cluster, G/(G-1), Hotelling",
        basis,
        p=test.p,
        scaled=False,
        warnings=tuple(warnings),
    )
