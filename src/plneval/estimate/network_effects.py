r"""The effect from the third year on, network by network, with the covariance of the networks' estimates.

A school i of entry group g has in each year t from the third of participation on the effect
:math:`\Delta y_{it} - m_{gt}`: its change from its last outcome year before joining, less the mean change of schools
that never join. :math:`d_i` is its mean over the school's years, and a network's effect the mean of its schools' d,
weighted by their pupils (or equally) and years. The mean of all networks' effects, weighted by the same, is the
headline of :func:`plneval.did.att_gt` without covariates. A school that counts for several networks
(:func:`plneval.networks.several_networks.school_networks`) has a part of its weight in each.

**Errors.** All networks lean on the same comparison schools: the mean changes' errors are shared, and are summed by
comparison school over networks. What schools of their own add to the covariance of networks a and b is
:math:`\sum_i p_{ia} p_{ib} \kappa V_i`, with p the schools' weights in their networks (zero for a ≠ b unless networks
share schools), V the variance of d among comparison schools over the same years, and κ one number for all networks: how
much more (or less) than comparison schools the schools of one network vary around its mean.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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
ONE: Final = "{count} networks share all their schools with another one and count with it as one"
ENTANGLED: Final = "networks share so many of their schools that their effects cannot be told apart"
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
    members : school, unit: the schools behind each network's effect; a school of several networks stands in each.
    scale, within : κ, and the degrees of freedom within networks behind it.
    basis : the data behind all networks together.
    warnings : sentences.
    """

    table: pd.DataFrame
    covariance: Floats
    members: pd.DataFrame
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


def network_effects(
    sample: SchoolSample, pupils: PupilCounts, school_networks: pd.DataFrame | None = None
) -> NetworkEffects:
    """Estimate every network's effect; see the module.

    Networks without a school that is observed before joining and from the third year on are not in the table. Networks
    that share all their schools in the same parts count as one, under the smallest number.

    # ASSUME: parallel trends, as for the headline; schools' errors are independent given their network's effect, so
    # that what schools of one network share counts as the network's effect; a school of several networks has a mean of
    # their effects, so that networks that share schools are alike by as much; κ is the same in all networks; schools'
    # weights are fixed.

    Parameters
    ----------
    school_networks
        school, network, part: the networks that each member school counts for
        (:func:`plneval.networks.several_networks.school_networks`); the first one, the sample's own column, when left
        out.

    Raises
    ------
    NoNetworkEffects
        If there are no two comparison schools, no member school is observed before joining and in its third year, or
        networks share their schools in such a way that they cannot be told apart.
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
    counting = first_networks(rows) if school_networks is None else school_networks
    member = ~never & about.index.isin(counting["school"])
    cells = _cells(about[member], values[member], years, comparison)
    if cells.empty:
        raise NoNetworkEffects(
            "no member school with results before joining and from the third year of participation on"
        )
    schools = cells.groupby("school", sort=True).agg(
        entry=("entry", "first"),
        base=("base", "first"),
        first=("year", "min"),
        window=("year", lambda own: tuple(sorted(own))),
        d=("effect", "mean"),
        weight=("weight", "sum"),
    )
    counting, as_one = _told_apart(counting.loc[counting["school"].isin(schools.index)])
    shared = _shared_errors(cells.merge(counting, on="school"), comparison, years)
    own, scale, within = _own_covariance(schools, counting, _comparison_variances(schools, comparison, years))
    covariance = shared.T @ shared + own
    table = _table(schools, counting, covariance)
    used, treated = _rows_behind(rows, cells, about.index[never])
    clusters = (len(table), int(about["cluster"][never].nunique()))
    basis = replace(basis_of(sample, pupils, used, treated, clusters), n_networks=len(table) + as_one)
    warnings = [POOLED if within >= FEWEST_WITHIN else BORROWED]
    if as_one:
        warnings.append(ONE.format(count=as_one))
    members = counting.rename(columns={"network": "unit"})[["school", "unit"]]
    return NetworkEffects(table, covariance, members, scale, within, basis, tuple(warnings))


def first_networks(rows: pd.DataFrame) -> pd.DataFrame:
    """school, network, part: every member school counts for its first network."""
    known = rows.dropna(subset=["network"]).drop_duplicates("school")
    return known[["school", "network"]].astype("int64").assign(part=1.0)


def _told_apart(counting: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """school, network, part with networks of the very same schools as one, and how many networks went into others."""
    parts = counting.pivot(index="network", columns="school", values="part").fillna(0.0)
    smallest: dict[tuple[float, ...], int] = {}
    alike = {int(str(one)): smallest.setdefault(tuple(own), int(str(one))) for one, own in parts.T.items()}
    found = counting.assign(network=counting["network"].map(alike))
    found = found.groupby(["school", "network"], sort=True)["part"].sum().reset_index()
    if np.linalg.matrix_rank(_parts(found)) < found["network"].nunique():
        raise NoNetworkEffects(ENTANGLED)
    return found, len(alike) - len(set(alike.values()))


def _parts(counting: pd.DataFrame) -> Floats:
    """(schools, networks): the part with which each school counts for each network, both in order of their numbers."""
    wide = counting.pivot(index="school", columns="network", values="part")
    return wide.sort_index().sort_index(axis=1).fillna(0.0).to_numpy(dtype=np.float64)


def _table(schools: pd.DataFrame, counting: pd.DataFrame, covariance: Floats) -> pd.DataFrame:
    """The networks' effects, each the mean of its schools' by their weights and parts, and what stands beside them."""
    pairs = counting.merge(schools.reset_index(), on="school")
    pairs["weight"] *= pairs["part"]
    networks = pairs.groupby("network", sort=True)
    total = networks["weight"].sum()
    estimate = (pairs["d"] * pairs["weight"]).groupby(pairs["network"]).sum() / total
    return pd.DataFrame(
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
    return cells.assign(weight=members.loc[cells["school"], "weight"].to_numpy(dtype=np.float64))


def _shared_errors(cells: pd.DataFrame, comparison: _Comparison, years: npt.NDArray[np.int64]) -> Floats:
    """(clusters, networks): what each comparison cluster adds to the error of each network's effect.

    ``cells`` has a row a school, year and network that the school counts for.
    """
    networks = np.sort(cells["network"].unique())
    place = {int(network): k for k, network in enumerate(networks)}
    weight = cells["weight"] * cells["part"]
    position = {int(year): at for at, year in enumerate(years)}
    share = weight / weight.groupby(cells["network"]).transform("sum")
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


def _own_covariance(schools: pd.DataFrame, counting: pd.DataFrame, variance: Floats) -> tuple[Floats, float, int]:
    r"""(networks, networks) what schools of their own add to the covariance of effects, κ, and its degrees of freedom.

    κ rests on how schools depart from the mean of their networks' effects, fitted by weighted least squares:
    :math:`r = (I - H)d` with :math:`H = P(P'WP)^{-1}P'W`, P the schools' parts and W their weights; where no school
    counts for two networks, the fitted values are the networks' means. :math:`E r_i^2 = κ(V_i(1 - 2H_{ii}) + \sum_l
    H_{il}^2 V_l)`; κ is the sum of :math:`r_i^2 / V_i` over the sum of these expectations at κ = 1, each divided by
    :math:`V_i`.
    """
    parts = _parts(counting)
    weight, d = schools["weight"].to_numpy(dtype=np.float64), schools["d"].to_numpy(dtype=np.float64)
    weighted = parts * weight[:, None]
    shares = weighted / weighted.sum(axis=0)
    fitted = np.linalg.solve(weighted.T @ parts, weighted.T)
    departure = d - parts @ (fitted @ d)
    leverage = (parts * fitted.T).sum(axis=1)
    of_fitted = ((parts @ ((fitted * variance) @ fitted.T)) * parts).sum(axis=1)
    expected = (variance * (1 - 2 * leverage) + of_fitted) / variance
    within = len(schools) - parts.shape[1]
    scale = float((departure**2 / variance).sum() / expected.sum()) if within >= FEWEST_WITHIN else 1.0
    return np.asarray(scale * shares.T @ (shares * variance[:, None]), dtype=np.float64), scale, within


def _rows_behind(rows: pd.DataFrame, cells: pd.DataFrame, never: pd.Index) -> tuple[pd.Series, pd.Series]:
    """School-years that enter the effects, and the members' own from the third year on."""
    key = rows["school"].astype("int64") * 10_000 + rows["year"].astype("int64")
    treated = key.isin(cells["school"] * 10_000 + cells["year"])
    before = key.isin(cells["school"] * 10_000 + cells["base"])
    compared = sorted({int(year) for year in cells["year"]} | {int(year) for year in cells["base"]})
    others = rows["school"].isin(never) & rows["year"].isin(compared)
    return treated | before | others, treated
