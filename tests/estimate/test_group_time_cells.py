"""Group-time effects on panels small enough to work by hand, and what happens to the cells that cannot be estimated."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from estimate_panels import cohort, fitted, school_panel, write_panel
from scipy import stats

from plneval.config.models import GroupTime
from plneval.errors import UserError


def spec(**settings: object) -> GroupTime:
    return GroupTime.model_validate(
        {"kind": "did.att_gt", "label": "l", "outcome": "maths", "headline": True, **settings}
    )


def rows(schools: dict[int, tuple[int | None, dict[int, float]]]) -> pd.DataFrame:
    """School → (entry year, outcome by year)."""
    return pd.DataFrame(
        [
            {"school": school, "entry_year": entry, "year": year, "z": z}
            for school, (entry, outcomes) in schools.items()
            for year, z in outcomes.items()
        ]
    ).astype({"entry_year": "Int64"})


def random_rows(seed: int, entries: list[int | None], years: list[int]) -> pd.DataFrame:
    draws = np.random.default_rng(seed)
    return rows(
        {
            school: (entry, {year: float(draws.normal()) for year in years})
            for school, entry in enumerate(entries, start=1)
        }
    )


BY_HAND = {
    1: (2012, {2010: 1.0, 2011: 2.0, 2012: 4.0, 2013: 5.0, 2014: 9.0}),
    2: (2012, {2010: 0.0, 2011: 1.0, 2012: 2.0, 2013: 4.0, 2014: 6.0}),
    3: (None, {2010: 0.0, 2011: 0.0, 2012: 1.0, 2013: 1.0, 2014: 1.0}),
    4: (None, {2010: 1.0, 2011: 2.0, 2012: 2.0, 2013: 3.0, 2014: 3.0}),
}


def test_cells_are_differences_of_mean_changes_from_the_last_year_before_joining(tmp_path: Path) -> None:
    # Changes from 2011. Members: 2010 -1, -1; 2012 +2, +1; 2013 +3, +3; 2014 +7, +5. Others: 0, -1; 1, 0; 1, 1; 1, 1.
    records, _ = fitted(cohort(), spec(), write_panel(tmp_path, school_panel(rows(BY_HAND))))
    expected = {"g2012:t2010": -0.5, "g2012:t2012": 1.0, "g2012:t2013": 2.0, "g2012:t2014": 5.0}
    found = records.loc["att_group_time", "estimate"].to_dict()
    assert found == pytest.approx(expected, abs=1e-12)
    assert records.loc[("att_overall", ""), "estimate"] == pytest.approx(8 / 3, abs=1e-12)
    assert records.loc[("att_third_year_on", ""), "estimate"] == pytest.approx(5.0, abs=1e-12)
    assert records["headline"].sum() == 1
    assert records.loc[("att_third_year_on", ""), "headline"]


def test_with_few_clusters_the_standard_error_is_welchs_and_t_has_degrees_of_freedom_near_its(tmp_path: Path) -> None:
    table = random_rows(3, [2012] * 5 + [None] * 9, [2011, 2012])
    record = fitted(cohort(), spec(), write_panel(tmp_path, school_panel(table)))[0].loc[
        ("att_group_time", "g2012:t2012")
    ]
    wide = table.pivot(index="school", columns="year", values="z")
    change = wide[2012] - wide[2011]
    welch = stats.ttest_ind(change.iloc[:5], change.iloc[5:], equal_var=False)
    assert record["estimate"] / record["se"] == pytest.approx(welch.statistic, rel=1e-12)
    # Welch and Satterthwaite by hand, in the version that is not biased by estimated variances.
    parts = np.array([change.iloc[:5].var() / 5, change.iloc[5:].var() / 9])
    df = parts.sum() ** 2 / (parts**2 / (np.array([4, 8]) + 2)).sum() - 2
    assert record["df"] == pytest.approx(df, rel=1e-10)
    assert abs(record["df"] - welch.df) < 1.5
    half = stats.t(df).ppf(0.975) * record["se"]
    assert record["ci_low"] == pytest.approx(record["estimate"] - half, abs=1e-12)
    assert "only 5 treated clusters: the interval is unreliable" in record["warnings"]


def test_influence_is_summed_within_clusters(tmp_path: Path) -> None:
    # Two schools of one network with the same change carry the information of one: four clusters of pairs.
    table = random_rows(4, [2012] * 4 + [None] * 6, [2011, 2012])
    doubled = pd.concat(
        [table.assign(cluster=table["school"]), table.assign(cluster=table["school"], school=table["school"] + 100)]
    )
    alone = fitted(cohort(), spec(), write_panel(tmp_path / "a", school_panel(table)))[0]
    pairs = fitted(cohort(), spec(), write_panel(tmp_path / "b", school_panel(doubled)))[0]
    key = ("att_group_time", "g2012:t2012")
    assert pairs.loc[key, "se"] == pytest.approx(alone.loc[key, "se"], rel=1e-12)
    assert pairs.loc[key, "clusters_treated"] == 4
    assert pairs.loc[key, "n_schools"] == 20


def test_schools_weigh_as_their_mean_number_of_scored_pupils(tmp_path: Path) -> None:
    table = rows(BY_HAND)
    table["n"] = table["school"].map({1: 30.0, 2: 10.0, 3: 20.0, 4: 60.0}) + (table["year"] - 2012)
    records, _ = fitted(cohort("pupils"), spec(), write_panel(tmp_path, school_panel(table)))
    # 2012: members (30*2 + 10*1)/40, others (20*1 + 60*0)/80.
    assert records.loc[("att_group_time", "g2012:t2012"), "estimate"] == pytest.approx(70 / 40 - 20 / 80, abs=1e-12)
    assert records.loc[("att_group_time", "g2012:t2012"), "n_treated"] == 40
    assert records.loc[("att_group_time", "g2012:t2012"), "n_scores"] == 120 + 116


def test_pupils_as_weight_without_any_count_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"set design\.weight to 'schools'"):
        fitted(cohort("pupils"), spec(), write_panel(tmp_path, school_panel(rows(BY_HAND))))


def test_cells_weigh_as_their_treated_pupils_in_the_headline(tmp_path: Path) -> None:
    years = dict.fromkeys(range(2010, 2016), 0.0)
    panel = rows(
        {
            1: (2012, years | {2014: 1.0, 2015: 2.0}),
            2: (2013, years | {2015: 4.0}),
            3: (None, years),
            4: (None, years),
        }
    )
    panel["n"] = panel["school"].map({1: 10.0, 2: 30.0, 3: 5.0, 4: 5.0})
    records, _ = fitted(cohort("pupils"), spec(), write_panel(tmp_path, school_panel(panel)))
    # Cells from the third year on: g2012 in 2014 (1.0) and 2015 (2.0), 10 pupils each; g2013 in 2015 (4.0), 30 pupils.
    assert records.loc[("att_third_year_on", ""), "estimate"] == pytest.approx((10 * 1 + 10 * 2 + 30 * 4) / 50)
    # Event time 2: (10*1 + 30*4)/40 = 3.25; event time 3: 2.0.
    assert records.loc[("att_third_year_on_equal", ""), "estimate"] == pytest.approx((3.25 + 2.0) / 2)


def test_a_group_that_joins_in_a_year_without_outcomes_stays_a_group_with_the_last_observed_base(
    tmp_path: Path,
) -> None:
    outcomes = {2010: 0.0, 2011: 1.0, 2013: 3.0, 2014: 4.0, 2015: 6.0}
    table = rows(
        {
            1: (2012, outcomes),
            2: (2012, outcomes),
            3: (2013, outcomes),
            4: (2013, outcomes),
            5: (None, dict.fromkeys(outcomes, 0.0)),
            6: (None, dict.fromkeys(outcomes, 0.0)),
        }
    )
    records, diagnostics = fitted(cohort(), spec(), write_panel(tmp_path, school_panel(table)))
    assert diagnostics["base_years"] == {"2012": 2011, "2013": 2011}
    cells = records.loc["att_group_time"]
    # 2012 has no outcomes: the group of 2012 is first seen at event time 1, that of 2013 at event time 0.
    assert cells.loc["g2012:t2013", ["event_time", "estimate"]].tolist() == [1, 2.0]
    assert cells.loc["g2013:t2013", ["event_time", "estimate"]].tolist() == [0, 2.0]
    assert cells.loc["g2012:t2014", ["event_time", "estimate"]].tolist() == [2, 3.0]
    # Gap years count: event time -2 is 2010 for the group of 2012 and the base year for that of 2013.
    assert records.loc[("att_event_time", "e-2"), "estimate"] == pytest.approx(-1.0)
    assert records.loc[("att_event_time", "e-2"), "n_schools"] == 4


def test_years_of_anticipation_move_the_base_and_are_neither_tested_nor_averaged(tmp_path: Path) -> None:
    records, diagnostics = fitted(
        cohort(),
        spec(anticipation=1),
        write_panel(
            tmp_path,
            school_panel(
                rows(
                    BY_HAND | {school: (entry, outcomes | {2009: 0.0}) for school, (entry, outcomes) in BY_HAND.items()}
                )
            ),
        ),
    )
    assert diagnostics["base_years"] == {"2012": 2010}
    assert diagnostics["pretrend"]["cells"] == ["g2012:t2009"]
    # Changes from 2010: members 3, 2 in 2012, 4, 4 in 2013, 8, 6 in 2014; others 1, 1; 1, 2; 1, 2.
    assert records.loc[("att_overall", ""), "estimate"] == pytest.approx((1.5 + 2.5 + 5.5) / 3)


def test_not_yet_members_are_compared_until_the_year_before_they_join(tmp_path: Path) -> None:
    table = random_rows(6, [2012] * 3 + [2014] * 3 + [None] * 3, [2011, 2012, 2013, 2014])
    records, _ = fitted(cohort(), spec(comparison="not_yet"), write_panel(tmp_path, school_panel(table)))
    wide = table.pivot(index="school", columns="year", values="z")
    in_2013 = wide[2013] - wide[2011]
    in_2014 = wide[2014] - wide[2011]
    cells = records.loc["att_group_time", "estimate"]
    assert cells["g2012:t2013"] == pytest.approx(in_2013.iloc[:3].mean() - in_2013.iloc[3:].mean(), abs=1e-12)
    assert cells["g2012:t2014"] == pytest.approx(in_2014.iloc[:3].mean() - in_2014.iloc[6:].mean(), abs=1e-12)
    # Before joining, the schools of 2012 are no comparison for those of 2014 once they are members.
    before = wide[2012] - wide[2013]
    assert cells["g2014:t2012"] == pytest.approx(before.iloc[3:6].mean() - before.iloc[6:].mean(), abs=1e-12)


def test_a_single_treated_school_gives_no_estimate_and_the_remedy(tmp_path: Path) -> None:
    table = random_rows(7, [2012] + [None] * 8, [2010, 2011, 2012, 2013, 2014])
    records, diagnostics = fitted(cohort(), spec(), write_panel(tmp_path, school_panel(table)))
    assert records.empty
    assert diagnostics["not_estimated"][0].startswith("a single treated school: ")
    assert "randomization_test()" in diagnostics["not_estimated"][0]


def test_a_single_treated_network_gives_an_estimate_without_a_standard_error(tmp_path: Path) -> None:
    table = random_rows(7, [2012] * 3 + [None] * 8, [2010, 2011, 2012, 2013, 2014])
    table["cluster"] = table["school"].where(table["entry_year"].isna(), 100)
    records, diagnostics = fitted(cohort(), spec(), write_panel(tmp_path, school_panel(table)))
    headline = records.loc[("att_third_year_on", "")]
    assert np.isfinite(headline["estimate"])
    assert headline[["se", "ci_low", "ci_high"]].isna().all()
    assert "no standard error: fewer than two treated clusters" in headline["warnings"]
    # One network of three schools among eight single ones: nine assignments of entry to clusters, all enumerated.
    assert headline["vcov"] == "randomisation of entry by cluster, all assignments"
    assert headline["p"] * 9 == pytest.approx(round(headline["p"] * 9))
    assert pd.isna(records.loc[("pretrend", "joint"), "p"])
    assert diagnostics["converged"]


def test_below_six_treated_clusters_the_headline_is_held_against_every_other_assignment_of_entry(
    tmp_path: Path,
) -> None:
    table = random_rows(5, [2012] * 4 + [None] * 7, [2011, 2012, 2014])
    records, diagnostics = fitted(cohort(), spec(), write_panel(tmp_path, school_panel(table)))
    headline = records.loc[("att_third_year_on", "")]
    wide = table.pivot(index="school", columns="year", values="z")
    change = (wide[2014] - wide[2011]).to_numpy()
    gaps = [
        abs(change[list(members)].mean() - np.delete(change, members).mean()) for members in combinations(range(11), 4)
    ]
    p = np.mean(np.array(gaps) >= abs(headline["estimate"]) - 1e-9)
    assert headline["p"] == pytest.approx(p, abs=1e-12)
    assert diagnostics["randomization"]["exact"]
    assert headline["ci_low"] < headline["estimate"] < headline["ci_high"]
    assert "randomisation inference" in headline["warnings"]
    assert records.loc[("att_overall", ""), "vcov"].startswith("small sample, t(")


def test_years_of_joining_are_exchanged_within_areas_where_the_cohort_says_so(tmp_path: Path) -> None:
    """Two of five schools join in the north, one of six in the south: 10 × 6 assignments, each by hand."""
    table = random_rows(5, [2012] * 2 + [None] * 3 + [2012] + [None] * 5, [2011, 2012, 2014])
    table["area"] = np.where(table["school"] <= 5, "north", "south")
    panel = write_panel(tmp_path, school_panel(table))
    records, diagnostics = fitted(cohort(randomise_within="area"), spec(), panel)
    headline = records.loc[("att_third_year_on", "")]
    wide = table.pivot(index="school", columns="year", values="z")
    change = (wide[2014] - wide[2011]).to_numpy()
    drawn = [[*north, south] for north in combinations(range(5), 2) for south in range(5, 11)]
    gaps = [abs(change[members].mean() - np.delete(change, members).mean()) for members in drawn]
    assert diagnostics["randomization"]["assignments"] == 60
    assert headline["p"] == pytest.approx(np.mean(np.array(gaps) >= abs(headline["estimate"]) - 1e-9), abs=1e-12)
    assert headline["vcov"] == "randomisation of entry by unit within area, all assignments"
    assert headline["p"] != fitted(cohort(), spec(), panel)[0].loc[("att_third_year_on", ""), "p"]


def test_a_network_in_two_areas_cannot_be_randomised_within_areas_and_is_told(tmp_path: Path) -> None:
    table = random_rows(5, [2012] * 4 + [None] * 7, [2011, 2012, 2014])
    table["cluster"] = table["school"].replace({2: 1})
    table["area"] = np.where(table["school"] % 2 == 0, "north", "south")
    panel = write_panel(tmp_path, school_panel(table))
    records, diagnostics = fitted(cohort(randomise_within="area"), spec(), panel)
    assert "no randomisation test: " in records.loc[("att_third_year_on", ""), "warnings"]
    assert "strata" in diagnostics["randomization"]["refused"]


def test_a_group_without_a_year_before_joining_is_left_out_and_listed(tmp_path: Path) -> None:
    table = random_rows(8, [2010, 2010, 2012, 2012] + [None] * 4, [2010, 2011, 2012, 2013])
    records, diagnostics = fitted(cohort(), spec(), write_panel(tmp_path, school_panel(table)))
    assert {"unit": "schools", "count": 2, "reason": "no outcome year before joining", "group": 2010} in diagnostics[
        "exclusions"
    ]
    assert not records.loc["att_group_time"].index.str.startswith("g2010").any()
    assert "2 schools left out: no outcome year before joining" in records.iloc[0]["warnings"]


def test_a_cell_without_a_comparison_school_is_left_out_and_listed(tmp_path: Path) -> None:
    table = random_rows(9, [2012] * 3 + [None] * 2, [2010, 2011, 2012, 2013])
    table = table[~((table["school"] > 3) & (table["year"] == 2013))]
    records, diagnostics = fitted(cohort(), spec(), write_panel(tmp_path, school_panel(table)))
    assert "g2012:t2013" not in records.loc["att_group_time"].index
    assert {
        "unit": "cells",
        "count": 1,
        "reason": "no comparison school with an outcome in both years",
        "group": 2012,
        "year": 2013,
        "base": 2011,
    } in diagnostics["exclusions"]


def test_schools_with_an_outcome_in_only_one_of_a_cells_years_are_listed(tmp_path: Path) -> None:
    table = random_rows(10, [2012] * 3 + [None] * 4, [2011, 2012, 2013])
    table = table[~((table["school"] == 2) & (table["year"] == 2013))]
    table.loc[(table["school"] == 6) & (table["year"] == 2012), "z"] = np.nan
    records, diagnostics = fitted(cohort(), spec(), write_panel(tmp_path, school_panel(table)))
    listed = {(row.get("arm"), row.get("year"), row["unit"], row["count"]) for row in diagnostics["exclusions"]}
    assert ("treated", 2013, "school × cell", 1) in listed
    assert ("comparison", 2012, "school × cell", 1) in listed
    assert (None, None, "school-years", 1) in listed
    assert records.loc[("att_group_time", "g2012:t2013"), "n_schools"] == 6
    assert records.loc[("att_group_time", "g2012:t2012"), "n_schools"] == 6


def test_schools_without_a_covariate_are_listed_and_the_covariate_still_used(tmp_path: Path) -> None:
    table = random_rows(11, [2012] * 6 + [None] * 8, [2011, 2012])
    draws = np.random.default_rng(1).normal(size=14)
    table["deprivation"] = table["school"].map(dict(enumerate(draws, start=1)))
    table.loc[table["school"].isin([2, 9]), "deprivation"] = np.nan
    model = spec(covariates=["deprivation"], method="or")
    records, diagnostics = fitted(cohort(), model, write_panel(tmp_path, school_panel(table)))
    listed = [(row["unit"], row["count"]) for row in diagnostics["exclusions"] if "covariate" in row["reason"]]
    assert listed == [("school-years", 4)]
    # Outcome regression by hand on the twelve complete schools.
    wide = table.pivot(index="school", columns="year", values="z")
    change = wide[2012] - wide[2011]
    x = pd.Series(draws, index=range(1, 15))
    others = [7, 8, 10, 11, 12, 13, 14]
    slope, constant = np.polyfit(x[others], change[others], 1)
    members = [1, 3, 4, 5, 6]
    by_hand = (change[members] - constant - slope * x[members]).mean()
    assert records.loc[("att_group_time", "g2012:t2012"), "estimate"] == pytest.approx(by_hand, abs=1e-10)


def test_a_covariate_without_variation_makes_the_cell_not_estimable_rather_than_unadjusted(tmp_path: Path) -> None:
    table = random_rows(12, [2012] * 6 + [None] * 8, [2011, 2012]).assign(deprivation=1.0)
    model = spec(covariates=["deprivation"])
    records, diagnostics = fitted(cohort(), model, write_panel(tmp_path, school_panel(table)))
    assert records.empty
    assert diagnostics["not_estimated"]
    assert "collinear" in diagnostics["not_estimated"][0]


def test_follow_up_shorter_than_the_third_year_gives_no_headline_and_says_so(tmp_path: Path) -> None:
    table = random_rows(13, [2012] * 4 + [None] * 4, [2010, 2011, 2012, 2013])
    records, diagnostics = fitted(cohort(), spec(), write_panel(tmp_path, school_panel(table)))
    assert "att_third_year_on" not in records.index.get_level_values("estimand")
    assert not records["headline"].any()
    assert "follow-up too short" in diagnostics["no_headline"]


def test_no_school_before_and_after_joining_leaves_no_records_and_a_reason(tmp_path: Path) -> None:
    table = random_rows(14, [2011] * 3 + [None] * 3, [2011, 2012])
    records, diagnostics = fitted(cohort(), spec(), write_panel(tmp_path, school_panel(table)))
    assert records.empty
    assert diagnostics["not_estimated"]
    assert diagnostics["exclusions"][0]["count"] == 3


def test_small_entry_groups_carry_a_warning(tmp_path: Path) -> None:
    table = random_rows(15, [2012] * 4 + [2013] * 2 + [None] * 4, [2011, 2012, 2013])
    records, _ = fitted(cohort(minimum_entry_group=3), spec(), write_panel(tmp_path, school_panel(table)))
    cells = records.loc["att_group_time", "warnings"]
    assert "fewer than 3 schools joined in 2013" in cells["g2013:t2013"]
    assert "fewer than 3" not in cells["g2012:t2012"]


def test_an_entry_year_that_changes_within_a_school_is_refused(tmp_path: Path) -> None:
    table = random_rows(16, [2012] * 3 + [None] * 3, [2011, 2012])
    table.loc[(table["school"] == 1) & (table["year"] == 2012), "entry_year"] = 2011
    with pytest.raises(ValueError, match="entry_year changes within a school"):
        fitted(cohort(), spec(), write_panel(tmp_path, school_panel(table)))


def test_the_order_of_rows_does_not_change_a_digit(tmp_path: Path) -> None:
    table = random_rows(17, [2012] * 5 + [2013] * 4 + [None] * 9, [2010, 2011, 2012, 2013, 2014])
    table["n"] = 10.0 + table["school"]
    first = fitted(cohort("pupils"), spec(), write_panel(tmp_path / "a", school_panel(table)))[0]
    shuffled = table.sample(frac=1, random_state=5)
    folder = write_panel(tmp_path / "b", school_panel(table))
    school_panel(shuffled).to_parquet(folder / "panel_school.parquet")
    second = fitted(cohort("pupils"), spec(), folder)[0]
    assert (first["estimate"] == second["estimate"]).all()
    assert (first["se"].dropna() == second["se"].dropna()).all()


def test_influence_and_covariance_files_agree_with_the_standard_errors(tmp_path: Path) -> None:
    table = random_rows(18, [2012] * 5 + [2013] * 4 + [None] * 9, [2010, 2011, 2012, 2013, 2014, 2015])
    panel = write_panel(tmp_path, school_panel(table))
    records = fitted(cohort(), spec(), panel)[0].reset_index()
    influence = pd.read_parquet(panel / "records" / "m.influence.parquet")
    covariance = pd.read_parquet(panel / "records" / "m.vcov.parquet")
    variance = (influence["influence"] ** 2).groupby(influence["term"]).sum()
    diagonal = covariance[covariance["row_term"] == covariance["column_term"]].set_index("row_term")["covariance"]
    known = records[records["se"].notna()]
    keys = known["estimand"] + "|" + known["term"]
    assert set(keys) == set(variance.index) == set(diagonal.index)
    np.testing.assert_allclose(variance[keys], known["se"] ** 2, rtol=1e-12)
    np.testing.assert_allclose(diagonal[keys], known["se"] ** 2, rtol=1e-12)
