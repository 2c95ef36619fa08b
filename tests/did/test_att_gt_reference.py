"""Group-time effects and aggregates against csdid 0.4.3 (a port of R's did 2.5.1) on data made here, and against the
published values of R's did on mpdta."""

from __future__ import annotations

import json
from pathlib import Path

import did_data
import numpy as np
import pandas as pd
import pytest

from plneval import did

VALUES = json.loads((Path(__file__).parent / "reference" / "csdid_values.json").read_text())
MPDTA = Path(__file__).resolve().parents[3] / "shared" / "data" / "reference" / "mpdta.csv"

COVARIATES = {"covariates": ["x", "z"]}
ROWS = {"unit": "row", "panel": False}
PUPILS = {"unit": "school", "panel": False, "covariates": ["x", "female"]}
CASES = {
    "plain": {},
    "not_yet": {"comparison": "not_yet"},
    "dr": COVARIATES,
    "ipw": {**COVARIATES, "method": "ipw"},
    "or": {**COVARIATES, "method": "or"},
    "dr_not_yet_universal": {**COVARIATES, "comparison": "not_yet", "base_period": "universal"},
    "universal": {"base_period": "universal"},
    "anticipation": {"anticipation": 1},
    "anticipation_universal": {"anticipation": 1, "base_period": "universal"},
    "anticipation_not_yet": {"anticipation": 1, "comparison": "not_yet"},
    "weights": {"weights": "w"},
    "weights_dr": {"weights": "w", **COVARIATES},
    "weights_varying_dr": {"weights": "w_varying", **COVARIATES},
    "weights_base": {"weights": "w_varying", "weights_from": "base"},
    "weights_first": {"weights": "w_varying", "weights_from": "first"},
    "cluster": {"cluster": "network"},
    "cluster_dr": {"cluster": "network", **COVARIATES},
    "unbalanced": {"allow_unbalanced": True},
    "unbalanced_dropped": {},
    "unbalanced_dr": {"allow_unbalanced": True, **COVARIATES},
    "unbalanced_ipw": {"allow_unbalanced": True, **COVARIATES, "method": "ipw", "weights": "w"},
    "unbalanced_cluster": {"allow_unbalanced": True, "cluster": "network"},
    "no_never": {"comparison": "not_yet"},
    "rows": ROWS,
    "rows_cluster": {"unit": "school", "panel": False},
    "rows_not_yet_weights": {"unit": "school", "panel": False, "weights": "w", "comparison": "not_yet"},
    "rows_dr": PUPILS,
    "rows_ipw": {**PUPILS, "weights": "w", "method": "ipw"},
    "rows_or": {**PUPILS, "weights": "w", "method": "or"},
    "rows_dr_unit": {**PUPILS, "unit": "row"},
}
BY_ROW = {
    "rows_cluster": {"unit": "row", "panel": False, "cluster": "school"},
    "rows_dr": {**PUPILS, "unit": "row", "cluster": "school"},
    "rows_or": {**PUPILS, "unit": "row", "cluster": "school", "weights": "w", "method": "or"},
}
AGGREGATES = {
    "simple": {"kind": "simple"},
    "simple_from_2": {"kind": "simple", "min_event": 2},
    "dynamic": {"kind": "dynamic"},
    "dynamic_window": {"kind": "dynamic", "min_event": -2, "max_event": 3},
    "dynamic_balance": {"kind": "dynamic", "balance": 1},
    "group": {"kind": "group"},
    "group_to_1": {"kind": "group", "max_event": 1},
    "calendar": {"kind": "calendar"},
}


def estimate(name: str) -> did.GroupTimeEffects:
    kind = name.split("_")[0]
    data = {"unbalanced": did_data.unbalanced, "rows": did_data.pupils}.get(kind, did_data.panel)()
    if name == "no_never":
        data = did_data.panel(never=False)
    return did.att_gt(data, **{"outcome": "y", "time": "year", "unit": "unit", "entry": "entry", **CASES[name]})


def agree(found: object, expected: list[float | None]) -> None:
    """To nine digits; ``None`` is NaN."""
    wanted = np.array([np.nan if value is None else value for value in expected])
    np.testing.assert_allclose(np.asarray(found, dtype=float), wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", sorted(CASES))
def test_group_time_effects_and_aggregates_agree_with_csdid(name: str) -> None:
    expected = VALUES[name]
    result = estimate(name)
    keep = [att is not None for att in expected["att"]]

    def kept(column: str) -> list[float | None]:
        return [value for value, used in zip(expected[column], keep, strict=True) if used]

    table = result.table
    assert table["group"].tolist() == kept("group")
    assert table["time"].tolist() == kept("time")
    agree(table["att"], kept("att"))
    agree(table["se"], kept("se"))
    if expected["wald"] is not None:
        assert result.pretest().statistic == pytest.approx(expected["wald"], rel=1e-8)
    for kind, asked in AGGREGATES.items():
        wanted = expected["aggregates"][kind]
        if "error" in wanted:
            with pytest.raises(did.DidError):
                result.aggregate(**asked)
            continue
        found = result.aggregate(**asked)
        agree([found.estimate, found.se], [wanted["estimate"], wanted["se"]])
        if "keys" in wanted:
            assert found.keys.tolist() == wanted["keys"]
            agree(found.table["estimate"], wanted["estimates"])
            agree(found.table["se"], wanted["ses"])


@pytest.mark.parametrize("name", sorted(BY_ROW))
def test_rows_as_units_in_clusters_are_units_that_are_groups(name: str) -> None:
    data = did_data.pupils()
    result = did.att_gt(data, outcome="y", time="year", entry="entry", **BY_ROW[name])
    agree(result.table["att"], VALUES[name]["att"])
    agree(result.table["se"], VALUES[name]["se"])
    for kind in ("simple", "group"):
        expected = VALUES[name]["aggregates"][kind]
        found = result.aggregate(kind)
        agree([found.estimate, found.se], [expected["estimate"], expected["se"]])
    first = result.table.iloc[0]
    used = data["year"].isin([2011, 2012]) & (data["entry"] == first["group"])
    assert first["n_treated"] == used.sum()


@pytest.fixture(scope="module")
def mpdta() -> pd.DataFrame:
    if not MPDTA.exists():
        pytest.skip("mpdta.csv is not here")
    return pd.read_csv(MPDTA)


@pytest.mark.parametrize(
    ("options", "estimate", "se"),
    [
        ({}, -0.039951275, 0.012034013),
        ({"comparison": "not_yet"}, -0.039763626, 0.012052425),
        ({"covariates": ["lpop"]}, -0.041751772, 0.011502838),
        ({"covariates": ["lpop"], "method": "ipw"}, -0.041777082, None),
        ({"covariates": ["lpop"], "method": "or"}, -0.041968612, None),
    ],
)
def test_mpdta_agrees_with_the_published_values_of_did(
    mpdta: pd.DataFrame, options: dict[str, object], estimate: float, se: float | None
) -> None:
    result = did.att_gt(mpdta, outcome="lemp", time="year", unit="countyreal", entry="first.treat", **options)
    overall = result.aggregate("simple")
    assert overall.estimate == pytest.approx(estimate, abs=6e-10)
    if se is not None:
        assert overall.se == pytest.approx(se, abs=6e-10)


def test_mpdta_wald_test_agrees_with_did(mpdta: pd.DataFrame) -> None:
    result = did.att_gt(mpdta, outcome="lemp", time="year", unit="countyreal", entry="first.treat")
    assert result.pretest().p == pytest.approx(0.16812, abs=6e-6)
