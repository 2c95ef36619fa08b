"""The mean over networks again: networks' effects by statsmodels, their mean by generalised least squares."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval.artifacts import read_table
from plneval.challenge.recompute import Recomputed
from plneval.config.cohort import Cohort
from plneval.config.network_models import Spread
from plneval.estimate.counts import PupilCounts
from plneval.estimate.network_effects import NoNetworkEffects, first_networks, network_effects
from plneval.estimate.sample import modelled_column, read_school_sample
from plneval.networks.study import NetworkStudy
from plneval.standards import load

Array = npt.NDArray[np.float64]


def spread_again(cohort: Cohort, spec: Spread, panel: Path, study: NetworkStudy | None = None) -> list[Recomputed]:
    """Mean over networks and its standard error (Knapp and Hartung's: the residual scale of the regression).

    The networks' effects are computed again; their covariance is not: no other library has it, so it is taken as
    estimated. The variance between networks solves the restricted likelihood's equation in dense matrices. Schools
    count for the networks that the study's rule gives them; which these are is not worked out again.
    """
    column = modelled_column(cohort, spec.outcome)
    sample = read_school_sample(panel, cohort, spec.outcome, spec.subgroup, column)
    try:
        counting = first_networks(sample.rows) if study is None else study.school_networks
        fitted = network_effects(sample, PupilCounts.read(panel, spec.outcome, spec.subgroup), counting)
    except NoNetworkEffects:
        return []
    networks = [int(one) for one in fitted.table["unit"]]
    if len(networks) < 2:
        return []
    rows = _long(cohort, spec, panel, column)
    effects = _effects(rows, [_parts(counting, network) for network in networks])
    import statsmodels.api as sm

    total = fitted.covariance + _tau2(effects, fitted.covariance) * np.eye(len(effects))
    fit = sm.GLS(effects, np.ones(len(effects)), sigma=total).fit()
    by = f"statsmodels {version('statsmodels')}, generalised least squares; covariance of networks as estimated"
    return [Recomputed("network_effect_mean", "", float(fit.params[0]), float(fit.bse[0]), by)]


def _parts(counting: pd.DataFrame, network: int) -> dict[int, float]:
    """Part of each school that counts for a network."""
    own = counting.loc[counting["network"] == network]
    return {int(school): float(part) for school, part in zip(own["school"], own["part"], strict=True)}


def _long(cohort: Cohort, spec: Spread, panel: Path, column: str) -> pd.DataFrame:
    """Long differences: school, entry (of the cell), year, difference, treated, weight."""
    table = read_table(panel / "panel_school.parquet")
    rows = table[(table["outcome"] == spec.outcome) & (table["subgroup"] == spec.subgroup) & table[column].notna()]
    size = rows.groupby("school")["n"].mean() if cohort.design.weight == "pupils" else None
    never = rows[rows["entry_year"].isna()]
    third = load("follow_up").headline_from_event_time
    parts = []
    for entry in sorted({int(year) for year in rows["entry_year"].dropna()}):
        members = rows[rows["entry_year"] == entry]
        before = members.loc[members["year"] < entry, "year"]
        if before.empty:
            continue
        both = pd.concat([members.assign(treated=1), never.assign(treated=0)])
        base = both[both["year"] == before.max()].set_index("school")[column]
        late = both[both["year"] >= entry + third]
        difference = late[column] - late["school"].map(base)
        weight = 1.0 if size is None else late["school"].map(size).astype("float64")
        parts.append(late.assign(entry=entry, difference=difference, weight=weight).dropna(subset=["difference"]))
    return pd.concat(parts, ignore_index=True)


def _effects(rows: pd.DataFrame, networks: list[dict[int, float]]) -> Array:
    """Coefficient of membership, cell by cell, averaged over a network's cells by the weight of its schools.

    ``networks`` has the part with which each of a network's schools counts for it.
    """
    import statsmodels.api as sm

    found = []
    for parts in networks:
        values, weights = [], []
        part = rows["school"].map(parts).where(rows["treated"] == 1, 1.0)
        own_rows = rows.assign(weight=rows["weight"] * part)[part.notna()]
        for _, cell in own_rows.groupby(["entry", "year"]):
            own = cell["treated"] == 1
            if not own.any():
                continue
            design = np.column_stack([np.ones(len(cell)), own.astype(float)])
            fit = sm.WLS(cell["difference"].to_numpy(float), design, weights=cell["weight"].to_numpy(float)).fit()
            values.append(float(fit.params[1]))
            weights.append(float(cell.loc[own, "weight"].sum()))
        found.append(float(np.average(values, weights=weights)))
    return np.array(found)


def _tau2(effects: Array, covariance: Array) -> float:
    """τ² at which y'PPy = tr P, P = W − W1(1'W1)⁻¹1'W, W = (V + τ²I)⁻¹; 0 where none above 0 does."""
    from scipy.optimize import brentq

    k = len(effects)

    def score(tau2: float) -> float:
        w = np.linalg.inv(covariance + tau2 * np.eye(k))
        p = w - np.outer(w.sum(axis=1), w.sum(axis=0)) / w.sum()
        return float(effects @ p @ p @ effects - np.trace(p))

    highest = 10 * float(effects.var(ddof=1)) + 1e-12
    if score(0.0) <= 0 or score(highest) >= 0:
        return 0.0
    return float(brentq(score, 0.0, highest, xtol=1e-16))
