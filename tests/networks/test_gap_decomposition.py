"""The change of the gap and its four parts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from plneval.networks.equity_bands import equity_bands
from plneval.networks.gap import PARTS, SchoolMeans, decompose_change, decompose_gap, gap_change


def means(n: list[list[float]], mean: list[list[float]]) -> SchoolMeans:
    """Row 0 others, row 1 disadvantaged."""
    sizes, averages = np.array(n, dtype=float), np.array(mean, dtype=float)
    return SchoolMeans(sizes, np.where(sizes > 0, sizes * averages, 0.0))


def test_gap_of_two_schools_by_hand() -> None:
    """Others: 8 in school 1 (mean 10), 2 in school 2 (mean 6); disadvantaged: 5 (8) and 5 (5).

    Gap = (80 + 12)/10 - (40 + 25)/10 = 9.2 - 6.5 = 2.7. Within: (.8 + .5)/2 · 2 + (.2 + .5)/2 · 1 = 1.3 + .35 = 1.65.
    Between: (.8 - .5)(9) + (.2 - .5)(5.5) = 2.7 - 1.65 = 1.05.
    """
    found = decompose_gap(means([[8, 2], [5, 5]], [[10, 6], [8, 5]]))
    assert found["gap"] == pytest.approx(2.7, abs=1e-12)
    assert found["within"] == pytest.approx(1.65, abs=1e-12)
    assert found["between"] == pytest.approx(1.05, abs=1e-12)


def test_each_kind_of_change_is_in_its_own_part() -> None:
    before = means([[8, 2], [5, 5]], [[10, 6], [8, 5]])
    narrower = means([[8, 2], [5, 5]], [[9.5, 5.5], [8.5, 5.5]])  # gaps within both schools less by 1, same middles
    found = decompose_change(before, narrower)
    assert found["within_gap"] == pytest.approx(-1, abs=1e-12)
    assert [found[part] for part in PARTS[1:]] == pytest.approx([0, 0, 0], abs=1e-12)
    better = means([[8, 2], [5, 5]], [[11, 6], [9, 5]])  # school 1 gains 1: 0.3 of the others' surplus is there
    found = decompose_change(before, better)
    assert found["between_mean"] == pytest.approx(0.3, abs=1e-12)
    assert [found[part] for part in ("within_gap", "within_weight")] == pytest.approx([0, 0], abs=1e-12)
    mixed = means([[5, 5], [5, 5]], [[10, 6], [8, 5]])  # others spread like the disadvantaged
    found = decompose_change(before, mixed)
    # sorting .3 → 0 on middles 9 and 5.5: -.3 · 3.5; weights .65 → .5 and .35 → .5 on gaps 2 and 1: -.15
    assert found["between_sorting"] == pytest.approx(-1.05, abs=1e-12)
    assert found["within_weight"] == pytest.approx(-0.15, abs=1e-12)
    assert found["total"] == pytest.approx(-1.2, abs=1e-12)


def test_parts_sum_to_the_change_whatever_is_missing() -> None:
    """200 random pairs of times with schools that have no pupils of a group, close or open: exact to 1e-12."""
    rng = np.random.default_rng(5)
    for _ in range(200):
        sizes = rng.poisson(1.2, size=(2, 2, 6)).astype(float)
        sizes[:, :, 0] += 1
        before, after = (SchoolMeans(n, n * rng.normal(3, 2, n.shape)) for n in sizes)
        found = decompose_change(before, after)
        assert sum(found[part] for part in PARTS) == pytest.approx(found["total"], abs=1e-12)
        assert found["total"] == pytest.approx(after.gap - before.gap, abs=1e-12)
        one = decompose_gap(after)
        assert one["within"] + one["between"] == pytest.approx(one["gap"], abs=1e-12)


def test_a_shift_of_all_scores_at_one_time_is_in_no_part() -> None:
    rng = np.random.default_rng(6)
    sizes = rng.poisson(2, size=(2, 2, 8)).astype(float)
    scores = rng.normal(size=sizes.shape)
    before = SchoolMeans(sizes[0], sizes[0] * scores[0])
    plain = decompose_change(before, SchoolMeans(sizes[1], sizes[1] * scores[1]))
    shifted = decompose_change(before, SchoolMeans(sizes[1], sizes[1] * (scores[1] + 10)))
    assert shifted == pytest.approx(plain, abs=1e-10)


def test_planted_change_of_the_gap_is_found(simulated, without_effect) -> None:
    """Against the twin study without effects, pupil by pupil: in every cell what participation added to other pupils
    less what it added to disadvantaged ones, weighted by the cell's pupils; exact to 1e-9."""
    for outcome in ("maths", "reading"):
        made = [study.pupil[study.pupil["outcome"] == outcome] for study in (simulated, without_effect)]
        both = made[0].merge(made[1][["pupil", "year", "z"]], on=["pupil", "year"], suffixes=("", "_without"))
        assert len(both) == len(made[0])
        both["added"] = both["z"] - both["z_without"]
        late = both[(both["event_time"] >= 2) & both["disadvantaged"].notna()]
        # The planted gap of truth.json pools all pupils; rounding to whole points leaves less than 0.004.
        pooled = late.groupby("disadvantaged")["added"].mean()
        planted = simulated.truth["effects"]["gap"][outcome]["difference"]
        assert pooled[1] - pooled[0] == pytest.approx(planted, abs=0.004)
        assert planted > 0.05
        cells = late.groupby(["entry_year", "year", "disadvantaged"])["added"].mean().unstack()
        sizes = late.groupby(["entry_year", "year"]).size()
        expected = float(np.average(cells[0] - cells[1], weights=sizes.reindex(cells.index)))
        withs, without = (gap_change(own, outcome).set_index(["arm", "part"])["change"] for own in made)
        effect = withs - without
        assert effect["comparison"].to_numpy() == pytest.approx(np.zeros(5), abs=1e-12)
        assert effect["member", "total"] == pytest.approx(expected, abs=1e-9)
        assert effect["difference", "total"] == pytest.approx(expected, abs=1e-9)
        # Pupils of one school are treated by one network: the gap that was planted narrows within schools.
        assert effect["member", "within_gap"] < -0.04
        total = withs.xs("total", level="part")
        summed = withs.drop("total", level="part").groupby("arm").sum()[total.index]
        assert summed.to_numpy() == pytest.approx(total.to_numpy(), abs=1e-12)


def pupils(schools: list[tuple[int, str, int | None, dict[int, tuple[list[float], list[float]]]]]) -> pd.DataFrame:
    """Rows of a pupil panel: for each school and year the scores of others and of disadvantaged pupils."""
    rows = [
        (school, arm, entry, year, group, score)
        for school, arm, entry, by_year in schools
        for year, groups in by_year.items()
        for group, scores in enumerate(groups)
        for score in scores
    ]
    panel = pd.DataFrame(rows, columns=["school", "arm", "entry_year", "year", "disadvantaged", "z"])
    panel["entry_year"] = panel["entry_year"].astype("Int64")
    return panel.assign(outcome="maths", cluster=panel["school"])


def test_change_and_standard_error_of_schools_by_hand() -> None:
    """Two members enter 2015, two never; one pupil of each group a school, 2014 and 2017 (event time 2).

    Gaps of members 2 → 1 and 2 → 0, of comparison schools 1 → 1 and 1 → 2: changes -1.5 and +0.5, difference -2.
    Jackknife of two clusters: (1/2) Σ (θ₍ₖ₎ − mean)² = (1/2)(0.5² + 0.5²) = 0.25 in each arm.
    """
    panel = pupils(
        [
            (1, "member", 2015, {2014: ([2], [0]), 2017: ([1], [0])}),
            (2, "member", 2015, {2014: ([2], [0]), 2017: ([1], [1])}),
            (3, "comparison", None, {2014: ([1], [0]), 2017: ([1], [0])}),
            (4, "comparison", None, {2014: ([1], [0]), 2017: ([2], [0])}),
        ]
    )
    found = gap_change(panel, "maths").set_index(["arm", "part"])
    total = found.xs("total", level="part")
    assert total["change"].to_dict() == pytest.approx({"member": -1.5, "comparison": 0.5, "difference": -2})
    assert total["se"].to_dict() == pytest.approx({"member": 0.5, "comparison": 0.5, "difference": np.sqrt(0.5)})
    assert total["df"].tolist() == [1, 1, 1]
    # The quantile of t with 1 df at 97.5 % is 12.706.
    assert total.loc["member", "ci_high"] == pytest.approx(-1.5 + 12.7062 * 0.5, abs=1e-4)
    assert total["n_schools"].to_dict() == {"member": 2, "comparison": 2, "difference": 4}
    assert total["n_pupils"].to_dict() == {"member": 4, "comparison": 4, "difference": 8}
    assert found.loc[("member", "within_gap"), "change"] == pytest.approx(-1.5)


def test_too_short_a_follow_up_gives_no_rows() -> None:
    panel = pupils(
        [(1, "member", 2015, {2014: ([2], [0]), 2016: ([1], [0])}), (2, "comparison", None, {2014: ([1], [0])})]
    )
    assert gap_change(panel, "maths").empty


def test_one_cluster_in_an_arm_leaves_the_standard_error_unknown() -> None:
    panel = pupils(
        [
            (1, "member", 2015, {2014: ([2], [0]), 2017: ([1], [0])}),
            (2, "comparison", None, {2014: ([1], [0]), 2017: ([1], [0])}),
            (3, "comparison", None, {2014: ([1], [0]), 2017: ([1], [0])}),
        ]
    )
    found = gap_change(panel, "maths")
    assert found["se"].isna().all()
    assert found["change"].notna().all()


def test_bands_are_fixed_before_anybody_joined(simulated) -> None:
    bands = equity_bands(simulated.tables.schools, simulated.school)
    first = simulated.school.query("year == 2012 and outcome == 'maths' and subgroup == 'all'").set_index("school")
    assert (bands.set_index("school")["deprivation"].dropna() == first["deprivation"].dropna()).all()
    sizes = bands["composition_band"].value_counts()
    assert sizes.max() - sizes.min() <= 1
    assert bands.groupby("deprivation_band")["deprivation"].max()["low"] <= bands["deprivation"].median()
    assert len(bands) == (simulated.tables.schools["status"] == "analysed").sum()
