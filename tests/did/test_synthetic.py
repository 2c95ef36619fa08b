"""Synthetic difference-in-differences against R's synthdid (stored values), closed forms and exact optima."""

from __future__ import annotations

import json
import os
from pathlib import Path

import did_data
import numpy as np
import pandas as pd
import pytest

from plneval import did
from plneval.did.cells import as_cells
from plneval.did.simplex import OwnGram, SharedColumns, SimplexProblems, frank_wolfe, shared_columns
from plneval.did.synthetic import _fit, _sample
from plneval.did.synthetic_variance import _searched

VALUES = json.loads((Path(__file__).parent / "reference" / "synthdid_values.json").read_text())
REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "data" / "reference"
SMOKING = Path(os.environ.get("PLNEVAL_PROP99", REFERENCE / "california_prop99.csv"))
"""data/california_prop99.csv of synth-inference/synthdid: State;Year;PacksPerCapita;treated, 39 states, 31 years."""
UNITS = {"outcome": "y", "time": "year", "unit": "unit", "entry": "entry"}
METHODS = {"synthetic_did": "synthdid_estimate", "synthetic_control": "sc_estimate", "did": "did_estimate"}


def one_group(entry: int) -> pd.DataFrame:
    data = did_data.few_treated()
    return data[data["entry"].isin([0, entry])]


@pytest.mark.parametrize("entry", [2009, 2011])
@pytest.mark.parametrize("method", METHODS)
def test_estimates_weights_and_jackknife_are_synthdids(method: str, entry: int) -> None:
    """R 4.2, to 8 digits of the estimate and 1e-7 of each weight."""
    expected = VALUES[f"{entry} {METHODS[method]}"]
    found = did.synthetic(one_group(entry), **UNITS, method=method, vcov="jackknife")
    assert found.estimate == pytest.approx(expected["estimate"], rel=1e-8)
    assert found.se == pytest.approx(expected["jackknife"], rel=1e-7)
    np.testing.assert_allclose(found.unit_weights["weight"], expected["unit"], atol=1e-7)
    np.testing.assert_allclose(found.time_weights["weight"], expected["time"], atol=1e-7)
    assert found.effects["estimate"].mean() == pytest.approx(found.estimate, rel=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_placebo_estimates_are_synthdids(method: str) -> None:
    """Comparison units rotated by 0, 7, 14, ...: the last three of each rotation stand in for the treated."""
    cells = as_cells(one_group(2011), **UNITS)
    fitted = _fit(_sample(cells, method, 0), method)
    order = (np.arange(25) + 7 * np.arange(5)[:, None]) % 25
    panel, units = fitted.panels[0], order[:, :22]
    treated = panel.comparison[order[:, 22:]].mean(axis=1)
    curves = _searched(panel, fitted.weights[0], treated, units, np.ones(units.shape, dtype=bool))
    np.testing.assert_allclose(curves.mean(axis=1), VALUES[f"2011 {METHODS[method]}"]["placebo"], rtol=1e-7)


def test_groups_are_averaged_by_treated_unit_periods() -> None:
    """Two units treated in 4 periods and three in 2: shares 8/14 and 6/14 of the estimates of each group alone."""
    found = did.synthetic(did_data.few_treated(), **UNITS, vcov="jackknife")
    alone = [VALUES[f"{entry} synthdid_estimate"]["estimate"] for entry in (2009, 2011)]
    np.testing.assert_allclose(found.table["weight"], [8 / 14, 6 / 14], rtol=1e-12)
    np.testing.assert_allclose(found.table["estimate"], alone, rtol=1e-8)
    assert found.estimate == pytest.approx((8 * alone[0] + 6 * alone[1]) / 14, rel=1e-8)
    assert (found.n_treated, found.n_comparison, len(found.replications)) == (5, 25, 30)


def test_proposition_99() -> None:
    """California's tobacco sales: -15.60383, -19.61966 and -27.34911 (the package's published example).

    With one treated state the placebo estimates are those of each of the 38 others in its place.
    """
    if not SMOKING.exists():
        pytest.skip("california_prop99.csv is not there (its licence is unclear, so it is not in the project)")
    data = pd.read_csv(SMOKING, sep=";")
    data["entry"] = data["State"].map(data[data["treated"] == 1].groupby("State")["Year"].min()).fillna(0)
    names = {"outcome": "PacksPerCapita", "time": "Year", "unit": "State", "entry": "entry"}
    for method, expected in zip(METHODS, [-15.60383, -19.61966, -27.34911], strict=True):
        found = did.synthetic(data, **names, method=method, replications=50)
        assert found.estimate == pytest.approx(expected, abs=5e-6)
        assert len(np.unique(found.replications.round(4))) <= 38
        assert 5 < found.se < 30


def test_event_times_weigh_groups_by_their_units_in_every_replication() -> None:
    """Two units entering in 2009 and three in 2011, to 2012: 5 units at 0 and 1, 2 at 2 and 3."""
    for vcov, method in (("jackknife", "synthetic_did"), ("placebo", "did")):
        found = did.synthetic(did_data.few_treated(), **UNITS, vcov=vcov, method=method, replications=60)
        events = found.event_times
        assert list(events["event_time"]) == [0, 1, 2, 3]
        assert list(events["n_treated"]) == [5, 5, 2, 2]
        by_group = found.effects.pivot(index="event_time", columns="group", values="estimate")
        expected = (2 * by_group[2009] + 3 * by_group[2011].fillna(0)) / np.array([5, 5, 2, 2])
        np.testing.assert_allclose(events["estimate"], expected, rtol=1e-12)
        assert events["estimate"] @ events["n_treated"] / 14 == pytest.approx(found.estimate, rel=1e-12)
        if vcov == "jackknife":
            # Leaving a treated unit out changes how many there are.
            kept = np.tile([5, 5, 2, 2], (30, 1))
            entry = did_data.few_treated().groupby("unit")["entry"].first().loc[list(found.clusters)].to_numpy()
            kept[entry == 2009] -= 1
            kept[entry == 2011] -= np.array([1, 1, 0, 0])
            whole = np.sum(found.event_replications * kept, axis=1) / kept.sum(axis=1)
            np.testing.assert_allclose(whole, found.replications, rtol=1e-10)
            spread = found.event_replications - found.event_replications.mean(axis=0)
            np.testing.assert_allclose(events["se"], np.sqrt(29 / 30 * np.sum(spread**2, axis=0)), rtol=1e-12)
    alone = did.synthetic(one_group(2011), **UNITS, vcov="jackknife")
    np.testing.assert_allclose(alone.event_times["se"], alone.effects["se"], rtol=1e-12)


def test_estimates_can_be_had_without_standard_errors() -> None:
    bare = did.synthetic(one_group(2011), **UNITS, vcov="none")
    assert bare.estimate == did.synthetic(one_group(2011), **UNITS, vcov="jackknife").estimate
    assert np.isnan([bare.se, bare.ci_low, bare.p]).all()
    assert bare.event_times["se"].isna().all()
    assert len(bare.replications) == 0


def test_equal_weights_are_difference_in_differences() -> None:
    """With every weight equal: the change of the treated mean less that of the others, by hand."""
    data = one_group(2009)
    found = did.synthetic(data, **UNITS, method="did")
    mean = data.assign(post=data["year"] >= 2009).groupby([data["entry"] > 0, "post"])["y"].mean()
    assert found.estimate == pytest.approx(
        mean[True, True] - mean[True, False] - mean[False, True] + mean[False, False]
    )
    late = did.synthetic(data, **UNITS, method="did", min_event=2)
    post = data[(data["year"] < 2009) | (data["year"] >= 2011)].assign(post=lambda d: d["year"] >= 2009)
    mean = post.groupby([post["entry"] > 0, "post"])["y"].mean()
    assert late.estimate == pytest.approx(mean[True, True] - mean[True, False] - mean[False, True] + mean[False, False])
    assert list(late.effects["event_time"]) == [2, 3]


def test_exact_copies_get_the_weight_and_the_effect_is_found() -> None:
    """Two treated units are the mean of two others, plus 2 from entry on: synthetic control without noise."""
    data = one_group(2009)
    wide = data[data["unit"].isin([1, 2, 3, 7])].pivot(index="unit", columns="year", values="y")
    wide.loc[98] = wide.loc[99] = (wide.loc[2] + wide.loc[7]) / 2 + 2.0 * (wide.columns >= 2009)
    long = wide.stack().rename("y").reset_index()
    long["entry"] = np.where(long["unit"] > 90, 2009, 0)
    found = did.synthetic(long, **UNITS, method="synthetic_control", vcov="jackknife")
    weight = found.unit_weights.set_index("unit")["weight"]
    assert weight[2] + weight[7] == pytest.approx(1, abs=0.03)
    assert found.estimate == pytest.approx(2, abs=0.03)


def test_frank_wolfe_approaches_the_optimum() -> None:
    """Against the best of the solutions on every support: five unknowns, a ridge, many problems at once."""
    rng = np.random.default_rng(3)
    a, b, zeta = rng.normal(size=(4, 12, 5)), rng.normal(size=(4, 12)), 0.1
    gram, target = np.einsum("rni,rnj->rij", a, a), np.einsum("rni,rn->ri", a, b)
    problems = SimplexProblems(OwnGram(gram), target, np.ones((4, 5), dtype=bool), 12, zeta)
    found = frank_wolfe(problems, np.full((4, 5), 0.2), 1e-9, 2000)
    for r in range(4):

        def value(x: np.ndarray, r: int = r) -> float:
            return float(np.sum((a[r] @ x - b[r]) ** 2) / 12 + zeta**2 * x @ x)

        best = np.inf
        for support in range(1, 32):
            which = np.array([bool(support >> i & 1) for i in range(5)])
            k = int(which.sum())
            kkt = np.ones((k + 1, k + 1))
            kkt[:k, :k] = gram[r][np.ix_(which, which)] + 12 * zeta**2 * np.eye(k)
            kkt[k, k] = 0
            x = np.zeros(5)
            x[which] = np.linalg.solve(kkt, np.r_[target[r][which], 1])[:k]
            best = min(best, value(x)) if (x >= 0).all() else best
        assert found[r].min() >= 0
        assert found[r].sum() == pytest.approx(1, abs=1e-12)
        assert best - 1e-12 <= value(found[r]) < best + 5e-4


def test_shared_columns_are_the_same_problem() -> None:
    rng = np.random.default_rng(4)
    factor, column = rng.normal(size=(6, 9)), np.array([[0, 3, 3, 5], [8, 1, 2, 0]])
    lean, written = SharedColumns(factor, column), shared_columns(factor, column)
    x, which = rng.random((2, 4)), np.array([2, 1])
    assert isinstance(written, OwnGram)
    np.testing.assert_allclose(lean.times(x), written.times(x), rtol=1e-12)
    np.testing.assert_allclose(lean.rows(np.arange(2), which), written.rows(np.arange(2), which), rtol=1e-12)


def test_bootstrap_draws_clusters_whole_and_jackknife_leaves_them_out_whole() -> None:
    """Two copies of every unit in one cluster: the same estimates as of single units, so the same errors."""
    data = one_group(2011)
    twice = pd.concat([data, data.assign(unit=data["unit"] + 100)]).assign(pair=lambda d: d["unit"] % 100)
    for vcov in ("bootstrap", "jackknife"):
        one = did.synthetic(data, **UNITS, vcov=vcov, method="did", replications=60)
        both = did.synthetic(twice, **UNITS, cluster="pair", vcov=vcov, method="did", replications=60)
        np.testing.assert_allclose(both.replications, one.replications, rtol=1e-9)
        assert both.se == pytest.approx(one.se, rel=1e-9)


def test_cells_rows_and_row_order_agree_and_repeats_are_identical() -> None:
    data = one_group(2009)
    data = data[data["year"] > 2005]
    rows = pd.concat([data.assign(y=data["y"] - 0.5), data.assign(y=data["y"] + 0.5)], ignore_index=True)
    options = {"vcov": "jackknife"}
    first = did.synthetic(data, **UNITS, **options)
    pupils = did.synthetic(rows.iloc[::-1], **UNITS, panel=False, **options)
    turned = did.synthetic(data.assign(y=-10 * data["y"]), **UNITS, **options)
    for other, factor in ((pupils, 1), (turned, -10)):
        assert other.estimate == pytest.approx(factor * first.estimate, rel=1e-8)
        assert other.se == pytest.approx(abs(factor) * first.se, rel=1e-8)
    equal, again = (did.synthetic(data, **UNITS, method="did") for _ in range(2))
    cells = did.synthetic(did.cells(rows, **UNITS, panel=False), method="did")
    assert (equal.estimate, equal.se) == (again.estimate, again.se)
    assert (cells.estimate, cells.se) == (pytest.approx(equal.estimate, rel=1e-9), pytest.approx(equal.se, rel=1e-9))


def test_what_is_left_out_is_listed() -> None:
    data = did_data.few_treated()
    data.loc[data["unit"] == 3, "entry"] = 2001
    data.loc[data["unit"] == 6, "entry"] = 2002
    data.loc[data["unit"] == 5, "entry"] = 2030  # after the last period: a comparison unit
    data = data[~((data["unit"] == 11) & (data["year"] == 2003))]
    cells = did.cells(data, **UNITS)
    equal = did.synthetic(cells, method="did", vcov="bootstrap")
    for dropped, needed, lost in (
        (equal.dropped, "1 period", (3,)),
        (_sample(cells, "synthetic_did", 0).dropped, "2 periods", (3, 6)),
    ):
        assert [tuple(row) for row in dropped[["reason", "count", "first"]].itertuples(index=False)] == [
            ("not seen in every period: synthetic() needs a balanced panel", 1, (11,)),
            (f"fewer than {needed} before entry", len(lost), lost),
        ]
    assert 5 in set(equal.unit_weights["unit"])
    late = did.synthetic(did_data.few_treated(), **UNITS, min_event=2, method="did")
    assert list(late.table["group"]) == [2009]
    assert late.dropped["reason"].tolist() == ["no period 2 or more after entry"]


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (None, {"method": "sdid"}, "method is 'sdid'"),
        (None, {"vcov": "cr2"}, "vcov is 'cr2'"),
        (None, {"replications": 10}, "replications is 10; give a whole number, 50 or more"),
        (None, {"level": 2}, "level is 2"),
        (None, {"min_event": -1}, "min_event is -1"),
        (None, {"weights": "year"}, "counts every unit once.*leave weights out"),
        (lambda d: d.assign(entry=0), {}, "no unit enters by the last period"),
        (lambda d: d[d["entry"] > 0], {}, "no never-treated unit"),
        (lambda d: d.assign(entry=np.where(d["entry"] > 0, 2002, 0)), {}, "no treated unit can be used"),
        (lambda d: d[(d["unit"] + d["year"]) % 12 > 0], {}, "30 units miss a period: restrict the data"),
        (lambda d: d[d["unit"].isin([1, 2, 4, 8, 11, 19])], {}, r"more comparison units than treated ones \(2 and 4\)"),
        (lambda d: d[d["unit"].isin([0, 1, 2, 4])], {"vcov": "jackknife"}, "an entry group lies in a single one"),
        (lambda d: d[d["unit"].isin([0, 1, 2, 4])], {"vcov": "bootstrap"}, "at least two treated units"),
        (lambda d: d[d["unit"].isin([0, 4, 19])], {"vcov": "jackknife"}, "one holds all the comparison weight"),
        (lambda d: d[d["unit"].isin([0, 4]) & (d["year"] > 2006)], {}, "two comparison units or three periods"),
        (
            lambda d: d.assign(half=d["unit"] // 2),
            {"cluster": "half", "method": "did"},
            "takes units to be independent",
        ),
    ],
)
def test_what_cannot_be_estimated_is_refused(change: object, options: dict, message: str) -> None:
    data = did_data.few_treated()
    with pytest.raises(did.DidError, match=message):
        did.synthetic(data if change is None else change(data), **UNITS, **options)
