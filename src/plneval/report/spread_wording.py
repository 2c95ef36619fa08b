"""What the funder report says of differences between networks, of conditions, and of teachers' practice."""

from __future__ import annotations

from typing import Any

import pandas as pd

from plneval.report.direction import lower_is_better
from plneval.report.formats import interval, is_missing, listed, number, plural, share
from plneval.report.load import Released
from plneval.report.spread_tables import no_spread
from plneval.report.wording import article_free

ALPHA = 0.05
MOST_NAMES = 6
"""Conditions that are named one by one."""
ANSWERED = (("participant", "participants"), ("colleague", "their colleagues"))


def for_funders(released: Released) -> list[str]:
    """Paragraphs: how far networks differ, which conditions go with larger effects, and how practice changed."""
    return [*_networks(released), *_conditions(released), *_practice(released)]


def _networks(released: Released) -> list[str]:
    records = released["records"]
    rows = records[(records["estimator"] == "networks.spread") & records["estimate"].notna()]
    own = {str(row["estimand"]): row for row in rows.to_dict("records")}
    if not {"between_network_sd", "att_new_network"} <= set(own):
        return [no_spread(released)] if released.single_network else []
    what = "effect" if released.is_causal else "difference"
    sd, new = own["between_network_sd"], own["att_new_network"]
    unit = released.unit(str(sd["model"]))
    on = f" {'on' if released.is_causal else 'in'} {article_free(released.outcome_label(str(sd['outcome'])))}"
    if is_missing(sd["ci_low"]):
        told = f"Networks lie so close together that the data do not tell how far the {what}{on} differs between them."
    elif float(sd["ci_low"]) > 0:
        told = (
            f"The {what}{on} was not the same in all networks: in some networks more, in others less. Around its "
            f"mean it varies by {number(sd['estimate'])} {unit} from network to network."
        )
    else:
        told = (
            f"In some networks the {what}{on} may be larger and in others smaller, but chance alone could explain "
            "the differences that were found. It may vary around its mean by anything up to "
            f"{number(sd['ci_high'])} {unit}."
        )
    parts = [told]
    if not is_missing(new["ci_low"]):
        parts.append(f"A new network of the same kind can expect {interval(new['ci_low'], new['ci_high'])} {unit}.")
    below = own.get("networks_below_zero")
    if below is not None and not is_missing(below["ci_high"]):
        low, high = share(below["ci_low"], 0), share(below["ci_high"], 0)
        if lower_is_better(released, sd["outcome"]):
            parts.append(
                f"The share of networks in which the {what} is below zero, which is the better side here, lies between "
                f"{low} and {high}; in all others results moved to the worse side."
            )
        else:
            parts.append(f"The share of networks in which the {what} is below zero lies between {low} and {high}.")
    parts.append(
        f"Whatever else the schools of one network share, such as a bad year, counts as that network's {what} here, so "
        "networks are more likely to differ less than these numbers say than more."
    )
    return [" ".join(parts)]


def _conditions(released: Released) -> list[str]:
    table = released["moderation_conditions"]
    tried = table[(table["kind"] == "condition") & table["p_holm"].notna()]
    if tried.empty:
        return []
    what = "effects" if released.is_causal else "differences"
    labels = list(dict.fromkeys(str(label).lower() for label in tried["label"]))
    names = listed(labels) if len(labels) <= MOST_NAMES else "named in the technical report"
    asked = f"Members were asked about {plural(len(labels), 'condition')} of working in networks ({names})."
    found = tried[(tried["p_holm"] < ALPHA) & pd.notna(tried["estimate"].fillna(tried["naive"]))]
    if found.empty:
        return [
            f"{asked} No condition could be shown to go with larger or smaller {what}. That is no evidence that they "
            "do not matter: there are few networks, and answers are not exact."
        ]
    slope = found["estimate"].fillna(found["naive"])
    lower = lower_is_better(released, str(released.model(str(found["model"].iloc[0]))["outcome"]))
    larger, smaller = ("less favourable", "more favourable") if lower else ("larger", "smaller")
    signs = [(str(label).lower(), one > 0) for label, one in zip(found["label"], slope, strict=True)]
    more, less = (list(dict.fromkeys(label for label, up in signs if up is sign)) for sign in (True, False))
    said = [f"Where {listed(more)} stood higher, {what} were {larger}."] if more else []
    said += [f"Where {listed(less)} stood higher, {what} were {smaller}."] if less else []
    return [f"{asked} {' '.join(said)} This is a link, not proof that the condition made the difference."]


def _practice(released: Released) -> list[str]:
    """How teachers' answers about their practice changed by the last wave; nothing where nobody was asked twice."""
    table = released["practice_waves"]
    known = table[(table["measures"] == "practice") & table["change"].notna() & table["change_low"].notna()]
    last = known.sort_values("year", kind="stable").drop_duplicates(["label", "role"], keep="last")
    found = []
    for label, own in last.groupby("label", sort=False):
        rows = {str(row["role"]): row for row in own.to_dict("records")}
        parts = [_change(who, rows[role]) for role, who in ANSWERED if role in rows]
        if parts:
            found.append(f"the mean of {article_free(str(label))} changed by {listed(parts)}")
    if not found:
        return []
    return [
        "Teachers were asked about their own teaching more than once. From a network's first wave to the last, "
        f"{listed(found)}. This is what teachers say of their practice; nobody in comparison schools was asked, so "
        "there is nothing to compare it with."
    ]


def _change(who: str, row: dict[Any, Any]) -> str:
    span = interval(row["change_low"], row["change_high"])
    return f"{number(row['change'], signed=True)} points of the scale among {who} (interval {span})"
