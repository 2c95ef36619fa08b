"""How results differ from comparison schools by how much schools took part: a description, not an effect of dose."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pandas as pd

from plneval import did
from plneval.config.models import GroupTime
from plneval.config.network_models import DoseBands
from plneval.estimate.cell_members import Members
from plneval.estimate.counts import PupilCounts
from plneval.estimate.fit import Fit, unestimable
from plneval.estimate.group_time import estimate_effects, fit_of, statistics_of, without_references
from plneval.estimate.sample import Exclusions, SchoolSample, modelled_column, read_school_sample
from plneval.estimate.school_panel import in_words
from plneval.estimate.side_by_side import SideBySide
from plneval.networks.attendance import school_dose
from plneval.networks.dose import NOT_CAUSAL
from plneval.networks.dose import dose_bands as banded
from plneval.networks.study import NetworkStudy

BANDS: Final = ("none", "low", "middle", "high", "unknown")
COLUMNS: Final = {
    "hours_per_teacher": "hours_per_teacher",
    "hours": "hours",
    "events": "events",
    "share": "share_attended",
}
COMPARISON: Final = "schools that never join"
NAMES: Final = {"att_third_year_on": "dose_third_year_on", "att_event_time": "dose_event_time"}


def dose_bands(study: NetworkStudy, spec: DoseBands) -> Fit:
    """Estimate, band by band, group-time differences of the school-years in which members had such a dose.

    A school-year's band is that of its own year. Each band has its own fit: the schools' years before joining, the
    school-years of the band, and the comparison schools; schools weigh the same in all bands.

    Returns
    -------
    Fit
        ``dose_third_year_on`` with the band as its term and ``dose_event_time`` with terms such as ``low:e2``; event
        times before joining are left out. Everything carries the label that it is not causal.
    """
    column = modelled_column(study.cohort, spec.outcome)
    description = "school-years of members by dose in that year, their years before joining, and comparison schools"
    sample = read_school_sample(study.panel, study.cohort, spec.outcome, spec.subgroup, column)
    exclusions = sample.exclusions
    dose = school_dose(study.tables)
    bands = banded(dose, COLUMNS[spec.measure], spec.edges or None)
    diagnostics: dict[str, Any] = {
        "library": "plneval.did",
        "measure": spec.measure,
        "bands": _limits(bands),
        "label": NOT_CAUSAL,
        "exclusions": exclusions.rows,
        "intervals": "pointwise",
    }
    if not dose["recorded"].any():
        diagnostics["not_estimated"] = ["no data say how much schools took part (no attendance records)"]
        return unestimable(spec.kind, column, COMPARISON, description, diagnostics)
    rows = sample.rows.merge(_in_membership(dose, bands), on=["school", "year"], how="left", validate="one_to_one")
    joined = (rows["year"] >= rows["entry_year"]).fillna(False).astype(bool)
    outside = joined & rows["band"].isna()
    exclusions.add("school-years", int(outside.sum()), "the school had left its network")
    pupils = PupilCounts.read(study.panel, spec.outcome, spec.subgroup)
    table = SideBySide()
    for band in BANDS:
        own = rows.loc[~joined | (rows["band"] == band)]
        if not (joined & (rows["band"] == band)).any():
            continue
        try:
            fit = _fit_of_band(replace(sample, rows=own.drop(columns="band")), spec, pupils, study)
        except did.DidError as reason:
            exclusions.add("bands", 1, in_words(str(reason)), band=band)
            continue
        after = [one for one in fit.estimates if one.event_time is None or one.event_time >= 0]
        described = [replace(one, scaled=False) for one in after]
        table.add(replace(fit, estimates=tuple(described)), NAMES, band)
    if not table.estimates:
        diagnostics["not_estimated"] = ["no band of dose has a school-year that can be compared (see exclusions)"]
        return unestimable(spec.kind, column, COMPARISON, description, diagnostics)
    covariance, influence = table.tables()
    return Fit(
        spec.kind,
        column,
        COMPARISON,
        description,
        tuple(table.estimates),
        covariance,
        influence,
        diagnostics,
        warnings=(NOT_CAUSAL, *exclusions.sentences()),
    )


def _in_membership(dose: pd.DataFrame, bands: pd.DataFrame) -> pd.DataFrame:
    """Bands of school-years in which the school is a member."""
    member = dose.loc[dose["member"] == 1, ["school", "year"]]
    return bands[["school", "year", "band"]].merge(member, on=["school", "year"], how="inner")


def _fit_of_band(sample: SchoolSample, spec: DoseBands, pupils: PupilCounts, study: NetworkStudy) -> Fit:
    """Group-time differences of one band; member schools without a year in it are left out of its base."""
    rows = sample.rows
    joined = (rows["year"] >= rows["entry_year"]).fillna(False).astype(bool)
    in_band = rows["school"].isin(rows.loc[joined, "school"].unique())
    kept = rows.loc[in_band | rows["entry_year"].isna()].reset_index(drop=True)
    own = SchoolSample(kept, sample.column, sample.weight, Exclusions())
    model = GroupTime.of(spec)
    found, lone = estimate_effects(own, model)
    members = Members(found)
    diagnostics: dict[str, Any] = {}
    statistics = statistics_of(without_references(found), members, diagnostics, study.cohort.design.minimum_entry_group)
    return fit_of(own, model, members, pupils, statistics, diagnostics, lone)


def _limits(bands: pd.DataFrame) -> list[dict[str, Any]]:
    """Lower and upper limit of each band, for the diagnostics."""
    found = (
        bands.drop_duplicates("band")[["band", "lower", "upper"]]
        .set_index("band")
        .reindex(list(BANDS))
        .dropna(how="all")
    )
    return [
        {"band": band, "above": row.lower, "up_to": None if pd.isna(row.upper) else row.upper}
        for band, row in found.iterrows()
    ]
