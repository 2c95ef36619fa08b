"""The joint test before joining with few clusters: by hand, and what it leaves out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from estimate_panels import cohort, fitted, school_panel, write_panel
from scipy import stats

from plneval.config.models import GroupTime

MODEL = GroupTime(kind="did.att_gt", label="l", outcome="maths")


def panel(folder: Path, entries: list[int | None], years: list[int], seed: int = 1) -> tuple[Path, pd.DataFrame]:
    """Random outcomes of one school for each entry; and the outcomes, a row for each school."""
    draws = np.random.default_rng(seed)
    rows = pd.DataFrame(
        [
            {"school": school, "year": year, "entry_year": entry, "z": draws.normal()}
            for school, entry in enumerate(entries, start=1)
            for year in years
        ]
    ).astype({"entry_year": "Int64"})
    return write_panel(folder, school_panel(rows)), rows.pivot(index="school", columns="year", values="z")


def test_with_one_year_to_test_the_statistic_is_welchs_and_f_has_matched_degrees_of_freedom(tmp_path: Path) -> None:
    folder, wide = panel(tmp_path, [2012] * 7 + [None] * 12, [2010, 2011, 2012, 2013, 2014])
    records, diagnostics = fitted(cohort(), MODEL, folder)
    change = (wide[2010] - wide[2011]).to_numpy()
    members, others = change[:7], change[7:]
    t = stats.ttest_ind(members, others, equal_var=False).statistic
    # Krishnamoorthy and Yu in one dimension: 1 / (sum of squared shares / n) - 1.
    variance = np.array([members.var(ddof=1) / 7, others.var(ddof=1) / 12])
    df = 1 / np.sum((variance / variance.sum()) ** 2 / np.array([7, 12])) - 1
    record = records.loc[("pretrend", "joint")]
    assert record["estimate"] == pytest.approx(t**2, rel=1e-10)
    assert record["df"] == 1
    assert record["p"] == pytest.approx(stats.f.sf(t**2, 1, df), rel=1e-9)
    assert record["vcov"] == f"small sample, averages by event time, F(1, {df:.1f})"
    assert diagnostics["pretrend"]["method"] == "small_sample"
    assert diagnostics["pretrend"]["reason"] == "7 clusters in the smaller arm, fewer than 40"
    # R's test takes the variance from sums of squares without a factor, and a normal distribution.
    spread = members.var() / 7 + others.var() / 12
    difference = members.mean() - others.mean()
    assert diagnostics["pretrend"]["p_chi_squared"] == pytest.approx(stats.chi2.sf(difference**2 / spread, 1), rel=1e-9)


def test_event_times_that_clusters_are_too_few_for_are_left_out_and_named(tmp_path: Path) -> None:
    folder, _ = panel(tmp_path, [2016] * 6 + [None] * 6, list(range(2006, 2019)))
    records, diagnostics = fitted(cohort(), MODEL, folder)
    record = records.loc[("pretrend", "joint")]
    tested = 9 - len(diagnostics["pretrend"]["left_out"])
    assert record["df"] == tested < 9
    assert diagnostics["pretrend"]["df_denominator"] >= 4
    assert diagnostics["pretrend"]["left_out"][0] == -10
    assert "too few clusters to test event times -10, -9" in record["warnings"]
    assert 0 < record["p"] < 1


def test_forty_clusters_in_each_arm_are_tested_by_a_bootstrap_that_can_be_repeated(tmp_path: Path) -> None:
    folder, _ = panel(tmp_path, [2013] * 40 + [None] * 40, [2010, 2011, 2012, 2013])
    (first, diagnostics), (again, _) = (fitted(cohort(), MODEL, folder) for _ in range(2))
    record = first.loc[("pretrend", "joint")]
    assert record["vcov"] == "wild cluster bootstrap, 999 draws"
    assert record["p"] == again.loc[("pretrend", "joint"), "p"]
    assert record["p"] == pytest.approx(diagnostics["pretrend"]["p_chi_squared"], abs=0.06)
    assert diagnostics["pretrend"]["reason"] == "40 clusters in the smaller arm, not fewer than 40"
