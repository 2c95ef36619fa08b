"""The verdict in words that a funder can check: no jargon of tests, every number with its unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pandas as pd

from plneval.challenge.evidence import Evidence
from plneval.challenge.gate import Gate
from plneval.challenge.phrasing import capitalised, counted, decimal, in_sentence, listed
from plneval.challenge.verdict import REFUSING, Category, Effect

RESERVATIONS: Final = {
    "follow_up": "few schools reached their third year",
    "baseline_equivalence": "the schools differed before joining",
    "pre_trend": "trends before joining could hardly be looked at",
    "breakdown": "small differences in trends would overturn it",
    "comparison_coverage": "not all is known about the comparison schools",
    "clusters": "the number of independent units is small",
    "networks": "it is about one network only",
    "membership_timing": "it is not always known when schools joined",
    "network_data": "some memberships have no date",
    "leavers": "many schools left early",
    "composition": "the pupils may have changed in different ways",
    "missing_outcomes": "results are missing",
    "attrition": "pupils or schools were lost over the years",
    "school_power": "smaller effects could be missed",
    "recomputation": "two computations do not agree in every digit",
    "effect_scale": "the effect is on a scale of its own",
    "recovery": "the planted effect was missed",
}
"""A gate that does not pass, as a reservation."""
REFUSALS: Final = {
    "baseline_equivalence": "No causal conclusion: the schools differed too much before joining.",
    "follow_up": "Too early to say: the schools were not followed long enough.",
    "comparison_coverage": "No causal conclusion: there are no comparison schools.",
    "pre_trend": "No causal conclusion: the schools already moved apart before joining.",
    "clusters": "No causal conclusion: there are too few schools or networks.",
    "network_data": "No causal conclusion: it is not known who took part.",
    "convergence": "No conclusion: the headline could not be computed.",
    "recomputation": "No conclusion: the headline could not be confirmed.",
    "recovery": "No conclusion: the method misses the planted effect.",
}
"""The short verdict when a gate refuses, in at most twelve words."""
SHORT: Final = {
    "benefit": "Better results from the third year on",
    "harm": "Worse results from the third year on",
    "no_difference": "No difference that would matter",
    "inconclusive": "The evidence does not settle the question",
}


def sentence(category: Category, effect: Effect | None, evidence: Evidence, gates: Sequence[Gate]) -> str:
    """The verdict in one to three sentences."""
    programme = evidence.cohort.programme
    outcome = outcome_words(evidence)
    if category == "not_causal" or effect is None:
        because = "; and ".join(gate.because for gate in refusing(gates)) or "there is no headline"
        return f"This study cannot say whether {programme} made a difference to {outcome}: {because}."
    unit = _unit(effect, evidence)
    size = f"{decimal(abs(effect.value))} {unit}"
    interval = _interval(effect, evidence)
    if category in ("benefit", "harm"):
        direction = "higher" if effect.value > 0 else "lower"
        if not evidence.cohort.outcomes[evidence.outcome].higher_is_better:
            direction += f" (which is {'better' if category == 'benefit' else 'worse'})"
        main = (
            f"from the third year of taking part in {programme} on, results in {outcome} were {size} {direction} than "
            f"they would have been without it{interval}{_months(effect, evidence)}."
        )
    elif category == "no_difference":
        smallest = evidence.report.thresholds.smallest_effect
        main = (
            f"taking part in {programme} made no difference to {outcome} that would matter: from the third year on "
            f"the effect lies between {decimal(effect.low)} and {decimal(effect.high)} {unit}, within the "
            f"{decimal(smallest)} either way that this study takes as the smallest effect of interest."
        )
    elif not effect.has_interval:
        main = (
            f"it remains open whether taking part in {programme} made a difference to {outcome}: the estimate "
            "from the third "
            f"year on is {decimal(effect.value)} {unit}, and how far chance may have moved it cannot be worked out."
        )
    else:
        main = (
            f"it remains open whether taking part in {programme} made a difference to {outcome}: the estimate from "
            f"the third year on is {decimal(effect.value)} {unit}, and the data fit anything from "
            f"{decimal(effect.low)} to {decimal(effect.high)}."
        )
    named = _reservations(category, gates)
    if category == "inconclusive":
        # An open question needs no reservation; what adds to the doubt is named all the same.
        doubt = f" What adds to the doubt: {listed(named)}." if named else ""
        return f"{capitalised(main)} {_basis(evidence)}{doubt}"
    opening = f"With reservations: {main}" if named else capitalised(main)
    closing = f" The reservations: {listed(named)}." if named else ""
    return f"{opening} {_basis(evidence)}{closing}"


def short(category: Category, gates: Sequence[Gate]) -> str:
    """The verdict in at most twelve words."""
    if category == "not_causal":
        found = refusing(gates)
        return REFUSALS[found[0].gate] if found else "No conclusion: there is no headline."
    reserved = category != "inconclusive" and _reservations(category, gates)
    return f"{SHORT[category]}{', with reservations' if reserved else ''}."


def refusing(gates: Sequence[Gate]) -> list[Gate]:
    """Failed gates that refuse a causal headline, the most telling first."""
    failed = {gate.gate: gate for gate in gates if gate.result == "fail"}
    return [failed[name] for name in REFUSING if name in failed]


def reasons(gates: Sequence[Gate]) -> list[str]:
    """Why the verdict is what it is: failed gates first, then those at caution, each in its own words."""
    return [gate.statement for result in ("fail", "caution") for gate in gates if gate.result == result]


def cannot_conclude(category: Category, evidence: Evidence, gates: Sequence[Gate]) -> list[str]:
    """What this study cannot say, in sentences."""
    programme, outcome = evidence.cohort.programme, outcome_words(evidence)
    result = {gate.gate: gate.result for gate in gates}
    found = []
    if category == "not_causal":
        found.append(
            f"Whether taking part in {programme} raised or lowered {outcome}. Differences between the schools that "
            "are shown here may have been there without it."
        )
    if category == "inconclusive":
        found.append(
            f"Whether taking part in {programme} has an effect. That none was established does not mean that "
            "there is none."
        )
    if evidence.cohort.design.assignment != "randomised":
        found.append(
            "Whether something else that changed in member schools at the same time lies behind a difference: "
            "schools were not drawn by lot."
        )
    if result.get("networks") != "pass":
        found.append("Anything about other networks: all member schools belong to one network.")
    if result.get("effect_scale") != "pass":
        found.append("How large a difference is in months of progress, or compared with other programmes.")
    if result.get("follow_up") == "fail":
        found.append("What taking part does from the third year on, when networks are thought to reach pupils.")
    found.append(
        "What taking part does in a single school or network, or for a single pupil: all results are averages."
    )
    found.append("Why results changed or did not: what teachers learnt and did in class is not part of this verdict.")
    return found


def outcome_words(evidence: Evidence) -> str:
    """The headline's outcome, and the pupils where they are not all."""
    label = in_sentence(evidence.cohort.outcomes[evidence.outcome].label)
    group = {"disadvantaged": " of disadvantaged pupils", "not_disadvantaged": " of pupils who are not disadvantaged"}
    return f"{label}{group.get(evidence.spec.subgroup, '')}"


def _reservations(category: Category, gates: Sequence[Gate]) -> list[str]:
    """Gates that do not pass, as reservations.

    Limited power is none where an effect was found in spite of it; nothing can be overturned where none was found.
    """
    left_out = {"school_power"} if category in ("benefit", "harm", "no_difference") else set()
    left_out |= {"breakdown"} if category in ("inconclusive", "no_difference") else set()
    return [
        RESERVATIONS[gate.gate]
        for result in ("fail", "caution")
        for gate in gates
        if gate.result == result and gate.touches_headline and gate.gate in RESERVATIONS and gate.gate not in left_out
    ]


def _unit(effect: Effect, evidence: Evidence) -> str:
    if effect.scale == "pupil_sd":
        return "standard deviations"
    if effect.scale == "school_sd":
        return "school-level standard deviations"
    return f"({evidence.cohort.outcomes[evidence.outcome].unit})"


def _interval(effect: Effect, evidence: Evidence) -> str:
    if not effect.has_interval:
        return ""
    level = f"{evidence.spec.confidence:.0%}".replace("%", " %")
    return f" ({level} interval: {decimal(effect.low)} to {decimal(effect.high)})"


def _months(effect: Effect, evidence: Evidence) -> str:
    record = evidence.headline
    if effect.scale != "pupil_sd" or record is None or pd.isna(record["months"]):
        return ""
    months = int(record["months"])
    if months == 0:
        return ", which is less than one month of progress"
    gained = (months > 0) == evidence.cohort.outcomes[evidence.outcome].higher_is_better
    return f", about {counted(abs(months), 'month')} of {'additional' if gained else 'lost'} progress"


def _basis(evidence: Evidence) -> str:
    """How many schools and networks the headline compares."""
    record, members = evidence.headline, evidence.headline_members
    if record is None or members is None:
        return f"This compares schools in {_networks(evidence)} with schools that did not take part."
    return (
        f"This compares {counted(members, 'school')} in {_networks(evidence)} with "
        f"{counted(int(record['n_schools']) - members, 'school')} that did not take part."
    )


def _networks(evidence: Evidence) -> str:
    record = evidence.headline
    if evidence.networks == 1:
        return "this one network"
    number = evidence.networks if record is None or pd.isna(record["n_networks"]) else int(record["n_networks"])
    return counted(number, "network")
