"""Sentences of the reports that are not the verdict's own.

Nothing is decided here: whether something may be called an effect comes from the verdict's category, what a check
found from its gate's statement.
"""

from __future__ import annotations

from typing import Any

from plneval.report.direction import lower_is_better, months_of_progress, reading
from plneval.report.formats import MINUS, NBSP, interval, is_missing, listed, months, number, plural, word
from plneval.report.load import Released

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
    "network_data": "Data about networks",
    "networks": "Number of networks",
    "pre_trend": "Same path before joining",
    "recomputation": "Calculated twice",
    "recovery": "Finds a planted effect",
    "school_power": "Able to see a small effect",
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
    paragraphs = [" ".join([found, counted, *_reading(released)])]
    if not is_missing(record.get("months")):
        span = ""
        if not is_missing(record.get("months_low")) and not is_missing(record.get("months_high")):
            low_end, high_end = progress_ends(released, record)
            span = f" (the interval runs from {months(low_end)} to {months_counted(high_end)})"
        best = months_of_progress(released, released.headline_outcome, record["months"])
        paragraphs.append(f"In the usual translation this is about {_progress(best)}{span}.")
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
        f"since before joining{between}.{''.join(f' {one}' for one in _reading(released))}",
        "This number must not be read as the work of the programme. Why is said above and among the checks; it does "
        "not depend on how large the number is.",
    ]


def progress_ends(released: Released, record: dict[str, Any]) -> tuple[Any, Any]:
    """The ends of the interval in months, plus for progress, the lower one first."""
    ends = [
        months_of_progress(released, released.headline_outcome, record[name]) for name in ("months_low", "months_high")
    ]
    return (ends[1], ends[0]) if lower_is_better(released, released.headline_outcome) else (ends[0], ends[1])


def _reading(released: Released) -> list[str]:
    return reading(released, released.headline_outcome)


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
    text = f"{what} from the third year on in other analyses{unit}. They are no basis of the verdict."
    outcomes = dict.fromkeys(str(released.model(model)["outcome"]) for model in released.study["models"])
    lower = [article_free(released.outcome_label(name)) for name in outcomes if lower_is_better(released, name)]
    return (
        f"{text} Less is better in {listed(lower)}: there a number below zero is on the good side." if lower else text
    )


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
