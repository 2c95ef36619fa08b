"""Gates about the design: follow-up, clusters, networks, when schools joined and left, power."""

from __future__ import annotations

import pandas as pd

from plneval.challenge.evidence import Evidence
from plneval.challenge.gate import CHOSEN, OWN_LIMIT, Authority, Gate, Result, stricter
from plneval.challenge.limits import OWN
from plneval.challenge.phrasing import counted, decimal, number_word, percent
from plneval.standards import load
from plneval.standards.mdes import from_standard_error


def follow_up(evidence: Evidence) -> Gate:
    """Whether the third year of participation was observed, and for how many member schools."""
    standard = load("follow_up")
    needed = standard.headline_from_event_time + 1
    chosen = evidence.report.thresholds.minimum_follow_up
    longest = _longest_follow_up(evidence)
    reached, members = len(evidence.members_in_headline), len(evidence.members)
    groups = evidence.members["entry_year"].nunique()
    groups_reached = evidence.members_in_headline["entry_year"].nunique()
    published: Result = "pass"
    if evidence.headline is None or longest < needed:
        published = "fail"
    elif reached < OWN.schools_reaching_headline * members:
        published = "caution"
    result = published if chosen is None or longest >= chosen else stricter(published, "fail")
    governs = chosen is not None and (chosen > needed or result != published)
    limit = max(needed, chosen) if chosen is not None else needed
    asked = f" This study asks for {counted(chosen, 'year')}; the published minimum is {needed}." if chosen else ""
    if longest < limit:
        statement = (
            f"No member school was followed into its {_ordinal(limit)} year of participation; the longest follow-up is "
            f"{counted(longest, 'year')}. Networks are thought to need at least {number_word(needed)} years "
            "to reach pupils."
        )
        because = (
            f"its schools were followed for only {counted(longest, 'year')}, and networks take at least "
            f"{number_word(limit)}"
        )
    elif evidence.headline is None:
        statement = (
            "Member schools were followed into their third year, but the effect from the third year on could not be "
            "estimated."
        )
        because = "the effect from the third year on could not be estimated"
    else:
        within = evidence.headline_members
        rests = "them" if within is None or within == reached else f"the {within} of them that have its outcome"
        statement = (
            f"{reached} of {counted(members, 'member school')}, in {groups_reached} of "
            f"{counted(groups, 'entry group')}, were followed into their third year of participation or beyond; the "
            f"headline rests on {rests}."
        )
        because = f"only {reached} of {members} member schools were followed into their third year"
    return Gate(
        "follow_up",
        result,
        float(longest),
        float(limit),
        CHOSEN if governs else Authority.of(standard),
        statement + asked,
        because if result != "pass" else "",
        published if chosen is not None else None,
    )


def _longest_follow_up(evidence: Evidence) -> int:
    """Years of participation that the longest-serving member schools were observed for, the entry year included."""
    if len(evidence.cells):
        return max(0, int(evidence.cells["event_time"].max()) + 1)
    entries = evidence.members["entry_year"].dropna()
    last = evidence.cohort.years_of(evidence.outcome)[-1]
    return max(0, last - int(entries.min()) + 1) if len(entries) else 0


def _ordinal(number: int) -> str:
    words = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth"}
    return words.get(number, f"{number}th")


def clusters(evidence: Evidence) -> Gate:
    """Whether there are enough independent units in either arm for the interval to be trusted."""
    rules = load("cluster_rules")
    treated, comparison, unit = _cluster_counts(evidence)
    if treated is None or comparison is None:
        statement = "The number of independent units is not known, so the interval cannot be judged."
        return Gate(
            "clusters",
            "caution",
            None,
            float(rules.small_sample_below),
            OWN_LIMIT,
            statement,
            "it is not known on how many independent units the interval rests",
        )
    smaller = min(treated, comparison)
    units = f"{counted(treated, unit)} of members and {counted(comparison, 'school')} for comparison"
    counts = f"The interval rests on {units}."
    df = None if evidence.headline is None else evidence.headline["df"]
    wide = "" if df is None or pd.isna(df) else f" ({float(df):.0f} degrees of freedom)"
    schools = min(len(evidence.members), len(evidence.comparison))
    minimum_schools = evidence.report.disclosure.minimum_schools
    if smaller < OWN.minimum_treated_clusters or schools < minimum_schools:
        few = min(smaller, schools)
        statement = (
            f"{counts} Fewer than {OWN.minimum_treated_clusters} on either side cannot show how much results vary by "
            "chance."
        )
        return Gate(
            "clusters",
            "fail",
            float(few),
            float(OWN.minimum_treated_clusters),
            OWN_LIMIT,
            statement,
            f"there are only {few} independent units on one side of the comparison",
        )
    authority = Authority.of(rules)
    if treated < rules.wild_bootstrap_minimum_treated:
        randomised = evidence.headline is not None and str(evidence.headline["vcov"]).startswith("randomisation")
        checked = (
            "it was put to the test by drawing at random again and again who joins when (randomisation inference), "
            "which only shows whether chance alone could bring about such a result."
            if randomised
            else "the result would have to be checked by drawing at random again and again who joins when "
            "(randomisation inference), which could not be done for this model."
        )
        statement = (
            f"{counts} With fewer than {rules.wild_bootstrap_minimum_treated} on the members' side no usual interval "
            f"can be trusted; {checked}"
        )
        return Gate(
            "clusters",
            "caution",
            float(treated),
            float(rules.wild_bootstrap_minimum_treated),
            authority,
            statement,
            f"there are only {treated} independent units on the members' side, too few for a dependable interval",
        )
    if smaller < rules.small_sample_below:
        statement = (
            f"{counts} That is fewer than {rules.small_sample_below} on one side, so the wider interval for small "
            f"samples was used{wide}."
        )
        return Gate(
            "clusters",
            "caution",
            float(smaller),
            float(rules.small_sample_below),
            authority,
            statement,
            f"there are only {smaller} independent units on one side of the comparison",
        )
    return Gate(
        "clusters",
        "pass",
        float(smaller),
        float(rules.small_sample_below),
        authority,
        f"{counts} That is enough for the usual interval.",
    )


def _cluster_counts(evidence: Evidence) -> tuple[int | None, int | None, str]:
    """Treated and comparison clusters of the headline (of the outcome, where there is no headline) and their unit."""
    table = evidence.measures["clusters"]
    of_outcome = table[table["outcome"] == evidence.outcome]
    unit = str(of_outcome["unit"].iloc[0]).removesuffix("s") if len(of_outcome) else "unit"
    if evidence.headline is not None:
        pair = (evidence.headline["clusters_treated"], evidence.headline["clusters_comparison"])
    elif len(of_outcome):
        pair = (of_outcome["treated"].iloc[0], of_outcome["comparison"].iloc[0])
    else:
        pair = (None, None)
    treated, comparison = (None if pd.isna(count) else int(count) for count in pair)
    return treated, comparison, unit


def networks(evidence: Evidence) -> Gate:
    """Whether results can differ between networks at all."""
    number = evidence.networks
    if number >= 2:
        statement = f"Member schools belong to {counted(number, 'network')}."
        return Gate("networks", "pass", float(number), 2.0, OWN_LIMIT, statement)
    statement = (
        "All member schools belong to one network. What was found holds for this network; how much results differ "
        "between networks cannot be estimated."
    )
    return Gate(
        "networks", "caution", float(number), 2.0, OWN_LIMIT, statement, "all member schools belong to one network"
    )


def membership_timing(evidence: Evidence) -> Gate:
    """Whether it is known when member schools joined."""
    members = evidence.members
    uncertain = float(members["entry_uncertain"].fillna(1).mean()) if len(members) else 1.0
    censored = int((evidence.schools["status"] == "left_censored").sum())
    known = len(members) + censored
    share_censored = censored / known if known else 1.0
    observed = (
        "The year of joining was observed for every member school."
        if uncertain == 0
        else f"For {percent(uncertain)} of the member schools the year of joining is declared or uncertain."
    )
    before = (
        "None had joined before the first outcome year."
        if censored == 0
        else f"{counted(censored, 'school')} ({percent(share_censored)} of all ever seen as members) had joined "
        "before the first outcome year and could not be used."
    )
    statement = f"{observed} {before}"
    reasons = []
    if uncertain > OWN.uncertain_entry:
        reasons.append(f"for {percent(uncertain)} of the member schools the year of joining is not observed")
    if share_censored > OWN.left_censored:
        reasons.append(
            f"{percent(share_censored)} of the schools in networks had joined before the study began and "
            "could not be used"
        )
    by_entry = uncertain / OWN.uncertain_entry >= share_censored / OWN.left_censored
    value, limit = (uncertain, OWN.uncertain_entry) if by_entry else (share_censored, OWN.left_censored)
    return Gate(
        "membership_timing", "caution" if reasons else "pass", value, limit, OWN_LIMIT, statement, " and ".join(reasons)
    )


def leavers(evidence: Evidence) -> Gate:
    """How much the effect is diluted by schools that left before the end of their third year."""
    members = evidence.members
    years = load("follow_up").headline_from_event_time + 1
    early = (members["exit_year"] - members["entry_year"]).lt(years).fillna(False).astype(bool)
    share = float(early.mean()) if len(members) else 1.0
    if not len(members):
        return Gate(
            "leavers",
            "caution",
            None,
            OWN.early_leavers,
            OWN_LIMIT,
            "There is no member school.",
            "there is no member school",
        )
    if share == 0:
        statement = f"No member school (of {len(members)}) left before the end of its third year."
        return Gate("leavers", "pass", share, OWN.early_leavers, OWN_LIMIT, statement)
    statement = (
        f"{int(early.sum())} of {counted(len(members), 'member school')} ({percent(share)}) left before the end of "
        "their third year. They count as members all the same, so the effect on schools that stayed may be larger "
        "than the headline."
    )
    if share > OWN.early_leavers:
        return Gate(
            "leavers",
            "caution",
            share,
            OWN.early_leavers,
            OWN_LIMIT,
            statement,
            f"{percent(share)} of the member schools left before the end of their third year",
        )
    return Gate("leavers", "pass", share, OWN.early_leavers, OWN_LIMIT, statement)


def school_power(evidence: Evidence) -> Gate:
    """Whether the study could have found the smallest effect of interest."""
    smallest = evidence.report.thresholds.smallest_effect
    table = evidence.measures["mdes"]
    found = table[(table["outcome"] == evidence.outcome) & table["mdes"].notna()]
    if not len(found):
        statement = (
            "How small an effect this study could have found is not known, as it cannot be worked out from these data."
        )
        return Gate(
            "school_power",
            "caution",
            None,
            smallest,
            CHOSEN,
            statement,
            "it is not known how small an effect the study could have found",
        )
    planned = float(found["mdes"].max())
    realised = _realised_mdes(evidence)
    # ASSUME: the less favourable of the two speaks for the study. The formula knows schools and not the networks that
    # tie them together; the headline's standard error knows both, and is itself an estimate.
    mdes = planned if realised is None else max(planned, realised)
    power = load("minimum_detectable_effect").power
    statement = (
        f"With these schools an effect of {decimal(mdes)} standard deviations or more would have been found with a "
        f"probability of {percent(power)}; smaller ones may well be missed. The smallest effect of interest is "
        f"{decimal(smallest)}."
    )
    if mdes <= smallest:
        return Gate("school_power", "pass", mdes, smallest, CHOSEN, statement)
    return Gate(
        "school_power",
        "caution",
        mdes,
        smallest,
        CHOSEN,
        statement,
        f"effects below {decimal(mdes)} standard deviations could easily be missed",
    )


def _realised_mdes(evidence: Evidence) -> float | None:
    """Minimum detectable effect size that follows from the headline's own standard error, in SDs of pupils."""
    record = evidence.headline
    if record is None or evidence.school_level_scale or pd.isna(record["se"]) or float(record["estimate"]) == 0:
        return None
    sd = float(record["estimate"]) / float(record["effect_size"])
    # The normal distribution is the limit of many degrees of freedom.
    df = 1e6 if pd.isna(record["df"]) else float(record["df"])
    return from_standard_error(float(record["se"]) / sd, df).mdes
