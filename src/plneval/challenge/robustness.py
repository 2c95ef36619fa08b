"""The headline without one network after the other, with made-up joining dates, and what two-way effects average."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from plneval import did
from plneval.config.models import GroupTime
from plneval.did.att_gt import GroupTimeEffects
from plneval.did.intervals import Intervals
from plneval.estimate.group_time import estimate_effects, without_references
from plneval.estimate.network_effects import first_networks
from plneval.estimate.sample import Exclusions, SchoolSample
from plneval.estimate.school_panel import COLUMNS, school_panel
from plneval.standards import load

PLACEBO_YEARS = (2, 3)
"""Years by which joining dates are moved back."""


def leave_one_out_table(
    model: str,
    sample: SchoolSample,
    spec: GroupTime,
    school_networks: pd.DataFrame | None = None,
    limit: int = 200,
) -> pd.DataFrame:
    """The effect from the third year on without one network after the other, from the lowest to the highest.

    Columns: model, position, estimate, se, ci_low, ci_high, n_schools (those of the network left out). Networks are
    not named. Of a school that counts for several networks (``school_networks``: school, network, part) that part of
    its weight is left out. Empty with a single network, or with more than ``limit``.
    """
    rows = sample.rows
    member = rows["entry_year"].notna()
    counting = first_networks(rows[member]) if school_networks is None else school_networks
    counting = counting.loc[counting["school"].isin(rows.loc[member, "school"])]
    found = []
    labels = sorted(counting["network"].unique())
    for label in labels if 1 < len(labels) <= limit else []:
        part = rows["school"].map(counting.loc[counting["network"] == label].set_index("school")["part"]).fillna(0.0)
        try:
            late = _third_year_on(_of(sample, rows.assign(weight=rows["weight"] * (1 - part))[part < 1]), spec)
        except did.DidError:
            continue
        found.append((*late, int(rows.loc[part > 0, "school"].nunique())))
    table = pd.DataFrame(found, columns=["estimate", "se", "ci_low", "ci_high", "n_schools"])
    table = table.sort_values("estimate", kind="stable", ignore_index=True)
    table.insert(0, "position", np.arange(1, len(table) + 1))
    table.insert(0, "model", model)
    return table


def _of(sample: SchoolSample, rows: pd.DataFrame) -> SchoolSample:
    return replace(sample, rows=rows.reset_index(drop=True), exclusions=Exclusions())


def third_year_on(sample: SchoolSample, spec: GroupTime) -> Intervals:
    """The effect from the third year on with the interval that the headline's rule gives it.

    The rule looks at the clusters that are seen in their third year or later, not at all that ever join.

    Raises
    ------
    DidError
        If these school-years have no such effect.
    """
    first = load("follow_up").headline_from_event_time
    effects = without_references(estimate_effects(sample, spec)[0])
    rows = sample.rows
    late = (rows["year"] - rows["entry_year"]).ge(first).fillna(False).astype(bool)
    smaller = min(rows.loc[arm, "cluster"].nunique() for arm in (late, rows["entry_year"].isna()))
    few = spec.comparison == "never" and smaller < load("cluster_rules").small_sample_below
    return effects.aggregate("simple", min_event=first).intervals("small_sample" if few else None)


def _third_year_on(sample: SchoolSample, spec: GroupTime) -> tuple[float, float, float, float]:
    late = third_year_on(sample, spec)
    return late.estimate, late.se, late.ci_low, late.ci_high


def placebo_table(model: str, sample: SchoolSample, spec: GroupTime) -> pd.DataFrame:
    """The effect of joining some years before the school did, on outcomes from before it joined: it should be zero.

    Columns: model, years_earlier, estimate, se, ci_low, ci_high, p, n_schools, n_members. A made-up date needs an
    outcome before it and one between it and joining; where no group has both there is no row.
    """
    found = []
    for years in PLACEBO_YEARS:
        rows = sample.rows
        entry = rows["entry_year"].astype("Float64")
        before = (rows["year"] < entry - spec.anticipation).fillna(True).astype(bool)
        moved = rows[before].assign(entry_year=rows["entry_year"] - years)
        # Schools that have not reached their made-up date within the outcomes before joining say nothing.
        moved = moved[moved["entry_year"].isna() | (moved["entry_year"] <= moved["year"].max())]
        try:
            effects = without_references(estimate_effects(_of(sample, moved), spec)[0])
            average = effects.aggregate("simple").intervals()
        except did.DidError:
            continue
        members, schools = _schools(effects)
        numbers = (average.estimate, average.se, average.ci_low, average.ci_high, average.p)
        found.append((model, years, *numbers, schools, members))
    columns = ["model", "years_earlier", "estimate", "se", "ci_low", "ci_high", "p", "n_schools", "n_members"]
    return pd.DataFrame(found, columns=columns)


def _schools(effects: GroupTimeEffects) -> tuple[int, int]:
    """Member schools behind effects from entry on, and all schools."""
    after = np.unique(effects.groups[effects.times >= effects.groups])
    group = effects.design.groups[effects.design.group[effects.design.group >= 0]]
    members = int(np.isin(group, after).sum())
    return members, members + int(np.isinf(group).sum())


def bacon_table(model: str, sample: SchoolSample) -> pd.DataFrame:
    """What the single two-way coefficient averages (Goodman-Bacon 2021), over schools that are seen every year.

    Columns: model, kind (of comparison), weight, estimate, coefficient (of all of them), n_schools, n_left_out.
    """
    frame, _ = school_panel(sample, ())
    # Treatment is seen from the first year with outcomes on: groups that a gap year makes alike are one.
    years = np.sort(frame["year"].unique())
    position = np.searchsorted(years, frame["entry_year"].fillna(years[0]))
    seen_from = np.append(years.astype(float), np.inf)[position]
    frame["entry_year"] = frame["entry_year"].where(frame["entry_year"].isna(), seen_from)
    seen = frame.groupby("school")["year"].transform("size")
    complete = frame[seen == frame["year"].nunique()]
    columns = {name: column for name, column in COLUMNS.items() if name != "cluster"}
    result = did.bacon(complete, **columns, panel=True, missing_entry="never")
    schools = complete["school"].nunique()
    return pd.DataFrame(
        {
            "model": model,
            "kind": result.summary["kind"].str.replace(" ", "_"),
            "weight": result.summary["weight"],
            "estimate": result.summary["estimate"],
            "coefficient": result.estimate,
            "n_schools": schools,
            "n_left_out": frame["school"].nunique() - schools,
        }
    )
