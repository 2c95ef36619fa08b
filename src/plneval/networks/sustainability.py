"""Scorecard of sustainability: lasting change of practice, lasting outcomes, agency (Hubers and Poortman 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd

from plneval.networks.lasting_change import Change, Mean, last_level, lasting_change
from plneval.standards import load
from plneval.standards.records import SustainabilityRules

Verdict = Literal["shown", "not_shown", "no_data"]
SCORECARD = {
    "scope": "str",
    "network": "Int64",
    "part": "str",
    "criterion": "str",
    "label": "str",
    "verdict": "str",
    "value": "float64",
    "ci_low": "float64",
    "ci_high": "float64",
    "threshold": "float64",
    "n": "Int64",
    "n_unit": "str",
    "n_unknown": "Int64",
    "evidence": "str",
}
DEGREES = {
    "scope": "str",
    "network": "Int64",
    "degree": "Int64",
    "name": "str",
    "words": "str",
    "shown": "Int64",
    "not_shown": "Int64",
    "no_data": "Int64",
    "sentence": "str",
}


@dataclass(frozen=True)
class Estimate:
    """An effect with its interval, signed so that higher is better, in pupil SDs (a trend: in SDs a year)."""

    estimate: float
    ci_low: float
    ci_high: float
    n_schools: int | None = None


@dataclass(frozen=True)
class OutcomeEvidence:
    """Estimates of one network or of all; None where there is none."""

    third_year_on: Estimate | None = None
    trend: Estimate | None = None
    after_leaving: Estimate | None = None


@dataclass(frozen=True)
class Evidence:
    """What a scorecard is filled from; what is None has no data.

    Attributes
    ----------
    practice
        Scores of a scale of teaching practice, a row a respondent and wave: network, school, wave, role ('participant',
        'colleague'), score; cluster where networks share schools.
    policy
        Scores of a scale of school policy: network, school, wave, score.
    agency
        Scores of a scale of agency: network, school, wave, role, score.
    agency_range
        Lowest and highest score that the scale of agency can have.
    products
        What networks made, a row each: network, used, improved (0, 1 or missing) at the last time of asking.
    outcomes
        Estimates by network; None as key for all networks together.
    absent
        Why there are no data, a sentence by criterion; for criteria of which the study holds nothing.
    """

    practice: pd.DataFrame | None = None
    policy: pd.DataFrame | None = None
    agency: pd.DataFrame | None = None
    agency_range: tuple[float, float] = (1.0, 5.0)
    products: pd.DataFrame | None = None
    outcomes: Mapping[int | None, OutcomeEvidence] | None = None
    absent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Found:
    verdict: Verdict
    evidence: str
    value: float = float("nan")
    ci_low: float = float("nan")
    ci_high: float = float("nan")
    threshold: float = float("nan")
    n: int | None = None
    n_unit: str = ""
    n_unknown: int | None = None


def scorecard(evidence: Evidence, networks: Sequence[int], waves: Sequence[str] | None = None) -> pd.DataFrame:
    """Judge every criterion for all networks together and for each of them.

    Thresholds are those of the standard ``sustainability``. A criterion without data is 'no_data', whatever else is
    known; it is never met.

    Parameters
    ----------
    networks
        Networks that get a card of their own, in the order wanted.
    waves
        Waves in order of time; numbers in their order, then words by the alphabet, when left out.

    Returns
    -------
    pandas.DataFrame
        Columns ``SCORECARD``: scope 'overall' (network missing) or 'network'; ``threshold`` is what the interval (or
        the share) is held against, ``n`` counts ``n_unit`` (respondents, networks, schools, products), ``n_unknown``
        products whose state is not known: they are neither for nor against.
    """
    rules = load("sustainability")
    rows = []
    for network in (None, *networks):
        for criterion in rules.criteria:
            found = _judge(criterion.key, evidence, network, waves, rules)
            if found.verdict == "no_data" and not (found.n or found.n_unknown) and criterion.key in evidence.absent:
                found = replace(found, evidence=evidence.absent[criterion.key])
            scope = "overall" if network is None else "network"
            head = (scope, network, criterion.part, criterion.key, criterion.words, found.verdict)
            numbers = (
                found.value,
                found.ci_low,
                found.ci_high,
                found.threshold,
                found.n,
                found.n_unit,
                found.n_unknown,
            )
            rows.append((*head, *numbers, found.evidence))
    return pd.DataFrame(rows, columns=list(SCORECARD)).astype(SCORECARD)


def _judge(
    key: str, evidence: Evidence, network: int | None, waves: Sequence[str] | None, rules: SustainabilityRules
) -> _Found:
    topic, _, who = key.partition("_")
    if key.startswith("effect_"):
        found = (evidence.outcomes or {}).get(network)
        estimate = None if found is None else getattr(found, key.removeprefix("effect_"))
        return _judge_effect(key, estimate, rules)
    if topic == "products":
        return _judge_products(who, _of_network(evidence.products, network), rules)
    role = {"participants": "participant", "colleagues": "colleague"}.get(who)
    scores = _of_network(
        {"practice": evidence.practice, "policy": evidence.policy, "agency": evidence.agency}[topic], network
    )
    if scores is not None and role is not None:
        scores = scores.loc[scores["role"] == role]
    if scores is None or scores["score"].notna().sum() == 0:
        return _Found("no_data", "No answers.")
    if topic == "agency":
        return _judge_agency(last_level(scores, network is None, rules, waves), evidence.agency_range, rules)
    return _judge_change(lasting_change(scores, network is None, rules, waves), rules)


def _of_network(table: pd.DataFrame | None, network: int | None) -> pd.DataFrame | None:
    if table is None or network is None:
        return table
    return table.loc[table["network"] == network]


def _judge_effect(key: str, estimate: Estimate | None, rules: SustainabilityRules) -> _Found:
    if estimate is None or np.isnan([estimate.estimate, estimate.ci_low, estimate.ci_high]).any():
        return _Found("no_data", "No estimate.")
    least = -rules.largest_yearly_decline if key == "effect_trend" else 0.0
    shown = estimate.ci_low > least
    unit = "SD a year" if key == "effect_trend" else "SD"
    text = f"{estimate.estimate:+.2f} {unit} ({_interval(estimate.ci_low, estimate.ci_high, rules)})"
    if key == "effect_trend":
        excludes = "excludes" if shown else "does not exclude"
        text += f"; the interval {excludes} a decline of {rules.largest_yearly_decline:g} SD a year."
    elif shown:
        text += "."
    else:
        text += "; the interval includes no effect." if estimate.ci_high >= 0 else "; pupils achieve less."
    numbers = (estimate.estimate, estimate.ci_low, estimate.ci_high, least, estimate.n_schools, "schools")
    return _Found("shown" if shown else "not_shown", text, *numbers)


def _judge_products(what: str, products: pd.DataFrame | None, rules: SustainabilityRules) -> _Found:
    if products is None or products.empty:
        return _Found("no_data", "No products.", n=0, n_unit="products")
    states = products[what].astype(float)
    known, unknown = states.dropna(), int(states.isna().sum())
    n = len(known)
    share = float(known.mean()) if n else float("nan")
    rest = f", of {unknown} more it is not known" if unknown else ""
    if n < rules.minimum_products:
        text = f"Of {n} products it is known whether they are still {what}{rest}; {rules.minimum_products} are needed."
        return _Found("no_data", text, n=n, n_unit="products", n_unknown=unknown)
    text = f"{int(known.sum())} of {n} products are still {what}{rest}."
    verdict: Verdict = "shown" if share >= rules.minimum_product_share else "not_shown"
    threshold = rules.minimum_product_share
    return _Found(verdict, text, share, threshold=threshold, n=n, n_unit="products", n_unknown=unknown)


def _judge_change(change: Change | None, rules: SustainabilityRules) -> _Found:
    if change is None:
        return _Found(
            "no_data", f"Fewer than {rules.minimum_waves} waves with at least {rules.minimum_respondents} answers."
        )
    if np.isnan(change.change.ci_low):
        return _too_few_clusters(change.change, rules)
    lasts = change.change.mean >= rules.retained_share * change.peak
    rose = change.change.ci_low > 0
    value = change.change
    interval = _interval(value.ci_low, value.ci_high, rules)
    text = f"{value.mean:+.2f} points from {change.first} to {change.last} ({interval}; {value.n} {value.n_unit})"
    if not rose:
        text += "; the interval includes no change." if value.ci_high >= 0 else "; it fell."
    elif not lasts:
        text += f"; the highest rise was {change.peak:+.2f}, of which less than {rules.retained_share:.0%} is left."
    else:
        text += "."
    numbers = (value.mean, value.ci_low, value.ci_high, 0.0, value.n, value.n_unit)
    return _Found("shown" if rose and lasts else "not_shown", text, *numbers)


def _judge_agency(level: tuple[Mean, str] | None, limits: tuple[float, float], rules: SustainabilityRules) -> _Found:
    if level is None:
        return _Found("no_data", f"No wave with at least {rules.minimum_respondents} answers.")
    value, wave = level
    if np.isnan(value.ci_low):
        return _too_few_clusters(value, rules)
    lowest, highest = limits
    threshold = lowest + rules.minimum_scale_position * (highest - lowest)
    shown = value.ci_low > threshold
    text = (
        f"Mean {value.mean:.2f} on a scale from {lowest:g} to {highest:g} in {wave} "
        f"({_interval(value.ci_low, value.ci_high, rules)}; {value.n} {value.n_unit})"
    )
    text += "." if shown else f"; the interval is not above {threshold:g}."
    numbers = (value.mean, value.ci_low, value.ci_high, threshold, value.n, value.n_unit)
    return _Found("shown" if shown else "not_shown", text, *numbers)


def _too_few_clusters(value: Mean, rules: SustainabilityRules) -> _Found:
    """No verdict without an interval: what one network's rests on are its schools."""
    if value.n_unit == "networks":
        return _Found("no_data", "The networks share schools: there is nothing to tell their answers from chance with.")
    needed = f"Fewer than {rules.minimum_schools} schools answered in a wave: within one network there is no interval."
    return _Found("no_data", needed)


def _interval(low: float, high: float, rules: SustainabilityRules) -> str:
    return f"{rules.confidence_level:.0%} interval {low:.2f} to {high:.2f}"


def degrees(card: pd.DataFrame) -> pd.DataFrame:
    """Degree of sustainability of all networks together and of each; columns ``DEGREES``.

    0: no criterion is shown; 1: some is; 2: in each of the three parts some is; 3: every criterion is. Criteria without
    data are not shown, so that a network of which little is known cannot reach a high degree.
    """
    levels = load("sustainability").degrees
    rows = []
    for (scope, network), own in card.groupby(["scope", "network"], dropna=False, sort=False):
        counts = own["verdict"].value_counts()
        shown, failed, unknown = (int(counts.get(v, 0)) for v in ("shown", "not_shown", "no_data"))
        parts = set(own.loc[own["verdict"] == "shown", "part"])
        if shown == len(own):
            level = 3
        elif parts == set(own["part"]):
            level = 2
        else:
            level = int(shown > 0)
        sentence = f"Of {len(own)} criteria {shown} are shown, {failed} are not, and {unknown} have no data."
        rows.append((scope, network, level, levels[level].name, levels[level].words, shown, failed, unknown, sentence))
    table = pd.DataFrame(rows, columns=list(DEGREES)).astype(DEGREES)
    order = table["scope"].map({"overall": 0, "network": 1})
    return table.assign(order=order).sort_values("order", kind="stable", ignore_index=True)[list(DEGREES)]


def radar(card: pd.DataFrame) -> pd.DataFrame:
    """Data of the radar figure: scope, network, part, n_criteria, n_shown, n_not_shown, n_no_data, share_shown."""
    order = list(dict.fromkeys(card["part"]))
    counts = card.groupby(["scope", "network", "part"], dropna=False)["verdict"].value_counts().unstack(fill_value=0)
    counts = counts.reindex(columns=["shown", "not_shown", "no_data"], fill_value=0).add_prefix("n_")
    counts = counts.rename_axis(columns=None).reset_index()
    counts.insert(3, "n_criteria", counts[["n_shown", "n_not_shown", "n_no_data"]].sum(axis=1))
    counts["share_shown"] = counts["n_shown"] / counts["n_criteria"]
    place = counts["part"].map({part: place for place, part in enumerate(order)})
    overall = counts["scope"].map({"overall": 0, "network": 1})
    ordered = counts.assign(place=place, overall=overall).sort_values(
        ["overall", "network", "place"], ignore_index=True
    )
    return ordered.drop(columns=["place", "overall"])
