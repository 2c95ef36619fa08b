"""The second computation agrees where the first is right, and says so where it is not."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "estimate"))
from estimate_panels import cohort, pupil_panel, school_panel, write_panel

from plneval.challenge.recompute import COLUMNS, common_digits, recompute
from plneval.config.models import (
    EventStudy,
    ExtendedTwoWay,
    GroupTime,
    Imputation,
    Leaving,
    ModelSpec,
    Multilevel,
    SunAbraham,
    Switchers,
    Synthetic,
    TripleDifference,
    TwoWay,
)
from plneval.estimate.stage import estimate


def study(seed: int = 1) -> pd.DataFrame:
    """Ten members in networks of two that join in 2012 and 2014, twelve others, 2010 to 2016 without 2013."""
    draws = np.random.default_rng(seed)
    rows = []
    for school in range(1, 23):
        entry = (2012 if school % 3 else 2014) if school <= 10 else None
        level, deprivation = draws.normal(), draws.normal()
        for year in (2010, 2011, 2012, 2014, 2015, 2016):
            if draws.random() < 0.06:
                continue
            rows.append(
                {
                    "school": school,
                    "year": year,
                    "entry_year": entry,
                    "cluster": (school + 1) // 2 if school <= 10 else school,
                    "deprivation": deprivation,
                    "n": float(draws.integers(15, 60)),
                    "z": level + 0.3 * deprivation * (year - 2010) + draws.normal(scale=0.4),
                }
            )
    return pd.DataFrame(rows).astype({"entry_year": "Int64"})


def again(spec: ModelSpec, panel: Path, change: float = 0.0) -> pd.DataFrame:
    """Estimate, shift the headline by ``change``, and recompute."""
    estimate(cohort("pupils"), "study", "m", spec, panel, panel / "records", seed=1)
    records = pd.read_parquet(panel / "records" / "m.records.parquet")
    records.loc[records["estimand"] == "att_third_year_on", "estimate"] += change
    return recompute(cohort("pupils"), spec, panel, records)


def group_time(**settings: Any) -> GroupTime:
    return GroupTime.model_validate(
        {"kind": "did.att_gt", "label": "l", "outcome": "maths", "headline": True, **settings}
    )


GROWTH: dict[str, Any] = {
    "label": "l",
    "outcome": "maths",
    "kind": "multilevel",
    "level": "school",
    "effect_terms": ["treated_year_1", "treated_year_2", "treated_year_3"],
    "headline_terms": ["treated_year_3"],
    "formula": "z_fixed ~ C(year) + arm + treated_year_1 + treated_year_2 + treated_year_3 + (1 | school)",
}


@pytest.fixture(scope="module")
def panel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_panel(tmp_path_factory.mktemp("recompute"), school_panel(study()))


@pytest.mark.parametrize("comparison", ["never", "not_yet"])
def test_group_time_effects_and_standard_errors_agree_in_ten_digits(panel: Path, comparison: str) -> None:
    table = again(group_time(comparison=comparison), panel)
    assert (table["estimand"] == "att_third_year_on").sum() == 1
    by = table["by"].str.split(" ").str[0]
    # Ten cells and the headline by statsmodels, the cells by diff-diff too.
    assert by.value_counts().to_dict() == {"statsmodels": 11, "diff-diff": 10}
    assert table["agrees"].all()
    assert (table["digits"] > 10).all()
    # The headline of few clusters has a standard error of its own.
    ours = table[(by == "statsmodels") & (table["estimand"] == "att_group_time")]
    np.testing.assert_allclose(ours["se_recomputed"], ours["se"], rtol=1e-10)


@pytest.mark.parametrize("method", ["or", "ipw", "dr"])
def test_effects_given_a_covariate_agree_and_their_standard_errors_stay_unchecked(panel: Path, method: str) -> None:
    table = again(group_time(covariates=["deprivation"], method=method), panel)
    assert len(table)
    assert (table["digits"] > 8).all()
    assert table["se_recomputed"].isna().all()


@pytest.fixture(scope="module")
def gap_panel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study with two groups of pupils; schools seen in every year only."""
    rows = study(3)
    rows = rows[rows.groupby("school")["year"].transform("size") == 6]
    draws = np.random.default_rng(4)
    parts = [
        rows.assign(subgroup=name, z=rows["z"] + draws.normal(scale=0.3, size=len(rows)))
        for name in ("disadvantaged", "not_disadvantaged")
    ]
    return write_panel(tmp_path_factory.mktemp("gap"), school_panel(pd.concat(parts, ignore_index=True)))


def test_effects_on_the_gap_agree_with_two_libraries(gap_panel: Path) -> None:
    spec = TripleDifference(kind="did.triple_difference", label="l", outcome="maths")
    table = again(spec, gap_panel)
    by = table["by"].str.split(" ").str[0].value_counts()
    assert by["statsmodels"] == by["diff-diff"] + 1
    assert by["diff-diff"] >= 5
    assert (table["digits"] > 10).all()
    assert table["agrees"].all()
    assert not again(spec, gap_panel, change=1e-4).set_index("estimand").loc["att_third_year_on", "agrees"]


@pytest.mark.parametrize(
    "spec",
    [
        Leaving(kind="did.leaving", label="l", outcome="maths"),
        Leaving(kind="did.leaving", label="l", outcome="maths", same_entry=False),
        Switchers(kind="did.switchers", label="l", outcome="maths"),
    ],
    ids=["leaving", "leaving_any_entry", "switchers"],
)
def test_leaving_and_switchers_agree_with_plain_differences(tmp_path: Path, spec: ModelSpec) -> None:
    rows = study(5)
    member = (rows["year"] >= rows["entry_year"]).fillna(False).astype(bool)
    # Schools 1 to 4 leave, two of them for good; some school-years are missing.
    left = (rows["school"] <= 4) & (rows["year"] >= 2015) & ~((rows["school"] <= 2) & (rows["year"] == 2016))
    panel = write_panel(tmp_path, school_panel(rows.assign(member=(member & ~left).astype("Int64"))))
    table = again(spec, panel)
    assert len(table) >= 3
    assert (table["digits"] > 10).all()
    assert table["agrees"].all()


def test_synthetic_difference_in_differences_agrees_with_diff_diff_and_a_jackknife_by_hand(tmp_path: Path) -> None:
    """Two entry groups in networks, a school seen in some years only and one that joins after the last year."""
    rows = study(6)
    full = rows[rows.groupby("school")["year"].transform("size") == 6]
    extra = full[full["school"] > 10].assign(school=lambda d: d["school"] + 20, z=lambda d: d["z"] * 0.8 + 0.1)
    table = pd.concat([rows, extra.assign(cluster=extra["school"] + 20)], ignore_index=True)
    draws = np.random.default_rng(7)
    joined = []
    for school in range(51, 58):
        level = draws.normal()
        for year in (2010, 2011, 2012, 2014, 2015, 2016):
            entry = (2012, 2014)[school % 2] if school < 57 else 2018
            z = level + 0.1 * (year - 2010) + draws.normal(scale=0.3)
            joined.append({"school": school, "year": year, "entry_year": entry, "cluster": school, "n": 30.0, "z": z})
    table = pd.concat([table, pd.DataFrame(joined)], ignore_index=True).astype({"entry_year": "Int64"})
    panel = write_panel(tmp_path, school_panel(table))
    spec = Synthetic(kind="did.synthetic", label="l", outcome="maths")
    found = again(spec, panel)
    assert set(found["estimand"]) == {"att_event_time", "att_overall", "att_third_year_on"}
    assert found["by"].str.startswith("diff-diff ").all()
    assert (found["digits"] > 8).all()
    np.testing.assert_allclose(found["se_recomputed"], found["se"], rtol=1e-8)
    assert found["agrees"].all()
    assert not again(spec, panel, change=1e-4).set_index("estimand").loc["att_third_year_on", "agrees"]


def test_the_event_study_agrees_with_another_library(panel: Path) -> None:
    spec = EventStudy(kind="did.event_study", label="l", outcome="maths", maximum_event_time=3)
    table = again(spec, panel)
    assert set(table["estimand"]) == {"att_event_time", "att_third_year_on"}
    assert (table["digits"] > 8).all()
    assert table["by"].str.startswith("linearmodels ").all()


@pytest.mark.parametrize(
    "spec",
    [
        Imputation(kind="did.imputation", label="l", outcome="maths"),
        Imputation(kind="did.two_stage", label="l", outcome="maths"),
        SunAbraham(kind="did.sun_abraham", label="l", outcome="maths"),
        ExtendedTwoWay(kind="did.extended_twfe", label="l", outcome="maths"),
        ExtendedTwoWay(kind="did.extended_twfe", label="l", outcome="maths", comparison="never"),
    ],
    ids=["imputation", "two_stage", "sun_abraham", "extended_twfe", "extended_twfe_never"],
)
def test_imputation_and_saturated_regressions_agree_with_dummy_variables(panel: Path, spec: ModelSpec) -> None:
    table = again(spec, panel)
    assert set(table["estimand"]) == {"att_event_time", "att_third_year_on"}
    assert (table["digits"] > 8).all()
    assert not again(spec, panel, change=1e-4).set_index("estimand").loc["att_third_year_on", "agrees"]


def test_the_single_coefficient_of_many_clusters_agrees_with_its_standard_error(tmp_path: Path) -> None:
    draws = np.random.default_rng(4)
    rows = [
        {"school": school, "year": year, "entry_year": entry, "n": 20.0, "z": draws.normal()}
        for school in range(100)
        for entry in [(2012 + school % 2) if school < 50 else None]
        for year in range(2010, 2016)
    ]
    table = pd.DataFrame(rows).astype({"entry_year": "Int64"})
    found = again(TwoWay(kind="did.twfe", label="l", outcome="maths"), write_panel(tmp_path, school_panel(table)))
    assert found["estimand"].tolist() == ["att_overall"]
    assert (found["digits"] > 8).all()
    np.testing.assert_allclose(found["se_recomputed"], found["se"], rtol=1e-7)


def test_the_two_level_model_agrees_with_another_library(panel: Path) -> None:
    table = again(Multilevel.model_validate(GROWTH), panel)
    assert list(table["term"]) == ["treated_year_1", "treated_year_2", "treated_year_3", ""]
    assert (table["digits"] > 5).all()
    assert table["by"].str.startswith("mixedlm ").all()


@pytest.mark.parametrize(("quick", "by"), [(20_000, "mixedlm "), (0, "scipy ")])
def test_three_levels_agree_with_mixedlm_and_with_hendersons_equations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: int, by: str
) -> None:
    monkeypatch.setattr("plneval.challenge.recompute_growth.QUICK_ROWS", quick)
    schools = study(2)
    draws = np.random.default_rng(3)
    pupils = schools.loc[schools.index.repeat(8)].reset_index(drop=True)
    pupils["pupil"] = pupils["school"] * 100 + np.tile(np.arange(8), len(schools))
    pupils["z"] += draws.normal(size=50_000)[pupils["pupil"]] + draws.normal(scale=0.5, size=len(pupils))
    folder = write_panel(tmp_path, school_panel(schools), pupil_panel(pupils))
    formula = GROWTH["formula"].replace("(1 | school)", "(time | school) + (1 | pupil)")
    table = again(Multilevel.model_validate(GROWTH | {"level": "pupil", "formula": formula}), folder)
    assert len(table) == 4
    assert table["by"].str.startswith(by).all()
    assert (table["digits"] > 5).all()
    np.testing.assert_allclose(table["se_recomputed"], table["se"], rtol=1e-5)


def test_a_wrong_headline_does_not_agree(panel: Path) -> None:
    table = again(group_time(), panel, change=1e-5).set_index("estimand")
    headline = table.loc["att_third_year_on"]
    assert not headline["agrees"]
    assert headline["digits"] < 6
    assert table.loc["att_group_time", "agrees"].all()


def test_a_wrong_standard_error_does_not_agree(panel: Path) -> None:
    spec = group_time()
    estimate(cohort("pupils"), "study", "m", spec, panel, panel / "records", seed=1)
    records = pd.read_parquet(panel / "records" / "m.records.parquet")
    records["se"] *= 1.001
    table = recompute(cohort("pupils"), spec, panel, records)
    assert not table.loc[table["se_recomputed"].notna(), "agrees"].any()
    assert (table["digits"] > 10).all()


def test_records_of_other_models_are_left_alone(panel: Path) -> None:
    spec = group_time()
    estimate(cohort("pupils"), "study", "m", spec, panel, panel / "records", seed=1)
    records = pd.read_parquet(panel / "records" / "m.records.parquet").assign(label="another")
    table = recompute(cohort("pupils"), spec, panel, records)
    assert table.empty
    assert list(table.columns) == list(COLUMNS)


def test_digits_are_counted_on_the_scale_of_the_estimate_or_its_error() -> None:
    assert common_digits(1.0, 1.001, 1.0) == pytest.approx(3)
    assert common_digits(1e-9, 2e-9, 0.05) == pytest.approx(-math.log10(1e-9 / 0.05))
    assert common_digits(0.5, 0.5, 0.5) == 16
    assert math.isnan(common_digits(0.5, math.nan, 0.5))


@pytest.mark.parametrize("kind", ["CR0", "CR1", "CR2", "CR3"])
def test_robust_errors_of_multilevel_models_agree_with_those_from_the_rows(panel: Path, kind: str) -> None:
    formula = GROWTH["formula"].replace("(1 | school)", "(0 + comparison_arm | school) + (0 + ever_member | school)")
    table = again(Multilevel.model_validate(GROWTH | {"formula": formula, "robust": kind}), panel)
    assert len(table) == 4
    assert (table["digits"] > 5).all()
    if kind == "CR2":
        assert table["se_recomputed"].isna().all()
    else:
        np.testing.assert_allclose(table["se_recomputed"], table["se"], rtol=1e-5)
    # The model's own errors are others.
    own = again(Multilevel.model_validate(GROWTH | {"formula": formula}), panel)
    assert (np.abs(own["se"] / table["se"] - 1) > 1e-3).all()
