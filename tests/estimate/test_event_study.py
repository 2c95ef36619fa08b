"""The two-way event study against fixest's numbers and against least squares with dummy variables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from estimate_panels import cohort, fitted, mpdta, needs_mpdta, school_panel, write_panel

from plneval.config.models import EventStudy, TwoWay


def spec(**settings: object) -> EventStudy:
    return EventStudy.model_validate({"kind": "did.event_study", "label": "l", "outcome": "maths", **settings})


def staggered(seed: int = 1) -> pd.DataFrame:
    """Twelve members of three entry years and ten others, 2010 to 2016 without 2013, some school-years missing."""
    draws = np.random.default_rng(seed)
    entries = [2012] * 4 + [2014] * 4 + [2015] * 4 + [None] * 10
    rows = [
        {"school": school, "entry_year": entry, "year": year, "z": draws.normal(), "n": 20.0 + school}
        for school, entry in enumerate(entries, start=1)
        for year in (2010, 2011, 2012, 2014, 2015, 2016)
        if draws.random() > 0.08 or year == 2010
    ]
    return pd.DataFrame(rows).astype({"entry_year": "Int64"})


@needs_mpdta
def test_single_coefficient_and_its_standard_error_are_those_of_fixest(tmp_path: Path) -> None:
    single = TwoWay.model_validate({"kind": "did.twfe", "label": "l", "outcome": "maths"})
    records, _ = fitted(cohort(), single, mpdta(tmp_path))
    overall = records.loc[("att_overall", "")]
    assert overall["estimate"] == pytest.approx(-0.0365489, abs=5e-8)
    assert overall["se"] == pytest.approx(0.0132651554, abs=5e-11)


def test_event_times_are_those_of_least_squares_with_dummy_variables(tmp_path: Path) -> None:
    table = staggered()
    records, diagnostics = fitted(
        cohort("pupils"), spec(minimum_event_time=-3, maximum_event_time=2), write_panel(tmp_path, school_panel(table))
    )
    # 2013 has no outcomes: those who join in 2014 have 2012 (event time -2) as their reference.
    assert diagnostics["reference_years"] == {"2012": 2011, "2014": 2012, "2015": 2014}
    e = (table["year"] - table["entry_year"]).astype("float64")
    reference = table["year"] == table["entry_year"].map({2012: 2011, 2014: 2012, 2015: 2014}).astype("float64")
    pooled = e.clip(-3, 2).mask(reference)
    values = sorted(int(value) for value in pooled.dropna().unique())
    names = {value: f"d{value + 3}" for value in values}
    for value in values:
        table[names[value]] = (pooled == value).astype(float)
    table["weight"] = table.groupby("school")["n"].transform("mean")
    formula = f"z ~ {' + '.join(names.values())} + C(school) + C(year)"
    by_hand = smf.wls(formula, table, weights=table["weight"]).fit(
        cov_type="cluster",
        cov_kwds={"groups": table["school"].to_numpy(), "use_correction": False, "df_correction": False},
    )
    for value in values:
        record = records.loc[("att_event_time", f"e{value}")]
        assert record["estimate"] == pytest.approx(by_hand.params[names[value]], abs=1e-9)
        # Twelve and ten clusters: bias-reduced standard errors, above those of the plain sandwich.
        assert record["vcov"].startswith("CR2, t(")
        assert by_hand.bse[names[value]] < record["se"] < 1.5 * by_hand.bse[names[value]]
    late = table.loc[pooled == 2, "weight"].sum()
    assert late > 0
    assert records.loc[("att_third_year_on", ""), "estimate"] == pytest.approx(by_hand.params[names[2]], abs=1e-9)


def test_mean_from_the_third_year_on_weighs_event_times_by_treated_schools(tmp_path: Path) -> None:
    table = staggered(2)
    panel = write_panel(tmp_path, school_panel(table))
    records, _ = fitted(cohort(), spec(maximum_event_time=4), panel)
    effects = records.loc["att_event_time"]
    e = (table["year"] - table["entry_year"]).astype("float64").clip(upper=4)
    counts = {value: float((e == value).sum()) for value in (2, 3, 4) if f"e{value}" in effects.index}
    by_hand = sum(effects.loc[f"e{value}", "estimate"] * count for value, count in counts.items()) / sum(
        counts.values()
    )
    headline = records.loc[("att_third_year_on", "")]
    assert headline["estimate"] == pytest.approx(by_hand, abs=1e-12)
    covariance = pd.read_parquet(panel / "records" / "m.vcov.parquet")
    matrix = covariance.pivot(index="row_term", columns="column_term", values="covariance")
    share = pd.Series({f"att_event_time|e{v}": count / sum(counts.values()) for v, count in counts.items()})
    block = matrix.loc[share.index, share.index].to_numpy()
    assert headline["se"] ** 2 == pytest.approx(share.to_numpy() @ block @ share.to_numpy(), rel=1e-9)


def test_one_treated_cluster_gives_no_estimate_and_says_what_to_do(tmp_path: Path) -> None:
    table = staggered(3)
    table["cluster"] = table["school"].where(table["entry_year"].isna(), 1)
    records, diagnostics = fitted(cohort(), spec(), write_panel(tmp_path, school_panel(table)))
    assert records.empty
    assert "all treated schools are in a single cluster" in diagnostics["not_estimated"][0]
    assert "cluster by school" in diagnostics["not_estimated"][0]


def test_members_without_a_year_before_joining_are_listed(tmp_path: Path) -> None:
    table = staggered(4)
    table.loc[table["school"] == 1, "entry_year"] = 2010
    _, diagnostics = fitted(cohort(), spec(), write_panel(tmp_path, school_panel(table)))
    assert {"unit": "schools", "count": 1, "reason": "no outcome before joining"} in diagnostics["exclusions"]


def test_without_comparison_schools_nothing_is_estimated_and_the_reason_stands_in_the_file(tmp_path: Path) -> None:
    table = staggered(5)
    table = table[table["entry_year"].notna()]
    records, diagnostics = fitted(cohort(), spec(), write_panel(tmp_path, school_panel(table)))
    assert records.empty
    assert diagnostics["not_estimated"]


def test_effects_that_cannot_be_told_from_the_years_are_named(tmp_path: Path) -> None:
    # Comparison schools are seen before 2014 only, and all members join then: treated is the years from 2014 on.
    table = staggered(6)
    table = table[(table["entry_year"] == 2014) | (table["entry_year"].isna() & (table["year"] < 2014))]
    records, diagnostics = fitted(cohort(), spec(), write_panel(tmp_path, school_panel(table)))
    assert records.empty
    assert diagnostics["not_estimated"][0].startswith("period 2014, period 2015, period 2016: collinear")
