"""Sentences about direct and indirect effects, dose and comparison schools near members."""

from __future__ import annotations

from typing import Any

from plneval.networks.dose import NOT_CAUSAL
from plneval.report.direction import is_better, lower_is_better
from plneval.report.exposure_data import diffusion_model, dose_model
from plneval.report.formats import interval, is_missing, listed, number, plural, share
from plneval.report.load import Released, rows_of
from plneval.report.wording import article_free

FIGURE = (
    "The figure shows both groups against comparison schools, by year of participation; lines are confidence intervals."
)
"""Under the figure of the funder report, which stands there only where it can be drawn."""
NO_OTHERS = (
    "No data say which schools were in networks outside the programme, so that this rests on the declaration alone."
)
WITHOUT = {
    "without_near": "comparison schools near members",
    "without_later": "comparison schools that joined after the study",
    "without_other": "comparison schools in other networks",
    "without_any": "all comparison schools that may have met a network",
    "without_other_in_either": "all schools in other networks",
}
"""Schools that a variant of the headline leaves out, in the funder's words."""
REFUSED = (
    "The checks refuse to call any of these numbers the work of the programme, so nothing is said about how much of it "
    "reached the pupils of colleagues."
)
"""Takes the place of what is said of the ratio where the verdict refuses a causal reading."""
WHY_NOT = {
    "school_level": "results are known of schools only",
    "no_teaching": "no data say which teacher taught which pupil",
    "no_participants": "no data say which teachers took part",
    "not_taught": "the data on teaching do not cover this subject",
    "one_group": "one of the two groups holds no pupil",
}


def separability(released: Released) -> list[str]:
    """For each outcome whether effects on pupils of participants and of their colleagues can be told apart."""
    return [str(text) for text in released["exposure_separability"]["statement"]]


def no_model(released: Released) -> str:
    """Why there are no direct and indirect effects."""
    table = released["exposure_separability"]
    if not table["separable"].fillna(False).astype(bool).any():
        return "Direct and indirect effects are not estimated, as they cannot be told apart."
    return "No model of direct and indirect effects (networks.diffusion) was declared, or it gave no estimate."


def who_is_in_neither_group() -> str:
    return (
        "Pupils of schools that have left their network are in neither group; pupils without a teacher link are left "
        "out. All of this is exploratory unless its role says otherwise."
    )


def funder(released: Released) -> list[str]:
    """What the funder is told about participants' own pupils and their colleagues': paragraphs in plain words."""
    start = "In a network a few teachers learn on behalf of their whole school."
    found = _effects(released)
    if found is None:
        return [f"{start} {_cannot_say(released)}"]
    direct, indirect, difference = (found[name] for name in ("direct", "indirect", "direct_less_indirect"))
    text = (
        f"{start} From the third year on, pupils taught by them were {_ahead(released, direct, found['unit'])} pupils "
        f"of comparison schools{_interval(direct)}, measured from before joining; other pupils of the same schools "
        f"were {_ahead(released, indirect, found['unit'])} pupils of comparison schools{_interval(indirect)}. "
    )
    text += _apart(difference)
    if not released.is_causal:
        return [f"{text} {REFUSED}"]
    return [text, _reach(released, found)]


def _effects(released: Released) -> dict[str, Any] | None:
    """Records from the third year on of the model that stands for the study; None where one may not be shown."""
    model = diffusion_model(released)
    if model is None:
        return None
    records = released["records"]
    own = records[records["model"] == model]
    found: dict[str, Any] = {"unit": released.unit(model), "model": model}
    for name in ("direct", "indirect", "direct_less_indirect"):
        rows = own[(own["estimand"] == f"att_{name}") & own["estimate"].notna()]
        if rows.empty:
            return None
        found[name] = rows.iloc[0]
    return found


def _cannot_say(released: Released) -> str:
    table = released["exposure_separability"]
    reasons = [WHY_NOT[reason] for reason in dict.fromkeys(table["reason"]) if reason in WHY_NOT]
    if reasons and not table["separable"].fillna(False).astype(bool).any():
        because = f", because {listed(reasons)}"
    else:
        because = ": it was not estimated, or may not be shown"
    return f"Whether more reached their own pupils than the pupils of their colleagues cannot be said{because}."


def _ahead(released: Released, record: Any, unit: str) -> str:
    value = float(record["estimate"])
    if lower_is_better(released, record["outcome"]):
        label = article_free(released.outcome_label(str(record["outcome"])))
        stands = "lower" if value < 0 else "higher"
        judged = "better" if is_better(released, record["outcome"], value) else "worse"
        return f"{number(abs(value))} {unit} {stands} in {label} (which is {judged}) than"
    return f"{number(abs(value))} {unit} {'ahead of' if value >= 0 else 'behind'}"


def _interval(record: Any) -> str:
    """The interval in brackets; it counts from being level, so that below zero is behind."""
    if is_missing(record["ci_low"]):
        return " (no interval)"
    return f" (interval {interval(record['ci_low'], record['ci_high'])})"


def _apart(difference: Any) -> str:
    low, high = difference["ci_low"], difference["ci_high"]
    if is_missing(low):
        return "How sure the difference of the two groups is cannot be said."
    stands = f"The difference of the two groups, {number(difference['estimate'])}{_interval(difference)}"
    if low <= 0 <= high:
        return f"{stands}, could be nothing but chance."
    return f"{stands}, is more than chance alone would often bring."


def _reach(released: Released, found: dict[str, Any]) -> str:
    """How much of the direct effect reached other pupils, in a sentence; and what the finding rests on."""
    table = released["mobilisation"]
    rows = table[(table["model"] == found["model"]) & table["event_time"].isna() & table["ratio"].notna()]
    role = str(found["direct"]["role"])
    rests = (
        f"This rests on the assumption that joining did not change which pupils are taught by whom, and is {role}: it "
        "was not the question that the study was planned for."
        if role != "confirmatory"
        else "This rests on the assumption that joining did not change which pupils are taught by whom."
    )
    direct = found["direct"]
    if rows.empty or not is_better(released, direct["outcome"], float(direct["estimate"])):
        return f"How much of it reached the pupils of colleagues cannot be said. {rests}"
    row = rows.iloc[0]
    if row["kind"] != "bounded":
        return (
            "How much of what participants' pupils gained reached the pupils of colleagues cannot be said with these "
            f"data: the numbers are too uncertain. {rests}"
        )
    if float(row["ci_low"]) <= 0:
        # A lower limit below zero says that nothing may have reached them; how far below says nothing more to funders.
        span = f"the data allow for anything from nothing at all to {number(row['ci_high'])}"
    else:
        span = f"interval {interval(row['ci_low'], row['ci_high'])}"
    if lower_is_better(released, direct["outcome"]):
        every = "For every point that participants' pupils were lower, other pupils of their schools were lower by"
    else:
        every = "For every point that participants' pupils were ahead, other pupils of their schools were ahead by"
    return f"{every} {number(row['ratio'])} points ({span}). {rests}"


def dose(released: Released) -> list[str]:
    """What must be said of dose: that it describes; and where nothing is known of it."""
    if not len(released["dose_by_event_time"]):
        return ["No data say how much schools took part (no attendance records), so nothing is said about dose."]
    sentences = [NOT_CAUSAL]
    if dose_model(released) is None:
        sentences.append("No model of results by dose (networks.dose) was declared, or it gave no estimate.")
    return sentences


def nearness(released: Released) -> list[str]:
    """What was declared and what was measured about comparison schools that may have met a network."""
    declared = released.study["design"]
    words = {"none": "none", "some": "some", "unknown": "not known"}
    sentences = [
        f"Declared: comparison schools in other networks, {words[str(declared['comparison_in_other_networks'])]}; "
        f"near members, {words[str(declared['comparison_near_members'])]}."
    ]
    table = released["contamination"]
    if table.empty:
        return [f"{sentences[0]} {NO_OTHERS}"]
    last = rows_of(table)[-1]
    sentences.append(_in_other_networks(last))
    if is_missing(last.radius_km):
        sentences.append(
            "No distance was declared below which a comparison school counts as near, so none is counted as near."
        )
    elif is_missing(last.n_near):
        sentences.append("Places of schools are not known, so how near comparison schools are to members is not known.")
    else:
        part = float(last.n_near) / float(last.n_comparison) if last.n_comparison else 0.0
        sentences.append(
            f"By {last.year}, {last.n_near} of {plural(last.n_comparison, 'comparison school')} ({share(part, 0)}) "
            f"stood less than {number(last.radius_km, 1)} km from a school that had joined. If they learnt from it, "
            "the difference between members and comparison schools is too small."
        )
    return sentences


def _in_other_networks(last: Any) -> str:
    """How many schools of both arms were in networks outside the programme, and what that would do."""
    if is_missing(last.n_been_other):
        return NO_OTHERS
    arms = [
        f"{inside} of {plural(whole, f'{arm} school')} ({share(float(inside) / float(whole) if whole else 0.0, 0)})"
        for inside, whole, arm in (
            (last.n_been_other, last.n_comparison, "comparison"),
            (last.n_members_been_other, last.n_members, "member"),
        )
    ]
    return (
        f"By {last.year}, {arms[0]} and {arms[1]} had been in a network outside the programme in some year of the "
        "study. What comparison schools had from such networks makes the difference too small, what member schools had "
        "makes it too large."
    )


def without_doubtful(released: Released) -> list[str]:
    """For funders, in one sentence: comparisons without doubtful schools that would be read otherwise; else none.

    A finding is read by its interval: above zero, below zero, or neither.
    """
    table = released["doubtful_comparison"]
    rows = {str(row.variant): row for row in rows_of(table[table["status"] == "estimated"])}
    whole = rows.pop("all", None)
    if whole is None or is_missing(whole.ci_low):
        return []
    unit = released.unit(str(whole.model))
    other = [
        f"without {WITHOUT[name]} it is {number(row.estimate)} {unit} (interval {interval(row.ci_low, row.ci_high)})"
        for name, row in rows.items()
        if name in WITHOUT and not is_missing(row.ci_low) and _reading(row) != _reading(whole)
    ]
    return [f"Which schools are compared matters to this finding: {listed(other)}."] if other else []


def _reading(row: Any) -> int:
    """1 where the interval lies above zero, -1 where it lies below, 0 where it does neither."""
    return int(row.ci_low > 0) - int(row.ci_high < 0)
