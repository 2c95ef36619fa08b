"""Estimates that would give away a withheld one, and are withheld with it.

A reader knows what an average is made of: event times are averages of group-times, the effect from the third year on
is one of event times, the effect on all pupils one of both groups of pupils. Where one part is withheld and the average
and all other parts are shown, the missing one follows; and so does a side where the other and the difference are shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pandas as pd

from plneval.release.thin_parts import PART
from plneval.standards import load

WORKED_OUT: Final = "could be worked out from another effect that is withheld"
AVERAGES: Final = {
    "att_event_time": ("att_third_year_on", "att_overall"),
    "att_direct_event_time": ("att_direct", None),
    "att_indirect_event_time": ("att_indirect", None),
    "att_direct_less_indirect_event_time": ("att_direct_less_indirect", None),
    "within_school_event_time": ("within_school", None),
    "dose_event_time": ("dose_third_year_on", None),
    "att_leaving_event_time": (None, "att_leaving"),
    "att_after_leaving_event_time": (None, "att_after_leaving"),
    "att_switching_event_time": (None, "att_switching"),
}
"""Estimands by event time, with those of their average from the third year on and over all event times from 0."""
EQUAL: Final = "att_third_year_on_equal"
SIDES: Final = ("att_direct", "att_indirect")
OF_BOTH_SIDES: Final = ("att_direct_less_indirect", "within_school", "mobilisation_ratio")
"""With one side they tell the other: the contrast within schools is the difference with other weights."""
DOSE: Final = ("dose_third_year_on", "dose_event_time")


@dataclass(frozen=True)
class Sum:
    """Parts whose average is known to a reader: rows of the records.

    Attributes
    ----------
    parts : the parts that were estimated.
    whole : the average's own records; empty where it is known whatever is withheld.
    same_schools : whether parts rest on the same schools, so that several thin ones together are thin as well.
    """

    parts: pd.Index
    whole: pd.Index
    same_schools: bool = False


def withhold_what_follows(records: pd.DataFrame, reason: pd.Series, few_people: pd.Series) -> None:
    """Withhold further estimates until no withheld one follows from those that are shown.

    Where a single part is withheld and the average is shown, the part that rests on the next fewest pupils (schools)
    goes too. Of event times, which rest on the same schools, one that is not thin itself has to be among those that are
    withheld. Where an average is withheld to protect another number, its smallest part is.

    Parameters
    ----------
    reason : why records are withheld so far; taken further here.
    few_people : records that are withheld later, since they rest on too few people.
    """
    thin = (reason != "") | few_people
    sums = [*_cells(records), *_others(records), *_event_times(records, thin), *_sides(records, thin)]
    while True:
        before = reason.copy()
        for one in sums:
            _protect(one, records, reason, thin)
        _without_equal_weights(records, reason, thin)
        withhold_differences(records, reason, thin)
        if reason.equals(before):
            return


def withhold_differences(records: pd.DataFrame, reason: pd.Series, few_people: pd.Series | None = None) -> None:
    """Withhold what sets two effects against each other where one of them is withheld.

    These are the difference and the ratio of direct and indirect effects, the contrast within schools, and the
    difference of two parts of the member schools.
    """
    gone = reason != "" if few_people is None else (reason != "") | few_people
    thin = set(records.loc[gone & (records["estimand"] == PART), "model"])
    out = (records["estimand"] == "att_split_difference") & records["model"].isin(thin)
    keys = records["model"].astype("str") + "|" + records["event_time"].astype("str").fillna("")
    for ending in ("", "_event_time"):
        sides = gone & records["estimand"].isin([f"{side}{ending}" for side in SIDES])
        of_both = records["estimand"].isin([f"{name}{ending}" for name in OF_BOTH_SIDES])
        out |= of_both & keys.isin(set(keys[sides]))
    reason[out & (reason == "")] = WORKED_OUT


def _protect(one: Sum, records: pd.DataFrame, reason: pd.Series, thin: pd.Series) -> None:
    gone = (reason != "") | thin
    out = gone[one.parts]
    if out.all() or not len(one.parts):
        return
    hidden = gone[one.whole].any() and not (reason[one.whole] == "").any()
    if hidden:
        # Only an average that protects another number needs a part withheld; a thin one has thin parts.
        enough = bool(out.any()) or not (reason[one.whole] == WORKED_OUT).all()
    elif one.same_schools:
        enough = not out.any() or bool((out & ~thin[one.parts]).any())
    else:
        enough = out.sum() != 1
    if not enough:
        rest = records.loc[out.index[~out]]
        sizes = {column: rest[column].astype("Float64").fillna(0) for column in ("n_treated", "n_schools")}
        order = rest.assign(**sizes).sort_values(["n_treated", "n_schools", "term"], kind="stable")
        reason[order.index[0]] = WORKED_OUT


def _cells(records: pd.DataFrame) -> Iterator[Sum]:
    """Group-time effects of an event time."""
    averages = records[records["estimand"] == "att_event_time"]
    cells = _estimated(records, "att_group_time")
    for (model, time), own in cells.groupby(["model", "event_time"], sort=True):
        whole = averages[(averages["model"] == model) & (averages["event_time"] == time).fillna(False)]
        yield Sum(own.index, whole.index)


def _others(records: pd.DataFrame) -> Iterator[Sum]:
    """Networks' departures from their mean; parts of the member schools, and bands of dose, whose average is known."""
    for estimand in ("network_effect", PART):
        for _, own in _estimated(records, estimand).groupby("model", sort=True):
            yield Sum(own.index, own.index[:0])
    for estimand in DOSE:
        for _, own in _estimated(records, estimand).groupby(["model", "event_time"], sort=True, dropna=False):
            yield Sum(own.index, own.index[:0])


def _event_times(records: pd.DataFrame, thin: pd.Series) -> Iterator[Sum]:
    """Event times from joining on, whose average from the third year on, or over all of them, is shown."""
    third = load("follow_up").headline_from_event_time
    for estimand, (late, every) in AVERAGES.items():
        rows = _estimated(records, estimand)
        rows = rows[(rows["event_time"] >= 0).fillna(False)]
        bands = rows["term"].str.split(":").str[0] if estimand in DOSE else pd.Series("", index=rows.index)
        for (model, band), own in rows.groupby([rows["model"], bands], sort=True):
            shown = records[(records["model"] == model) & (records["term"].fillna("") == band) & ~thin]
            of_late = shown.index[shown["estimand"] == late]
            of_every = shown.index[shown["estimand"] == every]
            from_third = (own["event_time"] >= third).astype(bool)
            if len(of_late):
                yield Sum(own.index[from_third], of_late, same_schools=True)
            if len(of_every):
                # What both averages are known of leaves the average over the first two years.
                first = ~from_third if len(of_late) else from_third | ~from_third
                yield Sum(own.index[first], of_every, same_schools=True)


def _sides(records: pd.DataFrame, thin: pd.Series) -> Iterator[Sum]:
    """Both groups of pupils of member schools, where an effect on all of them is shown."""
    for ending, of_all in (("", "att_third_year_on"), ("_event_time", "att_event_time")):
        rows = _estimated(records, *(f"{side}{ending}" for side in SIDES))
        wholes = records[(records["estimand"] == of_all) & ~thin]
        for _, own in rows.groupby(["model", "event_time"], sort=True, dropna=False):
            first = own.iloc[0]
            time = first["event_time"]
            if pd.notna(time) and time < 0:
                continue
            alike = wholes["estimator"].str.startswith("did.").fillna(False).astype(bool)
            alike &= (wholes["outcome"] == first["outcome"]) & (wholes["subgroup"] == first["subgroup"])
            if pd.notna(time):
                alike &= (wholes["event_time"] == time).fillna(False).astype(bool)
            if alike.any():
                yield Sum(own.index, wholes.index[alike])


def _without_equal_weights(records: pd.DataFrame, reason: pd.Series, thin: pd.Series) -> None:
    """Withhold the average that weights event times equally where one of them is: it is a second equation for them."""
    third = load("follow_up").headline_from_event_time
    gone = (reason != "") | thin
    late = gone & (records["estimand"] == "att_event_time") & (records["event_time"] >= third).fillna(False)
    equal = (records["estimand"] == EQUAL) & records["model"].isin(set(records.loc[late, "model"]))
    reason[equal & (reason == "")] = WORKED_OUT


def _estimated(records: pd.DataFrame, *estimands: str) -> pd.DataFrame:
    return records[records["estimand"].isin(estimands) & records["estimate"].notna()]
