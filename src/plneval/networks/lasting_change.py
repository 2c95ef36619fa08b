"""Change of survey scores over waves, within each network and over all networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from plneval.standards.records import SustainabilityRules


@dataclass(frozen=True)
class Mean:
    """A mean with its interval; ``n`` counts ``n_unit`` ('respondents' or 'networks')."""

    mean: float
    ci_low: float
    ci_high: float
    n: int
    n_unit: str


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

    # ASSUME: respondents of a network answer independently of each other, and of themselves in another wave (Welch's
    interval); networks are independent. Overall, it is the mean of the networks' own changes, weighted by their
    answers (n₁n₂/(n₁ + n₂)), with a t interval over networks; a network then needs one answer in two waves, and all
    networks together as many in their first and in their last wave as one network would. With a single network it is
    that network's change.

    Parameters
    ----------
    scores
        network, wave, score; a row a respondent and wave.
    overall
        Average changes within networks, so that networks that are asked in other waves do not shift the mean.

    Returns
    -------
    None where there are not the waves or the answers that are needed.
    """
    order = ordered_waves(scores, waves)
    rows = scores.dropna(subset=["score"])
    if overall and rows["network"].nunique() > 1:
        return _overall_change([_by_wave(own, order, 1) for _, own in rows.groupby("network", sort=True)], order, rules)
    enough = _by_wave(rows, order, rules.minimum_respondents)
    if len(enough) < rules.minimum_waves:
        return None
    first, last = next(iter(enough.values())), list(enough.values())[-1]
    peak = max(_rises(enough))
    return Change(_welch(first, last, rules.confidence_level), peak, *_ends(enough))


def _overall_change(
    networks: list[dict[str, NDArray[np.float64]]], order: list[str], rules: SustainabilityRules
) -> Change | None:
    known = [enough for enough in networks if len(enough) >= rules.minimum_waves]
    first_n, last_n = (np.array([len(list(enough.values())[end]) for enough in known], float) for end in (0, -1))
    if len(known) < 2 or min(first_n.sum(), last_n.sum()) < rules.minimum_respondents:
        return None
    rises = [_rises(enough) for enough in known]
    names = [_named(wave) for wave in order]
    first = min((_ends(enough)[0] for enough in known), key=names.index)
    last = max((_ends(enough)[1] for enough in known), key=names.index)
    weight = first_n * last_n / (first_n + last_n)
    change = _mean(np.array([own[-1] for own in rises]), rules.confidence_level, "networks", weight)
    return Change(change, float(np.average([max(own) for own in rises], weights=weight)), first, last)


def _by_wave(rows: pd.DataFrame, order: list[str], minimum: int) -> dict[str, NDArray[np.float64]]:
    """Scores by wave, in order, of waves with enough of them."""
    found = {str(wave): own["score"].to_numpy(dtype=np.float64) for wave, own in rows.groupby("wave")}
    return {wave: found[wave] for wave in order if len(found.get(wave, ())) >= minimum}


def _rises(by_wave: dict[str, NDArray[np.float64]]) -> list[float]:
    """Rise of the mean over the first wave, in each later one."""
    first, *later = (float(values.mean()) for values in by_wave.values())
    return [mean - first for mean in later]


def _ends(by_wave: dict[str, NDArray[np.float64]]) -> tuple[str, str]:
    names = [_named(wave) for wave in by_wave]
    return names[0], names[-1]


def _named(wave: str) -> str:
    return f"wave {wave}"


def _welch(first: NDArray[np.float64], last: NDArray[np.float64], level: float) -> Mean:
    """Difference of two means with Welch's interval."""
    from scipy import stats

    found = stats.ttest_ind(last, first, equal_var=False).confidence_interval(level)
    difference = float(last.mean() - first.mean())
    low, high = float(found.low), float(found.high)
    if np.isnan(low):
        # Nobody's answer differs from anybody's in their wave: the interval is the difference itself.
        low = high = difference
    return Mean(difference, low, high, len(first) + len(last), "respondents")


def last_level(
    scores: pd.DataFrame, overall: bool, rules: SustainabilityRules, waves: Sequence[str] | None = None
) -> tuple[Mean, str] | None:
    """Mean score in the last wave with enough answers, and that wave.

    Overall it is the mean of the networks' means, weighted by their answers, with a t interval over networks.
    Assumptions, and how many answers are needed, as in :func:`lasting_change`.
    """
    order = ordered_waves(scores, waves)
    rows = scores.dropna(subset=["score"])
    if not overall or rows["network"].nunique() < 2:
        enough = _by_wave(rows, order, rules.minimum_respondents)
        if not enough:
            return None
        return _mean(list(enough.values())[-1], rules.confidence_level, "respondents"), _ends(enough)[1]
    found = [_by_wave(own, order, 1) for _, own in rows.groupby("network", sort=True)]
    known = [enough for enough in found if enough]
    latest = [list(enough.values())[-1] for enough in known]
    if len(known) < 2 or sum(map(len, latest)) < rules.minimum_respondents:
        return None
    wave = max((_ends(enough)[1] for enough in known), key=[_named(wave) for wave in order].index)
    means = np.array([float(values.mean()) for values in latest])
    return _mean(means, rules.confidence_level, "networks", np.array([float(len(values)) for values in latest])), wave


def _mean(values: NDArray[np.float64], level: float, unit: str, weight: NDArray[np.float64] | None = None) -> Mean:
    r"""Weighted mean of k values with a t interval (k − 1 df).

    Variance :math:`\tfrac{k}{k-1} \sum w_i^2 (x_i - \bar x)^2 / (\sum w_i)^2`, with equal weights that of the mean.
    """
    from scipy import stats

    k = len(values)
    share = np.full(k, 1 / k) if weight is None else weight / weight.sum()
    mean = float(share @ values)
    se = float(np.sqrt(k / (k - 1) * (share**2 @ (values - mean) ** 2)))
    half = float(stats.t.ppf((1 + level) / 2, k - 1)) * se
    return Mean(mean, mean - half, mean + half, k, unit)
