"""Means and their differences by cluster, held against regressions with clustered errors in other libraries."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from diff_diff.linalg import compute_robust_vcov

from plneval.networks.cluster_means import cluster_mean
from plneval.networks.lasting_change import last_level, lasting_change
from plneval.standards import load

RULES = load("sustainability")


def answers(sizes: list[tuple[int, int]]) -> pd.DataFrame:
    """Schools with so many answers in each of two waves; schools and people differ, and people answer twice."""
    random = np.random.default_rng(3)
    rows = []
    for school, counts in enumerate(sizes):
        level, people = 0.5 * random.normal(), random.normal(size=max(counts))
        for wave, count in enumerate(counts):
            score = 3 + level + 0.3 * wave + people[:count] + 0.5 * random.normal(size=count)
            rows += [(1, f"s{school}", str(wave + 1), float(one)) for one in score]
    return pd.DataFrame(rows, columns=["network", "school", "wave", "score"])


def design(table: pd.DataFrame) -> np.ndarray:
    return np.column_stack([np.ones(len(table)), (table["wave"] == "2").to_numpy(float)])


def test_with_schools_of_one_size_the_change_has_the_clustered_error_of_statsmodels() -> None:
    """CR1 without the factor for parameters: G/(G − 1), t with G − 1."""
    table = answers([(6, 6)] * 5)
    groups = table["school"].astype("category").cat.codes
    ols = sm.OLS(table["score"].to_numpy(), design(table)).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
    )
    found = lasting_change(table, False, RULES)
    assert found is not None
    se = ols.bse[1] * np.sqrt(5 / 4)
    assert found.change.mean == pytest.approx(ols.params[1], abs=1e-12)
    assert found.change.ci_high - found.change.mean == pytest.approx(2.7764451051977987 * se, rel=1e-9)  # t(4)
    assert (found.change.n, found.change.clusters) == (30, 5)


@pytest.mark.parametrize("sizes", [[(2, 3), (6, 4), (10, 9), (3, 3)], [(4, 4), (0, 5), (7, 2), (9, 9), (3, 0)]])
def test_with_unequal_schools_the_error_is_that_of_cr2(sizes: list[tuple[int, int]]) -> None:
    """diff-diff's CR2 with Bell and McCaffrey's degrees of freedom; a school may lack in a wave."""
    table = answers(sizes)
    x, y = design(table), table["score"].to_numpy()
    beta = np.linalg.lstsq(x, y, rcond=None)[0]
    groups = table["school"].to_numpy()
    matrix, df = compute_robust_vcov(x, y - x @ beta, cluster_ids=groups, vcov_type="hc2_bm", return_dof=True)
    by = table.groupby(["school", "wave"])["score"].agg(["size", "sum"])
    size, total = (by[column].unstack(fill_value=0).to_numpy(float) for column in ("size", "sum"))
    found = cluster_mean(size, total, level=0.95)
    assert found.estimate == pytest.approx(beta[1], abs=1e-12)
    assert found.se == pytest.approx(np.sqrt(matrix[1, 1]), rel=1e-9)
    assert found.df == pytest.approx(df[1], rel=1e-9)


def test_the_change_over_networks_is_the_regression_with_networks_own_levels() -> None:
    """Networks of one size: OLS of scores on the wave with a level for each network, clustered by network."""
    table = pd.concat([answers([(3, 5), (4, 2)]).assign(network=n) for n in range(6)], ignore_index=True)
    random = np.random.default_rng(4)
    table["score"] += 0.4 * random.normal(size=(6, 2))[table["network"], (table["wave"] == "2").astype(int)]
    x = np.column_stack([pd.get_dummies(table["network"]).to_numpy(float), design(table)[:, 1]])
    ols = sm.OLS(table["score"].to_numpy(), x).fit(
        cov_type="cluster", cov_kwds={"groups": table["network"], "use_correction": False}
    )
    found = lasting_change(table, True, RULES)
    assert found is not None
    assert found.change.mean == pytest.approx(ols.params[-1], abs=1e-12)
    half = 2.5705818356363155 * ols.bse[-1] * np.sqrt(6 / 5)  # t(5)
    assert found.change.ci_high - found.change.mean == pytest.approx(half, rel=1e-9)


def test_networks_that_share_schools_are_one_cluster() -> None:
    """Four networks, two of which share schools: three clusters."""
    table = pd.concat([answers([(3, 3), (3, 3)]).assign(network=n) for n in range(4)], ignore_index=True)
    table["score"] += 0.2 * table["network"] * (table["wave"] == "2")
    apart = lasting_change(table, True, RULES)
    merged = lasting_change(table.assign(cluster=table["network"].replace(1, 0)), True, RULES)
    assert apart is not None
    assert merged is not None
    assert (apart.change.mean, apart.change.clusters) == (merged.change.mean, 4)
    assert merged.change.clusters == 3
    assert merged.change.ci_high > apart.change.ci_high
    one = lasting_change(table.assign(cluster=0), True, RULES)
    assert one is not None
    assert np.isnan(one.change.ci_low)


def test_within_one_network_two_schools_give_no_interval() -> None:
    """Two schools in a wave are too few, whatever the other wave has; answers without a school do not count."""
    for sizes in ([(8, 8), (8, 8)], [(8, 8), (8, 8), (8, 0)]):
        found = lasting_change(answers(sizes), False, RULES)
        assert found is not None
        assert np.isnan([found.change.ci_low, found.change.ci_high]).all()
        assert found.change.clusters == 2
    level = last_level(answers([(8, 8), (8, 8)]), False, RULES)
    assert level is not None
    assert np.isnan(level[0].ci_low)
    unplaced = answers([(8, 8), (8, 8), (8, 8)])
    unplaced.loc[unplaced["school"] == "s2", "school"] = None
    found = lasting_change(unplaced, False, RULES)
    assert found is not None
    assert (found.change.n, found.change.clusters) == (16, 2)


def test_a_person_who_answers_twice_is_no_new_person() -> None:
    """Everyone rises by one point and keeps their place: the change is known exactly, however people differ."""
    table = answers([(5, 5), (3, 3), (7, 7)])
    before = table.loc[table["wave"] == "1"]
    twice = pd.concat([before, before.assign(wave="2", score=before["score"] + 1)], ignore_index=True)
    found = lasting_change(twice, False, RULES)
    assert found is not None
    assert (found.change.ci_low, found.change.ci_high) == pytest.approx((1, 1), abs=1e-12)
    strangers = twice.assign(school=twice["school"] + twice["wave"])
    unpaired = lasting_change(strangers, False, RULES)
    assert unpaired is not None
    assert unpaired.change.ci_low < 0.9
