r"""The effect from the third year on, network by network, with the covariance of the networks' estimates.

A school i of entry group g has in each year t from the third of participation on the effect
:math:`\Delta y_{it} - m_{gt}`: its change from its last outcome year before joining, less the mean change of schools
that never join. :math:`d_i` is its mean over the school's years, and a network's effect the mean of its schools' d,
weighted by their pupils (or equally) and years. The mean of all networks' effects, weighted by the same, is the
headline of :func:`plneval.did.att_gt` without covariates.

**Errors.** All networks lean on the same comparison schools: the mean changes' errors are shared, and are summed by
comparison school over networks. What a network's own schools add is :math:`\sum_i p_i^2 \kappa V_i`, with p the
schools' weights in their network, V the variance of d among comparison schools over the same years, and κ one number
for all networks: how much more (or less) than comparison schools the schools of one network vary around its mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval.estimate.counts import PupilCounts, basis_of
from plneval.estimate.fit import Basis
from plneval.estimate.sample import SchoolSample
from plneval.standards import load

Floats = npt.NDArray[np.float64]
FEWEST_WITHIN: Final = 10
"""Degrees of freedom within networks below which κ is not estimated and counts as 1."""
FEWEST_COMPARISON: Final = 2
POOLED: Final = (
    "networks have too few schools for an error of their own: schools vary around their network's effect as much in "
    "all networks, in proportion to what comparison schools vary over the same years"
)
BORROWED: Final = (
    "too few networks of several schools: schools vary around their network's effect as comparison schools do"
)


class NoNetworkEffects(ValueError):
    """The study has no effect by network; the message says why."""


@dataclass(frozen=True)
class NetworkEffects:
    """Effects of k networks, in units of the modelled column.

    Attributes
    ----------
    table : a row a network: unit (prepare's number), estimate, se, n_schools, weight (its share of the mean over all
        networks), entered (first entry year of its schools), outcome_from (first outcome year in the estimate).
    covariance : (k, k).
    scale, within : κ, and the degrees of freedom within networks behind it.
    basis : the data behind all networks together.
    warnings : sentences.
    """

    table: pd.DataFrame
    covariance: Floats
    scale: float
    within: int
    basis: Basis
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Comparison:
    """Changes of comparison schools. n schools, T years."""

    y: Floats
    """(n, T), missing where not observed."""
    weight: Floats
    cluster: npt.NDArray[np.int64]

    def changes(self, year: int, base: int) -> tuple[Floats, float, Floats]:
        """(n,) changes, their weighted mean, and (n,) what each school adds to that mean's error."""
        change = self.y[:, year] - self.y[:, base]
        weight = np.where(np.isnan(change), 0.0, self.weight)
        if (weight > 0).sum() < FEWEST_COMPARISON:
            return change, float("nan"), np.zeros(len(change))
        mean = float(np.nansum(weight * change) / weight.sum())
        n = (weight > 0).sum()
        return change, mean, np.nan_to_num(weight * (change - mean) / weight.sum()) * np.sqrt(n / (n - 1))


def network_effects(sample: SchoolSample, pupils: PupilCounts) -> NetworkEffects:
    """Estimate every network's effect; see the module.

    A school counts for its first network, whatever others it joins later. Networks without a school that is observed
    before joining and from the third year on are not in the table.

    # ASSUME: parallel trends, as for the headline; schools' errors are independent given their network's effect, so
    # that what schools of one network share counts as the network's effect; κ is the same in all networks; schools'
    # weights are fixed.

    Raises
    ------
    NoNetworkEffects
        If there are no two comparison schools, or no member school is observed before joining and in its third year.
    """
    rows = sample.rows
    years = np.sort(rows["year"].unique())
    y = rows.pivot(index="school", columns="year", values="y").reindex(columns=years)
    about = rows.drop_duplicates("school").set_index("school").loc[y.index]
    never = about["entry_year"].isna().to_numpy()
    if never.sum() < FEWEST_COMPARISON:
        raise NoNetworkEffects("fewer than two schools that never join")
    values = y.to_numpy(dtype=np.float64)
    comparison = _Comparison(
        values[never],
        about["weight"].to_numpy(dtype=np.float64)[never],
        pd.factorize(about["cluster"].to_numpy()[never], sort=True)[0].astype(np.int64),
    )
    cells = _cells(about[~never], values[~never], years, comparison)
    if cells.empty:
        raise NoNetworkEffects(
            "no member school with results before joining and from the third year of participation on"
        )
    schools = cells.groupby("school", sort=True).agg(
        network=("network", "first"),
        entry=("entry", "first"),
        base=("base", "first"),
        first=("year", "min"),
        window=("year", lambda own: tuple(sorted(own))),
        d=("effect", "mean"),
        weight=("weight", "sum"),
    )
    shared = _shared_errors(cells, schools, comparison, years)
    variance = _comparison_variances(schools, comparison, years)
    own, scale, within = _own_variances(schools, variance)
    networks = schools.groupby("network", sort=True)
    total = networks["weight"].sum()
    estimate = (schools["d"] * schools["weight"]).groupby(schools["network"]).sum() / total
    covariance = shared.T @ shared + np.diag(own)
    table = pd.DataFrame(
        {
            "unit": total.index.to_numpy(dtype=np.int64),
            "estimate": estimate.to_numpy(dtype=np.float64),
            "se": np.sqrt(np.diag(covariance)),
            "n_schools": networks.size().to_numpy(dtype=np.int64),
            "weight": (total / total.sum()).to_numpy(dtype=np.float64),
            "entered": networks["entry"].min().to_numpy(dtype=np.int64),
            "outcome_from": networks["first"].min().to_numpy(dtype=np.int64),
        }
    )
    used, treated = _rows_behind(rows, cells, about.index[never])
    clusters = (len(table), int(about["cluster"][never].nunique()))
    basis = basis_of(sample, pupils, used, treated, clusters)
    warnings = (POOLED,) if within >= FEWEST_WITHIN else (BORROWED,)
    return NetworkEffects(table, covariance, scale, within, basis, warnings)


def _cells(members: pd.DataFrame, y: Floats, years: npt.NDArray[np.int64], comparison: _Comparison) -> pd.DataFrame:
    """A row a member school and year from the third of participation on: school, entry, year, base, effect, weight."""
    third = load("follow_up").headline_from_event_time
    rows = []
    for entry, places in pd.Series(range(len(members))).groupby(members["entry_year"].to_numpy(dtype=np.int64)):
        before = np.flatnonzero(years < int(str(entry)))
        own = places.to_numpy()
        # The base is the group's last observed year before joining, as for the headline.
        base = next((int(at) for at in before[::-1] if np.isfinite(y[own, at]).any()), None)
        if base is None:
            continue
        for at in np.flatnonzero(years >= int(str(entry)) + third):
            change = y[own, at] - y[own, base]
            mean = comparison.changes(int(at), base)[1]
            known = np.isfinite(change) & np.isfinite(mean)
            rows += [
                (int(members.index[i]), int(str(entry)), int(years[at]), int(years[base]), float(delta - mean))
                for i, delta in zip(own[known], change[known], strict=True)
            ]
    cells = pd.DataFrame(rows, columns=["school", "entry", "year", "base", "effect"])
    about = members.loc[cells["school"], ["network", "weight"]].reset_index(drop=True)
    return cells.assign(network=about["network"], weight=about["weight"]).dropna(subset=["network"])


def _shared_errors(
    cells: pd.DataFrame, schools: pd.DataFrame, comparison: _Comparison, years: npt.NDArray[np.int64]
) -> Floats:
    """(clusters, networks): what each comparison cluster adds to the error of each network's effect."""
    networks = np.sort(schools["network"].unique())
    place = {int(network): k for k, network in enumerate(networks)}
    position = {int(year): at for at, year in enumerate(years)}
    share = cells["weight"] / cells.groupby("network")["weight"].transform("sum")
    shares = share.groupby([cells["year"], cells["base"], cells["network"]]).sum().reset_index()
    errors = np.zeros((len(comparison.y), len(networks)))
    for year, base, network, part in shares.itertuples(index=False):
        of_mean = comparison.changes(position[int(year)], position[int(base)])[2]
        errors[:, place[int(network)]] -= of_mean * float(part)
    found = np.zeros((int(comparison.cluster.max()) + 1, len(networks)))
    np.add.at(found, comparison.cluster, errors)
    return found


def _comparison_variances(schools: pd.DataFrame, comparison: _Comparison, years: npt.NDArray[np.int64]) -> Floats:
    """(schools,) variance among comparison schools of the mean change over the same years and from the same base."""
    position = {int(year): at for at, year in enumerate(years)}
    found: dict[tuple[int, tuple[int, ...]], float] = {}
    for base, window in schools[["base", "window"]].itertuples(index=False):
        if (base, window) in found:
            continue
        at = [position[year] for year in window]
        changes = comparison.y[:, at].mean(axis=1) - comparison.y[:, position[base]]
        changes = changes[np.isfinite(changes)]
        found[base, window] = float(changes.var(ddof=1)) if len(changes) >= FEWEST_COMPARISON else float("nan")
    values = np.array([found[key] for key in schools[["base", "window"]].itertuples(index=False, name=None)])
    # Windows that too few comparison schools were seen in count as the mean of the others.
    return np.where(np.isnan(values), np.nanmean(values), values)


def _own_variances(schools: pd.DataFrame, variance: Floats) -> tuple[Floats, float, int]:
    r"""(networks,) what networks' own schools add to the variance of their effect, κ, and its degrees of freedom.

    With :math:`\bar d` a network's effect, :math:`E(d_i - \bar d)^2 = κ(V_i(1 - 2p_i) + \sum_l p_l^2 V_l)`; κ is the
    sum of :math:`(d_i - \bar d)^2 / V_i` over the sum of these expectations at κ = 1, each divided by :math:`V_i`.
    """
    network, place = np.unique(schools["network"].to_numpy(dtype=np.int64), return_inverse=True)
    weight, d = schools["weight"].to_numpy(dtype=np.float64), schools["d"].to_numpy(dtype=np.float64)
    share = weight / np.bincount(place, weight)[place]
    departure = d - np.bincount(place, share * d)[place]
    of_mean = np.bincount(place, share**2 * variance)
    expected = (variance * (1 - 2 * share) + of_mean[place]) / variance
    within = len(schools) - len(network)
    scale = float((departure**2 / variance).sum() / expected.sum()) if within >= FEWEST_WITHIN else 1.0
    return np.asarray(scale * of_mean, dtype=np.float64), scale, within


def _rows_behind(rows: pd.DataFrame, cells: pd.DataFrame, never: pd.Index) -> tuple[pd.Series, pd.Series]:
    """School-years that enter the effects, and the members' own from the third year on."""
    key = rows["school"].astype("int64") * 10_000 + rows["year"].astype("int64")
    treated = key.isin(cells["school"] * 10_000 + cells["year"])
    before = key.isin(cells["school"] * 10_000 + cells["base"])
    compared = sorted({int(year) for year in cells["year"]} | {int(year) for year in cells["base"]})
    others = rows["school"].isin(never) & rows["year"].isin(compared)
    return treated | before | others, treated
