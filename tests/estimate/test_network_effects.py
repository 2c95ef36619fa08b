"""Effects by network: by hand, as parts of the group-time headline, and their covariance against its own frequency."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from plneval import did
from plneval.estimate.counts import PupilCounts
from plneval.estimate.network_effects import BORROWED, POOLED, NetworkEffects, NoNetworkEffects, network_effects
from plneval.estimate.sample import Exclusions, SchoolSample

NO_PUPILS = PupilCounts(pd.DataFrame({"school": [], "year": [], "pupil": []}))


def effects_of(rows: pd.DataFrame, school_networks: pd.DataFrame | None = None) -> NetworkEffects:
    return network_effects(SchoolSample(rows, "z", "schools", Exclusions()), NO_PUPILS, school_networks)


def counting(*rows: tuple[int, int, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["school", "network", "part"])


def school(number: int, entry: int | None, network: int | None, values: dict[int, float], weight: float = 1.0):
    cluster = 100 + number if network is None else network
    return pd.DataFrame(
        {
            "school": number,
            "year": list(values),
            "y": list(values.values()),
            "entry_year": pd.array([entry] * len(values), dtype="Int64"),
            "network": pd.array([network] * len(values), dtype="Int64"),
            "cluster": cluster,
            "n": 10.0,
            "weight": weight,
        }
    )


def by_hand() -> pd.DataFrame:
    """Entry 2012; the third year is 2014. Comparison schools change by 0.1 and 0.3 to 2014, by 0.2 and 0.6 to 2015."""
    return pd.concat(
        [
            school(1, 2012, 1, {2011: 0.0, 2014: 1.2, 2015: 1.4}, weight=3.0),
            school(2, 2012, 1, {2011: 1.0, 2014: 1.2}),
            school(3, 2012, 2, {2011: 0.5, 2014: 0.2, 2015: 0.5}),
            school(4, 2012, 3, {2012: 0.5, 2014: 0.2, 2015: 0.5}),
            school(5, None, None, {2011: 0.0, 2014: 0.1, 2015: 0.2}),
            school(6, None, None, {2011: 1.0, 2014: 1.3, 2015: 1.6}),
        ],
        ignore_index=True,
    )


def test_effects_and_errors_are_those_of_a_hand_calculation():
    found = effects_of(by_hand())
    table = found.table.set_index("unit")
    # Comparison: +0.2 in 2014, +0.4 in 2015. School 1: 1.0 and 1.0 (weight 3 each), school 2: 0.0;
    # school 3: -0.5, -0.4.
    assert table["estimate"].to_dict() == pytest.approx({1: 6 / 7, 2: -0.45})
    assert table["n_schools"].to_dict() == {1: 2, 2: 1}  # school 4 was not seen before joining
    assert table["weight"].to_dict() == pytest.approx({1: 7 / 9, 2: 2 / 9})
    assert (table["entered"] == 2012).all()
    assert (table["outcome_from"] == 2014).all()
    # Errors of the two comparison means: half the difference of two schools, ±(0.2/2)/2 √2 and ±(0.4/2)/2 √2 each.
    means = np.array([0.05, 0.1]) * np.sqrt(2)
    shares = np.array([[4 / 7, 3 / 7], [1 / 2, 1 / 2]])
    shared = 2 * np.outer(shares @ means, shares @ means)
    assert found.covariance[0, 1] == pytest.approx(shared[0, 1])
    # With one degree of freedom within networks the scale is 1: comparison schools' own variances over the same years.
    # Windows 2014-15: changes 0.15 and 0.45, variance 0.045; 2014: 0.1 and 0.3, variance 0.02.
    own = np.array([(6 / 7) ** 2 * 0.045 + (1 / 7) ** 2 * 0.02, 0.045])
    assert np.diag(found.covariance) == pytest.approx(np.diag(shared) + own)
    assert (found.scale, found.within, found.warnings) == (1.0, 1, (BORROWED,))


def drawn(random: np.random.Generator, effect: np.ndarray, noise: float = 0.1) -> pd.DataFrame:
    """Two entry groups, networks of 1 to 4 schools, 20 comparison schools; shocks by school and year."""
    parts = []
    number = 0
    for network, value in enumerate(effect, start=1):
        entry = 2013 if network % 2 else 2014
        for _ in range(1 + network % 4):
            number += 1
            y = {t: random.normal(0, noise) + (value if t >= entry else 0.0) for t in range(2011, 2018)}
            parts.append(school(number, entry, network, y, weight=1.0 + number % 3))
    for _ in range(20):
        number += 1
        y = {t: random.normal(0, noise) for t in range(2011, 2018)}
        parts.append(school(number, None, None, y, weight=1.0 + number % 3))
    return pd.concat(parts, ignore_index=True)


def test_a_school_of_two_networks_counts_in_both_and_ties_their_errors():
    """School 2, with half of its weight in either network; the effects of the schools are those above."""
    found = effects_of(by_hand(), counting((1, 1, 1.0), (2, 1, 0.5), (2, 2, 0.5), (3, 2, 1.0), (4, 3, 1.0)))
    table = found.table.set_index("unit")
    # Weights: school 1 has 3 in each of two years, school 2 1 in one, school 3 1 in each of two.
    assert table["estimate"].to_dict() == pytest.approx({1: 6 / 6.5, 2: (0.5 * 0 - 0.9) / 2.5})
    assert table["weight"].to_dict() == pytest.approx({1: 6.5 / 9, 2: 2.5 / 9})
    assert table["n_schools"].to_dict() == {1: 2, 2: 2}
    assert found.members.to_numpy().tolist() == [[1, 1], [2, 1], [2, 2], [3, 2]]
    assert (found.basis.n_schools, found.basis.n_networks) == (5, 2)
    means = np.array([0.05, 0.1]) * np.sqrt(2)
    shares = np.array([[3.5 / 6.5, 3 / 6.5], [1.5 / 2.5, 1 / 2.5]])
    shared = 2 * np.outer(shares @ means, shares @ means)
    # School 2 (variance 0.02) weighs 0.5/6.5 in the one network and 0.5/2.5 in the other.
    assert found.covariance[0, 1] == pytest.approx(shared[0, 1] + (0.5 / 6.5) * (0.5 / 2.5) * 0.02)
    own = np.array([(6 / 6.5) ** 2 * 0.045 + (0.5 / 6.5) ** 2 * 0.02, 0.8**2 * 0.045 + 0.2**2 * 0.02])
    assert np.diag(found.covariance) == pytest.approx(np.diag(shared) + own)


def test_networks_of_the_very_same_schools_count_as_one():
    halves = counting(*((school, network, 0.5) for school in (1, 2) for network in (1, 2)), (3, 3, 1.0))
    found = effects_of(by_hand(), halves)
    alone = effects_of(by_hand(), counting((1, 1, 1.0), (2, 1, 1.0), (3, 3, 1.0)))
    pd.testing.assert_frame_equal(found.table, alone.table)
    assert found.covariance == pytest.approx(alone.covariance)
    assert found.warnings[-1] == "1 networks share all their schools with another one and count with it as one"
    assert found.basis.n_networks == 3


def test_networks_that_cannot_be_told_apart_have_no_effects():
    tangle = counting((1, 1, 0.5), (1, 2, 0.5), (2, 1, 0.5), (2, 3, 0.5), (3, 1, 1.0))
    with pytest.raises(NoNetworkEffects, match="cannot be told apart"):
        effects_of(by_hand(), pd.concat([tangle, counting((3, 4, 0.0))]).replace({"part": {0.0: 0.25}}))


def chained(rows: pd.DataFrame) -> pd.DataFrame:
    """Parts in which the first school of every network counts with half of itself for the next network."""
    first = rows.dropna(subset=["network"]).drop_duplicates("school")[["school", "network"]].astype("int64")
    linked = first.drop_duplicates("network").iloc[:-1]
    own = first.assign(part=np.where(first["school"].isin(linked["school"]), 0.5, 1.0))
    return pd.concat([own, linked.assign(network=linked["network"] + 1, part=0.5)], ignore_index=True)


def test_what_another_rule_leaves_alone_is_the_same_to_the_last_bit():
    rows = drawn(np.random.default_rng(5), np.linspace(-0.2, 0.4, 8))
    own = rows.dropna(subset=["network"]).drop_duplicates("school")[["school", "network"]].astype("int64")
    first, other = effects_of(rows), effects_of(rows, own.assign(part=1.0))
    pd.testing.assert_frame_equal(first.table, other.table, check_exact=True)
    assert (first.covariance == other.covariance).all()


@pytest.mark.parametrize("shared", [False, True])
def test_their_weighted_mean_is_the_group_time_headline(shared: bool):
    rows = drawn(np.random.default_rng(5), np.linspace(-0.2, 0.4, 8))
    found = effects_of(rows, chained(rows) if shared else None)
    cells = did.att_gt(
        rows.assign(entry_year=rows["entry_year"].astype("float64")),
        outcome="y",
        time="year",
        unit="school",
        entry="entry_year",
        weights="weight",
        cluster="cluster",
        comparison="never",
        panel=True,
        base_period="universal",
        missing_entry="never",
    )
    headline = cells.aggregate("simple", min_event=2).estimate
    assert float(found.table["weight"] @ found.table["estimate"]) == pytest.approx(headline, abs=1e-12)


def test_the_covariance_is_that_of_repeated_studies():
    random = np.random.default_rng(11)
    effect = np.linspace(-0.2, 0.4, 12)
    draws = [effects_of(drawn(random, effect)) for _ in range(80)]
    errors = np.array([one.table["estimate"] for one in draws]) - effect
    told = np.mean([one.covariance for one in draws], axis=0)
    # A Monte Carlo variance of 80 draws has a relative standard error of √(2/79) = 0.16; its mean over networks 0.05.
    assert np.abs(errors.mean(axis=0)).max() < 4 * errors.std(axis=0).max() / np.sqrt(80)
    ratio = np.diag(told) / errors.var(axis=0, ddof=1)
    assert ratio.mean() == pytest.approx(1.0, abs=0.15)
    off = ~np.eye(12, dtype=bool)
    assert told[off].mean() == pytest.approx(np.cov(errors.T)[off].mean(), abs=0.0003)
    assert draws[0].warnings == (POOLED,)


def test_schools_that_networks_share_make_their_errors_go_together():
    """Against repeated studies without effects: eleven pairs of networks share a school, half of it in each."""
    random = np.random.default_rng(12)
    draws = [drawn(random, np.zeros(12)) for _ in range(60)]
    found = [effects_of(rows, chained(rows)) for rows in draws]
    errors, told = (
        np.array([one.table["estimate"] for one in found]),
        np.mean([one.covariance for one in found], axis=0),
    )
    linked = [(k, k + 1) for k in range(11)]
    products = np.array([[own[a] * own[b] for a, b in linked] for own in errors]).mean(axis=1)
    monte_carlo = products.std(ddof=1) / np.sqrt(len(products))
    of_pairs = np.mean([told[a, b] for a, b in linked])
    assert of_pairs == pytest.approx(products.mean(), abs=3 * monte_carlo)
    # Comparison schools alone would leave them as alike as networks that share nothing.
    apart = np.mean([told[a, b] for a in range(12) for b in range(a + 2, 12)])
    assert products.mean() - apart > 3 * monte_carlo


def test_a_study_without_comparison_schools_or_third_years_has_none():
    rows = by_hand()
    with pytest.raises(NoNetworkEffects, match="fewer than two schools that never join"):
        effects_of(rows[rows["school"] != 6])
    with pytest.raises(NoNetworkEffects, match="third year"):
        effects_of(rows[rows["year"] < 2014])
