"""Scores on a common scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from plneval.prepare.standardise import pooled_within, standardise


def records(rows: list[tuple[int, str, float]], **more: Any) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["year", "grade", "score"])
    return frame.assign(**{"outcome": "maths", "subgroup": "all", "n": 1.0, "sd": np.nan, **more})


def test_reference_pupils_have_mean_zero_and_sd_one_in_every_year_and_grade(make_cohort: Callable[..., Any]) -> None:
    rng = np.random.default_rng(7)
    size = 4000
    frame = pd.DataFrame(
        {
            "outcome": "maths",
            "subgroup": "all",
            "year": rng.integers(2014, 2018, size),
            "grade": rng.integers(3, 7, size).astype(str),
            "n": 1.0,
            "sd": np.nan,
        }
    )
    frame["score"] = 100 + 15 * rng.standard_normal(size) + 3 * (frame["year"] - 2014)
    reference = pd.Series(rng.random(size) < 0.6)
    found = standardise(frame, reference, make_cohort()).scores
    cells = found.loc[reference].groupby(["year", "grade"])["z"]
    assert cells.ngroups == 16
    assert cells.mean().abs().max() < 1e-12
    assert (cells.std() - 1).abs().max() < 1e-12
    treated = found.loc[~reference].groupby(["year", "grade"])["z"].mean()
    assert treated.abs().max() > 1e-3  # the others are only carried along


def test_z_and_z_fixed_are_those_worked_by_hand(make_cohort: Callable[..., Any]) -> None:
    # 2014, grade 3: 2, 4 (mean 3, SD √2); grade 4: 10, 14 (mean 12, SD √8). Fixed scale: mean of all four 7.5,
    # variance pooled within grade (2 + 8)/2 = 5. 2015, grade 3: 5, 9 (mean 7, SD √8); 13 belongs to a joined school.
    frame = records(
        [
            (2014, "3", 2),
            (2014, "3", 4),
            (2014, "4", 10),
            (2014, "4", 14),
            (2015, "3", 5),
            (2015, "3", 9),
            (2015, "3", 13),
        ]
    )
    found = standardise(frame, pd.Series([True] * 6 + [False]), make_cohort()).scores
    root2, root8, root5 = 2**0.5, 8**0.5, 5**0.5
    assert found["z"].tolist() == pytest.approx(
        [-1 / root2, 1 / root2, -2 / root8, 2 / root8, -2 / root8, 2 / root8, 6 / root8], abs=1e-12
    )
    assert found["z_fixed"].tolist() == pytest.approx(
        [-5.5 / root5, -3.5 / root5, 2.5 / root5, 6.5 / root5, -2.5 / root5, 1.5 / root5, 5.5 / root5], abs=1e-12
    )


def test_cells_with_one_reference_pupil_or_equal_scores_cannot_be_standardised(
    make_cohort: Callable[..., Any],
) -> None:
    frame = records(
        [
            (2014, "3", 1),
            (2014, "3", 2),
            (2015, "3", 1),
            (2015, "3", 2),
            (2016, "3", 0.1),
            (2016, "3", 0.1),
            (2016, "3", 0.1),
            (2017, "3", 5),
        ]
    )
    reference = pd.Series([True, True, True, False, True, True, True, False])
    found = standardise(frame, reference, make_cohort()).scores
    assert found["has_reference"].tolist() == [True, True] + [False] * 6
    assert found["z"].notna().tolist() == [True, True] + [False] * 6


def test_school_summaries_give_the_scale_of_the_pupils_behind_them(make_cohort: Callable[..., Any]) -> None:
    pupils = pd.DataFrame(
        {"school": [1, 1, 1, 2, 2, 3, 3, 3, 3], "score": [3.0, 5.0, 10.0, 2.0, 8.0, 1.0, 1.0, 4.0, 6.0]}
    )
    by_school = pupils.groupby("school")["score"].agg(["mean", "count", "std"])
    frame = records(
        [(2014, "3", mean) for mean in by_school["mean"]],
        n=by_school["count"].to_numpy(),
        sd=by_school["std"].to_numpy(),
    )
    found = standardise(frame, pd.Series([True] * 3), make_cohort(study={"level": "school"}))
    cell = found.cells.iloc[0]
    assert found.pupil_scale == {"maths": True}
    assert cell["mean"] == pytest.approx(np.mean(pupils["score"]), abs=1e-12)
    assert cell["sd"] == pytest.approx(np.std(pupils["score"], ddof=1), abs=1e-12)


def test_without_pupils_sd_schools_are_standardised_by_schools(make_cohort: Callable[..., Any]) -> None:
    frame = records([(2014, "3", 40), (2014, "3", 50), (2014, "3", 60)], n=[20.0, 30.0, 400.0])
    found = standardise(frame, pd.Series([True] * 3), make_cohort(study={"level": "school"}))
    assert found.pupil_scale == {"maths": False}
    assert found.scores["z"].tolist() == pytest.approx([-1, 0, 1], abs=1e-12)  # mean 50, SD 10, whatever their size


def test_an_outcome_that_is_not_standardised_has_no_z_but_a_fixed_scale(make_cohort: Callable[..., Any]) -> None:
    cohort = make_cohort(outcomes={"maths": {"label": "Mathematics", "standardise": "none"}})
    found = standardise(records([(2014, "3", 1), (2014, "3", 3), (2015, "3", 9)]), pd.Series([True] * 3), cohort)
    assert found.scores["z"].isna().all()
    assert found.scores["has_reference"].all()
    assert found.scores["z_fixed"].tolist() == pytest.approx([-1 / 2**0.5, 1 / 2**0.5, 7 / 2**0.5], abs=1e-12)


def test_a_pooled_sd_is_that_of_the_textbook() -> None:
    # Two groups: 1, 2, 3 (SS 2) and 10, 14 (SS 8): (2 + 8) / (2 + 1).
    rows = pd.DataFrame({"x": [1.0, 2, 3, 10, 14], "g": list("aaabb"), "weight": 1.0, "within": 0.0})
    sd, df = pooled_within(rows, "x", ["g"])
    assert df == 3
    assert sd == pytest.approx((10 / 3) ** 0.5, abs=1e-12)
