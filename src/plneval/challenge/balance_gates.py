"""Gates about who is compared: trends before joining, change of composition, missing outcomes, attrition."""

from __future__ import annotations

import math

import pandas as pd

from plneval.challenge.evidence import Evidence
from plneval.challenge.gate import CHOSEN, OWN_LIMIT, Authority, Gate, Result, stricter
from plneval.challenge.limits import OWN
from plneval.challenge.phrasing import counted, decimal, percent, points
from plneval.standards import load
from plneval.standards.attrition import assess, limit


def pre_trend(evidence: Evidence) -> Gate:
    """Whether members and comparison schools moved alike before joining, by the joint test of the headline's model."""
    standard = load("pre_trend")
    authority = Authority.of(standard)
    chosen = evidence.report.thresholds.pretrend_alpha
    alpha = max(standard.alpha, chosen) if chosen is not None else standard.alpha
    low_power = f"Such a test has little power: it can miss trends that differ.{_detectable(evidence)}"
    found = evidence.of_model[(evidence.of_model["estimand"] == "pretrend") & evidence.of_model["p"].notna()]
    if not len(found):
        statement = (
            "Whether member and comparison schools moved alike before joining could not be tested, as there are too "
            "few years before joining. That they would have moved alike afterwards is assumed, not shown."
        )
        because = "whether its schools and the comparison schools moved alike before joining could not be tested"
        return Gate("pre_trend", "caution", None, alpha, authority, statement, because)
    p = float(found["p"].iloc[0])
    periods = int((evidence.cells["event_time"] < 0).sum())
    restrictions = found["df"].iloc[0]
    compared = counted(int(restrictions) if pd.notna(restrictions) else periods, "comparison")
    published: Result = "fail" if p < standard.alpha else "caution" if periods < OWN.minimum_pre_periods else "pass"
    result = published if chosen is None or p >= chosen else stricter(published, "fail")
    tested = f"joint test of {compared} before joining, p {'below 0.001' if p < 0.001 else f'= {decimal(p, 3)}'}"
    both = f" The level chosen for this study is {chosen:g}, the usual one {standard.alpha:g}." if chosen else ""
    if result == "fail":
        statement = f"Member and comparison schools already moved apart before joining ({tested})."
        because = "its schools and the comparison schools already moved apart before joining"
    elif result == "caution":
        statement = (
            f"Only {counted(periods, 'comparison')} before joining could be looked at, too few to see a trend "
            f"({tested})."
        )
        because = "too few years before joining are known to see whether trends were alike"
    else:
        statement = f"No sign that member and comparison schools moved apart before joining ({tested})."
        because = ""
    governs = chosen is not None and (chosen > standard.alpha or result != published)
    return Gate(
        "pre_trend",
        result,
        p,
        alpha,
        CHOSEN if governs else authority,
        f"{statement} {low_power}{both}",
        because,
        published if chosen is not None else None,
    )


def _detectable(evidence: Evidence) -> str:
    """What trend the effects before joining would have revealed, as a sentence; nothing where it is not known."""
    table = evidence.sensitivity["pretrend_power"]
    rows = table[(table["model"] == evidence.model) & table["slope_80"].notna()]
    if not len(rows):
        return ""
    row = rows.iloc[0]
    return (
        f" Schools that drift apart by {decimal(float(row['slope_80']), 3)} a year would have been noticed with a "
        f"probability of 80 %; such a drift alone would come to {decimal(float(row['implied_80']))} from the third "
        "year on."
    )


def composition(evidence: Evidence) -> Gate:
    """Whether the pupils of members and comparison schools changed differently over the study years."""
    table = evidence.measures["composition"]
    gaps = {
        "the change in the share of disadvantaged pupils": (
            _change_gap(table, "share_disadvantaged"),
            OWN.composition_change_gap,
        )
    }
    for column, words in (
        ("joiners", "the yearly share of pupils who joined"),
        ("leavers", "the yearly share of pupils who left"),
        ("movers", "the yearly share of pupils who changed school"),
    ):
        gaps[words] = (_rate_gap(table, column), OWN.turnover_gap)
    known = {words: (gap, limit) for words, (gap, limit) in gaps.items() if gap is not None}
    if not known:
        statement = (
            "Whether the pupils of member and comparison schools changed differently over the years is not known: "
            "the data do not show who the pupils are."
        )
        because = (
            "it is not known whether the pupils of its schools changed in other ways than those of comparison schools"
        )
        return Gate("composition", "caution", None, OWN.composition_change_gap, OWN_LIMIT, statement, because)
    words, (gap, bound) = max(known.items(), key=lambda item: abs(item[1][0]) / item[1][1])
    statement = f"The largest difference between members and comparison schools is in {words}: {points(gap)}."
    if len(known) < len(gaps):
        statement += " Not all kinds of change are known."
    if abs(gap) > bound:
        because = (
            f"its schools' pupils changed in another way than those of comparison schools ({words}: {points(gap)})"
        )
        return Gate("composition", "caution", abs(gap), bound, OWN_LIMIT, statement, because)
    return Gate("composition", "pass", abs(gap), bound, OWN_LIMIT, statement)


def _change_gap(table: pd.DataFrame, column: str) -> float | None:
    """Change from the first to the last known year, member minus comparison."""
    changes = []
    for arm in ("member", "comparison"):
        values = table[(table["arm"] == arm) & table[column].notna()].sort_values("year")[column]
        if len(values) < 2:
            return None
        changes.append(float(values.iloc[-1]) - float(values.iloc[0]))
    return changes[0] - changes[1]


def _rate_gap(table: pd.DataFrame, column: str) -> float | None:
    """Sum of a count over the years as a share of pupils, member minus comparison."""
    rates = []
    for arm in ("member", "comparison"):
        rows = table[(table["arm"] == arm) & table[column].notna() & table["n_pupils"].notna()]
        pupils = float(rows["n_pupils"].sum())
        if pupils == 0:
            return None
        rates.append(float(rows[column].sum()) / pupils)
    return rates[0] - rates[1]


def missing_outcomes(evidence: Evidence) -> Gate:
    """How many outcomes are missing in each arm."""
    rating = load("security_rating")
    best, worst = rating.attrition_percent[0].up_to / 100, rating.attrition_percent[-1].up_to / 100
    authority = Authority.of(rating)
    table = evidence.measures["missingness"]
    rows = table[table["outcome"] == evidence.outcome]
    shares = {}
    for arm in ("member", "comparison"):
        of_arm = rows[(rows["arm"] == arm) & rows["expected"].notna() & rows["observed"].notna()]
        expected = float(of_arm["expected"].sum())
        shares[arm] = 1 - float(of_arm["observed"].sum()) / expected if expected > 0 else math.nan
    if any(math.isnan(share) for share in shares.values()):
        statement = "How many outcomes are missing is not known."
        return Gate(
            "missing_outcomes",
            "caution",
            None,
            best,
            authority,
            statement,
            "it is not known how many outcomes are missing",
        )
    worse = max(shares.values())
    gap = shares["member"] - shares["comparison"]
    statement = (
        f"{percent(shares['member'])} of the outcomes that were expected in member schools are missing, and "
        f"{percent(shares['comparison'])} in comparison schools, a difference of {points(gap)}."
    )
    if worse > worst:
        return Gate(
            "missing_outcomes",
            "fail",
            worse,
            worst,
            authority,
            statement,
            f"{percent(worse)} of the outcomes are missing in one arm",
        )
    if worse > best:
        return Gate(
            "missing_outcomes",
            "caution",
            worse,
            best,
            authority,
            statement,
            f"{percent(worse)} of the outcomes are missing in one arm",
        )
    if abs(gap) > OWN.missing_gap:
        return Gate(
            "missing_outcomes",
            "caution",
            abs(gap),
            OWN.missing_gap,
            OWN_LIMIT,
            statement,
            f"outcomes are missing more often in one arm, by {points(gap)}",
        )
    return Gate("missing_outcomes", "pass", worse, best, authority, statement)


def attrition(evidence: Evidence) -> Gate:
    """Attrition of pupils (of schools, where pupils cannot be followed) against the boundary for randomised designs.

    For a quasi-experiment the boundary is no rule, so high attrition is a caution and never a failure.
    """
    standard = load("attrition_boundary")
    authority = Authority.of(standard)
    table = evidence.measures["attrition"]
    known = table[table["start"].notna() & table["remaining"].notna() & (table["start"] > 0)]
    for unit in ("pupils", "schools"):
        arms = known[known["unit"] == unit].set_index("arm")
        if {"member", "comparison"} <= set(arms.index):
            break
    else:
        statement = "How many pupils or schools were lost over the years is not known."
        return Gate(
            "attrition",
            "caution",
            None,
            None,
            authority,
            statement,
            "it is not known how many pupils or schools were lost over the years",
        )
    start = arms.loc[["member", "comparison"], "start"].astype(float)
    left = arms.loc[["member", "comparison"], "remaining"].astype(float)
    overall = float(100 * (1 - left.sum() / start.sum()))
    lost = 100 * (1 - left / start)
    gap = float(lost["member"] - lost["comparison"])
    assessed = assess(min(max(overall, 0.0), 100.0), gap)
    bound = limit(assessed.overall_percent)
    statement = (
        f"{percent(overall / 100)} of the {unit} of the first year were lost by the last, with a difference of "
        f"{points(gap / 100)} between the arms; by the cautious boundary for randomised trials that is "
        f"{assessed.level}. For a study without random assignment the boundary is for orientation only."
    )
    result: Result = "pass" if assessed.level == "low" else "caution"
    because = (
        ""
        if result == "pass"
        else f"{percent(overall / 100)} of the {unit} were lost over the years, not evenly between the arms"
        if bound is not None
        else f"{percent(overall / 100)} of the {unit} were lost over the years"
    )
    return Gate("attrition", result, abs(gap), bound, authority, statement, because)
