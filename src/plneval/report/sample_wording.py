"""Captions and notes of the technical report's tables, and why a table is not there."""

from __future__ import annotations

from plneval.report.direction import lower_is_better
from plneval.report.formats import is_missing, listed
from plneval.report.load import Released
from plneval.report.wording import article_free


def baseline_caption(released: Released) -> str:
    """The caption of the baseline table: which standard deviation differences are divided by."""
    unit = "school-level SDs" if released.school_scale else "the SD of pupils (of schools for measures of schools)"
    return f"Means before joining and their standardised difference, in {unit}."


def results_note(released: Released) -> str:
    """How numbers of the results may be read, by the verdict's category."""
    if released.is_causal:
        lower = [name for name in released.study["outcomes"] if lower_is_better(released, name)]
        text = "Estimates are differences in differences: a positive number means that members"
        if not lower:
            return f"{text} gained on others."
        labels = listed([article_free(released.outcome_label(name)) for name in lower])
        return (
            f"{text}' results rose more than others'. In {labels} less is better: there a negative number means that "
            "members gained on others. Months of progress in tables carry the sign of the estimate."
        )
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
