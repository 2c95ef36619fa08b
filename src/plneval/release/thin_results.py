"""Estimates that rest on too few schools: which records are withheld, and which others with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import pandas as pd

from plneval.config.cohort import Cohort
from plneval.config.models import EventStudy, ModelSpec
from plneval.config.report import Disclosure
from plneval.release.disclosure import is_small
from plneval.release.worked_out import withhold_what_follows
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
    than the minimum, and when a withheld one could be worked out from it and others
    (:mod:`plneval.release.worked_out`). Those that rest on too few people are withheld later, with their counts.
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
    withhold_what_follows(records, reason, _few_people(records, cohort, rule))
    return reason


def _few_people(records: pd.DataFrame, cohort: Cohort, rule: Disclosure) -> pd.Series:
    """Records with a count of people that is too small to be shown."""
    counts = ["n_scores", "n_pupils", *(["n_treated"] if cohort.design.weight == "pupils" else [])]
    few = pd.Series(False, index=records.index)
    for column in (name for name in counts if name in records):
        small = [bool(pd.notna(count)) and is_small(int(count), rule) for count in records[column]]
        few |= pd.Series(small, index=records.index, dtype=bool)
    return few


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
