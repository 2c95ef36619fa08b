"""Switchers against the authors' own port of DIDmultiplegtDYN, diff-diff's DID_M, att_gt where nobody leaves, and by
hand."""

from __future__ import annotations

import json
from pathlib import Path

import did_data
import numpy as np
import pandas as pd
import pytest

from plneval import did

VALUES = json.loads((Path(__file__).parent / "reference" / "switchers_values.json").read_text())
NAMES = {"outcome": "y", "time": "year", "unit": "unit", "treatment": "d"}
OPTIONS = {
    "joiners": {"direction": "joiners"},
    "leavers": {"direction": "leavers"},
    "normalized_leavers": {"direction": "leavers"},
    "weights": {"weights": "w"},
    "cluster": {"cluster": "network"},
    "cluster_weights_joiners": {"cluster": "network", "weights": "w", "direction": "joiners"},
    "controls": {"controls": ["x"]},
    "controls_weights": {"controls": ["x"], "weights": "w"},
    "gaps_cluster": {"cluster": "network", "weights": "w"},
    "levels": {"treatment": "level"},
    "levels_normalized": {"treatment": "level"},
    "pupils_weights": {"weights": "w"},
}
DATA = {"gaps": did_data.switching_with_gaps, "pupils": did_data.switching_pupils}


@pytest.mark.parametrize("name", sorted(VALUES))
def test_effects_and_placebos_agree_with_the_authors_port(name: str) -> None:
    wanted = VALUES[name]
    data = DATA.get(name.split("_")[0], did_data.switching)()
    found = did.switchers(data, **{**NAMES, "effects": 3, "placebos": 2, **OPTIONS.get(name, {})})
    table = found.table
    normalized = "normalized" in name
    assert table["effect"].tolist() == wanted["effect"]
    assert table["n_switchers"].tolist() == wanted["n"]
    np.testing.assert_allclose(table["normalized" if normalized else "estimate"], wanted["estimate"], rtol=1e-10)
    assert found.estimate == pytest.approx(wanted["average"][0], rel=1e-10)
    if "controls" in name:  # the port adds a constant to every unit's influence function: see docs/did.md
        np.testing.assert_allclose(table["se"], wanted["se"], rtol=0.04)
        return
    np.testing.assert_allclose(table["normalized_se" if normalized else "se"], wanted["se"], rtol=1e-10)
    assert found.se == pytest.approx(wanted["average"][1], rel=1e-10)
    assert found.placebo_test.p == pytest.approx(wanted["p_placebo"], rel=1e-8)


def test_joiners_and_leavers_of_a_joint_fit_are_the_separate_fits() -> None:
    data = did_data.switching()
    both = did.switchers(data, **NAMES, effects=3, placebos=2)
    for direction in ("joiners", "leavers"):
        alone = did.switchers(data, **NAMES, effects=3, placebos=2, direction=direction)
        pd.testing.assert_frame_equal(getattr(both, direction).table, alone.table)


def test_every_switch_agrees_with_diff_diffs_did_m() -> None:
    """diff-diff 3.13, ChaisemartinDHaultfoeuille(drop_larger_lower=False): overall, joiners, leavers, placebo."""
    found = did.switchers(did_data.switching(), **NAMES, switches="all")
    for effects, wanted in (
        (found, 0.5124357128036658),
        (found.joiners, 0.5999384392647622),
        (found.leavers, 0.3315967447840666),
    ):
        assert effects.estimate == pytest.approx(wanted, rel=1e-12)
        assert effects.table["estimate"].iloc[-1] == pytest.approx(wanted, rel=1e-12)
    assert found.table["estimate"].iloc[0] == pytest.approx(0.18212787487808244, rel=1e-12)


def four_units() -> pd.DataFrame:
    paths = {"A": ([0, 1, 0], [1, 4, 3]), "B": ([0, 0, 0], [2, 3, 5])}
    paths |= {"C": ([1, 1, 1], [5, 6, 8]), "D": ([1, 0, 1], [4, 4, 9])}
    rows = [(u, t + 1, d[t], float(y[t])) for u, (d, y) in paths.items() for t in range(3)]
    return pd.DataFrame(rows, columns=["unit", "year", "d", "y"])


def test_four_units_by_hand() -> None:
    """A joins: 2, then -1; D leaves: -1, then 2, so that what it gave up is worth 1, then -2."""
    found = did.switchers(four_units(), **NAMES)
    table = found.table.set_index("effect")
    assert table["estimate"].to_dict() == pytest.approx({1: 1.5, 2: -1.5})
    assert table["dose"].to_dict() == {1: 1.0, 2: 1.0}  # A and D go back to where they were in the second period
    assert found.estimate == pytest.approx(0.0)  # (2 + 1 - 1 - 2) over the two unit-periods of treatment
    # Single-unit cohorts are centred with their control: (±1·√2)/2 for A and B, (±0.5·√2)/2 for C and D.
    assert table.loc[1, "se"] == pytest.approx(np.sqrt(1.25))
    assert "cohorts of a single unit" in found.dropped["reason"].iloc[0]
    with pytest.raises(did.DidError, match="a single joiner"):
        _ = found.joiners


def test_with_few_clusters_intervals_are_t() -> None:
    """Two periods, 4 joiners and 6 that stay out: Welch's standard error, and 8 degrees of freedom at the most."""
    from scipy.stats import t, ttest_ind

    change = np.array([0.3, 1.1, -0.4, 0.9, 0.1, -0.6, 0.2, 0.4, -0.3, 0.5])
    rows = [(u, year, int(u < 4 and year == 2), u + year * change[u]) for u in range(10) for year in (1, 2)]
    data = pd.DataFrame(rows, columns=["unit", "year", "d", "y"])
    found = did.switchers(data, **NAMES)
    welch = ttest_ind(change[:4], change[4:], equal_var=False)
    assert found.se == pytest.approx(found.estimate / welch.statistic)
    parts = np.array([change[:4].var(ddof=1) / 4, change[4:].var(ddof=1) / 6])
    df = parts.sum() ** 2 / (parts**2 / [5, 7]).sum() - 2
    assert found.df == pytest.approx(df)
    assert found.ci_high == pytest.approx(found.estimate + t.ppf(0.975, df) * found.se)
    assert found.inference.method == "small_sample"
    normal = did.switchers(data, **NAMES, inference="influence")
    assert normal.ci_high == pytest.approx(found.estimate + 1.959963985 * found.se)
    assert normal.table["df"].tolist() == [np.inf]
    with pytest.raises(did.DidError, match="inference is"):
        did.switchers(data, **NAMES, inference="t")


def test_where_nobody_leaves_effects_are_those_of_att_gt() -> None:
    data = did_data.panel()
    data = data[data["entry"] != 2011].assign(d=lambda f: ((f["entry"] > 0) & (f["year"] >= f["entry"])).astype(int))
    found = did.switchers(data, **NAMES).table.set_index("effect")["estimate"]
    wanted = did.att_gt(data, "y", "year", "unit", "entry", comparison="not_yet").aggregate("dynamic").table
    wanted = wanted.set_index("event_time")["estimate"]
    # Entry 2013 is the third of seven periods (2014 is none): its effects 1, 2, 3 are at event times 0, 2, 3.
    assert found[1] == pytest.approx(wanted[0], rel=1e-10)
    lone = data[data["entry"].isin([0, 2013])]
    found = did.switchers(lone, **NAMES).table.set_index("effect")["estimate"]
    wanted = did.att_gt(lone, "y", "year", "unit", "entry").aggregate("dynamic").table.set_index("event_time")
    np.testing.assert_allclose(found[[1, 2, 3, 4, 5]], wanted.loc[[0, 2, 3, 4, 5], "estimate"], rtol=1e-10)


def test_cells_arrow_and_databases_give_what_rows_give() -> None:
    import ibis
    import pyarrow as pa

    data = did_data.switching_pupils()
    options = {"effects": 3, "placebos": 1, "controls": ["x"], "weights": "w", "cluster": "network"}
    rows = did.switchers(data, **NAMES, **options)
    names = {**NAMES, "entry": "no_entry", "covariates": ["d", "x"], "weights": "w", "cluster": "network"}
    del names["treatment"]
    cells = did.cells(data.assign(no_entry=0), **names, panel=False)
    connection = ibis.duckdb.connect()
    for other in (
        did.switchers(cells, treatment="d", effects=3, placebos=1, controls=["x"]),
        did.switchers(pa.Table.from_pandas(data), **NAMES, **options),
    ):
        np.testing.assert_allclose(other.table.to_numpy(), rows.table.to_numpy(), rtol=1e-12)
        np.testing.assert_allclose([other.estimate, other.se], [rows.estimate, rows.se], rtol=1e-12)
    database = did.switchers(connection.create_table("pupils", data), **NAMES, **options)
    np.testing.assert_allclose(database.table.to_numpy(), rows.table.to_numpy(), rtol=1e-9)
    gaps = did_data.switching_with_gaps()  # the treatment is known where the outcome is missing
    rows, database = did.switchers(gaps, **NAMES), did.switchers(connection.create_table("gaps", gaps), **NAMES)
    np.testing.assert_allclose(database.table.to_numpy(), rows.table.to_numpy(), rtol=1e-9)
    varies = pd.concat([gaps, gaps.iloc[[7]].assign(d=5)], ignore_index=True)
    with pytest.raises(did.DidError, match="treatment varies within 1 pairs"):
        did.switchers(connection.create_table("varies", varies), **NAMES)


def test_permuted_rows_scale_and_shift() -> None:
    data = did_data.switching_pupils()
    options = {"placebos": 2, "effects": 3, "weights": "w", "cluster": "network"}
    found = did.switchers(data, **NAMES, **options)
    order = np.argsort(did_data._uniform(50, len(data)))
    permuted = did.switchers(data.iloc[order], **NAMES, **options)
    np.testing.assert_allclose(permuted.table.to_numpy(), found.table.to_numpy(), rtol=1e-10)
    shift = 100.0 + 7.0 * data["unit"] - 3.0 * data["year"]
    moved = did.switchers(data.assign(y=-2.0 * data["y"] + shift), **NAMES, **options)
    np.testing.assert_allclose(moved.table["estimate"], -2 * found.table["estimate"], atol=1e-9)
    np.testing.assert_allclose(moved.table["se"], 2 * found.table["se"], rtol=1e-8)
    assert moved.estimate == pytest.approx(-2 * found.estimate, abs=1e-9)
    influence = found.influence
    np.testing.assert_allclose(
        np.sqrt((influence**2).mean() / found.n_clusters), [found.se, *found.table["se"]], rtol=1e-12
    )


def test_gaps_are_listed() -> None:
    dropped = did.switchers(did_data.switching_with_gaps(), **NAMES, effects=3).dropped
    text = " | ".join(dropped["kind"] + ": " + dropped["reason"])
    for words in (
        "outcome y is missing",
        "cannot be dated",
        "first seen after the first period",
        "without a unit to be compared",
    ):
        assert words in text


def test_a_treatment_that_crosses_the_first_one_is_used_until_then() -> None:
    data = did_data.switching()
    data = data.assign(d=data["d"] + 1.0)
    data.loc[(data["unit"] == 3) & (data["year"] >= 2013), "d"] = [2.0, 2.0, 0.0, 0.0, 3.0]
    data.loc[(data["unit"] == 3) & (data["year"] < 2013), "d"] = 1.0
    cut = data[~((data["unit"] == 3) & (data["year"] >= 2015))]
    whole, short = did.switchers(data, **NAMES, effects=2), did.switchers(cut, **NAMES, effects=2)
    np.testing.assert_allclose(whole.table.to_numpy(), short.table.to_numpy(), rtol=1e-12)
    assert whole.dropped.iloc[0]["first"] == (3,)


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (lambda f: f.assign(d=0), {}, "no unit's treatment changes"),
        (lambda f: f.assign(d="yes"), {}, "not a number"),
        (lambda f: f.assign(d=np.where(f.index == 7, np.inf, f["d"])), {}, "infinite values in row 7"),
        (lambda f: pd.concat([f, f.iloc[[7]].assign(d=5)], ignore_index=True), {}, "varies within .* rows 7, 480"),
        (lambda f: pd.concat([f, f.iloc[[7]]], ignore_index=True), {"panel": True}, "panel=True"),
        (lambda f: f.assign(w=-1.0), {"weights": "w"}, "negative"),
        (lambda f: f.assign(w=np.nan), {"weights": "w"}, "weight is missing"),
        (lambda f: f.assign(network=f["year"]), {"cluster": "network"}, "cluster varies"),
        (lambda f: f.assign(z=f["unit"]), {"controls": ["z"]}, "'z' do not change"),
        (lambda f: f.assign(z=2 * f["x"]), {"controls": ["x", "z"]}, "collinear"),
        (lambda f: f.assign(network=1), {"cluster": "network"}, "single cluster"),
        (lambda f: f[f["unit"].isin(f.loc[f["d"] == 1, "unit"])], {"direction": "up"}, "direction is"),
        (lambda f: f, {"effects": 0}, "effects is 0"),
        (lambda f: f, {"switches": "all", "effects": 2}, "leave effects out"),
        (lambda f: f, {"treatment": "member"}, "no column 'member'"),
        (lambda f: f, {"controls": ["d"]}, "cannot be a control"),
        (lambda f: f[f["year"] == 2010], {}, "no unit's treatment changes"),
        (lambda f: f.assign(d=(f["year"] >= 2014).astype(int)), {}, "no switcher can be compared"),
    ],
)
def test_bad_input_is_refused(change: object, options: dict[str, object], words: str) -> None:
    with pytest.raises(did.DidError, match=words):
        did.switchers(change(did_data.switching()), **{**NAMES, **options})  # type: ignore[operator]


def test_effects_that_cannot_be_estimated_are_listed() -> None:
    found = did.switchers(did_data.switching(), **NAMES, effects=20, placebos=20)
    assert {"effects", "placebos"} <= set(found.dropped["kind"])


def test_what_estimating_the_controls_adds_to_the_error_is_its_derivative() -> None:
    """Contributions against the numerical derivative of the effect with respect to each unit's weight.

    300 switchers of one cohort and 300 controls, whose x moves otherwise, so that its coefficient's error matters.
    """
    half = 300
    units = np.arange(2 * half)
    x = did_data._normal(60, 3 * len(units)).reshape(-1, 3) * 0.4
    x[:half, 2] += 2.0
    y = 0.7 * x + did_data._normal(61, 3 * len(units)).reshape(-1, 3)
    data = pd.DataFrame(
        {
            "unit": np.repeat(units, 3),
            "year": np.tile([1, 2, 3], len(units)),
            "d": np.ravel((units < half)[:, None] & (np.arange(3) == 2)).astype(int),
            "x": x.ravel(),
            "y": y.ravel(),
            "w": 1.0,
        }
    )

    def effect(weights: pd.Series, controls: list[str] | None) -> did.SwitcherEffects:
        options = {"effects": 1, "placebos": 0, "weights": "w", "controls": controls}
        return did.switchers(data.assign(w=weights), **NAMES, **options)

    found = effect(data["w"], ["x"])
    by_unit = found.by_cluster[:, 0]
    chosen = [0, 1, 2, half, half + 1, half + 2]
    derivative = []
    for unit in chosen:
        up, down = (effect(data["w"] + step * (data["unit"] == unit), ["x"]).estimate for step in (1e-4, -1e-4))
        derivative.append((up - down) / 2e-4)
    # Centred changes carry sqrt(n/(n-1)), 1.0017 here.
    np.testing.assert_allclose(by_unit[chosen], derivative, rtol=0.002, atol=3e-5)
    slopes_matter = did.switchers(data.assign(y=data["y"] - 0.7 * data["x"]), **NAMES, effects=1, placebos=0)
    assert found.se > 1.1 * slopes_matter.se
