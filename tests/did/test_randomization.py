"""Randomisation tests against att_gt itself on permuted data, closed forms and hand counts."""

from __future__ import annotations

from itertools import permutations
from math import comb

import did_data
import numpy as np
import pandas as pd
import pytest

from plneval import did
from plneval.did.design import make_design
from plneval.did.permutation import CHUNK, Exchange, exchange, share_interval
from plneval.did.permuted_statistic import PermutedStatistic, unit_sums
from plneval.did.randomization import _window

UNITS = {"outcome": "y", "time": "year", "unit": "unit", "entry": "entry"}
SCHOOLS = {"outcome": "y", "time": "year", "unit": "school", "entry": "entry", "panel": False}


def few() -> pd.DataFrame:
    """A small panel, entries 2013 (twice), 2015 (twice) and never, over 2011 to 2017."""
    data = did_data.panel(7)
    data = data[data["year"] != 2018].copy()
    data["entry"] = data["unit"].map(dict(enumerate([2013, 0, 2015, 2013, 0, 2015, 0])))
    return data


@pytest.mark.parametrize("statistic", ["headline", "t"])
def test_few_units_are_enumerated_as_att_gt_would(statistic: str) -> None:
    """All 6!/(2!1!3!) = 60 assignments, each estimated by att_gt on data with the entries exchanged."""
    data = few()
    data = data[data["unit"] != 5].assign(unit=lambda d: d["unit"].replace(6, 5))
    found = did.randomization_test(data, **UNITS, statistic=statistic, draws=500)
    expected = {}
    for entries in permutations([2013, 2013, 2015, 0, 0, 0]):
        if entries in expected:
            continue
        data["entry"] = data["unit"].map(dict(enumerate(entries)))
        a = did.att_gt(data, **UNITS).aggregate("simple", min_event=2)
        expected[entries] = a.estimate / (a.se if statistic == "t" else 1)
    observed = expected[2013, 0, 2015, 2013, 0, 0]
    assert found.exact
    assert found.draws == found.n_assignments == len(expected) == 60
    np.testing.assert_allclose(np.sort(found.distribution), np.sort(list(expected.values())), rtol=1e-10, atol=1e-12)
    assert found.observed == pytest.approx(observed, rel=1e-10)
    assert found.p == np.mean([abs(one) >= abs(observed) - 1e-9 for one in expected.values()])
    assert found.p_low == found.p == found.p_high


@pytest.mark.parametrize(
    ("source", "names", "options"),
    [
        (did_data.panel, UNITS, {}),
        (did_data.panel, UNITS, {"comparison": "not_yet", "anticipation": 1}),
        (did_data.panel, UNITS, {"weights": "w"}),
        (did_data.panel, UNITS, {"weights": "w_varying"}),
        (lambda: did_data.panel(never=False), UNITS, {"comparison": "not_yet"}),
        (did_data.unbalanced, UNITS, {"allow_unbalanced": True}),
        (did_data.unbalanced, UNITS, {"allow_unbalanced": "pairwise", "weights": "w_varying"}),
        (did_data.unbalanced, UNITS, {}),
        (did_data.pupils, SCHOOLS, {"weights": "w", "comparison": "not_yet"}),
    ],
)
def test_every_draw_is_att_gt_on_the_permuted_data(source: object, names: dict, options: dict) -> None:
    """Average, its standard error and its covariance with the treatment's: five assignments of each design."""
    data = source()
    cells = did.cells(data, **names, weights=options.get("weights"))
    how = {name: options.get(name, default) for name, default in [("anticipation", 0), ("allow_unbalanced", False)]}
    design = make_design(cells, comparison=options.get("comparison", "never"), base_period="varying", **how)
    used = np.flatnonzero(design.group >= 0)
    exchanged, _ = exchange(design.group[used], used, np.zeros_like(used), "unit", ("unit", "unit"))
    placed = next(iter(exchanged.sample(5, seed=3)))
    statistic = PermutedStatistic(unit_sums(design, _window(design, 2, None)), exchanged, None)
    found = statistic.evaluate(placed, variance=True)
    order, labels = exchanged.order, np.where(np.isinf(cells.entry), 0, cells.entry)[used]
    data["treated"] = ((data["entry"] > 0) & (data["year"] >= data["entry"])).astype(float)
    for draw in range(5):
        entry = pd.Series(index=cells.units[used[placed[draw]]], data=labels[order])
        moved = data[data[names["unit"]].isin(entry.index)].assign(entry=data[names["unit"]].map(entry))
        for which, outcome in enumerate(["y", "treated"]):
            a = did.att_gt(moved, **{**names, "outcome": outcome}, **options).aggregate("simple", min_event=2)
            assert found.average[which, draw] == pytest.approx(a.estimate, rel=1e-10, abs=1e-11)
            assert np.sqrt(found.variance[2 * which, draw]) == pytest.approx(a.se, rel=1e-10, abs=1e-11)


def test_standard_errors_of_permuted_units_are_by_cluster() -> None:
    data = did_data.panel()
    found = did.randomization_test(data, **UNITS, cluster="network", permute="unit", statistic="t", draws=99)
    a = did.att_gt(data, **UNITS, cluster="network").aggregate("simple", min_event=2)
    assert (found.estimate, found.se) == (pytest.approx(a.estimate, rel=1e-10), pytest.approx(a.se, rel=1e-10))


def test_a_single_treated_unit_is_ranked_among_all() -> None:
    """p is the share of units whose own change against the mean of the others is as large: a rank over 12."""
    data = did_data.panel(12)
    data = data[data["year"].isin([2011, 2015])].assign(entry=lambda d: np.where(d["unit"] == 5, 2012, 0))
    wide = data.pivot(index="unit", columns="year", values="y")
    change = wide[2015] - wide[2011]
    effect = change - (change.sum() - change) / 11
    found = did.randomization_test(data, **UNITS, min_event=3)
    assert found.estimate == pytest.approx(effect[5], rel=1e-12)
    assert found.p == np.mean(np.abs(effect) >= abs(effect[5]) - 1e-12)
    assert found.n_assignments == 12
    with pytest.raises(did.DidError, match=r"single treated unit or cluster.*'headline'"):
        did.randomization_test(data, **UNITS, min_event=3, statistic="t")


def test_ties_count_as_ties() -> None:
    """Four units that change by 1, 1, 0, 0 of which the first two enter: both -1 and +1 are as extreme, p = 2/6."""
    data = pd.DataFrame(
        {
            "unit": np.repeat([1, 2, 3, 4], 2),
            "year": np.tile([1, 2], 4),
            "entry": np.repeat([2, 2, 0, 0], 2),
            "y": [0.1, 1.1, 0.7, 1.7, 0.3, 0.3, 0.9, 0.9],
        }
    )
    found = did.randomization_test(data, **UNITS, min_event=0)
    assert (found.p, found.draws, found.estimate) == (pytest.approx(1 / 3), 6, pytest.approx(1.0))
    assert (found.ci_low, found.ci_high) == (-np.inf, np.inf)  # no p is below 1/6 on either side


@pytest.mark.parametrize("statistic", ["headline", "t"])
def test_the_interval_ends_where_the_test_begins_to_reject(statistic: str) -> None:
    """Taking an effect off the treated rows and testing again: not rejected inside, rejected outside."""
    data = did_data.panel(48)
    options = {**UNITS, "statistic": statistic, "draws": 499, "seed": 5}
    found = did.randomization_test(data, **options)
    treated = (data["entry"] > 0) & (data["year"] >= data["entry"])
    width = found.ci_high - found.ci_low

    def p_of(effect: float) -> float:
        return did.randomization_test(data.assign(y=data["y"] - effect * treated), **options).p

    assert found.ci_low < found.estimate < found.ci_high
    for inside, outside in [(1, -1), (-1, 1)]:
        end = found.ci_low if inside > 0 else found.ci_high
        assert p_of(end + inside * 1e-6 * width) > 0.05 >= p_of(end + outside * 1e-6 * width)


def test_entries_stay_in_their_stratum() -> None:
    """Assignments are counted by hand, and none moves an entry to another area."""
    group = np.array([0, 1, 1, 0, 0, 1, 1, 1])
    stratum = np.array([0, 0, 0, 0, 0, 1, 1, 1])
    found, _ = exchange(group, np.arange(8), stratum, "unit", ("school", "school"))
    assert found.n_assignments == comb(5, 2)
    assert list(found.fixed()) == [5, 6, 7]
    labels = group[found.order]
    drawn = np.concatenate(list(found.sample(300, seed=1)))
    every = np.concatenate(list(found.enumerate()))
    moved = np.zeros((300, 8), dtype=int)
    np.put_along_axis(moved, drawn, np.broadcast_to(labels, drawn.shape), axis=1)
    assert (moved[:, 5:] == 1).all()
    assert (moved[:, :5].sum(axis=1) == 2).all()
    assert len({tuple(row) for row in moved.tolist()}) == 10
    all_of_them = np.zeros((10, 8), dtype=int)
    np.put_along_axis(all_of_them, every, np.broadcast_to(labels, every.shape), axis=1)
    assert len({tuple(row) for row in all_of_them.tolist()}) == 10


def test_patterns_of_clusters_of_equal_size_are_exchanged() -> None:
    """Clusters (0,0,1), (0,1,1), (1,1,1) of three and (0,1) of two: 3!·3·3·1 ways for the threes, 2 for the two."""
    group = np.array([0, 0, 1, 0, 1, 1, 1, 1, 1, 0, 1])
    cluster = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3])
    found, item = exchange(group, cluster, np.zeros(11, dtype=int), "cluster", ("school", "network"))
    assert found.scheme == "pattern"
    assert found.n_assignments == 6 * 3 * 3 * 2 == sum(len(batch) for batch in found.enumerate())
    labels = group[found.order]
    seen = set()
    for batch in found.sample(5000, seed=2):
        for row in batch:
            moved = np.empty(11, dtype=int)
            moved[row] = labels
            assert sorted(np.bincount(cluster, moved)[:3]) == [1, 2, 3]
            seen.add(tuple(moved))
    assert len(seen) == 108
    assert list(item) == list(range(11))


def test_whole_clusters_keep_together() -> None:
    """Networks of one entry each: their entries are exchanged whatever their sizes; 5 networks, 2 treated: 10 ways."""
    data = did_data.panel(15)
    data["network"] = data["unit"].map(lambda u: [0, 0, 0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4][u])
    data["entry"] = data["network"].map({0: 2013, 1: 0, 2: 2013, 3: 0, 4: 0})
    found = did.randomization_test(data, **UNITS, cluster="network")
    expected = []
    for first in range(5):
        for second in range(first):
            moved = data.assign(entry=np.where(data["network"].isin([first, second]), 2013, 0))
            expected.append(did.att_gt(moved, **UNITS).aggregate("simple", min_event=2).estimate)
    assert (found.scheme, found.n_assignments) == ("cluster", 10)
    np.testing.assert_allclose(np.sort(found.distribution), np.sort(expected), rtol=1e-10)


def test_rows_cells_and_strata_given_either_way_agree() -> None:
    data = did_data.pupils().assign(area=lambda d: d["school"] % 3)
    found = did.randomization_test(data, **SCHOOLS, strata="area", draws=199)
    cells = did.cells(data, **SCHOOLS)
    area = {school: school % 3 for school in range(40)}
    other = did.randomization_test(cells, strata=area, draws=199)
    assert found.strata == (0, 1, 2)
    assert (found.p, found.ci_low, found.ci_high) == (other.p, other.ci_low, other.ci_high)
    np.testing.assert_array_equal(found.distribution, other.distribution)


def test_strata_are_read_from_arrow_and_ibis() -> None:
    import ibis
    import pyarrow

    data = did_data.panel(24).assign(area=lambda d: np.where(d["unit"] % 2, "north", "south"))
    expected = did.randomization_test(data, **UNITS, strata="area", draws=199)
    for table in (pyarrow.Table.from_pandas(data), ibis.memtable(data)):
        found = did.randomization_test(table, **UNITS, strata="area", draws=199)
        assert found.strata == ("north", "south")
        np.testing.assert_allclose(found.distribution, expected.distribution, rtol=1e-9)


def test_row_order_and_repetition_change_nothing() -> None:
    data = did_data.pupils()
    shuffled = data.iloc[np.random.default_rng(1).permutation(len(data))]
    options = {**SCHOOLS, "statistic": "t", "draws": 299}
    first, again, other = (did.randomization_test(one, **options) for one in (data, data, shuffled))
    np.testing.assert_array_equal(first.distribution, again.distribution)
    np.testing.assert_allclose(first.distribution, other.distribution, rtol=1e-10, atol=1e-12)
    assert first.p == other.p
    assert did.randomization_test(data, **options, seed=2).p != first.p


def test_batches_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Exchange(np.array([0, 1, 1, 0]), (np.arange(4)[:, None],), "unit")
    whole = np.concatenate(list(found.sample(50, seed=1)))
    assert CHUNK > 4
    monkeypatch.setattr("plneval.did.permutation.CHUNK", 12)
    np.testing.assert_array_equal(whole, np.concatenate(list(found.sample(50, seed=1))))


def test_monte_carlo_error_is_clopper_and_pearsons() -> None:
    """5 of 100: 0.0164 to 0.1128 (Clopper and Pearson's table); 0 of 50: 0 to 1 - 0.025^(1/50)."""
    np.testing.assert_allclose(share_interval(5, 100), [0.01643, 0.11283], atol=5e-6)
    np.testing.assert_allclose(share_interval(0, 50), [0, 1 - 0.025 ** (1 / 50)], rtol=1e-12)


def test_draws_in_which_nothing_can_be_estimated_count_as_extreme() -> None:
    """Only units 0 and 1 are seen in 2015 and 2016, so an assignment needs one of them in either arm."""
    data = few().assign(entry=lambda d: np.where(d["unit"].isin([0, 2]), 2013, 0))
    data = data[(data["unit"] < 2) | (data["year"] < 2015)]
    found = did.randomization_test(data, **UNITS, allow_unbalanced=True)
    assert found.undefined == 21 - 10  # pairs of 7 with exactly one of 0 and 1: 2 · 5
    assert found.p >= 11 / 21


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({}, {"statistic": "mean"}, "statistic is 'mean'"),
        ({}, {"draws": 20}, "draws is 20; give a whole number, 99 or more"),
        ({}, {"draws": 999.0}, "draws is 999.0"),
        ({}, {"permute": "school"}, "permute is 'school'"),
        ({}, {"permute": "cluster"}, "needs a cluster column"),
        ({}, {"min_event": 9}, "no effect after entry has an event time from 9"),
        ({}, {"strata": "area"}, "strata: no column 'area'"),
        ({}, {"strata": "year"}, "year: the stratum varies within 24 units, first in rows 0, 1, 2"),
        ({}, {"strata": "unit"}, "only one way to assign the entries.*coarser strata"),
        ({}, {"strata": {0: "a"}}, "the stratum of 23 units is missing, first unit 1, 2"),
        ({}, {"strata": 3}, "strata is a int"),
        ({"half": np.arange(24) % 2}, {"strata": "half", "cluster": "network"}, "clusters reach over several strata"),
        ({}, {"level": 95}, "level is 95"),
        ({}, {"panel": False, "allow_unbalanced": True}, "allow_unbalanced belongs to panels"),
    ],
)
def test_what_cannot_be_tested_is_refused(change: dict, options: dict, message: str) -> None:
    data = did_data.panel(24)
    data = data.assign(**{name: values[data["unit"]] for name, values in change.items()})
    with pytest.raises(did.DidError, match=message):
        did.randomization_test(data, **UNITS, **options)


def test_units_that_are_never_permuted_are_listed() -> None:
    data = did_data.panel(24).assign(area=lambda d: np.where(d["unit"] == 3, 1, 0))
    found = did.randomization_test(data, **UNITS, strata="area", draws=99)
    note = found.dropped.set_index("kind").loc["permutations"]
    assert (note["count"], note["first"]) == (1, (3,))
    with pytest.raises(did.DidError, match="cells hold no column 'area'"):
        did.randomization_test(did.cells(data, **UNITS), strata="area")
