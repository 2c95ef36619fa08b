"""Triple differences against diff-diff 3.13, against att_gt subgroup by subgroup and of the gap, and by hand."""

from __future__ import annotations

import json
from pathlib import Path

import did_data
import numpy as np
import pandas as pd
import pytest

from plneval import did

VALUES = json.loads((Path(__file__).parent / "reference" / "triple_difference_values.json").read_text())
PANEL = {"outcome": "y", "time": "year", "unit": "unit", "entry": "entry"}
PUPILS = {"outcome": "y", "time": "year", "unit": "school", "entry": "entry", "panel": False}


@pytest.mark.parametrize("name", sorted(VALUES))
def test_effects_agree_with_diff_diff(name: str) -> None:
    comparison, _, kind = name.rpartition("_")
    options = {} if kind == "plain" else {"covariates": ["z"], "method": kind}
    found = did.triple_difference(
        did_data.panel_with_parts(), **PANEL, subgroup="part", comparison=comparison, **options
    )
    wanted = np.array(VALUES[name]["cells"])
    table = found.table.sort_values(["group", "time"])
    np.testing.assert_allclose(table[["group", "time"]], wanted[:, :2])
    np.testing.assert_allclose(table["att"], wanted[:, 2], rtol=1e-9, atol=1e-11)
    # With several comparison groups diff-diff's se of a group and time scales by other counts than its average does.
    several = (
        found.comparisons.groupby(["group", "time"]).size().reindex(pd.MultiIndex.from_frame(table[["group", "time"]]))
    )
    alone = (several == 1).to_numpy()
    np.testing.assert_allclose(table["se"][alone], wanted[alone, 3], rtol=1e-9)
    overall = found.aggregate("simple")
    np.testing.assert_allclose([overall.estimate, overall.se], VALUES[name]["overall"], rtol=1e-9)


def school_years(data: pd.DataFrame) -> pd.DataFrame:
    """Means by school, year and part."""
    return data.groupby(["school", "year", "entry", "part", "network"], as_index=False)["y"].mean()


@pytest.mark.parametrize("options", [{}, {"weights": "w"}, {"cluster": "network"}, {"base_period": "universal"}])
def test_against_never_treated_it_is_one_subgroups_effect_less_the_others(options: dict[str, str]) -> None:
    data = did_data.pupils_with_parts()
    found = did.triple_difference(data, **PUPILS, subgroup="part", **options)
    parts = [did.att_gt(data[data["part"] == part], **PUPILS, **options) for part in (1, 0)]
    np.testing.assert_allclose(found.att, parts[0].att - parts[1].att, atol=1e-12)
    contributions = parts[0].by_cluster() - parts[1].by_cluster()
    np.testing.assert_allclose(found.vcov, contributions.T @ contributions, rtol=1e-9, atol=1e-15)


def test_in_a_balanced_panel_it_is_att_gt_of_the_gap() -> None:
    """Schools with both subgroups every year: the gap is an outcome of the school."""
    data = did_data.panel_with_parts()
    rows = pd.concat([data.assign(part=0), data.assign(part=1, y=data["y"] * 0.5 + data["x"])])
    gap = data.assign(y=data["y"] * 0.5 + data["x"] - data["y"])
    for comparison in ("never", "not_yet"):
        found = did.triple_difference(rows, **PANEL, subgroup="part", comparison=comparison)
        wanted = did.att_gt(gap, **PANEL, comparison=comparison)
        if comparison == "never":
            for column in ("att", "se", "n_treated", "n_comparison"):
                np.testing.assert_allclose(found.table[column], wanted.table[column], rtol=1e-9, atol=1e-12)
            for kind in ("simple", "dynamic", "group", "calendar"):
                one, other = found.aggregate(kind), wanted.aggregate(kind)
                np.testing.assert_allclose([one.estimate, one.se], [other.estimate, other.se], rtol=1e-9)
            assert found.pretest().statistic == pytest.approx(wanted.pretest().statistic, rel=1e-8)
            assert found.pretest(bootstrap=True).p == pytest.approx(wanted.pretest(bootstrap=True).p, abs=0.15)
            np.testing.assert_allclose(
                found.aggregate("dynamic").bands(99)["ci_low"], wanted.aggregate("dynamic").bands(99)["ci_low"]
            )
        else:  # least variance where att_gt takes the mean of all units not yet treated
            assert (found.table["se"] <= wanted.table["se"] * (1 + 1e-9)).all()


def test_groups_not_yet_treated_are_not_put_together() -> None:
    """Without noise: trends differ by entry and by part, their gap does not; parts are not equally large."""
    rows = []
    for unit in range(60):
        entry = (4, 6, 0)[unit % 3]
        part = int(unit // 3 % 10 < {4: 5, 6: 2, 0: 8}[entry])
        for year in range(1, 8):
            trend = {4: 1.0, 6: -2.0, 0: 3.0}[entry] * year + 0.5 * part * year
            rows.append((unit, year, entry, part, unit + trend + (0.7 + part) * (entry > 0) * (year >= entry)))
    data = pd.DataFrame(rows, columns=["unit", "year", "entry", "part", "y"])
    found = did.triple_difference(data, **PANEL, subgroup="part", comparison="not_yet")
    after = found.table["event_time"] >= 0
    np.testing.assert_allclose(found.table["att"][after], 1.0, atol=1e-9)
    np.testing.assert_allclose(found.table["att"][~after], 0.0, atol=1e-9)
    assert found.comparisons.loc[found.comparisons["time"] == 4, "comparison"].tolist() == [6.0, np.inf, np.inf]
    mirrored = did.triple_difference(data, **PANEL, subgroup="part", focal=0, comparison="not_yet")
    np.testing.assert_allclose(mirrored.att, -found.att, atol=1e-9)
    assert (mirrored.focal, mirrored.other) == (0, 1)


def test_the_weights_are_those_of_least_variance() -> None:
    data = did_data.pupils_with_parts()
    found = did.triple_difference(data, **PUPILS, subgroup="part", comparison="not_yet")
    sums = found.comparisons.groupby(["group", "time"])["weight"].sum()
    np.testing.assert_allclose(sums, 1.0)
    never = did.triple_difference(data, **PUPILS, subgroup="part")
    assert (np.diag(found.vcov) <= np.diag(never.vcov) * (1 + 1e-9)).all()
    share = found.comparisons.groupby(["group", "time"])[["att", "weight"]].apply(lambda f: np.sum(f.prod(axis=1)))
    np.testing.assert_allclose(share.to_numpy(), found.table.sort_values(["group", "time"])["att"])


def test_rows_cells_and_order_do_not_matter() -> None:
    data = did_data.pupils_with_parts()
    options = {"covariates": ["x", "female"], "method": "or", "weights": "w", "comparison": "not_yet"}
    rows = did.triple_difference(data, **PUPILS, subgroup="part", **options)
    names = {**PUPILS, "covariates": ["x", "female"], "weights": "w", "subgroup": "part"}
    cells = did.cells(data, **names)
    found = did.triple_difference(cells, subgroup="part", covariates=["x", "female"], method="or", comparison="not_yet")
    np.testing.assert_allclose(found.att, rows.att, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found.vcov, rows.vcov, rtol=1e-10, atol=1e-15)
    permuted = data.iloc[np.argsort(did_data._uniform(51, len(data)))]
    found = did.triple_difference(permuted, **PUPILS, subgroup="part", **options)
    np.testing.assert_allclose(found.att, rows.att, rtol=1e-10, atol=1e-12)
    moved = did.triple_difference(data.assign(y=3 - 2 * data["y"]), **PUPILS, subgroup="part", **options)
    np.testing.assert_allclose(moved.att, -2 * rows.att, rtol=1e-8, atol=1e-10)


def test_a_propensity_of_rows_is_fitted_to_rows() -> None:
    data = did_data.pupils_with_parts()
    options = {"subgroup": "part", "covariates": ["x"], "method": "ipw"}
    rows = did.triple_difference(data, **PUPILS, **options)
    by_row = did.triple_difference(data, **{**PUPILS, "unit": "row"}, cluster="school", **options)
    assert rows.propensity == "row"
    np.testing.assert_allclose(rows.att, by_row.att, rtol=1e-9)
    np.testing.assert_allclose(rows.vcov, by_row.vcov, rtol=1e-7)


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (lambda f: f.assign(part=0), {}, r"1 value\(s\)"),
        (lambda f: f.assign(part=f["row"] % 3), {}, r"3 value\(s\)"),
        (lambda f: f.assign(part=np.where(f.index == 5, np.nan, f["part"])), {}, "subgroup is missing, first in|row 5"),
        (lambda f: f, {"focal": "girls"}, "'girls' is not one"),
        (lambda f: f, {"comparison": "all"}, "comparison is 'all'"),
        (lambda f: f.assign(entry=0), {}, "no unit enters"),
        (
            lambda f: f[(f["entry"] == 0) | (f["school"] == 0)].assign(
                entry=lambda g: np.where(g["school"] == 0, 2013, 0)
            ),
            {},
            "a single treated unit",
        ),
        (lambda f: f.assign(entry=f["year"]), {}, "entry varies"),
        (lambda f: f, {"allow_unbalanced": True}, "belongs to panels"),
        (lambda f: f, {"panel": True}, "panel=True"),
    ],
)
def test_bad_input_is_refused(change: object, options: dict[str, object], words: str) -> None:
    with pytest.raises(did.DidError, match=words):
        did.triple_difference(change(did_data.pupils_with_parts()), **{**PUPILS, "subgroup": "part", **options})  # type: ignore[operator]


def test_what_cannot_be_used_is_listed() -> None:
    data = did_data.panel_with_parts()
    data = data[~((data["unit"] == 3) & (data["year"] == 2))]
    lone = (data["entry"] == 6) & ~data["unit"].isin(data.loc[(data["entry"] == 6), "unit"].unique()[:2])
    found = did.triple_difference(data[~lone], **PANEL, subgroup="part", comparison="not_yet")
    text = " | ".join(found.dropped["reason"])
    assert "not seen in every period" in text
    assert found.dropped.set_index("kind").loc["units", "first"] == (
        (3, int(data.loc[data["unit"] == 3, "part"].iloc[0])),
    )
    assert "single cluster: weight 0" in text or "no " in text


def test_with_few_clusters_intervals_are_those_of_welchs_t_test_of_the_gaps() -> None:
    """Two groups and two periods, 4 and 6 schools: the gap's change has a standard error known from Welch."""
    from scipy.stats import ttest_ind

    gaps = np.array([0.3, 1.1, -0.4, 0.9, 0.1, -0.6, 0.2, 0.4, -0.3, 0.5])
    rows = []
    for school, gap in enumerate(gaps):
        for year in (1, 2):
            for part in (0, 1):
                y = school + 0.7 * year * (school % 3) + part * (year == 2) * gap
                rows.append((school, year, 2 if school < 4 else 0, part, y))
    data = pd.DataFrame(rows, columns=["unit", "year", "entry", "part", "y"])
    found = did.triple_difference(data, **PANEL, subgroup="part")
    welch = ttest_ind(gaps[:4], gaps[4:], equal_var=False)
    errors = found.adjusted
    assert found.att[0] == pytest.approx(gaps[:4].mean() - gaps[4:].mean())
    assert np.sqrt(np.sum(errors.rows[:, 0] ** 2)) == pytest.approx(abs(found.att[0] / welch.statistic))
    assert errors.df.tolist() == [3.0, 5.0]
    assert found.inference.method == "small_sample"
    assert found.intervals().table["se"][0] == pytest.approx(abs(found.att[0] / welch.statistic))
    wide, narrow = found.table, did.triple_difference(data, **PANEL, subgroup="part", inference="influence").table
    assert wide["ci_high"][0] > narrow["ci_high"][0]


def test_a_group_of_a_single_school_borrows_the_variation_of_its_comparison() -> None:
    """One school enters at 2, others at 3 or never: its gap's variance is that of a new draw from the never treated."""
    random = did_data._normal(70, 13)
    rows = []
    for school, gap in enumerate(random):
        entry = 2 if school == 0 else 3 if school < 5 else 0
        for year in (1, 2, 3):
            for part in (0, 1):
                rows.append((school, year, entry, part, school + 0.3 * year + part * (year == 2) * gap))
    data = pd.DataFrame(rows, columns=["unit", "year", "entry", "part", "y"])
    found = did.triple_difference(data, **PANEL, subgroup="part")
    first = found.intervals().table.iloc[0]
    spread = random[5:].var(ddof=1)
    assert (first["group"], first["time"]) == (2, 2)
    assert first["se"] == pytest.approx(np.sqrt(spread + spread / 8))
    assert "variation is taken from their comparison: 2" in found.intervals().notes[0]
    assert np.isfinite(found.aggregate("simple").intervals().se)
