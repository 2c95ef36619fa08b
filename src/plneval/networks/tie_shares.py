"""Shares of possible ties that exist, by how near and how alike two people's schools are: a reduced graph.

A drawing of one network's people would show single ties. Its reduced graph has groups of people as nodes and shares of
possible ties as lines (a block model's image; Wasserman and Faust 1994, ch. 10), pooled over all networks. Everything
here is exploratory: nearness and likeness of schools go with much else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.networks.similarity import school_distances
from plneval.networks.structure import wave_networks
from plneval.networks.study_tables import StudyTables
from plneval.prepare.clusters import network_components

Mask = NDArray[np.bool_]
PAIRS: Final = {
    "wave": "Int64",
    "year": "Int64",
    "network": "Int64",
    "cluster": "Int64",
    "source": "Int64",
    "target": "Int64",
    "source_school": "Int64",
    "target_school": "Int64",
    "km": "float64",
    "similarity": "float64",
    "tied": "bool",
}
SHARES: Final = {
    "wave": "Int64",
    "year": "Int64",
    "basis": "str",
    "band": "str",
    "above": "float64",
    "up_to": "float64",
    "n_networks": "Int64",
    "n_schools": "Int64",
    "n_people": "Int64",
    "n_pairs": "Int64",
    "n_ties": "Int64",
    "share": "float64",
    "ci_low": "float64",
    "ci_high": "float64",
}
CONTRASTS: Final = {
    "basis": "str",
    "first": "str",
    "second": "str",
    "difference": "float64",
    "ci_low": "float64",
    "ci_high": "float64",
    "n_networks": "Int64",
    "n_schools_first": "Int64",
    "n_schools_second": "Int64",
    "n_pairs_first": "Int64",
    "n_ties_first": "Int64",
    "n_pairs_second": "Int64",
    "n_ties_second": "Int64",
}
BANDS: Final = {
    "distance": ("nearest", "middle", "farthest"),
    "similarity": ("least_alike", "middle", "most_alike"),
}
"""Thirds of pairs of people of different schools, from the lowest values on."""
COMPARED: Final = {
    "school": ("same_school", "other_school"),
    "distance": ("nearest", "farthest"),
    "similarity": ("most_alike", "least_alike"),
}
"""Bands whose difference is given: what trust is thought to grow with, less its opposite."""


@dataclass(frozen=True)
class _Group:
    """Pairs that are taken together: by what (``basis``), which of them (``band``), and the band's limits."""

    basis: str
    band: str
    pairs: Mask
    above: float = float("nan")
    up_to: float = float("nan")


def possible_ties(tables: StudyTables, declared: Mapping[str, int] | None = None) -> pd.DataFrame:
    """Every ordered pair of two people who take part in one network in one wave: columns ``PAIRS``.

    Waves are numbered from 1 in the order of their names; ``cluster`` joins networks that share schools; km and
    similarity (1 - Gower distance) are those of the two schools in the wave's year, missing where it is not known. Who
    counts as a person of a wave, and which ties count, is said by :func:`~plneval.networks.structure.wave_networks`.
    """
    found = wave_networks(tables, declared)
    number = {wave: place for place, wave in enumerate(sorted({one.wave for one in found}), start=1)}
    clusters = network_components(tables.spells)
    between = {year: school_distances(tables, year) for year in {one.year for one in found if one.year is not None}}
    parts = []
    for one in found:
        people = np.array(sorted(one.graph))
        school = np.array([one.graph.nodes[person]["school"] for person in people.tolist()])
        first, second = np.nonzero(~np.eye(len(people), dtype=bool))
        km = similarity = np.full(len(first), np.nan)
        if one.year is not None:
            gower, apart = (table.reindex(index=school, columns=school).to_numpy() for table in between[one.year])
            km, similarity = apart[first, second], 1 - gower[first, second]
        ends = zip(people[first].tolist(), people[second].tolist(), strict=True)
        parts.append(
            pd.DataFrame(
                {
                    "wave": number[one.wave],
                    "year": one.year,
                    "network": one.network,
                    "cluster": clusters[one.network],
                    "source": people[first],
                    "target": people[second],
                    "source_school": school[first],
                    "target_school": school[second],
                    "km": km,
                    "similarity": similarity,
                    "tied": [one.graph.has_edge(*pair) for pair in ends],
                }
            ).astype(PAIRS)
        )
    if not parts:
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in PAIRS.items()})
    keys = ["wave", "network", "source", "target"]
    return pd.concat(parts, ignore_index=True).sort_values(keys, ignore_index=True)


def tie_shares(pairs: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    r"""Shares of possible ties that exist; columns ``SHARES``; a row a group that holds pairs.

    ``basis`` and ``band``: 'all'; 'school' (``same_school``, ``other_school``), both by wave and over all waves (wave
    missing); thirds of 'distance' and of 'similarity' over all waves; and by wave 'block': ``near_alike``,
    ``near_unlike``, ``far_alike``, ``far_unlike`` (halves of distance and of similarity; ``near`` and the like alone
    where one of the two is not known). All but the first two are about pairs of people of different schools.

    The interval of a share p of N pairs is symmetric on the logit scale, by Taylor linearisation over the G clusters
    of networks and t with G - 1 degrees of freedom:
    :math:`\widehat{\mathrm{Var}}(p) = \frac{G}{G-1} \sum_g (t_g - p\,n_g)^2 / N^2`. Missing for one cluster, and for
    shares of 0 and 1.
    """
    rows = []
    for group in _groups(pairs):
        waves = [None] if group.basis in BANDS else [*sorted(pairs["wave"].unique())]
        if group.basis in ("all", "school"):
            waves = [*waves, None]
        for wave in waves:
            own = pairs.loc[group.pairs if wave is None else group.pairs & (pairs["wave"] == wave).to_numpy()]
            if len(own):
                years = own["year"].dropna().unique()
                year = years[0] if wave is not None and len(years) == 1 else None
                rows.append((wave, year, group.basis, group.band, group.above, group.up_to, *_numbers(own, level)))
    return pd.DataFrame(rows, columns=list(SHARES)).astype(SHARES)


def tie_contrasts(pairs: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    r"""Differences of shares between the bands of ``COMPARED``, over all waves; columns ``CONTRASTS``.

    Interval by linearisation over clusters as in :func:`tie_shares`, with
    :math:`e_g = (t_{1g} - p_1 n_{1g}) / N_1 - (t_{2g} - p_2 n_{2g}) / N_2`: clusters stand on both sides.
    """
    groups = {(group.basis, group.band): group for group in _groups(pairs)}
    rows = []
    for basis, (first, second) in COMPARED.items():
        if (basis, first) not in groups or (basis, second) not in groups:
            continue
        sides = [pairs.loc[groups[basis, band].pairs] for band in (first, second)]
        residuals = [_residuals(side) for side in sides]
        gap = float(sides[0]["tied"].mean() - sides[1]["tied"].mean())
        half = _half_width(residuals[0].sub(residuals[1], fill_value=0.0), level)
        both = set(sides[0]["network"]) & set(sides[1]["network"])
        counts = [int(number) for side in sides for number in (len(side), side["tied"].sum())]
        schools = [len(_ends(side, "school")) for side in sides]
        rows.append((basis, first, second, gap, gap - half, gap + half, len(both), *schools, *counts))
    return pd.DataFrame(rows, columns=list(CONTRASTS)).astype(CONTRASTS)


def _groups(pairs: pd.DataFrame) -> Iterator[_Group]:
    """All groups that hold pairs, in the order in which they are told."""
    across = (pairs["source_school"] != pairs["target_school"]).to_numpy(dtype=bool)
    found = [
        _Group("all", "all", np.ones(len(pairs), dtype=bool)),
        _Group("school", "same_school", ~across),
        _Group("school", "other_school", across),
    ]
    values = {"distance": pairs["km"].to_numpy(), "similarity": pairs["similarity"].to_numpy()}
    for basis, names in BANDS.items():
        cuts = _cuts(values[basis][across], len(names))
        found += [
            _Group(basis, name, across & inside, *ends) for name, inside, ends in _bands(values[basis], names, cuts)
        ]
    halves = {
        basis: list(_bands(values[basis], names, _cuts(values[basis][across], 2)))
        for basis, names in (("distance", ("near", "far")), ("similarity", ("unlike", "alike")))
    }
    undivided = [("", np.ones(len(pairs), dtype=bool), (np.nan, np.nan))]
    near, alike = halves["distance"] or undivided, halves["similarity"][::-1] or undivided
    if halves["distance"] or halves["similarity"]:
        found += [
            _Group("block", "_".join(filter(None, (one, other))), across & inside & within)
            for one, inside, _ in near
            for other, within, _ in alike
        ]
    yield from (group for group in found if group.pairs.any())


def _cuts(values: NDArray[np.float64], parts: int) -> list[float]:
    """Quantiles that part the known values, to two digits, so that no limit is a single pair's own value."""
    known = values[~np.isnan(values)]
    if not len(known):
        return []
    return [float(f"{cut:.2g}") for cut in np.quantile(known, np.arange(1, parts) / parts)]


def _bands(
    values: NDArray[np.float64], names: tuple[str, ...], cuts: list[float]
) -> Iterator[tuple[str, Mask, tuple[float, float]]]:
    """Name, members and limits (above, up to and with) of each band; none where no value is known."""
    ends = [np.nan, *cuts, np.nan]
    for name, above, up_to in zip(names, ends, ends[1:], strict=False) if cuts else ():
        inside = ~np.isnan(values) & ~(values <= above) & ~(values > up_to)
        yield name, inside, (above, up_to)


def _numbers(own: pd.DataFrame, level: float) -> tuple[Any, ...]:
    """Networks, schools, people, pairs, ties, share and interval of some pairs."""
    share = float(own["tied"].mean())
    low = high = float("nan")
    if 0 < share < 1:
        half = _half_width(_residuals(own), level) / (share * (1 - share))
        middle = np.log(share / (1 - share))
        low, high = (float(1 / (1 + np.exp(-(middle + side * half)))) for side in (-1, 1))
    counts = (own["network"].nunique(), len(_ends(own, "school")), len(_ends(own)), len(own), int(own["tied"].sum()))
    return (*counts, share, low, high)


def _ends(own: pd.DataFrame, of: str = "") -> set[int]:
    """People (or their schools) at either end of some pairs."""
    columns = [f"{end}_{of}" if of else end for end in ("source", "target")]
    return {int(number) for column in columns for number in own[column]}


def _residuals(own: pd.DataFrame) -> pd.Series:
    """What each cluster adds to the error of a share."""
    return (own["tied"] - own["tied"].mean()).groupby(own["cluster"]).sum() / len(own)


def _half_width(residuals: pd.Series, level: float) -> float:
    from scipy import stats

    clusters = len(residuals)
    if clusters < 2:
        return float("nan")
    variance = clusters / (clusters - 1) * float((residuals**2).sum())
    return float(stats.t.ppf((1 + level) / 2, clusters - 1) * np.sqrt(variance))
