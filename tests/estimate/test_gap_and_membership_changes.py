"""Effects on the gap, of leaving and of switching, on panels small enough to work out by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from estimate_panels import cohort, fitted, pupil_panel, school_panel, write_panel
from scipy import stats

from plneval.config.models import GroupTime, Leaving, Switchers, TripleDifference

GAP = TripleDifference(kind="did.triple_difference", label="l", outcome="maths")
LEAVING = Leaving(kind="did.leaving", label="l", outcome="maths")
SWITCHERS = Switchers(kind="did.switchers", label="l", outcome="maths")
# By how much the gap of six schools has changed two years after the first three joined, and disadvantaged pupils.
CHANGE = {1: 0.1, 2: 0.2, 3: 0.6, 4: 0.0, 5: 0.1, 6: 0.2}
PUPILS = {1: 10, 2: 20, 3: 30, 4: 10, 5: 10, 6: 20}


def gap_panel(folder: Path, drop: tuple[int, int] | None = None) -> Path:
    """Schools 1 to 3 join in 2012; trends of both groups of pupils differ between all schools, only gaps compare."""
    rows: list[dict[str, Any]] = []
    for school, change in CHANGE.items():
        for year in (2010, 2011, 2012, 2014):
            level = 0.3 * school + 0.05 * school * (year - 2010)
            fixed = {"school": school, "year": year, "entry_year": 2012 if school <= 3 else None, "cluster": school}
            grown = change if year == 2014 else change / 4 if year == 2012 else 0.0
            if drop != (school, year):
                rows.append(
                    {**fixed, "subgroup": "disadvantaged", "z": level - 0.5 + grown, "n": float(PUPILS[school])}
                )
            rows.append({**fixed, "subgroup": "not_disadvantaged", "z": level, "n": 90.0 - 10 * school})
    frame = pd.DataFrame(rows).astype({"entry_year": "Int64"})
    return write_panel(folder, school_panel(frame), sds={"z": 0.5})


def test_the_effect_on_the_gap_is_the_weighted_difference_of_its_changes(tmp_path: Path) -> None:
    records, said = fitted(cohort("pupils"), GAP, gap_panel(tmp_path))
    # (10 x 0.1 + 20 x 0.2 + 30 x 0.6) / 60 - (0 + 10 x 0.1 + 20 x 0.2) / 40
    by_hand = 23 / 60 - 5 / 40
    for key in (("att_group_time", "g2012:t2014"), ("att_event_time", "e2"), ("att_third_year_on", "")):
        assert records.loc[key, "estimate"] == pytest.approx(by_hand, abs=1e-12)
    assert records.loc[("att_group_time", "g2012:t2012"), "estimate"] == pytest.approx(by_hand / 4, abs=1e-12)
    assert records.loc[("att_group_time", "g2012:t2010"), "estimate"] == pytest.approx(0, abs=1e-12)
    # The mean of a quarter and the whole.
    assert records.loc[("att_overall", ""), "estimate"] == pytest.approx(by_hand * 5 / 8, abs=1e-12)
    headline = records.loc[("att_third_year_on", "")]
    assert headline["effect_size"] == pytest.approx(by_hand / 0.5, abs=1e-12)
    assert (headline["subgroup"], headline["headline"]) == ("gap", False)
    assert said["base_years"] == {"2012": 2011}
    # Both groups of pupils: two years of 60 + 40 disadvantaged, and of 80 to 30 others.
    assert headline["n_scores"] == 2 * (100 + 330)


def test_the_standard_error_of_equal_schools_is_welchs(tmp_path: Path) -> None:
    records, _ = fitted(cohort("schools"), GAP, gap_panel(tmp_path))
    headline = records.loc[("att_third_year_on", "")]
    treated, others = [CHANGE[school] for school in (1, 2, 3)], [CHANGE[school] for school in (4, 5, 6)]
    welch = stats.ttest_ind(treated, others, equal_var=False)
    assert headline["estimate"] == pytest.approx(0.2, abs=1e-12)
    assert headline["estimate"] / headline["se"] == pytest.approx(welch.statistic, rel=1e-10)
    assert (headline["clusters_treated"], headline["clusters_comparison"]) == (3, 3)


def test_a_school_without_one_group_in_a_year_is_left_out_and_counted(tmp_path: Path) -> None:
    records, said = fitted(cohort("pupils"), GAP, gap_panel(tmp_path, drop=(3, 2010)))
    assert records.loc[("att_third_year_on", ""), "estimate"] == pytest.approx(5 / 30 - 5 / 40, abs=1e-12)
    found = {(row["unit"], row["reason"]): row["count"] for row in said["exclusions"]}
    assert found["school-years", "scores of one of the two groups only"] == 1
    assert found["schools", "not seen with both groups of pupils in every outcome year"] == 1
    assert records.loc[("att_third_year_on", ""), "n_schools"] == 5


def test_without_subgroups_nothing_is_estimated_and_the_reason_is_said(tmp_path: Path) -> None:
    rows = pd.DataFrame([{"school": s, "year": y, "z": 0.0, "entry_year": pd.NA} for s in (1, 2) for y in (2010, 2011)])
    records, said = fitted(cohort("schools"), GAP, write_panel(tmp_path, school_panel(rows)))
    assert records.empty
    assert said["not_estimated"] == ["no school-year has scores of disadvantaged and of other pupils"]


def test_pupils_of_unknown_group_are_not_counted(tmp_path: Path) -> None:
    folder = gap_panel(tmp_path)
    pupils = pd.DataFrame(
        {
            "school": [1, 1, 4, 4, 4],
            "year": 2014,
            "pupil": [11, 12, 41, 42, 43],
            "entry_year": [2012, 2012, None, None, None],
            "z": 0.0,
            "disadvantaged": pd.array([1, 0, 1, 0, pd.NA], dtype="Int64"),
        }
    ).astype({"entry_year": "Int64"})
    pupil_panel(pupils).to_parquet(folder / "panel_pupil.parquet")
    records, _ = fitted(cohort("pupils"), GAP, folder)
    headline = records.loc[("att_third_year_on", "")]
    assert (headline["n_pupils"], headline["n_treated"]) == (4, 2)


# Scores of seven schools in 2010, 2011, 2013 (2012 without outcomes) and 2014, and the years of membership.
SCORES = {
    1: [0.0, 0.2, 0.1, 0.0],
    2: [0.1, 0.4, 0.6, 0.2],
    3: [0.0, 0.3, 0.4, 0.6],
    4: [0.2, 0.4, 0.7, 0.8],
    5: [0.1, 0.2, 0.2, 0.3],
    6: [0.0, 0.0, 0.1, 0.1],
    7: [0.3, 0.2, 0.5, 0.4],
}
MEMBER = {
    1: [0, 1, 0, 0],
    2: [0, 1, 1, 0],
    3: [0, 1, 1, 1],
    4: [0, 1, 1, 1],
    5: [0, 0, 1, 1],
    6: [0, 0, 0, 0],
    7: [0, 0, 0, 0],
}
YEARS = (2010, 2011, 2013, 2014)
ENTRY = {1: 2011, 2: 2011, 3: 2011, 4: 2011, 5: 2013}


@pytest.fixture
def changing(tmp_path: Path) -> Path:
    rows = [
        {"school": s, "year": y, "entry_year": ENTRY.get(s), "cluster": s, "z": z, "member": m, "n": 10.0 * s}
        for s in SCORES
        for y, z, m in zip(YEARS, SCORES[s], MEMBER[s], strict=True)
    ]
    return write_panel(tmp_path, school_panel(pd.DataFrame(rows).astype({"entry_year": "Int64"})))


def test_leaving_compares_with_members_that_entered_together_and_stayed(changing: Path) -> None:
    records, said = fitted(cohort("schools"), LEAVING, changing)
    # School 1 is out in 2013, against 2, 3 and 4; school 2 in 2014, against 3 and 4.
    out_1 = (0.1 - 0.2) - np.mean([0.6 - 0.4, 0.4 - 0.3, 0.7 - 0.4])
    out_2 = (0.2 - 0.6) - np.mean([0.6 - 0.4, 0.8 - 0.7])
    later_1 = (0.0 - 0.2) - np.mean([0.6 - 0.3, 0.8 - 0.4])
    estimate = records["estimate"]
    assert estimate["att_leaving_event_time", "e0"] == pytest.approx((out_1 + out_2) / 2, abs=1e-12)
    assert estimate["att_leaving_event_time", "e1"] == pytest.approx(later_1, abs=1e-12)
    # Years outside at each effect: 1, 1 and, in its second, 1 again.
    assert estimate["att_leaving", ""] == pytest.approx((out_1 + out_2 + later_1) / 3, abs=1e-12)
    assert math.isnan(records.loc[("att_leaving_event_time", "e1"), "se"])
    assert "fewer than two clusters" in records.loc[("att_leaving_event_time", "e1"), "warnings"]
    assert records.loc[("att_leaving_event_time", "e0"), ["n_schools", "clusters_treated", "n_treated"]].tolist() == [
        4,
        2,
        2,
    ]
    assert "leaving is chosen" in records["warnings"].iloc[0]
    assert {"unit": "schools", "count": 2, "reason": "never members"} in said["exclusions"]


def test_leaving_weighs_schools_by_their_pupils(changing: Path) -> None:
    records, _ = fitted(cohort("pupils"), LEAVING, changing)
    out_1 = (0.1 - 0.2) - np.average([0.2, 0.1, 0.3], weights=[20, 30, 40])
    out_2 = (0.2 - 0.6) - np.average([0.2, 0.1], weights=[30, 40])
    by_hand = np.average([out_1, out_2], weights=[10, 20])
    assert records.loc[("att_leaving_event_time", "e0"), "estimate"] == pytest.approx(by_hand, abs=1e-12)


def test_switchers_compare_with_schools_that_have_not_switched(changing: Path) -> None:
    records, said = fitted(cohort("schools"), SWITCHERS, changing)
    # 1 to 4 join in 2011 (others 5, 6, 7), 5 in 2013 (others 6, 7).
    first = np.mean([0.2, 0.3, 0.3, 0.2]) - np.mean([0.1, 0.0, -0.1])
    fifth = 0.0 - np.mean([0.1, 0.3])
    estimate = records["estimate"]
    assert estimate["att_switching_event_time", "e0"] == pytest.approx((4 * first + fifth) / 5, abs=1e-12)
    # Leaving in 2013 is the other half of the year of a switch: 1 gives up what 2, 3 and 4 keep, and so on.
    lost_1 = np.mean([0.2, 0.1, 0.3]) - (0.1 - 0.2)
    lost_2 = np.mean([0.2, 0.1, 0.1]) - (0.2 - 0.6)
    stay_2014 = np.mean([0.6 - 0.4, 0.8 - 0.7, 0.3 - 0.2])
    assert stay_2014 == pytest.approx(np.mean([0.2, 0.1, 0.1]))
    joiners, leavers = (4 * first + fifth) / 5, (lost_1 + lost_2) / 2
    assert estimate["att_switching_year", "joiners"] == pytest.approx(joiners, abs=1e-12)
    assert estimate["att_switching_year", "leavers"] == pytest.approx(leavers, abs=1e-12)
    assert estimate["att_switching_year", ""] == pytest.approx((5 * joiners + 2 * leavers) / 7, abs=1e-12)
    assert said["periods"] == list(YEARS)


def test_covariance_and_influence_belong_to_the_standard_errors(changing: Path) -> None:
    records, _ = fitted(cohort("schools"), SWITCHERS, changing)
    covariance = pd.read_parquet(changing / "records" / "m.vcov.parquet")
    influence = pd.read_parquet(changing / "records" / "m.influence.parquet")
    known = records[records["se"].notna()]
    assert len(known) >= 4
    diagonal = covariance[covariance["row_term"] == covariance["column_term"]].set_index("row_term")["covariance"]
    squares = (influence["influence"] ** 2).groupby(influence["term"]).sum()
    for (estimand, term), se in known["se"].items():
        assert diagonal[f"{estimand}|{term}"] == pytest.approx(se**2, rel=1e-10)
        assert squares[f"{estimand}|{term}"] == pytest.approx(se**2, rel=1e-10)


def test_where_nobody_leaves_the_reason_is_said(tmp_path: Path) -> None:
    rows = [
        {"school": s, "year": y, "entry_year": 2011 if s < 3 else None, "z": 0.1 * s * y}
        for s in range(1, 5)
        for y in (2010, 2011, 2012)
    ]
    panel = write_panel(tmp_path, school_panel(pd.DataFrame(rows).astype({"entry_year": "Int64"})))
    records, said = fitted(cohort("schools"), LEAVING, panel)
    assert records.empty
    assert said["not_estimated"] == ["member: nobody leaves: there is nothing to estimate"]


@pytest.mark.parametrize("kind", ["did.att_gt", "did.triple_difference"])
def test_schools_without_a_year_before_joining_are_not_counted_behind_effects(tmp_path: Path, kind: str) -> None:
    rows = [
        # School 2 joins in the first outcome year; the numbers of the schools around it are used.
        {"school": s, "year": y, "entry_year": {1: 2012, 2: 2010, 4: 2012}.get(s), "z": 0.1 * s * (y - 2009) ** 0.5 + d}
        | {"subgroup": subgroup, "cluster": s, "n": 10.0}
        for s in range(1, 8)
        for y in (2010, 2011, 2012, 2014)
        for subgroup, d in (("all", 0.0), ("disadvantaged", -0.01 * s * y), ("not_disadvantaged", 0.0))
    ]
    panel = write_panel(tmp_path, school_panel(pd.DataFrame(rows).astype({"entry_year": "Int64"})))
    spec = GAP if kind == GAP.kind else GroupTime(kind="did.att_gt", label="l", outcome="maths")
    records, _ = fitted(cohort("schools"), spec, panel)
    headline = records.loc[("att_third_year_on", "")]
    assert (headline["n_schools"], headline["n_treated"], headline["n_networks"]) == (6, 2, 2)
