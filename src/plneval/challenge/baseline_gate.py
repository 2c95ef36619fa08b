"""The gate of baseline equivalence: were members and comparison schools alike before joining?"""

from __future__ import annotations

import pandas as pd

from plneval.challenge.evidence import Evidence
from plneval.challenge.gate import CHOSEN, Authority, Gate, Result, stricter
from plneval.challenge.phrasing import decimal, in_sentence
from plneval.standards import load
from plneval.standards.baseline import BaselineCategory, category, differencing_is_adjustment


def baseline_equivalence(evidence: Evidence) -> Gate:
    """Whether members and comparison schools were alike before joining, by the largest of all baseline differences.

    Up to 0.05 SD they were; above 0.25 they were not. Between the two it takes adjustment: difference-in-differences
    is one for the outcome itself, where it correlates enough with its value before joining; without that the gate
    fails. Differences in other characteristics of this size are a caution: What Works Clearinghouse asks for the
    measure of the outcome's own domain. SDs of schools are smaller than SDs of pupils, so a gap counts for more there;
    the limits stay the same, and the unit is named.
    """
    standard = load("baseline_equivalence")
    authority = Authority.of(standard)
    rows = _counted_rows(evidence)
    own = rows[rows["covariate"] == evidence.outcome]
    if not len(own):
        statement = (
            "How alike member and comparison schools were before joining is not known: there is no value of the "
            "outcome from before."
        )
        because = "it is not known how alike its schools and the comparison schools were before joining"
        return Gate("baseline_equivalence", "fail", None, standard.adjustment_up_to, authority, statement, because)
    worst, own_worst = _largest(rows), _largest(own)
    published = _result(rows, own)
    size = abs(float(worst["hedges_g"]))
    chosen = evidence.report.thresholds.baseline_max_g
    result = published if chosen is None or size <= chosen else stricter(published, "fail")
    governs = chosen is not None and (chosen < standard.adjustment_up_to or result != published)
    threshold = min(chosen, standard.adjustment_up_to) if chosen is not None else standard.adjustment_up_to
    sentences = [f"The largest difference before joining: {_difference(worst)}.", _rule(size, threshold, result)]
    if worst["covariate"] != evidence.outcome and abs(float(own_worst["hedges_g"])) > standard.satisfied_up_to:
        sentences.append(f"In the outcome itself, {_difference(own_worst)}.")
    if chosen is not None:
        sentences.append(
            f"The limit chosen for this study is {chosen:g}, the published one {standard.adjustment_up_to:g}."
        )
    return Gate(
        "baseline_equivalence",
        result,
        size,
        threshold,
        CHOSEN if governs else authority,
        " ".join(sentences),
        _because(worst, own_worst, threshold, result),
        published if chosen is not None else None,
    )


def _counted_rows(evidence: Evidence) -> pd.DataFrame:
    """Baseline differences that count: all but those of outcomes that are declared not to."""
    table = evidence.measures["baseline"]
    out = [
        name
        for name, outcome in evidence.cohort.outcomes.items()
        if not outcome.baseline_covariate and name != evidence.outcome
    ]
    return table[table["hedges_g"].notna() & ~table["covariate"].isin(out)].reset_index(drop=True)


def _largest(rows: pd.DataFrame) -> pd.Series:
    """The row with the largest difference either way; of equal ones the first by name and year."""
    ordered = rows.assign(size=rows["hedges_g"].abs()).sort_values(
        ["size", "covariate", "year"], ascending=[False, True, True], kind="stable"
    )
    return ordered.iloc[0]


def _result(rows: pd.DataFrame, own: pd.DataFrame) -> Result:
    """The result by the published limits."""
    correlations = [None if pd.isna(value) else float(value) for value in own["pre_post_correlation"]]
    adjusted = all(differencing_is_adjustment(True, correlation) for correlation in correlations)
    categories = {category(float(difference)) for difference in rows["hedges_g"]}
    if BaselineCategory.NOT_SATISFIED in categories:
        return "fail"
    if BaselineCategory.ADJUSTMENT in {category(float(difference)) for difference in own["hedges_g"]} and not adjusted:
        return "fail"
    return "caution" if BaselineCategory.ADJUSTMENT in categories else "pass"


def _clause(row: pd.Series, own: pd.Series) -> str:
    """The difference in a sentence that has named the outcome already."""
    return _difference(row, "the same measure" if row["covariate"] == own["covariate"] else None)


def _difference(row: pd.Series, measure: str | None = None) -> str:
    """The difference as a clause, such as ``member schools stood 0.93 school-level standard deviations above …``."""
    measure = measure or in_sentence(str(row["label"]))
    difference = float(row["hedges_g"])
    school_level = str(row["standardiser"]).lower().startswith("school")
    unit = "school-level standard deviations" if school_level else "standard deviations"
    side = "above" if difference >= 0 else "below"
    return f"member schools stood {decimal(abs(difference))} {unit} {side} the comparison schools in {measure}"


def _rule(size: float, threshold: float, result: Result) -> str:
    """What a difference of this size means."""
    standard = load("baseline_equivalence")
    if result == "pass":
        return f"Up to {standard.satisfied_up_to:g} counts as alike."
    if size > threshold + standard.tolerance:
        return f"Above {threshold:g} such a comparison is not accepted as fair."
    if result == "fail":
        return (
            f"From {standard.satisfied_up_to:g} to {standard.adjustment_up_to:g} the outcome's own difference has to "
            "be adjusted for, and comparing changes does so only where values before and after correlate by at least "
            f"{load('did_adjustment').minimum_correlation:g}, which is not shown here."
        )
    return (
        f"Up to {standard.adjustment_up_to:g} a difference is accepted if it is adjusted for; comparing changes does "
        "so for the outcome itself, not for other characteristics."
    )


def _because(worst: pd.Series, own_worst: pd.Series, threshold: float, result: Result) -> str:
    """Clause of the verdict: the outcome's own difference where it refuses, otherwise the largest one."""
    if result == "pass":
        return ""
    if result == "caution":
        return f"before joining, {_clause(worst, own_worst)}"
    refusing = [row for row in (own_worst, worst) if abs(float(row["hedges_g"])) > threshold]
    if refusing:
        return (
            f"before joining, {_clause(refusing[0], own_worst)}, and above {threshold:g} such a comparison is not "
            "accepted as fair"
        )
    return (
        f"before joining, {_clause(own_worst, own_worst)}, and it is not shown that comparing changes makes up for that"
    )
