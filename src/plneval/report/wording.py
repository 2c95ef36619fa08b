"""Sentences of the reports that are not the verdict's own.

Nothing is decided here: whether something may be called an effect comes from the verdict's category, what a check
found from its gate's statement.
"""

from __future__ import annotations

from typing import Any

from plneval.report import equity_names, exposure_names
from plneval.report.formats import MINUS, NBSP, count, interval, is_missing, listed, months, number, plural, word
from plneval.report.load import Released

ESTIMATORS = {
    "did.att_gt": "group-time effects (Callaway and Sant'Anna)",
    "did.imputation": "imputation (Borusyak, Jaravel and Spiess)",
    "did.two_stage": "two stages (Gardner)",
    "did.sun_abraham": "event study by entry group (Sun and Abraham)",
    "did.extended_twfe": "extended two-way fixed effects (Wooldridge)",
    "did.event_study": "two-way fixed effects event study",
    "did.twfe": "two-way fixed effects",
    "did.synthetic": "synthetic difference-in-differences (Arkhangelsky and others)",
    "did.triple_difference": "effect on the gap (triple differences)",
    "did.leaving": "leavers against members that stay",
    "networks.after_leaving": "leavers against schools that never join",
    "did.switchers": "schools that switch (de Chaisemartin and D'Haultfœuille)",
    "multilevel": "multilevel growth model",
    "networks.diffusion": "pupils taught by participants and other pupils, group-time effects",
    "networks.dose": "school-years by dose, group-time differences (not causal)",
    **equity_names.ESTIMATORS,
}
SUBGROUPS = {
    "all": "all pupils",
    "disadvantaged": "disadvantaged pupils",
    "not_disadvantaged": "other pupils",
    "gap": "disadvantaged pupils less other pupils",
}
GATES = {
    "attrition": "Schools and pupils lost",
    "baseline_equivalence": "Similar before joining",
    "breakdown": "Withstands unequal trends",
    "clusters": "Number of independent groups",
    "comparison_coverage": "Comparison schools",
    "composition": "Stable intake",
    "convergence": "Sound computation",
    "effect_scale": "Scale of the effect",
    "follow_up": "Length of follow-up",
    "leavers": "Schools that left",
    "membership_timing": "Dates of joining",
    "missing_outcomes": "Missing results",
    "networks": "Number of networks",
    "pre_trend": "Same path before joining",
    "recomputation": "Calculated twice",
    "recovery": "Finds a planted effect",
    "school_power": "Able to see a small effect",
}
_WARNED = {
    "att_group_time": "some group-time effects",
    "att_third_year_on": "from the third year on",
    "att_third_year_on_equal": "from the third year on, event times weighted equally",
    "att_overall": "all years of participation",
    "att_leaving": "the average effect of leaving",
    "att_after_leaving": "the average effect on schools that have left",
    "att_switching": "the average effect of a year of membership",
    "att_switching_year": "the year of a switch",
    **exposure_names.WARNED,
    **equity_names.WARNED,
    "pretrend": "the joint test of trends before joining",
    "coefficient": "the coefficients",
    "variance": "the variance components",
    "between_network_sd": "the spread between networks",
    "intraclass_correlation": "the intraclass correlations",
    "r_squared": "R²",
    "network_effect": "the effects of single networks",
    "school_value_added": "value added by schools",
    "att_new_network": "the effect of a new network",
    "network_effect_mean": "the mean over networks",
    "networks_below_zero": "the share of networks below zero",
    "moderation_slope": "the adjusted slopes",
    "moderation_slope_naive": "the slopes that are not adjusted",
    "path_practice": "the path to practice",
    "path_slope": "the path from practice",
    "path_indirect": "the indirect path",
    "path_direct": "the direct path",
    "path_slope_naive": "the path from practice, not adjusted",
    "path_indirect_naive": "the indirect path, not adjusted",
    "path_direct_naive": "the direct path, not adjusted",
    "path_total": "the total path",
    "path_reliability": "the reliability of practice",
    "path_rho_at_zero": "the sensitivity of the indirect path",
}
RESULTS = {"pass": f"✓{NBSP}Met", "caution": f"!{NBSP}Caution", "fail": f"✗{NBSP}Not{NBSP}met"}
_KINDS = {
    "benefit": "tip",
    "no_difference": "note",
    "inconclusive": "warning",
    "not_causal": "caution",
    "harm": "important",
}


def callout_kind(released: Released) -> str:
    """The kind of box that the verdict stands in."""
    return _KINDS[str(released.verdict["category"])]


def article_free(label: str) -> str:
    """A label within a sentence: its first letter small, unless its first word is an abbreviation."""
    first = label.split(" ")[0]
    return f"{label[:1].lower()}{label[1:]}" if first[1:].islower() else label


def subgroup(name: str) -> str:
    """A group of pupils in words."""
    return SUBGROUPS.get(name, word(name))


def gate(name: str) -> str:
    """A check's name in words."""
    return GATES.get(name, word(name).capitalize())


def governed_by(released: Released) -> list[str]:
    """Which thresholds decided, where the project chose thresholds of its own; nothing where it did not."""
    if released.verdict.get("governed_by") == "chosen":
        return ["This verdict follows the project's own thresholds, which are stricter than the published ones."]
    return []


def reasons(released: Released) -> list[str]:
    """Why the verdict is what it is."""
    stated = [str(reason) for reason in released.verdict.get("reasons") or []]
    return stated or ["Every check is met."]


def headline(released: Released) -> list[str]:
    """What was found, in plain words: paragraphs for the funder report, which follow the verdict's sentence."""
    record = released.headline
    if record is None or is_missing(record["estimate"]):
        return [
            "There is no headline number: no effect from the third year of participation on could be worked out. "
            "The checks below say why."
        ]
    return _as_effect(released, record) if released.is_causal else _as_difference(released, record)


def _as_effect(released: Released, record: dict[str, Any]) -> list[str]:
    estimate, low, high, unit = headline_numbers(released)
    label = article_free(released.headline_label)
    found = f"The best estimate of the effect on {label} is {number(estimate)} {unit}"
    if is_missing(low) or is_missing(high):
        found += "; how far chance may have moved it cannot be worked out."
    else:
        found += f"; the data are compatible with anything from {interval(low, high)}."
    counted = (
        "The estimate averages over the third and later years of participation and counts every school that joined, "
        "also those that left later."
    )
    paragraphs = [f"{found} {counted}"]
    if not is_missing(record.get("months")):
        span = ""
        if not is_missing(record.get("months_low")) and not is_missing(record.get("months_high")):
            span = (
                f" (the interval runs from {months(record['months_low'])} to {months_counted(record['months_high'])})"
            )
        paragraphs.append(f"In the usual translation this is about {_progress(record['months'])}{span}.")
    else:
        paragraphs.append(
            "No translation into months of progress is given: it needs the spread of single pupils' results, which "
            "these data do not hold."
        )
    return paragraphs


def _as_difference(released: Released, record: dict[str, Any]) -> list[str]:
    estimate, low, high, unit = headline_numbers(released)
    label = article_free(released.headline_label)
    direction = "further up" if estimate >= 0 else "further down"
    between = (
        "" if is_missing(low) else f" ({released.confidence(str(record['model']))} interval {interval(low, high)})"
    )
    return [
        "What the data show is a difference, and nothing more: from the third year of membership on, results in "
        f"{label} had moved {number(abs(estimate))} {unit} {direction} in member schools than in comparison schools "
        f"since before joining{between}.",
        "This number must not be read as the work of the programme. Why is said above and among the checks; it does "
        "not depend on how large the number is.",
    ]


def headline_numbers(released: Released) -> tuple[float, Any, Any, str]:
    """The headline's estimate, the ends of its interval, and their unit: as effect size where there is one.

    Raises
    ------
    ValueError
        If the verdict has no headline.
    """
    record = released.headline
    if record is None:
        raise ValueError("the verdict has no headline")
    if not is_missing(record.get("effect_size")):
        ends = record["effect_size_low"], record["effect_size_high"]
        return float(record["effect_size"]), *ends, "standard deviations"
    return float(record["estimate"]), record["ci_low"], record["ci_high"], released.unit(str(record["model"]))


def months_counted(value: Any) -> str:
    """Months with their noun: ``1 month``, ``2 months``."""
    text = months(value)
    return f"{text} month" if text.lstrip(MINUS) == "1" else f"{text} months"


def _progress(value: Any) -> str:
    """Months of progress in words: additional, lost, or less than one."""
    text = months(value)
    if text == "0":
        return "no month of additional progress"
    if text.startswith(MINUS):
        return f"{months_counted(value).lstrip(MINUS)} of lost progress in a school year"
    return f"{months_counted(value)} of additional progress in a school year"


def checks_summary(released: Released) -> str:
    """How many checks are met, need caution, or are not met."""
    results = list(released["gates"]["result"])
    parts = [
        f"{results.count('pass')} {'is' if results.count('pass') == 1 else 'are'} met",
        f"{results.count('caution')} {'calls' if results.count('caution') == 1 else 'call'} for caution",
        f"{results.count('fail')} {'is' if results.count('fail') == 1 else 'are'} not met"
        if "fail" in results
        else "none failed",
    ]
    return f"The finding was put through {plural(len(results), 'check')}: {listed(parts)}."


def participants(released: Released) -> str:
    """Who took part, in one sentence."""
    flow = released["flow"]
    analysed = flow[(flow["unit"] == "schools") & (flow["outcome"].fillna("") == "")]
    last = analysed.sort_values("step").groupby("arm").tail(1).set_index("arm")["remaining"]
    parts = []
    if "member" in last and not is_missing(last["member"]):
        total = released["networks"]["n_networks"].sum(min_count=1)
        of = "" if is_missing(total) else " of one network" if total == 1 else f" of {plural(total, 'network')}"
        parts.append(f"{plural(last['member'], 'member school')}{of}")
    if "comparison" in last and not is_missing(last["comparison"]):
        parts.append(plural(last["comparison"], "comparison school"))
    if not parts:
        return "The number of schools may not be shown."
    return f"The analysis rests on {listed(parts)}."


def years(released: Released) -> str:
    """The study's years and those without results."""
    study = released.study
    text = f"School years ending in {study['first_year']} to {study['last_year']}"
    gaps = [str(year) for year in study["missing_outcome_years"]]
    return f"{text}; no results in {listed(gaps)}" if gaps else text


def trends_sentence(released: Released) -> str:
    """How the figure of trends is to be read."""
    label = article_free(released.headline_label)
    if released.is_causal:
        return (
            "The comparison rests on change over time: before joining, the two groups of schools may stand at "
            f"different levels in {label}, as long as they move alike."
        )
    return f"The figure shows where both groups of schools stood in {label} over the years."


def other_results_caption(released: Released) -> str:
    """The caption of the table of other results, which must not promise effects where the verdict refuses them."""
    what = "Estimates" if released.is_causal else "Differences found"
    units = sorted({released.unit(model) for model in released.study["models"]})
    unit = f", in {units[0]}" if len(units) == 1 else ""
    return f"{what} from the third year on in other analyses{unit}. They are no basis of the verdict."


def cannot_conclude(released: Released) -> list[str]:
    """What the study cannot say: the verdict's own list, with what holds for every study."""
    stated = [str(sentence) for sentence in released.verdict.get("cannot_conclude") or []]
    return [*stated, "Anything about schools, years and outcomes that were not studied."]


def how_to_read(released: Released) -> list[tuple[str, str]]:
    """Words of the report and how to read them."""
    level = released.confidence(released.headline_model)
    rows = [
        _spread(released),
        (
            "Interval",
            f"The best estimate is never the whole truth. The {level} confidence interval holds the values that are "
            "compatible with the data; a wide one means that little is known.",
        ),
    ]
    if not released.school_scale:
        rows.append(
            (
                "Months of progress",
                "A published table turns effect sizes into months of a school year. It is a rough aid, not a "
                "measurement.",
            )
        )
    rows.append(
        (
            "Year of participation",
            "The first is the school year in which a school joins. Networks take time, so the headline counts from "
            "the third year on.",
        )
    )
    if released.is_causal:
        rows.append(
            (
                "Effect",
                "The difference between what happened and what would have happened without the programme, as far as "
                "the checks allow to say so.",
            )
        )
    return rows


def contact(released: Released) -> str:
    """Whom to ask about the report, and where the rest stands."""
    declared = str(released.study["branding"]["contact"]).strip()
    return f"The technical report holds every number, model and check behind this one. {declared}".strip()


def _spread(released: Released) -> tuple[str, str]:
    if released.school_scale:
        return (
            "School-level SD",
            "The usual spread (standard deviation) between schools. Schools differ much less than pupils do, so such "
            "numbers look larger than those of studies on pupils; they must not be compared with them or turned into "
            "months of progress.",
        )
    return (
        "Standard deviation (SD)",
        "The usual spread of pupils' results; differences are given in parts of it. In education a few hundredths can "
        "matter when a programme reaches many pupils at low cost, and large studies rarely find more than a fifth "
        "(Kraft 2020, Educational Researcher 49).",
    )


def model_description(rows: Any) -> str:
    """What a model is, in a few sentences, from its records."""
    first = representative(rows).iloc[0]
    estimator = ESTIMATORS.get(first["estimator"], word(first["estimator"]))
    parts = [
        f"{estimator[:1].upper()}{estimator[1:]}",
        subgroup(str(first["subgroup"])),
        f"declared as {word(first['role'])}",
    ]
    text = f"{'; '.join(parts)}."
    if not is_missing(first["comparison"]) and first["comparison"]:
        text += f" Compared with: {word(first['comparison'])}. Rows: {word(first['sample'])}."
    clusters = [count(first[f"clusters_{arm}"]) for arm in ("treated", "comparison")]
    text += f" Clusters: {clusters[0]} with members, {clusters[1]} for comparison."
    return f"{text} Standard errors: {word(first['vcov'])}."


def representative(rows: Any) -> Any:
    """The record that stands for a model as a whole, as a table of one row: its widest average where it has one."""
    wide = ("att_third_year_on", "att_overall", "att_leaving", "att_switching", "att_after_leaving")
    for estimand in (*wide, *exposure_names.REPRESENTATIVE, *equity_names.REPRESENTATIVE):
        found = rows[rows["estimand"] == estimand]
        if len(found):
            return found.head(1)
    return rows.head(1)


def model_notes(rows: Any) -> list[str]:
    """What has to be known about a model's numbers: convergence, warnings, what is withheld; each once."""
    notes = []
    if not rows["converged"].fillna(False).astype(bool).all():
        notes.append("The model did not converge; its numbers are shown for completeness.")
    found: dict[str, list[str]] = {}
    for estimand, event_time, text in zip(rows["estimand"], rows["event_time"], rows["warnings"], strict=True):
        for part in [] if is_missing(text) else str(text).split("; "):
            if part.strip():
                found.setdefault(part, []).append(_about(estimand, event_time))
    everywhere = [part for part, about in found.items() if len(about) == len(rows)]
    if everywhere:
        notes.append(f"Notes: {'; '.join(everywhere)}.")
    for part, about in found.items():
        if part not in everywhere:
            where = listed(list(dict.fromkeys(about)))
            notes.append(f"{where[:1].upper()}{where[1:]}: {part}.")
    withheld = [str(text) for text in rows["withheld"].dropna() if str(text).strip()]
    if withheld:
        notes.append(f"Some numbers are withheld (c): {'; '.join(dict.fromkeys(withheld))}.")
    return notes


def _about(estimand: Any, event_time: Any) -> str:
    """Which of a model's numbers a warning is about."""
    if estimand == "att_event_time" or estimand in exposure_names.EVENT_TIMES:
        return f"event time {number(event_time, 0)}"
    if estimand == "att_after_leaving_event_time":
        return f"year {number(event_time, 0)} from the first one out"
    if str(estimand).endswith("_event_time"):
        about = "leaving" if estimand == "att_leaving_event_time" else "the first switch"
        return f"outcome year {number(event_time, 0)} from {about}"
    return _WARNED.get(str(estimand), word(estimand))


def baseline_caption(released: Released) -> str:
    """The caption of the baseline table: which standard deviation differences are divided by."""
    unit = "school-level SDs" if released.school_scale else "the SD of pupils (of schools for measures of schools)"
    return f"Means before joining and their standardised difference, in {unit}."


def results_note(released: Released) -> str:
    """How numbers of the results may be read, by the verdict's category."""
    if released.is_causal:
        return "Estimates are differences in differences: a positive number means that members gained on others."
    return (
        "The verdict refuses a causal reading, so every number below describes how differences between members and "
        "comparison schools changed; none of them is an effect of the programme. They are shown so that the refusal "
        "can be checked."
    )


def intraclass_method(released: Released) -> list[str]:
    """How the intraclass correlation was estimated; nothing where there is none."""
    methods = [str(text) for text in dict.fromkeys(released["intraclass"]["method"].dropna())]
    return [f"Method: {'; '.join(methods)}."] if methods else []


def mdes_assumptions(released: Released) -> list[str]:
    """Design and assumptions behind each minimum detectable effect size."""
    lines = []
    for _, row in released["mdes"].iterrows():
        assumed = "" if is_missing(row["assumptions"]) else f"; {row['assumptions']}"
        lines.append(f"{released.outcome_label(str(row['outcome']))}: {row['design']}{assumed}.")
    return lines


def no_attrition(released: Released) -> str:
    """Why there is no table of attrition."""
    if released.school_level:
        return "Results are known for schools only, and no loss of schools was recorded; pupils cannot be followed."
    return "No pupil or school could be followed from the first to the last year, so there is no attrition to report."


def no_intraclass(released: Released) -> str:
    """Why there is no intraclass correlation."""
    if released.school_level:
        return "Results are known for schools only, so it cannot be said how alike pupils of one school are."
    return "The intraclass correlation may not be shown or could not be worked out."


def no_recovery(released: Released) -> str:
    """Why there is no comparison with planted effects."""
    if released.study["simulated"]:
        return "No model gave an estimate of a planted effect, so there is nothing to compare with."
    return "The study is not simulated: no effects were planted in its data, so there is nothing to recover."
