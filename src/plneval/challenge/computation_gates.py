"""Gates about the numbers themselves: computed twice, converged, on a known scale, true to planted effects."""

from __future__ import annotations

import math

import pandas as pd

from plneval.challenge.evidence import HEADLINE, Evidence
from plneval.challenge.gate import OWN_LIMIT, Authority, Gate, Result
from plneval.challenge.limits import OWN
from plneval.challenge.phrasing import decimal
from plneval.standards import load


def recomputation(evidence: Evidence) -> Gate:
    """Whether independent code gives the same headline."""
    table = evidence.recomputed
    rows = table[(table["model"] == evidence.model) & (table["estimand"] == HEADLINE)]
    limit = OWN.recomputation_digits
    if not len(rows) or rows["digits"].isna().any():
        statement = "The headline was not computed a second time by independent code, so it is unchecked."
        return Gate(
            "recomputation",
            "fail",
            None,
            limit,
            OWN_LIMIT,
            statement,
            "its headline could not be computed a second time",
        )
    digits = float(rows["digits"].min())
    by = ", ".join(sorted(set(rows["by"].astype(str))))
    # Beyond sixteen digits a computer's numbers do not differ.
    shown = math.floor(min(digits, 16.0))
    statement = f"The headline was computed a second time by independent code ({by}); the two agree in {shown} digits."
    if digits < OWN.recomputation_minimum_digits:
        return Gate(
            "recomputation",
            "fail",
            min(digits, 16.0),
            OWN.recomputation_minimum_digits,
            OWN_LIMIT,
            statement,
            "two independent computations of its headline do not agree",
        )
    if digits < limit:
        return Gate(
            "recomputation",
            "caution",
            digits,
            limit,
            OWN_LIMIT,
            statement,
            f"two independent computations of the headline agree in {shown} digits only",
        )
    return Gate("recomputation", "pass", min(digits, 16.0), limit, OWN_LIMIT, statement)


def convergence(evidence: Evidence) -> Gate:
    """Whether the headline's model ended where it should."""
    if evidence.headline is None:
        statement = "The headline's model gives no estimate."
        return Gate("convergence", "fail", None, 1.0, OWN_LIMIT, statement, "the headline's model gives no estimate")
    if not bool(evidence.headline["converged"]):
        statement = "The computation of the headline's model did not end properly; its numbers must not be used."
        return Gate(
            "convergence",
            "fail",
            0.0,
            1.0,
            OWN_LIMIT,
            statement,
            "the computation of its headline did not end properly",
        )
    others = evidence.records[~evidence.records["converged"].astype(bool)]["model"].unique()
    statement = "The computation of the headline's model ended properly."
    if len(others):
        statement += f" Of the other models these did not: {', '.join(sorted(others))}."
    return Gate("convergence", "pass", 1.0, 1.0, OWN_LIMIT, statement)


def effect_scale(evidence: Evidence) -> Gate:
    """Whether the headline can be told in SDs of pupils, and so in months of progress."""
    authority = Authority.of(load("effect_size"))
    if not evidence.school_level_scale:
        statement = "The effect is told in standard deviations of pupils, which can be compared with other studies."
        return Gate("effect_scale", "pass", 1.0, 1.0, authority, statement)
    statement = (
        "The spread of single pupils' results is not known, so effects cannot be told in standard deviations of "
        "pupils or in months of progress, and cannot be compared with those of other studies."
    )
    return Gate(
        "effect_scale",
        "caution",
        0.0,
        1.0,
        authority,
        statement,
        "effects cannot be told on a scale that other studies use",
    )


def recovery(evidence: Evidence) -> Gate | None:
    """Whether the headline finds the planted effect; None for a real study, which has none."""
    if evidence.cohort.data.truth is None:
        return None
    limit = OWN.recovery_standard_errors
    table = evidence.recovery
    rows = table[(table["model"] == evidence.model) & (table["estimand"] == HEADLINE)]
    if not len(rows) or pd.isna(rows["z"].iloc[0]):
        statement = "This is a made-up study, and its planted effect could not be held against the headline."
        return Gate(
            "recovery",
            "caution",
            None,
            limit,
            OWN_LIMIT,
            statement,
            "the planted effect could not be held against the headline",
        )
    row = rows.iloc[0]
    z = abs(float(row["z"]))
    result: Result = "pass" if z <= limit else "caution" if z <= OWN.recovery_maximum_standard_errors else "fail"
    statement = (
        f"This is a made-up study: the effect that was planted is {decimal(float(row['truth']))}, the estimate "
        f"{decimal(float(row['estimate']))}, {decimal(z, 1)} standard errors away."
    )
    because = "" if result == "pass" else f"the headline misses the planted effect by {decimal(z, 1)} standard errors"
    return Gate("recovery", result, z, limit, OWN_LIMIT, statement, because)
