"""Change of survey scores over waves, within each network and over all networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.networks.cluster_means import ClusterMean, cluster_mean
from plneval.standards.records import SustainabilityRules

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Mean:
    """A mean with its interval, missing with too few clusters.

    ``n`` counts ``n_unit``: 'networks', or 'respondents' (of a change: in the wave with fewer of them, since one person
    may have answered in both). ``clusters``: networks, or the schools that one network's interval rests on.
    """

    mean: float
    ci_low: float
    ci_high: float
    n: int
    n_unit: str
    clusters: int


@dataclass(frozen=True)
class Change:
    """A change from the first to the last wave that counts.

    Attributes
    ----------
    change : last less first.
    peak : highest rise over the first wave in any later one, the last included.
    first, last : which waves.
    """

    change: Mean
    peak: float
    first: str
    last: str


def ordered_waves(scores: pd.DataFrame, waves: Sequence[str] | None = None) -> list[str]:
    """Waves in order of time: as given, else numbers in their order, then words by the alphabet."""
    found = {str(wave) for wave in scores["wave"].dropna()}
    if waves is not None:
        return [wave for wave in waves if wave in found]
    return sorted(found, key=lambda wave: (not wave.isdecimal(), int(wave) if wave.isdecimal() else 0, wave))


def lasting_change(
    scores: pd.DataFrame, overall: bool, rules: SustainabilityRules, waves: Sequence[str] | None = None
) -> Change | None:
    """Change of the mean score from the first to the last wave with enough answers.

    Overall, it is the mean of the networks' own changes, weighted by their answers (n₁n₂/(n₁ + n₂)), with an interval
    by network; a network then needs one answer in two waves, and all networks together as many in their first and in
    their last wave as one network would. Of one network (also where there is no other) it is the difference of the two
    waves' means with an interval by school, missing with fewer than ``rules.minimum_schools`` in a wave. Both are by
    :func:`plneval.networks.cluster_means.cluster_mean`: what answers of one network (school) share, and that the same
    person answers twice, is in the errors.

    # ASSUME: networks are independent (those that share schools, which ``cluster`` says, count as one), and within one
    # network its schools are.

    Parameters
    ----------
    scores
        network, school, wave, score and, where networks share schools, cluster; a row a respondent and wave. Of one
        network only answers with a school count.
    overall
        Average changes within networks, so that networks that are asked in other waves do not shift the mean.

    Returns
    -------
    None where there are not the waves or the answers that are needed.
    """
    order = ordered_waves(scores, waves)
    rows = scores.dropna(subset=["score"])
    if overall and rows["network"].nunique() > 1:
        return _overall_change(rows, order, rules)
    rows = rows.dropna(subset=["school"])
    enough = _by_wave(rows, order, rules.minimum_respondents)
    if len(enough) < rules.minimum_waves:
        return None
    first, last = next(iter(enough)), list(enough)[-1]
    found = _by_school(rows, [first, last], rules)
    n = min(len(enough[first]), len(enough[last]))
    return Change(_mean(found, n, "respondents"), max(_rises(enough)), *_ends(enough))


def _overall_change(rows: pd.DataFrame, order: list[str], rules: SustainabilityRules) -> Change | None:
    networks = {network: _by_wave(own, order, 1) for network, own in rows.groupby("network", sort=True)}
    known = {network: enough for network, enough in networks.items() if len(enough) >= rules.minimum_waves}
    first_n, last_n = (
        np.array([len(list(enough.values())[end]) for enough in known.values()], float) for end in (0, -1)
    )
    if len(known) < 2 or min(first_n.sum(), last_n.sum()) < rules.minimum_respondents:
        return None
    rises = [_rises(enough) for enough in known.values()]
    names = [_named(wave) for wave in order]
    first = min((_ends(enough)[0] for enough in known.values()), key=names.index)
    last = max((_ends(enough)[1] for enough in known.values()), key=names.index)
    weight = first_n * last_n / (first_n + last_n)
    found = _by_cluster(rows, list(known), np.array([own[-1] for own in rises]), weight, rules)
    peak = float(np.average([max(own) for own in rises], weights=weight))
    return Change(_mean(found, len(known), "networks"), peak, first, last)


def _by_cluster(
    rows: pd.DataFrame, networks: list[object], values: Floats, weight: Floats, rules: SustainabilityRules
) -> ClusterMean:
    """Weighted mean of networks' values, with an interval by cluster of networks."""
    cluster = pd.Series(networks)
    if "cluster" in rows:
        cluster = cluster.map(rows.groupby("network")["cluster"].first())
    table = pd.DataFrame({"weight": weight, "total": weight * values})
    sums = table.groupby(cluster.to_numpy(), sort=True).sum()
    return cluster_mean(
        sums["weight"].to_numpy()[:, None], sums["total"].to_numpy()[:, None], level=rules.confidence_level
    )


def _by_school(rows: pd.DataFrame, waves: list[str], rules: SustainabilityRules) -> ClusterMean:
    """The mean in one wave, or the change between two, with an interval by school."""
    wave = rows["wave"].astype("str")
    by = rows.loc[wave.isin(waves)].groupby(["school", wave], sort=True)["score"].agg(["size", "sum"])
    size, total = (
        by[column].unstack(fill_value=0).reindex(columns=waves).to_numpy(dtype=np.float64) for column in ("size", "sum")
    )
    return cluster_mean(size, total, level=rules.confidence_level, clusters=rules.minimum_schools)


def _mean(found: ClusterMean, n: int, unit: str) -> Mean:
    return Mean(found.estimate, found.low, found.high, n, unit, found.n_clusters)


def _by_wave(rows: pd.DataFrame, order: list[str], minimum: int) -> dict[str, Floats]:
    """Scores by wave, in order, of waves with enough of them."""
    found = {str(wave): own["score"].to_numpy(dtype=np.float64) for wave, own in rows.groupby("wave")}
    return {wave: found[wave] for wave in order if len(found.get(wave, ())) >= minimum}


def _rises(by_wave: dict[str, Floats]) -> list[float]:
    """Rise of the mean over the first wave, in each later one."""
    first, *later = (float(values.mean()) for values in by_wave.values())
    return [mean - first for mean in later]


def _ends(by_wave: dict[str, Floats]) -> tuple[str, str]:
    names = [_named(wave) for wave in by_wave]
    return names[0], names[-1]


def _named(wave: str) -> str:
    return f"wave {wave}"


def last_level(
    scores: pd.DataFrame, overall: bool, rules: SustainabilityRules, waves: Sequence[str] | None = None
) -> tuple[Mean, str] | None:
    """Mean score in the last wave with enough answers, and that wave.

    Overall it is the mean of the networks' means, weighted by their answers, with an interval by network; of one
    network the mean over respondents with an interval by school. Assumptions, and how many answers and schools are
    needed, as in :func:`lasting_change`.
    """
    order = ordered_waves(scores, waves)
    rows = scores.dropna(subset=["score"])
    if not overall or rows["network"].nunique() < 2:
        rows = rows.dropna(subset=["school"])
        enough = _by_wave(rows, order, rules.minimum_respondents)
        if not enough:
            return None
        last = list(enough)[-1]
        return _mean(_by_school(rows, [last], rules), len(enough[last]), "respondents"), _ends(enough)[1]
    found = {network: _by_wave(own, order, 1) for network, own in rows.groupby("network", sort=True)}
    known = {network: enough for network, enough in found.items() if enough}
    latest = [list(enough.values())[-1] for enough in known.values()]
    if len(known) < 2 or sum(map(len, latest)) < rules.minimum_respondents:
        return None
    wave = max((_ends(enough)[1] for enough in known.values()), key=[_named(wave) for wave in order].index)
    means = np.array([float(values.mean()) for values in latest])
    answers = np.array([float(len(values)) for values in latest])
    return _mean(_by_cluster(rows, list(known), means, answers, rules), len(known), "networks"), wave
