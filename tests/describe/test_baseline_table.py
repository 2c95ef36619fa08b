"""Baseline equivalence of members and never-joiners."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plneval.describe.baseline import baseline, baseline_years, matched_rows, pre_post_correlation
from plneval.describe.sample import Sample

Make = Callable[..., Sample]


def scores(school: int, year: int, values: list[float], first: int, grade: str = "4") -> list[dict[str, Any]]:
    return [
        {"pupil": first + k, "school": school, "year": year, "grade": grade, "z": value, "disadvantaged": k % 2}
        for k, value in enumerate(values)
    ]


def row_of(sample: Sample, covariate: str = "maths") -> pd.Series:
    return baseline(sample).set_index("covariate").loc[covariate]


def test_hedges_g_is_that_of_the_published_example(make_sample: Make) -> None:
    # [5, 6, 7] against [4, 5, 6]: mean difference 1, S = 1, ω = 1 − 3/(4·6 − 9) = 0.8.
    found = row_of(make_sample(scores(1, 2014, [5, 6, 7], 1) + scores(3, 2014, [4, 5, 6], 11)))
    assert found["hedges_g"] == pytest.approx(0.8, abs=1e-12)
    assert (found["mean_member"], found["mean_comparison"], found["sd"]) == (6, 5, 1)
    assert (found["n_pupils_member"], found["n_schools_comparison"], found["year"]) == (3, 1, 2014)
    assert (found["standardiser"], found["category"]) == ("pupil", "not_satisfied")


def test_each_entry_group_is_compared_in_its_own_baseline_year_and_weighted_by_its_pupils(make_sample: Make) -> None:
    # School 1 joins 2015 (baseline 2014: one pair above by 1), school 2 joins 2016 (baseline 2015: equal, six pupils).
    rows = scores(1, 2014, [1, 3], 1) + scores(3, 2014, [0, 2], 11)
    rows += scores(2, 2015, [4, 4, 5, 5, 6, 6], 21) + scores(4, 2015, [4, 6], 31)
    rows += scores(2, 2014, [100, 100], 21) + scores(1, 2015, [100, 100], 1)  # no baseline years of these schools
    rows += scores(3, 2016, [100, 100], 11)
    found = row_of(make_sample(rows))
    assert found["mean_member"] == pytest.approx((2 * 2 + 6 * 5) / 8, abs=1e-12)
    assert found["mean_comparison"] == pytest.approx((2 * 1 + 6 * 5) / 8, abs=1e-12)
    # Sums of squares within arm, year and grade: 2, 2, 4, 2 on 1 + 1 + 5 + 1 degrees of freedom.
    assert found["sd"] == pytest.approx((10 / 8) ** 0.5, abs=1e-12)
    assert pd.isna(found["year"])
    assert (found["n_pupils_member"], found["n_pupils_comparison"]) == (8, 4)


def test_grades_have_the_members_weights_in_both_arms() -> None:
    rows = pd.DataFrame(
        {
            "arm": ["member"] * 4 + ["comparison"] * 4,
            "entry_year": pd.array([2015] * 4 + [None] * 4, dtype="Int64"),
            "year": 2014,
            "grade": list("3334") + list("3444"),
            "weight": 1.0,
            "value": [1.0, 1, 1, 9, 1, 9, 9, 9],
        }
    )
    matched = matched_rows(rows, {2015: 2014}, ["grade"])
    means = {
        arm: float(np.average(part["value"], weights=part["share"])) for arm, part in matched.groupby("arm", sort=True)
    }
    assert means == {"member": 3.0, "comparison": 3.0}  # alike within grades; raw means are 3 and 7
    alone = matched_rows(rows.loc[(rows["arm"] == "member") | (rows["grade"] == "3")], {2015: 2014}, ["grade"])
    assert set(alone["grade"]) == {"3"}  # grade 4 has nobody to compare with


def test_the_baseline_year_is_the_last_outcome_year_before_entry_also_across_a_gap() -> None:
    assert baseline_years([2014, 2016, 2018], [2014, 2015, 2018, 2019]) == {2016: 2015, 2018: 2015}


def test_the_share_of_disadvantaged_pupils_is_compared_by_the_cox_index(make_sample: Make) -> None:
    rows = [{**row, "disadvantaged": int(k < 3)} for k, row in enumerate(scores(1, 2014, [0, 1, 2, 3], 1))]
    rows += [{**row, "disadvantaged": int(k < 1)} for k, row in enumerate(scores(3, 2014, [0, 1, 2, 3], 11))]
    found = row_of(make_sample(rows), "disadvantaged")
    assert found["hedges_g"] == pytest.approx(1.3316512590, abs=1e-9)  # .75 against .25


def test_school_level_outcomes_without_pupils_sds_are_compared_in_school_level_sds(make_sample: Make) -> None:
    schools = pd.DataFrame(
        {
            "school": range(1, 7),
            "arm": ["member"] * 3 + ["comparison"] * 3,
            "entry_year": pd.array([2015] * 3 + [None] * 3, dtype="Int64"),
            "network": pd.array([1] * 3 + [None] * 3, dtype="Int64"),
            "cluster": range(1, 7),
            "status": "analysed",
        }
    )
    values = [5.0, 6, 7, 4, 5, 6]
    rows = [{"school": k + 1, "year": 2014, "z": value} for k, value in enumerate(values)]
    sample = make_sample(None, rows, schools, standardised_by="school", study={"level": "school"})
    found = row_of(sample)
    assert found["hedges_g"] == pytest.approx(0.8, abs=1e-12)
    assert found["standardiser"] == "school"
    assert pd.isna(found["n_pupils_member"])
    assert found["n_schools_member"] == 3


def test_summaries_of_schools_are_divided_by_the_sd_of_pupils(make_sample: Make) -> None:
    rows = [
        {"school": k, "year": 2014, "z": z, "n": n, "sd": 9.0} for k, z, n in [(1, 0.5, 30), (3, 0.2, 10), (4, 0.0, 30)]
    ]
    found = row_of(make_sample(None, rows, sd=0.9, study={"level": "school"}))
    omega = 1 - 3 / (4 * 70 - 9)
    assert found["mean_comparison"] == pytest.approx(0.05, abs=1e-12)  # 10 · 0.2 of 40 pupils
    assert found["hedges_g"] == pytest.approx(omega * 0.45 / 0.9, abs=1e-12)
    assert found["standardiser"] == "pupil"


def test_the_pre_post_correlation_is_taken_within_arms() -> None:
    pre, post = [1.0, 2, 3, 11, 12, 13], [2.0, 1, 3, 0, 1, 2]
    arms = ["member"] * 3 + ["comparison"] * 3
    cells = pd.concat(
        [
            pd.DataFrame({"school": range(6), "arm": arms, "year": year, "z": values})
            for year, values in ((2014, pre), (2017, post))
        ]
    )
    # Within arms: (−1, 0, 1) with (0, −1, 1) gives 1, with (−1, 0, 1) gives 2; squares 4 and 4.
    assert pre_post_correlation(cells, "z") == pytest.approx(3 / 4, abs=1e-12)
