"""Estimates that rest on too few schools: which records are withheld, and which others with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import pandas as pd

from plneval.config.cohort import Cohort
from plneval.config.models import EventStudy, ModelSpec
from plneval.config.report import Disclosure
from plneval.release.thin_parts import PART, withhold_comparisons
from plneval.standards import load

GROUP_TIME: Final = re.compile(r"g(\d{4}):t(\d{4})")
SWITCHING: Final = ("att_leaving", "att_switching", "att_after_leaving")
"""Estimands about schools that leave, have left or switch: these words begin them."""
PARTS: Final = ("att_direct", "att_indirect", "within_school", "mobilisation_ratio", "dose_", "att_split", "split_test")
"""Estimands about a part of the member schools, or of their pupils: these words begin them."""


def withheld_records(
    records: pd.DataFrame,
    entry_groups: pd.DataFrame,
    cohort: Cohort,
    specs: Mapping[str, ModelSpec],
    rule: Disclosure,
) -> pd.Series:
    """Reason for which the numbers of each record are withheld; '' where they are not.

    A record is withheld when the member schools behind it, its schools in all, or its comparison clusters are fewer
    than the minimum. Where one group-time effect of an event time is withheld and the average over that event time is
    shown, the one could be worked out from the other and the remaining effects; so the effect that rests on the next
    fewest pupils (schools) is withheld as well.
    """
    members = [_member_schools(row, records, entry_groups, cohort, specs) for _, row in records.iterrows()]
    fewest = pd.DataFrame(
        {
            "members": members,
            "schools": records["n_schools"].astype("Float64").to_numpy(),
            "comparison": records["clusters_comparison"].astype("Float64").to_numpy(),
        },
        index=records.index,
    ).min(axis=1)
    reason = pd.Series("", index=records.index, dtype="str")
    reason[fewest.lt(rule.minimum_schools).fillna(False)] = f"fewer than {rule.minimum_schools} schools"
    people = cohort.design.weight == "pupils"
    few = records["n_treated"].astype("Float64").between(1, rule.minimum_count - 1).fillna(False).astype(bool)
    _withhold_second(records, reason, few & people & records["estimand"].isin(["network_effect", PART]))
    withhold_comparisons(records, reason)
    return reason


def _member_schools(
    record: pd.Series,
    records: pd.DataFrame,
    entry_groups: pd.DataFrame,
    cohort: Cohort,
    specs: Mapping[str, ModelSpec],
) -> float:
    """Member schools that an estimate rests on; missing where it is not about single entry groups."""
    schools = dict(zip(entry_groups["entry_year"].astype(int), entry_groups["n_schools"].astype(int), strict=True))
    estimand = record["estimand"]
    if estimand == "att_group_time":
        found = GROUP_TIME.fullmatch(record["term"])
        return float(schools.get(int(found[1]), 0)) if found else float("nan")
    if str(estimand).startswith((*SWITCHING, *PARTS)):
        # The schools that they are about are not counted apart; they are at least as many as their clusters.
        return float(record["clusters_treated"])
    cells = records[(records["model"] == record["model"]) & (records["estimand"] == "att_group_time")]
    if estimand == "att_event_time":
        time = int(record["event_time"])
        if len(cells):
            groups = _groups_of(cells[(cells["event_time"] == time).fillna(False)])
        else:
            groups = _groups_at(time, list(schools), cohort, specs[record["model"]])
        return float(sum(schools.get(group, 0) for group in groups))
    if estimand in ("att_third_year_on", "att_third_year_on_equal") and len(cells):
        first = load("follow_up").headline_from_event_time
        groups = _groups_of(cells[(cells["event_time"] >= first).fillna(False)])
        return float(sum(schools.get(group, 0) for group in groups))
    return float(sum(schools.values()))


def _groups_of(cells: pd.DataFrame) -> list[int]:
    found = (GROUP_TIME.fullmatch(term) for term in cells.loc[cells["estimate"].notna(), "term"])
    return sorted({int(match[1]) for match in found if match})


def _groups_at(time: int, entry_years: list[int], cohort: Cohort, spec: ModelSpec) -> list[int]:
    """Entry years that are observed at an event time of a model without group-time effects."""
    years = cohort.years_of(spec.outcome)

    def counts(seen: int) -> bool:
        if isinstance(spec, EventStudy) and time == spec.maximum_event_time:
            return seen >= time
        if isinstance(spec, EventStudy) and time == spec.minimum_event_time:
            return seen <= time
        return seen == time

    return [entry for entry in entry_years if any(counts(year - entry) for year in years)]


def _withhold_second(records: pd.DataFrame, reason: pd.Series, few_people: pd.Series) -> None:
    """Withhold another number where a single one is withheld, and a reader could work it out from the others.

    These are group-time effects of an event time, whose average is shown, effects of a model's networks, whose
    departures from the mean add up to 0, and effects of parts of the member schools, whose average is the headline.

    Parameters
    ----------
    few_people : records that are withheld later, since they rest on too few people.
    """
    cells = records[(records["estimand"] == "att_group_time") & records["estimate"].notna()]
    networks = records[(records["estimand"] == "network_effect") & records["estimate"].notna()]
    groups = [rows for _, rows in cells.groupby(["model", "event_time"], sort=True)]
    parts = records[(records["estimand"] == PART) & records["estimate"].notna()]
    groups += [rows for own in (networks, parts) for _, rows in own.groupby("model", sort=True)]
    for together in groups:
        out = (reason[together.index] != "") | few_people[together.index]
        if out.sum() != 1 or out.all():
            continue
        rest = together[~out]
        sizes = {column: rest[column].astype("Float64").fillna(0) for column in ("n_treated", "n_schools")}
        order = rest.assign(**sizes).sort_values(["n_treated", "n_schools", "term"], kind="stable")
        reason[order.index[0]] = "could be worked out from another effect that is withheld"
