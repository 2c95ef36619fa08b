"""The gate about comparison schools: networks outside the programme, and member neighbours, declared and measured."""

from __future__ import annotations

import pandas as pd

from plneval.challenge.evidence import Evidence
from plneval.challenge.gate import DECLARED, Gate
from plneval.challenge.phrasing import capitalised, counted


def comparison_coverage(evidence: Evidence) -> Gate:
    """Whether comparison schools are free of networks and of member neighbours, as declared.

    What was measured, of distances and of networks outside the programme, contradicts a declaration that there is none,
    and is told beside any other. Member schools in other networks ask for caution too: the difference between the arms
    is then not the programme's alone.
    """
    number = len(evidence.comparison)
    if number == 0:
        return Gate(
            "comparison_coverage",
            "fail",
            0.0,
            1.0,
            DECLARED,
            "There is no comparison school.",
            "there is no school to compare with",
        )
    design, measured = evidence.cohort.design, evidence.measures["contamination"]
    doubts = (
        _doubt(
            design.comparison_in_other_networks,
            "take part in other networks",
            "no comparison school was declared to take part in other networks",
            _in_other_networks(measured, "n_been_other", "n_comparison", "comparison school"),
        ),
        _doubt(
            design.comparison_near_members,
            "are neighbours of member schools",
            "no comparison school was declared to be a neighbour of member schools",
            _near_members(measured),
        ),
    )
    unclear = [text for text in doubts if text]
    members = _in_other_networks(measured, "n_members_been_other", "n_members", "member school")
    consequences = ["That would make the effect look smaller than it is."] if unclear else []
    if members:
        unclear.append(members)
        consequences.append("What member schools had from other networks would make it look larger.")
    if not unclear:
        statement = (
            f"As declared, the {counted(number, 'comparison school')} are in no other network and no neighbours of "
            "member schools."
        )
        return Gate("comparison_coverage", "pass", float(number), 1.0, DECLARED, statement)
    text = ", and ".join(unclear)
    statement = " ".join([f"{capitalised(text)}.", *consequences])
    return Gate("comparison_coverage", "caution", float(number), 1.0, DECLARED, statement, text)


def _doubt(declared: str, in_doubt: str, denied: str, measured: str) -> str:
    """What is in doubt about comparison schools, in words with what was measured; empty where nothing is."""
    if declared == "none":
        return f"{denied}, but {measured}" if measured else ""
    text = f"some comparison schools {in_doubt}"
    if declared == "unknown":
        text = f"it is not known whether comparison schools {in_doubt}"
    return f"{text} ({measured})" if measured else text


def _near_members(measured: pd.DataFrame) -> str:
    """How many comparison schools stand near a school that has joined, in words; empty where none is known."""
    found = measured.loc[measured["n_near"].fillna(0) > 0]
    if not len(found):
        return ""
    most = found.sort_values("n_near", kind="stable").iloc[-1]
    return (
        f"{int(most['n_near'])} of {counted(int(most['n_comparison']), 'comparison school')} stood less than "
        f"{float(most['radius_km']):g} km from a school that had joined"
    )


def _in_other_networks(measured: pd.DataFrame, column: str, whole: str, school: str) -> str:
    """How many schools of an arm were in a network outside the programme, in words; empty where none is known."""
    found = measured.loc[measured[column].fillna(0) > 0]
    if not len(found):
        return ""
    # The latest year has seen every other: who was in another network stays counted.
    last = found.sort_values("year", kind="stable").iloc[-1]
    return f"{int(last[column])} of {counted(int(last[whole]), school)} were in a network outside the programme"
