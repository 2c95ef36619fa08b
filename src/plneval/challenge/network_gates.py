"""The gate about data of networks: what cannot be right in them, and how much that matters."""

from __future__ import annotations

import pandas as pd

from plneval.challenge.evidence import Evidence
from plneval.challenge.gate import Authority, Gate, Result
from plneval.challenge.phrasing import counted, listed, percent
from plneval.standards import load
from plneval.standards.records import NetworkDataRule

RECORDS = {
    "teachers_in_networks": "who took part",
    "attendance": "attendance",
    "staff_register": "the staff",
    "teaching": "who taught whom",
    "surveys": "questionnaires",
    "ties": "ties between people",
}
"""Parts of the measure ``network_data`` that say more of networks than which schools were in them and when."""


def network_data(evidence: Evidence) -> Gate:
    """Whether the data about networks are right, up to slips.

    Every rule of the standard ``network_data`` has its own limit, as a share of what was looked at. Memberships without
    a date touch the effect: their schools may stand among those that never joined, so that above the second limit it
    is not known who took part, and the gate fails. Everything else touches results beside the headline (exposure,
    structure, conditions) and is a caution at most. What is known of memberships that are kept, such as an uncertain
    year, is a matter of the gate ``membership_timing``.

    ``value`` is the number of rules above their limit: shares of people's records could tell a small count.
    """
    standard = load("network_data")
    found = _found(evidence)
    known = evidence.measures["network_data"].set_index("part")["available"].astype(bool)
    absent = [words for part, words in RECORDS.items() if not known.get(part, False)]
    above = [rule for rule in standard.rules if _share(found, rule) > rule.caution_above]
    failed = [rule for rule in above if rule.fail_above is not None and _share(found, rule) > rule.fail_above]
    slips = [rule for rule in standard.rules if rule not in above and _count(found, rule)]
    sentences = []
    if above:
        told = listed([f"{_words(found, rule)} (more than {percent(_limit(rule, failed))})" for rule in above])
        sentences.append(f"More is wrong in the data about networks than slips explain: {told}.")
    if slips:
        opening = "Slips beside them" if above else "The data about networks are right up to slips"
        sentences.append(f"{opening}: {listed([_words(found, rule) for rule in slips])}.")
    if len(absent) == len(RECORDS):
        sentences.append(
            f"Nothing is recorded of networks but which schools were in them and when: there are no data on "
            f"{listed(absent)}."
        )
    elif not above and not slips:
        sentences.append("No record about networks had to be rejected or doubted.")
    touching = [rule for rule in above if rule.touches == "effect"]
    result: Result = "fail" if failed else "caution" if above or len(absent) == len(RECORDS) else "pass"
    because = listed(
        [f"more than {percent(_limit(rule, failed))} of the memberships have no date" for rule in touching]
    )
    return Gate(
        "network_data",
        result,
        float(len(above)),
        0.0,
        Authority(f"{standard.title} ({standard.version}): {standard.source}", standard.status, False),
        " ".join(sentences),
        because or ("" if result == "pass" else "the data about networks have gaps"),
        touches_headline=bool(touching),
    )


def _found(evidence: Evidence) -> pd.DataFrame:
    """count and out_of by rule: those of describe, and conditions that a model of moderation refused."""
    checks = evidence.measures["network_checks"][["rule", "count", "out_of"]]
    tried = evidence.findings["moderation_conditions"]
    late = ("moderator_after_outcome", int((tried["state"] == "refused").sum()), len(tried))
    refused = pd.DataFrame([late], columns=list(checks.columns))
    return pd.concat([checks, refused], ignore_index=True).set_index("rule").astype("int64")


def _count(found: pd.DataFrame, rule: NetworkDataRule) -> int:
    return int(found["count"].get(rule.key, 0))


def _share(found: pd.DataFrame, rule: NetworkDataRule) -> float:
    looked_at = int(found["out_of"].get(rule.key, 0))
    return _count(found, rule) / looked_at if looked_at else 0.0


def _limit(rule: NetworkDataRule, failed: list[NetworkDataRule]) -> float:
    return rule.fail_above if rule in failed and rule.fail_above is not None else rule.caution_above


def _words(found: pd.DataFrame, rule: NetworkDataRule) -> str:
    return counted(_count(found, rule), rule.one, rule.many)
