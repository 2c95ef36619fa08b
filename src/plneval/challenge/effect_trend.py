"""Whether the effect holds on: its change from year to year, from the third year of participation on."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from plneval import did
from plneval.config.cohort import Cohort
from plneval.config.models import GroupTime
from plneval.did.few_clusters import of_group_times
from plneval.estimate.cell_members import Members
from plneval.estimate.group_time import estimate_effects, without_references
from plneval.estimate.inference import interval
from plneval.estimate.sample import modelled_column, read_school_sample
from plneval.estimate.school_panel import in_words
from plneval.networks.sustainability import Estimate
from plneval.standards import load


def effect_trend(cohort: Cohort, spec: GroupTime, panel: Path) -> Estimate | str:
    r"""Slope of group-time effects on years of participation, from the third year on, within entry groups.

    With weights :math:`w` (treated pupils or schools of a cell), event time e and its weighted mean
    :math:`\bar e_g` within the entry group, the slope is :math:`\sum w (e - \bar e_g) ATT_{gt} / \sum w (e - \bar
    e_g)^2`: groups that are observed for long and for short are not compared with each other. Its error comes from the
    cells' influence by cluster; t with the clusters of the smaller arm less 1.

    # ASSUME: one slope for all entry groups, in event time; years of tests may make effects differ as well.

    Returns
    -------
    The slope in units of the modelled column a year, or a sentence that says why there is none.
    """
    column = modelled_column(cohort, spec.outcome)
    sample = read_school_sample(panel, cohort, spec.outcome, spec.subgroup, column, tuple(spec.covariates))
    try:
        effects, lone = estimate_effects(sample, spec)
    except did.DidError as reason:
        return f"No effect could be estimated: {in_words(str(reason))}."
    members = Members(effects)
    effects = without_references(effects)
    event = effects.times - effects.groups
    rows, _ = of_group_times(effects.adjusted)
    third = load("follow_up").headline_from_event_time
    late = np.flatnonzero((event >= third) & np.isfinite(rows).all(axis=0))
    if not len(late):
        return "No effect from the third year on has a standard error."
    group, time = effects.groups[late], event[late].astype(np.float64)
    weight_of = sample.rows.drop_duplicates("school").set_index("school")["weight"]
    numbers, unit = members.schools()
    cells = tuple(effects.estimated[place] for place in late)
    mass = np.array([weight_of.reindex(numbers[members.arms(cell)[0][unit]]).sum() for cell in cells])
    centre = np.array([np.average(time[group == own], weights=mass[group == own]) for own in group])
    spread = float(np.sum(mass * (time - centre) ** 2))
    if spread <= 0:
        return "No entry group has results in two years from the third year on."
    slope = mass * (time - centre) / spread
    treated, comparison = (int(arm.sum()) for arm in members.cluster_arms(cells))
    fewest = min(1 if lone else treated, comparison)
    if fewest < 2:
        return "There are fewer than two clusters in an arm, so that the trend has no interval."
    by_cluster = rows[:, late] @ slope
    se = math.sqrt(float(by_cluster @ by_cluster))
    value = float(slope @ effects.att[late])
    rules = load("sustainability")
    low, high, _ = interval(value, se, float(fewest - 1), rules.confidence_level)
    if low is None or high is None:
        return "The trend has no standard error."
    schools = np.any([arm for cell in cells for arm in members.arms(cell)], axis=0)
    return Estimate(value, low, high, int(schools.sum()))
