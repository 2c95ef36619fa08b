"""Effects on the gap between disadvantaged and other pupils of the same schools (triple differences)."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from plneval import did
from plneval.config.cohort import Cohort
from plneval.config.models import TripleDifference
from plneval.did.triple_difference import TripleDifferences
from plneval.estimate.cell_members import Members
from plneval.estimate.counts import PupilCounts
from plneval.estimate.fit import Fit, unestimable
from plneval.estimate.group_time import (
    COMPARISONS,
    base_years,
    fit_of,
    statistics_of,
    with_base_year,
    without_references,
)
from plneval.estimate.sample import Exclusions, SchoolSample, read_school_sample
from plneval.estimate.school_panel import COLUMNS, in_words, note_dropped, school_panel

FOCAL: Final = "disadvantaged"
OTHER: Final = "not_disadvantaged"


def read_gap_sample(
    panel: Path, cohort: Cohort, outcome: str, column: str, covariates: tuple[str, ...] = ()
) -> SchoolSample:
    """School-years in which both groups of pupils have scores, as one row each.

    Returns
    -------
    SchoolSample
        With ``focal`` and ``other``, the means of the two groups, beside ``y``, the gap (focal less other); ``n``
        counts both groups. A school weighs as its mean number of scored disadvantaged pupils (``design.weight:
        pupils``), in both groups: schools differ in how many of their pupils are disadvantaged, and with one weight
        that does not move the gap.
    """
    focal = read_school_sample(panel, cohort, outcome, FOCAL, column, covariates)
    other = read_school_sample(panel, cohort, outcome, OTHER, column)
    exclusions = Exclusions([{**row, "group": FOCAL} for row in focal.exclusions.rows])
    exclusions.rows += [{**row, "group": OTHER} for row in other.exclusions.rows]
    pair = other.rows[["school", "year", "y", "n"]].rename(columns={"y": "other", "n": "n_other"})
    rows = focal.rows.rename(columns={"y": "focal"}).merge(pair, on=["school", "year"], how="inner")
    alone = len(focal.rows) + len(other.rows) - 2 * len(rows)
    exclusions.add("school-years", alone, "scores of one of the two groups only")
    rows["y"] = rows["focal"] - rows["other"]
    rows["n"] = rows["n"] + rows["n_other"]
    return SchoolSample(rows.drop(columns="n_other"), column, cohort.design.weight, exclusions)


def triple_difference(
    sample: SchoolSample, spec: TripleDifference, pupils: PupilCounts, minimum_entry_group: int = 1
) -> Fit:
    """Estimate by :func:`plneval.did.triple_difference` by how much the effect is larger on disadvantaged pupils.

    Positive numbers narrow the gap where disadvantaged pupils are behind. What moves both groups of a school alike
    cancels; the gap would have moved in parallel in member and comparison schools. A cell's base is its group's last
    observed year before joining; schools with both groups in every outcome year are used.

    Returns
    -------
    Fit
        The estimands of :func:`plneval.estimate.group_time.group_time`, on the gap.
    """
    comparison = COMPARISONS[spec.comparison]
    description = f"schools with {sample.column} of both groups of pupils in every outcome year"
    diagnostics: dict[str, Any] = {
        "library": "plneval.did",
        "method": spec.method,
        "covariates": spec.covariates,
        "anticipation": spec.anticipation,
        "weights": "mean number of scored disadvantaged pupils"
        if sample.weight == "pupils"
        else "equal for all schools",
        "exclusions": sample.exclusions.rows,
        "intervals": "pointwise",
    }
    try:
        found = _estimate_effects(sample, spec)
    except did.DidError as reason:
        diagnostics["not_estimated"] = [in_words(str(reason))]
        return unestimable(spec.kind, sample.column, comparison, description, diagnostics)
    note_dropped(sample.exclusions, found.dropped)
    members = _Schools(found)
    effects = without_references(found)
    diagnostics["base_years"] = base_years(effects)
    diagnostics["cells"] = len(effects.estimated)
    if not (effects.times >= effects.groups).any():
        diagnostics["not_estimated"] = ["no cell from joining on can be estimated (see exclusions)"]
    statistics = statistics_of(effects, members, diagnostics, minimum_entry_group)
    fit = fit_of(sample, spec, members, pupils, statistics, diagnostics, lone_cluster=False)
    return replace(fit, sample=description)


class _Schools(Members):
    """Schools behind a cell where units are pairs of school and group of pupils; the pair of the focal group counts."""

    def schools(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.intp]]:
        pairs = list(self._design.cells.units)
        focal = np.array([position for position, (_, is_focal) in enumerate(pairs) if is_focal], dtype=np.intp)
        return np.array([pairs[position][0] for position in focal], dtype=np.int64), focal


def _estimate_effects(sample: SchoolSample, spec: TripleDifference) -> TripleDifferences:
    """Effects on the gap, reference cells included; raises ``DidError`` if there is nothing to estimate."""
    frame, covariates = school_panel(sample, spec.covariates)
    if frame.empty:
        raise did.DidError("no school-year has scores of disadvantaged and of other pupils")
    frame = frame.assign(focal=sample.rows["focal"].to_numpy(), other=sample.rows["other"].to_numpy())
    frame = _complete(sample, with_base_year(sample, frame, spec.anticipation), spec, covariates)
    both = [frame.assign(y=frame[name], is_focal=int(name == "focal")) for name in ("focal", "other")]
    return did.triple_difference(
        pd.concat(both, ignore_index=True),
        **COLUMNS,
        subgroup="is_focal",
        focal=1,
        covariates=covariates or None,
        comparison=spec.comparison,
        method=spec.method,
        panel=True,
        anticipation=spec.anticipation,
        base_period="universal",
        missing_entry="never",
        level=spec.confidence,
    )


def _complete(sample: SchoolSample, frame: pd.DataFrame, spec: TripleDifference, covariates: list[str]) -> pd.DataFrame:
    """Schools seen in every year, and, where members are compared with schools that never join, none that join later.

    A school-year without a covariate cannot be used.
    """
    whole = frame[covariates].notna().all(axis=1)
    sample.exclusions.add("school-years", int((~whole).sum()), "no value of a covariate")
    frame = frame.loc[whole]
    late = frame["entry_year"] > frame["year"].max() + spec.anticipation
    if spec.comparison == "never":
        reason = "joined after the last outcome year: neither treated nor a school that never joins"
        sample.exclusions.add("schools", frame.loc[late, "school"].nunique(), reason)
        frame = frame.loc[~late]
    gaps = frame.groupby("school")["year"].transform("size") < frame["year"].nunique()
    reason = "not seen with both groups of pupils in every outcome year"
    sample.exclusions.add("schools", frame.loc[gaps, "school"].nunique(), reason)
    kept: pd.DataFrame = frame.loc[~gaps]
    if kept.empty:
        raise did.DidError("no school has scores of disadvantaged and of other pupils in every outcome year")
    return kept.assign(entry_year=kept["entry_year"].where(~late.loc[kept.index], math.nan))
