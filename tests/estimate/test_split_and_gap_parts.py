"""Effects by part of the member schools and parts of the gap's change, on panels small enough to work out by hand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from estimate_panels import cohort, pupil_panel, school_panel, write_panel
from scipy import stats

from plneval.config.network_models import GapParts, Split
from plneval.estimate.fit import Fit
from plneval.estimate.gap_parts import gap_parts
from plneval.estimate.network_effects import first_networks
from plneval.estimate.split import split

# What each school gains two years after 2012: member schools 1 to 6 of three networks, comparison schools 7 to 12.
GAIN = {1: 0.9, 2: 0.7, 3: 0.8, 4: 0.1, 5: 0.3, 6: 0.2, 7: 0.0, 8: 0.2, 9: 0.1, 10: 0.3, 11: 0.1, 12: 0.2}
TYPE = {10: "lesson study", 11: "data use/team", 12: "data use/team"}
NETWORK = {1: 10, 2: 10, 3: 10, 4: 11, 5: 11, 6: 12}


def study(folder: Path, types: dict[int, str | None] | None = None, minimum: int = 3) -> Any:
    """Schools in three thirds of deprivation: 1, 2, 7, 8 low; 3, 4, 9, 10 middle; 5, 6, 11, 12 high."""
    rows = []
    for school, gain in GAIN.items():
        for year in (2010, 2011, 2013, 2014):
            member = school <= 6
            rows.append(
                {
                    "school": school,
                    "year": year,
                    "entry_year": 2012 if member else None,
                    "cluster": school,
                    "network": NETWORK.get(school, pd.NA),
                    "z": 0.1 * school + (gain if year == 2014 else 0.0),
                    "deprivation": float((school - 1) % 6 // 2),
                }
            )
    frame = pd.DataFrame(rows).astype({"entry_year": "Int64", "network": "Int64"})
    panel = write_panel(folder, school_panel(frame), sds={"z": 1.0})
    schools = frame.drop_duplicates("school").assign(status="analysed", area="north", phase="primary")
    schools["arm"] = np.where(schools["school"] <= 6, "member", "comparison")
    described = pd.Series(TYPE if types is None else types, dtype="object")
    return SimpleNamespace(
        cohort=cohort("schools", minimum_entry_group=minimum),
        panel=panel,
        school=pd.read_parquet(panel / "panel_school.parquet"),
        schools=schools,
        school_networks=first_networks(schools),
        tables=SimpleNamespace(networks=pd.DataFrame({"network": described.index, "type": described.to_numpy()})),
    )


def by(what: str, **more: Any) -> Split:
    return Split.model_validate({"kind": "networks.split", "label": "l", "outcome": "maths", "by": what, **more})


def found(fit: Fit) -> dict[tuple[str, str], Any]:
    return {(one.estimand, one.term): one for one in fit.estimates}


def test_parts_by_type_are_compared_with_all_comparison_schools(tmp_path: Path) -> None:
    fit = split(study(tmp_path), by("network_type"))
    others = [GAIN[school] for school in range(7, 13)]
    estimates = found(fit)
    for term, schools in (("network_type:lesson study", (1, 2, 3)), ("network_type:data use team", (4, 5, 6))):
        own = [GAIN[school] for school in schools]
        welch = stats.ttest_ind(own, others, equal_var=False)
        one = estimates["att_split", term]
        assert one.estimate == pytest.approx(np.mean(own) - np.mean(others), abs=1e-12)
        assert one.estimate / one.se == pytest.approx(welch.statistic, rel=1e-10)
        # Never more degrees of freedom than the three clusters of the smaller arm leave.
        assert one.df == pytest.approx(min(welch.df, 2), abs=1e-9)
        assert (one.basis.clusters_treated, one.basis.clusters_comparison, one.basis.n_schools) == (3, 6, 9)
    assert set(estimates) == {
        ("att_split", "network_type:lesson study"),
        ("att_split", "network_type:data use team"),
        ("split_test", "joint"),
    }


def test_comparison_schools_cancel_from_the_test_that_parts_are_alike(tmp_path: Path) -> None:
    """0.8 less 0.2 with variances of the two means 0.01/3 each: both parts are compared with the same schools."""
    fit = split(study(tmp_path), by("network_type"))
    test = found(fit)["split_test", "joint"]
    assert test.estimate == pytest.approx(0.6**2 / (0.01 / 3 + 0.01 / 3), rel=1e-9)
    assert test.p == pytest.approx(stats.f.sf(test.estimate, 1, 2), rel=1e-9)
    matrix = fit.covariance.pivot(index="row_term", columns="column_term", values="covariance")
    comparison = np.var([GAIN[school] for school in range(7, 13)], ddof=1) / 6
    assert matrix.iloc[0, 1] == pytest.approx(comparison, rel=1e-9)


def test_thirds_have_comparison_schools_of_their_own(tmp_path: Path) -> None:
    estimates = found(split(study(tmp_path), by("deprivation")))
    low = np.mean([0.9, 0.7]) - np.mean([0.0, 0.2])
    high = np.mean([0.3, 0.2]) - np.mean([0.1, 0.2])
    assert estimates["att_split", "deprivation:low"].estimate == pytest.approx(low, abs=1e-12)
    assert estimates["att_split", "deprivation:high"].estimate == pytest.approx(high, abs=1e-12)
    difference = estimates["att_split_difference", "deprivation:high-low"]
    assert difference.estimate == pytest.approx(high - low, abs=1e-12)
    # Nothing is shared between thirds: variances of four means of two schools.
    variances = [np.var(pair, ddof=1) / 2 for pair in ([0.9, 0.7], [0.0, 0.2], [0.3, 0.2], [0.1, 0.2])]
    assert difference.se == pytest.approx(np.sqrt(sum(variances)), rel=1e-9)
    assert difference.df == pytest.approx(1, abs=1e-9)


def test_rare_types_are_taken_together_and_unknown_ones_counted(tmp_path: Path) -> None:
    rare = {10: "lesson study", 11: "one", 12: "two"}
    estimates = found(split(study(tmp_path / "a", rare), by("network_type")))
    assert ("att_split", "network_type:other") in estimates
    fit = split(study(tmp_path / "b", {10: "lesson study", 11: None, 12: None}), by("network_type"))
    assert [term for estimand, term in found(fit) if estimand == "att_split"] == ["network_type:lesson study"]
    assert ("split_test", "joint") not in found(fit)
    assert {"unit": "schools", "count": 3, "reason": "network type not known"} in fit.diagnostics["exclusions"]


def test_what_is_not_known_of_any_school_leaves_no_estimate(tmp_path: Path) -> None:
    fit = split(study(tmp_path), by("network_focus"))
    assert fit.estimates == ()
    assert fit.diagnostics["not_estimated"] == ["no member school is of a known part"]


def gap_study(folder: Path) -> Any:
    """Two pupils of each group in every school: the gap of member schools narrows by 0.4, 0.2 and 0.3, all within."""
    rows = []
    for school in range(1, 7):
        narrowed = {1: 0.4, 2: 0.2, 3: 0.3, 4: 0.0, 5: 0.1, 6: 0.2}[school]
        for year in (2010, 2011, 2014):
            for pupil in range(4):
                disadvantaged = pupil < 2
                z = 0.2 * school - 0.5 * disadvantaged
                z += (narrowed / 2 if disadvantaged else -narrowed / 2) if year == 2014 else 0
                rows.append(
                    {
                        "school": school,
                        "year": year,
                        "pupil": 10 * school + pupil,
                        "entry_year": 2012 if school <= 3 else None,
                        "cluster": school,
                        "z": z,
                        "disadvantaged": int(disadvantaged),
                    }
                )
    frame = pd.DataFrame(rows).astype({"entry_year": "Int64"})
    return SimpleNamespace(cohort=cohort("pupils"), panel=folder, pupil=pupil_panel(frame))


def test_parts_of_the_gap_are_signed_so_that_plus_narrows(tmp_path: Path) -> None:
    spec = GapParts(kind="networks.gap", label="l", outcome="maths")
    estimates = found(gap_parts(gap_study(tmp_path), spec))
    assert estimates["gap_narrowed", "total"].estimate == pytest.approx(0.3 - 0.1, abs=1e-12)
    assert estimates["gap_narrowed", "within_schools"].estimate == pytest.approx(0.3 - 0.1, abs=1e-12)
    for part in ("where_pupils_are", "schools_means", "sorting"):
        assert estimates["gap_narrowed", part].estimate == pytest.approx(0, abs=1e-12)
    assert estimates["gap_narrowed_in_arm", "member:total"].estimate == pytest.approx(0.3, abs=1e-12)
    # The jackknife of a mean of three schools of one size is its usual standard error.
    one = estimates["gap_narrowed", "total"]
    assert one.se == pytest.approx(np.sqrt(0.01 / 3 + 0.01 / 3), rel=1e-9)
    assert (one.df, one.scaled) == (2, False)
    assert (one.basis.n_scores, one.basis.n_pupils, one.basis.n_schools, one.basis.n_treated) == (48, 24, 6, 12)
    arm = estimates["gap_narrowed_in_arm", "comparison:total"].basis
    assert (arm.clusters_treated, arm.clusters_comparison, arm.n_treated) == (None, 3, None)


def test_without_disadvantage_nothing_is_divided_and_the_reason_is_said(tmp_path: Path) -> None:
    made = gap_study(tmp_path)
    made.pupil["disadvantaged"] = pd.array([pd.NA] * len(made.pupil), dtype="Int64")
    fit = gap_parts(made, GapParts(kind="networks.gap", label="l", outcome="maths"))
    assert fit.estimates == ()
    assert fit.diagnostics["not_estimated"][0].startswith("no entry group has scores of disadvantaged")
    assert fit.diagnostics["exclusions"] == [{"unit": "scores", "count": 72, "reason": "disadvantage not known"}]
