"""Unbalanced panels by pairs of periods, and units that enter after the last period."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from plneval import did


def unbalanced(seed: int = 3, lost: float = 0.15) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    units = pd.DataFrame({"unit": np.arange(60), "entry": rng.choice([0, 4, 5, 9], 60), "size": rng.uniform(1, 5, 60)})
    rows = units.merge(pd.DataFrame({"time": range(1, 8)}), how="cross")
    rows["y"] = rng.normal(size=len(rows)) + rng.normal(size=60)[rows["unit"]] + 0.5 * (rows["time"] >= rows["entry"])
    rows["cluster"] = rows["unit"] // 2 + 100 * (rows["entry"] > 0)
    return rows[rng.uniform(size=len(rows)) > lost].reset_index(drop=True)


COLUMNS = {"outcome": "y", "time": "time", "unit": "unit", "entry": "entry", "weights": "size"}
OPTIONS = {"base_period": "universal", "allow_unbalanced": "pairwise", "late_entry": "group"}


def by_hand(rows: pd.DataFrame) -> dict[tuple[int, int], tuple[float, float, int]]:
    """Difference of weighted mean changes, the treated units' weight and number, over units with both periods."""
    wide = rows.pivot(index="unit", columns="time", values="y")
    fixed = rows.drop_duplicates("unit").set_index("unit").loc[wide.index]
    found = {}
    for group in (4, 5, 9):
        base = min(group - 1, 7)
        for time in range(1, 8):
            if time == base:
                continue
            change = (wide[time] - wide[base]).dropna()
            size, entry = fixed["size"][change.index], fixed["entry"][change.index]
            mean = {
                arm: np.average(change[which], weights=size[which])
                for arm, which in (("treated", entry == group), ("never", entry == 0))
            }
            treated = entry == group
            found[group, time] = (mean["treated"] - mean["never"], size[treated].sum(), int(treated.sum()))
    return found


def test_each_effect_rests_on_the_units_seen_in_both_periods() -> None:
    rows = unbalanced()
    effects = did.att_gt(rows, **COLUMNS, cluster="cluster", **OPTIONS)
    hand = by_hand(rows)
    table = effects.table[effects.table["se"].notna()]
    assert {(row.group, row.time) for row in table.itertuples()} == set(hand)
    for row in table.itertuples():
        assert row.att == pytest.approx(hand[row.group, row.time][0], abs=1e-12)
        assert row.n_treated == hand[row.group, row.time][2]
    late = [key for key in hand if key[1] - key[0] >= 2]
    expected = np.average([hand[key][0] for key in late], weights=[hand[key][1] for key in late])
    assert effects.aggregate("simple", min_event=2).estimate == pytest.approx(expected, abs=1e-12)


def test_the_error_of_one_effect_is_that_of_its_two_periods_alone() -> None:
    rows = unbalanced()
    effects = did.att_gt(rows, **COLUMNS, cluster="cluster", **OPTIONS)
    two = rows[rows["time"].isin([3, 6]) & rows["entry"].isin([0, 4])]
    two = two[two.groupby("unit")["time"].transform("size") == 2]
    alone = did.att_gt(two, **COLUMNS, cluster="cluster").table.iloc[0]
    within = effects.table.query("group == 4 and time == 6").iloc[0]
    assert within["att"] == pytest.approx(alone["att"], abs=1e-12)
    assert within["se"] == pytest.approx(alone["se"], rel=1e-12)


def test_the_weights_of_an_average_count_as_estimated() -> None:
    """With all effects alike but in one cell, leaving one unit out after the other gives the same error."""
    rows = unbalanced(lost=0.1)
    rows = rows[rows["entry"] != 9]
    full = did.att_gt(rows, **COLUMNS, **OPTIONS).aggregate("simple", min_event=2)
    moved = [
        did.att_gt(rows[rows["unit"] != unit], **COLUMNS, **OPTIONS).aggregate("simple", min_event=2).estimate
        for unit in rows["unit"].unique()
    ]
    jackknife = np.sqrt(np.sum((np.array(moved) - full.estimate) ** 2))
    assert full.se == pytest.approx(jackknife, rel=0.1)


def test_a_balanced_panel_is_used_as_ever() -> None:
    rows = unbalanced(lost=0.0).query("entry != 9")
    usual = did.att_gt(rows, **COLUMNS, base_period="universal")
    pairwise = did.att_gt(rows, **COLUMNS, base_period="universal", allow_unbalanced="pairwise")
    np.testing.assert_array_equal(usual.att, pairwise.att)
    assert usual.aggregate("dynamic").se == pairwise.aggregate("dynamic").se


def test_what_is_seen_in_one_period_only_is_counted() -> None:
    rows = unbalanced()
    dropped = did.att_gt(rows, **COLUMNS, **OPTIONS).dropped
    wide = rows.pivot(index="unit", columns="time", values="y").notna()
    entry = rows.drop_duplicates("unit").set_index("unit")["entry"][wide.index]
    expected = sum(
        int(((wide[time] ^ wide[min(group - 1, 7)]) & (entry == group)).sum())
        for group in (4, 5, 9)
        for time in range(1, 8)
    )
    found = dropped[dropped["reason"].str.startswith("treated units seen in only one")]
    assert found["count"].tolist() == [expected]


def test_late_entrants_compare_only_where_not_yet_treated_units_do() -> None:
    rows = unbalanced(lost=0.0)
    without = rows[rows["entry"] != 9]
    never = did.att_gt(rows, **COLUMNS, late_entry="group").aggregate("simple").estimate
    assert never == pytest.approx(did.att_gt(without, **COLUMNS).aggregate("simple").estimate, abs=1e-12)
    as_never = rows.assign(entry=rows["entry"].replace(9, 0))
    usual = did.att_gt(as_never, **COLUMNS).aggregate("simple").estimate
    assert did.att_gt(rows, **COLUMNS).aggregate("simple").estimate == pytest.approx(usual, abs=1e-12)
    assert abs(never - usual) > 1e-3


@pytest.mark.parametrize(("option", "value"), [("allow_unbalanced", "pairs"), ("late_entry", "later")])
def test_an_option_that_does_not_exist_is_refused(option: str, value: str) -> None:
    with pytest.raises(did.DidError, match=option):
        did.att_gt(unbalanced(), **COLUMNS, **{option: value})
