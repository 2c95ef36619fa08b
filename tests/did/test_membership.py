"""First joining and leaving: against att_gt, by hand, and with a known truth."""

from __future__ import annotations

import did_data
import numpy as np
import pandas as pd
import pytest

from plneval import did

NAMES = {"outcome": "y", "time": "year", "unit": "unit", "treatment": "d"}


def frame(paths: dict[str, list[float | None]]) -> pd.DataFrame:
    rows = [(unit, 2010 + t, d) for unit, path in paths.items() for t, d in enumerate(path) if d is not None]
    return pd.DataFrame(rows, columns=["unit", "year", "d"])


def test_first_entry_is_the_first_treated_period_whatever_comes_after() -> None:
    data = frame({"b": [0, 1, 0, 1], "a": [0, 0, 0, 0], "c": [1, 0, 0, 1], "d": [0, None, 0, 1], "e": [0, 0, 1, 1]})
    entry = did.first_entry(data, "unit", "year", "d")
    assert entry.to_dict() == {"a": np.inf, "b": 2011, "c": 2010, "d": 2013, "e": 2012}
    assert entry.index.name == "unit"
    pd.testing.assert_series_equal(did.first_entry(pd.concat([data, data[::-1]]), "unit", "year", "d"), entry)


def test_an_entry_that_cannot_be_dated_is_refused_or_taken_as_first_seen() -> None:
    data = frame({"a": [0, 0, 0, 0], "b": [0, None, 1, 1], "c": [None, 1, 1, 0]})
    with pytest.raises(did.DidError, match="2 units, rows 5, 7"):
        did.first_entry(data, "unit", "year", "d")
    entry = did.first_entry(data, "unit", "year", "d", undated="first_seen")
    assert entry.to_dict() == {"a": np.inf, "b": 2012, "c": 2011}


def test_first_joining_is_att_gt_with_the_first_entry() -> None:
    """Schools that leave and return count as joined from their first entry on."""
    data = did_data.panel()
    truth = data["entry"].replace(0, np.inf)
    d = (data["year"] >= truth) & ~((data["year"] == 2017) & (data["unit"] % 5 == 0) & (data["entry"] < 2017))
    data = data.assign(d=d.astype(int))
    data["first"] = data["unit"].map(did.first_entry(data, "unit", "year", "d"))
    assert (data["first"] == truth).all()
    found = did.att_gt(data, "y", "year", "unit", "first").table
    pd.testing.assert_frame_equal(found, did.att_gt(data, "y", "year", "unit", "entry").table)


def test_first_entry_from_arrow_and_databases() -> None:
    import ibis
    import pyarrow as pa

    data = did_data.switching_pupils()
    wanted = did.first_entry(data, "unit", "year", "d")
    table = ibis.duckdb.connect().create_table("pupils", data)
    for other in (pa.Table.from_pandas(data), table):
        pd.testing.assert_series_equal(did.first_entry(other, "unit", "year", "d"), wanted)
    with pytest.raises(did.DidError, match="membership is 0 or 1, but 2 occurs"):
        did.first_entry(data.assign(d=data["d"] * 2), "unit", "year", "d")
    with pytest.raises(did.DidError, match="no column 'member'"):
        did.first_entry(table, "unit", "year", "member")


def members() -> pd.DataFrame:
    """Members from the first period on; ``entry`` of the panel is the period of leaving here. No gap year."""
    data = did_data.panel()
    position = {year: 1 + k for k, year in enumerate(did_data.TIMES)}
    leave = data["entry"].map(position)
    data = data.assign(year=data["year"].map(position), leave=leave.fillna(0))
    return data.assign(d=1 - (data["year"] >= leave).astype(int))


@pytest.mark.parametrize("options", [{}, {"weights": "w"}, {"cluster": "network"}])
def test_leaving_with_one_entry_for_all_is_att_gt_among_members(options: dict[str, str]) -> None:
    data = members()
    outsiders = data[data["unit"] < 20].assign(unit=lambda f: f["unit"] + 1000, d=0, y=lambda f: f["y"] * 9, network=99)
    found = did.leaving(pd.concat([data, outsiders]), **NAMES, **options)
    wanted = did.att_gt(data, "y", "year", "unit", "leave", comparison="not_yet", **options).aggregate("dynamic").table
    wanted = wanted[wanted["event_time"] >= 0]
    table = found.table[found.table["effect"] > 0]
    assert table["event_time"].tolist() == wanted["event_time"].tolist()
    np.testing.assert_allclose(table["estimate"], wanted["estimate"], rtol=1e-9)
    # att_gt's standard errors have no n / (n - 1) and add the error of estimated group sizes.
    np.testing.assert_allclose(table["se"], wanted["se"], rtol=0.12)
    assert "never members" in " ".join(found.dropped["reason"])


def test_leavers_are_compared_with_stayers_of_the_same_entry() -> None:
    """Membership adds 1 for each period inside; leavers keep what they have. Without noise the effects are exact."""
    rows = []
    for unit in range(24):
        entry, leave = 1 + unit % 3, (5, 7, 99)[unit // 8]
        for t in range(8):
            d = int(entry <= t < leave)
            gained = max(min(t, leave - 1) - entry + 1, 0) * (1 + 0.5 * (entry == 2))
            rows.append((unit, t, d, 10 * unit + 2 * t + gained))
    data = pd.DataFrame(rows, columns=["unit", "year", "d", "y"])
    share = np.mean([1 + 0.5 * (1 + unit % 3 == 2) for unit in range(16)])
    table = did.leaving(data, **NAMES).table.set_index("effect")
    assert table.loc[1, "estimate"] == pytest.approx(-share)
    assert table.loc[-1, "estimate"] == pytest.approx(0)
    late = np.mean([1 + 0.5 * (1 + unit % 3 == 2) for unit in range(8)])
    assert table.loc[3, "estimate"] == pytest.approx(-3 * late)
    pooled = did.leaving(data, **NAMES, same_entry=False).table.set_index("effect")
    assert pooled.loc[1, "estimate"] != pytest.approx(-share)  # those who entered otherwise grow otherwise
    assert table.loc[1, ["n_leavers", "n_stayers"]].tolist() == [16, 16]


def test_leaving_refuses_what_it_cannot_do() -> None:
    data = members()
    with pytest.raises(did.DidError, match="nobody leaves"):
        did.leaving(data.assign(d=1), **NAMES)
    with pytest.raises(did.DidError, match="membership is 0 or 1"):
        did.leaving(data.assign(d=data["d"] * 3), **NAMES)
    with pytest.raises(did.DidError, match="no leaver can be compared"):
        did.leaving(data[data["leave"] == 3], **NAMES)
    with pytest.raises(did.DidError, match="joiners apart"):
        _ = did.leaving(data, **NAMES).joiners
