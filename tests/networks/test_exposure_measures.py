"""Measures and findings of exposure, dose and contamination, counted again in other ways."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from network_study import cohort, four_schools, study

from plneval import did
from plneval.artifacts import write_table
from plneval.challenge.exposure_findings import FINDINGS_OF_EXPOSURE, doubtful_comparison, mobilisation
from plneval.config.models import GroupTime
from plneval.config.network_models import Diffusion, DoseBands
from plneval.describe import exposure_measures as measures
from plneval.estimate.diffusion import diffusion
from plneval.estimate.dose_bands import dose_bands
from plneval.networks.attendance import school_dose
from plneval.networks.contamination import haversine_km
from plneval.release.door_exposure import EXPOSURE_TABLES

HEADLINE = GroupTime(kind="did.att_gt", label="h", outcome="maths", headline=True)


def as_study(made: Any, panel: Path | None = None) -> Any:
    """A simulated study as measures and models get it, its panels written where a model reads files."""
    if panel is not None:
        write_table(panel / "panel_pupil.parquet", made.pupil)
        write_table(panel / "panel_school.parquet", made.school)
    tables = made.tables
    return SimpleNamespace(
        cohort=tables.cohort, tables=tables, schools=tables.schools, pupil=made.pupil, school=made.school, panel=panel
    )


def without_data() -> Any:
    """School-level results, no teachers, no meetings, no places."""
    tables = study(
        schools=[{"school_id": "A", "arm": "member", "entry_year": 2015}, {"school_id": "B"}],
        config=cohort(study={"level": "school"}),
    )
    return SimpleNamespace(
        cohort=tables.cohort,
        tables=tables,
        schools=tables.schools,
        pupil=pd.DataFrame(columns=["outcome", "treated", "exposure"]),
        panel=None,
    )


@pytest.mark.parametrize("name", sorted(measures.OF_EXPOSURE))
def test_every_measure_has_its_released_columns_also_without_such_data(simulated, name: str) -> None:
    measure = measures.OF_EXPOSURE[name]
    empty, full = measure(without_data()), measure(as_study(simulated))
    assert list(empty.columns) == list(full.columns)
    assert set(EXPOSURE_TABLES[name].columns) <= set(full.columns)
    assert len(full)
    if name not in ("contamination", "exposure_separability", "teacher_intensity", "network_attendance"):
        assert empty.empty


def test_what_cannot_be_told_apart_is_said_for_school_level_results() -> None:
    found = measures.exposure_separability(without_data())
    assert found["reason"].tolist() == ["school_level"]
    assert "cannot be told apart, because outcomes are known of schools only" in found["statement"][0]
    assert set(measures.OF_EXPOSURE) | set(FINDINGS_OF_EXPOSURE) == set(EXPOSURE_TABLES)


def test_the_share_directly_taught_is_the_planted_one(simulated) -> None:
    table = measures.exposure_by_event_time(as_study(simulated)).set_index(["outcome", "event_time"])
    for outcome, by_time in simulated.truth["effects"]["event_time"].items():
        for time, planted in by_time.items():
            if planted["direct_share"] is not None and (outcome, int(time)) in table.index:
                found = table.loc[(outcome, int(time))]
                assert found["direct_share"] == pytest.approx(planted["direct_share"], abs=1e-12)


def test_own_years_are_counted_over_schools_and_years_without_tests(simulated) -> None:
    tables = simulated.tables
    entry = tables.schools.set_index("school")["entry_year"].to_dict()
    joined: dict[int, list[int]] = {}
    for pupil, year, school in tables.pupils[["pupil", "year", "school"]].itertuples(index=False):
        if pd.notna(entry[school]) and year >= entry[school]:
            joined.setdefault(pupil, []).append(year)
    scores = simulated.pupil[(simulated.pupil["outcome"] == "maths") & (simulated.pupil["treated"] == 1)]
    rows: dict[int, list[int]] = {}
    for pupil, year, time in scores[["pupil", "year", "event_time"]].itertuples(index=False):
        rows.setdefault(int(time), []).append(sum(one <= year for one in joined[pupil]))
    table = measures.own_exposure(as_study(simulated))
    table = table[table["outcome"] == "maths"].set_index("event_time")
    for time, years in rows.items():
        assert table.loc[time, "n_pupils"] == len(years)
        assert table.loc[time, "mean_years"] == pytest.approx(np.mean(years), abs=1e-12)
        assert table.loc[time, "share_fewer"] == pytest.approx(np.mean([one < time + 1 for one in years]), abs=1e-12)


def test_pupils_who_change_phase_are_counted_once_each_time(simulated) -> None:
    phase = simulated.tables.schools.set_index("school")["phase"].to_dict()
    changes, last = 0, {}
    rolls = simulated.tables.pupils.sort_values(["pupil", "year"])
    for pupil, school in rolls[["pupil", "school"]].itertuples(index=False):
        changes += pupil in last and phase[last[pupil]] != phase[school]
        last[pupil] = school
    table = measures.phase_changes(as_study(simulated))
    assert table[table["outcome"] == "maths"]["n_pupils"].sum() == changes > 0


def test_intensity_by_event_time_is_the_mean_over_schools() -> None:
    """A: a1 of a1, a2 in 2014; B: b1 of b1 to b3 in 2016, and b1, b2 of them in 2017."""
    tables = four_schools()
    made = SimpleNamespace(cohort=tables.cohort, tables=tables, schools=tables.schools, pupil=pd.DataFrame())
    table = measures.teacher_intensity(made).set_index("event_time")
    assert table.loc[0, "mean_intensity"] == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert table.loc[0, "mean_teachers"] == pytest.approx(2.5)
    assert (table.loc[0, "n_schools"], table.loc[0, "n_known"]) == (2, 2)
    assert table.loc[1, "mean_intensity"] == pytest.approx(2 / 3)


def test_differences_by_dose_are_group_time_differences_of_its_school_years(simulated, tmp_path: Path) -> None:
    """With limits below every dose all recorded doses above zero are high: a fit of these school-years by hand."""
    made = as_study(simulated, tmp_path)
    fit = dose_bands(made, DoseBands(kind="networks.dose", label="d", outcome="maths", edges=[1e-9, 2e-9]))
    found = {(one.estimand, one.term): one for one in fit.estimates}
    dose = school_dose(simulated.tables)
    some = dose[(dose["member"] == 1) & (dose["hours_per_teacher"] > 0)][["school", "year"]].assign(some=1)
    rows = simulated.school[(simulated.school["outcome"] == "maths") & (simulated.school["subgroup"] == "all")]
    rows = rows.merge(some, on=["school", "year"], how="left")
    weight = rows.groupby("school")["n"].transform("mean").astype(float)
    after = (rows["year"] >= rows["entry_year"]).fillna(False).astype(bool)
    kept = rows.assign(w=weight, entry_year=rows["entry_year"].astype(float))[~after | (rows["some"] == 1)]
    effects = did.att_gt(
        kept,
        "z",
        "year",
        "school",
        "entry_year",
        weights="w",
        cluster="cluster",
        panel=True,
        allow_unbalanced="pairwise",
        base_period="universal",
        missing_entry="never",
        late_entry="group",
    )
    late = effects.aggregate("simple", min_event=2).estimate
    assert found["dose_third_year_on", "high"].estimate == pytest.approx(late, abs=1e-10)
    assert "say nothing about what more hours would do" in fit.warnings[0]
    assert not any(one.scaled for one in fit.estimates)
    assert all(one.event_time is None or one.event_time >= 0 for one in fit.estimates)


def test_without_attendance_no_difference_by_dose_is_made(tmp_path: Path, simulated) -> None:
    made = as_study(simulated, tmp_path)
    made.tables = four_schools(activity=[])
    fit = dose_bands(made, DoseBands(kind="networks.dose", label="d", outcome="maths"))
    assert fit.estimates == ()
    assert "no attendance records" in fit.diagnostics["not_estimated"][0]


def test_the_headline_without_near_comparison_schools_is_that_of_the_others(simulated, tmp_path: Path) -> None:
    made = as_study(simulated, tmp_path)
    specs = {"h": HEADLINE}
    table = doubtful_comparison(made, specs, pd.DataFrame()).set_index("variant")
    schools = simulated.tables.schools
    joined = schools[(schools["arm"] == "member") & schools["entry_year"].notna()]
    compared = schools[(schools["arm"] == "comparison") & (schools["status"] == "analysed")]
    near = [
        school
        for school, latitude, longitude in compared[["school", "latitude", "longitude"]].itertuples(index=False)
        if min(haversine_km(latitude, longitude, joined["latitude"], joined["longitude"])) < 3
    ]
    own = table.loc["without_near"]
    if near:
        assert (own["status"], own["n_left_out"]) == ("estimated", len(near))
        fewer = SimpleNamespace(**{**vars(made), "panel": tmp_path / "fewer"})
        write_table(fewer.panel / "panel_school.parquet", simulated.school[~simulated.school["school"].isin(near)])
        again = doubtful_comparison(fewer, specs, pd.DataFrame()).set_index("variant")
        assert own["estimate"] == pytest.approx(again.loc["all", "estimate"], abs=1e-12)
        assert own["estimate"] != pytest.approx(table.loc["all", "estimate"], abs=1e-6)
    else:
        assert own["status"] == "nothing_left_out"
    assert table.loc["without_later", "status"] == "nothing_left_out"
    assert pd.isna(table.loc["all", "n_left_out"])


def test_sets_of_ratios_follow_from_the_records_alone(simulated) -> None:
    spec = Diffusion(kind="networks.diffusion", label="d", outcome="maths")
    fit = diffusion(as_study(simulated), spec)
    kept = ("estimand", "term", "event_time", "estimate", "se", "df")
    rows = [
        {
            **{name: asdict(one)[name] for name in kept},
            "model": "d",
            "n_schools": one.basis.n_schools,
            "clusters_treated": one.basis.clusters_treated,
        }
        for one in fit.estimates
    ]
    table = mobilisation(as_study(simulated), {"d": spec}, pd.DataFrame(rows))
    ratios = [one for one in fit.estimates if one.estimand.startswith("mobilisation_ratio")]
    assert len(table) == len(ratios) > 1
    for row, one in zip(table.itertuples(), ratios, strict=True):
        assert row.ratio == pytest.approx(one.estimate)
        kind = "none" if one.vcov == "none" else one.vcov.removeprefix("Fieller, ")
        assert row.kind == kind
        if kind == "bounded":
            assert (row.ci_low, row.ci_high) == pytest.approx(one.bounds, rel=1e-6)
