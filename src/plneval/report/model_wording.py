"""What the technical report says of a model: what it is, and what has to be known about its numbers."""

from __future__ import annotations

from typing import Any

from plneval.report import equity_names, exposure_names
from plneval.report.formats import count, is_missing, listed, number, word
from plneval.report.wording import subgroup

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
